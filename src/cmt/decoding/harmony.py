"""Harmony: a note agrees with those that sound, and with those of its bar.

The model sees the past through a state in which single notes blur, and knows each pitch by itself,
not its octaves: left alone it mixes the chords of several bars into each. What is exactly known
corrects it: the probability of a pitch is multiplied by the exponential of SOUNDING if its pitch
class sounds already, and of HEARD for each logarithm of how often it has begun in this bar. On
held-out songs this is worth a tenth of a nat a word.

It is for pieces whose chords were not decided: beside these (`cmt.decoding.voicing`) SOUNDING and
HEARD are 0.2 and 0.3 by likelihood, and pieces with them have fewer pitch classes in a bar than
real music.

Source: Kuhn & De Mori, "A Cache-Based Natural Language Model for Speech Recognition", IEEE PAMI
1990, of pitch classes in place of words, and log-linear as Hinton's products of experts (2002).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cmt.music.keys import PITCH_CLASSES
from cmt.music.vocabulary import TICKS_PER_BAR

# Logarithms of weights. By likelihood they are 1.14 and 0.76 (runs/fit_decoding.py), but a piece
# that goes on from its own notes agrees with itself ever more: with this HEARD its bars have the
# entropy of real music's.
SOUNDING = 1.13
HEARD = 0.38


class Harmony:
    """The pitch classes of a song's present bar."""

    def __init__(self) -> None:
        self.bar = 0
        self.heard = np.zeros(PITCH_CLASSES)  # notes that began in this bar
        self.ends = np.zeros(PITCH_CLASSES)  # tick of the song at which each falls silent

    def add(self, pitch: int, tick: int, duration: int) -> None:
        """Hear a note of a pitched instrument: MIDI pitch, tick of the song, ticks."""
        self._enter(tick)
        self.heard[pitch % PITCH_CLASSES] += 1
        self.ends[pitch % PITCH_CLASSES] = max(self.ends[pitch % PITCH_CLASSES], tick + duration)

    def features(self, tick: int) -> NDArray[np.float64]:
        """Of each pitch class at a tick of the song: whether it sounds, and how often it was heard.

        Returns:
            (2, 12): 0 or 1, and the logarithm of 1 and the notes in this bar.
        """
        self._enter(tick)
        return np.stack([self.ends > tick, np.log1p(self.heard)])

    def _enter(self, tick: int) -> None:
        if tick // TICKS_PER_BAR != self.bar:
            self.bar = tick // TICKS_PER_BAR
            self.heard[:] = 0


def of_pitches(pitch_classes: NDArray[np.float64], classes: int) -> NDArray[np.float64]:
    """Values (…, 12) of pitch classes for the classes (…, `classes`) of the pitch field.

    Class 0 is no pitch, class n is pitch n − 1.
    """
    return pitch_classes[..., (np.arange(classes) - 1) % PITCH_CLASSES]
