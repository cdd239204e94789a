"""Crashes open bars; before a border drummers fill, with toms and snares in place of hats."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cmt.compose import Settings, compose
from cmt.control import Control
from cmt.decoding.drumming import CRASH_INSIDE, CRASHES, FILL, TOM_AFTER, strokes
from cmt.decoding.exact import ExactLoop
from cmt.model.network import CMT
from cmt.music.vocabulary import BAR, DRUMS, FIELD, METRICAL, NOTE, TICKS_PER_BEAT, VOICES
from cmt.plan import BarPlan, Plan

HAT, TOM, SNARE = 42 + 1, 45 + 1, 38 + 1
BARS, SCENES = 24, (0, 4, 8, 12, 16, 20)


@pytest.mark.parametrize(("beat", "weight"), [(1, 0.0), (5, CRASH_INSIDE)])
@pytest.mark.parametrize("crash", CRASHES)
def test_a_crash_inside_a_bar_is_unlikely(beat: int, weight: float, crash: int) -> None:
    even = np.full(FIELD["pitch"].size, 1 / FIELD["pitch"].size)
    loop = ExactLoop(Plan((BarPlan(1, {}),)), 16)
    loop.take(
        {"type": METRICAL, "beat": beat, "density": 1, "strength": 1, "instr_type": DRUMS,
         "pitch": 0, "duration": 0}
    )  # fmt: skip
    given = loop.given("pitch", {"type": NOTE}, even)
    assert math.isclose(given.sum(), 1)
    assert given[crash] / given[HAT] == pytest.approx(math.exp(weight))


def test_a_fill_has_toms_and_snares_in_place_of_hats() -> None:
    weights, usual = strokes(False, filling=True), strokes(False, filling=False)
    assert usual[TOM] == usual[SNARE] == usual[HAT] == 1
    assert weights[TOM] == pytest.approx(math.exp(FILL[VOICES["tom"]]))
    assert weights[TOM] > weights[SNARE] > 1 > weights[HAT]
    assert weights[CRASHES[0]] == usual[CRASHES[0]]
    after = strokes(False, filling=False, after=True)
    assert after[TOM] == pytest.approx(math.exp(TOM_AFTER)) and after[SNARE] == 1


@pytest.mark.parametrize("degree", [0.0, 1.0])
def test_takes_fill_before_borders_and_crash_on_them(small_model: CMT, degree: float) -> None:
    """And all that the video asks for is as exact as without."""
    rows = [(BAR, 9, 0, 16 * bar) for bar in range(BARS)]
    rows += [(1, 0, 3, 16 * bar) for bar in range(BARS)]
    words = np.array([(*row, 16 * BARS, 1) for row in sorted(rows, key=lambda row: row[3])])
    control = Control(words, 120.0, 2.0 * BARS, seconds=words[:, 3] * 0.125, scenes=SCENES)
    inside, elsewhere, crashes = [], [], []
    for piece in compose(small_model, control, Settings(takes=6, degree=degree)):
        error, form = piece.report.control_error, piece.report.form
        assert (error.density, error.strength, error.time) == (0, 0, 0)
        drums = piece.song.notes[piece.song.notes["instrument"] == DRUMS]
        filled = np.isin(drums["pitch"], [*VOICES["tom"], 38, 40])
        assert form is not None
        beat = drums["tick"] // TICKS_PER_BEAT
        fills = np.isin(beat, list(form.fills))
        inside += filled[fills].tolist()
        elsewhere += filled[~fills].tolist()
        for border in form.borders:
            struck = drums["pitch"][drums["tick"] == border]
            crashes += [bool(np.isin(struck, (49, 57)).any())] * bool(len(struck))
    assert min(len(inside), len(elsewhere)) > 50
    assert np.mean(inside) > 2 * np.mean(elsewhere)
    assert all(crashes) and len(crashes) >= 5 * degree
