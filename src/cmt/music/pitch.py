"""The pitch of one voice at every moment.

YIN (de Cheveigné and Kawahara, "YIN, a fundamental frequency estimator for speech and music", JASA
2002): a period is a lag at which a wave hardly differs from itself. As in pYIN (Mauch and Dixon,
ICASSP 2014) each moment has several candidates, and the cheapest path through them is taken, so
that the octave does not leap where two lags do equally well.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RATE = 16_000  # Hz
HOP = 160  # samples from moment to moment: 10 ms
WINDOW = 512  # samples that are compared with those one lag later
LOWEST, HIGHEST = 70.0, 2100.0  # Hz; from a bass voice to a whistle
CANDIDATES = 5
AT_ONCE = 1024  # moments
A4 = 69  # MIDI pitch of 440 Hz
# What a path costs: a lag the difference that is left (0 … 1), and a little for each octave that it
# is longer, as all its multiples are periods too; no voice; a step, by semitones, and any leap; a
# voice that begins or ends.
DOWN, SILENT, STEP, LEAP, TURN = 0.03, 0.3, 0.06, 0.5, 0.15
QUIET = 40.0  # dB under the loudest moments: there is no voice
FLOOR = 1e-4  # root mean square of full scale, likewise


def pitches(samples: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pitch and level every `HOP` samples.

    Args:
        samples: (n,), at `RATE`.

    Returns:
        MIDI pitches, (moments,), NaN where there is no voice; and levels in dB, (moments,).
    """
    longest = int(RATE / LOWEST)
    before = (WINDOW + longest) // 2
    padded = np.pad(samples.astype(np.float64), (before, WINDOW + longest))
    count = 1 + len(samples) // HOP
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW + longest + 2)[::HOP][:count]
    level = _levels(samples, count)
    power = 10 ** (level / 20)
    heard = power > max(FLOOR, np.quantile(power, 0.95) * 10 ** (-QUIET / 20))
    lags, costs = np.full((2, count, CANDIDATES), np.inf)
    for start in range(0, count, AT_ONCE):
        part = slice(start, start + AT_ONCE)
        lags[part], costs[part] = _candidates(frames[part])
    costs[~heard] = np.inf
    with np.errstate(invalid="ignore"):
        pitch = A4 + 12 * np.log2(RATE / lags / 440)
    return _path(pitch, costs), level


def _levels(samples: NDArray[np.float32], count: int) -> NDArray[np.float64]:
    """Level (dB) of 20 ms around each moment."""
    energy = np.cumsum(np.pad(samples.astype(np.float64), (HOP + 1, 2 * HOP)) ** 2)
    at = HOP * np.arange(count)
    return 10 * np.log10((energy[at + 2 * HOP] - energy[at]) / (2 * HOP) + 1e-12)


def differences(frames: NDArray[np.float64]) -> NDArray[np.float64]:
    """YIN's difference at each lag, over its mean at those up to it; (moments, lags), from 0 on."""
    lags = frames.shape[1] - WINDOW
    size = 1 << (frames.shape[1] + WINDOW - 1).bit_length()
    head = np.fft.rfft(frames[:, :WINDOW], size).conj()
    product = np.fft.irfft(np.fft.rfft(frames, size) * head, size)[:, :lags]
    energy = np.cumsum(np.pad(frames**2, ((0, 0), (1, 0))), axis=1)
    energies = (energy[:, WINDOW:] - energy[:, :-WINDOW])[:, :lags]
    difference = np.maximum(energies + energies[:, :1] - 2 * product, 0)
    total = np.cumsum(difference[:, 1:], axis=1)
    normal = difference[:, 1:] * np.arange(1, lags) / np.maximum(total, 1e-12)
    return np.pad(normal, ((0, 0), (1, 0)), constant_values=1)


def _candidates(
    frames: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The lags that do best, in samples, and what they cost: (moments, `CANDIDATES`) each."""
    difference = differences(frames)
    left, middle, right = difference[:, :-2], difference[:, 1:-1], difference[:, 2:]
    lags = np.arange(1, difference.shape[1] - 1)
    least = (middle < left) & (middle <= right) & (lags >= RATE / HIGHEST)
    # A parabola through three lags tells where between them the least is, and how much.
    bend = np.maximum(left + right - 2 * middle, 1e-12)
    between = np.clip((left - right) / (2 * bend), -0.5, 0.5)
    left_over = np.maximum(middle - bend * between**2 / 2, 0)
    costs = np.where(least, left_over + DOWN * np.log2(lags), np.inf)
    best = np.argpartition(costs, CANDIDATES, axis=1)[:, :CANDIDATES]
    rows = np.arange(len(frames))[:, None]
    return lags[best] + between[rows, best], costs[rows, best]


def _path(pitch: NDArray[np.float64], costs: NDArray[np.float64]) -> NDArray[np.float64]:
    """The cheapest way through candidates (moments, n); the last state of each is silence."""
    count, n = pitch.shape
    costs = np.pad(costs, ((0, 0), (0, 1)), constant_values=SILENT)
    pitch = np.pad(pitch, ((0, 0), (0, 1)), constant_values=np.nan)
    silent = np.arange(n + 1) == n
    turns = np.where(silent[:, None] ^ silent, TURN, 0.0)
    back = np.zeros((count, n + 1), np.intp)
    total = costs[0]
    for moment in range(1, count):
        with np.errstate(invalid="ignore"):
            away = np.abs(pitch[moment - 1][:, None] - pitch[moment])
        steps = np.where(np.isnan(away), turns, np.minimum(STEP * away, LEAP))
        ways = total[:, None] + steps
        back[moment] = ways.argmin(axis=0)
        total = ways.min(axis=0) + costs[moment]
    state = int(total.argmin())
    found = np.empty(count)
    for moment in range(count - 1, -1, -1):
        found[moment] = pitch[moment, state]
        state = int(back[moment, state])
    return found
