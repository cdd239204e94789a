"""Ticks fall where events are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmt.grid import MAX_BEND, Grid, Knot, Mark, bent, best_bent, on_beats, shifted


@given(st.floats(30, 240), st.floats(0, 100), st.lists(st.floats(0, 500), min_size=1))
def test_seconds_and_ticks_are_inverse(tempo: float, beat: float, ticks: list[float]) -> None:
    for grid in (Grid(tempo), shifted(tempo, beat), bent(tempo, [Mark(3.3), Mark(7.1)])[0]):
        np.testing.assert_allclose(grid.ticks(grid.seconds(np.array(ticks))), ticks, atol=1e-6)
        assert float(grid.seconds(0)) == 0


@given(st.floats(30, 240), st.floats(0, 100))
def test_a_shifted_grid_has_a_tick_on_the_beat_and_the_tempo(tempo: float, beat: float) -> None:
    grid = shifted(tempo, beat)
    first = 60 / tempo / 4
    assert first / 2 - 1e-9 <= float(grid.seconds(1)) <= 1.5 * first + 1e-9
    np.testing.assert_allclose(np.diff(grid.seconds(np.arange(1, 20))), first)
    at = float(grid.ticks(beat + 50 * first))
    assert at == pytest.approx(round(at), abs=1e-6)


@given(st.floats(30, 240), st.floats(0, 100))
def test_beats_are_on_the_beat_but_for_the_first(tempo: float, beat: float) -> None:
    period = 60 / tempo
    for hits in ([], [beat % period]):
        grid = on_beats(tempo, beat, hits)
        assert 0.6 * period - 1e-9 <= float(grid.seconds(4)) <= 1.6 * period + 1e-9
        assert (np.diff(grid.seconds(np.arange(8))) > 0).all()
        np.testing.assert_allclose(np.diff(grid.seconds(np.arange(4, 30))), period / 4)
        at = float(grid.ticks(beat + 50 * period))
        assert at == pytest.approx(4 * round(at / 4), abs=1e-5)


def test_a_beat_that_is_hit_early_is_on_a_tick() -> None:
    assert on_beats(120, 0.2, [0.21]).knots == (Knot(0, 0.0), Knot(1, 0.2), Knot(4, 0.7))
    assert on_beats(120, 0.2, [0.7]).knots == (Knot(0, 0.0), Knot(4, 0.7))
    assert on_beats(120, 0.4, [0.4]).knots == (Knot(0, 0.0), Knot(4, 0.4))


def test_a_tempo_map_has_the_length_of_its_stretches() -> None:
    grid = Grid(120.0, (Knot(0, 0.0), Knot(16, 1.9), Knot(20, 2.4)))
    assert grid.tempi == [(0, pytest.approx(240 / 1.9)), (16, pytest.approx(120)), (20, 120.0)]
    assert float(grid.seconds(24)) == pytest.approx(2.9)
    assert (grid.begun(2.4), grid.begun(2.41), grid.whole(2.4), grid.whole(2.39)) == (
        20,
        21,
        20,
        19,
    )


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.floats(80, 140))
def test_cuts_two_seconds_apart_are_met_exactly(seed: int, tempo: float) -> None:
    times = np.cumsum(np.random.default_rng(seed).uniform(1.6, 5.0, 20))
    grid, _ = bent(tempo, [Mark(float(time)) for time in times])
    at = grid.ticks(times)
    np.testing.assert_allclose(at, np.round(at), atol=1e-6)
    assert all(abs(bpm / tempo - 1) <= MAX_BEND + 1e-9 for _, bpm in grid.tempi)


def test_marks_go_to_beats_and_scenes_to_bars_where_that_bends_little() -> None:
    # At 120 BPM a beat is half a second, a bar two: the marks are 1 to 2 % off these.
    marks = [Mark(2.03, scene=True), Mark(3.54), Mark(8.1, scene=True), Mark(9.57)]
    grid, _ = bent(120.0, marks)
    at = grid.ticks(np.array([mark.second for mark in marks]))
    np.testing.assert_allclose(at, [16, 28, 64, 76], atol=1e-6)


def test_of_marks_too_close_the_weighty_is_met() -> None:
    marks = [Mark(2.0), Mark(4.0, 0.1), Mark(4.05, 1.0), Mark(6.0)]
    grid, _ = bent(120.0, marks)
    at = grid.ticks(np.array([2.0, 4.05, 6.0]))
    np.testing.assert_allclose(at, np.round(at), atol=1e-6)


def test_the_tempo_that_bends_least_is_found() -> None:
    beat = 60 / 97
    grid = best_bent(np.arange(90, 110, 1.0).tolist(), [Mark(4 * beat * n) for n in range(1, 8)])
    assert grid.tempo == 97


def test_without_marks_nothing_bends() -> None:
    assert bent(100.0, [])[0] == Grid(100.0)
