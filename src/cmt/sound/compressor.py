"""A compressor that holds a mix together.

Source: Giannoulis, Massberg and Reiss, "Digital dynamic range compressor design", JAES 60 (2012).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cmt.sound.loudness import CELL, SAMPLE_RATE
from cmt.sound.recording import Block, gliding

WORKING_LEVEL = -18.0  # LUFS that it is given
RATIO, THRESHOLD, KNEE = 2.0, -26.0, 8.0  # dB of the detector; dB around the threshold
ATTACK, RELEASE = 0.005, 0.25  # s


def glue(blocks: Iterator[Block]) -> Iterator[Block]:
    """Compress 2:1 what is above the threshold, slowly, left and right alike."""
    attack, release = (math.exp(-CELL / (SAMPLE_RATE * time)) for time in (ATTACK, RELEASE))
    last = 0.0  # dB
    for block in blocks:
        starts = np.arange(0, block.shape[1], CELL)
        square = np.add.reduceat(np.einsum("cn,cn->n", block, block), starts) / (2 * CELL)
        smooth = np.empty(len(starts) + 1)
        smooth[0] = last
        for index, aim in enumerate(reduction(square).tolist(), start=1):
            rate = attack if aim > last else release
            last = smooth[index] = aim + rate * (last - aim)
        yield block * gliding(10 ** (-smooth / 20), CELL)[: block.shape[1]]


def reduction(square: NDArray[np.floating]) -> NDArray[np.floating]:
    """By how much sound of a mean square, of both channels, is turned down in the end, dB."""
    over = 10 * np.log10(square + 1e-12) - THRESHOLD
    knee = np.clip(over + KNEE / 2, 0, KNEE) ** 2 / (2 * KNEE)
    return (1 - 1 / RATIO) * np.where(over > KNEE / 2, over, knee)
