"""Level and limiter: what comes last of a mix.

All is brought to `LOUDNESS` and under `CEILING` whatever its level was.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
from numpy.typing import NDArray

from cmt.sound.loudness import CELL, Meter, integrated
from cmt.sound.recording import BLOCK, Block, Recording, ahead, enveloped

LOUDNESS = -14.0  # LUFS
# Highest true peak: at this loudness music is then as dense as records are, 13 to 14 dB from its
# root mean square to its peaks, and what lossy codecs add, half a decibel, has room.
CEILING = 10 ** (-4.5 / 20)
NEAR = 0.05  # LU
MAX_LIMITING = 10 ** (30 / 20)  # a peak is turned down by no more than this
GLIDE = 6  # cells, 8 ms, over which the limiter's gain goes down and up
REFINED = 0.5  # share of the ceiling from which on peaks between samples are looked for
OVERSAMPLING, TAPS = 4, 24
THREADS = 2  # that look for peaks
MARGIN = 10 ** (0.15 / 20)  # a gain that glides moves peaks between samples a little


def make_up(meter: Meter) -> float:
    """The gain with which what was read has `LOUDNESS` once limited; less where peaks forbid it."""
    power, peaks = meter.power, meter.peaks
    highest = MAX_LIMITING * CEILING / max(float(peaks.max()), 1e-10)
    gain = min(10 ** ((LOUDNESS - integrated(power)) / 20), highest)
    for _ in range(20):  # what the limiter takes is given back, of which it takes a little, too
        lacking = LOUDNESS - integrated(power * (gain * limiting(gain * peaks)) ** 2)
        if abs(lacking) < NEAR or (lacking > 0 and gain == highest):
            break
        gain = min(gain * 10 ** (lacking / 20), highest)
    return gain


def limit(sound: Recording, gain: float = 1.0) -> None:
    """Amplify in place, and turn down what is then above `CEILING`, between samples too."""
    starts = range(0, sound.shape[1], BLOCK)
    with ThreadPoolExecutor(THREADS) as threads:
        peaks = threads.map(lambda start: cell_peaks(_around(sound, start), gain), starts)
    gains = gain * limiting(MARGIN * np.concatenate([np.zeros(0), *peaks]))
    if len(gains):
        sound.replace(ahead(enveloped(sound, gains, CELL, first=CELL // 2)))


def limiting(peaks: NDArray[np.floating]) -> NDArray[np.float64]:
    """The limiter's gain in cells with these peaks: it glides over 8 ms on either side."""
    from scipy.ndimage import minimum_filter1d, uniform_filter1d

    wanted = np.minimum(1, CEILING / np.maximum(peaks, CEILING))
    # The window of the minimum is one cell wider on each side than that of the mean, so that
    # interpolated gains stay under what their cell needs.
    return uniform_filter1d(minimum_filter1d(wanted, 2 * GLIDE + 3), 2 * GLIDE + 1)


def _around(sound: Recording, first: int) -> Block:
    """A block from a sample on, with `TAPS` samples on either side; zeros where there are none."""
    low, high = first - TAPS, min(first + BLOCK, sound.shape[1]) + TAPS
    block = sound[:, max(low, 0) : high]
    return np.pad(block, ((0, 0), (max(-low, 0), high - max(low, 0) - block.shape[1])))


def cell_peaks(samples: Block, gain: float = 1.0) -> NDArray[np.float32]:
    """True peaks of cells: of the samples and, where these are high, of three between each two.

    Args:
        samples: (2, n), of which the first and the last `TAPS` only tell what is between others.
        gain: that they are given before they are measured.

    Returns:
        (cells,)
    """
    count = samples.shape[1] - 2 * TAPS
    cells = -(-count // CELL)
    padded = gain * np.pad(samples, ((0, 0), (0, cells * CELL - count)))
    peaks = np.abs(padded[:, TAPS:-TAPS]).max(axis=0).reshape(cells, CELL).max(axis=1)
    high = np.flatnonzero(peaks > REFINED * CEILING)
    # Of sample n, those from n − TAPS / 2 + 1 to n + TAPS / 2.
    windows = np.lib.stride_tricks.sliding_window_view(padded, TAPS, axis=1)
    windows = windows[:, TAPS // 2 + 1 :][:, : cells * CELL].reshape(2, cells, CELL, TAPS)
    between = np.abs(windows[:, high] @ _interpolation()).max(axis=(0, 2, 3), initial=0)
    peaks[high] = np.maximum(peaks[high], between)
    return peaks


@cache
def _interpolation() -> NDArray[np.float32]:
    """(TAPS, 3): weights of samples in the values a quarter, a half, three quarters after one."""
    distance = (
        np.arange(1, OVERSAMPLING) / OVERSAMPLING - np.arange(1 - TAPS // 2, TAPS // 2 + 1)[:, None]
    )
    window = np.cos(np.pi * distance / (TAPS + 2)) ** 2
    return (np.sinc(distance) * window).astype(np.float32)
