"""Tempo and phase of a video from the times of its events, by the agreement of their phases.

At the right frequency all events are at about the same phase: the length of their mean phase
vector (Rayleigh's statistic) is near 1. It is continuous in frequency, knows no frames, gives the
phase too, and what is still before, between or after the events adds nothing to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter1d

from cmt.music.vocabulary import DEFAULT_TEMPO
from cmt.video.shots import Event

SLOWEST, FASTEST = 30.0, 260.0  # BPM, of the pulse that events share
STEP = 0.05  # BPM
SLOWER = 0.9  # of the best agreement: the slowest pulse that has so much is the events' own
NEAR = 0.18  # of a period from the pulse: events that a fit takes
FASTEST_PLAYED = 150.0  # BPM; a faster pulse is played in half the tempo
# A slower pulse is played in twice the tempo. Things strike on beats, but shots last for several.
SLOWEST_STRUCK, SLOWEST_CUT = 62.0, 72.0  # BPM
FEWEST = 3  # events that a tempo can be told from


@dataclass(frozen=True)
class Tempo:
    """A steady pulse.

    Attributes:
        tempo: beats per minute.
        first: seconds of its first beat, at least 0 and less than a beat.
        confidence: 0 to 1, how well the events agree on it, beyond what as many events at random
            would on the best of all tempos; 0 where they tell none.
    """

    tempo: float
    first: float
    confidence: float


def find_tempo(events: Sequence[Event]) -> Tempo:
    """The tempo that events agree on, and its phase; 120 BPM from 0 s if they are too few."""
    times = np.array([event.time for event in events])
    weights = np.array([event.weight for event in events])
    if len(times) < FEWEST or not weights.sum():
        return Tempo(DEFAULT_TEMPO, 0.0, 0.0)
    tempos = np.arange(SLOWEST, FASTEST, STEP)
    agree = agreement(times, weights, tempos)
    peaks = (agree == maximum_filter1d(agree, 41)) & (agree > SLOWER * agree.max())
    pulse = _fitted(times, weights, float(tempos[np.flatnonzero(peaks)[0]]))
    cuts = weights[[event.kind == "cut" for event in events]].sum()
    tempo = playable(pulse, SLOWEST_CUT if cuts > weights.sum() / 2 else SLOWEST_STRUCK)
    phase = np.angle(_mean_phase(times, weights, np.array([tempo]))[0]) / (2 * np.pi)
    return Tempo(tempo, float(phase % 1 * 60 / tempo), _confidence(agree.max(), times, weights))


def agreement(times: np.ndarray, weights: np.ndarray, tempos: np.ndarray) -> np.ndarray:
    """How well events agree on each of (n,) tempos (BPM), 0 to 1.

    Args:
        times: (events,) seconds, one or more.
        weights: (events,) positive.
        tempos: (n,) beats per minute.
    """
    return np.abs(_mean_phase(times, weights, tempos))


def playable(pulse: float, slowest: float = SLOWEST_STRUCK) -> float:
    """The tempo in which music plays a pulse (both BPM): itself, or octaves from it."""
    while pulse < slowest:
        pulse *= 2
    while pulse > FASTEST_PLAYED:
        pulse /= 2
    return pulse


def _mean_phase(times: np.ndarray, weights: np.ndarray, tempos: np.ndarray) -> np.ndarray:
    """(n,) complex: the events' mean phase vector at each tempo."""
    # Its angle is that of the beat nearest to 0 s, at exp(2πi · first · tempo / 60).
    return np.exp(2j * np.pi * np.outer(tempos / 60, times)) @ weights / weights.sum()


def _fitted(times: np.ndarray, weights: np.ndarray, pulse: float) -> float:
    """The pulse (BPM) whose beats are nearest to the events that are near its beats."""
    for _ in range(3):
        period = 60 / pulse
        angle = np.angle(_mean_phase(times, weights, np.array([pulse]))[0])
        beats = times / period - angle / (2 * np.pi)
        whole = np.round(beats)
        near = np.abs(beats - whole) < NEAR
        if len(np.unique(whole[near])) < FEWEST:
            break
        slope = np.polyfit(whole[near], times[near], 1, w=np.sqrt(weights[near]))[0]
        if abs(slope / period - 1) > 0.02:  # another pulse
            break
        pulse = float(60 / slope)
    return pulse


def _confidence(most: float, times: np.ndarray, weights: np.ndarray) -> float:
    """Agreement beyond what is expected by chance of the best of all independent tempos."""
    count = weights.sum() ** 2 / np.square(weights).sum()  # of events, but for weak ones
    tempos = max(1.0, (FASTEST - SLOWEST) / 60 * float(np.ptp(times)))
    chance = min(1.0, (1 + np.log(tempos)) / count)  # of the agreement squared
    return float(np.sqrt(max(0.0, (most**2 - chance) / max(1 - chance, 1e-9))))
