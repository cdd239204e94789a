"""Control errors counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cmt.measures.obedience import control_error
from cmt.music.words import NOTE_DTYPE, Song
from cmt.plan import BarPlan, Plan


def song(*notes: tuple[int, int, int, int], length: int = 32) -> Song:
    return Song(np.array(list(notes), NOTE_DTYPE), length)


PIECE = song((0, 60, 4, 2), (0, 64, 4, 2), (0, 36, 4, 1), (8, 60, 4, 2), (20, 60, 4, 2))


def test_no_error_where_the_plan_is_met() -> None:
    plan = Plan((BarPlan(2, {0: 2}), BarPlan(1, {4: 1})))
    error = control_error(PIECE, plan)
    assert (error.density, error.strength, error.time) == (0, 0, 0)


def test_errors_are_root_mean_squares() -> None:
    plan = Plan((BarPlan(5, {0: 4, 2: 3}), BarPlan(None, {}), BarPlan(4, {})))
    error = control_error(PIECE, plan)
    assert error.density == pytest.approx(np.sqrt((3**2 + 4**2) / 2) / 16)
    assert error.strength == pytest.approx(np.sqrt((2**2 + 3**2) / 2) / 10)
    assert error.time == pytest.approx(16 / 48)
