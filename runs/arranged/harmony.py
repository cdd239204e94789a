"""Chords by name, their voicings, and the colouring of a plain progression."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from cmt.music.keys import PITCH_CLASSES, TONICS, Key

ROOTS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
# Semitones above the root, by what follows the root in a chord's name (as mma spells it).
QUALITIES = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "7": (0, 4, 7, 10),
    "m7": (0, 3, 7, 10),
    "M7": (0, 4, 7, 11),
    "dim": (0, 3, 6),
    "m7b5": (0, 3, 6, 10),
    "dim7": (0, 3, 6, 9),
    "sus4": (0, 5, 7),
    "sus2": (0, 2, 7),
    "5": (0, 7),
    "6": (0, 4, 7, 9),
    "m6": (0, 3, 7, 9),
    "9": (0, 4, 7, 10, 2),
    "m9": (0, 3, 7, 10, 2),
    "M9": (0, 4, 7, 11, 2),
    "(add9)": (0, 4, 7, 2),
    "m(add9)": (0, 3, 7, 2),
    "69": (0, 4, 7, 9, 2),
    "(b5)": (0, 4, 6),
}
# The qualities that a set of notes is named by, the likelier ones first.
NAMED = ("", "m", "7", "m7", "dim", "M7", "sus4")
# How much of a style's chords may gain a seventh, a ninth or a suspension, 0 … 1.
COLOUR = {
    "metal": 0.15,
    "folk": 0.15,
    "country": 0.35,
    "rock": 0.45,
    "electronic": 0.5,
    "dance": 0.55,
}


class Note(NamedTuple):
    """A note of a part.

    Attributes:
        tick: onset, in ticks from the start of the piece, or of its block.
        duration: ticks.
        pitch: of MIDI.
        velocity: 1 … 127.
    """

    tick: int
    duration: int
    pitch: int
    velocity: int = 80


@dataclass(frozen=True)
class Chord:
    """A chord: its root's pitch class, 0 (C) … 11, and a name of QUALITIES."""

    root: int
    quality: str = ""

    @classmethod
    def named(cls, name: str) -> Chord:
        """The chord of a name such as "Bbm7"."""
        match = re.fullmatch(r"([A-G][b#]?)(.*)", name)
        if not match or match[2] not in QUALITIES:
            raise ValueError(f"no chord is called {name!r}")
        return cls(TONICS[match[1]], match[2])

    @classmethod
    def of(cls, pitches: Iterable[int]) -> Chord:
        """The chord that has most of the notes, and few others; its root rather the lowest."""
        sounding = list(pitches)
        heard, lowest = {pitch % PITCH_CLASSES for pitch in sounding}, min(sounding)

        def fit(chord: Chord) -> float:
            tones = set(chord.tones)
            same = len(tones & heard) - 0.6 * len(tones ^ heard)
            is_bass = chord.root == lowest % PITCH_CLASSES
            return same + 0.2 * is_bass - 0.01 * len(chord.quality)

        return max((cls(root, q) for root in range(PITCH_CLASSES) for q in NAMED), key=fit)

    def __str__(self) -> str:
        return ROOTS[self.root] + self.quality

    @property
    def tones(self) -> list[int]:
        """Its pitch classes, the root first."""
        return [(self.root + step) % PITCH_CLASSES for step in QUALITIES[self.quality]]

    def moved(self, semitones: int) -> Chord:
        """The chord transposed."""
        return replace(self, root=(self.root + semitones) % PITCH_CLASSES)


class Span(NamedTuple):
    """A chord's stay, within a bar: from `tick` on, for `duration` ticks."""

    tick: int
    duration: int
    chord: Chord

    @property
    def bar(self) -> int:
        """Tick at which its bar begins."""
        return self.tick // 16 * 16

    @property
    def stop(self) -> int:
        """Tick at which it ends."""
        return self.tick + self.duration

    def within(self, pattern: Iterable[int]) -> list[int]:
        """Ticks of a bar's pattern (0 … 15) that are in the span, from the piece's start."""
        return [self.bar + x for x in pattern if self.tick <= self.bar + x < self.stop]


def spans(chords: Sequence[Chord]) -> list[Span]:
    """The stays of chords given per beat."""
    result: list[Span] = []
    for beat, chord in enumerate(chords):
        if result and beat % 4 and result[-1].chord == chord:
            result[-1] = result[-1]._replace(duration=result[-1].duration + 4)
        else:
            result.append(Span(beat * 4, 4, chord))
    return result


def scale_at(key: Key, chord: Chord) -> list[int]:
    """The key's pitch classes, those beside a chord tone from elsewhere replaced by it."""
    foreign = [tone for tone in chord.tones if tone not in key.scale]
    kept = [p for p in key.scale if not any((p - f) % 12 in (1, 11) for f in foreign)]
    return sorted({*kept, *foreign, *chord.tones})


