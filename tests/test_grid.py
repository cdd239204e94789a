"""When ticks fall, and the tempo map that says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmt.files import InputError
from cmt.grid import LARGEST_BEND, Grid, Hit, bent, best_tempo, constant, shifted
from cmt.key_frames import read_key_frames
from cmt.music.vocabulary import TICKS_PER_BAR, TICKS_PER_BEAT


def played(grid: Grid) -> np.ndarray:
    """Seconds of the ticks as a player of the tempo map has them."""
    quarters = np.zeros(grid.n_ticks)
    for start, quarter in grid.tempo_map():
        quarters[start:] = quarter
    return np.append(0, np.cumsum(quarters / 1e6 / TICKS_PER_BEAT))


def test_a_constant_grid() -> None:
    grid = constant(120, 10)
    assert grid.n_ticks == 80
    assert grid.seconds[:3].tolist() == [0, 0.125, 0.25]
    assert grid.bars.tolist() == [0, 2, 4, 6, 8]
    assert grid.tempo == pytest.approx(120)
    assert grid.tempo_map() == [(0, 500_000)]


def test_a_tick_that_begins_at_the_end_is_outside() -> None:
    assert constant(120, 2.0).n_ticks == 16
    assert constant(120, 2.01).n_ticks == 17
    assert constant(120, 0.01).n_ticks == 1


def test_a_shifted_grid_has_a_tick_at_the_first_beat() -> None:
    grid = shifted(100, 0.48, 20)
    beats = 0.48 + 0.6 * np.arange(30)
    assert np.abs(grid.to_seconds(grid.nearest(beats)) - beats).max() < 1e-9
    assert np.diff(grid.seconds)[1:] == pytest.approx(0.15)
    assert 0.075 <= grid.seconds[1] <= 0.225
    assert len(grid.tempo_map()) == 2


@given(st.floats(60, 150), st.floats(0, 2), st.floats(0.1, 60), st.floats(0, 70))
def test_seconds_and_ticks_are_inverse(
    tempo: float, first: float, length: float, at: float
) -> None:
    grid = shifted(tempo, first, length)
    assert grid.to_seconds(grid.to_ticks(at)) == pytest.approx(at, abs=1e-9)
    assert grid.seconds[0] == 0
    assert (np.diff(grid.seconds) > 0).all()
    assert grid.seconds[-2] < length <= grid.seconds[-1] + 1e-6


def test_a_bent_grid_meets_every_cut_exactly() -> None:
    cuts = 0.5 + np.cumsum(np.random.default_rng(1).uniform(0.8, 3, 40))
    hits = [Hit(time) for time in cuts.tolist()]
    grid = bent(best_tempo(hits), hits, cuts[-1] + 3)
    assert np.abs(grid.to_ticks(cuts) - np.round(grid.to_ticks(cuts))).max() < 1e-6
    tempo = 60 / np.diff(grid.seconds)[1:] / TICKS_PER_BEAT
    bends = np.abs(best_tempo(hits) / tempo - 1)
    assert bends.max() <= LARGEST_BEND + 1e-6
    assert bends.mean() < 0.03
    on_beat = np.round(grid.to_ticks(cuts)) % TICKS_PER_BEAT == 0
    assert on_beat.mean() > 0.4  # a quarter would be by chance


def test_cuts_at_a_tempo_bend_nothing() -> None:
    hits = [Hit(1 + 1.2 * i) for i in range(12)]
    assert best_tempo(hits) == 100
    grid = bent(100, hits, 16)
    ticks = grid.nearest([hit.time for hit in hits])
    assert np.diff(ticks).tolist() == [8] * 11
    assert np.diff(grid.seconds)[8:] == pytest.approx(0.15)


def test_a_new_scene_begins_a_bar() -> None:
    scenes = [8.6, 17.0, 24.1]
    grid = bent(110, [Hit(time, strong=True) for time in scenes], 30)
    assert (grid.nearest(scenes) % TICKS_PER_BAR == 0).all()
    assert grid.to_seconds(grid.nearest(scenes)) == pytest.approx(scenes)


def test_of_hits_that_are_too_near_the_heavier_is_met() -> None:
    hits = [Hit(4.0), Hit(4.05, 0.2), Hit(8.0)]
    grid = bent(120, hits, 10)
    assert grid.to_ticks(np.array([4.0, 8.0])) == pytest.approx([32, 64])


def test_many_hits_at_once_do_no_harm() -> None:
    hits = [Hit(2 + 0.01 * i) for i in range(200)] + [Hit(9.0)]
    grid = bent(120, hits, 12)
    assert grid.to_ticks(9.0) == pytest.approx(round(float(grid.to_ticks(9.0))))


@settings(max_examples=30)
@given(st.lists(st.floats(0, 40), max_size=25), st.floats(70, 150))
def test_the_tempo_map_plays_the_grid(times: list[float], tempo: float) -> None:
    grid = bent(tempo, [Hit(time) for time in times], 40)
    assert np.abs(played(grid) - grid.seconds).max() < 1e-4
    assert grid.tempo_map()[0][0] == 0
    assert (np.diff(grid.seconds) > 0).all()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.5\n\n12.48  door slams\n# a note\n", (1.5, 12.48)),
        ("1:02\n0:00:03.25,x\n", (3.25, 62.0)),
        ("00:00:02:12\n", (2.48,)),
    ],
)
def test_key_frames_are_a_time_a_line(
    tmp_path: Path, text: str, expected: tuple[float, ...]
) -> None:
    path = tmp_path / "keys.txt"
    path.write_text(text)
    assert read_key_frames(path, 25) == pytest.approx(expected)


EDL = """TITLE: CUT
FCM: NON-DROP FRAME

001  AX       V     C        00:00:10:00 00:00:12:00 01:00:00:00 01:00:02:00
* FROM CLIP NAME: A.MOV
002  AX       AA/V  C        00:00:00:00 00:00:03:05 01:00:02:00 01:00:05:05
003  AX       A     C        00:00:00:00 00:00:01:00 01:00:03:00 01:00:04:00
004  AX       V     D    025 00:00:00:00 00:00:03:05 01:00:05:05 01:00:08:10
"""


def test_key_frames_of_an_edl(tmp_path: Path) -> None:
    path = tmp_path / "cut.edl"
    path.write_text(EDL)
    assert read_key_frames(path, 25) == pytest.approx((2.0, 5.2))


def test_drop_frame_time_codes_keep_to_the_clock(tmp_path: Path) -> None:
    path = tmp_path / "keys.txt"
    path.write_text("00:10:00;00\n")
    assert read_key_frames(path, 30000 / 1001)[0] == pytest.approx(600, abs=0.01)


@pytest.mark.parametrize("text", ["", "soon\n", "1.0\n-3\n"])
def test_key_frames_that_are_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "keys.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=r"keys\.txt"):
        read_key_frames(path, 25)


def test_key_frames_that_are_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_key_frames(tmp_path / "none.txt", 25)
