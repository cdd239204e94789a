"""midi2mp3.py and video2bgm.sh, as a user runs them, and the video of the demo."""

from __future__ import annotations

import subprocess
from pathlib import Path

import av
import numpy as np
import pytest
from symusic import Score
from symusic.core import NoteTick, ScoreTick, TempoTick, TrackTick

import midi2mp3
from cmt.files import REPOSITORY, VIDEOS, InputError
from cmt.script import run_script
from cmt.sound.film import video_duration

VIDEO2BGM = REPOSITORY / "src" / "video2bgm.sh"


@pytest.fixture
def midi(tmp_path: Path) -> Path:
    """Four quarter notes at 120 BPM."""
    score = ScoreTick(480)
    score.tempos.append(TempoTick(0, 120))
    track = TrackTick("Piano", 0, False)
    for beat in range(4):
        track.notes.append(NoteTick(480 * beat, 480, 60 + beat, 80))
    score.tracks.append(track)
    score.dump_midi(str(tmp_path / "a song.v1.mid"))
    return tmp_path / "a song.v1.mid"


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Three seconds of 64 × 64."""
    path = tmp_path / "clip é.mp4"
    with av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=25)
        stream.width = stream.height = 64
        for number in range(75):
            picture = np.full((64, 64, 3), 3 * number, np.uint8)
            target.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        target.mux(stream.encode(None))
    return path


def seconds(path: Path) -> float:
    with av.open(str(path)) as source:
        return (source.duration or 0) / 1e6


def test_several_outputs_have_the_length_of_the_video(
    midi: Path, video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = [tmp_path / "new folder" / name for name in ("a.mp3", "b.wav", "c.mkv", "d.mp4")]
    names = [str(output) for output in outputs]
    midi2mp3.main(["--input", str(midi), "--output", *names, "--video", str(video), "--keep-audio"])
    for output in outputs:
        assert seconds(output) == pytest.approx(3.0, abs=0.05)
    assert video_duration(outputs[3]) == pytest.approx(3.0, abs=1e-3)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": 3.00 s, RMS ")[0] for line in lines] == names


def test_tempo_is_replaced(midi: Path, tmp_path: Path) -> None:
    lengths = []
    for tempo in ([], ["--tempo", "60"]):
        out = tmp_path / "song.wav"
        midi2mp3.main(["--input", str(midi), "--output", str(out), *tempo])
        lengths.append(seconds(out))
    assert lengths[1] - lengths[0] == pytest.approx(2.0, abs=0.01)


def test_mistakes_are_told_before_anything_is_written(
    midi: Path, video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(tmp_path.iterdir())
    to = ["--input", str(midi), "--output", str(tmp_path / "out.mp3")]
    for arguments, cause in (
        ([*to, str(tmp_path / "out.mp4")], "give them with --video"),
        ([*to, str(tmp_path / "out.ogg")], "unknown suffix"),
        ([*to, "--soundfont", "none.sf2"], "none.sf2"),
        ([*to, "--video", str(midi)], "a song.v1.mid"),
    ):
        with pytest.raises(InputError, match=cause):
            midi2mp3.main(arguments)
    for arguments in ([*to, "--keep-audio", "2"], [*to, "--tempo", "0"]):
        with pytest.raises(SystemExit):
            midi2mp3.main(arguments)
    assert run_script(lambda: midi2mp3.main(["--input", "none.mid", *to[2:]])) == 1
    assert "none.mid" in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("outputs", "in_the_way", "cause"),
    [
        (["song.mp3"], "stems/Piano.wav", "Piano.wav: is a folder"),
        (["stems/Piano.wav"], None, "Piano.wav: is asked for twice"),
        (["song.mp3"], "song.markers.csv", "song.markers.csv: is a folder"),
        (["song.markers.edl"], None, "unknown suffix"),
    ],
)
def test_stems_and_markers_are_outputs_like_others(
    midi: Path, tmp_path: Path, outputs: list[str], in_the_way: str | None, cause: str
) -> None:
    if in_the_way:
        (tmp_path / in_the_way).mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    stems = ["--stems", str(tmp_path / "stems"), "--markers"]
    names = [str(tmp_path / name) for name in outputs]
    with pytest.raises(InputError, match=cause):
        midi2mp3.main(["--input", str(midi), "--output", *names, *stems])
    assert sorted(tmp_path.rglob("*")) == before


def test_stems_never_replace_what_is_read_nor_leave_their_folder(
    midi: Path, tmp_path: Path
) -> None:
    score = Score(midi)
    score.tracks[0].name = "../Lead: 1"
    score.tracks.append(score.tracks[0].copy())
    score.dump_midi(str(midi))
    stems = tmp_path / "stems"
    given = ["--input", str(midi), "--output", str(tmp_path / "song.wav"), "--stems", str(stems)]
    midi2mp3.main(given)
    assert sorted(path.name for path in stems.iterdir()) == ["_Lead_ 1-2.wav", "_Lead_ 1.wav"]
    font = tmp_path / "stems" / "_Lead_ 1.wav"
    content = font.read_bytes()
    with pytest.raises(InputError, match=r"_Lead_ 1\.wav: would replace .*, which is read"):
        midi2mp3.main([*given, "--soundfont", str(font)])
    assert font.read_bytes() == content


def test_video2bgm_checks_stems_and_markers_before_the_work(video: Path, tmp_path: Path) -> None:
    out, stems = tmp_path / "out", tmp_path / "stems"
    stems.mkdir()
    (stems / "Bass.wav").write_bytes(b"somebody's own")
    for options, cause in (
        (["--stems", stems], f"{stems / 'Bass.wav'}: exists, and is not known to be of an earlier"),
        (["--stems", video], "cannot be written, as its folder is a file"),
    ):
        result = run(video, "--out_dir", out, *options)
        assert result.returncode == 1
        assert cause in result.stderr
    assert not out.exists() and [path.name for path in stems.iterdir()] == ["Bass.wav"]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [VIDEO2BGM, *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_video2bgm_never_replaces_its_input(video: Path, tmp_path: Path) -> None:
    before = video.read_bytes()
    link = tmp_path / "link.mp4"
    link.symlink_to(video)
    for arguments in ((video, "-o", video), (video, "--out_dir", tmp_path), (link, "-o", video)):
        result = run(*arguments)
        assert result.returncode == 1
        assert "would replace it" in result.stderr
    assert video.read_bytes() == before and sorted(tmp_path.iterdir()) == [video, link]


def test_video2bgm_tells_what_it_does_not_understand(video: Path) -> None:
    assert run("--help").returncode == 0
    for arguments in (
        (),
        ("--foo",),
        (video, "-o"),
        (video, video, "-o", "a.mp4"),
        (video, "-o", "a"),
    ):
        result = run(*arguments)
        assert result.returncode == 2 and result.stderr


def test_video2bgm_passes_the_flow_on(video: Path, tmp_path: Path) -> None:
    result = run(video, "--out_dir", tmp_path / "out", "--rhythm", "original", "--flow", "slow")
    assert result.returncode == 2
    assert "--flow: invalid choice: 'slow'" in result.stderr


def test_the_demo_video_is_small_silent_and_16_bars_long() -> None:
    sample = VIDEOS / "sample.mp4"
    assert sample.stat().st_size < 1_500_000
    assert video_duration(sample) == pytest.approx(16 * 4 * 60 / 120)
    with av.open(str(sample)) as source:
        assert [stream.type for stream in source.streams] == ["video"]
