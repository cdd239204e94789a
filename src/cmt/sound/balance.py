"""How wide and how bright a sound is, read as it goes by."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from cmt.sound.loudness import SAMPLE_RATE

FRAME = 4000  # samples, 12 Hz apart in frequency
LEAST = 1e-12  # power
SILENT = 1e-3  # share of the mean power of frames so far, of one that counts half


class Balance:
    """Reads a stream of samples: the power of the sum and of the difference of its channels.

    All frames weigh alike but for silence, as they nearly do where music has been compressed and
    limited: a single cymbal does not make a piano bright.

    Attributes:
        frequencies: (bins,) Hz.
        middle: (bins,) power of left and right together.
        side: (bins,) power of their difference.
    """

    def __init__(self) -> None:
        self.frequencies = np.fft.rfftfreq(FRAME, 1 / SAMPLE_RATE)
        self.middle, self.side = np.zeros((2, len(self.frequencies)))
        self._power, self._frames = 0.0, 0

    def read(self, block: NDArray[np.float32]) -> None:
        """Read the next samples (2, n)."""
        from scipy.fft import rfft

        padded = np.pad(block, ((0, 0), (0, -block.shape[1] % FRAME)))
        frames = np.stack([padded[0] + padded[1], padded[0] - padded[1]]).reshape(2, -1, FRAME)
        spectra = rfft(frames)
        power = spectra.real**2 + spectra.imag**2
        power[..., 1:-1] *= 2  # the frequencies below 0
        whole = power.sum(axis=(0, 2))
        self._frames += len(whole)
        self._power += float(whole.sum())
        weight = 1 / (whole + SILENT * self._power / max(self._frames, 1) + LEAST)
        middle, side = np.einsum("cfb,f->cb", power, weight)
        self.middle += middle
        self.side += side

    def reading(self, blocks: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """Read blocks and pass them on."""
        for block in blocks:
            self.read(block)
            yield block

    @property
    def width(self) -> float:
        """Power of the difference to that of the sum, dB."""
        return _decibels(self.side.sum(), self.middle.sum())

    def brightness(
        self,
        above: float,
        middle: NDArray[np.float64] | float = 1.0,
        side: NDArray[np.float64] | float = 1.0,
    ) -> float:
        """Power above a frequency to all, dB, if sum and difference were given gains.

        Args:
            above: Hz.
            middle: (bins,) gains of the sum.
            side: (bins,) of the difference.
        """
        bright, whole = (self.power(low, math.inf, middle, side) for low in (above, -1.0))
        return _decibels(bright, whole)

    def power(
        self,
        low: float,
        high: float,
        middle: NDArray[np.float64] | float = 1.0,
        side: NDArray[np.float64] | float = 1.0,
    ) -> float:
        """Power above one frequency, up to another, Hz; gains as for `brightness`."""
        power = self.middle * np.square(middle) + self.side * np.square(side)
        return float(power[(self.frequencies > low) & (self.frequencies <= high)].sum())


def _decibels(power: float, reference: float) -> float:
    return 10 * math.log10((power + LEAST) / (reference + LEAST))