def nearest(pitch: float, classes: Iterable[int], low: int, high: int) -> int:
    """The pitch nearest to one, of some classes, from `low` to below `high`."""
    allowed = set(classes)
    return min(
        (p for p in range(low, high) if p % PITCH_CLASSES in allowed),
        key=lambda p: (abs(p - pitch), p),
    )


def voicing(
    chord: Chord, last: Sequence[int] | None, low: int, high: int, size: int = 3
) -> list[int]:
    """The close voicing of `size` notes that moves least from the last one, ascending."""
    tones = chord.tones
    if len(tones) > size:  # the fifth of a triad is the first to go, then the root
        tones = [tones[1], tones[2], tones[-1]][:size] if size > 2 else [tones[0], tones[1]]
    best: tuple[float, list[int]] | None = None
    for base in range(low, high - 4):
        if base % PITCH_CLASSES not in tones:
            continue
        stack = [p for p in range(base, base + 25) if p % PITCH_CLASSES in tones][:size]
        if stack[-1] > high + 4:
            continue
        if last:
            cost = float(sum(abs(a - b) for a, b in zip(stack, last, strict=False)))
        else:
            cost = abs(sum(stack) / len(stack) - (low + high) / 2)
        if best is None or cost < best[0]:
            best = cost, stack
    return best[1] if best else [nearest(low, tones, low, low + 12)]


def clashes(chord: Chord, pitches: Iterable[int]) -> bool:
    """Whether a note lies a semitone above a tone of the chord."""
    tones = chord.tones
    return any(p % 12 not in tones and (p - 1) % 12 in tones for p in pitches)


def enriched(
    rng: random.Random, chords: Sequence[Chord], style: str, key: Key, melody: Sequence[Note] = ()
) -> list[Chord]:
    """Chords (per beat) with sevenths, ninths, suspensions and dominants that the melody allows.

    A chord is coloured the same way wherever it comes.
    """
    amount = COLOUR.get(style, 0.7) * rng.choice((0.3, 0.8, 1, 1.5))

    def heard(start: int, stop: int) -> list[int]:
        return [
            note.pitch
            for note in melody
            if note.duration >= 2
            and note.tick % 4 == 0
            and note.tick < stop * 4
            and note.tick + note.duration > start * 4
        ]

    turned = _with_turns(rng, list(chords), key, amount, heard)
    colours = {chord: _coloured(rng, chord, key, amount) for chord in dict.fromkeys(turned)}
    result = []
    for beat, chord in enumerate(turned):
        here = heard(beat, beat + 1)
        colour = colours[chord]
        result.append(chord if clashes(colour, here) and not clashes(chord, here) else colour)
    return result


def _coloured(rng: random.Random, chord: Chord, key: Key, amount: float) -> Chord:
    """A triad with a colour that its degree may have, in `amount` of all cases."""
    if rng.random() >= amount:
        return chord
    degree = (chord.root - key.tonic) % PITCH_CLASSES
    if chord.quality == "":
        if degree == 7:
            return replace(chord, quality=rng.choice(("7", "7", "sus4", "9")))
        if degree in (0, 3, 5, 8):
            return replace(chord, quality=rng.choice(("(add9)", "M7", "M9", "6", "7", "sus2")))
        return replace(chord, quality=rng.choice(("7", "(add9)")))
    if chord.quality == "m":
        return replace(chord, quality=rng.choice(("m7", "m7", "m9", "m(add9)", "m6")))
    return chord


def _with_turns(
    rng: random.Random,
    chords: list[Chord],
    key: Key,
    amount: float,
    heard: Callable[[int, int], list[int]],
) -> list[Chord]:
    """Chords of which every second bar may turn to the next one by its dominant.

    Some bars begin suspended. `heard` tells the melody's pitches between two beats.
    """
    turns = rng.random() < 0.6
    subdominant = Chord((key.tonic + 5) % 12, "m" if key.mode == "minor" else "")
    for beat in range(0, len(chords), 4):
        if len(set(chords[beat : beat + 4])) > 1:
            continue
        chord, following = chords[beat], chords[(beat + 4) % len(chords)]
        if turns and beat // 4 % 2 and following != chord and rng.random() < 0.6:
            dominants = (following.root + 7, key.tonic + 7)
            choices = [Chord(r % 12, q) for r in dominants for q in ("", "7")]
            leading = Chord((following.root - 1) % PITCH_CLASSES, "dim7")
            new = rng.choice([*choices, subdominant, leading])
            if all(p % 12 in new.tones for p in heard(beat + 2, beat + 4)):
                chords[beat + 2 : beat + 4] = [new] * 2
        elif (
            chord.quality == ""
            and rng.random() < amount * 0.25
            and all((p - chord.root) % 12 != 4 for p in heard(beat, beat + 2))
        ):
            chords[beat : beat + 2] = [replace(chord, quality="sus4")] * 2
    return chords
