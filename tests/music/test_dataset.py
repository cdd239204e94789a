"""A data set's file has the original's layout, and nothing unsafe in it is run."""

from __future__ import annotations

import json
import pickle
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from test_words import REFERENCE, reference_words

from cmt.files import InputError
from cmt.music.dataset import read_dataset, write_dataset
from cmt.music.vocabulary import BAR, COLUMNS, MAX_WORDS


def about(words: np.ndarray) -> dict[str, object]:
    return {"id": "ü/1", "de_len": len(words), "instruments": ["Piano"], "genre": "N/A"}


def longest_song() -> np.ndarray:
    words = np.ones((MAX_WORDS, len(COLUMNS)), np.int64)
    words[0, COLUMNS.index("beat")] = BAR
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
