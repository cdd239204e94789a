"""The script: what it writes, skips and says."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from cmt.control import control_words, load_control, load_curves
from cmt.files import REPOSITORY, InputError
from cmt.rhythm import load_rhythm
from video2npz.video2npz import main

Encode = Callable[..., Path]


@pytest.fixture
def clip(encode: Encode, texture: np.ndarray) -> Path:
    """Two seconds: a texture that starts and stops twice."""
    offsets = np.cumsum(np.tile([3] * 7 + [0] * 6, 4)[:50])
    return encode("clip.mp4", [np.roll(texture, offset, axis=1) for offset in offsets])


def test_control_and_rhythm_agree(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = clip.parent / "a" / "b"
    main([str(clip), "--out_dir", str(out)])
    assert sorted(path.name for path in out.iterdir()) == ["clip.json", "clip.npz"]
    control, rhythm = load_control(out / "clip.npz"), load_rhythm(out / "clip.json")
    np.testing.assert_array_equal(control.words, control_words(rhythm))
    assert (control.tempo, control.duration) == (rhythm.tempo, rhythm.duration)
    assert rhythm.duration == 2
    (line,) = capsys.readouterr().out.splitlines()
    for part in ("clip.mp4", "2.00 s", "96x360 at 25 fps", "BPM", "visual beats", "clip.npz"):
        assert part in line


def test_pictures_are_drawn(clip: Path) -> None:
    formats = ["--visualize", "--format", "png", "svg", "--rhythm", "original", "--flow", "single"]
    main([str(clip), "--out_dir", str(clip.parent), *formats])
    with av.open(str(clip.parent / "clip_rhythm.png")) as container:
        picture = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert picture.shape[1] > 1500
    assert 5 < picture.std() < 100
    assert "<svg" in (clip.parent / "clip_rhythm.svg").read_text()


def test_the_curves_are_kept_with_the_control(clip: Path) -> None:
    main([str(clip), "--out_dir", str(clip.parent)])
    seen = load_curves(clip.with_suffix(".npz"))
    assert seen and (seen.fps, len(seen.speed), seen.unit) == (25, 49, "heights/s")
    main([str(clip), "--out_dir", str(clip.parent), "--rhythm", "original"])
    curves = load_curves(clip.with_suffix(".npz"))
    rhythm = load_rhythm(clip.with_suffix(".json"))
    assert curves and curves.fps == 25
    assert (len(curves.speed), len(curves.saliency)) == (49, 50)
    assert curves.saliency.min() == 0
    for beat in rhythm.vbeats:
        assert curves.saliency[round(beat.start_time * 25)] == pytest.approx(beat.weight)


def test_a_batch_skips_what_it_cannot_use(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = clip.with_name("bad.mp4")
    bad.write_text("no video")
    main([str(bad), str(clip), "--out_dir", str(clip.parent)])
    captured = capsys.readouterr()
    assert "clip.mp4" in captured.out
    assert "skipped 1 of 2" in captured.err
    assert captured.err.count("bad.mp4") >= 2
    with pytest.raises(InputError, match="no video could be used"):
        main([str(bad), str(bad), "--out_dir", str(clip.parent)])
    with pytest.raises(InputError, match=r"bad\.mp4: cannot be opened as a video"):
        main([str(bad), "--out_dir", str(clip.parent)])


@pytest.mark.parametrize("option", ["--max-pixels", "--max-hours"])
def test_limits_are_named_and_raised_by_options(clip: Path, option: str) -> None:
    asked = [str(clip), "--out_dir", str(clip.parent)]
    with pytest.raises(InputError, match=rf"clip\.mp4: .*, or raise {option}$"):
        main([*asked, option, "1" if option == "--max-pixels" else "1e-6"])


def test_names_are_kept_apart(clip: Path) -> None:
    # Same stem, dots, spaces and other alphabets.
    other = shutil.copy(clip, clip.with_name("clip.mov"))
    named = shutil.copy(clip, clip.with_name("mein Film.v2 – 映画.mp4"))
    out = clip.parent / "out"
    main(
        [
            *map(str, (clip, other, named)),
            "--out_dir",
            str(out),
            "--rhythm",
            "original",
            "--flow",
            "single",
        ]
    )
    assert sorted(path.name for path in out.glob("*.npz")) == [
        "clip-2.npz",
        "clip.npz",
        "mein Film.v2 – 映画.npz",
    ]
    assert json.loads((out / "mein Film.v2 – 映画.json").read_text())["duration"] == 2


def test_a_cut_off_video_is_used_and_said(
    encode: Encode, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (60, 64, 64))
    path = encode("a.mkv", list(noise))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 3])
    main([str(path), "--out_dir", str(path.parent), "--rhythm", "original", "--flow", "single"])
    assert "warning" in capsys.readouterr().err
    assert 0 < load_control(path.with_suffix(".npz")).duration < 1.2


def test_shell_script_works_from_any_folder(encode: Encode, tmp_path: Path) -> None:
    path = encode("one frame.mp4", [np.zeros((64, 64))])
    script = REPOSITORY / "src" / "video2npz" / "video2npz.sh"
    result = subprocess.run(
        ["sh", script, path.name, "--out_dir", "out"], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    control = load_control(tmp_path / "out" / "one frame.npz")
    assert control.words.tolist() == [[17, 3, 0, 0, 1, 1]]  # two onsets, as it is still
    missing = subprocess.run(["sh", script, "missing.mp4"], capture_output=True, text=True)
    assert missing.returncode == 1
    assert "missing.mp4" in missing.stderr
    assert "Traceback" not in missing.stderr


def test_help_loads_no_video_library() -> None:
    code = "import sys; import video2npz.video2npz as s\ntry: s.main(['--help'])\n"
    code += (
        "except SystemExit: pass\nprint({'av', 'cv2', 'scipy', 'matplotlib'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY / "src", capture_output=True, text=True
    )
    assert result.stdout.endswith("set()\n")
