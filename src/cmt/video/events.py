"""What happens in a video, and when: cuts, flashes, impacts, stops of the camera, soft turns.

Where motion ebbs and flows without an impact, as of a pendulum or of somebody who walks, its minima
are soft turns.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from scipy.ndimage import maximum_filter1d, median_filter, uniform_filter1d

from cmt.video.impacts import FLOOR, GAP, apart, find_impacts, find_jolts, find_stops
from cmt.video.observation import Observation
from cmt.video.shots import Event, Shots, find_cuts, find_dissolves, find_flashes

CUT_GAP = 0.11  # seconds from a cut or flash to other events
SETTLE = 0.2  # seconds after it, in which a jump of the camera settles: that is no impact
MELT_GAP = 0.06  # seconds from shots that melt to what moves: what flow sees in these is nothing
AMID = 0.2  # seconds from a turn to impacts
TURNS = (1.05, 4.0)  # soft turns a second; the slower are drifting
TURN_SHARE = 0.2  # of the power of things' speed that is one frequency's
HALF = 0.4  # of that share, which half the frequency has where it is the true one
EBB = 0.3  # of the mean speed, how much it ebbs at least: twice its wave's standard deviation
EVEN = 1.0  # seconds on either side, over which speed is taken to be even
# Seconds on either side, within which something moves where things turn: at so much of the most
# speed in the shot. A camera's noise is less.
ALIVE, ALIVE_SHARE = 0.5, 0.2
STEADY = 3.0  # turns, standard deviation, over which their phase is taken
FEWEST_TURNS = 4


def find_events(seen: Observation) -> tuple[Event, ...]:
    """Events of a video, ascending."""
    cuts = find_cuts(seen)
    flashes = find_flashes(seen, cuts)
    sure = [Event(float(seen.times[i]), "cut", 1.0) for i in cuts]
    sure += [Event(float(seen.times[i]), "flash", 1.0) for i in flashes]
    if len(seen.camera) < 5:
        return tuple(sorted(sure, key=lambda event: event.time))
    shots = Shots.of(seen, cuts, flashes)
    stops = find_stops(shots)
    impacts = find_impacts(shots)
    moved = apart(find_jolts(shots), sure, CUT_GAP)
    moved += apart(apart(stops, sure, CUT_GAP), moved, GAP)
    moved += apart(apart(impacts, sure, CUT_GAP, SETTLE), moved, GAP)
    moved = _beside(moved, find_dissolves(seen))
    turns = apart(find_turns(shots, sure + moved), sure, GAP)
    # Amid even turns one that looks like an impact is a turn, too, and their time is the surer.
    moved = apart(moved, turns, AMID)
    return tuple(sorted(sure + moved + turns, key=lambda event: event.time))


def _beside(events: list[Event], spans: list[tuple[float, float]]) -> list[Event]:
    """Events that are `MELT_GAP` from all spans (seconds)."""
    return [
        event
        for event in events
        if all(event.time < s - MELT_GAP or event.time > e + MELT_GAP for s, e in spans)
    ]


def find_turns(shots: Shots, hard: list[Event]) -> list[Event]:
    """Minima of things' speed in shots where it ebbs and flows evenly and nothing stops.

    A minimum by itself says little (things hide each other, and the flow errs), so a shot has
    turns where one frequency explains much of its speed; they are where that wave is lowest.
    """
    middles = (shots.at[1:] + shots.at[:-1]) / 2
    edges = (0, *(shots.borders + 1), len(middles))
    found: list[Event] = []
    for start, stop in pairwise(edges):
        known = ~np.isnan(shots.motion[start:stop, 0])
        times, speed = middles[start:stop][known], shots.things[start:stop][known]
        # Where nothing moves nothing turns: what the flow sees there are its own errors.
        most = maximum_filter1d(median_filter(speed, 3), 2 * round(ALIVE * shots.rate) + 1)
        alive = most > max(FLOOR, ALIVE_SHARE * median_filter(speed, 9).max(initial=0))
        alive &= np.diff(shots.at)[start:stop][known] < ALIVE  # a picture that is held is still
        times, speed = times[alive], speed[alive]
        if len(times) < 9 or times[-1] - times[0] < FEWEST_TURNS / TURNS[0]:
            continue
        speed = median_filter(speed, 3)
        wave = speed - uniform_filter1d(speed, 2 * round(EVEN * shots.rate) + 1)
        frequency, share = _wave(times, wave)
        ebb = 2 * wave.std() / max(speed.mean(), FLOOR)
        within = sum(times[0] <= event.time <= times[-1] for event in hard)
        cycles = frequency * len(times) / shots.rate
        if (
            share < TURN_SHARE
            or speed.mean() < FLOOR
            or ebb < EBB
            or cycles < FEWEST_TURNS
            or within > cycles / 3
        ):
            continue
        found += [
            Event(time, "turn", float(min(1.0, ebb)))
            for time in _troughs(times, wave, frequency)
            if np.abs(times - time).min() < 1 / (2 * frequency)  # or it is amid stillness
        ]
    return found


def _wave(times: np.ndarray, wave: np.ndarray) -> tuple[float, float]:
    """The frequency (Hz) that explains most of a wave's power, and the share that it does."""
    frequencies = np.arange(*TURNS, 0.01)
    swing = np.abs(np.exp(-2j * np.pi * np.outer(frequencies, times)) @ wave) ** 2
    share = 2 * swing / (len(wave) * np.square(wave).sum() + 1e-12)
    best = int(share.argmax())
    # Of steps, the legs' passing each other is half-way between two: the slower wave is meant.
    slower = np.flatnonzero(np.abs(frequencies - frequencies[best] / 2) < 0.06)
    if len(slower) and share[slower].max() > HALF * share[best]:
        half = int(slower[share[slower].argmax()])
        return float(frequencies[half]), float(share[half] + share[best])
    return float(frequencies[best]), float(share[best])


def _troughs(times: np.ndarray, wave: np.ndarray, frequency: float) -> list[float]:
    """Seconds where a wave of about a frequency is lowest, its phase being that of its cycles
    around, so that it may hurry and slow down.
    """
    turns = frequency * (times - times[0])
    spread = np.exp(-0.5 * (np.subtract.outer(turns, turns) / STEADY) ** 2)
    phase = np.angle(spread @ (wave * np.exp(-2j * np.pi * turns))) / (2 * np.pi)
    place = turns + np.unwrap(phase, period=1) - 0.5  # a whole number at a trough
    whole = np.arange(math.ceil(place[0]), math.floor(place[-1]) + 1)
    return [float(time) for time in np.interp(whole, np.maximum.accumulate(place), times)]
