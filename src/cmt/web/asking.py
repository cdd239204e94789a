"""What a visitor asks, as `cmt.compose` takes it: seconds become bars, and hits their times."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmt.compose import Settings, in_mood
from cmt.control import Control
from cmt.decoding.passage import Passage
from cmt.decoding.style import Style
from cmt.hits import edited
from cmt.model.products import AUTO, PRECISIONS
from cmt.music.vocabulary import TICKS_PER_BAR
from cmt.retiming import retimed
from cmt.revision import Revision
from cmt.sections import SectionWish
from cmt.web.settings import Again, Asked, Parts

Hits = Sequence[Mapping[str, Any]]  # of a video, as its timeline has them


def settings_of(asked: Asked, control: Control, hits: Hits) -> Settings:
    """What is asked of the model.

    Args:
        asked: by the visitor.
        control: what the video asks for.
        hits: of the video.
    """
    end = control.duration or math.inf
    removed, added = changed_hits(Parts(), asked.parts, hits, end)
    settings = Settings(
        mood=asked.mood,
        density=asked.density,
        removed=removed,
        added=added,
        takes=asked.takes,
        degree=asked.follow,
        tempo=asked.tempo,
        style=Style(
            genre=asked.genre,
            instruments=asked.instruments,
            key=asked.key,
            chords=asked.chords,
        ),
        # Takes that are made together are each what it is alone in this precision only.
        precision=PRECISIONS[0] if asked.takes > 1 else asked.precision or AUTO,
        seed=asked.seed,
        theme=asked.theme,
        timbres=asked.timbres,
        rank=True,
    )
    tempo = in_mood(settings, control).tempo
    placed = retimed(edited(control, removed, added), tempo)
    bars = placed.grid.seconds(np.arange(0, placed.end, TICKS_PER_BAR))
    style = replace(settings.style, sections=in_bars(asked.parts, bars))
    before, changes = asked.parts, list[Passage | Revision]()
    for change in asked.changes:
        if isinstance(change, Again):
            changes.append(Passage(change.first, change.last, change.seed))
            continue
        sections = in_bars(change.parts, bars)
        moved = changed_hits(before, change.parts, hits, end)
        changes.append(Revision(sections, *moved, seed=change.seed, kept=change.kept))
        before = change.parts
    return replace(settings, style=style, passages=tuple(changes))


def in_bars(parts: Parts, bars: NDArray[np.float64]) -> tuple[SectionWish, ...]:
    """The wishes for sections, each at the bar that begins nearest to where it is to begin.

    Where one bar is nearest to two of them the first has it: at another tempo a section may have
    no bar of its own.

    Args:
        parts: what is asked.
        bars: seconds at which bars begin.
    """
    wishes: dict[int, SectionWish] = {}
    for wish, start in zip(parts.sections, parts.starts, strict=True):
        bar = wish.bar if start is None else int(np.abs(bars - start).argmin())
        wishes.setdefault(bar, replace(wish, bar=bar))
    return tuple(wishes[bar] for bar in sorted(wishes))


def changed_hits(
    before: Parts, after: Parts, hits: Hits, end: float
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Seconds, up to `end`, of the hits that go and of those that come."""
    old, new = (_seconds(parts, hits) for parts in (before, after))
    gone, come = (
        [each for each in old if each not in new],
        [each for each in new if each not in old],
    )
    return tuple(each for each in gone if each < end), tuple(each for each in come if each < end)


def _seconds(parts: Parts, hits: Hits) -> list[float]:
    """When hits are that the music is to meet."""
    kept = [hit["second"] for hit in hits if parts.kept is None or hit["id"] in parts.kept]
    return [*kept, *(hit.second for hit in parts.added)]
