"""The 24 major and minor keys: scales, chords, and which of them a piece is in."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PITCH_CLASSES = 12
SHARPS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
FLATS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
# Spellings of the tonics → pitch class.
TONICS = {name: tonic for names in (SHARPS, FLATS) for tonic, name in enumerate(names)} | {"Cb": 11}
FLAT_MAJORS = (1, 3, 5, 8, 10)  # tonics of the major keys that are written with flats


@dataclass(frozen=True)
class Mode:
    """A scale type.

    Attributes:
        scale: semitones above the tonic; of minor, the natural one.
        chord: its triad.
        relative: semitones that the tonic of the major key with the same tones is above its own.
        tonics: how they are usually written.
        profile: how well each semitone above the tonic fits, for finding keys (Krumhansl and
            Kessler 1982, probe-tone ratings).
        melodic: the same for single melodies (Temperley 1999, "What's Key for Key?", table 2).
    """

    scale: tuple[int, ...]
    chord: tuple[int, ...]
    relative: int
    tonics: tuple[str, ...]
    profile: tuple[float, ...]
    melodic: tuple[float, ...]


MODES = {
    "major": Mode(
        scale=(0, 2, 4, 5, 7, 9, 11),
        chord=(0, 4, 7),
        relative=0,
        tonics=("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"),
        profile=(6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
        melodic=(5.0, 2.0, 3.5, 2.0, 4.5, 4.0, 2.0, 4.5, 2.0, 3.5, 1.5, 4.0),
    ),
    "minor": Mode(
        scale=(0, 2, 3, 5, 7, 8, 10),
        chord=(0, 3, 7),
        relative=3,
        tonics=("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B"),
        profile=(6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
        melodic=(5.0, 2.0, 3.5, 4.5, 2.0, 4.0, 2.0, 4.5, 3.5, 2.0, 1.5, 4.0),
    ),
}


@dataclass(frozen=True)
class Key:
    """A key: its tonic's pitch class, 0 (C) … 11, and a name of MODES."""

    tonic: int
    mode: str = "major"

    @classmethod
    def named(cls, name: str) -> Key:
        """The key of a name such as "Eb minor", or "D# minor", which is the same here.

        Raises:
            ValueError: there is no such key.
        """
        tonic, _, mode = name.partition(" ")
        if tonic not in TONICS or mode not in MODES:
            raise ValueError(f"no key is called {name!r}")
        return cls(TONICS[tonic], mode)

    def __str__(self) -> str:
        return f"{MODES[self.mode].tonics[self.tonic]} {self.mode}"

    def name_of(self, pitch_class: int) -> str | None:
        """How a tone is written in it; None of one that is foreign to it, unless it has flats.

        The leading tone is not foreign to minor.
        """
        mode = MODES[self.mode]
        relative = (self.tonic + mode.relative) % PITCH_CLASSES
        if relative in FLAT_MAJORS or mode.tonics[self.tonic].endswith("b"):
            return FLATS[pitch_class]
        leading = (self.tonic - 1) % PITCH_CLASSES
        return SHARPS[pitch_class] if pitch_class in (*self.scale, leading) else None

    @property
    def scale(self) -> list[int]:
        """Pitch classes of the scale."""
        return [(self.tonic + step) % PITCH_CLASSES for step in MODES[self.mode].scale]

    @property
    def leading(self) -> list[int]:
        """Pitch classes that are at home in it, though not of its scale: minor's leading tone."""
        return [(self.tonic - 1) % PITCH_CLASSES] if self.mode == "minor" else []

    @property
    def chord(self) -> list[int]:
        """Pitch classes of the tonic triad, the tonic first."""
        return [(self.tonic + step) % PITCH_CLASSES for step in MODES[self.mode].chord]


KEYS = tuple(Key(tonic, mode) for mode in MODES for tonic in range(PITCH_CLASSES))


def key_fits(weights: NDArray[np.float64], melodic: bool = False) -> NDArray[np.float64]:
    """How well pitch-class weights (12,), not all equal, correlate with each key of KEYS, (24,).

    Those of a single melody are compared with what melodies are like.

    Source: Krumhansl 1990, "Cognitive Foundations of Musical Pitch", chapter 4.
    """
    import numpy as np

    fits: NDArray[np.float64] = _profiles(melodic) @ weights
    return fits / np.linalg.norm(weights - weights.mean())


def find_key(weights: NDArray[np.float64], melodic: bool = False) -> Key | None:
    """The key that fits weights (12,) best, as `key_fits` has it; None where they are equal."""
    if weights.max() == weights.min():
        return None
    return KEYS[int(key_fits(weights, melodic).argmax())]


@functools.cache
def _profiles(melodic: bool) -> NDArray[np.float64]:
    """The profile of each key, (24, 12), of mean 0 and length 1: products are correlations."""
    import numpy as np

    modes = [MODES[key.mode] for key in KEYS]
    profiles = [mode.melodic if melodic else mode.profile for mode in modes]
    rows = np.array([np.roll(row, key.tonic) for row, key in zip(profiles, KEYS, strict=True)])
    rows -= rows.mean(-1, keepdims=True)
    rows /= np.linalg.norm(rows, axis=-1, keepdims=True)
    return rows
