"""Leading of voices: the highest note of an onset is near that of the instrument's last one.

Pieces that go on from their own notes leap more than songs do: half as many moves of their top
lines were steps. The probability of an onset's last note, its highest, is multiplied by a weight of
its move, so that takes have as many repeats, steps, thirds and leaps as songs, each instrument as
its own.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from cmt.music.vocabulary import FIELD, INSTRUMENTS

# Moves begin at so many semitones, up or down: repeats, semitones, tones, thirds, fourths and
# fifths, what is more, what is more than an octave.
MOVES = (0, 1, 2, 3, 5, 8, 13)
# Logarithms of their weights. Basses move by fourths, fifths and octaves as well as by step.
WEIGHTS = {
    "Piano": (-0.1, 1.25, 1.1, -0.25, -0.7, -0.6, 0.1),
    "Guitar": (0.55, 1.2, 0.9, -0.35, -0.7, -0.7, -0.5),
    "Bass": (-0.5, 1.4, 0.75, 0.25, 0.05, -0.35, 0.2),
    "Strings": (0.1, 1.65, 1.2, -0.25, -0.7, -0.8, -0.2),
}


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
        return _weights(instrument)[np.abs(np.arange(size) - self.tops[instrument])]


@functools.cache
def _weights(instrument: int) -> NDArray[np.float64]:
    """Of an instrument's moves by 0, 1, 2 … semitones."""
    moves = np.arange(FIELD["pitch"].size)
    logarithms = np.array(WEIGHTS[INSTRUMENTS[instrument - 1].name])
    return np.exp(logarithms[np.searchsorted(MOVES, moves, side="right") - 1])
