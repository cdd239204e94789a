"""Top lines move by steps as often as songs' do."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cmt.decoding import leading
from cmt.decoding.leading import MOVES, Leading
from cmt.model.network import CMT
from cmt.music.vocabulary import BAR, INSTRUMENT_CLASS
from cmt.music.words import words_to_song
from conftest import takes_of

PIANO, BASS = INSTRUMENT_CLASS["Piano"], INSTRUMENT_CLASS["Bass"]
BARS = np.array([(BAR, 9, 0, 16 * bar, 128, 1 + 12 * bar) for bar in range(8)])


def test_steps_are_likelier_than_leaps_from_the_instrument_s_last_note() -> None:
    lines = Leading()
    assert (lines.weights(PIANO) == 1).all()
    lines.add(PIANO, 61)
    weights = lines.weights(PIANO)
    for move in (0, 1, 2, 3, 7, 12, 30):
        expected = math.exp(MOVES[max(least for least in MOVES if least <= move)])
        assert weights[61 + move] == pytest.approx(expected)
        assert weights[61 - move] == pytest.approx(expected)
    assert (lines.weights(BASS) == 1).all()


def steps(model: CMT) -> float:
    """Share of moves of top lines that are steps."""
    moves = []
    for take in takes_of(model, BARS, songs=4):
        notes = words_to_song(take.words).notes
        for label in range(PIANO, max(INSTRUMENT_CLASS.values()) + 1):
            part = notes[notes["instrument"] == label]
            last = np.append(np.diff(part["tick"]) > 0, True)  # of an onset: its highest
            moves.append(np.abs(np.diff(part["pitch"][last])))
    together = np.concatenate(moves)
    return float(np.isin(together, (1, 2)).mean())


def test_takes_have_more_steps(small_model: CMT, monkeypatch: pytest.MonkeyPatch) -> None:
    led = steps(small_model)
    monkeypatch.setattr(leading, "_weights", lambda: np.ones(200))
    assert led > 1.5 * steps(small_model)
