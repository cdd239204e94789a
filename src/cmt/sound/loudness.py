"""How loud samples are.

Samples are float32 arrays (2, samples) in [−1, 1] at 48 kHz, the rate the synthesizer renders
and one that AAC, MP3 and Opus all take.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cmt.sound.filtering import Filter

SAMPLE_RATE = 48_000  # Hz
HOP = SAMPLE_RATE // 10  # samples: gated blocks are four of these, three shared with the next
CELL = 64  # samples, of which a peak and a power are kept
ABSOLUTE_GATE = -70.0  # LUFS
OFFSET = -0.691  # LUFS of a mean square of 1

# ITU-R BS.1770-4, its filters for 48 kHz: high shelf, high pass.
WEIGHTING = np.array(
    [
        [1.53512485958697, -2.69169618940638, 1.19839281085285,
         1, -1.69065929318241, 0.73248077421585],
        [1, -2, 1, 1, -1.99004745483398, 0.99007225036621],
    ]
)  # fmt: skip


class Samples(Protocol):
    """What can be read like an array (2, n)."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Channels and samples."""

    def __getitem__(self, where: tuple[slice, slice], /) -> NDArray[np.float32]:
        """Some of the samples."""


class Meter:
    """Reads a stream of samples: its weighted power and its peaks, cell by cell.

    Attributes:
        power: (cells,) mean square of the weighted samples, both channels added.
        peaks: (cells,) the largest absolute sample.
    """

    def __init__(self) -> None:
        self._weighted = Filter(WEIGHTING, 2)
        self._power: list[NDArray] = []
        self._peaks: list[NDArray] = []

    def read(self, block: NDArray[np.float32]) -> None:
        """Read the next samples (2, n); of all but the last, n is a multiple of `CELL`."""
        weighted = self._weighted(block)
        starts = np.arange(0, block.shape[1], CELL)
        if len(starts):
            square = np.einsum("cn,cn->n", weighted, weighted)
            self._power.append(np.add.reduceat(square, starts) / CELL)
            self._peaks.append(np.maximum.reduceat(np.abs(block).max(axis=0), starts))

    def reading(self, blocks: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """Read blocks and pass them on."""
        for block in blocks:
            self.read(block)
            yield block

    @property
    def power(self) -> NDArray[np.float64]:
        """See the class."""
        return np.concatenate([np.zeros(0), *self._power])

    @property
    def peaks(self) -> NDArray[np.float32]:
        """See the class."""
        return np.concatenate([np.zeros(0, np.float32), *self._peaks])


def integrated(power: NDArray[np.float64]) -> float:
    """Integrated loudness in LUFS of weighted power (cells,), gated; −inf for silence."""
    cells = HOP // CELL
    hops = power[: len(power) // cells * cells].reshape(-1, cells).mean(axis=1)
    if len(hops) < 4:
        return -math.inf
    blocks = np.convolve(hops, np.full(4, 1 / 4), "valid")
    for relative_to_mean in (False, True):
        gate = blocks.mean() / 10 if relative_to_mean else 10 ** ((ABSOLUTE_GATE - OFFSET) / 10)
        blocks = blocks[blocks > gate]
        if not blocks.size:
            return -math.inf
    return float(OFFSET + 10 * np.log10(blocks.mean()))


def loudness(samples: Samples) -> float:
    """Integrated loudness of samples (2, n) in LUFS (ITU-R BS.1770-4); −inf for silence."""
    meter = Meter()
    for block in blocks(samples):
        meter.read(block)
    return integrated(meter.power)


def levels(samples: Samples) -> tuple[float, float]:
    """RMS and highest peak of samples (2, n) in dBFS; −200 for silence."""
    square, peak = 0.0, 0.0
    for block in blocks(samples):
        square += float(np.vdot(block, block))
        peak = max(peak, float(np.abs(block).max()))
    return decibels(math.sqrt(square / max(math.prod(samples.shape), 1))), decibels(peak)


def blocks(samples: Samples, size: int = SAMPLE_RATE) -> Iterator[NDArray[np.float32]]:
    """Samples (2, n), so many at a time."""
    for first in range(0, samples.shape[1], size):
        yield samples[:, first : first + size]


def decibels(amplitude: float) -> float:
    """An amplitude in dB, at least −200."""
    return 20 * math.log10(max(amplitude, 1e-10))
