"""Weighing: what the model says, multiplied by weights of what is known of section, chord and line.

Each of them is a part of its own: `orchestration`, `drumming`, `voicing` and `leading`.
"""

from __future__ import annotations

import numpy as np

from cmt.decoding.drumming import strokes
from cmt.decoding.leading import Leading
from cmt.decoding.loop import Head
from cmt.decoding.orchestration import Orchestration
from cmt.decoding.voicing import Voicing, of_pitches
from cmt.form import Form
from cmt.music.vocabulary import DRUMS, FIELD, TICKS_PER_BAR


class Weighing:
    """Weights for the words of one song; None of them where all are alike.

    Args:
        form: its sections and chords; None leaves them to the model.
        tonic: pitch class of a key that was asked for; None where none was.
    """

    def __init__(self, form: Form | None, tonic: int | None = None) -> None:
        self.form = form
        self.orchestration = Orchestration(form)
        self.voicing = Voicing(form, tonic)
        self.leading = Leading()

    def enter(self, bar: int, wished: bool) -> None:
        """Begin a bar; `wished`: somebody has said who plays in it."""
        self.orchestration.enter(bar, wished)

    def join(self, instrument: int) -> None:
        """Hear a simu-note of an instrument begin."""
        self.orchestration.join(instrument)

    def hear(self, instrument: int, tick: int, pitch: int, highest: bool) -> None:
        """Hear a note of a pitched instrument: class of its pitch; of an onset the highest."""
        self.voicing.add(instrument, tick)
        self.orchestration.hear(instrument, pitch)
        if highest:
            self.leading.add(instrument, pitch)

    @property
    def band(self) -> Head | None:
        """Of the classes of instruments in the present bar."""
        return self.orchestration.weights

    def instruments(self, tick: int) -> Head | None:
        """Of the classes of instruments, for a simu-note at a tick."""
        return self.orchestration.players(tick)

    def pitches(self, instrument: int, tick: int, highest: bool) -> Head:
        """Of the classes of the pitch field, for a note at a tick, the last of its onset or not."""
        if instrument == DRUMS:
            return self._strokes(tick)
        weights = of_pitches(np.exp(self.voicing.weights(instrument, tick)), FIELD["pitch"].size)
        if (heights := self.orchestration.heights(instrument)) is not None:
            weights = weights * heights
        return weights * self.leading.weights(instrument) if highest else weights

    def _strokes(self, tick: int) -> Head:
        """The same of drums."""
        place = tick % TICKS_PER_BAR
        if self.form is None:
            return strokes(place == 0, filling=False)
        after = self.form.fills_at(tick - place - 1)
        return strokes(place == 0, self.form.fills_at(tick), after)
