"""How loud samples are, and how loud they are made.

Samples are float32 arrays (2, samples) in [−1, 1] at 48 kHz, the rate the synthesizer renders
and one that AAC, MP3 and Opus all take.
"""

from __future__ import annotations

import math

import numpy as np

SAMPLE_RATE = 48_000  # Hz
LOUDNESS = -16.0  # LUFS
CEILING = 10 ** (-1 / 20)  # highest peak, −1 dBFS
MAX_LIMITING = 2.0  # a peak is turned down by no more than this: 6 dB


def loudness(samples: np.ndarray) -> float:
    """Integrated loudness in LUFS (ITU-R BS.1770-4, its filters for 48 kHz); −inf for silence.

    Args:
        samples: (2, samples).
    """
    from scipy.signal import sosfilt

    high_shelf = [1.53512485958697, -2.69169618940638, 1.19839281085285]
    high_shelf += [1, -1.69065929318241, 0.73248077421585]
    high_pass = [1, -2, 1, 1, -1.99004745483398, 0.99007225036621]
    filters = np.array([high_shelf, high_pass])
    state = np.zeros((2, 2, 2))
    hop = SAMPLE_RATE // 10  # blocks of four hops, three of them shared with the next
    power = []
    for first in range(0, samples.shape[1] - hop + 1, 600 * hop):
        minute = samples[:, first : first + 600 * hop]
        weighted, state = sosfilt(filters, minute[:, : minute.shape[1] // hop * hop], zi=state)
        power.append(np.square(weighted).reshape(2, -1, hop).mean(axis=2).sum(axis=0))
    if not power:
        return -np.inf
    blocks = np.convolve(np.concatenate(power), np.full(4, 1 / 4), "valid")
    for relative_to_mean in (False, True):
        gate = blocks.mean() / 10 if relative_to_mean else 10 ** ((-70 + 0.691) / 10)
        blocks = blocks[blocks > gate]
        if not blocks.size:
            return -np.inf
    return float(-0.691 + 10 * np.log10(blocks.mean()))


def levels(samples: np.ndarray) -> tuple[float, float]:
    """RMS and highest peak in dBFS; −200 for silence."""
    rms = np.linalg.norm(samples) / max(samples.size, 1) ** 0.5
    peak = max(samples.max(initial=0), -samples.min(initial=0))
    return 20 * math.log10(max(rms, 1e-10)), 20 * math.log10(max(peak, 1e-10))


def normalise(samples: np.ndarray) -> np.ndarray:
    """Bring music (2, samples) to `LOUDNESS`, in place; less when that limits peaks too much."""
    level = loudness(samples)
    if np.isfinite(level):
        peak = max(samples.max(), -samples.min())
        samples *= np.float32(min(10 ** ((LOUDNESS - level) / 20), MAX_LIMITING * CEILING / peak))
    return limit(samples)


def limit(samples: np.ndarray) -> np.ndarray:
    """Turn down, in place, what is above `CEILING`, gliding over 21 ms on either side.

    Args:
        samples: (2, samples) float32 at any level.
    """
    from scipy.ndimage import minimum_filter1d, uniform_filter1d

    block, glide = 64, 16  # samples, blocks
    starts = np.arange(0, samples.shape[1], block)
    if not starts.size:
        return samples
    highest = np.maximum.reduceat(samples, starts, axis=1).max(axis=0)
    lowest = np.minimum.reduceat(samples, starts, axis=1).min(axis=0)
    gain = np.minimum(1, CEILING / np.maximum(np.maximum(highest, -lowest), CEILING))
    # The window of the minimum is one block wider on each side than that of the mean, so that
    # interpolated gains stay under what their block needs.
    gain = uniform_filter1d(minimum_filter1d(gain, 2 * glide + 3), 2 * glide + 1)
    for first in range(0, samples.shape[1], SAMPLE_RATE):
        second = samples[:, first : first + SAMPLE_RATE]
        position = np.arange(first, first + second.shape[1])
        second *= np.interp(position, starts + block / 2, gain).astype(np.float32)
    return samples
