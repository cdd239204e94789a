"""How loud each note is played."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cmt.music.midi import VELOCITY
from cmt.music.words import Song

ACCENT, LOUDER = 100, 3  # velocity on a visual beat: at least, and more for each note asked
MAX = 127


def velocities(song: Song, beats: Mapping[int, int]) -> NDArray[np.int64]:
    """MIDI velocity of each note: what is struck on a visual beat stands out.

    Args:
        song: the notes.
        beats: visual beats, absolute tick → notes asked for there.

    Returns:
        (notes,) 1 … 127, in the song's order.
    """
    accents = {tick: min(MAX, ACCENT + LOUDER * notes) for tick, notes in beats.items()}
    return np.array([accents.get(tick, VELOCITY) for tick in song.notes["tick"].tolist()], np.int64)
