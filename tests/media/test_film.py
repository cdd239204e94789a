"""Films: what is shown of odd files is what comes out, copied where it can be."""

from __future__ import annotations

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from cmt.files import InputError
from cmt.limits import VideoLimits
from cmt.media.clock import Clock, Stamps
from cmt.media.orientation import Orientation
from cmt.media.own_sound import mixable, own_sound
from cmt.media.source import Source
from cmt.sound.film import mux, why_encoded
from conftest import REFERENCE

Encode = Callable[..., Path]
RATE = 48_000  # Hz
STEPS = [np.full((64, 64), 20 + 20 * step) for step in range(10)]  # ever brighter pictures
MUSIC = np.zeros((2, RATE), np.float32)


def levels(path: Path) -> list[int]:
    """Which of `STEPS` the pictures of a film are."""
    shown = [frame.to_ndarray(format="rgb24").mean() for frame in Source(path).pictures()]
    return [round((level - 20) / 20) for level in shown]


def stream_of(path: Path) -> dict[str, Any]:
    """What another reader finds of the pictures of a file."""
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        frame = next(container.decode(video))
        return {
            "codec": video.codec_context.codec.canonical_name,
            "tag": video.codec_context.codec_tag,
            "aspect": video.sample_aspect_ratio,
            "start": (video.start_time or 0) * (video.time_base or 0),
            "turn": Orientation.of(frame),
            "language": video.language,
            "title": container.metadata.get("title"),
        }


def displayed_by(path: Path, a: int, b: int, c: int, d: int) -> Path:
    """Set the display matrix of an MP4 that has none."""
    content = path.read_bytes()
    one = 1 << 16
    plain = struct.pack(">9i", one, 0, 0, 0, one, 0, 0, 0, 1 << 30)
    matrix = struct.pack(">9i", a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30)
    place = content.index(plain, content.index(b"tkhd"))
    path.write_bytes(content[:place] + matrix + content[place + len(plain) :])
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
@pytest.mark.parametrize(
    ("name", "codec", "copies"),
    [
        ("steps.av1.mp4", "recorded", (".mp4", ".mkv", ".webm")),
        ("a.mkv", "libx265", (".mp4", ".mov", ".mkv")),
        ("a.ts", "libx264", (".mp4", ".mov", ".mkv")),
        ("a.webm", "libvpx", (".mkv", ".webm")),
        ("a.wmv", "wmv2", ()),
        ("a.y4m", "rawvideo", ()),
    ],
)
def test_a_film_of_anything(
    encode: Encode, tmp_path: Path, suffix: str, name: str, codec: str, copies: tuple[str, ...]
) -> None:
    # AV1 is recorded: its encoder would give this process, and what it starts, real-time priority.
    recorded = REFERENCE / "media" / name
    video = recorded if codec == "recorded" else encode(name, STEPS, codec=codec)
    out = tmp_path / f"out{suffix}"
    assert (why_encoded(video, out) is None) == (suffix in copies)
    mux(video, MUSIC, out)
    film = stream_of(out)
    anew = "vp9" if suffix == ".webm" else "h264"
    assert film["codec"] == (stream_of(video)["codec"] if suffix in copies else anew)
    assert film["start"] == 0
    assert Source(out).clock.duration == pytest.approx(0.4, abs=1e-3)
    assert levels(out) == list(range(10))
    if film["codec"] == "hevc" and suffix != ".mkv":
        assert film["tag"] == "hvc1"


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize(
    ("matrix", "turn"),
    [
        ((1, 0, 0, 1), Orientation()),
        ((-1, 0, 0, 1), Orientation(mirrored=True)),
        ((1, 0, 0, -1), Orientation(mirrored=True, turns=2)),
        ((0, 1, -1, 0), Orientation(turns=3)),
        ((-1, 0, 0, -1), Orientation(turns=2)),
    ],
)
def test_a_copy_is_turned_and_mirrored_as_the_video(
    encode: Encode, tmp_path: Path, suffix: str, matrix: tuple[int, ...], turn: Orientation
) -> None:
    video = displayed_by(encode("a.mp4", STEPS[:2]), *matrix)
    assert Source(video).orientation == turn
    mux(video, MUSIC, tmp_path / f"out{suffix}")
    assert stream_of(tmp_path / f"out{suffix}")["turn"] == turn


