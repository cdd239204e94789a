"""Equation 16 counted by hand, and the best of a library."""

from __future__ import annotations

import json
import math
import tracemalloc
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from cmt.files import InputError
from cmt.measures.matching import best, score
from cmt.measures.obedience import control_error
from cmt.music.dataset import write_dataset
from cmt.music.vocabulary import BAR, COLUMNS, INSTRUMENT_CLASS, METRICAL, TICKS_PER_BAR
from cmt.music.words import NOTE_DTYPE, Song, song_to_words, words_to_song
from cmt.plan import BarPlan, Plan

DRUMS, PIANO = INSTRUMENT_CLASS["Drums"], INSTRUMENT_CLASS["Piano"]
PLAN = Plan((BarPlan(4, {0: 3, 6: 2}), BarPlan(1, {}), BarPlan(3, {15: 4})))


def make_words(*notes: tuple[int, int, int], length: int) -> np.ndarray:
    """Words of notes (tick, pitch, instrument) of four ticks."""
    rows = [(tick, pitch, 4, instrument) for tick, pitch, instrument in sorted(notes)]
    return song_to_words(Song(np.array(rows, NOTE_DTYPE), length))


# Onset positions: 2 and 1. At tick 0 two notes of the piano and one of the drums.
PIECE = make_words(
    (0, 60, PIANO), (0, 64, PIANO), (0, 36, DRUMS), (8, 60, PIANO), (20, 60, PIANO), length=32
)


def as_planned(plan: Plan) -> np.ndarray:
    """Words of a piece that does what a plan asks."""
    notes = []
    for bar, asked in enumerate(plan.bars):
        onsets = dict(asked.strengths)
        for tick in range(TICKS_PER_BAR):
            if len(onsets) < (asked.density or 0):
                onsets.setdefault(tick, 1)
        for tick, strength in onsets.items():
            notes += [(bar * TICKS_PER_BAR + tick, 60 + n, PIANO) for n in range(strength)]
    return make_words(*notes, length=TICKS_PER_BAR * len(plan.bars))


