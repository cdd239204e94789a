"""Orchestration: who rests in a section hardly plays, and who has moved plays higher or lower.

The probability of an instrument that rests is multiplied by a small weight, and that of each tick
by the mean weight of those who would play on it; who has rested, and rests no more, comes in soon.
Pitches of an instrument that has moved lean to where it is to be, the more the farther its last
notes are from there.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cmt.decoding.loop import Head
from cmt.form import Form
from cmt.music.vocabulary import DRUMS, FIELD

CLASSES = FIELD["instr_type"].size
# Logarithms of the weights of an instrument that rests, which the model may be all but sure of; of
# one that has rested, until it is heard; and of drums in a fill.
REST, JOIN, FILL = -7.0, 3.5, 1.8
DRUMS_FILL = np.exp(FILL * (np.arange(CLASSES) == DRUMS))
# Logarithm of the weight of each semitone by which a pitch is above an instrument's last notes, for
# each by which these are too low.
LEAN = 0.05
FARTHEST, WIDEST = 6, 12  # semitones that count of the latter, and of the former
MEMORY = 12  # notes that count as the last


class Orchestration:
    """Who plays, and how high, in the sections of one song.

    Args:
        form: that has their textures; None leaves all to the model.

    Attributes:
        weights: of the classes of instruments in the present bar; None where all are alike.
    """

    def __init__(self, form: Form | None) -> None:
        self.form = form
        self.weights: Head | None = None
        self.resting: frozenset[int] = frozenset()
        self.joining: frozenset[int] = frozenset()
        self.register: Mapping[int, int] = {}
        self.at_home = False  # whether the theme is heard for the first time
        self.home = np.zeros((CLASSES, 2))  # of its notes the sum of pitches, and how many
        self.last: dict[int, float] = {}  # instrument → mean pitch of its last notes

    def enter(self, bar: int, wished: bool) -> None:
        """Begin a bar; `wished`: somebody has said who plays in it."""
        if self.form is None or not self.form.textures:
            return
        texture = self.form.texture(bar)
        resting = frozenset() if wished else texture.resting
        self.joining = (self.joining | self.resting) - resting
        self.resting, self.register = resting, texture.register
        self.at_home = bar in self.form.home
        self._weigh()

    def join(self, instrument: int) -> None:
        """Hear an instrument begin to play."""
        if instrument in self.joining:
            self.joining -= {instrument}
            self._weigh()

    def _weigh(self) -> None:
        logarithms = np.zeros(CLASSES)
        logarithms[list(self.resting)] = REST
        logarithms[list(self.joining)] = JOIN
        self.weights = np.exp(logarithms) if logarithms.any() else None

    def players(self, tick: int) -> Head | None:
        """Weights of the classes of instruments for a simu-note at a tick."""
        if self.form is None or not self.form.fills_at(tick):
            return self.weights
        return DRUMS_FILL if self.weights is None else self.weights * DRUMS_FILL

    def hear(self, instrument: int, pitch: int) -> None:
        """Hear a note of a pitched instrument: class of its pitch."""
        last = self.last.get(instrument, pitch)
        self.last[instrument] = last + (pitch - last) / MEMORY
        if self.at_home:
            self.home[instrument] += pitch, 1

    def heights(self, instrument: int) -> Head | None:
        """Weights of the classes of the pitch field for an instrument; None where all are alike."""
        total, notes = self.home[instrument]
        if self.at_home or not notes or instrument not in self.register:
            return None
        last = self.last[instrument]
        low = np.clip(total / notes + self.register[instrument] - last, -FARTHEST, FARTHEST)
        above = np.clip(np.arange(FIELD["pitch"].size) - last, -WIDEST, WIDEST)
        weights: Head = np.exp(LEAN * low * above)
        return weights
