"""Overtones for music that has none where cymbals would be: strings, piano, a soft guitar.

A SoundFont's samples end there, at some 6 kHz, and a shelf has nothing to lift. What lies in the
octave below is rectified, which doubles its frequencies whatever its level is, and little of that
is added. Source: C. Knoppel, "Signal distortion circuit and method of use", US patent 4150253
(1979, expired).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cmt.sound.balance import Spectrum
from cmt.sound.filtering import Filter
from cmt.sound.loudness import SAMPLE_RATE
from cmt.sound.recording import Block

FREQUENCY = 6000.0  # Hz: from here on there are overtones, of the octave below
# Power of overtones, at gain 1, to that of the octave below: 0.16 of a tone, 0.19 of noise.
YIELD = 0.17
MOST = 10 ** (-1.5 / 10)  # the same of what is added at most: music falls from octave to octave


def excite(blocks: Iterator[Block], gain: float) -> Iterator[Block]:
    """Add overtones at a gain; none if it is 0."""
    from scipy.signal import butter

    if not gain:
        yield from blocks
        return
    octave = [FREQUENCY / 2, FREQUENCY]
    below = butter(2, octave, "bandpass", fs=SAMPLE_RATE, output="sos").astype(np.float32)
    above = butter(4, FREQUENCY, "highpass", fs=SAMPLE_RATE, output="sos").astype(np.float32)
    source, overtones = Filter(below, 2), Filter(above, 2)
    for block in blocks:
        yield block + np.float32(gain) * overtones(np.abs(source(block)))


def excitement(
    spectrum: Spectrum,
    brightness: float,
    middle: NDArray[np.float64],
    side: NDArray[np.float64],
) -> float:
    """The gain of `excite` with which a mix is so bright, or as bright as it may be made.

    Args:
        spectrum: of the mix.
        brightness: power above `FREQUENCY` to all, dB.
        middle: (bands,) gains that its sum is given before.
        side: (bands,) of its difference.
    """
    share = 10 ** (brightness / 10)
    whole, source, bright = (
        spectrum.power(low, high, middle, side)
        for low, high in ((-1, math.inf), (FREQUENCY / 2, FREQUENCY), (FREQUENCY, math.inf))
    )
    lacking = (share * whole - bright) / (1 - share)
    if lacking <= 0 or not source:
        return 0.0
    return math.sqrt(min(lacking / source, MOST) / YIELD)
