"""Rhythm of a video → control words: equal to the original's, and never a crash."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmt.control import (
    CONTROL_COLUMNS,
    DENSITY_THRESHOLDS,
    STRENGTH_THRESHOLDS,
    Control,
    control_words,
    load_control,
    save_control,
)
from cmt.files import InputError
from cmt.grid import Knot
from cmt.music.vocabulary import BAR, COLUMNS, FIELD, TICKS_PER_BAR
from cmt.retiming import retimed
from cmt.rhythm import (
    VideoRhythm,
    VisualBeat,
    load_rhythm,
    mean_per_bar,
    place_visual_beats,
    save_rhythm,
)

REFERENCE = Path(__file__).parent / "reference" / "video"
VIDEOS = sorted(path.stem for path in REFERENCE.glob("*.json"))
CLIPS = [name for name in VIDEOS if name != "vlog"]

# Ten seconds at 120 BPM: 80 ticks, 5 bars.
RHYTHM = VideoRhythm(10.0, 120.0, (VisualBeat(2.5, 1, 4, 0.9),), (0.0, 0.01, 0.1, 1.0, 10.0))


@pytest.mark.parametrize("name", VIDEOS)
def test_words_equal_recorded(name: str) -> None:
    words = control_words(load_rhythm(REFERENCE / f"{name}.json"))
    np.testing.assert_array_equal(words, np.load(REFERENCE / f"{name}.npz")["input"])


@pytest.mark.parametrize("name", CLIPS)
def test_metadata_equal_recorded(name: str) -> None:
    rhythm = load_rhythm(REFERENCE / f"{name}.json")
    recorded = np.load(REFERENCE / f"{name}.npz")
    placed = place_visual_beats(recorded["path_times"], recorded["path_weights"], rhythm.tempo)
    assert placed == rhythm.vbeats
    per_bar = mean_per_bar(recorded["flow"], float(recorded["fps"]), rhythm.tempo)
    assert per_bar == rhythm.flow_magnitude_per_bar


def test_columns_and_classes_fit_the_vocabulary() -> None:
    assert set(CONTROL_COLUMNS) < set(COLUMNS)
    assert len(DENSITY_THRESHOLDS) + 1 < FIELD["density"].size
    assert len(STRENGTH_THRESHOLDS) < FIELD["strength"].size


def test_a_word_says_bar_density_beat_strength_and_place() -> None:
    words = control_words(RHYTHM)
    n_beat = 80
    np.testing.assert_array_equal(
        words,
        [
            (BAR, 1, 0, 0, n_beat, 1),
            (BAR, 2, 0, 16, n_beat, 21),
            (5, 0, 5, 20, n_beat, 26),
            (BAR, 6, 0, 32, n_beat, 41),
            (BAR, 12, 0, 48, n_beat, 61),
            (BAR, 17, 0, 64, n_beat, 81),
        ],
    )


def test_a_threshold_belongs_to_the_class_above() -> None:
    still = replace(RHYTHM, flow_magnitude_per_bar=(DENSITY_THRESHOLDS[0],))
    assert control_words(still)[0, 1] == 2
    weak = replace(RHYTHM, vbeats=(VisualBeat(0.0, 0, 0, -0.1), VisualBeat(0.5, 0, 4, 0.0)))
    assert control_words(weak)[1:3, 2].tolist() == [0, 1]


def test_visual_beats_ask_for_notes_by_their_weight_and_the_room_around_them() -> None:
    def strengths(*beats: tuple[int, float]) -> list[int]:
        seen = tuple(
            VisualBeat(tick / 8, *divmod(tick, TICKS_PER_BAR), weight) for tick, weight in beats
        )
        rhythm = VideoRhythm(40.0, 120.0, seen, (0.3,) * 20, scenes=(0,))
        words = control_words(rhythm)
        return words[words[:, 0] != BAR, 2].tolist()

    assert strengths((0, 1.0), (16, 0.5), (48, 0.0)) == [6, 4, 2]
    assert strengths((0, 1.0), (8, 1.0), (12, 1.0), (16, 1.0)) == [4, 3, 3, 3]
    # A cut among steps has the bar to itself, they have not.
    assert strengths((0, 0.5), (4, 1.0), (8, 0.5)) == [2, 6, 2]


def test_beats_fall_on_the_nearest_tick() -> None:
    # At 120 BPM a tick lasts 1/8 s.
    beats = place_visual_beats(np.array([0.0, 0.07, 0.6, 2.3]), np.full(4, 0.5), 120)
    assert [(beat.bar, beat.tick) for beat in beats] == [(0, 0), (0, 1), (0, 5), (1, 2)]
    assert [beat.i_beat for beat in beats] == [0, 1, 5, 18]
    coarse = place_visual_beats(np.array([0.0, 0.07, 0.5, 0.75]), np.full(4, 0.5), 120, 4)
    assert [beat.tick for beat in coarse] == [0, 4]


def test_speed_is_averaged_over_bars() -> None:
    speed = np.array([1.0] * 60 + [2.0] * 60 + [5.0] * 7)
    assert mean_per_bar(speed, 30, 120) == (1.0, 2.0, 5.0)
    assert mean_per_bar(np.zeros(0), 30, 120) == ()
    assert mean_per_bar(np.ones(2), 0.2, 120) == (1.0, 1.0)


def test_every_bar_of_the_video_has_a_word() -> None:
    short = replace(RHYTHM, flow_magnitude_per_bar=(0.0, 1.0), vbeats=())
    assert control_words(short)[:, 1].tolist() == [1, 12, 12, 12, 12]
    late = replace(RHYTHM, vbeats=(VisualBeat(13.0, 6, 8, 0.5),))
    assert (control_words(late)[:, 0] == BAR).sum() == 7
    instant = VideoRhythm(0.04, 120.0, (), ())
    np.testing.assert_array_equal(control_words(instant), [(BAR, 1, 0, 0, 1, 1)])


@given(
    duration=st.floats(0.01, 600),
    tempo=st.floats(20, 320),
    speeds=st.lists(st.floats(0, 20), max_size=50),
    times=st.lists(st.floats(0, 600), max_size=30),
)
def test_words_go_forward_and_name_each_bar_once(
    duration: float, tempo: float, speeds: list[float], times: list[float]
) -> None:
    beats = place_visual_beats(np.array(sorted(times)), np.full(len(times), 0.5), tempo)
    rhythm = VideoRhythm(duration, tempo, beats, tuple(speeds))
    words = control_words(rhythm)
    beat, i_beat = words[:, 0], words[:, 3]
    assert np.all(np.diff(i_beat) >= 0)
    bars = i_beat[beat == BAR]
    np.testing.assert_array_equal(bars, np.arange(len(bars)) * TICKS_PER_BAR)
    assert len(bars) >= max(1, rhythm.n_bars)
    assert (beat != BAR).sum() == len(times)
    np.testing.assert_array_equal((i_beat % TICKS_PER_BAR + 1)[beat != BAR], beat[beat != BAR])


def test_rhythm_survives_json(tmp_path: Path) -> None:
    save_rhythm(tmp_path / "a.json", RHYTHM)
    assert load_rhythm(tmp_path / "a.json") == RHYTHM
    original = json.loads((REFERENCE / "vlog.json").read_text())
    assert json.loads((tmp_path / "a.json").read_text()).keys() == original.keys()


def test_control_file_suffices(tmp_path: Path) -> None:
    words = control_words(RHYTHM)
    save_control(tmp_path / "a.b.npz", Control(words, RHYTHM.tempo, RHYTHM.duration))
    control = load_control(tmp_path / "a.b.npz")
    np.testing.assert_array_equal(control.words, words)
    assert (control.tempo, control.duration) == (120.0, 10.0)


def test_original_control_file_takes_tempo_from_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, input=control_words(RHYTHM))
    assert load_control(path).tempo is None
    (tmp_path / "a.json").write_text('{"seed": 1}')  # somebody else's
    shutil.copy(REFERENCE / "vlog.json", tmp_path / "metadata.json")  # another video's
    assert load_control(path).duration is None
    save_rhythm(tmp_path / "metadata.json", RHYTHM)
    assert (load_control(path).tempo, load_control(path).duration) == (120.0, 10.0)


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"not an npz",
        {"words": np.zeros((2, 6), int)},
        {"input": np.zeros((2, 5), int)},
        {"input": np.zeros((0, 6), int)},
        {"input": np.zeros((2, 6))},
        {"input": np.array([[{}]], dtype=object)},
    ],
)
def test_a_file_without_control_words_is_named(tmp_path: Path, content: object) -> None:
    path = tmp_path / "bad.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, dict):
        np.savez(path, **content)
    with pytest.raises(InputError, match=r"bad\.npz.*video2npz"):
        load_control(path)


NO_TEMPO = '{"duration": 1, "tempo": 0, "vbeats": [], "flow_magnitude_per_bar": []}'


@pytest.mark.parametrize("text", [None, "", "[]", '{"tempo": 120}', NO_TEMPO])
def test_a_file_without_a_rhythm_is_named(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "bad.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=r"bad\.json.*video2npz"):
        load_rhythm(path)


def test_another_tempo_keeps_seconds_and_speed() -> None:
    """Twice as fast: twice the bars, each beat on twice its tick, the same density per bar."""
    rows = [(BAR, 5, 0, 0), (3, 0, 4, 2), (BAR, 9, 0, 16), (9, 0, 2, 24)]
    control = Control(np.array([(*row, 30, 1) for row in rows]), 60.0, 7.5)
    faster = retimed(control, 120.0)
    assert faster.tempo == 120.0
    assert faster.words[:, :5].tolist() == [
        [BAR, 5, 0, 0, 60],
        [5, 0, 4, 4, 60],
        [BAR, 5, 0, 16, 60],
        [BAR, 9, 0, 32, 60],
        [BAR, 9, 0, 48, 60],
        [1, 0, 2, 48, 60],
    ]
    back = retimed(faster, 60.0)
    np.testing.assert_array_equal(back.words[:, :5], control.words[:, :5])


def test_a_slower_tempo_averages_density_over_time() -> None:
    rows = [(BAR, 1, 0, 0), (BAR, 9, 0, 16), (BAR, 3, 0, 32), (BAR, 3, 0, 48)]
    control = Control(np.array([(*row, 64, 1) for row in rows]), 120.0, 8.0)
    assert retimed(control, 60.0).words[:, 1].tolist() == [5, 3]


def test_a_control_of_unknown_tempo_is_taken_as_made_for_the_one_asked() -> None:
    words = np.array([(BAR, 5, 0, 0, 16, 1)])
    assert retimed(Control(words, None, None), 90.0) == Control(words, 90.0, None)


def test_a_checksum_tells_all_that_music_is_made_from() -> None:
    words = np.array([(BAR, 5, 0, 0, 16, 1), (5, 0, 3, 4, 16, 26)])
    seconds = np.array([0.0, 0.51])
    plain = Control(words, 120.0, 2.0)
    others = [
        Control(words, 121.0, 2.0),
        Control(words, 120.0, 2.0, (Knot(0, 0.0), Knot(1, 0.13))),
        Control(words, 120.0, 2.0, (), seconds, (0,)),
        Control(words, 120.0, 2.0, (), seconds + 0.01, (0,)),
    ]
    assert len({control.checksum for control in (plain, *others)}) == 5
