"""The whole way in one process: the same files as the three scripts make, one model for all."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gen_midi_conditional
import midi2mp3
import video2bgm
from cmt.files import REPOSITORY, InputError
from cmt.model import checkpoint
from cmt.model.network import CMT
from cmt.script import run_script
from cmt.sound.film import video_duration
from video2npz import video2npz

OPTIONS = ["--seed", "3", "--genre", "rock", "--C", "0.5"]


@pytest.fixture
def model(tmp_path: Path, small_model: CMT) -> Path:
    checkpoint.save(tmp_path / "model.pt", small_model)
    return tmp_path / "model.pt"


def test_the_files_are_those_of_the_three_scripts(
    excerpt: Path, model: Path, tmp_path: Path
) -> None:
    apart, whole = tmp_path / "apart", tmp_path / "whole"
    shared = ["-c", str(model), *OPTIONS]
    video2npz.main([str(excerpt), "--out_dir", str(apart), "--visualize"])
    npz, midi = apart / "excerpt.npz", apart / "excerpt.mid"
    drawn = ["--visualize", "--video", str(excerpt)]
    gen_midi_conditional.main(["-f", str(npz), "--out_dir", str(apart), *drawn, *shared])
    outputs = [str(apart / f"excerpt.{kind}") for kind in ("mp3", "mp4")]
    midi2mp3.main(["--input", str(midi), "--output", *outputs, "--video", str(excerpt)])

    video2bgm.main([str(excerpt), "--out-dir", str(whole), "--visualize", *shared])
    names = sorted(path.name for path in apart.iterdir())
    assert names == sorted(path.name for path in whole.iterdir())
    for name in names:
        if name.endswith(".npz"):
            with np.load(apart / name) as old, np.load(whole / name) as new:
                assert list(old) == list(new)
                for key in old:
                    np.testing.assert_array_equal(old[key], new[key])
        elif name.endswith("mp4"):  # says when it was made
            assert video_duration(apart / name) == video_duration(whole / name)
        else:
            assert (apart / name).read_bytes() == (whole / name).read_bytes(), name


def test_bad_videos_are_named_and_the_model_is_read_once(
    excerpt: Path,
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bad, twin, other = tmp_path / "bad.mp4", tmp_path / "excerpt.mov", tmp_path / "other.avi"
    bad.write_text("no video")
    for copy in (twin, other):
        copy.write_bytes(excerpt.read_bytes())
    loads, load = [], checkpoint.load
    monkeypatch.setattr(checkpoint, "load", lambda *a: (loads.append(a), load(*a))[1])
    out = tmp_path / "out"
    videos = [str(path) for path in (bad, excerpt, twin, other)]
    common = ["--out_dir", str(out), "-c", str(model), "--rhythm", "original", "--flow", "fast"]
    assert run_script(lambda: video2bgm.main(["--keep-audio", *videos, *common])) == 1
    assert len(loads) == 1
    said = capsys.readouterr()
    assert f"skipped: {bad}\nskipped: {twin}" in said.err
    assert f"{twin}: would replace what {excerpt} gave" in said.err
    assert [line for line in said.out.splitlines() if line.startswith("== ")] == [
        f"== {path}" for path in (bad, excerpt, other)
    ]
    assert said.out.count("rhythm → music took") == 2
    assert (out / "excerpt.mp4").is_file() and (out / "other.mkv").is_file()
    assert json.loads((out / "other.mid.json").read_text())["control_file"] == "other.npz"
    with pytest.raises(InputError, match=r"bad\.mp4: cannot be opened as a video"):
        video2bgm.main([str(bad), *common])


def test_a_missing_checkpoint_is_told_before_any_work(excerpt: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none: no such checkpoint"):
        video2bgm.main([str(excerpt), "--out_dir", str(tmp_path / "out"), "-c", "none"])
    assert not (tmp_path / "out").exists()


def test_a_bad_soundfont_or_name_is_told_before_any_work(excerpt: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.sf2"
    bad.write_bytes(b"RIFF")
    common = [str(excerpt), "--out_dir", str(tmp_path / "out")]
    for wrong, reason in (
        (["--soundfont", str(bad)], r"bad\.sf2: not a SoundFont 2"),
        (["-o", str(tmp_path / f"{'a' * 300}.mp4")], r"aaa\.mp4: the name is too long"),
        (["-o", str(excerpt)], "the result would replace it"),
    ):
        with pytest.raises(InputError, match=reason):
            video2bgm.main([*common, *wrong])
    assert [path.name for path in tmp_path.iterdir()] == ["bad.sf2"]


def test_help_and_mistakes_load_neither_torch_nor_a_video_library() -> None:
    code = "import sys, video2bgm\ntry: video2bgm.main(['--help'])\nexcept SystemExit: pass\n"
    code += "print({'av', 'cv2', 'torch', 'scipy', 'matplotlib'} & set(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY / "src", capture_output=True, text=True
    )
    assert result.stdout.endswith("set()\n")


def test_video_analysis_needs_no_torch() -> None:
    code = "import sys, cmt.video.analysis; print({'torch', 'symusic'} & set(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY / "src", capture_output=True, text=True
    )
    assert result.stdout == "set()\n", result.stderr
