"""The scripts' command line: spellings, ranges, and a Python without our packages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cmt.files import REPOSITORY
from cmt.script import between, parser, run_script

SOURCE = REPOSITORY / "src"


def test_options_may_be_spelled_with_either_sign() -> None:
    options = parser("A script.")
    options.add_argument("--out_dir")
    options.add_argument_group("sound").add_argument("--keep-audio", nargs="?", const="0.5")
    options.add_argument("files", nargs="*")
    for given in (["--out_dir", "a_b-c"], ["--out-dir=a_b-c"], ["--out-d", "a_b-c"]):
        assert options.parse_args(given).out_dir == "a_b-c"
    for given in (["--keep_audio=1"], ["--keep-audio", "1"], ["--keep_a", "1"]):
        assert options.parse_args(given).keep_audio == "1"
    assert options.parse_args(["--", "--out-dir"]).files == ["--out-dir"]
    with pytest.raises(SystemExit):
        options.parse_args(["--out.dir", "a"])


@pytest.mark.parametrize(
    ("kind", "wrong", "said"),
    [
        (between(20, 400), "500", "argument --x: give a number from 20 to 400, not '500'"),
        (between(20, 400), "nan", "give a number from 20 to 400"),
        (between(1, kind=int), "0", "give a whole number from 1, not '0'"),
        (between(1, kind=int), "1.5", "give a whole number from 1"),
        (between(0, 2**32 - 1, int), str(2**32), "from 0 to 4294967295"),
        (between(0, 1, inclusive="left"), "1", "give a number from 0 to below 1"),
        (between(0, inclusive="left"), "inf", "give a number from 0, not"),
        (between(0, inclusive="right"), "0", "give a number above 0, not"),
    ],
)
def test_what_is_out_of_range_is_refused(
    kind: object, wrong: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    options = parser("A script.")
    options.add_argument("--x", type=kind)
    with pytest.raises(SystemExit):
        options.parse_args(["--x", wrong])
    assert said in capsys.readouterr().err


def test_the_ends_of_a_range_are_in_it() -> None:
    assert [between(20, 400)(text) for text in ("20", "400")] == [20, 400]
    assert between(0, 1, inclusive="left")("0") == 0
    assert between(0, inclusive="right")("inf") == float("inf")


@pytest.mark.parametrize(
    "command",
    [
        "app.py",
        "evaluate.py a.mid",
        "gen_midi_conditional.py -f a.npz",
        "match.py a.npz b.npz",
        "midi2mp3.py --input a.mid --output a.mp3",
        "midi2numpy_mix.py --midi_dir a --out_name b",
        "pianoroll2midi.py --in_dir a --out_dir b",
        "train.py -n a",
        "video2bgm.py a.mp4",
        "video2npz/video2npz.py a.mp4 --out_dir a",
    ],
)
def test_a_python_without_our_packages_says_how_to_call_a_script(
    command: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    script, *arguments = command.split()
    # Neither the packages of this environment nor those that PYTHONPATH leads to.
    bare = [sys.executable, "-S", "-E", str(SOURCE / script), *arguments]
    folder = tmp_path_factory.mktemp("empty")
    result = subprocess.run(bare, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"error: {sys.executable} lacks ")
    assert f".venv/bin/python {SOURCE / script}" in line


def test_names_that_the_system_does_not_look_for_are_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = "a" * 300
    assert run_script(lambda: int(Path(name).exists())) == 1
    said = f"error: {name}: File name too long; choose another name or folder\n"
    assert capsys.readouterr().err == said
    with pytest.raises(FileNotFoundError):  # is no user's mistake
        run_script(lambda: Path("/nowhere").stat().st_size)