def random_words(seed: int, bars: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    ticks, pitches = rng.integers(bars * TICKS_PER_BAR, size=6 * bars), rng.integers(40, 90, 6)
    notes = [(int(tick), int(rng.choice(pitches)), int(rng.integers(1, 6))) for tick in ticks]
    return make_words(*set(notes), length=bars * TICKS_PER_BAR)


def library(path: Path, *songs: np.ndarray) -> Path:
    about = ({"id": f"piece {number}", "genre": "N/A"} for number in range(len(songs)))
    write_dataset(path, zip(songs, about, strict=True))
    return path


def test_score_of_a_piece_shorter_than_the_video() -> None:
    plan = Plan((BarPlan(5, {0: 4, 2: 3}), BarPlan(5, {}), BarPlan(16, {1: 9})))
    result = score(PIECE, plan)
    density = math.sqrt((3**2 + 4**2) / 2) / 16
    strength = math.sqrt((2**2 + 3**2) / 2) / 10  # to the piano, to silence
    assert result.bars == 2
    assert (result.density, result.strength) == pytest.approx((density, strength))
    assert result.value == pytest.approx(1 / (density + strength))


def test_score_of_a_piece_longer_than_the_video() -> None:
    result = score(PIECE, Plan((BarPlan(4, {0: 1}),)))
    assert result.bars == 1
    assert (result.density, result.strength) == (2 / 16, 0)  # the drums are nearest
    assert result.value == 8


def test_a_bar_that_the_video_cuts_is_compared_up_to_the_cut() -> None:
    assert score(PIECE, Plan((BarPlan(1, {0: 2}, ticks=8),))).value == math.inf


def test_strength_counts_at_visual_beats_alone() -> None:
    louder = make_words(
        *((tick, pitch, PIANO) for tick in (8, 20) for pitch in range(60, 69)),
        (0, 60, PIANO),
        (0, 64, PIANO),
        length=32,
    )
    plan = Plan((BarPlan(2, {0: 5}), BarPlan(1, {})))
    assert score(louder, plan) == score(PIECE, plan)


def test_what_is_left_open_does_not_count() -> None:
    result = score(PIECE, Plan((BarPlan(None, {}), BarPlan(3, {}))))
    assert (result.density, result.strength) == (2 / 16, 0)


def test_a_piece_made_from_the_plan_has_an_infinite_score_and_a_finite_report() -> None:
    result = score(as_planned(PLAN), PLAN)
    assert result.value == math.inf
    assert json.loads(json.dumps(asdict(result), allow_nan=False)) == asdict(result)


@pytest.mark.parametrize("seed", range(5))
def test_errors_are_those_of_control(seed: int) -> None:
    words, rng = random_words(seed, bars=7), np.random.default_rng(seed)
    plan = Plan(
        tuple(
            BarPlan(int(rng.integers(17)), {int(rng.integers(16)): int(rng.integers(2, 11))})
            for _ in range(7)
        )
    )
    result, expected = score(words, plan), control_error(words_to_song(words), plan)
    assert result.density == pytest.approx(expected.density)
    assert result.strength == pytest.approx(expected.strength)


def test_notes_count_as_the_words_before_them_announce() -> None:
    words = random_words(0, bars=7)
    column = dict(zip(COLUMNS, words.T, strict=True))
    announced = (column["density"][column["beat"] == 17] - 1)[:7]
    beats: dict[int, dict[int, int]] = {}
    for tick, strength in zip(column["i_beat"], column["strength"], strict=True):
        if strength:
            bar, tick = divmod(int(tick), TICKS_PER_BAR)
            beats.setdefault(bar, {})[tick] = int(strength)
    plan = Plan(
        tuple(BarPlan(int(density), beats.get(bar, {})) for bar, density in enumerate(announced))
    )
    assert score(words, plan).value == math.inf


def test_the_best_of_a_library_are_those_that_score_best_alone(tmp_path: Path) -> None:
    songs = [random_words(seed, bars=1 + seed % 5) for seed in range(20)]
    songs[3:3] = [as_planned(PLAN)]
    path = library(tmp_path / "library.npz", *songs)
    scores = [score(words, PLAN) for words in songs]
    order = sorted(range(len(songs)), key=lambda index: -scores[index].value)
    for k in (1, 5, 100):
        found = best(path, PLAN, k)
        assert [match.index for match in found] == order[:k]
        assert [match.score for match in found] == [scores[index] for index in order[:k]]
    assert found[0].index == 3
    assert found[0].about["id"] == "piece 3"
    expected = as_planned(PLAN)
    end = np.flatnonzero(expected[:, COLUMNS.index("i_beat")] == 48)[0]  # a bar past the video
    np.testing.assert_array_equal(found[0].words, expected[:end])


def test_equal_scores_keep_the_librarys_order(tmp_path: Path) -> None:
    exact, other = as_planned(PLAN), random_words(0, bars=3)
    path = library(tmp_path / "library.npz", other, exact, other, exact, other, exact)
    assert [match.index for match in best(path, PLAN, 6)] == [1, 3, 5, 0, 2, 4]
    assert [match.index for match in best(path, PLAN, 2)] == [1, 3]
    assert [match.index for match in best(path, PLAN, 4)] == [1, 3, 5, 0]


def test_pieces_without_bars_are_left_out(tmp_path: Path) -> None:
    nothing = np.zeros((2, len(COLUMNS)), int)
    nothing[0, :2] = METRICAL, BAR  # which begins no bar of music
    path = library(tmp_path / "library.npz", nothing, PIECE)
    assert score(nothing, PLAN).value == 0
    assert [match.index for match in best(path, PLAN, 5)] == [1]


def test_a_long_library_needs_no_memory(tmp_path: Path) -> None:
    path = library(tmp_path / "library.npz", *[random_words(0, bars=40)] * 100)
    tracemalloc.start()
    best(path, PLAN, 5)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3e6  # bytes; x alone has 20e6


@pytest.mark.parametrize(("column", "value"), [("instr_type", 0), ("i_beat", -1)])
def test_a_piece_that_is_no_music_is_named(tmp_path: Path, column: str, value: int) -> None:
    wrong = PIECE.copy()
    wrong[wrong[:, 0] == 2, COLUMNS.index(column)] = value
    path = library(tmp_path / "library.npz", PIECE, wrong)
    with pytest.raises(InputError, match=r"library\.npz: .*song 1: .*2"):
        best(path, PLAN, 5)


def test_a_damaged_library_is_an_error(tmp_path: Path) -> None:
    path = library(tmp_path / "library.npz", *[PIECE] * 5)
    data = bytearray(path.read_bytes())
    data[200:260] = bytes(60)
    path.write_bytes(data)
    for bad in (path, tmp_path / "none.npz"):
        with pytest.raises(InputError, match=bad.name):
            best(bad, PLAN, 5)