def test_a_mirror_is_seen() -> None:
    picture = np.arange(6).reshape(2, 3)
    np.testing.assert_array_equal(Orientation(mirrored=True).upright(picture), picture[:, ::-1])
    np.testing.assert_array_equal(Orientation(True, 2).upright(picture), picture[::-1])
    np.testing.assert_array_equal(Orientation(turns=1).upright(picture), np.rot90(picture))


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_titles_languages_and_aspects_stay(tmp_path: Path, suffix: str) -> None:
    video = tmp_path / "a.mkv"
    with av.open(str(video), "w") as target:
        stream = target.add_stream("libx264", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        stream.metadata["language"] = "ita"
        target.metadata["title"] = "F*r Elise"
        for number in range(3):
            target.mux(
                stream.encode(av.VideoFrame.from_ndarray(np.full((64, 64, 3), number, np.uint8)))
            )
        target.mux(stream.encode(None))
    content = video.read_bytes()
    video.write_bytes(content.replace(b"F*r Elise", b"F\xfcr Elise"))  # Latin-1
    mux(video, MUSIC, tmp_path / f"out{suffix}")
    film = stream_of(tmp_path / f"out{suffix}")
    assert (film["title"], film["language"], film["aspect"]) == ("Für Elise", "ita", Fraction(4, 3))


def test_a_codec_tag_that_is_no_text_is_left_to_the_container(
    encode: Encode, tmp_path: Path
) -> None:
    video = encode("a.mp4", STEPS, codec="mpeg4")
    video.write_bytes(video.read_bytes().replace(b"mp4v", b"mp\x80v"))
    mux(video, MUSIC, tmp_path / "out.mp4")
    assert stream_of(tmp_path / "out.mp4")["tag"] == "mp4v"
    assert levels(tmp_path / "out.mp4") == list(range(10))


def test_a_raw_stream_is_in_order_at_its_rate(encode: Encode, tmp_path: Path) -> None:
    video = encode("a.h264", STEPS, rate=30, bf=2)
    mux(video, MUSIC, tmp_path / "out.mp4")
    assert why_encoded(video, tmp_path / "out.mp4") is None
    assert Source(tmp_path / "out.mp4").clock.duration == pytest.approx(1 / 3, abs=1e-3)
    assert levels(tmp_path / "out.mp4") == list(range(10))


def test_an_idle_picture_between_reordered_ones_lasts_as_long_as_it_is_shown(
    encode: Encode, tmp_path: Path
) -> None:
    times = [0, 40, 80, 120, 60_000, 60_040, 60_080, 60_120, 60_160, 60_200]
    video = encode("a.mp4", STEPS, milliseconds=times, bf=2)
    assert Source(video).clock.duration == pytest.approx(60.24, abs=1e-3)
    mux(video, MUSIC, tmp_path / "out.mp4")
    assert Source(tmp_path / "out.mp4").clock.duration == pytest.approx(60.24, abs=1e-3)


def test_clocks_that_leap_are_closed(encode: Encode, tmp_path: Path) -> None:
    hours = [0, 40, 80, 120, 160, *(36_000_000 + 40 * step for step in range(5))]
    held = Source(encode("a.mkv", STEPS, milliseconds=hours))
    assert held.clock.duration == pytest.approx(0.4, abs=2e-3)
    part = encode("a.ts", STEPS).read_bytes()
    joined = tmp_path / "joined.ts"
    joined.write_bytes(part + part)  # whose clock is set back
    source = Source(joined)
    assert source.clock.duration == pytest.approx(0.8, abs=1e-3)
    mux(joined, MUSIC, tmp_path / "out.mp4")
    assert levels(tmp_path / "out.mp4") == [*range(10), *range(10)]
    assert len(list(source.pictures())) == 20
    assert any("leaps" in problem for problem in source.problems)


def test_sound_leaps_with_the_pictures() -> None:
    stamps = Stamps(Fraction(1, 1000))
    for tick in (*range(5000, 6000, 40), *range(90_000, 91_000, 40)):
        stamps.add(tick, tick, 40)
    placed = Clock.of(stamps, sent=True).beginning(5000).placing()
    times = [placed(t) for t in (4.98, 5.5, 5.99, 90.0, 90.5, 90.98)]
    assert times == pytest.approx([-0.02, 0.5, 0.99, 1.0, 1.5, 1.98])


def test_slow_pictures_that_are_reordered_are_no_leap() -> None:
    stamps = Stamps(Fraction(1, 1000), delay=2)  # as Matroska has them: none of decoding at first
    for pts, dts in ((0, None), (20_000, None), (10_000, None), (5000, 5000), (15_000, 10_000)):
        stamps.add(pts, dts, 5000)
    clock = Clock.of(stamps)
    assert clock.ticks.tolist() == stamps.pts and clock.duration == 25 and not clock.closed


def test_a_video_too_large_or_too_long_is_refused_by_name(encode: Encode) -> None:
    video = encode("a.mp4", STEPS)
    with pytest.raises(InputError, match=r"a\.mp4.*64x64 pixels.*, or raise --max-pixels$"):
        Source(video, VideoLimits(pixels=64 * 63))
    with pytest.raises(InputError, match=r"a\.mp4.*lasts.*, or raise --max-hours$"):
        Source(video, VideoLimits(hours=1e-5))


def with_sound(path: Path, parts: list[tuple[float, str, np.ndarray]]) -> Path:
    """A second of pictures, and sounds at given seconds in given layouts."""
    with av.open(str(path), "w") as target:
        video = target.add_stream("mpeg2video", rate=25)
        video.width = video.height = 64
        video.pix_fmt = "yuv420p"
        voice = target.add_stream("pcm_s16le", rate=RATE, layout=parts[0][1])
        for number in range(25):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 9 * number, np.uint8))
            frame.pts, frame.time_base = number, Fraction(1, 25)
            target.mux(video.encode(frame))
        target.mux(video.encode(None))
        for start, layout, samples in parts:
            sound = (samples * 32767).astype(np.int16).T.reshape(1, -1)
            part = av.AudioFrame.from_ndarray(sound, "s16", layout)
            part.sample_rate, part.pts, part.time_base = (
                RATE,
                round(start * RATE),
                Fraction(1, RATE),
            )
            target.mux(voice.encode(part))
        target.mux(voice.encode(None))
    return path


