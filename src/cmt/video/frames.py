"""Gray frames of a video at a constant rate, decoded as they are read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from cmt.files import replacing
from cmt.media.source import MAX_RATE, VideoFile, source_of

HEIGHT = 360  # pixels; flow is measured, and its thresholds were calibrated, at this height
LONGEST = 2560  # pixels: a strip of pictures beside each other has 7 times its height


class VideoFrames:
    """The frames of a video file; iterating decodes it, again each time.

    Frames are uint8 (360, width), full-range gray, upright, the width in proportion (up to
    `LONGEST`) and even. They come at the file's average rate: time stamps say which picture is
    shown i / fps seconds after the first, so a picture of a variable-rate video is held (the same
    array again) or dropped as needed, and the last one counts for as long as it is shown.

    Attributes:
        path: the file.
        fps: frames per second, on average.
        rate: pictures a second, as a rule: where one is held for long, more than on average.
        duration: seconds from the first picture shown to the end of the last.
        width: of the upright picture as stored, in pixels.
        height: likewise.
        codec: of the pictures, as FFmpeg calls it.
        expected: number of frames.
        problems: after iterating, what could not be decoded, in words; empty if all could.

    Args:
        path: the file, or it as a source.

    Raises:
        InputError: the file is missing, is no video, or nothing in it can be decoded.
    """

    def __init__(self, path: VideoFile) -> None:
        self._source = source_of(path)
        self.path = self._source.path
        self.problems: list[str] = []
        self.codec = self._source.codec
        self.fps = float(self._source.rate)
        self.rate = min(self._source.clock.rate, float(MAX_RATE))
        self.duration = self._source.clock.duration
        self.expected = max(1, round(self.duration * self.fps))
        self.width, self.height = self._source.width, self._source.height

    def __iter__(self) -> Iterator[np.ndarray]:
        reformatter = VideoReformatter()
        count = 0
        for frame, repeats in hold(self._source.pictures(), self.fps, self.expected):
            if repeats:
                # By way of RGB, as in the original: its flow is met to the last bit.
                gray = cv2.cvtColor(self._rgb(frame, reformatter), cv2.COLOR_RGB2GRAY)
                count += repeats
            for _ in range(repeats):
                yield gray
        self._notice(count / self.fps)

    def timed(self, side: int) -> Iterator[tuple[float, np.ndarray]]:
        """Each picture once, with the seconds from the first to it, whatever the rate.

        Args:
            side: the pictures' shorter, in pixels; they are uint8 (height, width, 3), upright.

        Yields:
            Seconds, strictly ascending, and the picture shown from then on.
        """
        reformatter = VideoReformatter()
        height = max(side, 2 * round(side * self.height / self.width / 2))
        seconds = -1 / self.rate
        for frame in self._source.pictures():
            following = seconds + 1 / self.rate
            seconds = following if frame.time is None or frame.time <= seconds else frame.time
            yield seconds, self._rgb(frame, reformatter, height)
        self._notice(seconds + 1 / self.rate)

    def _notice(self, ended: float) -> None:
        """Note what was wrong with the pictures read, which ended after so many seconds."""
        self.problems = [*self._source.problems]
        declared = self._source.declared
        if declared and not self._source.clock.closed and ended < declared - 1:
            self.problems.append(
                f"the picture ends after {ended:.1f} s, the file says {declared:.1f} s"
            )

    def thumbnails(self, times: Sequence[float], height: int) -> list[np.ndarray]:
        """Pictures shown at `times` (ascending seconds), uint8 (height, width, 3), by seeking.

        A time that cannot be sought or decoded gets the picture before it, or none.
        """
        reformatter = VideoReformatter()
        pictures: list[np.ndarray] = []
        for shown in self._source.at(times):
            if shown is not None:
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
            replacing(path) as temporary,
            av.open(str(temporary), "w") as target,
        ):
            options = {"preset": "veryfast", "crf": "23"}
            encoder = target.add_stream("libx264", rate=rate, options=options)
            encoder.pix_fmt = "yuv420p"
            count = 0
            for frame, repeats in hold(self._source.pictures(), self.fps, self.expected):
                rgb = self._rgb(frame, reformatter, height)
                encoder.height, encoder.width = rgb.shape[:2]
                for _ in range(repeats):
                    copy = VideoFrame.from_ndarray(rgb, "rgb24")
                    copy.pts, copy.time_base = count, 1 / rate
                    target.mux(encoder.encode(copy))
                    count += 1
                yield count
            target.mux(encoder.encode(None))

    def _rgb(
        self, frame: VideoFrame, reformatter: VideoReformatter, height: int = HEIGHT
    ) -> np.ndarray:
        """The upright picture, uint8 (height, width, 3); of a strip of one, no side is long."""
        width = max(2, 2 * round(height * self.width / self.height / 2))
        width, height = min(width, LONGEST), min(height, LONGEST)
        orientation = self._source.orientation
        if orientation.sideways:
            width, height = height, width
        rgb = reformatter.reformat(frame, width, height, "rgb24", interpolation="AREA")
        return orientation.upright(rgb.to_ndarray())


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
