"""Chord progressions, by mode and mood, to draw from.

Source: Ludovic Drolez, free-midi-chords (MIT, 2026): those of three, four and eight chords,
as chords of C; modal ones count to the mode of their tonic chord.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cmt.music.chords import Chord, ChordLoop, loop_of, tone_weights
from cmt.music.keys import KEYS, Key, key_fits

INSIDE = 0.8  # share of a progression's tones that are in the scale, if it tells its tonic
MARGIN = 0.05  # by which the correlation with its key is the greatest then
VAMP = 0.3  # share of progressions that swing between their first two chords, if the tonic is one
# Probability that the dominant of a progression has its seventh: of songs' half bars one in twelve
# sounds as a seventh chord, of the progressions one in twenty.
SEVENTH = 0.4
_TABLE = Path(__file__).with_suffix(".csv")


@dataclass(frozen=True)
class Progression:
    """Chords that follow each other, and begin again.

    Attributes:
        chords: in C.
        mode: a name of `cmt.music.keys.MODES`.
        moods: what it is said to express, in small letters.
    """

    chords: tuple[Chord, ...]
    mode: str
    moods: tuple[str, ...]

    @functools.cached_property
    def tells_tonic(self) -> bool:
        """Whether its tones are mostly of the scale of C, and fit no other tonic as well."""
        key = Key(0, self.mode)
        inside = np.mean([tone in key.scale for chord in self.chords for tone in chord.tones])
        fits = key_fits(tone_weights(self.chords))
        others = [fit for fit, other in zip(fits, KEYS, strict=True) if other.tonic != key.tonic]
        return bool(inside >= INSIDE and fits[KEYS.index(key)] >= max(others) + MARGIN)


@functools.cache
def progressions() -> tuple[Progression, ...]:
    """All of them."""
    with _TABLE.open(encoding="utf-8", newline="") as file:
        return tuple(
            Progression(
                tuple(Chord.named(name) for name in row["chords"].split()),
                row["mode"],
                tuple(row["moods"].split()),
            )
            for row in csv.DictReader(file)
        )


@functools.cache
def moods() -> tuple[str, ...]:
    """The words that progressions may be asked for by, sorted."""
    return tuple(sorted({mood for each in progressions() for mood in each.moods}))


def choices(mode: str, asked: Collection[str] = ()) -> list[Progression]:
    """Progressions of a mode to choose from; where that leaves any, of one of the moods asked for.

    Where none is asked for, those that tell their tonic.
    """
    if not asked:
        return [each for each in progressions() if each.mode == mode and each.tells_tonic]
    expressing = [each for each in progressions() if set(asked) & set(each.moods)]
    return [each for each in expressing if each.mode == mode] or expressing


def draw_loop(
    rng: np.random.RandomState,
    key: Key,
    asked: Collection[str],
    others: Sequence[ChordLoop],
    home: bool,
) -> ChordLoop:
    """A progression of a key, as chords of each half bar.

    Args:
        rng: of the piece.
        key: into which it is transposed, and whose mode it has.
        asked: moods, of which it has one; none is any.
        others: progressions that it is none of, if there is another.
        home: whether it begins on the tonic, if one does.
    """
    loops = [
        loop_of([chord.up(key.tonic) for chord in each.chords]) for each in choices(key.mode, asked)
    ]
    if home:
        loops = [loop for loop in loops if loop[0][0].root == key.tonic] or loops
    new = [loop for loop in loops if loop not in others] or loops
    drawn = new[rng.randint(len(new))]
    if rng.random_sample() < VAMP and any(key.tonic == bar[0].root for bar in drawn[:2]):
        drawn = drawn[:2]
    if not asked and rng.random_sample() < SEVENTH:
        plain, seventh = replace(dominant(key), quality=""), dominant(key)
        drawn = tuple(
            (seventh if first == plain else first, seventh if second == plain else second)
            for first, second in drawn
        )
    return drawn


def dominant(key: Key) -> Chord:
    """The chord that leads back to the tonic."""
    return Chord(key.tonic, "7").up(7)
