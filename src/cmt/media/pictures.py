"""A video's pictures in another container: copied as they are where it can hold them, else encoded.

Both ways a film begins at 0 s with the first picture shown, and lasts as long as they do.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, pairwise

import av
import numpy as np
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, VideoReformatter
from av.video.stream import VideoStream

from cmt.media.source import Source

FORMATS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
EDITED = (".mp4", ".mov")  # have edit lists, by which pictures are decoded that are not shown
# Of H.264, near to what the eye can tell; and its like in WebM.
H264 = {"preset": "fast", "crf": "18", "rc-lookahead": "20"}
VP9 = {"crf": "24", "b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"}
LONGEST_SIDE = 4096  # pixels of what is encoded: what decoders in hardware take
BT709 = 1  # ITU-T H.273's number for it: primaries, transfer and matrix
LIMITED = 1  # of FFmpeg's ranges: 16 to 235
TRIED = 60  # packets
# Of a source's metadata what is about its file, not about the film.
OWN = (
    "major_brand", "minor_version", "compatible_brands", "encoder", "duration", "bps",
    "number_of_", "_statistics_", "vendor_id", "timecode",
)  # fmt: skip


def options(suffix: str) -> dict[str, str]:
    """How a container of a suffix is written.

    MP4 and MOV have their index first, so that a browser plays them while they load. What FFmpeg
    calls unofficial is what it knows of spherical video and of Dolby Vision.
    """
    if suffix in EDITED:
        return {"movflags": "+faststart", "strict": "unofficial"}
    return {"avoid_negative_ts": "disabled", "strict": "unofficial"}  # it would shift the pictures


@dataclass(frozen=True)
class Way:
    """How pictures get into a container.

    Attributes:
        encoded: why they are encoded anew; None: they are copied as they are.
        tag: by which MP4 and MOV name the codec of a copy; zeros leave it to FFmpeg.
    """

    encoded: str | None
    tag: str = "\0\0\0\0"


def find_way(source: Source, suffix: str) -> Way:
    """See how a video's pictures get into a container.

    Args:
        source: the video.
        suffix: of the container: .mp4, .mov, .mkv or .webm.

    Raises:
        InputError: the file can no longer be read.
    """
    clock = source.clock
    unseen = _kept(source) & clock.hidden
    if (clock.ticks[unseen] >= 0).any() or (unseen.any() and suffix not in EDITED):
        return Way(f"a copy as {suffix} would show what is cut away")
    if (clock.lost & (clock.ticks >= 0)).any():
        return Way("its time stamps are not those of its pictures")
    if source.codec != "rawvideo":
        for way in (Way(None, _tag(source, suffix)), Way(None)):
            try:
                with av.open(io.BytesIO(), "w", FORMATS[suffix]) as target:
                    for packet in islice(copied(target, source, way), TRIED):
                        target.mux(packet)
            except (av.FFmpegError, ValueError):
                continue
            return way
    return Way(f"{suffix} cannot hold {source.codec}")


def copied(target: OutputContainer, source: Source, way: Way) -> Iterator[av.Packet]:
    """Add a stream that has a video's pictures as they are; the packets to put there.

    Raises:
        ValueError: the container cannot hold them.
        av.FFmpegError: likewise.
    """
    with source.open() as (container, video):
        copy = target.add_stream_from_template(video, opaque=True)
        assert isinstance(copy, VideoStream)
        copy.time_base = source.clock.base
        copy.codec_context.codec_tag = way.tag
        if aspect := video.sample_aspect_ratio:
            copy.codec_context.sample_aspect_ratio = aspect
        target.metadata.update(_metadata(container.metadata))
        copy.metadata.update(_metadata(video.metadata))
        copy.disposition = video.disposition
    return _copies(source, copy)


def encoded(target: OutputContainer, source: Source, suffix: str) -> Iterator[av.Packet]:
    """Add a stream for a video's pictures, upright, in H.264, or VP9 in WebM; their packets."""
    webm = suffix == ".webm"
    stream = target.add_stream(
        "libvpx-vp9" if webm else "libx264",
        rate=Fraction(source.clock.rate).limit_denominator(1001),
        options=VP9 if webm else H264,
    )
    assert isinstance(stream, VideoStream)
    with source.open() as (container, video):
        target.metadata.update(_metadata(container.metadata))
        stream.metadata.update(_metadata(video.metadata))
        aspect = video.sample_aspect_ratio or Fraction(1)
    scale = min(1.0, LONGEST_SIDE / max(source.width, source.height))
    context = stream.codec_context
    context.width, context.height = (
        max(2, 2 * round(side * scale / 2)) for side in (source.width, source.height)
    )
    context.pix_fmt = "yuv420p"
    context.sample_aspect_ratio = 1 / aspect if source.orientation.sideways else aspect
    context.time_base = source.clock.base
    context.colorspace = context.color_primaries = context.color_trc = BT709
    context.color_range = LIMITED
    return _encodings(source, stream)


