"""Rhythms of accompaniments, and what is done to them: lengths, accents, a change now and then."""

from __future__ import annotations

import random
from collections.abc import Sequence

from arranged.harmony import Span

# Onsets in a bar (ticks) of chords, by who plays them.
PIANO_RHYTHMS = (
    (0, 12),
    (0, 8, 14),
    (0, 10),
    (0,),
    (0, 8),
    (0, 4, 8, 12),
    (0, 6, 8, 14),
    (0, 3, 6, 8, 11, 14),
    (0, 6, 12),
    (2, 6, 10, 14),
    (0, 4, 6, 10, 12),
    (0, 3, 8, 11),
    (0, 2, 4, 6, 8, 10, 12, 14),
    (4, 12),
    (0, 3, 6, 10, 13),
)
GUITAR_RHYTHMS = (
    (0,),
    (0, 8),
    (0, 8, 12),
    (0, 4, 8, 12),
    (0, 3, 7, 8, 11, 15),
    (0, 2, 3, 5, 6, 8, 10, 11, 13, 14),
    (0, 3, 6, 9, 12, 14),
    (0, 4, 6, 7, 10, 12, 14, 15),
    (0, 4, 6, 10, 12, 14),
    (0, 2, 4, 6, 8, 10, 12, 14),
    (0, 6, 10, 12),
    (4, 12),
    (2, 6, 10, 14),
    (0, 3, 4, 6, 8, 11, 12, 14),
    (0, 4, 8, 10, 12),
    (0, 4, 6, 8, 12, 14),
    (0, 3, 6, 8, 10, 12, 14),
    (0, 2, 3, 6, 8, 10, 11, 14),
)
STAB_RHYTHMS = (
    (0, 3, 6, 10),
    (2, 6, 10, 14),
    (0, 6),
    (3, 6, 11, 14),
    (0, 2, 6, 8, 14),
    (0, 12, 14),
    (0, 3, 6, 9, 12),
    (0, 4, 7, 10, 14),
    (6, 14),
)
RIFF_RHYTHMS = (
    (0, 2, 4, 6, 8, 10, 12, 14),
    (0, 2, 3, 4, 6, 7, 8, 10, 11, 12, 14, 15),
    (0, 3, 6, 8, 11, 14),
    (0, 4, 6, 8, 12, 14),
    (0, 1, 2, 4, 6, 8, 9, 10, 12, 14),
    (0, 6, 8, 14),
    (0, 3, 6, 10, 12),
    (0, 2, 3, 6, 8, 10, 11, 14),
    (0, 3, 4, 7, 8, 11, 12, 14),
    (0, 1, 2, 3, 6, 8, 9, 10, 11, 14),
    (2, 4, 6, 10, 12, 14),
    (0, 8, 10, 11, 12),
)
OSTINATI = (
    (0, 2, 4, 6, 8, 10, 12, 14),
    (0, 3, 6, 8, 11, 14),
    (0, 2, 3, 4, 6, 8, 10, 11, 12, 14),
    (0, 3, 6, 9, 12, 14),
    tuple(range(16)),
    (0, 4, 6, 8, 12, 14),
    (0, 2, 3, 6, 8, 10, 11, 14),
)
# Order in which an arpeggio takes the notes of a voicing, its lowest an octave up the last.
ORDERS = (
    (0, 1, 2, 1),
    (0, 2, 1, 2),
    (0, 1, 2, 3),
    (3, 2, 1, 0),
    (0, 1, 2, 1, 3, 1, 2, 1),
    (0, 2, 1, 2, 3, 2, 1, 2),
    (0, 1, 2, 3, 2, 1),
    (0, 2, 3),
    (0, 3, 2, 3, 1, 3, 2, 3),
)
COUNTER_CELLS = (
    (0, 4, 8),
    (2, 6),
    (0, 3, 6),
    (0, 6, 8, 12),
    (4, 6, 8, 10, 12),
    (8, 10, 12, 14),
    (0, 8),
    (2, 4, 10),
    (0, 2, 4, 8),
)


def lengths(rng: random.Random, slots: int) -> list[float]:
    """How much of the time to the next onset each of a pattern's notes sounds."""
    manner = rng.random()
    if manner < 0.2:
        return [1.0] * slots
    if manner < 0.4:
        return [0.1] * slots
    choices = rng.choice(((1.0, 1.0, 0.5, 0.1), (1.0, 0.75, 0.75, 0.1), (1.0, 0.8, 0.3)))
    return [rng.choice(choices) for _ in range(slots)]


def alternating(
    rng: random.Random, pattern: Sequence[int], chance: float = 0.75
) -> list[tuple[int, ...]]:
    """A pattern for each of four bars: every second or fourth one may have onsets of its own."""
    usual = tuple(pattern)
    if rng.random() > chance:
        return [usual] * 4
    second = tuple(sorted({*usual} ^ set(rng.sample(range(2, 16), rng.choice((1, 2, 3))))))
    fourth = usual[: max(1, len(usual) // 2)]
    if rng.random() < 0.5:
        fourth = tuple(sorted({*usual, *rng.sample((10, 11, 12, 13, 14, 15), 2)}))
    return rng.choice(
        ([usual, second, usual, second], [usual, second, usual, fourth], [usual] * 3 + [fourth])
    )


def velocity(tick: int, base: int) -> int:
    """Velocity of a note by its place in the bar."""
    return base + (9 if tick % 16 == 0 else 5 if tick % 8 == 0 else 2 if tick % 4 == 0 else -3)


def rhythmic(
    span: Span, pattern: Sequence[int], sounding: Sequence[float]
) -> list[tuple[int, int, int]]:
    """A pattern in a span: (index in the pattern, tick, duration), durations by `lengths`."""
    ticks = [(i, span.bar + x) for i, x in enumerate(pattern)]
    mine = [(i, tick) for i, tick in ticks if span.tick <= tick < span.stop]
    ends = [*(tick for _, tick in mine[1:]), span.stop][: len(mine)]
    return [
        (i, tick, max(1, round((end - tick) * sounding[i])))
        for (i, tick), end in zip(mine, ends, strict=True)
    ]
