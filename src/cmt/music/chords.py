"""Chords: their tones, their names, and which of them a song has.

A chord is found from the notes of a half bar: how long each pitch class sounds, and what the bass
plays, are likelier under some chords than under others; and chords change seldom, most of all at
bar lines, so that the likeliest sequence is sought (Viterbi 1967). Source: Sheh & Ellis, "Chord
Segmentation and Recognition using EM-Trained Hidden Markov Models", ISMIR 2003, on notes in place
of spectra.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cmt.music.keys import MODES, PITCH_CLASSES, TONICS, Key, find_key
from cmt.music.vocabulary import INSTRUMENT_CLASS, TICKS_PER_BAR
from cmt.music.words import Song

HALF_BAR = TICKS_PER_BAR // 2  # ticks that a chord lasts at least
HALVES = TICKS_PER_BAR // HALF_BAR


@dataclass(frozen=True)
class Quality:
    """A kind of chord.

    Attributes:
        steps: semitones above the root, the root first.
        names: after the root's name, the usual one first.
        family: of chords that have the same third and fifth: "major", "minor", "dim", "open".
    """

    steps: tuple[int, ...]
    names: tuple[str, ...]
    family: str


# By the usual name. What a name adds beyond a seventh is left to the players.
QUALITIES = {
    quality.names[0]: quality
    for quality in (
        Quality((0, 4, 7), ("", "M", "maj", "6", "69", "add9", "b5"), "major"),
        Quality((0, 3, 7), ("m", "min", "-", "m6", "madd9"), "minor"),
        Quality((0, 4, 7, 10), ("7", "dom7", "9", "11", "13"), "major"),
        Quality((0, 3, 7, 10), ("m7", "min7", "-7", "m9", "m11"), "minor"),
        Quality((0, 4, 7, 11), ("maj7", "M7", "maj9", "M9"), "major"),
        Quality((0, 5, 7), ("sus4", "sus", "7sus4", "7sus"), "open"),
        Quality((0, 2, 7), ("sus2",), "open"),
        Quality((0, 3, 6), ("dim", "o", "dim7", "o7"), "dim"),
        Quality((0, 3, 6, 10), ("m7b5",), "dim"),
        Quality((0, 4, 8), ("aug", "+"), "major"),
        Quality((0, 7), ("5",), "open"),
    )
}
_QUALITY_OF = {name: usual for usual, quality in QUALITIES.items() for name in quality.names}
SPELLING = "C, F#, Bb and the like, then nothing (major), m, 7, m7, maj7, sus4, sus2, dim, aug or 5"


@dataclass(frozen=True)
class Chord:
    """A chord: its root's pitch class, 0 (C) … 11, and a name of QUALITIES."""

    root: int
    quality: str = ""

    @classmethod
    def named(cls, name: str) -> Chord:
        """The chord of a name such as "F#m7".

        Raises:
            ValueError: there is no such chord.
        """
        found = re.fullmatch(r"([A-G][#b]?)(.*)", name)
        quality = _QUALITY_OF.get(re.sub(r"[()]", "", found[2])) if found else None
        if not found or found[1] not in TONICS or quality is None:
            raise ValueError(f"no chord is called {name!r}; write {SPELLING}")
        return cls(TONICS[found[1]], quality)

    def __str__(self) -> str:
        mode = "minor" if self.family in ("minor", "dim") else "major"
        return MODES[mode].tonics[self.root] + self.quality

    def name_in(self, key: Key) -> str:
        """Its name, spelled as is usual in a key."""
        root = key.name_of(self.root)
        return str(self) if root is None else root + self.quality

    @property
    def family(self) -> str:
        """Of chords that have the same third and fifth."""
        return QUALITIES[self.quality].family

    @property
    def tones(self) -> list[int]:
        """Its pitch classes, the root first."""
        return [(self.root + step) % PITCH_CLASSES for step in QUALITIES[self.quality].steps]

    def up(self, semitones: int) -> Chord:
        """The same, transposed."""
        return Chord((self.root + semitones) % PITCH_CLASSES, self.quality)


def tone_weights(chords: Sequence[Chord]) -> NDArray[np.float64]:
    """How often chords have each pitch class, (12,); roots count twice."""
    weights = np.zeros(PITCH_CLASSES)
    for chord in chords:
        weights[chord.tones] += 1
        weights[chord.root] += 1
    return weights


def key_of(chords: Sequence[Chord]) -> Key:
    """The key that chords of equal length are in; with which they begin and end counts twice."""
    key = find_key(tone_weights([*chords, chords[0], chords[-1]]))
    assert key is not None
    return key


# Bars, each of the chords of its two halves, that repeat.
ChordLoop = tuple[tuple[Chord, Chord], ...]


def loop_of(chords: Sequence[Chord]) -> ChordLoop:
    """One chord a bar; the third of three lasts two."""
    whole = [*chords, chords[-1]] if len(chords) == 3 else chords
    return tuple((chord, chord) for chord in whole)


def read_loops(text: str) -> tuple[ChordLoop, ...]:
    """The chords of sections from a text such as "Am F C,G Am; F G".

    A chord is a bar, "C,G" a bar of two; ";" ends a section. Where a section has bar lines, as in
    "Am F | C G", what is between them is a bar.

    Raises:
        ValueError: there is no such chord, or a bar or a section has none or more than two.
    """
    loops = []
    for section in text.split(";"):
        bars = section.strip(" |").split("|") if "|" in section else section.split()
        if not bars:
            raise ValueError(f"{text!r}: a section without chords")
        loops.append(tuple(_read_bar(bar) for bar in bars))
    return tuple(loops)


