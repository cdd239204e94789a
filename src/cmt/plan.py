"""What decoding must satisfy, bar by bar, made free of contradictions beforehand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cmt.control import Control
from cmt.music.vocabulary import (
    BAR,
    BEATS_PER_BAR,
    INSTRUMENT_OF,
    INSTRUMENTS,
    TICKS_PER_BAR,
)
from cmt.sections import SectionWish, wish_of

MIN_STRENGTH = 2  # weaker visual beats are not asked for, as in the original
STILL_DENSITY = BEATS_PER_BAR  # onset positions in each bar of a video without any motion
# Of first bars that the video does not control: what most bars of a song have, in sixteen equal
# shares of 3,069 songs for four instruments and more.
OPENING_DENSITIES = (6, 8, 8, 8, 9, 10, 10, 11, 12, 12, 13, 14, 16, 16, 16, 16)
MAX_STRENGTH = max(instrument.max_strength for instrument in INSTRUMENTS)
EVERYBODY = frozenset(INSTRUMENT_OF)  # classes of the instruments


@dataclass(frozen=True)
class BarPlan:
    """What is asked of one bar.

    Attributes:
        density: simu-note onset positions, 0 … ticks; None leaves them to the model.
        strengths: tick in the bar → notes of a simu-note there.
        ticks: ticks before the video ends, 1 … 16.
        playing: classes of the instruments that may play; None is all that the piece has.
        wished: whether somebody asked for its density, which then is imposed at any control degree.
        given: tick in the bar → pitch and ticks of a note that the lead has there.
    """

    density: int | None
    strengths: dict[int, int]
    ticks: int = TICKS_PER_BAR
    playing: frozenset[int] | None = None
    wished: bool = False
    given: dict[int, tuple[int, int]] = field(default_factory=dict)

    @property
    def rests(self) -> bool:
        """Whether it is to be silent because somebody asked for it."""
        return self.wished and self.density == 0

    def among(self, labels: frozenset[int]) -> frozenset[int]:
        """Those of some instruments that may play here; where that is nobody, all who may."""
        return labels if self.playing is None else labels & self.playing or self.playing


@dataclass(frozen=True)
class Plan:
    """What is asked of a piece.

    Attributes:
        bars: one or more.
        scenes: the first bar of each; none where the scenes of the video are not known, nor what is
            seen at its visual beats.
        lead: class of the instrument that has the notes that bars are given; None where none are.
    """

    bars: tuple[BarPlan, ...]
    scenes: tuple[int, ...] = ()
    lead: int | None = None

    @property
    def ticks(self) -> int:
        """Ticks before the video ends."""
        return sum(bar.ticks for bar in self.bars)

    def until(self, ticks: int) -> Plan:
        """What is asked of its first ticks; of a bar that they have a part of no density."""
        bars, rest = divmod(ticks, TICKS_PER_BAR)
        kept = self.bars[:bars]
        if rest and bars < len(self.bars):
            part = self.bars[bars]
            strengths = {tick: notes for tick, notes in part.strengths.items() if tick < rest}
            kept += (replace(part, density=None, strengths=strengths, ticks=rest),)
        return replace(self, bars=kept, scenes=tuple(bar for bar in self.scenes if bar < len(kept)))

    @cached_property
    def densities(self) -> NDArray[np.float64]:
        """Onset positions asked of each bar, (bars,); NaN where they are left to the model."""
        return np.array(
            [math.nan if bar.density is None else bar.density for bar in self.bars], np.float64
        )

    @cached_property
    def beats(self) -> dict[int, int]:
        """Visual beats: absolute tick → notes of a simu-note there; ticks ascend."""
        return {
            bar * TICKS_PER_BAR + tick: strength
            for bar, asked in enumerate(self.bars)
            for tick, strength in sorted(asked.strengths.items())
        }

    @property
    def borders(self) -> frozenset[int]:
        """Absolute ticks at which a new scene begins, the first one's left out."""
        return frozenset(bar * TICKS_PER_BAR for bar in self.scenes if bar)

    @property
    def last_bar(self) -> int | None:
        """Index of the last bar that is not asked to be silent; None where all are."""
        return max((i for i, bar in enumerate(self.bars) if bar.density != 0), default=None)


