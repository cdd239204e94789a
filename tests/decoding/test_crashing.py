"""Crashes open bars: inside them they are left to the few that songs have."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cmt.decoding.exact import CRASH_INSIDE, CRASHES, ExactLoop
from cmt.music.vocabulary import FIELD, INSTRUMENT_CLASS, METRICAL, NOTE
from cmt.plan import BarPlan, Plan

HAT = 42 + 1


@pytest.mark.parametrize(("beat", "weight"), [(1, 0.0), (5, CRASH_INSIDE)])
@pytest.mark.parametrize("crash", CRASHES)
def test_a_crash_inside_a_bar_is_unlikely(beat: int, weight: float, crash: int) -> None:
    drums = INSTRUMENT_CLASS["Drums"]
    even = np.full(FIELD["pitch"].size, 1 / FIELD["pitch"].size)
    loop = ExactLoop(Plan((BarPlan(1, {}),)), 16)
    loop.take(
        {"type": METRICAL, "beat": beat, "density": 1, "strength": 1, "instr_type": drums,
         "pitch": 0, "duration": 0}
    )  # fmt: skip
    given = loop.given("pitch", {"type": NOTE}, even)
    assert math.isclose(given.sum(), 1)
    assert given[crash] / given[HAT] == pytest.approx(math.exp(weight))
