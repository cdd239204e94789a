"""Leading of voices: the highest note of an onset is near that of the instrument's last one.

Pieces that go on from their own notes leap more than songs do: half as many moves of their top
lines were steps. The probability of an onset's last note, its highest, is multiplied by a weight of
its move, so that takes have as many steps, thirds and leaps as songs.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from cmt.music.vocabulary import FIELD

# Logarithms of weights of moves from so many semitones on, up or down.
MOVES = {0: 0.15, 1: 1.1, 3: -0.25, 5: -0.7, 13: 0.0}


class Leading:
    """The top lines of one song's instruments."""

    def __init__(self) -> None:
        self.tops: dict[int, int] = {}  # instrument → class of its last onset's highest pitch

    def add(self, instrument: int, pitch: int) -> None:
        """Hear the highest note of an onset: class of its pitch."""
        self.tops[instrument] = pitch

    def weights(self, instrument: int) -> NDArray[np.float64]:
        """Of the classes of the pitch field, for the highest note of an instrument's next onset."""
        size = FIELD["pitch"].size
        if instrument not in self.tops:
            return np.ones(size)
        return _weights()[np.abs(np.arange(size) - self.tops[instrument])]


@functools.cache
def _weights() -> NDArray[np.float64]:
    """Of moves by 0, 1, 2 … semitones."""
    least, logarithms = np.array(list(MOVES.items())).T
    moves = np.arange(FIELD["pitch"].size)
    return np.exp(logarithms[np.searchsorted(least, moves, side="right") - 1])
