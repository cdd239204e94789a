"""The generation script: takes, ranks, reports, and what it refuses."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest

import gen_midi_conditional
import midi2mp3
from cmt.control import Control, load_control, save_control
from cmt.files import InputError
from cmt.form import Form, Section
from cmt.model import checkpoint
from cmt.model.network import CMT
from cmt.music.keys import Key
from cmt.music.midi import ALL_NOTES_OFF, read_midi
from cmt.music.vocabulary import BAR
from cmt.results import markers_of
from cmt.rhythm import Curves, VideoRhythm, save_rhythm
from cmt.sound import mixing, timbres
from cmt.sound.synthesis import synthesise

# Four bars at 120 BPM, a visual beat in the second.
ROWS = [(BAR, 4, 0, 0), (BAR, 7, 0, 16), (5, 0, 3, 20), (BAR, 4, 0, 32), (BAR, 3, 0, 48)]


@pytest.fixture
def arguments(tmp_path: Path, small_model: CMT) -> list[str]:
    """Options that are the same in every test; results go to tmp_path."""
    words = np.array([(*row, 64, 1) for row in ROWS])
    save_control(tmp_path / "clip.npz", Control(words, tempo=120.0, duration=8.0))
    checkpoint.save(tmp_path / "model.pt", small_model)
    clip, model = str(tmp_path / "clip.npz"), str(tmp_path / "model.pt")
    return ["-f", clip, "-c", model, "--out_dir", str(tmp_path)]


def report(path: Path) -> dict[str, object]:
    return json.loads(path.with_name(f"{path.name}.json").read_text())


def test_ranked_takes_are_numbered_from_the_best_and_can_be_made_again(
    tmp_path: Path, arguments: list[str]
) -> None:
    gen_midi_conditional.main([*arguments, "-n", "3", "--rank", "--C", "0.5", "--seed", "7"])
    takes = [tmp_path / f"clip_{number}.mid" for number in (1, 2, 3)]
    reports = [report(path) for path in takes]
    assert [entry["rank"] for entry in reports] == [1, 2, 3]
    keys = [
        (round(10 * entry["synchrony"]), entry["critic"] + 30 * entry["log_likelihood"])
        for entry in reports
    ]
    assert keys == sorted(keys, reverse=True)
    assert all(entry["log_likelihood"] < 0 for entry in reports)
    assert {entry["seed"] for entry in reports} == {7, 8, 9}
    again = [*arguments, "--C", "0.5", "--seed", str(reports[0]["seed"])]
    gen_midi_conditional.main(again)
    assert (tmp_path / "clip.mid").read_bytes() == takes[0].read_bytes()


def test_the_whole_piece_is_as_asked(tmp_path: Path, arguments: list[str]) -> None:
    style = ["--instruments", "Piano,bass", "--key", "Eb", "--mode", "minor", "--tempo", "90"]
    gen_midi_conditional.main([*arguments, *style, "--precision", "bf16"])
    midi, entry = read_midi(tmp_path / "clip.mid"), report(tmp_path / "clip.mid")
    assert midi.tempo == pytest.approx(90, abs=1e-3)
    assert midi.song.length == 48  # 8 s
    assert midi.instruments == ["Piano", "Bass"]
    scale, leading_note = {3, 5, 6, 8, 10, 11, 1}, 2
    assert set(midi.song.notes["pitch"] % 12) <= {*scale, leading_note}
    assert entry["instruments"] == ["Piano", "Bass"]
    assert entry["key"] == "Eb minor"
    assert entry["precision"] == "bf16"
    assert entry["control_error"] == {"density": 0, "strength": 0, "time": 0}


def test_sections_and_chords_are_told(tmp_path: Path, arguments: list[str]) -> None:
    gen_midi_conditional.main([*arguments, "--chords", "Am F,G", "--no-ending"])
    entry = report(tmp_path / "clip.mid")
    section = {"name": "A", "bar": 1, "bars": 4, "chords": "Am F,G Am F,G"}
    assert entry["form"] == {"key": "A minor", "sections": [section]}
    assert entry["chords"] == "Am F,G"
    markers = [m.text for m in mido.MidiFile(tmp_path / "clip.mid").tracks[0] if m.type == "marker"]
    assert markers == ["A"]
    gen_midi_conditional.main([*arguments, "--control", "original"])
    assert report(tmp_path / "clip.mid")["form"] is None


def test_a_take_opens_in_other_programs_as_it_is_mixed_here(
    tmp_path: Path, arguments: list[str]
) -> None:
    clip = load_control(tmp_path / "clip.npz")
    save_control(tmp_path / "clip.npz", replace(clip, scenes=(0, 2)))
    gen_midi_conditional.main([*arguments, "--genre", "electronic"])
    file = mido.MidiFile(tmp_path / "clip.mid")
    conductor, *tracks = file.tracks
    assert file.length == pytest.approx(8.0, abs=0.01)
    assert [mido.tempo2bpm(m.tempo) for m in conductor if m.type == "set_tempo"] == [120]
    assert [m.text[:7] for m in conductor if m.type == "marker"] == ["scene 1", "scene 2"]
    names = [track.name for track in tracks]
    programs = [next(m.program for m in track if m.type == "program_change") for track in tracks]
    assert dict(zip(names, programs, strict=True)) == timbres.programs(timbres.band("electronic"))
    asked = mixing.settings([*zip(names, programs, strict=True)])
    for track in tracks:
        mixed = [m for m in track if m.type == "control_change" and m.control != ALL_NOTES_OFF]
        assert {m.control: m.value for m in mixed} == asked[track.name]
        assert not any(m.time for m in mixed) and len({m.channel for m in mixed}) == 1
        track[:] = [m for m in track if m not in mixed]
    file.save(tmp_path / "bare.mid")
    # Nothing is turned down twice.
    with_it, without = (
        synthesise(tmp_path / name, duration=4.0).mix for name in ("clip.mid", "bare.mid")
    )
    assert np.abs(with_it[:, :]).max() > 0.1
    np.testing.assert_array_equal(with_it[:, :], without[:, :])


def test_markers_of_a_take_are_written_and_are_those_of_its_midi_file(
    tmp_path: Path, arguments: list[str]
) -> None:
    clip = load_control(tmp_path / "clip.npz")
    curves = Curves(50.0, np.zeros(399), np.zeros(0))
    save_control(tmp_path / "clip.npz", replace(clip, scenes=(0, 2)), curves)
    gen_midi_conditional.main([*arguments, "--markers"])
    rows = list(csv.DictReader((tmp_path / "clip.markers.csv").open()))
    assert [row["name"] for row in rows if row["kind"] == "scene"] == ["scene 1", "scene 2"]
    (hit,) = [row for row in rows if row["kind"] == "hit"]
    assert (hit["seconds"], hit["time_code"]) == ("2.500000", "00:00:02:25")
    # The same again, of the MIDI file alone, at another rate.
    given = ["--input", str(tmp_path / "clip.mid"), "--output", str(tmp_path / "song.wav")]
    midi2mp3.main([*given, "--markers", "--fps", "24"])
    again = list(csv.DictReader((tmp_path / "song.markers.csv").open()))
    assert [(row["kind"], row["name"]) for row in again] == [
        (row["kind"], row["name"]) for row in rows
    ]
    assert [row["time_code"] for row in again if row["kind"] == "hit"] == ["00:00:02:12"]
    assert "01:00:02:12" in (tmp_path / "song.markers.edl").read_text()
    (tmp_path / "clip.mid.json").unlink()
    with pytest.raises(InputError, match=r"clip\.mid: exists, and is not known"):
        gen_midi_conditional.main([*arguments, "--markers"])


def test_scenes_keep_their_names_beside_sections() -> None:
    sections = (Section("A", 0, 4), Section("B", 4, 2), Section("A", 6, 2, 0, varied=True))
    form = Form(Key(0), sections, ())
    assert markers_of((0, 6), form) == [(0, "scene 1: A"), (64, "B"), (96, "scene 2: A'")]
    assert markers_of((0, 6), None) == [(0, "scene 1"), (96, "scene 2")]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["--chords", "Am H7"], "no chord is called 'H7'; write C, F#, Bb and the like"),
        (["--progression", "blue"], "'blue' is not among anguished, dark,"),
    ],
)
def test_what_is_no_chord_is_refused_in_one_line(
    arguments: list[str], wrong: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        gen_midi_conditional.main([*arguments, *wrong])
    assert said in capsys.readouterr().err.splitlines()[-1]


def test_files_of_one_run_do_not_begin_alike(tmp_path: Path, arguments: list[str]) -> None:
    # Of one length and seed they would have one key and one form.
    _, clip, *others = arguments
    twin = tmp_path / "twin.npz"
    twin.write_bytes(Path(clip).read_bytes())
    gen_midi_conditional.main(["-f", clip, str(twin), *others, "-n", "2", "--seed", "4"])
    takes = [tmp_path / f"{name}_{number}.mid" for name in ("clip", "twin") for number in (1, 2)]
    assert [report(path)["seed"] for path in takes] == [4, 5, 6, 7]
    assert len({path.read_bytes() for path in takes}) == 4
    gen_midi_conditional.main(["-f", str(twin), *others, "--seed", "7"])
    assert (tmp_path / "twin.mid").read_bytes() == takes[3].read_bytes()


def test_pictures_of_the_music_over_its_plan(tmp_path: Path, arguments: list[str]) -> None:
    gen_midi_conditional.main([*arguments, "--visualize", "--format", "png", "pdf"])
    alone = (tmp_path / "clip.mid.png").stat().st_size
    assert (tmp_path / "clip.mid.pdf").read_bytes().startswith(b"%PDF")
    # Under the curves of the video, where video2npz.py left them.
    rhythm = VideoRhythm(8.0, 120.0, (), (0.1, 0.5, 0.1, 0.1))
    curves = Curves(10.0, np.random.default_rng(0).random(79), np.zeros(80))
    control = load_control(tmp_path / "clip.npz")
    save_control(tmp_path / "clip.npz", control, curves)
    save_rhythm(tmp_path / "clip.json", rhythm)
    gen_midi_conditional.main([*arguments, "--visualize"])
    assert (tmp_path / "clip.mid.png").stat().st_size > 1.5 * alone


def test_strong_beats_are_reconciled_with_who_may_play_them(
    tmp_path: Path, arguments: list[str]
) -> None:
    gen_midi_conditional.main([*arguments, "--beat_instruments", "bass"])
    assert report(tmp_path / "clip.mid")["reconciled"] == ["bar 2: strength 3 becomes 2"]
    gen_midi_conditional.main([*arguments, "--min-strength", "4"])
    assert report(tmp_path / "clip.mid")["controlled"] == {"bars": 4, "visual_beats": 0}


STYLED = "--instruments piano,strings --beat_instruments strings --key F# --mode minor --no-ending"
VARIED = "-n 2 --rank --C 0.25 --min_strength 3 --tempo 90.5 --genre pop --seed 7"


CHORDS = ["--chords", "Am F,G; Dm", "--C", "0.5"]
PROGRESSIONS = "--progression Hopeful,sad --key Bb"
MOOD = ["--mood", "sad", "--density", "1.5", "--add-hits", "1.1,4", "--remove-hits", "2.5"]
WISHES = ["--sections", "1:energy=0.5,instruments=piano 3:chords=Am_F,G 4:rest", "--mode", "minor"]


@pytest.mark.parametrize(
    "options",
    [
        [],
        STYLED.split(),
        VARIED.split(),
        CHORDS,
        PROGRESSIONS.split(),
        MOOD,
        WISHES,
        ["--control", "original", *VARIED.split()],
    ],
)
def test_a_report_makes_its_piece_again(
    tmp_path: Path, arguments: list[str], options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    gen_midi_conditional.main([*arguments, *options])
    (first, *_) = sorted(tmp_path.glob("clip*.mid"))
    entry, written = report(first), first.read_bytes()
    again = tmp_path / "again"
    gen_midi_conditional.main(["--settings", f"{first}.json", "--out_dir", str(again)])
    assert (again / "clip.mid").read_bytes() == written
    left_out = {"rank", "synchrony", "critic", "matching_score", "log_likelihood"}
    assert report(again / "clip.mid") == {k: v for k, v in entry.items() if k not in left_out}
    assert "warning" not in capsys.readouterr().err


def test_files_of_one_name_do_not_replace_each_other(tmp_path: Path, arguments: list[str]) -> None:
    other = tmp_path / "other" / "clip.npz"
    save_control(other, load_control(tmp_path / "clip.npz"))
    gen_midi_conditional.main([*arguments[:2], str(other), *arguments[2:]])
    assert {path.name for path in tmp_path.glob("*.mid")} == {"clip.mid", "clip-2.mid"}


def test_a_report_of_other_sources_is_told(
    tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    gen_midi_conditional.main(arguments)
    take = ["--settings", str(tmp_path / "clip.mid.json"), "--out_dir", str(tmp_path / "again")]
    words = load_control(tmp_path / "clip.npz").words
    save_control(tmp_path / "clip.npz", Control(words, tempo=110.0, duration=8.0))
    gen_midi_conditional.main([*take, "--seed", "3"])
    assert "was made from other control words" in capsys.readouterr().err
    assert report(tmp_path / "again" / "clip.mid")["seed"] == 3
    (tmp_path / "clip.mid.json").write_text("{}")
    with pytest.raises(InputError, match=r"clip\.mid\.json: no report of a piece"):
        gen_midi_conditional.main(take)


@pytest.mark.parametrize(
    "wrong",
    [
        ["--instruments", "kazoo"],
        ["--instruments", "piano", "--beat_instruments", "drums"],
        ["--control", "original", "--key", "C"],
        ["--control", "original", "--chords", "C"],
        ["--control", "original", "--progression", "sad"],
        ["--control", "original", "--mood", "sad"],
        ["--sections", "0:rest"],
        ["--add-hits", "now"],
        ["--chords", "C", "--progression", "sad"],
        ["--tempo", "0"],
        ["--C", "2"],
        ["-n", "0"],
        ["--video", "clip.mp4"],
    ],
    ids=" ".join,
)
def test_options_that_contradict_are_refused_at_once(
    arguments: list[str], wrong: list[str]
) -> None:
    with pytest.raises(SystemExit):
        gen_midi_conditional.main([*arguments, *wrong])


def test_a_bad_file_is_named_and_the_others_are_made(
    tmp_path: Path,
    arguments: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bad = tmp_path / "bad.npz"
    bad.write_text("no control")
    gen_midi_conditional.main(["-f", str(bad), *arguments[1:]])
    assert str(bad) in capsys.readouterr().err
    assert (tmp_path / "clip.mid").is_file()
    with pytest.raises(InputError, match="nothing was usable"):
        gen_midi_conditional.main(["-f", str(bad), str(bad), *arguments[2:]])
    with pytest.raises(InputError, match=r"clip\.npz: no hit can be added at 1e\+06 s"):
        gen_midi_conditional.main([*arguments, "--add-hits", "1e6"])
    # Told before a model is loaded.
    monkeypatch.setattr(gen_midi_conditional, "load_model", pytest.fail)
    with pytest.raises(InputError, match=r"bad\.npz: "):
        gen_midi_conditional.main(["-f", str(bad), *arguments[2:]])
