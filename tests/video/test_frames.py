"""Decoding: what is shown when, whatever the file is like."""

from __future__ import annotations

import struct
import wave
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image

from cmt.files import InputError
from cmt.video.frames import HEIGHT, VideoFrames, hold

Encode = Callable[..., Path]

RATE = 25  # of `encode`
STEPS = [np.full((64, 64), 20 + 20 * step) for step in range(10)]  # ever brighter pictures


def levels(frames: VideoFrames) -> list[int]:
    """Which of `STEPS` each frame is."""
    return [round((frame.mean() - 20) / 20) for frame in frames]


@pytest.mark.parametrize(
    ("size", "width"), [((480, 854), 640), ((272, 640), 848), ((1080, 620), 206), ((37, 51), 496)]
)
def test_frames_are_360_high_in_proportion(
    encode: Encode, size: tuple[int, int], width: int
) -> None:
    frames = VideoFrames(encode("a.mkv", [np.zeros(size)] * 2, codec="ffv1", pix_fmt="gray"))
    assert [(frame.shape, frame.dtype) for frame in frames] == [((HEIGHT, width), np.uint8)] * 2
    assert (frames.height, frames.width) == size


@pytest.mark.parametrize(
    ("codec", "pix_fmt"),
    [
        ("libx264", "yuv420p"),
        ("libx264", "yuv444p"),
        ("libx264", "yuvj420p"),
        ("libx264", "yuv420p10le"),
        ("libx264rgb", "rgb24"),
        ("ffv1", "gray"),
        ("mpeg4", "yuv420p"),
    ],
)
def test_gray_is_full_range_in_every_format(encode: Encode, codec: str, pix_fmt: str) -> None:
    ramp = np.tile(np.arange(256), (144, 1))
    (frame,) = VideoFrames(encode("a.mkv", [ramp], codec=codec, pix_fmt=pix_fmt))
    width = frame.shape[1]
    expected = np.interp(np.arange(width), np.linspace(0, width - 1, 256), ramp[0])
    assert np.abs(frame.mean(axis=0) - expected).max() < 6
    assert np.abs(frame.mean() - ramp.mean()) < 3.5


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "a.webm", "a.avi", "a.ts", "a.h264"])
def test_every_frame_comes_once_in_order(encode: Encode, name: str) -> None:
    codec = "libvpx" if name == "a.webm" else "libx264"
    frames = VideoFrames(encode(name, STEPS, codec=codec))
    assert levels(frames) == list(range(10))
    assert frames.fps == RATE
    assert frames.expected in (10, None)
    assert not frames.problems


@pytest.mark.parametrize("rate", [12, 24, 30, 60])
def test_rounded_time_stamps_drop_nothing(encode: Encode, rate: int) -> None:
    # Matroska rounds to milliseconds.
    frames = VideoFrames(encode("a.mkv", STEPS, rate=rate))
    assert (levels(frames), frames.fps) == (list(range(10)), rate)


def test_variable_rate_holds_frames_by_their_time_stamps(encode: Encode) -> None:
    times = [0, 40, 80, 400, 440, 480, 520, 1000, 1040, 1080]
    frames = VideoFrames(encode("a.mkv", STEPS, milliseconds=times))
    shown = [0, 1, *[2] * 8, 3, 4, 5, *[6] * 12, 7, 8, 9]
    assert (frames.fps, levels(frames)) == (RATE, shown)
    held = list(frames)[2:10]
    assert all(frame is held[0] for frame in held)


def test_average_rate_keeps_the_duration(encode: Encode) -> None:
    times = [0, 40, 80, 400, 440, 480, 520, 1000, 1040, 1080]
    frames = VideoFrames(encode("a.mp4", STEPS, milliseconds=times))
    assert len(list(frames)) / frames.fps == pytest.approx(1.12, abs=0.01)
    frames = VideoFrames(encode("b.mp4", STEPS[:3], milliseconds=[0, 1000, 1500]))
    assert len(list(frames)) / frames.fps == pytest.approx(1.54, abs=0.01)


def test_a_clock_set_back_or_missing_drops_nothing() -> None:
    times = [7.0, 7.04, 7.08, 0.0, 0.04, 0.2, None, 0.28]
    frames = [SimpleNamespace(time=time, duration=0, time_base=None) for time in times]
    assert [count for _, count in hold(frames, 25)] == [1, 1, 1, 1, 4, 1, 1, 1]


def test_one_frame_is_a_video(encode: Encode) -> None:
    assert levels(VideoFrames(encode("a.mp4", STEPS[3:4]))) == [3]


