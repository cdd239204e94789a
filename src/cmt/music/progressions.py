"""Chord progressions, by mode and mood, to draw from.

Source: Ludovic Drolez, free-midi-chords (MIT, 2026): those of three, four and eight chords,
as chords of C; modal ones count to the mode of their tonic chord.
"""

from __future__ import annotations

import csv
import functools
from dataclasses import dataclass
from pathlib import Path

from cmt.music.chords import Chord, key_of
from cmt.music.keys import Key

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
        """Whether its tones are those of C, not of a relative or another key."""
        return key_of(self.chords) == Key(0, self.mode)


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


def choices(mode: str, mood: str | None = None) -> list[Progression]:
    """Progressions of a mode to choose from; where that leaves any, of a mood.

    Of those without a mood the ones that tell their tonic.
    """
    if mood is None:
        return [each for each in progressions() if each.mode == mode and each.tells_tonic]
    expressing = [each for each in progressions() if mood in each.moods]
    return [each for each in expressing if each.mode == mode] or expressing
