"""Voicing: what each instrument plays suits the chord that was decided for its half bar.

The probability of a pitch is multiplied by a weight that depends on the instrument, the chord's
quality and the pitch's interval above the root; the bass has weights of its own for its first note
of a chord and of a half bar, where it mostly plays the root. Pitches that are in neither the chord
nor the key have one more weight. All of them are fitted on real pieces, whose chords
`cmt.music.chords` finds (runs/fit_voicing.py); the table, voicing.csv, holds their logarithms.
"""

from __future__ import annotations

import csv
import functools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cmt.form import Form
from cmt.music.chords import HALF_BAR, Chord
from cmt.music.keys import PITCH_CLASSES
from cmt.music.vocabulary import DRUMS, INSTRUMENT_CLASS, INSTRUMENTS, TICKS_PER_BAR

TABLE = Path(__file__).with_suffix(".csv")
BASS = INSTRUMENT_CLASS["Bass"]
# Who plays: each pitched instrument, and the bass where it opens a chord or a half bar.
ROLES = (
    *(instrument.name for instrument in INSTRUMENTS if not instrument.is_drum),
    "Bass, half bar",
    "Bass, chord",
)
# Qualities that share weights, by their usual name.
SHARED = {"aug": "", "m7b5": "dim"}
KINDS = ("", "7", "maj7", "m", "m7", "dim", "sus4", "sus2", "5")
# Logarithm of the weight of what is in neither the chord nor the key. Fitted it is -0.9, which
# leaves takes half of songs' notes from elsewhere.
OUTSIDE = -0.4
# By likelihood it is 1. But the chords fitted were found in the very notes that they then explain,
# and the model knows those that it began: with more, bars have hardly a note beyond one triad.
STRENGTH = 0.35
# Of the quality whose seventh the model leaves out by itself: with less, tritones are rare.
STRENGTHS = {"7": 1.2}
# Of chords that were asked for, which are to be heard.
ASKED_STRENGTH = 3.0
TONIC = 0.8  # logarithm of the weight of the tonic of a key that was asked for


class Voicing:
    """The chords of one song, and who has played which.

    Args:
        form: that has them; None weighs all pitches alike.
        tonic: pitch class of a key that was asked for; None where none was.
    """

    def __init__(self, form: Form | None, tonic: int | None = None) -> None:
        self.form = form
        self.home = np.zeros(PITCH_CLASSES)
        if tonic is not None:
            self.home[tonic] = TONIC
        self.bass = -1  # tick of the bass's last onset

    def weights(self, instrument: int, tick: int) -> NDArray[np.float64]:
        """Logarithms of the weights (12,) of pitch classes for an instrument at a tick."""
        if self.form is None or instrument == DRUMS:
            return np.zeros(PITCH_CLASSES)
        chord = self.form.chord(tick)
        weights = table()[self.role(instrument, tick), kind(chord)]
        suited = np.roll(weights, chord.root) + OUTSIDE * self.outside(tick)
        return self.strength(tick) * suited + self.home

    def strength(self, tick: int) -> float:
        """How much the chord at a tick counts."""
        assert self.form is not None
        if tick // TICKS_PER_BAR in self.form.asked:
            return ASKED_STRENGTH
        return STRENGTHS.get(self.form.chord(tick).quality, STRENGTH)

    def tones(self, tick: int) -> list[int]:
        """Pitch classes of the chord at a tick."""
        return self.form.chord(tick).tones if self.form else []

    def outside(self, tick: int) -> NDArray[np.bool_]:
        """Whether each pitch class (12,) is in neither the chord at a tick nor the key."""
        assert self.form is not None
        result = np.ones(PITCH_CLASSES, bool)
        result[[*self.form.key.scale, *self.tones(tick)]] = False
        return result

    def role(self, instrument: int, tick: int) -> int:
        """Index among ROLES of a pitched instrument that plays at a tick."""
        assert self.form is not None
        if instrument == BASS and self.bass // HALF_BAR != tick // HALF_BAR:
            fresh = self.bass < 0 or self.form.chord(self.bass) != self.form.chord(tick)
            return ROLES.index("Bass, chord" if fresh else "Bass, half bar")
        return ROLES.index(INSTRUMENTS[instrument - 1].name)

    def add(self, instrument: int, tick: int) -> None:
        """Hear a note of an instrument at a tick."""
        if instrument == BASS:
            self.bass = tick


def of_pitches(pitch_classes: NDArray[np.float64], classes: int) -> NDArray[np.float64]:
    """Values (…, 12) of pitch classes for the classes (…, `classes`) of the pitch field.

    Class 0 is no pitch, class n is pitch n − 1.
    """
    return pitch_classes[..., (np.arange(classes) - 1) % PITCH_CLASSES]


def kind(chord: Chord) -> int:
    """Index among KINDS of a chord's."""
    return KINDS.index(SHARED.get(chord.quality, chord.quality))


@functools.cache
def table() -> NDArray[np.float64]:
    """Logarithms of weights (roles, kinds, semitones above the root)."""
    result = np.zeros((len(ROLES), len(KINDS), PITCH_CLASSES))
    with TABLE.open(encoding="utf-8", newline="") as file:
        for who, quality, *weights in list(csv.reader(file))[1:]:
            result[ROLES.index(who), KINDS.index(quality)] = [float(weight) for weight in weights]
    result.flags.writeable = False
    return result
