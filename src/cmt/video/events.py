"""What happens in a video, and when: cuts, flashes, impacts, stops of the camera, soft turns.

A cut and a flash are at the first picture that shows them. An impact, as in Davis & Agrawala,
"Visual Rhythm and Beat" (2018), is motion lost in its own direction, but with the camera's motion
apart from things' motion, in heights per second, not smoothed over time, and located between
pictures: at the centroid of the loss. Where motion ebbs and flows without an impact, as of a
pendulum or of somebody who walks, its minima are soft turns.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from scipy.ndimage import maximum_filter1d, median_filter, uniform_filter1d

from cmt.video.observation import Observation

# A cut: a change of at least so much (1 − r), and so many times those within 0.1 s, of which at
# least so much lasts; from shot to shot of one place little else tells it from a sudden zoom.
CUTS = ((0.35, 2.0, 0.5), (0.15, 6.0, 0.5), (0.15, 2.5, 0.85), (0.08, 3.0, 0.85))
CUT_REACH = 0.1  # seconds
FLASH = 0.07  # of the range, a jump of mean brightness
# Flow is not to be trusted where brightness jumps by more of the range, nor, by less, where a
# flash fades (seconds).
FLICKER, FADING, FADE = 0.03, 0.004, 0.8
FLOOR = 0.011  # heights a second, mean over the picture: an impact loses at least this much
SHARE = 0.21  # of all motion around it
LARGE = 0.53  # of its own motion around it: of less loss, it must come to rest
USUAL = 1.4  # times the loss that is usual within half a second
SUDDEN_IMPACT, SUDDEN_SMALL, SUDDEN_STOP = 1.45, 1.6, 0.75  # see `_Peak`
# Of a loss below so many heights a second, so much must have been there a little earlier, or it was
# a blip of the flow.
BLIP, EARLIER = 0.05, 0.3
# Motion between two pictures alone, with none before and after, is a key frame's, if it is small.
SPIKE, SPIKE_FLOOR = 1.85, 0.1  # heights a second
PAN = 0.25  # heights a second: a camera that stops from less was not panning
REST = 0.25  # of the motion around: at rest
SOON = 0.12  # seconds: a camera that stops rests so long, things come to rest within them
GAP = 0.15  # seconds between events
CUT_GAP = 0.11  # seconds from a cut or flash to other events
TURNS = (1.05, 4.0)  # soft turns a second; the slower are drifting
TURN_SHARE = 0.17  # of the power of things' speed that is one frequency's
HALF = 0.4  # of that share, which half the frequency has where it is the true one
EVEN = 1.0  # seconds on either side, over which speed is taken to be even
STEADY = 3.0  # turns, standard deviation, over which their phase is taken
FEWEST_TURNS = 4

Kind = Literal["cut", "flash", "impact", "stop", "turn"]


@dataclass(frozen=True)
class Event:
    """Something seen: when (seconds), what, and how strong (0 to 1)."""

    time: float
    kind: Kind
    weight: float


def find_events(seen: Observation) -> tuple[Event, ...]:
    """Events of a video, ascending."""
    cuts = find_cuts(seen)
    flashes = find_flashes(seen, cuts)
    sure = [Event(float(seen.times[i]), "cut", 1.0) for i in cuts]
    sure += [Event(float(seen.times[i]), "flash", 1.0) for i in flashes]
    if len(seen.camera) < 5:
        return tuple(sorted(sure, key=lambda event: event.time))
    shots = _Shots.of(seen, cuts, flashes)
    stops = find_stops(shots)
    impacts = find_impacts(shots)
    moved = _apart(stops, sure, CUT_GAP)
    moved += _apart(_apart(impacts, sure, CUT_GAP), moved, GAP)
    moved += _apart(find_turns(shots, moved), sure + moved, GAP)
    return tuple(sorted(sure + moved, key=lambda event: event.time))


def find_cuts(seen: Observation) -> np.ndarray:
    """Indices of the first pictures of new shots."""
    change = seen.change
    reach = max(2, round(CUT_REACH / _spacing(seen.times)))
    cuts = []
    for i in np.flatnonzero(change > CUTS[-1][0]):
        around = max(
            change[max(0, i - reach) : i].max(initial=0),
            change[i + 1 : i + 1 + reach].max(initial=0),
        )
        if any(
            change[i] >= least
            and change[i] > times * around
            and seen.lasting[i] > lasts * change[i]  # a flash is over soon
            for least, times, lasts in CUTS
        ):
            cuts.append(i)
    return np.array(cuts, int)


def find_flashes(seen: Observation, cuts: np.ndarray) -> np.ndarray:
    """Indices of the first pictures of flashes."""
    jump = np.diff(seen.light, prepend=seen.light[0])
    jump[cuts] = 0
    around = 2 * round(CUT_REACH / _spacing(seen.times)) + 1
    return np.flatnonzero((jump > FLASH) & (jump == maximum_filter1d(jump, around)))


@dataclass(frozen=True)
class _Shots:
    """Motion of the pairs of pictures, without those that span a cut or are beside one."""

    at: np.ndarray  # (p + 1,) seconds of the pictures
    rate: float  # pairs a second
    borders: np.ndarray  # pairs that span a cut
    camera: np.ndarray  # (p, 2), NaN near a border
    motion: np.ndarray  # (p, directions), NaN near a border

    @classmethod
    def of(cls, seen: Observation, cuts: np.ndarray, flashes: np.ndarray) -> _Shots:
        borders = np.searchsorted(seen.ends, cuts) - 1
        borders = borders[(borders >= 0) & (borders < len(seen.camera))]
        camera, motion = seen.camera.astype(float), seen.motion.astype(float)
        near = np.unique(np.add.outer(borders, (-2, -1, 0, 1)))  # coders blur beside a cut
        near = near[(near >= 0) & (near < len(camera))]
        light = seen.light[seen.ends]
        jumps = np.abs(np.diff(light))
        ends = seen.times[seen.ends][1:]
        after = np.subtract.outer(ends, seen.times[flashes])
        fades = ((after >= 0) & (after < FADE)).any(axis=1)
        flicker = np.flatnonzero(jumps > np.where(fades, FADING, FLICKER))
        motion[near] = camera[near] = np.nan
        motion[flicker] = camera[flicker] = np.nan
        return cls(seen.times[seen.ends], seen.rate, borders, camera, motion)

    @property
    def pace(self) -> np.ndarray:
        """(p,) The camera's speed, 0 where it is not known."""
        return np.nan_to_num(np.linalg.norm(self.camera, axis=1))

    @property
    def things(self) -> np.ndarray:
        """(p,) Mean speed of things, 0 where it is not known."""
        return np.nan_to_num(self.motion.sum(axis=1))

    def most(self, motion: np.ndarray, seconds: float = 1.0) -> np.ndarray:
        """(p,) The most motion within some seconds on either side, in the same shot."""
        inner = [at for at in self.borders if 0 < at < len(motion)]
        shots = np.split(median_filter(motion, 3), inner)
        size = 2 * round(seconds * self.rate) + 1
        return np.concatenate([maximum_filter1d(shot, size) for shot in shots])

    def time(self, index: float) -> float:
        """Seconds of a place among the pictures, 0 being the first."""
        return float(np.interp(index, np.arange(len(self.at)), self.at))


