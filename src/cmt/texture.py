"""Texture: who rests in a section and who moves to another register; where drummers fill.

Drawn from a piece's seed before any note, as chords are; `cmt.decoding.orchestration` and
`cmt.decoding.drumming` make it likely. The shares are those of 200 songs of five instruments
(docs/quality.md).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from cmt.music.vocabulary import INSTRUMENT_CLASS, TICKS_PER_BAR, TICKS_PER_BEAT

LEFT = 2  # instruments that play in every section, as far as the piece has them
# Share of labels in which one instrument rests: with those of which the model makes no use, every
# other section, as in songs.
RESTS = 0.25
# Who rests, by relative weight. In eight bars of a song piano and guitar rest in one case of five,
# bass and strings in one of twenty; but takes have somewhat much bass.
RESTING = {"Drums": 0.05, "Piano": 0.35, "Guitar": 0.3, "Bass": 0.15, "Strings": 0.15}
# From eight bars of a song to the next these move by more than four semitones in one case of six to
# four, by more than six in one of ten; the bass stays where it is.
MOVING = ("Piano", "Guitar", "Strings")
MOVES = 0.35  # share of labels in which each of them has moved
SEMITONES = (-7, -6, -5, -4, 4, 5, 6, 7)
FILLED = 0.6  # share of borders that are led to by a fill
PATTERN = 3  # bars after which one may come
FILL_BEATS = (1, 2, 2, 4)  # that it lasts, alike likely


@dataclass(frozen=True)
class Texture:
    """Who plays what part in a section.

    Attributes:
        resting: classes of the instruments that hardly play.
        register: class of an instrument → semitones by which it is higher than in the theme.
    """

    resting: frozenset[int] = frozenset()
    register: Mapping[int, int] = field(default_factory=dict)


def draw_textures(
    labels: Sequence[str],
    theme: str,
    rng: np.random.RandomState,
    playing: Collection[int],
    thin: Mapping[str, int],
) -> tuple[Texture, ...]:
    """The texture of each section, one for each label.

    Args:
        labels: of the sections.
        theme: the label that has moved nowhere.
        rng: of the piece.
        playing: classes of the instruments of the piece.
        thin: labels in which so many instruments rest.
    """
    drawn: dict[str, Texture] = {}
    for label in labels:
        if label not in drawn:
            number = thin.get(label, int(rng.random_sample() < RESTS))
            resting = _resting(number, rng, playing)
            drawn[label] = Texture(resting, {} if label == theme else _register(rng))
    return tuple(drawn[label] for label in labels)


def _resting(number: int, rng: np.random.RandomState, playing: Collection[int]) -> frozenset[int]:
    """So many instruments that rest, as far as some are left."""
    names = [name for name in RESTING if INSTRUMENT_CLASS[name] in playing]
    number = min(number, max(len(names) - LEFT, 0))
    weights = np.array([RESTING[name] for name in names])
    drawn = rng.choice(names, number, replace=False, p=weights / weights.sum()) if number else ()
    return frozenset(INSTRUMENT_CLASS[name] for name in drawn)


def _register(rng: np.random.RandomState) -> dict[int, int]:
    """Where instruments have moved to."""
    result = {}
    for name in MOVING:
        up = int(rng.choice(SEMITONES))
        if rng.random_sample() < MOVES:
            result[INSTRUMENT_CLASS[name]] = up
    return result


def draw_fills(borders: Collection[int], rng: np.random.RandomState) -> frozenset[int]:
    """Beats of the piece in which drummers fill, before borders (ticks).

    There is none where hardly a pattern has been heard since the border before.
    """
    result: set[int] = set()
    for before, border in pairwise([0, *sorted(borders)]):
        beats = FILL_BEATS[rng.randint(len(FILL_BEATS))]
        if rng.random_sample() < FILLED and border - before >= PATTERN * TICKS_PER_BAR:
            last = border // TICKS_PER_BEAT
            result.update(range(last - beats, last))
    return frozenset(result)
