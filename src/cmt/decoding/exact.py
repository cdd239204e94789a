"""Decoding that satisfies a plan exactly and is free in everything else.

Source: paper section 4.3, Algorithm 1; masks in place of words that are forced now and then.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cmt.decoding.drumming import CRASHES, DRUMSTROKES
from cmt.decoding.ending import Ending
from cmt.decoding.loop import NOTHING, PLAYED, Head, Mask, Sampling, only
from cmt.decoding.style import Style
from cmt.decoding.weighing import Weighing
from cmt.form import Form
from cmt.model.encoding import Word
from cmt.music.keys import PITCH_CLASSES
from cmt.music.vocabulary import (
    BAR,
    DRAWN,
    DRUMS,
    EOS,
    FIELD,
    INSTRUMENT_CLASS,
    INSTRUMENTS,
    MAX_DURATION,
    METRICAL,
    NOTE,
    TICKS_PER_BAR,
)
from cmt.plan import Plan

# The model's own distributions, without the original's temperatures: masks already vary what is
# drawn, and without its tail harmony stands still. Pitches are a little surer, lest more onsets
# have semitones in them than songs'.
SAMPLING: Mapping[str, Sampling] = {
    **dict.fromkeys(DRAWN, Sampling()),
    "pitch": Sampling(temperature=0.93),
}
# Of heads that know the type alone: more is cut, most of all of the beat, as an onset drawn too
# late forces the bar's other onsets into what is left of it. Chords are made somewhat fuller, as a
# piece that goes on from its own grows thinner than real music.
UNCHAINED_SAMPLING: Mapping[str, Sampling] = {
    "type": Sampling(),
    "beat": Sampling(nucleus=0.72),
    "instr_type": Sampling(),
    "pitch": Sampling(),
    "duration": Sampling(nucleus=0.92),
    "strength": Sampling(temperature=1.3),
    "density": Sampling(),
    "velocity": Sampling(),
}
FLOOR = 0.01  # share of a probability that a correction leaves at least


class ExactLoop:
    """One song that keeps to a plan.

    A bar word announces its density; beat words then count it down. What is allowed next:
    after a beat word of strength s, exactly s notes of its instrument, all of different pitch;
    then another instrument on the same tick; a later tick, as long as the onsets that are left
    and the visual beats ahead still fit; the next bar, or the end, when no onset is left. The
    first simu-note on a visual beat has its strength; where it is known what is seen there, drums
    strike first, if they may play visual beats: kick, snare or crash. They crash where a scene or a
    section begins. In a bar that has notes given the lead plays these and nothing else, while
    anybody else can.

    Args:
        plan: what is asked of its bars.
        n_beat: ticks in the song, of which its words say the share that is done.
        style: what is asked of the whole piece.
        form: its key and chords; None leaves them to the model.
    """

    def __init__(
        self, plan: Plan, n_beat: int, style: Style = Style(), form: Form | None = None
    ) -> None:
        self.bars = plan.bars
        self.n_beat = n_beat
        self.style = style
        self.everybody = frozenset(INSTRUMENT_CLASS[name] for name in style.playing)
        # Instruments that were asked for and have not been heard.
        self.missing = set(self.everybody) if style.instruments else set()
        self.form = form
        key = form.key if form else style.key
        self.ending = Ending(plan.last_bar if style.ending else None, key)
        self.weighing = Weighing(form, style.key.tonic if style.key else None)
        self.weighing.enter(0, self.bars[0].playing is not None)
        self.bar = 0
        self.position = -1  # tick in the bar; −1 before its first onset
        self.left = self.bars[0].density or 0  # onset positions still to come in this bar
        self.used: set[int] = set()  # instruments at this tick
        self.instrument = 0  # of the simu-note being written
        self.notes_left = 0
        self.pitches: set[int] = set()
        self.seen = bool(plan.scenes)  # whether it is known what is seen at visual beats
        self.rests = [bar * TICKS_PER_BAR for bar, asked in enumerate(plan.bars) if asked.rests]
        self.borders = plan.borders | (form.borders if form else frozenset())
        self.lead = plan.lead
        self.owed: int | None = None  # strength that a visual beat, already struck, has yet to get

    @property
    def tick(self) -> int:
        """How far the song is."""
        return self.bar * TICKS_PER_BAR + max(self.position, 0)

    @property
    def playing(self) -> frozenset[int]:
        """Instruments that may play in the present bar."""
        asked = self.bars[self.bar].playing
        return self.everybody if asked is None else asked

    def first(self) -> Word:
        """The first bar word."""
        return self._timed({**NOTHING, "type": METRICAL, "beat": BAR, "density": self.left + 1})

    def allowed(self, name: str, word: Word) -> Mask:
        """Classes that can still satisfy the plan."""
        if name == "type":
            return self._types()
        if word["type"] == EOS:
            return only(name, 0)
        if word["type"] == NOTE:
            return self._note(name)
        if name == "beat":
            return only(name, *self._beats())
        if name in PLAYED:
            return only(name, 0)
        if word["beat"] == BAR:
            return self._bar_density() if name == "density" else only(name, 0)
        return self._simu_note(name, word)

    def _types(self) -> Mask:
        if self.notes_left:
            return only("type", NOTE)
        beats = self._beats()
        types = [METRICAL] if beats else []
        # Whoever must still be heard joins the last onset, if there is one.
        waiting = self._waiting() & self.playing - self.used if self.position >= 0 else ()
        done = not (self.left or waiting or self.owed or self._sings())
        if self.bar == len(self.bars) - 1 and done:
            types.append(EOS)
        return only("type", *types)

    def _waiting(self) -> set[int]:
        """Instruments that have yet to be heard, in the piece or in its final chord."""
        return self.missing | self.ending.due

    def _beats(self) -> list[int]:
        """Beat classes: this tick again, a later one, the next bar."""
        others = self.playing - self.used
        waiting = others & self._waiting()
        more = self._sings() or bool(waiting) or max(others, default=0) > self.instrument
        same = self.position >= 0 and more
        again = [self.position + 1] if same else []
        if same and (self.ending.due or self.owed or self._sings()):
            return again
        if self.left:
            later = self._later()
            if self.ending.holds(0) and self.position < 0 and 1 in later:
                return [1]
            return again + later
        return again + ([BAR] if self.bar < len(self.bars) - 1 else [])

    def _sings(self) -> bool:
        """Whether the lead has yet to play the note that is given at the present tick."""
        return self.position in self.bars[self.bar].given and self.lead not in self.used

    def _later(self) -> list[int]:
        """Beat classes of the ticks on which the next of the onsets left may come."""
        bar = self.bars[self.bar]
        ahead = [tick for tick in {*bar.strengths, *bar.given} if tick > self.position]
        # Onsets that nobody asked for must leave room for those that are.
        latest = min([bar.ticks - self.left, *ahead])
        return [
            tick + 1
            for tick in range(self.position + 1, latest + 1)
            if tick in ahead or self.left > len(ahead)
        ]

    def _note(self, name: str) -> Mask:
        if name == "instr_type":
            return only(name, self.instrument)
        if name not in PLAYED:
            return only(name, 0)
        mask = np.ones(FIELD[name].size, bool)
        mask[0] = False
        if name == "velocity":
            return mask
        if (given := self._given(self.position)) and not self.pitches:
            pitch, duration = given
            return only(name, (pitch if name == "pitch" else duration) + 1)
        pitched = self.instrument != DRUMS
        if name == "duration":
            mask[1] = False  # a note of no length
            if pitched and self.ending.holds(self.position):
                mask[: min(self.bars[self.bar].ticks, MAX_DURATION) + 1] = False
            if self.rests and (rest := min(filter(self.tick.__lt__, self.rests), default=None)):
                mask[rest - self.tick + 2 :] = False
            return mask
        if pitched and (classes := self._pitch_classes()):
            mask[1:] &= np.isin(np.arange(mask.size - 1) % PITCH_CLASSES, classes)
        return self._upwards(mask)

    def _upwards(self, mask: Mask) -> Mask:
        """Of pitches those that are above the ones before, with room for the others of the onset.

        Songs' words have the notes of an onset from the lowest up: whoever had to begin with a
        crash would have but rides to go on with.
        """
        mask[list(self.pitches)] = False
        above = np.flatnonzero(mask)
        above = above[above > max(self.pitches, default=0)]
        above = above[: len(above) - self.notes_left + 1]
        due, below = self._due()
        if due and self.pitches.isdisjoint(due):
            # Others come first as long as they leave one of these that is usual.
            first = above < below if self.notes_left > 1 else False
            above = above[np.isin(above, due) | first]
        if len(above):
            mask[:] = False
            mask[above] = True
        return mask

    def _due(self) -> tuple[tuple[int, ...], int]:
        """Classes of pitches of which the present simu-note has one, and which others are below."""
        if self.instrument == DRUMS:
            if self.tick in self.borders:
                return CRASHES, CRASHES[0]
            if self.seen and self.position in self.bars[self.bar].strengths:
                return (*DRUMSTROKES, *CRASHES), DRUMSTROKES[-1]
        return (), 0

    def _given(self, tick: int) -> tuple[int, int] | None:
        """Pitch and duration that the present instrument has to play at a tick of the bar."""
        return self.bars[self.bar].given.get(tick) if self.instrument == self.lead else None

    def _pitch_classes(self) -> list[int] | None:
        """Pitch classes that the present instrument, a pitched one, may play; None is all."""
        if final := self.ending.chord(self.instrument, self.position):
            return final
        if self.style.key is None:
            return None
        return [*self.style.key.scale, *self.weighing.voicing.tones(self.tick)]

    def _bar_density(self) -> Mask:
        bar = self.bars[self.bar + 1]
        if bar.density is not None:
            return only("density", bar.density + 1)
        # Real music leaves hardly any bar empty.
        fewest = max(len({*bar.strengths, *bar.given}), 1)
        return only("density", *range(fewest + 1, bar.ticks + 2))

    def _simu_note(self, name: str, word: Word) -> Mask:
        """Attributes of a beat word."""
        tick = word["beat"] - 1
        fresh = tick != self.position
        if name == "density":
            return only(name, self.left - fresh + 1)
        asked = self.bars[self.bar].strengths.get(tick) if fresh else self.owed
        strikes = fresh and asked is not None and self.seen and DRUMS in self._on_beats()
        if name == "strength":
            most = INSTRUMENTS[word["instr_type"] - 1].max_strength
            if word["instr_type"] == self.lead and tick in self.bars[self.bar].given:
                return only(name, asked or 1)
            if asked is None or (strikes and self._holders(asked) - {DRUMS}):
                return only(name, *range(1, most + 1))
            return only(name, asked)
        return only(name, DRUMS) if strikes else only(name, *self._instruments(tick, asked))

    def _holders(self, strength: int) -> set[int]:
        """Instruments that may play a visual beat of a strength."""
        return {
            label for label in self._on_beats() if INSTRUMENTS[label - 1].max_strength >= strength
        }

    def _on_beats(self) -> frozenset[int]:
        """Instruments that may play the present bar's visual beats."""
        return self.bars[self.bar].among(self.style.on_beats)

    def _instruments(self, tick: int, asked: int | None) -> set[int]:
        """Instruments of a beat word: those due first, the missing ones from the middle on."""
        fresh = tick != self.position
        labels = set(self.playing if fresh else self.playing - self.used)
        given = self.bars[self.bar].given
        if asked is not None:
            labels &= self._holders(asked)
        if self.lead in labels and given and (asked is not None or tick not in given):
            labels = labels - {self.lead} or labels
        elif self.lead in labels and tick in given:
            least = 0 if fresh else self.instrument
            return {label for label in labels if least < label <= self.lead} | {self.lead}
        if labels & self.ending.due:
            return labels & self.ending.due
        late = 2 * self.tick >= self.n_beat or self.bar == len(self.bars) - 1
        if late and labels & self.missing:
            return labels & self.missing
        if not fresh:  # in the order of songs' words, where that leaves any
            return {label for label in labels if label > self.instrument} or labels
        return labels

    def given(self, name: str, word: Word, head: Head) -> Head:
        """The head of a field, corrected by what is known: by the section, the chord, the line."""
        weights = self._weights(name, word)
        if weights is None:
            return head
        corrected: Head = head * weights
        return corrected / corrected.sum()

    def _weights(self, name: str, word: Word) -> Head | None:
        """Of the classes of a field; None where all are alike."""
        if name == "pitch" and word["type"] == NOTE:
            return self.weighing.pitches(self.instrument, self.tick, self.notes_left == 1)
        if name == "instr_type" and word["type"] == METRICAL:
            return self.weighing.instruments(self.bar * TICKS_PER_BAR + word["beat"] - 1)
        return None

    def band(self, word: Word) -> Head | None:
        """Weights of the classes of instruments that may play next; None where all are alike."""
        return self.weighing.band if word["type"] == METRICAL else None

    def untangled(self, name: str, word: Word, head: Head, beat: Head) -> Head:
        """The head of a field that knows the type alone, given the beat that was drawn.

        Where another simu-note on this tick was possible, of a later instrument, and something else
        was drawn, the instrument's head still has the probability of that in it, and the density's,
        that no onset is left.
        """
        if name not in ("instr_type", "density") or word["type"] != METRICAL:
            return head
        if self.position < 0 or word["beat"] == self.position + 1:
            return head
        labels = np.arange(len(head))
        classes = labels > self.instrument if name == "instr_type" else labels == 1
        mass = head[classes].sum() or 1.0
        left = max(1 - beat[self.position + 1] / mass, FLOOR)
        corrected: Head = np.where(classes, head * left, head)
        return corrected / corrected.sum()

    def take(self, word: Word) -> Word:
        """Move on by the word drawn."""
        if word["type"] == NOTE:
            self._hear(word)
        elif word["beat"] == BAR:
            self.bar += 1
            self.position = -1
            self.left = word["density"] - 1
            self.ending.enter(self.bar, 1 in self._beats(), self.playing)
            self.weighing.enter(self.bar, self.bars[self.bar].playing is not None)
        elif word["type"] == METRICAL:
            self._begin(word)
        return self._timed(word)

    def _begin(self, word: Word) -> None:
        """A simu-note begins."""
        if word["beat"] - 1 != self.position:
            self.position = word["beat"] - 1
            self.left -= 1
            self.used = set()
            self.owed = self.bars[self.bar].strengths.get(self.position)
        if self.owed == word["strength"]:
            self.owed = None
        self.instrument = word["instr_type"]
        self.used.add(self.instrument)
        self.missing.discard(self.instrument)
        self.ending.join(self.instrument)
        self.weighing.join(self.instrument)
        self.notes_left = word["strength"]
        self.pitches = set()

    def _hear(self, word: Word) -> None:
        """A note of the present simu-note."""
        self.notes_left -= 1
        self.pitches.add(word["pitch"])
        if self.instrument != DRUMS:
            pitch, duration = word["pitch"] - 1, word["duration"] - 1
            self.ending.hear(pitch, duration)
            self.weighing.hear(self.instrument, self.tick, word["pitch"], not self.notes_left)

    def _timed(self, word: Word) -> Word:
        """Add the place in the song, rounded as in training; an EOS has none."""
        if word["type"] == EOS:
            return {**word, "p_beat": FIELD["p_beat"].offset, "i_beat": 0}
        # A file's seconds may be some ticks more than its words say.
        share = min(100, 100 * self.tick // self.n_beat)
        return {**word, "p_beat": share + FIELD["p_beat"].offset, "i_beat": self.tick}
