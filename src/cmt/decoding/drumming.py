"""Drumming: crashes open bars, and a fill leads to a border.

The probability of a drum sound is multiplied by a weight of its place: of toms, snares and crashes
a fill has more, of hats and rides fewer, as the last beats have in songs before a crash that opens
a bar, beside those of other bars.
"""

from __future__ import annotations

import functools

import numpy as np

from cmt.decoding.loop import Head
from cmt.music.vocabulary import FIELD, VOICES

CRASHES = (49 + 1, 57 + 1)  # classes of the cymbals that open a scene
# Logarithm of the weight of one that does not open a bar: whoever had to crash at a border would
# ride the crash from there on, and three in four of songs' crashes are on the first beat.
CRASH_INSIDE = -4.0
DRUMSTROKES = (35 + 1, 36 + 1, 38 + 1, 40 + 1)  # and of what is heard as a hit, too: kick, snare
# Logarithms of the weights of drum sounds in a fill.
FILL = {
    VOICES["tom"]: 4.0,
    (38, 40): 3.5,  # snares
    VOICES["kick"]: -0.5,
    VOICES["closed hi-hat"]: -1.0,
    VOICES["ride"]: -1.0,
}
# Logarithm of the weight of toms in the bar after a fill, lest the drummer goes on with it.
TOM_AFTER = -3.0


@functools.cache
def strokes(opening: bool, filling: bool, after: bool = False) -> Head:
    """Weights of the classes of the pitch field for drums.

    Args:
        opening: whether it is the first tick of a bar.
        filling: whether a fill is played.
        after: whether one has led to the present bar.
    """
    logarithms = np.zeros(FIELD["pitch"].size)
    if after:
        logarithms[[pitch + 1 for pitch in VOICES["tom"]]] = TOM_AFTER
    if filling:
        for voice, weight in FILL.items():
            logarithms[[pitch + 1 for pitch in voice]] = weight
    if not opening:
        logarithms[list(CRASHES)] = CRASH_INSIDE
    return np.exp(logarithms)