def find_stops(shots: _Shots) -> list[Event]:
    """Where the camera stops; a shake is no stop."""
    velocity = shots.camera
    later = (velocity[3:-1] + velocity[4:]) / 2
    losses = _slowed(velocity[:-1], velocity[1:]), _slowed(_before(velocity), later)
    found = []
    for peak in _peaks(shots, *losses, shots.pace):
        rests = peak.after.max(initial=0) < REST * peak.around
        if peak.sudden > SUDDEN_STOP and rests:
            found.append(Event(peak.time, "stop", peak.share))
    return found


def find_impacts(shots: _Shots) -> list[Event]:
    """Where things lose their motion."""
    motion = shots.motion @ _lobes(shots.motion.shape[1])
    # The flow loses a fast thing now and then for a pair: what comes back was not lost.
    later = np.append(np.fmax(motion[1:-1], motion[2:]), motion[-1:], axis=0)
    losses = _lost(motion[:-1], later), _lost(_before(motion), later[2:-1])
    # What was lost of the motion that was there a little earlier.
    early = np.pad(_lost(_before(motion)[:-2], later[4:-1]), (4, 2), constant_values=np.nan)
    found = []
    for peak in _peaks(shots, *losses, shots.things):
        rests = peak.after.min(initial=np.inf) < REST * peak.around
        clear = peak.share > LARGE or (rests and peak.sudden > SUDDEN_SMALL)
        lasted = peak.lost > BLIP or not early[peak.pair] < EARLIER * peak.lost
        if peak.sudden > SUDDEN_IMPACT and clear and lasted:
            found.append(Event(peak.time, "impact", peak.share))
    return found