@pytest.mark.parametrize(
    ("matrix", "bright"),
    [
        ((0, 1, -1, 0, 64, 0), np.s_[:100]),  # a quarter turn clockwise
        ((0, -1, 1, 0, 0, 128), np.s_[-100:]),
        ((-1, 0, 0, -1, 128, 64), np.s_[:, -100:]),
    ],
)
def test_rotation_is_applied(
    encode: Encode, matrix: tuple[int, ...], bright: tuple[slice, ...]
) -> None:
    picture = np.zeros((64, 128))
    picture[:, :64] = 255
    path = encode("a.mp4", [picture] * 2)
    content = path.read_bytes()
    a, b, c, d, x, y = (65536 * value for value in matrix)
    upright = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30)
    turned = struct.pack(">9i", a, b, 0, c, d, 0, x, y, 1 << 30)
    place = content.index(upright, content.index(b"tkhd"))
    path.write_bytes(content[:place] + turned + content[place + len(turned) :])

    frames = VideoFrames(path)
    frame = next(iter(frames))
    assert frame.shape[1] == round(HEIGHT * frames.width / frames.height)
    assert frame[bright].mean() > 245
    assert frame.mean() == pytest.approx(255 / 2, abs=3)


@pytest.mark.parametrize("name", ["ein Film.v2.mp4", "12:30.mp4", "日本語 – é.mkv", "50%d.mp4"])
def test_any_name(encode: Encode, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = encode("a" + Path(name).suffix, STEPS)
    path.rename(path.with_name(name))
    monkeypatch.chdir(path.parent)  # so that the name is all there is
    assert len(list(VideoFrames(name))) == 10


def noisy(frames: int) -> list[np.ndarray]:
    """Pictures that take many bytes."""
    return list(np.random.default_rng(0).integers(0, 256, (frames, 64, 64)))


def test_a_truncated_video_is_used_as_far_as_it_goes(encode: Encode) -> None:
    path = encode("a.mkv", noisy(100))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    frames = VideoFrames(path)
    count = len(list(frames))
    assert 40 <= count <= 60
    assert frames.problems == [f"the picture ends after {count / RATE:.1f} s, the file says 4.0 s"]


def test_damage_in_the_middle_is_said_and_the_rest_used(encode: Encode) -> None:
    path = encode("a.mp4", noisy(100))
    content = bytearray(path.read_bytes())
    middle = slice(len(content) // 2, len(content) // 2 + 3000)
    content[middle] = bytes(255 - byte for byte in content[middle])
    path.write_bytes(content)
    frames = VideoFrames(path)
    assert len(list(frames)) == 100
    assert "damaged" in frames.problems[0]


def test_a_video_without_its_index_is_an_error(encode: Encode) -> None:
    path = encode("a.mp4", noisy(50))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"a\.mp4.*whole video"):
        VideoFrames(path)


def test_no_picture_decoded_is_an_error(encode: Encode) -> None:
    path = encode("a.avi", noisy(100))
    path.write_bytes(path.read_bytes()[:6000])
    with pytest.raises(InputError, match=r"a\.avi.*no picture"):
        VideoFrames(path)


@pytest.mark.parametrize("content", [b"", b"hello world\n" * 50, bytes(range(256)) * 40])
@pytest.mark.parametrize("name", ["a.mp4", "a.txt"])
def test_a_file_that_is_no_video_is_an_error(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"{name}.*give a .*video file"):
        VideoFrames(path)


def test_sound_and_pictures_are_no_video(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "a.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(16000))
    with av.open(str(tmp_path / "a.png"), "w") as container:
        stream = container.add_stream("png", rate=1)
        stream.width = stream.height = 8
        stream.pix_fmt = "rgb24"
        frame = av.VideoFrame.from_ndarray(np.zeros((8, 8, 3), np.uint8), "rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with av.open(str(tmp_path / "a.mp4"), "w") as container:  # sound with a cover
        sound_stream = container.add_stream("aac", rate=8000, layout="mono")
        cover = container.add_stream("mjpeg", rate=1)
        cover.width = cover.height = 8
        cover.pix_fmt = "yuvj420p"
        cover.disposition = Disposition.attached_pic
        container.mux(cover.encode(frame))
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        samples.sample_rate = 8000
        container.mux(sound_stream.encode(samples))
        container.mux(cover.encode())
        container.mux(sound_stream.encode())
    for path in (tmp_path / "a.wav", tmp_path / "a.png", tmp_path / "a.mp4"):
        with pytest.raises(InputError, match="no moving picture"):
            VideoFrames(path)
    with pytest.raises(InputError, match="No such file"):
        VideoFrames(tmp_path / "missing.mp4")


def test_an_animated_webp_is_refused_with_what_to_do(tmp_path: Path) -> None:
    pictures = [Image.new("L", (8, 8), shade) for shade in (0, 255)]
    pictures[0].save(tmp_path / "a.webp", save_all=True, append_images=pictures[1:])
    with pytest.raises(InputError, match=r"a\.webp: an animated WebP, .* as GIF or MP4"):
        VideoFrames(tmp_path / "a.webp")


def test_thumbnails_are_what_is_shown(encode: Encode) -> None:
    red, blue = np.zeros((2, 64, 128, 3))
    red[..., 0] = blue[..., 2] = 255
    frames = VideoFrames(encode("a.mp4", [red] * 20 + [blue] * 30))
    pictures = frames.thumbnails([0, 0.7, 0.9, 1.9], height=32)
    assert [picture.shape for picture in pictures] == [(32, 64, 3)] * 4
    assert [int(picture.mean(axis=(0, 1)).argmax()) for picture in pictures] == [0, 0, 2, 2]
