"""Control words, rhythms and data sets with values that no program of ours writes."""

from __future__ import annotations

import io
import json
import resource
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cmt.control import Control, load_control, save_control
from cmt.files import InputError
from cmt.music.dataset import read_dataset
from cmt.music.vocabulary import BAR, COLUMNS
from cmt.rhythm import VideoRhythm, load_rhythm, save_rhythm
from cmt.training.config import Augmentation
from cmt.training.held_out import split
from cmt.training.songs import Songs

CONTROL = np.array([(BAR, 5, 0, 0, 28, 1), (5, 0, 3, 4, 28, 15), (BAR, 5, 0, 16, 28, 58)])
RHYTHM: dict[str, Any] = {
    "duration": 4.0,
    "tempo": 120.0,
    "vbeats": [{"start_time": 0.5, "bar": 0, "tick": 4, "weight": 0.8}],
    "flow_magnitude_per_bar": [0.5, 1.0],
}
SONG = np.zeros((5, len(COLUMNS)), np.int64)
SONG[:4] = [
    (1, BAR, 2, 0, 0, 0, 0, 0, 20, 0),
    (1, 1, 1, 0, 0, 2, 1, 0, 20, 0),
    (2, 0, 0, 128, 5, 2, 0, 0, 20, 0),
    (1, BAR, 1, 0, 0, 0, 0, 16, 20, 80),
]


def npy(array: np.ndarray, shape: object = None, descr: str | None = None) -> bytes:
    """An array as npz files hold it, whose header may lie."""
    about = {"descr": descr or array.dtype.str, "fortran_order": False}
    text = f"{ {**about, 'shape': array.shape if shape is None else shape} }".encode()
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + array.tobytes()


def npz(path: Path, **members: bytes | np.ndarray) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            data = content if isinstance(content, bytes) else npy(content)
            file.writestr(f"{name}.npy", data)
    return path


def changed(rows: np.ndarray, *place: Any) -> np.ndarray:
    *where, value = place
    rows = rows.copy()
    rows[tuple(where)] = value
    return rows


def read_control(tmp_path: Path, words: bytes | np.ndarray = CONTROL, **more: object) -> None:
    arrays = {name: np.array(value) for name, value in more.items()}
    load_control(npz(tmp_path / "a.npz", input=words, **arrays))


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (changed(CONTROL, 1, 0, 99), r"beat\[1\] is 99, not from 1 to 17"),
        (changed(CONTROL, 0, 1, 10**9), r"density\[0\] is 1000000000"),
        (changed(CONTROL, 1, 2, -1), r"strength\[1\] is -1"),
        (changed(CONTROL, 2, 3, -16), r"i_beat\[2\] is -16"),
        (changed(CONTROL, slice(None), 4, 2**62), r"n_beat\[0\] is 4611686018427387904"),
        (changed(CONTROL, 0, 4, 27), "word 1, .*, is of another n_beat"),
        (changed(CONTROL, 1, 3, 5), "word 1, .*, is not on its tick"),
        (changed(CONTROL, 0, 1, 0), "word 0, .*, is a bar without density"),
        (CONTROL[[2, 0, 1]], "word 0, .*, is not the next bar"),
        (CONTROL[1:], r"i_beat\[1\] is 16, not from 0 to 15"),
        (CONTROL[:0], "holds no bar"),
        (CONTROL.astype(np.uint64) + 2**63, r"beat\[0\] is 9223372036854775825"),
        (npy(CONTROL, (2**40, 6)), "`input` declares 52,776,558,133,248 bytes"),
        (npy(CONTROL, (9, 6)), "`input` is cut off"),
        (npy(CONTROL, (3, -6)), "`input` is int64"),
        (npy(CONTROL, "((((((((((("), "`input` has no header that can be read"),
        (npy(CONTROL, descr="|O"), "`input` is object"),
        (b"\0" * 2**20, "`input` has no header that can be read"),
    ],
)
def test_control_words_that_no_video_has(
    words: bytes | np.ndarray, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(
        InputError, match=rf"a\.npz: no control words \({reason}.*video2npz"
    ) as told:
        read_control(tmp_path, words)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"tempo": 0.0, "duration": 3.5}, "tempo is 0.0"),
        ({"tempo": np.nan, "duration": 3.5}, "tempo is nan"),
        ({"tempo": 1.0, "duration": 3.5}, "tempo is 1.0, not a number from 20 to 400"),
        ({"tempo": 120.0, "duration": 1e300}, r"duration is 1e\+300"),
        ({"tempo": 120.0, "duration": 0.0}, "duration is 0.0"),
        ({"tempo": 120.0, "duration": 600.0}, "n_beat is 28, and 600 s at 120 BPM have 4800 ticks"),
        ({"seconds": [0, np.inf, 2]}, r"seconds\[1\] is inf"),
        ({"seconds": [0.0]}, "`seconds` is float64"),
        ({"knots": [[0, 0], [4, 0.0]]}, r"knots\[1\] is 4 ticks and 0 s after the last"),
        ({"knots": [[0, 0], [4, np.nan]]}, r"knots\[1\].second is nan"),
        ({"knots": [[1, 0.1]]}, r"knots\[0\] is 1, 0.1, not 0, 0"),
        ({"scenes": [0, 1, 1]}, "scenes do not ascend"),
        ({"scenes": [0, 77]}, r"scenes\[1\] is 77"),
    ],
)
def test_times_that_no_video_has(more: dict[str, object], reason: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"a\.npz: no control words \({reason}"):
        read_control(tmp_path, **more)


