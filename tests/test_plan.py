"""Contradictions in control words are resolved by the written rule."""

from __future__ import annotations

import numpy as np

from cmt.control import Control
from cmt.music.vocabulary import BAR
from cmt.plan import OPENING_DENSITIES, make_plan, thinned


def control(*rows: tuple[int, int, int, int], n_beat: int) -> Control:
    return Control(np.array([(*row, n_beat, 1) for row in rows]), None, None)


def test_a_bar_s_density_covers_its_visual_beats_and_fits_its_ticks() -> None:
    words = control(
        (BAR, 2, 0, 0), (1, 0, 3, 0), (5, 0, 2, 4), (BAR, 17, 0, 16), (3, 0, 4, 18), n_beat=22
    )
    plan, changes = make_plan(words)
    assert [(bar.density, bar.strengths, bar.ticks) for bar in plan.bars] == [
        (2, {0: 3, 4: 2}, 16),
        (6, {2: 4}, 6),
    ]
    assert changes == ["bar 1: density 1 becomes 2", "bar 2: density 16 becomes 6"]


def test_what_lies_past_the_end_is_left_out() -> None:
    words = control((BAR, 5, 0, 0), (BAR, 5, 0, 16), (2, 0, 3, 17), (BAR, 5, 0, 32), n_beat=16)
    plan, changes = make_plan(words)
    assert len(plan.bars) == 1
    assert changes == ["bar 2: visual beat on tick 1 is past the end"]


def test_weak_beats_are_dropped_and_the_stronger_of_two_stays() -> None:
    words = control((BAR, 9, 0, 0), (1, 0, 1, 0), (3, 0, 2, 2), (3, 0, 5, 2), n_beat=16)
    plan, changes = make_plan(words)
    assert plan.bars[0].strengths == {2: 5}
    assert changes == []


def test_a_strength_is_what_an_instrument_can_hold() -> None:
    plan, changes = make_plan(control((BAR, 9, 0, 0), (1, 0, 40, 0), n_beat=16))
    assert plan.bars[0].strengths == {0: 10}
    assert changes == ["bar 1: strength 40 becomes 10"]


def test_a_still_video_is_not_silent() -> None:
    plan, changes = make_plan(control((BAR, 1, 0, 0), (BAR, 1, 0, 16), n_beat=32))
    assert [bar.density for bar in plan.bars] == [4, 4]
    assert changes == ["a still video: density 0 becomes 4 in every bar"]


def test_degree_is_the_share_of_bars_and_beats_that_are_controlled() -> None:
    rows = [(BAR, 9, 0, 16 * bar) for bar in range(400)]
    rows += [(5, 0, 3, 16 * bar + 4) for bar in range(400)]
    plan, _ = make_plan(control(*rows, n_beat=6400))
    bars = thinned(plan, 0.3, np.random.RandomState(0)).bars
    assert 0.24 < np.mean([bar.density is not None for bar in bars]) < 0.36
    assert 0.24 < np.mean([bool(bar.strengths) for bar in bars]) < 0.36
    assert thinned(plan, 1.0, np.random.RandomState(0)) == plan
    free = [thinned(plan, 0.0, np.random.RandomState(seed)).bars[:2] for seed in range(200)]
    assert {opening.density for opening, _ in free} == set(OPENING_DENSITIES)
    assert {second.density for _, second in free} == {None}
