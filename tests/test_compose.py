"""Pieces for a rhythm: the whole, and the beginning of it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from cmt.compose import Rank, Settings, compose, heard, merits
from cmt.control import Control
from cmt.decoding.style import Style
from cmt.grid import Mark, bent
from cmt.measures.synchrony import NEAR
from cmt.model.network import CMT
from cmt.music.vocabulary import DRUMS, TICKS_PER_BAR
from cmt.music.words import NOTE_DTYPE, Song
from cmt.results import as_midi
from cmt.rhythm import VideoRhythm, VisualBeat
from cmt.sections import SectionWish


@pytest.fixture(scope="module")
def control() -> Control:
    """Of 24 s whose hits keep to no tempo: what bends least depends on how many are known."""
    seconds = np.cumsum(np.random.RandomState(2).uniform(0.4, 1.3, 24))
    grid, _ = bent(100.0, [Mark(second) for second in seconds])
    ticks = np.rint(grid.ticks(seconds)).astype(int).tolist()
    hits = tuple(
        VisualBeat(second, *divmod(tick, TICKS_PER_BAR), 1.0)
        for second, tick in zip(seconds.tolist(), ticks, strict=True)
    )
    return Control.of(VideoRhythm(24.0, 100.0, hits, (0.1,) * 10, grid.knots, (0, 3, 7)))


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        (Settings(mood="epic", seed=5, takes=2), 8.0),
        (Settings(degree=0.4, seed=1), 1.3),
        (Settings(style=Style(sections=(SectionWish(0, label="A"), SectionWish(3, 0.0)))), 8.0),
    ],
    ids=["epic", "half as asked", "sections"],
)
def test_the_beginning_is_that_of_the_whole(
    small_model: CMT, control: Control, asked: Settings, seconds: float
) -> None:
    told: list[float] = []
    pieces = zip(
        compose(small_model, control, asked),
        compose(small_model, control, asked, told.append, until=seconds),
        strict=True,
    )
    for whole, first in pieces:
        end = first.control.end
        assert first.report.duration == pytest.approx(seconds, abs=0.2)
        assert first.report.duration <= seconds + 1e-6 and whole.report.duration > 23
        assert first.song.length == end
        assert np.array_equal(first.song.notes, whole.song.until(end).notes)
        assert first.report.tempo == whole.report.tempo
        ticks = np.arange(end)
        both = (each.control.grid.seconds(ticks) for each in (first, whole))
        assert np.array_equal(*both)
        asked_of = zip(first.take.plan.bars[:-1], whole.take.plan.bars, strict=False)
        assert all(mine == theirs for mine, theirs in asked_of)
        assert first.take.form and whole.take.form
        chords = first.take.form.chords
        assert chords == whole.take.form.chords[: len(chords)]
        error = first.report.control_error
        assert (error.density, error.strength) == (0, 0)
        assert as_midi(first, hits=True)[:4] == b"MThd"
    assert told == sorted(told) and told[-1] == 1


def test_all_of_it_is_no_beginning(control: Control) -> None:
    assert control.until(24.0) is control
    assert control.until(8.0).until(8.0).words.tolist() == control.until(8.0).words.tolist()


def test_synchrony_comes_first_then_what_critic_and_model_prefer() -> None:
    def rank(synchrony: float, critic: float, log_likelihood: float) -> tuple[float, ...]:
        return merits(Rank(0, synchrony, critic, math.inf, log_likelihood))

    assert rank(0.9, -3.0, -1.0) > rank(0.7, 3.0, -0.5)
    assert rank(0.91, 1.0, -0.5) > rank(0.94, 0.5, -0.5)  # nobody hears that difference
    assert rank(0.9, 2.0, -0.51) > rank(0.9, 1.0, -0.5) > rank(0.9, 2.0, -0.55)
    assert rank(0.9, 1.0, -0.5) > rank(0.9, 1.0, -1.0)
    assert rank(math.nan, 1.0, -0.5) > rank(math.nan, 0.5, -0.5)
    assert rank(math.nan, 0.0, -1.0) > rank(math.nan, math.nan, -0.5)


@pytest.mark.parametrize("shown", [True, False], ids=["of scenes", "of the original"])
def test_what_is_heard_at_visual_beats(small_model: CMT, control: Control, shown: bool) -> None:
    """Full chords at the hits and single notes between them; or the other way round."""
    hits = control.words[control.beats, 3]
    rest = np.setdiff1d(np.arange(control.end), [*hits, *(hits + 1), *(hits - 1)])
    (piece, *_) = compose(small_model, control, Settings(seed=1))
    if not shown:
        piece = replace(piece, control=replace(control, scenes=()))

    def played(chords: np.ndarray, single: np.ndarray) -> float:
        ticks = np.concatenate([np.repeat(chords, 5), single])
        pitches = np.concatenate([np.tile([36, 38, 42, 46, 49], len(chords)), single * 0 + 42])
        notes = np.zeros(len(ticks), NOTE_DTYPE)
        notes["tick"], notes["pitch"], notes["duration"] = ticks, pitches, 1
        notes["instrument"] = DRUMS
        return heard(replace(piece, song=Song(np.sort(notes, order="tick"), control.end)))

    between = rest[:: max(1, len(rest) // (4 * len(hits)))][: 4 * len(hits)]
    late = control.grid.seconds(hits) - control.times[control.beats]
    assert played(hits, between) == (np.abs(late) <= NEAR).mean() > 0.8  # all that ticks meet
    assert played(between, hits) < 0.1