def _slowed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(p, 2) velocities of the camera → (p,) what it loses in its own direction, if it panned."""
    pace = np.linalg.norm(before, axis=1)
    slower = pace - (before * after).sum(axis=1) / np.maximum(pace, 1e-6)
    return np.where(pace > PAN, np.maximum(slower, 0), 0)


def _lost(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(p, directions) motion → (p,) what is lost of it."""
    return np.maximum(before - after, 0).sum(axis=1)


def _before(velocity: np.ndarray) -> np.ndarray:
    """Of each pair but two at both ends, the mean of the two pairs before it."""
    return (velocity[:-4] + velocity[1:-3]) / 2


def _lobes(directions: int) -> np.ndarray:
    """(directions, directions) What a motion has in each direction, of sum 1.

    Half a cosine wide, so that motion that bends is not lost, motion that turns back is.
    """
    turn = np.subtract.outer(np.arange(directions), np.arange(directions))
    lobes = np.maximum(np.cos(2 * np.pi * turn / directions), 0)
    return lobes / lobes.sum(axis=1)


@dataclass(frozen=True)
class _Peak:
    """A peak of lost motion: its pair, when (seconds), how much is lost, and how it looks.

    `sudden` is the share of the loss that is between two pictures, plus that between three: 1.4
    where motion fades within a tenth of a second, 2 and more where it ends. `share` is the lost
    part (to 1) of the most motion `around`; `after` is the motion soon after.
    """

    pair: int
    time: float
    lost: float
    sudden: float
    share: float
    around: float
    after: np.ndarray


def _peaks(
    shots: _Shots, at_once: np.ndarray, stays: np.ndarray, speed: np.ndarray
) -> Iterator[_Peak]:
    """Peaks of the motion lost from before a pair to after it.

    Args:
        shots: p pairs of pictures.
        at_once: (p − 1,) lost from each pair to the next.
        stays: (p − 4,) lost from the two before each pair to the two after it: the pair itself
            may hold the impact and is neither.
        speed: (p,) of what loses the motion.
    """
    at_once = np.append(np.nan_to_num(at_once), 0)
    stays = np.pad(np.nan_to_num(stays), 2)
    around = shots.most(speed)
    usual = median_filter(stays, 2 * round(0.5 * shots.rate) + 1)
    share = SHARE * shots.most(shots.things + shots.pace)
    least = np.maximum.reduce([np.full(len(speed), FLOOR), share, USUAL * usual])
    highest = stays == maximum_filter1d(stays, 2 * round(GAP * shots.rate) + 1)
    soon = max(1, round(SOON * shots.rate))
    for k in np.flatnonzero(highest & (stays > least)):
        near = at_once[max(0, k - 3) : k + 3]
        one, two = near.max() / stays[k], (near[1:] + near[:-1]).max() / stays[k]
        if one > SPIKE and stays[k] < SPIKE_FLOOR:
            continue
        pairs = np.arange(max(0, k - 3), min(len(speed), k + 2))
        weight = at_once[pairs] ** 2 + 1e-12
        # An impact a fraction a into pair k takes 1 − a of the motion before it, a after it.
        time = shots.time((pairs * weight).sum() / weight.sum() + 1)
        lost = float(min(1.0, stays[k] / max(around[k], 1e-6)))
        yield _Peak(
            int(k), time, float(stays[k]), one + two, lost, around[k], speed[k + 2 : k + 2 + soon]
        )


def find_turns(shots: _Shots, hard: list[Event]) -> list[Event]:
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
        if len(times) < 9 or times[-1] - times[0] < FEWEST_TURNS / TURNS[0]:
            continue
        speed = median_filter(speed, 3)
        wave = speed - uniform_filter1d(speed, 2 * round(EVEN * shots.rate) + 1)
        frequency, share = _wave(times, wave)
        within = sum(times[0] <= event.time <= times[-1] for event in hard)
        cycles = frequency * (times[-1] - times[0])
        if (
            share < TURN_SHARE
            or speed.mean() < FLOOR
            or cycles < FEWEST_TURNS
            or within > cycles / 3
        ):
            continue
        weight = float(min(1.0, 2 * wave.std() / speed.mean()))
        found += [Event(time, "turn", weight) for time in _troughs(times, wave, frequency)]
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


def _apart(events: list[Event], others: list[Event], gap: float) -> list[Event]:
    """Events that are more than a gap (seconds) from all others."""
    times = np.array([event.time for event in others])
    return [event for event in events if np.abs(times - event.time).min(initial=np.inf) > gap]


def _spacing(times: np.ndarray) -> float:
    """Seconds from picture to picture."""
    return float(np.median(np.diff(times))) if len(times) > 1 else 1.0