def _kept(source: Source) -> np.ndarray:
    """(n,) Which packets a copy has: those shown, and what they need to be decoded."""
    clock = source.clock
    needed = ~clock.lost
    needed[np.flatnonzero(~clock.hidden & ~clock.lost)[-1] + 1 :] = False
    return needed


def _tag(source: Source, suffix: str) -> str:
    """The code by which MP4 and MOV are to name a codec."""
    if suffix not in EDITED:
        return Way.tag
    with source.open() as (container, video):
        if container.format.name.startswith("mov"):
            try:
                return video.codec_context.codec_tag
            except UnicodeDecodeError:  # not of letters, which PyAV cannot give
                return Way.tag
    # Apple's players take no other, with which the parameters are in the file's header.
    return "hvc1" if source.codec == "hevc" else Way.tag


def _metadata(found: dict[str, str]) -> dict[str, str]:
    """What a file says of a film, as text: what is not UTF-8 is taken for Latin-1."""
    kept = {}
    for key, value in found.items():
        raw = value.encode("utf-8", "surrogateescape")
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
        if not key.lower().startswith(OWN) and key.isprintable():
            kept[key] = text
    return kept


def _copies(source: Source, copy: VideoStream) -> Iterator[av.Packet]:
    clock, kept = source.clock, _kept(source)
    ticks = clock.ticks[kept]
    decoding = _decoding(ticks, clock.step, source.delay)
    lasting = _lasting(source)
    place = 0
    for packet, keep in zip(source.packets(), kept.tolist(), strict=False):
        if keep:
            packet.dts = int(decoding[place])
            packet.duration = lasting.get(packet.pts or 0, max(1, round(clock.step)))
            packet.stream = copy
            place += 1
            yield packet


def _decoding(ticks: np.ndarray, step: float, delay: int) -> np.ndarray:
    """Ascending stamps of decoding for (n,) stamps of presentation in that order, none later.

    They are so many pictures earlier as the decoder is said to keep back, or more if need be.
    """
    ascending = np.sort(ticks)
    early = np.arange(len(ticks)) - np.searchsorted(ascending, ticks, "right") + 1
    delay = max(delay, int(early.max()))
    before = ascending[0] - np.ceil(step * np.arange(delay, 0, -1)).astype(np.int64)
    return np.concatenate([before, ascending])[: len(ticks)]


def _lasting(source: Source) -> dict[int, int]:
    """How long each picture is shown, by its tick."""
    shown = source.clock.shown.tolist()
    return {tick: following - tick for tick, following in pairwise([*shown, source.clock.end])}


def _encodings(source: Source, stream: VideoStream) -> Iterator[av.Packet]:
    lasting = _lasting(source)
    context = stream.codec_context
    before = -1
    reformatter = VideoReformatter()
    sides = context.width, context.height
    for frame in source.pictures():
        tick = before + 1 if frame.pts is None else frame.pts
        if tick <= before:
            continue
        turned = sides[::-1] if source.orientation.sideways else sides
        rgb = reformatter.reformat(frame, *turned, "rgb24").to_ndarray()
        picture = reformatter.reformat(
            VideoFrame.from_ndarray(source.orientation.upright(rgb), "rgb24"),
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=LIMITED,
        )
        picture.pts, picture.time_base = tick, source.clock.base
        before = tick
        yield from _timed(stream.encode(picture), lasting)
    yield from _timed(stream.encode(None), lasting)


def _timed(packets: list[av.Packet], lasting: dict[int, int]) -> list[av.Packet]:
    for packet in packets:
        packet.duration = lasting.get(packet.pts or 0, packet.duration or 0)
    return packets
