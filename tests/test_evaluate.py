"""evaluate.py, as a user runs it."""

from __future__ import annotations

import csv
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import evaluate
from cmt.files import REPOSITORY, InputError
from cmt.measures.metrics import METRICS
from cmt.music.dataset import write_dataset
from cmt.music.midi import write_midi
from cmt.music.words import NOTE_DTYPE, Song, song_to_words
from cmt.script import run_script

TUNE = [60, 64, 67, 72, 62, 65, 69, 74, 59, 67, 71, 65, 60, 67, 64, 61]


def song(pitches: list[int], step: int = 4, start: int = 0, instrument: int = 2) -> Song:
    """A melody of notes `step` ticks long, one after the other."""
    rows = [(start + i * step, pitch, step, instrument) for i, pitch in enumerate(pitches)]
    return Song(np.array(rows, NOTE_DTYPE), start + step * len(pitches))


def data_set(path: Path, songs: dict[str, Song]) -> Path:
    write_dataset(path, ((song_to_words(s), {"id": name}) for name, s in songs.items()))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pieces: the tune once, the tune four times, and drums; and their control errors."""
    folder = tmp_path / "pieces"
    write_midi(song(TUNE), folder / "a.mid", 120)
    write_midi(song(TUNE * 4), folder / "b.mid", 120)
    write_midi(song([38] * 16, instrument=1), folder / "below" / "c.MID", 100)
    for name, density, beats in (("a", 0.25, 3), ("b", 0.75, 0)):
        report = {
            "control_error": {"density": density, "strength": 0, "time": 0},
            "controlled": {"bars": 4, "visual_beats": beats},
        }
        (folder / f"{name}.mid.json").write_text(json.dumps(report))
    return folder


def run(*arguments: object) -> None:
    evaluate.main([*map(str, arguments), "--jobs", "1"])


def test_table_and_files_hold_the_figures(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "scores.json"
    run(folder, "--json", out, "--csv", out.with_suffix(".csv"))
    report = json.loads(out.read_text())
    pieces = {Path(piece["name"]).name: piece["values"] for piece in report["pieces"]["files"]}
    assert list(pieces) == ["a.mid", "b.mid", "c.MID"]
    assert pieces["a.mid"]["notes_per_bar"] == 4
    # The tune's four bars are 8 s; four times without pause they have 1 − 1/4.
    assert pieces["b.mid"]["structure_mid"] == pytest.approx(3 / 4)
    assert pieces["a.mid"]["structure_mid"] is None
    assert pieces["c.MID"]["entropy_1"] is None
    assert report["summary"]["entropy_1"]["files"]["pieces"] == 2
    # Mean and Student's interval: t is 12.706 for two pieces.
    density = report["summary"]["density_error"]["files"]
    assert (density["mean"], density["pieces"]) == (0.5, 2)
    assert density["half_interval"] == pytest.approx(12.706 * 0.25, rel=1e-4)
    assert report["summary"]["strength_error"]["files"]["pieces"] == 1  # b has no visual beats
    assert {metric.name for metric in METRICS} <= set(report["measures"])

    with out.with_suffix(".csv").open(newline="") as file:
        rows = {(row["set"], Path(row["piece"]).name): row for row in csv.DictReader(file)}
    assert float(rows["files", "b.mid"]["structure_mid"]) == pytest.approx(3 / 4)
    assert rows["files", "c.MID"]["entropy_1"] == ""
    assert float(rows["files", "(mean)"]["density_error"]) == 0.5
    assert float(rows["files", "(pieces)"]["notes_per_bar"]) == 3

    said = capsys.readouterr().out.splitlines()
    assert "files (3)" in said[0]
    assert any(line.split()[:4] == ["notes", "per", "bar", "4.000"] for line in said)
    assert any(line.startswith("control error, density") and "(2)" in line for line in said)


def test_distance_to_a_data_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # 4 and 8 notes a bar against 4 and 4: 50 % more, from 0 to 100 % by resampling.
    ours = data_set(tmp_path / "ours.npz", {"slow": song(TUNE), "fast": song(TUNE * 2, step=2)})
    real = data_set(tmp_path / "real.npz", {"x": song(TUNE), "y": song(TUNE[::-1])})
    out = tmp_path / "scores.json"
    arguments = (ours, "--reference", real, "--json", out)
    # The bar that begins with the song's last tick is empty, and is left out.
    run(*arguments, "--bars", 4)
    report = json.loads(out.read_text())
    far = report["summary"]["notes_per_bar"]["distance"]
    assert far == {"percent": 50, "low": 0, "high": 100}
    assert report["summary"]["empty_bars"]["distance"] is None  # of a mean of 0
    assert [piece["name"] for piece in report["pieces"]["reference"]] == [f"{real}:x", f"{real}:y"]
    assert "+50.0 % [+0.0, +100.0]" in capsys.readouterr().out
    # The same seed gives the same intervals.
    run(*arguments, "--bars", 4)
    assert json.loads(out.read_text()) == report


def test_excerpts(tmp_path: Path) -> None:
    late = data_set(tmp_path / "late.npz", {"x": song(TUNE * 2, start=32)})
    out = tmp_path / "scores.json"
    rates = []
    for bars in (["--bars", 2], []):
        run(late, "--json", out, *bars)
        rates.append(json.loads(out.read_text())["summary"]["empty_bars"]["files"]["mean"])
    assert rates == [0, pytest.approx(2 / 10)]


def test_copied_passages_are_named(tmp_path: Path) -> None:
    train = data_set(
        tmp_path / "train.npz",
        {"x": song(TUNE[::-1]), "y": song([50, 51, 70, *TUNE, 55])},
    )
    piece = tmp_path / "piece.mid"
    transposed = [pitch - 3 for pitch in TUNE[2:14]]
    write_midi(song([90, 91, 90, *transposed, 90, 91]), piece, 120)
    out = tmp_path / "scores.json"
    run(piece, "--train", train, "--json", out)
    report = json.loads(out.read_text())
    assert report["summary"]["longest_copy"]["files"]["mean"] == 12
    assert report["pieces"]["files"][0]["copy"] == {
        "notes": 12,
        "distinct_steps": len(set(np.diff(transposed).tolist())),
        "bar": 1,
        "instrument": "Piano",
        "source": "y",
        "source_bar": 2,
    }


def test_bad_files_are_named_and_skipped(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "bad.mid").write_bytes(b"no music")
    (folder / "a.mid.json").write_text("{}")
    (tmp_path / "bad.npz").write_bytes(b"no data")
    (tmp_path / "empty").mkdir()
    write_midi(song([60], start=16 * 500), folder / "long.mid", 120)
    run(folder, tmp_path / "bad.npz", tmp_path / "empty", tmp_path / "none.mid")
    said = capsys.readouterr()
    assert "files (3)" in said.out
    for cause in (
        "bad.mid: not a MIDI file",
        "bad.npz: not a data set",
        "empty: a folder without",
        "none.mid: cannot be read",
        "long.mid: 501 bars; measure at most 400 with --bars",
    ):
        assert any(
            line.startswith("skipped: ") and cause in line for line in said.err.splitlines()
        ), cause
    assert "warning: " in said.err
    assert "a.mid.json: no report of gen_midi_conditional.py" in said.err


def test_nothing_usable_is_an_error(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.mid").write_bytes(b"no music")
    out = tmp_path / "scores.json"
    bad = [str(tmp_path / "bad.mid"), "--json", str(out), "--jobs", "1"]
    assert run_script(lambda: evaluate.main(bad)) == 1
    assert "bad.mid: not a MIDI file" in capsys.readouterr().err
    with pytest.raises(InputError, match="nothing was usable"):
        run(folder, "--reference", tmp_path / "bad.mid")
    with pytest.raises(InputError, match="not a data set"):
        run(folder, "--train", tmp_path / "bad.mid")
    assert not out.exists()
    for arguments in (["--bars", "0"], ["--jobs", "0"], ["--seed", "-1"]):
        with pytest.raises(SystemExit):
            evaluate.main([str(folder), *arguments])


def test_several_processes_say_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train = data_set(folder / "train.npz", {"x": song(TUNE)})
    said = []
    for jobs in ("1", "2"):
        evaluate.main([str(folder), "--train", str(train), "--jobs", jobs])
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]


def test_help_needs_no_library() -> None:
    code = "import sys, evaluate; print({'numpy', 'scipy', 'joblib', 'torch'} & set(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=REPOSITORY / "src",
    )
    assert result.stdout == "set()\n"
    assert math.isnan(evaluate.control_errors(Path("none.mid.json")).get("density", math.nan))


def test_a_long_piece_is_measured_where_that_is_asked(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_midi(song([60], start=16 * 130), folder / "slow.mid", 20)
    run(folder)
    said = capsys.readouterr()
    assert (
        "slow.mid: lasts 26 minutes, more than 20; cut it, or raise the limit: --max-m" in said.err
    )
    assert "files (3)" in said.out
    run(folder, "--max-minutes", 30)
    assert "files (4)" in capsys.readouterr().out
