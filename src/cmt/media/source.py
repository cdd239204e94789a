"""A video file: the pictures and the sound in it that players show by default, and their clock.

All that reads a video reads it here, so that the analysis, the copy of its pictures and its own
sound are of the same streams, on the same clock, and what FFmpeg says against it is one line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
from av.container import InputContainer
from av.format import Flags
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from cmt.files import InputError
from cmt.limits import TooMuch, VideoLimits, check_hours
from cmt.media.clock import Clock, Stamps
from cmt.media.container import is_media, opened, sound_of, without_pictures
from cmt.media.orientation import Orientation

NOT_SHOWN = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
DURATION_TAG = re.compile(r"(\d\d):(\d\d):(\d\d(?:\.\d+)?)")
MAX_RATE = 240  # pictures a second; a higher rate is a clock's, not a camera's
DEFAULT_RATE = Fraction(30)  # pictures a second, where the file tells none that can be
USUAL = VideoLimits()
LARGE = 2**23  # pixels: of larger ones a decoder works on one at a time


class Source:
    """A video that can be shown.

    Attributes:
        path: the file.
        codec: of the pictures, as FFmpeg calls it, whatever decodes it.
        rate: pictures a second on average, as the file says.
        declared: seconds that the file says its pictures last; None if it says nothing.
        width: of the upright picture as stored, in pixels.
        height: likewise.
        orientation: of the pictures.
        delay: pictures that a decoder keeps back, to put them in order.
        has_sound: whether there is a sound that can be decoded.
        clock: when the pictures are shown.
        problems: what could not be read or decoded when the pictures were last read, in words.

    Args:
        path: the file.
        limits: what is taken.

    Raises:
        InputError: the file is missing, is no video, or nothing in it can be decoded; its pictures
            are larger or last longer than that.
    """

    def __init__(self, path: str | Path, limits: VideoLimits = USUAL) -> None:
        self.path = Path(path)
        self.problems: list[str] = []
        self._max_pixels = limits.pixels
        with self.open() as (container, video):
            self.codec = video.codec_context.codec.canonical_name
            self.delay = video.codec_context.reorder_depth
            self.has_sound = sound_of(container) is not None
            rate = video.average_rate or video.guessed_rate or Fraction(0)
            stamps = self._stamps(container, video)
            if stamps.missing:  # the average is a guess of FFmpeg's
                rate = video.guessed_rate or rate
            self.rate = rate if 0 < rate <= MAX_RATE else DEFAULT_RATE
            self.declared = _declared(container, video)
            sent = Flags.ts_discont in Flags(container.format.flags)
            end = _declared_end(container, video, len(stamps.pts))
        if stamps.missing or stamps.of_decoding:
            stamps = stamps.ordered(self._ranks(), self.rate)
        clock = Clock.of(stamps, sent, end)
        first = next(self._decoded(clock), None)
        if first is None:
            raise InputError(
                f"{self.path}: no picture in it can be decoded (cut off or damaged);"
                " copy or export it again"
            )
        self.clock = clock.beginning(first.pts or 0)
        check_hours(self.clock.duration, limits.hours, self.path)
        self.orientation = Orientation.of(first)
        sides = first.width, first.height
        self.width, self.height = sides[::-1] if self.orientation.sideways else sides

    @contextmanager
    def open(self) -> Iterator[tuple[InputContainer, VideoStream]]:
        """The open file, and its pictures.

        Raises:
            InputError: as above; and what FFmpeg raises within.
        """
        give = "give a whole video file, such as mp4, mov, mkv, webm or avi"
        with opened(self.path, "a video", give, max_pixels=str(self._max_pixels)) as container:
            yield container, self._video_of(container)

    def packets(self) -> Iterator[av.Packet]:
        """Packets of the pictures, on `clock`, in the file's order; those without a time, too."""
        with self.open() as (container, video):
            yield from self._timed(container, video, self.clock)

    def pictures(self) -> Iterator[VideoFrame]:
        """Every picture that can be decoded and is shown, on `clock`, in the order shown."""
        clock = self.clock
        self.problems = []
        if clock.closed:
            self.problems.append(f"its clock leaps by {clock.closed:.0f} s, which was closed")
        for frame in self._decoded(clock):
            if frame.pts is None or frame.pts >= 0:
                if frame.pts == clock.last:
                    frame.duration = clock.end - clock.last
                yield frame

    def at(self, times: Sequence[float]) -> Iterator[VideoFrame | None]:
        """The pictures shown at ascending times, in seconds; None where none can be decoded.

        By seeking; where the file's own clock cannot be sought, the whole is decoded.
        """
        clock = self.clock
        if not clock.sought:
            yield from _last_before(self.pictures(), times)
            return
        first = int(clock.pieces[0, 2])
        with self.open() as (container, video):
            for time in times:
                tick = first + round(time / float(clock.base))
                shown = None
                with suppress(av.FFmpegError):  # what was decoded will do
                    container.seek(tick, stream=video)
                    for frame in container.decode(video):
                        if shown and (frame.pts or 0) > tick:
                            break
                        shown = frame
                yield shown

    def _video_of(self, container: InputContainer) -> VideoStream:
        streams = [s for s in container.streams.video if not s.disposition & NOT_SHOWN]
        if not is_media(container) or not streams:
            raise InputError(f"{self.path}: {without_pictures(self.path)}")
        video = max(streams, key=_prominence)
        context = video.codec_context
        if context is None:
            raise InputError(
                f"{self.path}: its pictures are coded in a way that FFmpeg does not know;"
                " convert it to H.264"
            )
        pixels = context.width * context.height
        if pixels > self._max_pixels:
            raise TooMuch(
                f"{self.path}: its pictures have {context.width}x{context.height} pixels, more"
                f" than the {self._max_pixels:,} that are taken; scale it down",
                "--max-pixels",
            )
        context.options = {"max_pixels": str(self._max_pixels)}
        video.thread_type = "AUTO" if pixels < LARGE else "SLICE"
        return video

    def _stamps(self, container: InputContainer, video: VideoStream) -> Stamps:
        # AVI stores stamps of decoding only; others are made up of them.
        stamps = Stamps(
            video.time_base or Fraction(1, av.time_base),
            of_decoding=self.delay > 0 and container.format.name == "avi",
            delay=self.delay,
        )
        for packet in self.read(container, video):
            stamps.add(packet.pts, packet.dts, packet.duration, packet.is_discard)
        if not stamps.pts:
            raise InputError(f"{self.path}: has no frames (cut off or damaged); give a video")
        return stamps

    def _ranks(self) -> list[int | None]:
        """Of each packet's picture the place in the order shown; None of one that gives none."""
        with self.open() as (container, video):
            count = sum(1 for _ in self.read(container, video))
        unordered = Clock.unordered(count)
        ranks: list[int | None] = [None] * count
        for rank, frame in enumerate(self._decoded(unordered)):
            if frame.pts is not None and 0 <= frame.pts < count:
                ranks[frame.pts] = rank
        return ranks

    def read(self, container: InputContainer, stream: Stream) -> Iterator[av.Packet]:
        """Packets of a stream, as far as the file can be read; without the one that ends it."""
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.FFmpegError as error:
                self.problems.append(f"cannot be read to its end ({error.strerror or error})")
                return
            if packet.size:
                yield packet

    def _timed(
        self, container: InputContainer, video: VideoStream, clock: Clock
    ) -> Iterator[av.Packet]:
        for packet, tick, lost in zip(
            self.read(container, video), clock.ticks.tolist(), clock.lost.tolist(), strict=False
        ):
            packet.time_base = clock.base
            packet.pts, packet.dts = None if lost else tick, None
            yield packet

    def _decoded(self, clock: Clock) -> Iterator[VideoFrame]:
        """Every frame that can be decoded, in the order shown."""
        damaged = 0
        with self.open() as (container, video):
            packets = self._timed(container, video, clock)
            while True:
                packet = next(packets, None)  # None ends the stream
                try:
                    frames = video.codec_context.decode(packet)
                except av.FFmpegError:
                    damaged += 1
                    frames = []
                for frame in frames:
                    damaged += frame.is_corrupt
                    frame.time_base = clock.base
                    yield frame
                if packet is None:
                    break
        if damaged:
            self.problems.append(f"damaged pictures: {damaged}")