def test_a_bomb_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match="declares 402,653,184 bytes"):
        read_control(tmp_path, npy(np.zeros(0), (2**26, 6), "|i1") + bytes(6 * 2**20))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({**RHYTHM, "tempo": 0}, "tempo is 0, not a number from 20 to 400"),
        ({**RHYTHM, "tempo": -120}, "tempo is -120"),
        ({**RHYTHM, "tempo": None}, "tempo is None"),
        ({**RHYTHM, "tempo": 10**400}, "tempo is 1000"),
        ({**RHYTHM, "duration": 1e308}, r"duration is 1e\+308"),
        ({**RHYTHM, "vbeats": [{"start_time": 0}]}, r"vbeats\[0\].bar is None"),
        ({**RHYTHM, "vbeats": [{**RHYTHM["vbeats"][0], "bar": 10**9}]}, r"vbeats\[0\].bar is 10"),
        ({**RHYTHM, "vbeats": [{**RHYTHM["vbeats"][0], "tick": 2.5}]}, "2.5, not a whole number"),
        ({**RHYTHM, "vbeats": [[[]]]}, r"vbeats\[0\].start_time is None"),
        ({**RHYTHM, "flow_magnitude_per_bar": [1, -1]}, r"flow_magnitude_per_bar\[1\] is -1"),
        ({**RHYTHM, "flow_magnitude_per_bar": [0] * 999}, "has 999 bars, 4 s have not"),
        ({**RHYTHM, "scenes": {}}, "scenes is {}, no list"),
        (json.dumps(RHYTHM).replace("120.0", "NaN"), "NaN is no number"),
        (json.dumps(RHYTHM).replace("120.0", "1e999"), "tempo is inf"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("1" * 5000, "Exceeds|no object"),
    ],
)
def test_a_rhythm_that_no_video_has(content: object, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(InputError, match=rf"a\.json: not the rhythm of a video \(.*({reason})"):
        load_rhythm(path)


def test_a_damaged_rhythm_beside_control_words_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"duration": 1e308, "tempo": 1e308}')
    with pytest.raises(InputError, match=r"a\.json: not the rhythm of a video \(duration is 1e"):
        read_control(tmp_path)


def data_set(path: Path, x: bytes | np.ndarray = SONG[None], **members: Any) -> Path:
    about = json.dumps([{"id": "a", **members.pop("about", {})}])
    mask = np.ones((1, 5), np.int8)
    return npz(path, **{"x": x, "decoder_mask": mask, "metadata": np.array(about), **members})


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ((2, "pitch", 500), r"pitch\[2\] is 500, not from 0 to 128"),
        ((2, "pitch", -1), r"pitch\[2\] is -1"),
        ((2, "pitch", 0), "word 2, .*, is a note without pitch"),
        ((2, "instr_type", 9), r"instr_type\[2\] is 9, not from 0 to 5"),
        ((2, "duration", 18), r"duration\[2\] is 18, not from 0 to 17"),
        ((1, "type", 7), r"type\[1\] is 7, not from 0 to 2"),
        ((1, "type", 0), "word 1, .*, is an end before the end"),
        ((1, "beat", 99), r"beat\[1\] is 99, not from 0 to 17"),
        ((0, "beat", 1), "its first word, .*, is no bar"),
        ((1, "density", -1), r"density\[1\] is -1, not from 0 to 17"),
        ((1, "p_beat", 101), r"p_beat\[1\] is 101, not from 0 to 100"),
        ((3, "i_beat", 10**6), r"i_beat\[3\] is 1000000"),
        ((3, "i_beat", 21), "word 3, .*, is later than the song's last tick"),
        ((1, "i_beat", 17), "word 2, .*, is before the last word's tick"),
    ],
)
def test_words_that_no_song_has(place: tuple[int, str, int], reason: str, tmp_path: Path) -> None:
    row, column, value = place
    words = changed(SONG, row, COLUMNS.index(column), value)
    with pytest.raises(InputError, match=rf"a\.npz: not a data set .*\(song 0: {reason}"):
        read_dataset(data_set(tmp_path / "a.npz", words[None]))


