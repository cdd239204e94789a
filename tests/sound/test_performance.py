"""Performance: a film's dynamics, accents and metre are in the velocities, and time is kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from symusic import Score

from cmt.grid import Grid, Knot
from cmt.music.midi import read_midi, write_midi
from cmt.music.words import NOTE_DTYPE, PLAYED_DTYPE, Song
from cmt.plan import BarPlan, Plan
from cmt.sound.performance import LATEST, arcs, drumming, on_top, pace, perform

DRUMS, PIANO, GUITAR, BASS = 1, 2, 3, 4


def song(*notes: tuple[int, int, int, int], bars: int = 8) -> Song:
    return Song(np.array(sorted(notes), NOTE_DTYPE), 16 * bars)


def band(bars: int = 8) -> Song:
    """Eighths of hi-hat, kick and snare, a bass, a guitar and a tune."""
    ticks = range(0, 16 * bars, 2)
    notes = [(tick, 42, 1, DRUMS) for tick in ticks]
    notes += [(tick, 38 if tick % 8 else 36, 1, DRUMS) for tick in ticks if tick % 4 == 0]
    notes += [(tick, 40, 4, BASS) for tick in ticks if tick % 4 == 0]
    notes += [(tick, pitch, 8, GUITAR) for tick in ticks if tick % 8 == 0 for pitch in (52, 55, 59)]
    notes += [(tick, 72 + tick % 5, 2, PIANO) for tick in ticks]
    return song(*notes, bars=bars)


def plan(
    densities: Sequence[int | None], scenes: tuple[int, ...] = (0,), beats: Sequence[int] = ()
) -> Plan:
    strengths = [{t % 16: 4 for t in beats if t // 16 == bar} for bar in range(len(densities))]
    bars = (BarPlan(*asked) for asked in zip(densities, strengths, strict=True))
    return Plan(tuple(bars), scenes)


def loudness(song: Song, plan: Plan) -> np.ndarray:
    """Mean velocity of each bar."""
    velocities = perform(song, plan, None, Grid(120), 0).velocities
    bar = song.notes["tick"] // 16
    return np.bincount(bar, velocities) / np.bincount(bar)


def test_music_grows_with_the_speed_of_the_picture_and_leaps_with_the_scene() -> None:
    rising = loudness(band(), plan([2, 4, 6, 8, 10, 12, 14, 16]))
    assert (np.diff(rising) > -2).all()
    assert 20 * 2 * np.log10(rising[-1] / rising[0]) == pytest.approx(10.5, abs=2)
    gliding = pace(plan([2] * 4 + [14] * 4), np.arange(128))
    assert np.ptp(gliding) == pytest.approx(9)
    assert np.abs(np.diff(gliding)).max() < 1
    leaping = pace(plan([2] * 4 + [14] * 4, (0, 4)), np.arange(128))
    assert np.diff(leaping)[63] == pytest.approx(9)
    assert np.count_nonzero(np.diff(leaping)) == 1


def test_bars_that_are_left_to_the_model_lie_between_the_others() -> None:
    ticks = np.array([8, 16 + 8, 32 + 8])
    np.testing.assert_allclose(pace(plan([4, None, 8]), ticks), [-9, -7.5, -6])
    np.testing.assert_allclose(pace(plan([None, None, None]), ticks), -6)


def test_a_phrase_rises_and_falls() -> None:
    arc = arcs(None, np.arange(128))
    assert arc.mean() == pytest.approx(0, abs=0.01)
    assert arc.argmax() == 32
    np.testing.assert_allclose(arc[:64], arc[64:])


@pytest.mark.parametrize("density", [2, 8, 15])
def test_a_visual_beat_stands_out_and_is_in_time(density: int) -> None:
    music, grid = band(), Grid(120, (Knot(0, 0.0), Knot(64, 8.1), Knot(128, 16.0)))
    beats = [24, 46, 100]
    played = perform(music, plan([density] * 8, beats=beats), None, grid, 3)
    tick = music.notes["tick"]
    for beat in beats:
        # Against its like: the same instruments on like ticks of the same bar and the next.
        near = (np.abs(tick - beat) <= 8) & (tick != beat) & (tick % 4 == beat % 4)
        struck = played.velocities[tick == beat]
        assert struck.mean() > 1.15 * played.velocities[near].mean()
        assert (played.delays[tick == beat] == 0).all()
    seconds = played.delays * (grid.seconds(tick + 1) - grid.seconds(tick))
    assert seconds.min() >= 0 and seconds.max() <= LATEST
    assert 0.001 < np.median(seconds[~np.isin(tick, beats)]) < 0.003


def test_velocities_of_every_track_vary_as_players_do() -> None:
    music = band(16)
    played = perform(music, plan([4, 6, 8, 10] * 4), None, Grid(120), 0)
    for instrument in (DRUMS, PIANO, GUITAR, BASS):
        assert played.velocities[music.notes["instrument"] == instrument].std() > 7
    assert played.velocities.min() >= 1 and played.velocities.max() <= 127


def test_drummers_strike_the_backbeat_and_whisper_between() -> None:
    table = drumming()
    assert table[1, 1] / table[1, 4] > 1.4  # snare
    assert (table[:, 4] < table[:, :3].max(axis=1)).all()
    snares = song(*[(tick, 38, 1, DRUMS) for tick in range(64)], bars=4)
    velocities = perform(snares, plan([8] * 4), None, Grid(120), 0, humanize=False).velocities
    bars = velocities.reshape(4, 16)
    backbeats, between = bars[:, [4, 12]], np.delete(bars, [4, 12], axis=1)
    assert (backbeats.min(axis=1) > 1.1 * between.max(axis=1)).all()
    assert (backbeats.mean(axis=1) > 1.3 * between.mean(axis=1)).all()


def test_what_the_model_says_of_loudness_is_played() -> None:
    written = [(tick, 38, 1, DRUMS, 40 if tick % 8 else 120) for tick in range(0, 128, 4)]
    written += [(tick, 60, 4, PIANO, 0) for tick in range(0, 128, 4)]  # of these it says nothing
    music = Song(np.array(sorted(written), PLAYED_DTYPE), 128)
    velocities = perform(music, plan([8] * 8), None, Grid(120), 0, humanize=False).velocities
    drums, accented = music.notes["instrument"] == DRUMS, music.notes["tick"] % 8 == 0
    loud, soft = velocities[drums & accented], velocities[drums & ~accented]
    assert (loud / soft).min() > 2.7 and (loud / soft).max() < 3.3
    piano = Song(music.notes[~drums], 128)
    alone = perform(piano, plan([8] * 8), None, Grid(120), 0, humanize=False).velocities
    np.testing.assert_array_equal(alone, velocities[~drums])


def test_other_loudness_in_one_bar_changes_nothing_in_the_others() -> None:
    written = [(tick, 60, 4, PIANO, 40 + tick % 60) for tick in range(0, 128, 4)]
    music = Song(np.array(written, PLAYED_DTYPE), 128)
    other = Song(music.notes.copy(), 128)
    here = other.notes["tick"] // 16 == 3
    other.notes["velocity"][here] = 120
    first, second = (
        perform(song, plan([8] * 8), None, Grid(120), 4).velocities for song in (music, other)
    )
    np.testing.assert_array_equal(first[~here], second[~here])
    assert (first[here] < second[here]).all()


def test_the_line_on_top_is_what_nothing_sounds_above() -> None:
    music = song(
        (0, 40, 16, BASS), (0, 60, 16, GUITAR), (0, 72, 4, PIANO), (0, 90, 1, DRUMS),
        (4, 67, 4, PIANO), (8, 55, 4, PIANO), (14, 79, 8, PIANO), (16, 50, 4, BASS),
        (18, 62, 2, GUITAR),
    )  # fmt: skip
    top = dict(zip(music.notes[["tick", "pitch"]].tolist(), on_top(music).tolist(), strict=True))
    assert [key for key, is_top in top.items() if is_top] == [(0, 72), (4, 67), (14, 79), (18, 62)]


def test_playing_depends_on_song_plan_and_seed_alone() -> None:
    music, asked = band(), plan([8] * 8, beats=[24])
    first, again, other = (perform(music, asked, None, Grid(120), seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.velocities, again.velocities)
    np.testing.assert_array_equal(first.delays, again.delays)
    assert (first.velocities != other.velocities).any()
    even = perform(music, asked, None, Grid(120), 5, humanize=False)
    assert not even.delays.any()


def test_what_is_played_is_in_the_file_and_reads_back_on_its_ticks(tmp_path: Path) -> None:
    music, grid = band(), Grid(120, (Knot(0, 0.0), Knot(48, 5.9), Knot(128, 16.0)))
    played = perform(music, plan([8] * 8, beats=[24, 100]), None, grid, 1)
    path = tmp_path / "played.mid"
    write_midi(
        music, path, grid.tempi, velocities=played.velocities, delays=played.delays,
        markers=[(16, "scene 2")],
    )  # fmt: skip
    read = read_midi(path).song
    kept = read.notes[list(music.notes.dtype.names)]
    np.testing.assert_array_equal(np.sort(kept), np.sort(music.notes))
    score = Score(path, ttype="second")
    assert score.markers[0].time == pytest.approx(float(grid.seconds(16)), abs=1e-3)
    heard = np.sort([note.time for track in score.tracks for note in track.notes])
    exact = grid.seconds(np.sort(music.notes["tick"]))
    assert np.abs(heard - exact).max() < LATEST + 0.001
    for beat in (24, 100):
        assert np.abs(heard - grid.seconds(beat)).min() < 1e-4
    velocities = [note.velocity for track in score.tracks for note in track.notes]
    assert sorted(velocities) == sorted(played.velocities.tolist())
