"""Simple melodies over chords: a motif that returns, moves in sequence and is answered."""

from __future__ import annotations

import random
from collections.abc import Sequence

from arranged.harmony import Chord, Note, nearest, scale_at
from cmt.music.keys import Key

LOW, HIGH = 60, 85  # of the pitches, before a part puts them into its own octave
# Onsets within a bar (ticks), by manner.
RHYTHMS = {
    "song": (
        (0, 4, 6, 8),
        (0, 6, 8, 12),
        (2, 4, 6, 8, 12),
        (0, 4, 8),
        (0, 2, 4, 8, 10),
        (4, 6, 8, 10, 12),
        (0, 8, 10, 12),
        (0, 6, 12),
        (0, 4, 6, 10, 12),
    ),
    "long": ((0,), (0, 8), (0, 12), (0, 6), (4, 8), (0, 8, 12), (0, 14)),
    "pushed": (
        (0, 3, 6, 10),
        (0, 3, 6, 8, 11, 14),
        (2, 6, 8, 14),
        (0, 3, 8, 11),
        (3, 6, 8, 12, 14),
        (0, 6, 7, 10, 14),
        (2, 3, 6, 10, 11, 14),
    ),
    "flow": (
        (0, 2, 4, 6, 8, 10, 12, 14),
        (0, 2, 4, 6, 8, 12),
        (0, 4, 6, 8, 10, 12, 14),
        (0, 1, 2, 4, 6, 8, 10, 12),
        (0, 3, 4, 6, 8, 11, 12, 14),
    ),
    "hook": ((0, 2, 3, 6), (0, 1, 4, 6, 8), (2, 4, 8), (0, 6, 8), (0, 2, 4, 10, 12), (0, 3, 6)),
}
# Which of two bars of rhythm (0, 1), a rest (-) or a cadence (c) each of eight bars has.
PLANS = ("010c010c", "01010-0c", "0-1-0-1c", "001c001c", "0011001c", "01-0010c", "0-0-011c")
CONTOURS = ((1, 1, -1), (-1, -1, 1), (2, -1, -1), (-2, 1, 1), (1, -1, 0), (0, 0, 1), (1, 1, 1))


def melody(rng: random.Random, chords: Sequence[Chord], key: Key, manner: str) -> list[Note]:
    """A melody over chords given per beat; `manner` is a name of RHYTHMS."""
    cells = rng.sample(RHYTHMS[manner], 2)
    loose = rng.choice((0.1, 0.4, 0.8))  # how often a bar has its rhythm otherwise
    contours = [[step for _ in range(6) for step in rng.choice(CONTOURS)] for _ in cells]
    plan = rng.choice(PLANS[:4] if manner == "long" else PLANS)
    detached = rng.random() < 0.35
    base, sequence = rng.randint(67, 75), rng.choice((0, 0, -2, 2))
    notes: list[Note] = []
    for bar in range(len(chords) // 4):
        kind = plan[bar % len(plan)]
        if kind == "-":
            continue
        which = 0 if kind == "c" else int(kind)
        onsets: Sequence[int] = cells[which]
        contour = contours[which]
        if rng.random() < loose:
            onsets = _otherwise(rng, onsets)
        if kind == "c":  # a cadence: fewer notes, downwards, the last one held
            onsets, contour = onsets[: max(1, len(onsets) // 2)], [-1] * 12
        start = base + sequence * (bar // 2 % 2) + (5 if bar % 8 in (4, 5) else 0) * (sequence != 0)
        begin = start if kind != "c" or not notes else notes[-1].pitch
        notes += _bar(rng, chords, key, bar, onsets, contour, begin, detached)
    return notes


def _otherwise(rng: random.Random, onsets: Sequence[int]) -> Sequence[int]:
    """A bar's rhythm with an onset more or less, or pushed: other words sung to it."""
    changed = set(onsets) ^ {rng.choice((2, 3, 4, 6, 7, 10, 11, 12, 14))}
    pushed = rng.choice((4, 8, 12))
    if pushed in changed and rng.random() < 0.4:
        changed = changed - {pushed} | {pushed - rng.choice((1, 2))}
    return sorted(changed) or onsets


def _bar(
    rng: random.Random,
    chords: Sequence[Chord],
    key: Key,
    bar: int,
    onsets: Sequence[int],
    contour: Sequence[int],
    pitch: int,
    detached: bool,
) -> list[Note]:
    """A bar of melody from about `pitch` on: chord tones on beats, steps of the scale between."""
    notes = []
    for index, onset in enumerate(onsets):
        chord = chords[bar * 4 + onset // 4]
        end = onsets[index + 1] if index + 1 < len(onsets) else 16
        is_strong = index == 0 or end - onset >= 8 or index == len(onsets) - 1
        classes = chord.tones if is_strong else scale_at(key, chord)
        want = pitch + (2 * contour[index] if index else 0)
        want += -3 if want > 79 else 3 if want < 64 else 0
        pitch = nearest(want, classes, LOW, HIGH)
        duration = end - onset
        if duration > 2 and detached and onset % 4:
            duration = max(1, duration // 2)
        elif index == len(onsets) - 1:
            duration = min(duration, rng.choice((4, 6, 8, 12)))
        accent = 8 if onset % 8 == 0 else 3 if onset % 4 == 0 else 0
        notes.append(Note(bar * 16 + onset, duration, pitch, 88 + accent + rng.randint(-4, 4)))
    return notes
