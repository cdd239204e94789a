"""How bright and how wide a mix is made: decided from all of it, once, before the bus.

SoundFonts are darker than records, and takes differ by 25 dB: cymbals are bright, strings and piano
without drums are dark. What is asked is asked of what is heard in the end, after compressor and
limiter, which turn down the moments that are loud.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from cmt.sound.balance import LEAST, Balance, Gains, Spectrum
from cmt.sound.compressor import WORKING_LEVEL, reduction
from cmt.sound.exciter import excite, excitement
from cmt.sound.filtering import Filter
from cmt.sound.limiter import CEILING, LOUDNESS
from cmt.sound.loudness import ABSOLUTE_GATE, OFFSET, SAMPLE_RATE, WEIGHTING
from cmt.sound.recording import Block

SOFTEST = -40.0  # LU below its peak: no more is made of a single click
SHELF_FREQUENCY, SHELF_GAIN = 6000.0, 5.0  # Hz, dB: of usual music
SHELF_GAINS = np.arange(-4.0, 12.1, 0.25)  # dB
# dB, power above `SHELF_FREQUENCY` to all: of moments that weigh alike, so that a cymbal does not
# decide, and of all that is heard, which goes before it.
BRIGHTNESS, HEARD = (-14.5, -13.0), (-13.9, -13.0)
# Where the shelf does not suffice, as bass is nearly all of it, so is the tilt of the whole.
TILT_FREQUENCY = 700.0  # Hz
TILT_GAINS = np.arange(0.0, 12.1, 0.25)  # dB
FULL = -5.0  # dB: power above that frequency to all, of bright records
STROKES = 3000.0  # Hz, above which strokes are what is loudest
LIMITED = 2 / 3  # of a frame: so long the limiter acts on one
SIDE_FREQUENCY = 200.0  # Hz; below it all stays in the middle
SIDE_GAINS = np.arange(-5.0, 8.1, 0.25)  # dB
WIDTH = -7.9  # dB: power of the difference to the sum's, as heard

Stage = Callable[[Iterator[Block]], Iterator[Block]]


@dataclass(frozen=True)
class Tone:
    """What a mix is given.

    Attributes:
        level: gain before all else.
        tilt: dB above `TILT_FREQUENCY`.
        shelf: dB above `SHELF_FREQUENCY`.
        excitement: see `cmt.sound.exciter.excite`.
        widening: dB of the difference of left and right above `SIDE_FREQUENCY`.
    """

    level: float
    tilt: float
    shelf: float
    excitement: float
    widening: float

    @property
    def stages(self) -> tuple[Stage, ...]:
        """What does it, in order."""
        tilt = partial(shelve, frequency=TILT_FREQUENCY, gain=self.tilt)
        return (
            *((tilt,) if self.tilt else ()),
            partial(shelve, frequency=SHELF_FREQUENCY, gain=self.shelf),
            partial(excite, gain=self.excitement),
            partial(widen, gain=self.widening),
        )


def shelve(blocks: Iterator[Block], frequency: float, gain: float) -> Iterator[Block]:
    """Give what is above a frequency, Hz, a gain, in dB."""
    yield from map(Filter(_high_shelf(frequency, gain), 2), blocks)


def widen(blocks: Iterator[Block], gain: float) -> Iterator[Block]:
    """Give the difference of left and right a gain, in dB, above `SIDE_FREQUENCY`."""
    shelved = Filter(_high_shelf(SIDE_FREQUENCY, gain))
    for block in blocks:
        middle, side = (block[0] + block[1]) / 2, shelved((block[0] - block[1]) / 2)
        yield np.stack([middle + side, middle - side])


def decide(balance: Balance) -> Tone:
    """What brings a mix to what records have, but by no more than that it stays the music it was.

    Args:
        balance: that has read it; it is not silent.
    """
    flat = np.ones(len(balance.frequencies))
    tone, shaped = _decided(balance, (flat, flat))
    for _ in range(2):  # what is made bright has higher peaks, which the limiter turns down
        tone, shaped = _decided(balance, shaped)
    return tone


def _decided(balance: Balance, before: tuple[NDArray, NDArray]) -> tuple[Tone, tuple]:
    """See `decide`; and the gains (bands,) of sum and difference, of which some were guessed."""
    strokes, rest = as_heard(balance, *before)
    high = balance.frequencies > STROKES
    heard = balance.spectrum(np.where(high, strokes[:, None], rest[:, None]))
    widening = side_gain(balance.spectrum(strokes[:, None]), before[0])
    shelf = shelf_gain(balance.spectrum(), heard, widening)
    tilt = tilt_gain(heard, shelf, widening) if shelf == SHELF_GAINS[-1] else 0.0
    shaped = _shaped(heard.frequencies, tilt, shelf, widening)
    level = _level(balance, _response(_high_shelf(TILT_FREQUENCY, tilt), heard.frequencies))
    excited = excitement(heard, HEARD[0], *shaped)
    return Tone(level, tilt, shelf, excited, widening), shaped


def side_gain(heard: Spectrum, gains: Gains = 1.0) -> float:
    """What `widen` gives a mix so that it is as wide as `WIDTH`, or as near as may be, in dB.

    SoundFonts differ by 8 dB: some have narrow samples, FluidR3's piano fills the room.

    Args:
        heard: of the mix, as it is heard.
        gains: (bands,) that both channels are given before.
    """
    widths = [
        heard.width(gains, gains * _response(_high_shelf(SIDE_FREQUENCY, gain), heard.frequencies))
        for gain in SIDE_GAINS.tolist()
    ]
    return float(np.interp(WIDTH, widths, SIDE_GAINS))


def shelf_gain(alike: Spectrum, heard: Spectrum, widening: float) -> float:
    """The gain of the shelf, in dB: `SHELF_GAIN`, or what comes nearest within what is asked.

    Args:
        alike: of the mix, all moments alike.
        heard: of it as it is heard.
        widening: that `widen` gives it, dB.
    """
    gain = SHELF_GAIN
    for spectrum, asked in ((alike, BRIGHTNESS), (heard, HEARD)):
        bright = [
            spectrum.brightness(
                SHELF_FREQUENCY, *_shaped(spectrum.frequencies, 0.0, shelf, widening)
            )
            for shelf in SHELF_GAINS.tolist()
        ]
        gain = float(np.clip(gain, *np.interp(asked, bright, SHELF_GAINS)))
    return gain


def tilt_gain(heard: Spectrum, shelf: float, widening: float) -> float:
    """The least gain above `TILT_FREQUENCY`, in dB, that makes a mix as bright as it may be.

    No more than up to which that is still no more than `FULL`: a note of a guitar stays one.
    """
    shaped = [_shaped(heard.frequencies, tilt, shelf, widening) for tilt in TILT_GAINS.tolist()]
    bright, full = (
        [heard.brightness(frequency, *gains) for gains in shaped]
        for frequency in (SHELF_FREQUENCY, TILT_FREQUENCY)
    )
    wanted, most = np.interp(HEARD[0], bright, TILT_GAINS), np.interp(FULL, full, TILT_GAINS)
    return float(min(wanted, most))


def as_heard(
    balance: Balance, middle: Gains = 1.0, side: Gains = 1.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What compressor and limiter make of the power of each frame of a mix: twice (frames,).

    First of the strokes in it, which the limiter turns down, and then of what sounds on through all
    of the frame: what is high is mostly the stroke itself.

    Args:
        balance: that has read it.
        middle: (bands,) gains that its sum is given before.
        side: (bands,) of its difference.
    """
    levels = balance.levels
    gains = np.stack(np.broadcast_arrays(middle, side, balance.frequencies)[:2])
    whole = levels.sum(axis=(1, 2), dtype=float)
    shaped = np.einsum("fcb,cb->f", levels, gains**2)
    level = _level(balance, middle)
    compressed = level**2 * 10 ** (-reduction(level**2 * shaped / 4) / 10)
    raised = np.sqrt(compressed * (shaped + LEAST) / (whole + LEAST)) * balance.peaks
    strokes, rest = compressed, compressed
    for _ in range(3):  # what the limiter takes is given back
        loudness = max(_loudness(balance, rest, middle), ABSOLUTE_GATE)
        peaks = 10 ** ((LOUDNESS - loudness) / 20) * raised
        strokes = compressed * np.minimum(1, CEILING / np.maximum(peaks, CEILING)) ** 2
        rest = LIMITED * strokes + (1 - LIMITED) * compressed
    return strokes, rest


