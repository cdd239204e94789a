"""The bus of a mix: stages that each take and give blocks, and the level all is brought to.

Music is brought to `LOUDNESS` and under `CEILING` whatever its level was. Source of the compressor:
Giannoulis, Massberg and Reiss, "Digital dynamic range compressor design", JAES 60 (2012).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from cmt.sound.balance import Balance
from cmt.sound.exciter import excite, excitement
from cmt.sound.filtering import Filter
from cmt.sound.loudness import CELL, SAMPLE_RATE, Meter, integrated
from cmt.sound.recording import BLOCK, Block, Recording, ahead, enveloped

LOUDNESS = -14.0  # LUFS
# Highest true peak: at this loudness music is then as dense as records are, 13 to 14 dB from its
# root mean square to its peaks, and what lossy codecs add, half a decibel, has room.
CEILING = 10 ** (-4 / 20)
NEAR = 0.05  # LU
MAX_LIMITING = 10 ** (24 / 20)  # a peak is turned down by no more than this
WORKING_LEVEL = -18.0  # LUFS that the stages are given
SOFTEST = -40.0  # LU below its peak: no more is made of a single click

# SoundFonts are darker than records, so that a shelf lifts what is high; by so much that its power
# is within what records have, but by no more and no less than that it stays the music that it was.
SHELF_FREQUENCY, SHELF_GAIN = 6000.0, 5.0  # Hz, dB: of usual music
SHELF_GAINS = np.arange(-4.0, 12.1, 0.25)  # dB
BRIGHTNESS = -14.5, -13.0  # dB: power above `SHELF_FREQUENCY` to all
SIDE_FREQUENCY = 200.0  # Hz; below it all stays in the middle
WIDTH, MAX_WIDENING = -8.0, 5.0  # dB: power of the difference to the sum's; most that is changed
RATIO, THRESHOLD, KNEE = 2.0, -26.0, 8.0  # dB of the detector; dB around the threshold
ATTACK, RELEASE = 0.005, 0.25  # s
GLIDE = 6  # cells, 8 ms, over which the limiter's gain goes down and up
REFINED = 0.5  # share of the ceiling from which on peaks between samples are looked for
OVERSAMPLING, TAPS = 4, 24
THREADS = 2  # that look for peaks
MARGIN = 10 ** (0.15 / 20)  # a gain that glides moves peaks between samples a little

Stage = Callable[[Iterator[Block]], Iterator[Block]]


def shelf(blocks: Iterator[Block], gain: float) -> Iterator[Block]:
    """Give what is above `SHELF_FREQUENCY` a gain, in dB."""
    yield from map(Filter(_high_shelf(SHELF_FREQUENCY, gain), 2), blocks)


def shelf_gain(balance: Balance, widening: float) -> float:
    """What `shelf` gives a mix, in dB: `SHELF_GAIN`, or what comes nearest within `BRIGHTNESS`.

    Takes differ by 25 dB: cymbals are bright, strings and piano without drums are dark.

    Args:
        balance: of the mix.
        widening: that `widen` gives it, dB.
    """
    bright = [
        balance.brightness(SHELF_FREQUENCY, *_shaped(balance, gain, widening))
        for gain in SHELF_GAINS.tolist()
    ]
    darkest, brightest = np.interp(BRIGHTNESS, bright, SHELF_GAINS)
    return float(np.clip(SHELF_GAIN, darkest, brightest))


def _shaped(balance: Balance, gain: float, widening: float) -> tuple[NDArray, NDArray]:
    """Gains (bins,) that `shelf` and `widen` give the sum and the difference."""
    lifted = _response(_high_shelf(SHELF_FREQUENCY, gain), balance.frequencies)
    return lifted, lifted * _response(_high_shelf(SIDE_FREQUENCY, widening), balance.frequencies)


def widen(blocks: Iterator[Block], gain: float) -> Iterator[Block]:
    """Give the difference of left and right a gain, in dB, above `SIDE_FREQUENCY`."""
    shelved = Filter(_high_shelf(SIDE_FREQUENCY, gain))
    for block in blocks:
        middle, side = (block[0] + block[1]) / 2, shelved((block[0] - block[1]) / 2)
        yield np.stack([middle + side, middle - side])


def side_gain(balance: Balance) -> float:
    """What `widen` gives a mix so that it is about as wide as `WIDTH`, in dB.

    SoundFonts differ by 8 dB: some have narrow samples, FluidR3's piano fills the room.
    """
    return min(max(WIDTH - balance.width, -MAX_WIDENING), MAX_WIDENING)


def glue(blocks: Iterator[Block]) -> Iterator[Block]:
    """Compress 2:1 what is above the threshold, slowly, left and right alike."""
    attack, release = (math.exp(-CELL / (SAMPLE_RATE * time)) for time in (ATTACK, RELEASE))
    reduction = 0.0  # dB
    for block in blocks:
        starts = np.arange(0, block.shape[1], CELL)
        square = np.add.reduceat((block**2).sum(axis=0), starts) / (2 * CELL)
        over = 10 * np.log10(square + 1e-12) - THRESHOLD
        knee = np.clip(over + KNEE / 2, 0, KNEE) ** 2 / (2 * KNEE)
        wanted = (1 - 1 / RATIO) * np.where(over > KNEE / 2, over, knee)
        smooth = np.empty(len(wanted) + 1)
        smooth[0] = reduction
        for index, aim in enumerate(wanted.tolist(), start=1):
            rate = attack if aim > reduction else release
            reduction = smooth[index] = aim + rate * (reduction - aim)
        edges = np.append(starts, block.shape[1])
        gain = np.interp(np.arange(block.shape[1]), edges, 10 ** (-smooth / 20))
        yield block * gain.astype(np.float32)


def master(mix: Recording, meter: Meter, balance: Balance) -> None:
    """Put a mix through the bus, in place: stages at `WORKING_LEVEL`, then level and limiter.

    Args:
        mix: at any level; silence stays silence.
        meter: that has read it.
        balance: that has read it, too.
    """
    if not (peak := float(meter.peaks.max(initial=0))):
        return
    # However soft music is, none of it lies below the gate.
    level = integrated(meter.power / peak**2)
    gain = np.float32(10 ** ((WORKING_LEVEL - max(level, SOFTEST)) / 20) / peak)
    blocks: Iterator[Block] = (gain * block for block in mix)
    widening = side_gain(balance)
    lifting = shelf_gain(balance, widening)
    shaped = _shaped(balance, lifting, widening)
    stages: tuple[Stage, ...] = (
        partial(shelf, gain=lifting),
        partial(excite, gain=excitement(balance, BRIGHTNESS[0], *shaped)),
        partial(widen, gain=widening),
        ahead,
        glue,
    )
    for stage in stages:
        blocks = stage(blocks)
    meter = Meter()
    mix.replace(meter.reading(blocks))
    limit(mix, make_up(meter))


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
        sound.replace(ahead(enveloped(sound, gains, CELL, first=CELL / 2)))


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


@cache
def _high_shelf(frequency: float, gain: float) -> NDArray[np.float32]:
    """One second-order section (R. Bristow-Johnson's audio EQ cookbook, slope 1)."""
    amplitude, slope = 10 ** (gain / 40), 1.0
    w = 2 * math.pi * frequency / SAMPLE_RATE
    alpha = math.sin(w) / 2 * math.sqrt((amplitude + 1 / amplitude) * (1 / slope - 1) + 2)
    up, down, root = amplitude + 1, amplitude - 1, 2 * math.sqrt(amplitude) * alpha
    b = [
        amplitude * (up + down * math.cos(w) + root),
        -2 * amplitude * (down + up * math.cos(w)),
        amplitude * (up + down * math.cos(w) - root),
    ]
    a = [
        up - down * math.cos(w) + root,
        2 * (down - up * math.cos(w)),
        up - down * math.cos(w) - root,
    ]
    return (np.array([[*b, *a]]) / a[0]).astype(np.float32)


def _response(sections: NDArray[np.floating], frequencies: NDArray[np.floating]) -> NDArray:
    """Gains of a filter at frequencies, in Hz."""
    from scipy.signal import sosfreqz

    return np.abs(sosfreqz(sections, frequencies, fs=SAMPLE_RATE)[1])
