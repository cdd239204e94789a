"""Gray frames of a video at a constant rate, decoded as they are read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from cmt.files import InputError, replacing

HEIGHT = 360  # pixels; flow is measured, and its thresholds were calibrated, at this height
MAX_RATE = 240  # frames per second; a higher rate is a clock's, not a camera's
DEFAULT_RATE = 30  # frames per second, where the file tells none that can be


class VideoFrames:
    """The frames of a video file; iterating decodes it, again each time.

    Frames are uint8 (360, width), full-range gray, upright, the width in proportion and even.
    They come at the file's average rate: time stamps say which picture is shown i / fps seconds
    after the first, so a picture of a variable-rate video is held (the same array again) or
    dropped as needed, and the last one counts for as long as it is shown.

    Attributes:
        path: the file.
        fps: frames per second.
        width: of the upright picture as stored, in pixels.
        height: likewise.
        codec: of the pictures, as FFmpeg calls it.
        expected: number of frames the file promises, None if it tells no duration.
        problems: after iterating, what could not be decoded, in words; empty if all could.

    Raises:
        InputError: the file is missing, is no video, or nothing in it can be decoded.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.problems: list[str] = []
        with self._open() as (container, stream):
            self.codec = stream.codec_context.name
            rate = stream.average_rate or stream.guessed_rate or 0
            self.fps = float(rate if 0 < rate <= MAX_RATE else DEFAULT_RATE)
            if stream.duration and stream.time_base:
                seconds = float(stream.duration * stream.time_base)
            else:
                seconds = (container.duration or 0) / av.time_base
            self.expected = round(seconds * self.fps) if seconds > 0 else None
            first = next(self._decode(container, stream), None)
        if first is None:
            raise InputError(
                f"{self.path}: no picture in it can be decoded (cut off or damaged);"
                " copy or export it again"
            )
        self._quarter_turns = round(first.rotation / 90) % 4  # counter-clockwise
        sides = first.width, first.height
        self.width, self.height = sides[::-1] if self._quarter_turns % 2 else sides

    def __iter__(self) -> Iterator[np.ndarray]:
        self.problems = []
        reformatter = VideoReformatter()
        count = 0
        with self._open() as (container, stream):
            frames = self._decode(container, stream)
            for frame, repeats in hold(frames, self.fps, self.expected):
                if repeats:
                    # By way of RGB, as in the original: its flow is met to the last bit.
                    gray = cv2.cvtColor(self._rgb(frame, reformatter), cv2.COLOR_RGB2GRAY)
                    count += repeats
                for _ in range(repeats):
                    yield gray
        if self.expected and count < self.expected - self.fps:
            self.problems.append(
                f"the picture ends after {count / self.fps:.1f} s,"
                f" the file says {self.expected / self.fps:.1f} s"
            )

    def timed(self, side: int) -> Iterator[tuple[float, np.ndarray]]:
        """Each picture once, with the seconds from the first to it, whatever the rate.

        Args:
            side: the pictures' shorter, in pixels; they are uint8 (height, width, 3), upright.

        Yields:
            Seconds, strictly ascending, and the picture shown from then on.
        """
        reformatter = VideoReformatter()
        height = max(side, 2 * round(side * self.height / self.width / 2))
        self.problems = []
        start: float | None = None
        seconds = 0.0
        with self._open() as (container, stream):
            for frame in self._decode(container, stream):
                following = seconds + 1 / self.fps
                if start is None:
                    start = frame.time or 0.0
                elif frame.time is None or frame.time - start <= seconds:  # no clock, or set back
                    seconds = following
                    start = start if frame.time is None else frame.time - seconds
                else:
                    seconds = frame.time - start
                yield seconds, self._rgb(frame, reformatter, height)

    def thumbnails(self, times: Sequence[float], height: int) -> list[np.ndarray]:
        """Pictures shown at `times` (ascending seconds), uint8 (height, width, 3), by seeking.

        A time that cannot be sought or decoded gets the picture before it, or none.
        """
        reformatter = VideoReformatter()
        pictures: list[np.ndarray] = []
        with self._open() as (container, stream):
            unit = float(stream.time_base or 1)
            start = (stream.start_time or 0) * unit
            for time in times:
                shown = None
                try:
                    container.seek(round((start + time) / unit), stream=stream)
                    for frame in container.decode(stream):
                        if shown and (frame.time or 0) > start + time:
                            break
                        shown = frame
                except av.FFmpegError:
                    pass  # what was decoded will do
                if shown:
                    pictures.append(self._rgb(shown, reformatter, height))
                elif pictures:
                    pictures.append(pictures[-1])
        return pictures

    def write_copy(self, path: str | Path, height: int = HEIGHT) -> Iterator[int]:
        """Write an upright H.264 copy without sound at the constant rate, which browsers play.

        Args:
            path: an .mp4 to write.
            height: of its pictures, in pixels.

        Yields:
            The number of frames written so far.

        Raises:
            InputError: the folder cannot be written to.
        """
        reformatter = VideoReformatter()
        rate = Fraction(self.fps).limit_denominator(1001)
        with (
            self._open() as (container, stream),
            replacing(path) as temporary,
            av.open(str(temporary), "w") as target,
        ):
            options = {"preset": "veryfast", "crf": "23"}
            encoder = target.add_stream("libx264", rate=rate, options=options)
            encoder.pix_fmt = "yuv420p"
            count = 0
            for frame, repeats in hold(self._decode(container, stream), self.fps, self.expected):
                rgb = self._rgb(frame, reformatter, height)
                encoder.height, encoder.width = rgb.shape[:2]
                for _ in range(repeats):
                    copy = VideoFrame.from_ndarray(rgb, "rgb24")
                    copy.pts, copy.time_base = count, 1 / rate
                    target.mux(encoder.encode(copy))
                    count += 1
                yield count
            target.mux(encoder.encode(None))

    @contextmanager
    def _open(self) -> Iterator[tuple[InputContainer, VideoStream]]:
        try:
            # An absolute name can't be read as a protocol, whatever colons it has.
            container = av.open(str(self.path.absolute()))
        except (av.FFmpegError, OSError) as error:
            raise InputError(
                f"{self.path}: cannot be opened as a video ({error.strerror});"
                " give a whole video file, such as mp4, mov, mkv, webm or avi"
            ) from error
        with container:
            # FFmpeg also opens pictures, and plain text (as "tty"), as video; music has covers.
            name = container.format.name
            if not (name.startswith("image2") or name.endswith("_pipe") or name == "tty"):
                for stream in container.streams.video:
                    if not stream.disposition & Disposition.attached_pic:
                        stream.thread_type = "AUTO"
                        yield container, stream
                        return
            raise InputError(f"{self.path}: has no moving picture; give a video file")

    def _decode(self, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
        """Yield every frame that can be decoded, in the order shown."""
        # AVI has no time stamps, and those that FFmpeg makes up are in the order of decoding.
        untimed = container.format.name == "avi"
        damaged = 0
        packets = container.demux(stream)
        while True:
            try:
                frames = next(packets).decode()
            except StopIteration:
                break
            except av.FFmpegError:
                damaged += 1
                continue
            for frame in frames:
                damaged += frame.is_corrupt
                if untimed:
                    frame.pts = None
                yield frame
        if damaged:
            self.problems.append(f"damaged pictures: {damaged}")

    def _rgb(
        self, frame: VideoFrame, reformatter: VideoReformatter, height: int = HEIGHT
    ) -> np.ndarray:
        """The upright picture, uint8 (height, width, 3)."""
        width = max(2, 2 * round(height * self.width / self.height / 2))
        if self._quarter_turns % 2:
            width, height = height, width
        rgb = reformatter.reformat(frame, width, height, "rgb24", interpolation="AREA")
        return np.ascontiguousarray(np.rot90(rgb.to_ndarray(), self._quarter_turns))


def hold(
    frames: Iterable[VideoFrame], fps: float, expected: int | None = None
) -> Iterator[tuple[VideoFrame, int]]:
    """Pair each frame with the number of times it is shown at a constant rate.

    A frame without a time stamp, or whose clock was set back, follows the one before. The last
    one is shown for its duration, but not past the `expected` number of frames in all.
    """
    held = None
    slot = 0  # of the held frame
    start = 0.0  # seconds
    for frame in frames:
        if held is None:
            start = frame.time or 0.0
        else:
            following = slot + 1
            if frame.time is not None:
                following = _nearest((frame.time - start) * fps)
                if following < slot:
                    following = slot + 1
                    start = frame.time - following / fps
            yield held, following - slot
            slot = following
        held = frame
    if held is not None:
        end = slot + 1
        if held.time is not None and held.duration and held.time_base:
            end = _nearest((held.time + float(held.duration * held.time_base) - start) * fps)
        if expected and expected >= slot:
            end = min(end, expected)
        yield held, max(end - slot, slot == 0)


def _nearest(value: float) -> int:
    """The nearest integer, halves upwards: unlike `round`, the same for every second of time."""
    return math.floor(value + 0.5)
