"""What the page does, without a browser."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import torch

import gen_midi_conditional
from cmt.compose import Settings
from cmt.control import Control, save_control
from cmt.decoding.style import Style
from cmt.files import InputError
from cmt.model import checkpoint
from cmt.model.network import CMT
from cmt.music.keys import Key
from cmt.music.midi import read_midi
from cmt.sound.film import has_sound, video_duration
from cmt.web.studio import Studio, Watched
from conftest import SMALL


def silently(share: float, doing: str) -> None:
    assert 0 <= share <= 1 and doing


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("private")
    ckpt = tmp_path_factory.mktemp("exp") / "model.pt"
    checkpoint.save(ckpt, CMT(SMALL))
    return Studio(folder, ckpt, max_minutes=1)


@pytest.fixture(scope="module")
def analysis(studio: Studio, excerpt: Path) -> Watched:
    return studio.analyse(studio.open(excerpt), silently)


def test_a_video_gets_takes_that_can_be_made_again(
    studio: Studio, analysis: Watched, tmp_path: Path
) -> None:
    style = Style(genre="rock", instruments=("Piano", "Bass"), key=Key(2, "minor"))
    settings = Settings(takes=2, degree=0.5, tempo=100.0, style=style, seed=5)
    results = studio.compose(analysis, settings, None, silently)
    reports = [json.loads(result.report.read_text()) for result in results]
    assert sorted(report["seed"] for report in reports) == [5, 6]
    assert [report["rank"] for report in reports] == [1, 2]
    for result in results:
        assert video_duration(result.video) == pytest.approx(analysis.rhythm.duration)
        assert has_sound(result.video) and not has_sound(analysis.clip.path)

    # As its own JSON says.
    rhythm = analysis.rhythm
    npz = tmp_path / "VIDEO.npz"
    save_control(npz, Control.of(rhythm))
    again = ["--settings", str(results[0].report), "-f", str(npz), "--out_dir", str(tmp_path)]
    gen_midi_conditional.main(again)
    assert (tmp_path / "VIDEO.mid").read_bytes() == results[0].midi.read_bytes()


def test_what_is_no_video_is_told_without_a_path(studio: Studio, tmp_path: Path) -> None:
    bad = tmp_path / "$(touch x); bad.mp4"
    bad.write_text("no video")
    before = set(studio.folder.iterdir())
    with pytest.raises(InputError, match=r"^This video: cannot be opened") as caught:
        studio.open(bad)
    assert str(tmp_path) not in str(caught.value) and "bad" not in str(caught.value)
    assert set(studio.folder.iterdir()) == before


def test_long_videos_are_refused(
    studio: Studio, excerpt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studio, "max_minutes", 0.05)
    before = set(studio.folder.iterdir())
    with pytest.raises(InputError, match=r"longer than 0.05 minutes.*--max_minutes"):
        studio.open(excerpt)
    assert set(studio.folder.iterdir()) == before


def test_the_time_is_estimated_before(studio: Studio, excerpt: Path) -> None:
    clip = studio.open(excerpt)
    assert clip.duration == pytest.approx(4, abs=0.1)
    assert clip.analysing > 0 and clip.composing > 0


def test_work_ends_when_progress_raises(studio: Studio, analysis: Watched) -> None:
    def stop(share: float, doing: str) -> None:
        if share > 0.3:
            raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        studio.analyse(analysis.clip, stop)
    with pytest.raises(KeyError, match="enough"):
        studio.compose(analysis, Settings(), None, stop)


def test_the_own_sound_is_kept_under_the_music(
    studio: Studio, analysis: Watched, tmp_path: Path
) -> None:
    first = studio.compose(analysis, Settings(), None, silently)[0]
    with_sound = studio.open(first.video)
    assert with_sound.has_sound
    again = replace(analysis, clip=with_sound, playable=with_sound.path)
    loud, quiet = (studio.compose(again, Settings(), gain, silently)[0] for gain in (1.0, 0.0))

    def level(path: Path) -> float:
        with av.open(str(path)) as source:
            return float(
                np.mean([np.square(f.to_ndarray()).mean() for f in source.decode(audio=0)])
            )

    # The same music twice, at twice the amplitude.
    assert level(loud.video) == pytest.approx(4 * level(quiet.video), rel=0.5)
    assert level(quiet.video) == pytest.approx(level(first.video), rel=0.1)
    assert json.loads(loud.report.read_text())["keep_audio"] == 1.0


def test_what_browsers_cannot_play_gets_a_copy(studio: Studio, tmp_path: Path) -> None:
    path = tmp_path / "old.avi"
    with av.open(str(path), "w") as target:
        stream = target.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for level in range(20):
            picture = np.full((48, 64, 3), 10 * level, np.uint8)
            target.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        target.mux(stream.encode(None))
    (result,) = studio.compose(
        studio.analyse(studio.open(path), silently), Settings(), None, silently
    )
    codecs = []
    for one in (result.video, result.preview):
        with av.open(str(one)) as source:
            codecs.append([stream.codec_context.name for stream in source.streams])
        assert video_duration(one) == pytest.approx(2, abs=0.01)
    assert codecs == [["mpeg4", "aac"], ["h264", "aac"]]


def test_what_is_an_hour_old_is_removed(studio: Studio, excerpt: Path) -> None:
    old, new = studio.open(excerpt), studio.open(excerpt)
    for path in (old.path.parent, old.path):
        os.utime(path, (time.time() - 3700,) * 2)
    studio.sweep(3600)
    assert not old.path.parent.exists() and new.path.exists()


def test_music_ends_with_the_video(studio: Studio, analysis: Watched) -> None:
    (result,) = studio.compose(analysis, Settings(), None, silently)
    midi = read_midi(result.midi)
    seconds = midi.song.length / 4 * 60 / midi.tempo
    assert analysis.rhythm.duration - 60 / midi.tempo / 4 <= seconds <= analysis.rhythm.duration
