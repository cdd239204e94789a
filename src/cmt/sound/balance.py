"""How wide and how bright a sound is, read as it goes by."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

from cmt.sound.loudness import SAMPLE_RATE

FRAME = 4000  # samples, 12 Hz apart in frequency
# Hz, above which bands begin: thirds of an octave; sixths where shelves are steep.
EDGES = (
    -1, 40, 60, 80, 100, 125, 160, 200, 250, 315, 400, 500, 630, 800, 1000, 1250, 1500, 1900, 2400,
    3000, 3400, 3800, 4300, 4800, 5400, 6000, 6700, 7500, 8500, 9500, 10_600, 12_000, 13_500,
    15_000, 17_000, 19_000,
)  # fmt: skip
EMPHASIS = np.float32(0.9)  # of what is high, before: what is low would leak into it, at −38 dB
LEAST = 1e-12  # power
SILENT = 1e-3  # share of the mean power of frames, of one that counts half

Gains = NDArray[np.float64] | float


class Balance:
    """Reads a stream of samples: the power of the sum and of the difference of its channels.

    Attributes:
        frequencies: (bands,) Hz, their middles.
        levels: (frames, 2, bands) mean square of left and right together, and of their difference.
        peaks: (frames,) the largest absolute sample.
    """

    def __init__(self) -> None:
        bins = np.fft.rfftfreq(FRAME, 1 / SAMPLE_RATE)
        self._first = np.searchsorted(bins, EDGES, side="right")
        ends = np.append(self._first[1:], len(bins))
        self.frequencies = (bins[self._first] + bins[ends - 1]) / 2
        self._frames: list[tuple[NDArray, NDArray]] = []  # levels and peaks
        self._waiting: NDArray = np.zeros((2, 1), np.float32)  # after the last one that was read

    def read(self, block: NDArray[np.float32]) -> None:
        """Read the next samples (2, n)."""
        samples = np.concatenate([self._waiting, block], axis=1)
        ready = (samples.shape[1] - 1) // FRAME * FRAME
        self._frames.append(self._measured(samples[:, : ready + 1]))
        self._waiting = samples[:, ready:]

    def _measured(self, samples: NDArray[np.float32]) -> tuple[NDArray, NDArray]:
        """Levels and peaks of whole frames, before which there is one sample."""
        from scipy.fft import rfft

        heard = np.stack([samples[0] + samples[1], samples[0] - samples[1]])
        emphasised = heard[:, 1:] - EMPHASIS * heard[:, :-1]
        spectra = rfft(emphasised.reshape(2, -1, FRAME))
        power = (spectra.real**2 + spectra.imag**2) * _weights()
        bands = np.add.reduceat(power, self._first, axis=2) / FRAME**2
        peaks = np.abs(samples[:, 1:]).max(axis=0).reshape(-1, FRAME).max(axis=1)
        return bands.transpose(1, 0, 2), peaks

    def _all(self) -> list[tuple[NDArray, NDArray]]:
        """Levels and peaks, the last frame filled with silence."""
        missing = (1 - self._waiting.shape[1]) % FRAME
        return [*self._frames, self._measured(np.pad(self._waiting, ((0, 0), (0, missing))))]

    def reading(self, blocks: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """Read blocks and pass them on."""
        for block in blocks:
            self.read(block)
            yield block

    @property
    def levels(self) -> NDArray[np.float32]:
        """See the class."""
        return np.concatenate([levels for levels, _ in self._all()])

    @property
    def peaks(self) -> NDArray[np.float32]:
        """See the class."""
        return np.concatenate([peaks for _, peaks in self._all()])

    def spectrum(self, weights: NDArray[np.floating] | None = None) -> Spectrum:
        """The power of all frames.

        Args:
            weights: (frames, bands), or (frames, 1); without them all frames weigh alike but for
                silence, so that a single cymbal does not make a piano bright.
        """
        levels = self.levels
        if weights is None:
            whole = levels.sum(axis=(1, 2), dtype=float)
            mean = float(whole.mean()) if len(whole) else 0.0
            weights = 1 / (whole + SILENT * mean + LEAST)[:, None]
        return Spectrum(self.frequencies, (levels * weights[:, None]).sum(axis=0))


class Spectrum:
    """The power of a sound's sum and difference in bands.

    Args:
        frequencies: (bands,) Hz.
        power: (2, bands).
    """

    def __init__(self, frequencies: NDArray[np.float64], power: NDArray[np.float64]) -> None:
        self.frequencies = frequencies
        self._power = power

    def power(self, low: float, high: float, middle: Gains = 1.0, side: Gains = 1.0) -> float:
        """Power above one frequency, up to another, Hz, if sum and difference were given gains.

        Args:
            low: Hz.
            high: Hz.
            middle: (bands,) gains of the sum.
            side: (bands,) of the difference.
        """
        power = self._power[0] * np.square(middle) + self._power[1] * np.square(side)
        return float(power[(self.frequencies > low) & (self.frequencies <= high)].sum())

    def brightness(self, above: float, middle: Gains = 1.0, side: Gains = 1.0) -> float:
        """Power above a frequency, Hz, to all, dB; gains as for `power`."""
        bright, whole = (self.power(low, math.inf, middle, side) for low in (above, -1.0))
        return _decibels(bright, whole)

    def width(self, middle: Gains = 1.0, side: Gains = 1.0) -> float:
        """Power of the difference to that of the sum, dB; gains as for `power`."""
        difference = self.power(-1.0, math.inf, 0.0, side)
        return _decibels(difference, self.power(-1.0, math.inf, middle, 0.0))


def _decibels(power: float, reference: float) -> float:
    return 10 * math.log10((power + LEAST) / (reference + LEAST))


@cache
def _weights() -> NDArray[np.float32]:
    """(bins,) of power: without the emphasis, and with the frequencies below 0."""
    turn = np.exp(-2j * np.pi * np.arange(FRAME // 2 + 1) / FRAME)
    weights = 1 / np.abs(1 - EMPHASIS * turn) ** 2
    weights[1:-1] *= 2
    return weights.astype(np.float32)
