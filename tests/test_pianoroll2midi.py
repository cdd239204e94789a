"""Piano rolls → MIDI: the notes the original writes, and the tempo map it loses."""

import io
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pypianoroll
import pytest
from symusic.core import ScoreTick

import pianoroll2midi
from cmt.files import InputError

REFERENCE = Path(__file__).parent / "reference" / "lpd"
NAMES = ("TRAAA000", "TRAAA007")


def roll_of(name: str) -> Path:
    return next((REFERENCE / name).glob("*.npz"))


def tracks_of(path: Path) -> list[tuple[str, int, bool, list[tuple[int, int, int, int]]]]:
    return [
        (
            track.name,
            track.program,
            track.is_drum,
            sorted((note.time, note.pitch, note.duration, note.velocity) for note in track.notes),
        )
        for track in ScoreTick.from_file(path).tracks
    ]


def test_notes_names_and_programs_equal_the_originals(tmp_path: Path) -> None:
    pianoroll2midi.main(["--in_dir", str(REFERENCE), "--out_dir", str(tmp_path)])
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{name}.mid" for name in NAMES]
    for name in NAMES:
        assert tracks_of(tmp_path / f"{name}.mid") == tracks_of(REFERENCE / f"{name}.mid")


def test_tempo_changes_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "song.mid"
    assert pianoroll2midi.convert(roll_of("TRAAA007"), path) is None
    tempo = pypianoroll.load(roll_of("TRAAA007")).tempo
    change = int(np.flatnonzero(np.diff(tempo))[0]) + 1
    written = [
        (event.time * 24 / 220, round(event.qpm, 3)) for event in ScoreTick.from_file(path).tempos
    ]
    assert written == [(0, 120), (change, 90)]


def save_roll(path: Path, pianoroll: np.ndarray, tempo: float = 120) -> Path:
    track_type = pypianoroll.BinaryTrack if pianoroll.dtype == bool else pypianoroll.StandardTrack
    track = track_type(name="Piano", program=0, is_drum=False, pianoroll=pianoroll)
    path.parent.mkdir(parents=True, exist_ok=True)
    pypianoroll.Multitrack(
        name="roll", resolution=24, tempo=np.full(len(pianoroll), tempo), tracks=[track]
    ).save(path)
    return path


def test_steps_in_a_row_are_one_note_of_their_mean_velocity(tmp_path: Path) -> None:
    pianoroll = np.zeros((96, 128), np.uint8)
    pianoroll[0:12, 60] = [30] * 6 + [61] * 6
    pianoroll[12:24, 61] = 200  # louder than MIDI can be
    pianoroll[90:96, 60] = 100  # up to the end of the roll
    pianoroll2midi.convert(save_roll(tmp_path / "roll.npz", pianoroll), tmp_path / "song.mid")
    [(_, _, _, notes)] = tracks_of(tmp_path / "song.mid")
    assert notes == [(0, 60, 110, 45), (110, 61, 110, 127), (825, 60, 55, 100)]


def test_rolls_of_on_and_off_have_a_velocity(tmp_path: Path) -> None:
    pianoroll = np.zeros((24, 128), bool)
    pianoroll[:12, 60] = True
    pianoroll2midi.convert(save_roll(tmp_path / "roll.npz", pianoroll), tmp_path / "song.mid")
    [(_, _, _, notes)] = tracks_of(tmp_path / "song.mid")
    assert notes == [(0, 60, 110, 64)]


def test_folders_of_one_name_do_not_overwrite_each_other(tmp_path: Path) -> None:
    rolls = [tmp_path / name for name in ("a/T/1.npz", "a/T/2.npz", "b/T/1.npz", "c/U/1.npz")]
    rolls += [tmp_path / "V.npz", tmp_path / "U.npz"]
    names = pianoroll2midi.midi_names(rolls, tmp_path)
    expected = ("a/T/1.mid", "a/T/2.mid", "b/T/1.mid", "c/U/1.mid", "V.mid", "U.mid")
    assert [name.as_posix() for name in names.values()] == list(expected)


def test_bad_rolls_are_skipped_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(REFERENCE / NAMES[0], tmp_path / "in" / NAMES[0])
    np.savez(tmp_path / "in" / "other.npz", x=np.zeros(3))
    (tmp_path / "in" / "cut.npz").write_bytes(roll_of(NAMES[0]).read_bytes()[:1000])
    save_roll(tmp_path / "in" / "silent.npz", np.zeros((24, 128), np.uint8))
    pianoroll = np.full((24, 128), 64, np.uint8)
    save_roll(tmp_path / "in" / "still.npz", pianoroll, tempo=0)
    pianoroll2midi.main(["--in_dir", str(tmp_path / "in"), "--out_dir", str(tmp_path / "out")])
    assert [path.name for path in (tmp_path / "out").iterdir()] == [f"{NAMES[0]}.mid"]
    said = capsys.readouterr().out
    assert "skipped 4 of 5 files" in said
    for name, cause in (
        ("other.npz", "not a usable piano roll"),
        ("cut.npz", "not a usable piano roll"),
        ("silent.npz", "no notes"),
        ("still.npz", "tempo"),
    ):
        assert any(name in line and cause in line for line in said.splitlines())


def test_nothing_usable_is_an_error(tmp_path: Path) -> None:
    arguments = ["--in_dir", str(tmp_path), "--out_dir", str(tmp_path / "out")]
    with pytest.raises(InputError, match=r"no folder with \.npz"):
        pianoroll2midi.main(arguments)
    (tmp_path / "empty.npz").touch()
    with pytest.raises(InputError, match="none of its"):
        pianoroll2midi.main(arguments)


@pytest.mark.parametrize(
    ("member", "value", "reason"),
    [
        ("pianoroll_0_csc_shape", [2**40, 128], "declares 1099511627776 steps"),
        ("pianoroll_0_csc_shape", [24, 4], "24 steps of 4 pitches"),
        ("pianoroll_0_csc_indices", [10**6], "pianoroll_0_csc_indices[0] is 1000000"),
        ("pianoroll_0_csc_indices", [-1], "pianoroll_0_csc_indices[0] is -1"),
        ("pianoroll_0_csc_indptr", np.arange(129), "pianoroll_0_csc_indptr["),
        ("tempo", np.array([object()]), "`tempo` is object"),
    ],
)
def test_indices_that_are_not_there_crash_nothing(
    member: str, value: object, reason: str, tmp_path: Path
) -> None:
    roll = np.zeros((24, 128), np.uint8)
    roll[3, 60] = 64
    save_roll(tmp_path / "a.npz", roll)
    with zipfile.ZipFile(tmp_path / "a.npz") as source:
        members = {name: source.read(name) for name in source.namelist()}
    changed = io.BytesIO()
    np.save(changed, np.array(value), allow_pickle=True)
    members[f"{member}.npy"] = changed.getvalue()
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as target:
        for name, data in members.items():
            target.writestr(name, data)
    said = pianoroll2midi.convert(tmp_path / "a.npz", tmp_path / "a.mid")
    assert said is not None and "a.npz: not a usable piano roll" in said and reason in said
