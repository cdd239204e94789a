"""Top lines move by steps as often as songs' do."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cmt.decoding import leading
from cmt.decoding.exact import ExactLoop
from cmt.decoding.leading import MOVES, WEIGHTS, Leading
from cmt.decoding.style import Style
from cmt.model.network import CMT
from cmt.music.vocabulary import BAR, FIELD, INSTRUMENT_CLASS, METRICAL, NOTE
from cmt.music.words import words_to_song
from cmt.plan import BarPlan, Plan
from conftest import takes_of

PIANO, BASS = INSTRUMENT_CLASS["Piano"], INSTRUMENT_CLASS["Bass"]
BARS = np.array([(BAR, 9, 0, 16 * bar, 128, 1 + 12 * bar) for bar in range(8)])


def test_steps_are_likelier_than_leaps_from_the_instrument_s_last_note() -> None:
    lines = Leading()
    assert (lines.weights(PIANO) == 1).all()
    lines.add(PIANO, 61)
    weights = lines.weights(PIANO)
    for move in (0, 1, 2, 3, 7, 12, 30):
        least = max(index for index, least in enumerate(MOVES) if least <= move)
        expected = math.exp(WEIGHTS["Piano"][least])
        assert weights[61 + move] == pytest.approx(expected)
        assert weights[61 - move] == pytest.approx(expected)
    assert (lines.weights(BASS) == 1).all()


def test_the_highest_note_of_an_onset_is_led() -> None:
    beat = {"type": METRICAL, "density": 1, "pitch": 0, "duration": 0, "instr_type": PIANO}
    note = {"type": NOTE, "beat": 0, "strength": 0, "density": 0, "duration": 5}
    even = np.full(FIELD["pitch"].size, 1 / FIELD["pitch"].size)
    loop = ExactLoop(Plan((BarPlan(2, {}),)), 16)

    def odds() -> float:
        """Of a step from pitch 60, class 61, against a leap."""
        given = loop.given("pitch", {"type": NOTE}, even)
        assert math.isclose(given.sum(), 1)
        return float(given[63] / given[61 - 11])

    loop.take({**beat, "beat": 1, "strength": 1})
    assert odds() == pytest.approx(1)
    loop.take({**note, "instr_type": PIANO, "pitch": 61})
    loop.take({**beat, "beat": 5, "strength": 2})
    assert odds() == pytest.approx(1)  # of the lower of two
    loop.take({**note, "instr_type": PIANO, "pitch": 56})
    weights = WEIGHTS["Piano"]
    assert odds() == pytest.approx(math.exp(weights[MOVES.index(2)] - weights[MOVES.index(8)]))


def steps(model: CMT) -> float:
    """Share of steps among the moves of top lines to onsets of one note."""
    moves = []
    for take in takes_of(model, BARS, songs=96, style=Style(instruments=("Strings",))):
        notes = words_to_song(take.words).notes
        for label in range(PIANO, max(INSTRUMENT_CLASS.values()) + 1):
            part = notes[notes["instrument"] == label]
            if not len(part):
                continue
            last = np.append(np.diff(part["tick"]) > 0, True)  # of an onset: its highest
            alone = np.diff(np.flatnonzero(last), prepend=-1) == 1
            moves.append(np.abs(np.diff(part["pitch"][last]))[alone[1:]])
    together = np.concatenate(moves)
    assert len(together) > 400
    return float(np.isin(together, (1, 2)).mean())


def test_takes_have_more_steps(small_model: CMT, monkeypatch: pytest.MonkeyPatch) -> None:
    led = steps(small_model)
    monkeypatch.setattr(leading, "_weights", lambda _: np.ones(200))
    assert led > 1.5 * steps(small_model)