def _read_bar(text: str) -> tuple[Chord, Chord]:
    chords = [Chord.named(name) for name in text.replace(",", " ").split()]
    if len(chords) not in (1, 2):
        raise ValueError(f"{text.strip()!r}: a bar has one chord or two")
    return chords[0], chords[-1]


def write_loops(loops: Sequence[ChordLoop], key: Key | None = None) -> str:
    """The text that `read_loops` reads; spelled as in a key, if one is given."""

    def name(chord: Chord) -> str:
        return chord.name_in(key) if key else str(chord)

    return "; ".join(
        " ".join(
            name(first) if first == last else f"{name(first)},{name(last)}" for first, last in loop
        )
        for loop in loops
    )


# How a chord sounds: the shares of its root, third, fifth and seventh among the notes of a half
# bar, those of the bass and the others, and what other pitch classes have between them. These and
# the next are such that the chords of 70 arranged pieces are found (of 300 others 89.5 %).
SHARES, STRANGE = (1.0, 0.9, 0.8, 0.4), 0.15
BASS_SHARES, BASS_STRANGE = (5.0, 0.5, 1.4, 0.1), 0.2
EVIDENCE, BASS_EVIDENCE = 4.8, 1.8  # notes as independent ones that a full half bar counts as
CHANGE, CHANGE_INSIDE = 0.5, 2.6  # nats that a change costs at a bar line and inside a bar
# Nats that a quality costs: what is rarer must be heard more clearly.
RARITY = {
    "": 0.0, "m": 0.0, "7": 0.8, "m7": 1.8, "maj7": 1.0, "sus4": 2.5, "sus2": 2.4, "dim": 1.5,
    "m7b5": 2.0, "5": 2.2,
}  # fmt: skip
CANDIDATES = tuple(Chord(root, quality) for quality in RARITY for root in range(PITCH_CLASSES))


def find_chords(song: Song) -> list[Chord | None]:
    """The chord of each half bar of a song; None before the first pitched note.

    Silence goes on with the chord before.
    """
    halves = -(-song.length // HALF_BAR)
    bass, others = _durations(song, halves)
    if not len(song.pitched):
        return [None] * halves
    fits = (
        _evidence(others, EVIDENCE) @ _log_shares(SHARES, STRANGE).T
        + _evidence(bass, BASS_EVIDENCE) @ _log_shares(BASS_SHARES, BASS_STRANGE).T
        - np.array([RARITY[chord.quality] for chord in CANDIDATES])
    )
    heard = (bass + others).sum(-1) > 0
    first = int(heard.argmax())
    return [None] * first + [CANDIDATES[index] for index in _likeliest(fits[first:], first)]


def _durations(song: Song, halves: int) -> NDArray[np.float64]:
    """Ticks that each pitch class sounds in each half bar, (2, halves, 12): bass, the others."""
    result = np.zeros((2, halves, PITCH_CLASSES))
    notes = song.pitched
    starts = notes["tick"].astype(int)
    ends = np.minimum(starts + np.maximum(notes["duration"], 1), halves * HALF_BAR)
    part = (notes["instrument"] != INSTRUMENT_CLASS["Bass"]).astype(int)
    pitch_class = notes["pitch"] % PITCH_CLASSES
    for later in range(int((ends - starts).max(initial=0)) // HALF_BAR + 2):
        half = starts // HALF_BAR + later
        within = np.minimum(ends, (half + 1) * HALF_BAR) - np.maximum(starts, half * HALF_BAR)
        sounding = within > 0
        np.add.at(
            result,
            (part[sounding], half[sounding], pitch_class[sounding]),
            within[sounding],
        )
    return result


def _evidence(durations: NDArray[np.float64], most: float) -> NDArray[np.float64]:
    """Weights (halves, 12) of pitch classes: they add up to `most` where notes fill a half bar."""
    total = durations.sum(-1, keepdims=True)
    return most * durations / np.maximum(total, HALF_BAR)


def _log_shares(shares: Sequence[float], strange: float) -> NDArray[np.float64]:
    """Logarithm of each pitch class's share under each of CANDIDATES, (candidates, 12)."""
    result = np.zeros((len(CANDIDATES), PITCH_CLASSES))
    for row, chord in zip(result, CANDIDATES, strict=True):
        row[chord.tones] = _of_steps(chord, shares)
        row *= (1 - strange) / row.sum()
        row += strange / PITCH_CLASSES
    return np.log(result)


def _of_steps(chord: Chord, shares: Sequence[float]) -> list[float]:
    """Shares of a chord's tones: root, third (or what stands for it), fifth, seventh."""
    root, third, fifth, seventh = shares
    if chord.quality == "5":
        return [root, fifth]
    return [root, third, fifth, seventh][: len(chord.tones)]


def _likeliest(fits: NDArray[np.float64], first: int) -> list[int]:
    """The likeliest sequence of candidates for their fits (halves, candidates).

    Half bar `first` of the song is the first of these.
    """
    best, came_from = fits[0], []
    for index, fit in enumerate(fits[1:], start=first + 1):
        cost = CHANGE_INSIDE if index % HALVES else CHANGE
        changed = best.max() - cost
        came_from.append(np.where(best >= changed, np.arange(len(best)), best.argmax()))
        best = np.maximum(best, changed) + fit
    path = [int(best.argmax())]
    for origins in reversed(came_from):
        path.append(int(origins[path[-1]]))
    return path[::-1]
