"""Notes ⇄ compound words, and the data set's file."""

import json
import pickle
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmt.files import InputError
from cmt.vocabulary import COLUMNS, INSTRUMENTS, MAX_DURATION, MAX_WORDS, TICKS_PER_BAR
from cmt.words import (
    NOTE_DTYPE,
    Song,
    read_dataset,
    song_to_words,
    words_to_song,
    write_dataset,
)

REFERENCE = Path(__file__).parent / "reference" / "midi"
CASES = json.loads((REFERENCE / "numpy2midi_cases.json").read_text())


def make_song(notes: list[tuple[int, int, int, int]], length: int = 0) -> Song:
    array = np.array(sorted(notes, key=lambda note: note[0]), NOTE_DTYPE)
    return Song(array, max([length, 1, *(tick + duration for tick, _, duration, _ in notes)]))


songs = st.builds(
    make_song,
    st.lists(
        st.tuples(st.integers(0, 100), st.integers(0, 127), st.integers(0, 40), st.integers(1, 5)),
        max_size=40,
    ),
    st.integers(0, 200),
)


def naive_words(song: Song) -> np.ndarray:
    """What `song_to_words` does, word for word."""
    rows = []
    for bar in range(song.length // TICKS_PER_BAR + 1):
        notes = [note for note in song.notes.tolist() if note[0] // TICKS_PER_BAR == bar]
        onsets = {note[0] for note in notes}
        start = bar * TICKS_PER_BAR
        rows.append([1, 17, len(onsets) + 1, 0, 0, 0, 0, start])
        previous = None
        for tick, pitch, duration, instrument in notes:
            if previous != (tick, instrument):
                density = sum(onset > tick for onset in onsets) + 1
                strength = sum((note[0], note[3]) == (tick, instrument) for note in notes)
                rows.append([1, tick - start + 1, density, 0, 0, instrument, strength, tick])
                previous = (tick, instrument)
            rows.append([2, 0, 0, pitch + 1, min(duration, 16) + 1, instrument, 0, tick])
    n_beat = song.length
    words = [[*row, n_beat, int(100 * row[-1] / n_beat)] for row in rows]
    return np.array([*words, [0] * len(COLUMNS)])


def reference_words() -> list[np.ndarray]:
    with np.load(REFERENCE / "ref_midi2numpy.npz") as file:
        x, y, lengths = file["x"], file["y"], file["de_len"]
    return [np.vstack([x[i, :1], y[i, : length - 1]]) for i, length in enumerate(lengths.tolist())]


def test_a_bar_with_a_chord_and_a_drum() -> None:
    song = make_song([(0, 60, 4, 2), (0, 64, 4, 2), (0, 36, 1, 1), (6, 60, 20, 2)], length=31)
    words = song_to_words(song)
    expected = [
        # type beat density pitch duration instrument strength i_beat n_beat p_beat
        [1, 17, 3, 0, 0, 0, 0, 0, 31, 0],
        [1, 1, 2, 0, 0, 2, 2, 0, 31, 0],
        [2, 0, 0, 61, 5, 2, 0, 0, 31, 0],
        [2, 0, 0, 65, 5, 2, 0, 0, 31, 0],
        [1, 1, 2, 0, 0, 1, 1, 0, 31, 0],
        [2, 0, 0, 37, 2, 1, 0, 0, 31, 0],
        [1, 7, 1, 0, 0, 2, 1, 6, 31, 19],
        [2, 0, 0, 61, 17, 2, 0, 6, 31, 19],
        [1, 17, 1, 0, 0, 0, 0, 16, 31, 51],
        [0] * 10,
    ]
    np.testing.assert_array_equal(words, expected)


@settings(deadline=None)
@given(songs)
def test_words_equal_the_readable_form(song: Song) -> None:
    np.testing.assert_array_equal(song_to_words(song), naive_words(song))


@settings(deadline=None)
@given(songs)
def test_nothing_but_long_durations_is_lost_in_words(song: Song) -> None:
    expected = song.notes.copy()
    expected["duration"] = np.minimum(expected["duration"], MAX_DURATION)
    back = words_to_song(song_to_words(song))
    np.testing.assert_array_equal(back.notes, expected)
    assert back.length == song.length


@pytest.mark.parametrize("index", range(6))
def test_recorded_words_survive_notes(index: int) -> None:
    words = reference_words()[index]
    np.testing.assert_array_equal(song_to_words(words_to_song(words)), words)


@pytest.mark.parametrize("name", CASES["cases"])
def test_words_to_notes_as_recorded(name: str) -> None:
    words, result = np.array(CASES["cases"][name]), CASES["results"][name]
    if isinstance(result, str):  # the original died here
        with pytest.raises(ValueError, match=r"word \d+: "):
            words_to_song(words)
    else:
        notes = words_to_song(words).notes.tolist()
        assert sorted(result["music"]) == sorted(
            [INSTRUMENTS[instrument - 1].name, tick, pitch, duration]
            for tick, pitch, duration, instrument in notes
        )


@pytest.mark.parametrize(
    ("note", "reason"),
    [
        ((0, 128, 1, 1), "pitch"),
        ((0, 60, -1, 1), "duration"),
        ((0, 60, 1, 6), "instrument"),
        ((17, 60, 1, 1), "tick"),
    ],
)
def test_notes_that_no_word_can_hold(note: tuple[int, int, int, int], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        song_to_words(Song(np.array([note], NOTE_DTYPE), 16))


def test_a_song_without_length_has_no_words() -> None:
    with pytest.raises(ValueError, match="no length"):
        song_to_words(Song(np.empty(0, NOTE_DTYPE), 0))


def about(words: np.ndarray) -> dict[str, object]:
    return {"id": "ü/1", "de_len": len(words), "instruments": ["Piano"], "genre": "N/A"}


def longest_song() -> np.ndarray:
    words = np.ones((MAX_WORDS, len(COLUMNS)), np.int64)
    words[-1] = 0
    return words


def test_data_set_has_the_layout_and_the_songs(tmp_path: Path) -> None:
    songs = [*reference_words(), longest_song()]
    path = tmp_path / "new folder" / "songs.npz"
    assert write_dataset(path, ((words, about(words)) for words in songs)) == len(songs)
    with np.load(path) as file:
        assert json.loads(str(file["metadata"])) == [about(words) for words in songs]
        assert file["x"].dtype == file["y"].dtype == np.int16
        with np.load(REFERENCE / "ref_midi2numpy.npz") as reference:
            for name in ("x", "y", "decoder_mask"):
                np.testing.assert_array_equal(file[name][:-1], reference[name])
        np.testing.assert_array_equal(file["decoder_mask"].sum(1), [len(words) for words in songs])
    dataset = read_dataset(path)
    assert dataset.metadata == [about(words) for words in songs]
    for words, expected in zip(dataset.words, songs, strict=True):
        np.testing.assert_array_equal(words, expected)
    assert [file.name for file in path.parent.iterdir()] == ["songs.npz"]


def test_writing_holds_one_song_at_a_time(tmp_path: Path) -> None:
    words = reference_words()[0]
    tracemalloc.start()
    write_dataset(tmp_path / "songs.npz", ((words, {}) for _ in range(40)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * MAX_WORDS * len(COLUMNS) * 4


def test_no_songs_are_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no songs"):
        write_dataset(tmp_path / "songs.npz", [])
    assert not list(tmp_path.iterdir())


def test_a_song_that_is_too_long_is_refused(tmp_path: Path) -> None:
    words = np.ones((MAX_WORDS + 1, len(COLUMNS)), int)
    with pytest.raises(ValueError, match="10000"):
        write_dataset(tmp_path / "songs.npz", [(words, {})])


def save_as_the_original(path: Path, metadata: object) -> None:
    with np.load(REFERENCE / "ref_midi2numpy.npz") as file:
        arrays = {name: file[name].astype(np.int64) for name in ("x", "y", "decoder_mask")}
    np.savez_compressed(path, metadata=np.array(metadata), **arrays)


def test_the_originals_file_loads(tmp_path: Path) -> None:
    path = tmp_path / "lpd.npz"
    metadata = json.loads((REFERENCE / "ref_metadata.json").read_text())
    stored = [{**about, "de_len": np.int64(about["de_len"])} for about in metadata]
    save_as_the_original(path, stored)
    dataset = read_dataset(path)
    assert dataset.metadata == metadata
    for words, expected in zip(dataset.words, reference_words(), strict=True):
        np.testing.assert_array_equal(words, expected)


class Malicious:
    """Its pickle calls a function of its own choice."""

    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.victim,)


def test_a_pickle_cannot_run_code(tmp_path: Path) -> None:
    path, victim = tmp_path / "lpd.npz", tmp_path / "victim"
    save_as_the_original(path, [Malicious(victim)] * 6)
    with pytest.raises(InputError, match=r"lpd\.npz.*metadata asks for"):
        read_dataset(path)
    assert not victim.exists()
    pickle.loads(pickle.dumps(Malicious(victim)))
    assert victim.exists()  # it would have run


def test_files_that_are_no_data_set_are_named(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.npz", tmp_path / "cut.npz"
    words = reference_words()[0]
    write_dataset(whole, [(words, {})])
    cut.write_bytes(whole.read_bytes()[:-100])
    other = tmp_path / "other.npz"
    np.savez(other, x=np.zeros((2, 3)))
    uneven = tmp_path / "uneven.npz"
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(uneven, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            target.writestr(name, data[:-1000] if name == "x.npy" else data)
    for path in (cut, other, uneven, tmp_path / "missing.npz", tmp_path):
        with pytest.raises(InputError, match=path.name):
            read_dataset(path)
