"""A take whose sections or hits are changed: other bars where that asks for others, no others.

What is asked before and after is compared bar by bar; the bars that differ are made again, as
`cmt.decoding.passage` does, and the rest stays note for note. Key and form stay, too. What is kept
stays whatever is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np

from cmt import sections
from cmt.decoding.engine import Progress, Take, form_of, with_form
from cmt.decoding.passage import Passage, again
from cmt.decoding.style import Style
from cmt.model.network import CMT
from cmt.music.chords import HALVES, Chord
from cmt.plan import Plan, thinned
from cmt.script import MOST
from cmt.sections import SectionWish, wish_of
from cmt.theme import Theme
from cmt.untrusted import entries, items, seconds, text, whole

LONGEST_BARS = 100  # characters


@dataclass(frozen=True)
class Revision:
    """What is asked of a take from now on, in place of what was.

    Attributes:
        sections: all that is wished for single ones, by bar.
        removed: seconds of hits that the take has, and is not to have.
        added: seconds of others.
        seed: another number, other bars.
        kept: bars, from 0, that stay whatever is asked of them.
    """

    sections: tuple[SectionWish, ...] = ()
    removed: tuple[float, ...] = ()
    added: tuple[float, ...] = ()
    seed: int = 0
    kept: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Wanted:
    """What is asked of a piece at one time: its plan, at control degree 1, and its style."""

    plan: Plan
    style: Style

    def differs(self, other: Wanted) -> list[int]:
        """The bars of which something else is asked, from 0."""
        pairs = enumerate(zip(self.plan.bars, other.plan.bars, strict=True))
        return [
            bar
            for bar, (mine, theirs) in pairs
            if mine != theirs or self.chords(bar) != other.chords(bar)
        ]

    def chords(self, bar: int) -> tuple[Chord, Chord] | None:
        """Those wished for a bar's section."""
        wish = wish_of(self.style.sections, bar)
        return wish.chords[(bar - wish.bar) % len(wish.chords)] if wish.chords else None


def revised(
    model: CMT,
    take: Take,
    before: Wanted,
    after: Wanted,
    *,
    theme: Theme | None = None,
    degree: float = 1.0,
    seed: int = 0,
    kept: frozenset[int] = frozenset(),
    precision: str = "float32",
    progress: Progress | None = None,
) -> Take:
    """The take with other bars where `after` asks for something else than `before`.

    Args:
        model: in evaluation mode.
        take: of the loop "exact"; it was made from `before`, or has had passages made again.
        before: what was asked.
        after: what is asked now.
        theme: that the piece has.
        degree: control degree C, 0 … 1.
        seed: another number, other bars.
        kept: bars that stay.
        precision: of the model's weights, as in `cmt.model.products.product`.
        progress: see `cmt.decoding.engine.decode`.

    Raises:
        InputError: the take is of another loop.
    """
    bars = [bar for bar in after.differs(before) if bar not in kept]
    take = _asked_anew(take, before, after, bars, degree, seed)
    if take.form is not None:
        planned, form = with_form(take.plan, take.form, after.style, theme)
        take = replace(take, plan=planned, form=form)
    passages = runs(bars, seed)
    for number, passage in enumerate(passages):

        def told(share: float, number: int = number) -> None:
            if progress:
                progress((number + share) / len(passages))

        take = again(model, take, passage, style=after.style, precision=precision, progress=told)
    return take


def runs(bars: Sequence[int], seed: int) -> list[Passage]:
    """Bars, ascending, as passages without gaps."""
    groups = groupby(enumerate(bars), key=lambda entry: entry[1] - entry[0])
    found = [[bar for _, bar in group] for _, group in groups]
    return [Passage(run[0], run[-1], seed) for run in found]


def to_json(change: Passage | Revision) -> dict[str, Any]:
    """What was made again, as JSON has it; bars count from 1 there."""
    if isinstance(change, Passage):
        return {"bars": str(change), "seed": change.seed}
    return {
        "sections": sections.to_json(change.sections),
        "removed_hits": change.removed,
        "added_hits": change.added,
        "seed": change.seed,
        **({"kept": sorted(bar + 1 for bar in change.kept)} if change.kept else {}),
    }


def from_json(change: object) -> Passage | Revision:
    """What `to_json` has written.

    Raises:
        KeyError, ValueError: it is none of that.
    """
    content = entries(change, "again")
    seed = whole(content["seed"], "seed", 0, MOST)
    if "bars" in content:
        return Passage.of(text(content["bars"], "bars", LONGEST_BARS), seed)
    kept = items(content.get("kept", ()), "kept")
    return Revision(
        sections.from_json(content["sections"]),
        seconds(content["removed_hits"], "removed_hits"),
        seconds(content["added_hits"], "added_hits"),
        seed,
        frozenset(whole(bar, "kept", 1, MOST) - 1 for bar in kept),
    )


def _asked_anew(
    take: Take, before: Wanted, after: Wanted, bars: Sequence[int], degree: float, seed: int
) -> Take:
    """The take's words under the plan, and the chords, that it is to have in some bars."""
    drawn = thinned(after.plan, degree, np.random.RandomState(seed))
    planned = list(take.plan.bars)
    for bar in bars:
        planned[bar] = drawn.bars[bar]
    form = take.form
    if form is not None:
        style = replace(after.style, key=form.key)
        fresh = form_of(after.plan, style, np.random.RandomState(seed)).chords
        chords = list(form.chords)
        for bar in bars:
            if before.chords(bar) != after.chords(bar):
                halves = slice(HALVES * bar, HALVES * (bar + 1))
                chords[halves] = fresh[halves]
        form = replace(form, chords=tuple(chords))
    return replace(take, plan=replace(take.plan, bars=tuple(planned)), form=form)
