"""The published decoding loop, for comparison. Original: model.py, inference_from_scratch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cmt.control import Control
from cmt.decoding.loop import NOTHING, PLAYED, Mask, Sampling
from cmt.model.encoding import Word
from cmt.music.vocabulary import (
    BAR,
    DRAWN,
    EOS,
    FIELD,
    INSTRUMENT_CLASS,
    METRICAL,
    NOTE,
    TICKS_PER_BAR,
)
from cmt.plan import MIN_STRENGTH

# In which the attributes of a word are drawn.
ORDER = ("type", "beat", "pitch", "duration", "instr_type", "strength", "density")
SAMPLING: Mapping[str, Sampling] = {
    **dict.fromkeys(DRAWN, Sampling(nucleus=0.9)),
    "beat": Sampling(temperature=1.2),
    "duration": Sampling(temperature=2.0, nucleus=0.9),
}
PATIENCE = 500  # words
BEAT_INSTRUMENTS = tuple(INSTRUMENT_CLASS[name] for name in ("Drums", "Piano", "Guitar"))
LAST_TIME_CLASS = FIELD["p_beat"].size - 1


class OriginalLoop:
    """The published program, quirk for quirk, without its crashes.

    Whenever the model draws a beat at or past the next visual beat, beat words for three fixed
    instruments are forced there, one per drawn word; when it draws a bar, the plan's density
    replaces the drawn one with probability C. The song ends with the plan. A note whose beat,
    drawn like any attribute, says "bar" moves the song on by a bar, and not to its start.

    Where it differs, the original would have crashed or never ended: the first word may be a
    note, notes have a pitch and a duration, time classes stay within the vocabulary, an EOS
    ends the song, and after `PATIENCE` words without progress the plan goes on.

    Args:
        control: what the video asks for.
        degree: control degree C, 0 … 1.
        rng: the song's random numbers; the loop draws its decisions from it.
        min_strength: visual beats below it are dropped.
    """

    def __init__(
        self,
        control: Control,
        degree: float,
        rng: np.random.RandomState,
        min_strength: int = MIN_STRENGTH,
    ) -> None:
        kept = (control.words[:, 0] == BAR) | (control.words[:, 2] >= min_strength)
        self.plan = control.words[kept].tolist()
        self.n_beat = control.n_beat
        self.degree = degree
        self.rng = rng
        self.row = 1  # of the plan, the next to reach
        self.track = 0  # which of BEAT_INSTRUMENTS is next on this visual beat
        self.density = 0  # of the beat words of this visual beat
        self.waited = 0
        self.bar = 0
        self.position = 0  # tick in the bar
        self.time_class = 1

    @property
    def tick(self) -> int:
        """How far the song is."""
        return self.bar * TICKS_PER_BAR + self.position

    def first(self) -> Word:
        """The first bar word."""
        word = {**NOTHING, "type": METRICAL, "beat": BAR}
        return {**word, "density": self.plan[0][1], "p_beat": 1, "i_beat": 0}

    def allowed(self, name: str, word: Word) -> Mask:
        """Everything, but a note needs a pitch, a duration, and to be heard."""
        mask = np.ones(FIELD[name].size, bool)
        if name in PLAYED and word["type"] == NOTE:
            mask[0] = False
        return mask

    def take(self, word: Word) -> Word | None:
        """Replace the word where the plan says so."""
        if self.row >= len(self.plan) or word["type"] == EOS:
            return None
        word = self._steered(word)
        if word["beat"] == BAR:
            self.bar += 1
        if word["type"] == METRICAL:
            self.position = 0 if word["beat"] == BAR else word["beat"] - 1
            self.time_class = max(0, round(self.tick / self.n_beat * 100) + 1)
        if word["type"] == NOTE and word["instr_type"] == 0:
            word = {**word, "instr_type": INSTRUMENT_CLASS["Drums"]}
        if self.time_class > LAST_TIME_CLASS:
            return None
        return {**word, "p_beat": self.time_class, "i_beat": self.tick}

    def _steered(self, word: Word) -> Word:
        """The word drawn, or what the plan puts in its place."""
        self.waited += 1
        impatient = self.waited > PATIENCE
        beat, density, strength = self.plan[self.row][:3]
        if beat == BAR and (word["beat"] == BAR or impatient):
            if self.rng.random_sample() < self.degree or impatient:
                density = min(density, FIELD["density"].size - 1)
                word = {**NOTHING, "type": METRICAL, "beat": BAR, "density": density}
            self._reached()
        elif beat < BAR and (word["beat"] >= beat or impatient):
            if self.track == 0:
                self.density = 1 if word["beat"] == BAR else word["density"]
                self.rng.random_sample()  # drawn and not used by the original
            word = {
                **NOTHING,
                "type": METRICAL,
                "beat": beat,
                "density": self.density,
                "instr_type": BEAT_INSTRUMENTS[self.track],
                "strength": min(strength, FIELD["strength"].size - 1),
            }
            self.track = (self.track + 1) % len(BEAT_INSTRUMENTS)
            if self.track == 0:
                self._reached()
        return word

    def _reached(self) -> None:
        self.row += 1
        self.waited = 0
