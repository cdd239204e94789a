"""Chord progressions, by mode and mood, to draw from.

Source: Ludovic Drolez, free-midi-chords (MIT, 2026): those of three, four and eight chords,
as chords of C; modal ones count to the mode of their tonic chord.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cmt.music.chords import Chord, tone_weights
from cmt.music.keys import KEYS, Key, key_fits

INSIDE = 0.8  # share of a progression's tones that are in the scale, if it tells its tonic
MARGIN = 0.05  # by which the correlation with its key is the greatest then
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