def _level(balance: Balance, response: NDArray[np.floating] | float = 1.0) -> float:
    """The gain that brings a mix, however soft, to `WORKING_LEVEL` after a filter."""
    peak = float(balance.peaks.max())
    loudness = _loudness(balance, np.full(len(balance.peaks), peak**-2.0), response)
    return 10 ** ((WORKING_LEVEL - max(loudness, SOFTEST)) / 20) / peak


def _loudness(
    balance: Balance, gains: NDArray[np.floating], response: NDArray[np.floating] | float = 1.0
) -> float:
    """Integrated loudness, LUFS, if the power of frames were given gains (frames,), and a filter.

    The gates are those of ITU-R BS.1770-4, on moments of five frames.
    """
    weighting = _response(WEIGHTING, balance.frequencies) * response
    power = balance.levels.sum(axis=1) @ np.square(weighting) / 2 * gains
    moments = np.convolve(power, np.full(5, 1 / 5), "valid" if len(power) >= 5 else "same")
    above = moments[moments > 10 ** ((ABSOLUTE_GATE - OFFSET) / 10)]
    above = above[above > above.mean() / 10] if above.size else above
    return float(OFFSET + 10 * np.log10(above.mean())) if above.size else -math.inf


def _shaped(
    frequencies: NDArray[np.float64], tilt: float, shelf: float, widening: float
) -> tuple[NDArray, NDArray]:
    """Gains (bands,) of the sum and of the difference."""
    middle = np.ones(len(frequencies))
    for frequency, gain in ((TILT_FREQUENCY, tilt), (SHELF_FREQUENCY, shelf)):
        middle = middle * _response(_high_shelf(frequency, gain), frequencies)
    return middle, middle * _response(_high_shelf(SIDE_FREQUENCY, widening), frequencies)


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
