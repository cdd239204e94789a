"""How a figure moves from one chord to another: by degrees of the scale, as players move it.

A minor's third is a major's where the chord over which the figure returns has one, and a leading
tone is there where its chord asks for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cmt.music.chords import Chord
from cmt.music.keys import PITCH_CLASSES, Key

DEGREES = 7
# Of the tones of chords, by semitones above the root: a third is two degrees above it.
DEGREE_OF = (0, 1, 1, 2, 2, 3, 4, 4, 4, 6, 6, 6)


@dataclass(frozen=True)
class Moves:
    """How far notes move from chord to chord.

    Attributes:
        which: (half bars,) index of the chord of each.
        shifts: (chords, chords, 12) semitones from the first to the second, by pitch class.
    """

    which: NDArray[np.int16]
    shifts: NDArray[np.int16]


def moves(chords: Sequence[Chord], key: Key) -> Moves:
    """Of the chords of half bars, in a key."""
    kinds = list(dict.fromkeys(chords))
    shifts = [[_shift(then, now, key) for now in kinds] for then in kinds]
    return Moves(
        np.array([kinds.index(chord) for chord in chords], np.int16), np.array(shifts, np.int16)
    )


def scale_under(chord: Chord, key: Key) -> list[int]:
    """The pitch classes of a key by degree, those bent that a chord has otherwise.

    E7 makes a G sharp of the G of A minor: its third is of the degree two above its root's. A root
    between two degrees bends the one after which the scale is the more even, not the tonic.
    """
    scale = key.scale
    if chord.root not in scale:
        bent = [
            [*scale[:degree], chord.root, *scale[degree + 1 :]]
            for degree, near in enumerate(scale)
            if (near - chord.root) % PITCH_CLASSES in (1, PITCH_CLASSES - 1)
        ]
        scale = min(bent, key=lambda pitches: (_widest(pitches), pitches[0] != key.tonic))
    root = scale.index(chord.root)
    for tone in chord.tones:
        degree = (root + DEGREE_OF[(tone - chord.root) % PITCH_CLASSES]) % DEGREES
        if (tone - scale[degree]) % PITCH_CLASSES in (1, PITCH_CLASSES - 1):
            scale[degree] = tone
    return scale


def _widest(scale: Sequence[int]) -> int:
    """Semitones of the widest step."""
    return max((b - a) % PITCH_CLASSES for a, b in zip(scale, [*scale[1:], scale[0]], strict=True))


def _shift(then: Chord, now: Chord, key: Key) -> list[int]:
    """Semitones by which each pitch class moves; with the roots where it is of no degree."""
    shifts = [(now.root - then.root + 5) % PITCH_CLASSES - 5] * PITCH_CLASSES
    before, after = scale_under(then, key), scale_under(now, key)
    steps = after.index(now.root) - before.index(then.root)
    steps = (steps + DEGREES // 2) % DEGREES - DEGREES // 2
    for degree, pitch_class in enumerate(before):
        up = (after[(degree + steps) % DEGREES] - pitch_class) % PITCH_CLASSES
        down = steps < 0 or (steps == 0 and up > PITCH_CLASSES // 2)
        shifts[pitch_class] = up - PITCH_CLASSES if down and up else up
    return shifts
