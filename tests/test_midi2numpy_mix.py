"""A folder of MIDI files → a data set: nothing lost to a bad file, everything said."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import midi2numpy_mix
from cmt.files import InputError
from cmt.music.dataset import read_dataset

REFERENCE = Path(__file__).parent / "reference" / "midi"
METADATA = json.loads((REFERENCE / "ref_metadata.json").read_text())

# Found by fuzzing: symusic 0.5.9 reads beyond its buffer and dies on this track.
CRASHING = bytes.fromhex(
    "4d546864000000060001000803c0 4d54726b0000001b"
    "00ff7f04430001ff00ff030bb5200005953c6800953968009fb135"
)


def test_a_folder_of_good_midi_equals_the_originals_data_set(tmp_path: Path) -> None:
    out = tmp_path / "songs"
    midi2numpy_mix.main(["--midi_dir", str(REFERENCE / "in"), "--out_name", str(out)])
    with (
        np.load(tmp_path / "songs.npz") as file,
        np.load(REFERENCE / "ref_midi2numpy.npz") as reference,
    ):
        for name in ("x", "y", "decoder_mask"):
            np.testing.assert_array_equal(file[name], reference[name])
        assert json.loads(str(file["metadata"])) == METADATA


def test_bad_files_are_skipped_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "midi"
    shutil.copytree(REFERENCE / "bad", folder / "bad")
    shutil.copytree(REFERENCE / "in", folder / "in")
    (folder / "in" / "crash.mid").write_bytes(CRASHING)
    out = tmp_path / "songs.npz"
    midi2numpy_mix.main(["--midi_dir", str(folder), "--out_name", str(out), "--jobs", "1"])

    dataset = read_dataset(out)
    ids = [about["id"] for about in dataset.metadata]
    assert ids == sorted(ids)
    assert [about["de_len"] for about in dataset.metadata] == [len(w) for w in dataset.words]
    assert "bad/UPPER" in ids
    assert "bad/dot_midi_ext" in ids
    assert {f"in/{about['id']}" for about in METADATA} <= set(ids)

    said = capsys.readouterr().out
    assert "skipped 9 of 29 files" in said
    for name, cause in (
        ("garbage.mid", "not a MIDI file"),
        ("too_long_gt10000.mid", "more than 10000 words"),
        ("crash.mid", "damaged MIDI file"),
    ):
        assert any(name in line and cause in line for line in said.splitlines())
    assert f"{out}: 20 songs" in said
    assert "by name in 18 songs, by program in 2" in said
    assert "1 songs have simu-notes of more than 19 notes" in said


def test_strict_names_refuse_what_the_original_refuses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "songs.npz"
    arguments = ["--midi_dir", str(REFERENCE / "bad"), "--out_name", str(out)]
    midi2numpy_mix.main([*arguments, "--strict-names", "--min-notes", "20"])
    ids = [about["id"] for about in read_dataset(out).metadata]
    assert "all_tracks_le20" in ids
    assert "lowercase_name" not in ids
    said = capsys.readouterr().out
    assert "unknown_name_le20.mid: track 'Vocals' is none of" in said


def test_genres_and_clusters_come_from_a_table(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    rows = [
        f"{about['id']}.mid,{genre},7" for about, genre in zip(METADATA, ["rock", ""], strict=False)
    ]
    table.write_text("\n".join(["path,genre,neardup_cluster", *rows]))
    arguments = ["--midi_dir", str(REFERENCE / "in"), "--metadata", str(table)]
    midi2numpy_mix.main([*arguments, "--out_name", str(tmp_path / "songs.npz")])
    first, second, third, *_ = read_dataset(tmp_path / "songs.npz").metadata
    assert (first["genre"], first["cluster"]) == ("rock", "7")
    assert (second["genre"], second["cluster"]) == ("N/A", "7")
    assert third == METADATA[2]


def test_a_table_without_paths_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("file,genre\na.mid,rock\n")
    with pytest.raises(InputError, match=r"table\.csv: no column 'path'"):
        midi2numpy_mix.read_metadata(table)


def test_a_bare_name_goes_to_the_data_set_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(midi2numpy_mix, "DATASET", tmp_path)
    midi2numpy_mix.main(["--midi_dir", str(REFERENCE / "in"), "--out_name", "songs"])
    assert (tmp_path / "songs.npz").exists()


def test_nothing_usable_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "songs.npz"
    with pytest.raises(InputError, match=r"no folder with \.mid or \.midi files"):
        midi2numpy_mix.main(["--midi_dir", str(tmp_path / "none"), "--out_name", str(out)])
    (tmp_path / "empty.mid").touch()
    with pytest.raises(InputError, match="no songs"):
        midi2numpy_mix.main(["--midi_dir", str(tmp_path), "--out_name", str(out)])
    assert "empty.mid: empty file" in capsys.readouterr().out
    assert not out.exists()