def make_plan(
    control: Control,
    min_strength: int = MIN_STRENGTH,
    on_beats: frozenset[int] = EVERYBODY,
    density: float = 1.0,
    sections: Sequence[SectionWish] = (),
) -> tuple[Plan, list[str]]:
    """Turn control words into what is asked, bar by bar.

    Where they contradict themselves, in this order: what does not begin a whole tick before the
    video's end, and so could not be played, is left out; of two visual beats on one tick the
    stronger stays; where somebody wishes silence there is no visual beat; a strength is at most
    what one instrument can hold; a video that asks for no note at all, because it is still, gets
    one onset a beat; a density, once multiplied, is at least the bar's visual beats and at most its
    ticks, and at least 1 if it was.

    Args:
        control: what the video asks for.
        min_strength: visual beats below it are dropped.
        on_beats: classes of the instruments that may play visual beats.
        density: by which all densities are multiplied.
        sections: what is wished for single ones, by bar.

    Returns:
        The plan, and a line for each wish that could not be granted as it was; that the weaker of
        two visual beats on one tick is left out is not told.
    """
    starts = range(0, control.end, TICKS_PER_BAR)
    densities, beats, changes = _asked(control, len(starts), min_strength)
    changes += [
        f"bar {wish.bar + 1}: a section is past the end"
        for wish in sections
        if wish.bar >= len(starts)
    ]
    bars = []
    for index, start in enumerate(starts):
        wish = wish_of(sections, index)
        bar = BarPlan(
            _multiplied(densities[index], density * wish.energy),
            beats[index],
            min(TICKS_PER_BAR, control.end - start),
            wish.playing,
            wished=wish.energy != 1,
        )
        bar, told = _reconciled(bar, on_beats)
        bars.append(bar)
        changes += [f"bar {index + 1}: {change}" for change in told]
    return Plan(tuple(bars), control.scenes), changes


def _asked(
    control: Control, bars: int, min_strength: int
) -> tuple[list[int], list[dict[int, int]], list[str]]:
    """Densities and visual beats of so many bars, as control words have them, and what changes."""
    densities = [0] * bars
    strengths: list[dict[int, int]] = [{} for _ in densities]
    changes = []
    for beat, density, strength, i_beat, *_ in control.words.tolist():
        bar, tick = divmod(i_beat, TICKS_PER_BAR)
        if i_beat >= control.end:
            if beat != BAR and strength >= min_strength:
                changes.append(f"bar {bar + 1}: visual beat on tick {tick} is past the end")
        elif beat == BAR:
            densities[bar] = density - 1
        elif strength >= min_strength:
            strengths[bar][tick] = max(strength, strengths[bar].get(tick, 0))
    if not any(densities) and not any(strengths):
        densities = [STILL_DENSITY] * bars
        changes.append(f"a still video: density 0 becomes {STILL_DENSITY} in every bar")
    return densities, strengths, changes


def _multiplied(density: int, by: float) -> int:
    return round(density * by) or int(density > 0 and by > 0)


def _reconciled(bar: BarPlan, on_beats: frozenset[int]) -> tuple[BarPlan, list[str]]:
    """A bar whose density and visual beats can be played together, and what changes."""
    if bar.rests:
        return replace(bar, strengths={}), ["a rest without its visual beats"] * bool(bar.strengths)
    changes = []
    most = max(INSTRUMENT_OF[label].max_strength for label in bar.among(on_beats))
    strengths = {tick: min(strength, most) for tick, strength in bar.strengths.items()}
    for tick, strength in bar.strengths.items():
        if strength > most:
            changes.append(f"strength {strength} becomes {strengths[tick]}")
    assert bar.density is not None
    density = min(max(bar.density, len(strengths)), bar.ticks)
    if density != bar.density:
        changes.append(f"density {bar.density} becomes {density}")
    return replace(bar, density=density, strengths=strengths), changes


def thinned(plan: Plan, degree: float, rng: np.random.RandomState) -> Plan:
    """Keep each bar's density and each visual beat with probability `degree` (Algorithm 1).

    What somebody wished is kept.

    The first bar's density, where it is not kept, is one of `OPENING_DENSITIES`: the model has not
    heard anything yet to choose one from, and goes on as it begins.
    """
    bars = []
    opening = OPENING_DENSITIES[rng.randint(len(OPENING_DENSITIES))]
    for index, bar in enumerate(plan.bars):
        controlled = rng.random_sample() < degree or bar.wished
        strengths = {t: s for t, s in bar.strengths.items() if rng.random_sample() < degree}
        density = bar.density
        if not controlled:
            density = min(max(opening, len(strengths)), bar.ticks) if index == 0 else None
        bars.append(replace(bar, density=density, strengths=strengths))
    return replace(plan, bars=tuple(bars))