VideoFile = str | Path | Source


def source_of(video: VideoFile) -> Source:
    """The video of a file, read once for all who ask until the file changes.

    Args:
        video: the file; or a source, which is given back.

    Raises:
        InputError: as `Source`, of its usual limits.
    """
    if isinstance(video, Source):
        return video
    path = Path(video)
    try:
        status = path.stat()
    except OSError:
        return Source(path)  # which says what is wrong
    return _known(path, (status.st_ino, status.st_size, status.st_mtime_ns))


@lru_cache(maxsize=4)
def _known(path: Path, status: tuple[int, int, int]) -> Source:
    return Source(path)


def _last_before(
    pictures: Iterator[VideoFrame], times: Sequence[float]
) -> Iterator[VideoFrame | None]:
    shown, following = None, next(pictures, None)
    for time in times:
        while following is not None and (shown is None or (following.time or 0) <= time):
            shown, following = following, next(pictures, None)
        yield shown


def _prominence(stream: VideoStream) -> tuple[bool, bool, int]:
    """Of several streams the one shown has the most of it, and is the first of those."""
    context = stream.codec_context
    pixels = context.width * context.height if context else 0
    return context is not None, bool(stream.disposition & Disposition.default), pixels


def _declared(container: InputContainer, video: VideoStream) -> float | None:
    """Seconds that a file says its pictures last; None if it says nothing.

    Matroska and WebM tell it of the whole, from 0 s on, and in a tag of each stream, maybe.
    """
    base = float(video.time_base or 0)
    if video.duration:
        return video.duration * base
    end = (container.duration or 0) / av.time_base
    if tag := DURATION_TAG.match(video.metadata.get("DURATION", "")):
        hours, minutes, seconds = map(float, tag.groups())
        end = 3600 * hours + 60 * minutes + seconds
    elif sound_of(container):  # which may last longer
        return None
    return max(0.0, end - (video.start_time or 0) * base) or None


def _declared_end(container: InputContainer, video: VideoStream, packets: int) -> float:
    """Seconds at which the pictures end, where the whole file says it of them; else 0.

    MP4 and MOV tell how long the last picture is shown, where pictures are reordered, in the
    length of the whole alone.
    """
    if not container.format.name.startswith("mov") or video.frames != packets:
        return 0.0
    whole = (container.duration or 0) / av.time_base
    others = [
        float((stream.start_time or 0) + stream.duration) * float(stream.time_base or 0)
        for stream in container.streams
        if stream is not video and stream.duration
    ]
    return whole if whole > max(others, default=0.0) + 0.01 else 0.0