def heard(path: Path) -> np.ndarray:
    """The first second of a video's own sound, (samples,) of the left."""
    sound = np.zeros(RATE)
    for first, part in own_sound(Source(path), RATE):
        skipped = max(0, -first)
        place = sound[first + skipped : max(0, first + part.shape[1])]
        place += part[0, skipped : skipped + len(place)]
    return sound


def test_a_gap_of_45_ms_keeps_the_sound_in_place(tmp_path: Path) -> None:
    clicks = np.zeros((2, RATE))
    clicks[:, RATE // 4 :: RATE // 4] = 0.5
    gap = round(0.045 * RATE)
    begun = 9600
    parts = [(0.0, "stereo", clicks[:, :begun])]
    parts.append(((begun + gap) / RATE, "stereo", clicks[:, begun + gap :]))
    sound = heard(with_sound(tmp_path / "a.mkv", parts))
    correlation = np.correlate(sound, clicks[0, : RATE - 4800], "valid")
    assert abs(int(correlation.argmax())) <= 0.001 * RATE


def test_a_late_sound_is_late(tmp_path: Path) -> None:
    tone = 0.5 * np.ones((2, RATE // 4))
    sound = heard(with_sound(tmp_path / "a.mkv", [(0.5, "stereo", tone)]))
    assert np.flatnonzero(sound > 0.25)[0] == pytest.approx(RATE / 2, abs=0.001 * RATE)


def test_pictures_do_not_end_early_where_sound_is_longer(tmp_path: Path) -> None:
    tone = 0.5 * np.ones((2, 3 * RATE))
    assert Source(with_sound(tmp_path / "a.mkv", [(0.0, "stereo", tone)])).declared == 1


def test_eleven_channels_without_places_are_heard(tmp_path: Path) -> None:
    tone = np.tile(0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE), (11, 1))
    sound = heard(with_sound(tmp_path / "a.mkv", [(0.0, "11 channels", tone)]))
    assert np.abs(sound[RATE // 4 : RATE // 2]).max() == pytest.approx(0.5 / 2**0.5, rel=0.02)


def test_a_mono_sound_whose_last_frame_tells_no_time_is_heard(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.asf"), "w") as target:
        video = target.add_stream("mpeg4", rate=25)
        video.width = video.height = 64
        video.pix_fmt = "yuv420p"
        voice = target.add_stream("wmav2", rate=RATE, layout="mono")
        voice.bit_rate = 96_000
        target.mux(video.encode(av.VideoFrame(64, 64)))
        target.mux(video.encode(None))
        tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
        frame = av.AudioFrame.from_ndarray(tone[None].astype(np.float32), "fltp", "mono")
        frame.sample_rate = RATE
        target.mux([*voice.encode(frame), *voice.encode(None)])
    sound = heard(tmp_path / "a.asf")
    assert np.abs(sound[RATE // 4 :]).max() == pytest.approx(0.5 / 2**0.5, rel=0.05)


@pytest.mark.parametrize("kind", ["u8", "s16", "s32", "s64", "flt", "dbl"])
def test_channels_without_places_are_mixed_in_every_format(kind: str) -> None:
    """One of twelve channels is at full scale, the others are silent."""
    dtype = {"u8": "u1", "s16": "i2", "s32": "i4", "s64": "i8", "flt": "f4", "dbl": "f8"}[kind]
    full = 1.0 if dtype[0] == "f" else float(2 ** (8 * int(dtype[1]) - 1))
    samples = np.full((100, 12), 128 if kind == "u8" else 0, dtype)
    samples[:, 3] = samples[:, 3] - full if kind != "u8" else 0
    frame = av.AudioFrame(kind, "12 channels", 100)
    content = samples.tobytes()
    frame.planes[0].update(content + bytes(frame.planes[0].buffer_size - len(content)))
    frame.sample_rate = 48_000
    np.testing.assert_allclose(mixable(frame).to_ndarray(), -1 / 12, rtol=1e-6)