def test_words_that_are_no_notes_have_no_velocity(tmp_path: Path) -> None:
    """Data sets of the published ten columns and another are none of our vocabulary."""
    words = np.concatenate([SONG, SONG[:, :1]], axis=1)
    with pytest.raises(InputError, match=r"song 0: word 0, .*, is no note, and has a velocity"):
        read_dataset(data_set(tmp_path / "a.npz", words[None]))


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"x": npy(SONG, "(").replace(b"'('", b"(  ")}, "`x` has no header"),
        ({"x": np.zeros((1, 5, 9), int)}, "`x` is int64"),
        ({"x": np.zeros((1, 5, 10), bool)}, "`x` is bool"),
        ({"x": npy(SONG, (1, 2**40, 10))}, "`x` declares 10,995,116,277,760 values a song"),
        ({"decoder_mask": npy(SONG, (2**62, 0))}, "`decoder_mask` is int64"),
        ({"decoder_mask": np.zeros((1, 5), np.int8)}, "song 0: it has no words"),
        ({"decoder_mask": np.array([[1, 0, 1, 1, 1]])}, "song 0: its decoder_mask has gaps"),
        ({"metadata": np.array("[" * 10_000)}, "nested too deeply"),
        ({"metadata": np.array("[]")}, "no song in it"),
        ({"about": {"repeats": 10**9}}, "song 0: 'repeats' is 1000000000"),
        ({"about": {"genre": {"a": "pop"}}}, "song 0: 'genre' is {'a': 'pop'}, no text"),
        ({"about": {"instruments": [["Piano"]]}}, "song 0: 'instruments' is"),
    ],
)
def test_data_sets_that_nobody_wrote(members: Any, reason: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"a\.npz: not a data set .*\({reason}"):
        read_dataset(data_set(tmp_path / "a.npz", **members))


def test_a_pickle_gets_no_room_that_it_does_not_fill(tmp_path: Path) -> None:
    memo = b"]r" + struct.pack("<I", 2**28) + b"."
    objects = npy(np.zeros(0), (1,), "|O") + memo
    with pytest.raises(InputError, match="its metadata numbers 268,435,456 objects"):
        read_dataset(data_set(tmp_path / "a.npz", metadata=objects))
    shared: Any = "x"  # two to the hundred, were it ever written out
    for _ in range(100):
        shared = [shared, shared]
    content = io.BytesIO()
    np.save(content, np.array([{"cluster": shared}], object), allow_pickle=True)
    with pytest.raises(InputError, match="'cluster' is"):
        read_dataset(data_set(tmp_path / "a.npz", metadata=content.getvalue()))


@pytest.mark.parametrize("dtype", ["|u1", "<u2", "<u4", "<u8", "<i8", ">i4", "<i2"])
def test_songs_of_any_integers_are_learned_from(dtype: str, tmp_path: Path) -> None:
    words = SONG.astype(dtype)
    data = read_dataset(data_set(tmp_path / "a.npz", words[None]))
    np.testing.assert_array_equal(data.words[0], words)
    (kept,), held_out = split(data.metadata, 0.1, 0)
    assert not held_out
    # A pitch at the top of its range neither wraps nor leaves it.
    songs = Songs(data.words, [None], 100, Augmentation(24, 0, 0, 0, 0))
    for _ in range(9):
        songs.epoch += 1
        assert 100 < songs[kept][0][2, 3] <= 128


def test_an_id_cannot_speak_to_a_terminal(tmp_path: Path) -> None:
    data = read_dataset(data_set(tmp_path / "a.npz", about={"id": "\x1b[2Jtune"}))
    assert data.metadata[0]["id"] == "�[2Jtune"


def test_hours_are_limited_as_one_asks(tmp_path: Path) -> None:
    long = VideoRhythm(7 * 3600.0, 60.0, (), (1.0,) * 6300)
    json_file, npz = tmp_path / "a.json", tmp_path / "a.npz"
    save_rhythm(json_file, long)
    save_control(npz, Control.of(long))
    for load, path in ((load_rhythm, json_file), (load_control, npz)):
        with pytest.raises(
            InputError, match=rf"{path.name}: lasts 7 hours.*, or raise --max-hours$"
        ):
            load(path)
        assert load(path, 8.0).duration == 7 * 3600


def test_a_rhythm_is_as_large_as_so_many_hours_ask_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cmt.untrusted.MAX_JSON", 2 << 20)
    path = tmp_path / "a.json"
    path.write_text(json.dumps(RHYTHM) + " " * (5 << 20))
    with pytest.raises(InputError, match=r"a\.json: .*\(more than 2 MB, what --max-hours 6 gives"):
        load_rhythm(path)
    assert load_rhythm(path, 72).duration == RHYTHM["duration"]


def test_metadata_are_limited_as_one_asks(tmp_path: Path) -> None:
    path = data_set(tmp_path / "a.npz", about={"genre": "x" * 4000})
    with pytest.raises(InputError, match=r"a\.npz: .* 0\.01 MB of metadata.*--max-megabytes$"):
        read_dataset(path, 0.01)
    assert len(read_dataset(path).words) == 1
