"""How a piece ends: its last bar resolves.

The pitched instruments of the bar before meet on the last bar's downbeat in the tonic chord of the
piece's key, held to the end, and keep to that chord.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cmt.music.keys import PITCH_CLASSES, Key, find_key
from cmt.music.vocabulary import DRUMS, INSTRUMENT_CLASS

BASS = INSTRUMENT_CLASS["Bass"]


class Ending:
    """The ending of one song in the making.

    Args:
        bar: the last bar, that which resolves; None leaves the song open.
        key: of the song; None finds it from what was played before.

    Attributes:
        final_key: whose tonic chord the last bar keeps to, once that has begun.
        due: instruments that have yet to join the final chord.
    """

    def __init__(self, bar: int | None, key: Key | None) -> None:
        self.bar = bar
        self.key = key
        self.final_key: Key | None = None
        self.due: set[int] = set()
        self.heard: set[int] = set()  # pitched instruments in the present bar
        self.pitch_classes: NDArray[np.float64] = np.zeros(PITCH_CLASSES)  # ticks of each so far

    def enter(self, bar: int, downbeat: bool, playing: frozenset[int]) -> None:
        """Begin a bar.

        Args:
            bar: its index.
            downbeat: whether it may have an onset on its first tick.
            playing: instruments that may play in it.
        """
        if bar == self.bar:
            self.final_key = self.key or find_key(self.pitch_classes)
            if self.final_key and downbeat:
                self.due = self.heard & playing
        self.heard = set()

    def join(self, instrument: int) -> None:
        """Hear a simu-note of an instrument begin."""
        self.due.discard(instrument)
        if instrument != DRUMS:
            self.heard.add(instrument)

    def hear(self, pitch: int, duration: int) -> None:
        """Hear a note of a pitched instrument: MIDI pitch, ticks."""
        self.pitch_classes[pitch % PITCH_CLASSES] += duration

    def holds(self, position: int) -> bool:
        """Whether a pitched note on a tick of the present bar lasts to the end."""
        return self.final_key is not None and position == 0

    def chord(self, instrument: int, position: int) -> list[int] | None:
        """Pitch classes of an instrument on a tick of the present bar; None is no matter."""
        if self.final_key is None:
            return None
        chord = self.final_key.chord
        # The chord stands on its root.
        return chord[:1] if instrument == BASS and position == 0 else chord
