"""Filters that go on from block to block."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEAST = 1e-12  # of what rings on: less is nothing, and denormal numbers take a hundredfold time


class Filter:
    """Second-order sections, over the last axis of blocks one after another.

    Args:
        sections: (sections, 6), as SciPy has them; their type is that of what is reckoned.
        channels: shape of the blocks but for their last axis.
    """

    def __init__(self, sections: NDArray[np.floating], *channels: int) -> None:
        self._sections = sections
        self._state = np.zeros((len(sections), *channels, 2), sections.dtype)

    def __call__(self, block: NDArray[np.floating]) -> NDArray[np.floating]:
        """The next block (channels, samples), filtered."""
        from scipy.signal import sosfilt

        if not self._state.any() and not block.any():
            return block
        filtered, self._state = sosfilt(self._sections, block, zi=self._state)
        self._state[np.abs(self._state) < LEAST] = 0
        return filtered
