"""match.py, as a user runs it."""

from __future__ import annotations

from pathlib import Path

import mido
import numpy as np
import pytest

import match
from cmt.control import Control, save_control
from cmt.files import InputError
from cmt.grid import Knot
from cmt.music.dataset import write_dataset
from cmt.music.midi import read_midi
from cmt.music.vocabulary import BAR, DEFAULT_TEMPO, METRICAL
from cmt.music.words import NOTE_DTYPE, Song, song_to_words

# Two bars of a video that ends on tick 27: two onset positions each, a visual beat of three notes.
CONTROL = np.array([[BAR, 3, 0, 0, 28, 1], [5, 0, 3, 4, 28, 15], [BAR, 3, 0, 16, 28, 58]])
TEMPO = 100.0


def words(*notes: tuple[int, int]) -> np.ndarray:
    """Words of piano notes (tick, pitch), three bars."""
    rows = [(tick, pitch, 8, 2) for tick, pitch in sorted(notes)]
    return song_to_words(Song(np.array(rows, NOTE_DTYPE), 48))


EXACT = words((0, 60), (4, 60), (4, 64), (4, 67), (16, 60), (24, 72), (40, 60))
OTHER = words((0, 50), (4, 50), (16, 50), (24, 50))


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "clip.npz"
    save_control(path, Control(CONTROL, TEMPO, 27.5 / 4 * 60 / TEMPO))
    return path


@pytest.fixture
def library(tmp_path: Path) -> Path:
    path = tmp_path / "library.npz"
    pieces = [(OTHER, "pop/ü other.1"), (EXACT, "../exact"), (words((0, 50)), "one")]
    write_dataset(path, ((song, {"id": name, "genre": "rock"}) for song, name in pieces))
    return path


def test_a_table_of_the_best(
    video: Path, library: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    match.main([str(video), str(library), "-k", "2"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "clip.npz: 2 bars, 1 visual beats, 100.0 BPM"
    assert lines[1].split() == ["rank", "score", "density", "strength", "bars", "id", "genre"]
    assert lines[2].split() == "1 ∞, exact 0.000 0.000 2 ../exact rock".split()
    assert lines[3].split() == "2 5.000 0.000 0.200 2 pop/ü other.1 rock".split()
    assert len(lines) == 4


def test_exported_pieces_have_the_videos_tempo_and_end(
    tmp_path: Path, video: Path, library: Path
) -> None:
    out = tmp_path / "new" / "folder"
    match.main([str(video), str(library), "-k", "2", "--export", str(out)])
    assert sorted(path.name for path in out.iterdir()) == ["1_exact.mid", "2_pop_ü_other.1.mid"]
    midi = read_midi(out / "1_exact.mid")
    assert midi.tempo == pytest.approx(TEMPO, abs=1e-3)
    assert midi.instruments == ["Piano"]
    notes = midi.song.notes
    assert notes[["tick", "pitch"]].tolist() == [
        (0, 60),
        (4, 60),
        (4, 64),
        (4, 67),
        (16, 60),
        (24, 72),
    ]
    assert (notes["tick"] + notes["duration"]).max() == 27
    assert midi.song.length == 27


def test_a_control_file_that_tells_no_tempo(tmp_path: Path, library: Path) -> None:
    np.savez(tmp_path / "old.npz", input=CONTROL)
    for arguments, tempo in ((["--tempo", "90"], 90), ([], DEFAULT_TEMPO)):
        match.main(
            [str(tmp_path / "old.npz"), str(library), "-k1", "--export", str(tmp_path), *arguments]
        )
        midi = read_midi(tmp_path / "1_exact.mid")
        assert midi.tempo == pytest.approx(tempo, abs=1e-3)
        assert midi.song.length == 28


def test_another_tempo_is_matched_and_written(tmp_path: Path, video: Path, library: Path) -> None:
    match.main([str(video), str(library), "--tempo", "90", "-k1", "--export", str(tmp_path)])
    (path,) = tmp_path.glob("1_*.mid")
    assert read_midi(path).tempo == pytest.approx(90, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a/b c", "a_b_c"), ("...", "piece"), ("x" * 300, "x" * 48), ("é-1.x", "é-1.x")],
)
def test_names_of_files(name: str, expected: str) -> None:
    assert match.file_name(name) == expected


@pytest.mark.parametrize("wrong", [["-k", "0"], ["-k", "x"], ["--tempo", "0"], ["--tempo", "nan"]])
def test_wrong_options(video: Path, library: Path, wrong: list[str]) -> None:
    with pytest.raises(SystemExit):
        match.main([str(video), str(library), *wrong])


def test_inputs_that_cannot_be_used(tmp_path: Path, video: Path, library: Path) -> None:
    for arguments, cause in (
        ((tmp_path / "none.npz", library), "none.npz: cannot be read"),
        ((library, library), "library.npz: no control words"),
        ((video, tmp_path / "none.npz"), "none.npz: cannot be read"),
        ((video, video), "clip.npz: not a data set"),
    ):
        with pytest.raises(InputError, match=cause):
            match.main([str(argument) for argument in arguments])
    empty = tmp_path / "empty.npz"
    write_dataset(empty, [(np.array([[METRICAL, BAR, *[0] * 8], [0] * 10]), {"id": "nothing"})])
    with pytest.raises(InputError, match="no piece has a bar"):
        match.main([str(video), str(empty)])
    save_control(video, Control(np.array([[BAR, 3, 0, 0, 0, 1]]), TEMPO, 0.0))
    with pytest.raises(InputError, match="holds no bar"):
        match.main([str(video), str(library)])


def test_exported_pieces_follow_a_bent_grid(library: Path, tmp_path: Path) -> None:
    knots = (Knot(0, 0.0), Knot(16, 2.1), Knot(24, 3.0))
    control = Control(CONTROL, 120.0, 4.0, knots)
    save_control(tmp_path / "bent.npz", control)
    match.main([str(tmp_path / "bent.npz"), str(library), "-k", "1", "--export", str(tmp_path)])
    (exported,) = tmp_path.glob("*.mid")
    assert mido.MidiFile(exported).length == pytest.approx(float(control.grid.seconds(control.end)))
