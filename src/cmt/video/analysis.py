"""A video → its rhythm: the whole step, and the files that it leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from tqdm import tqdm

from cmt.control import Control, to_npz
from cmt.files import write_together
from cmt.media.source import VideoFile
from cmt.rhythm import Curves, VideoRhythm, to_json
from cmt.video.flow import FlowMethod, measure_motion
from cmt.video.frames import VideoFrames
from cmt.video.look import Look, look_of
from cmt.video.observation import SIDE, Observation, observe
from cmt.video.original import find_rhythm, saliency
from cmt.video.seen import find_rhythm as seen_rhythm
from cmt.video.speed import speed_within_shots

if TYPE_CHECKING:
    from cmt.plots import Video


T = TypeVar("T")


@dataclass(frozen=True)
class Analysis:
    """What was found in a video.

    Attributes:
        frames: the video, to take pictures from.
        rhythm: what music is made from.
        curves: how it moves, to look at.
        problems: what could not be decoded, in words.
        seen: what was seen, picture by picture; None of the published analysis.
    """

    frames: VideoFrames
    rhythm: VideoRhythm
    curves: Curves
    problems: tuple[str, ...]
    seen: Observation | None = None

    def __str__(self) -> str:
        """On one line."""
        frames, rhythm = self.frames, self.rhythm
        return (
            f"{frames.path.name}: {rhythm.duration:.2f} s, {frames.width}x{frames.height} at"
            f" {frames.fps:.4g} fps, tempo {rhythm.tempo:.1f} BPM, {rhythm.n_bars} bars,"
            f" {len(rhythm.vbeats)} visual beats"
        )

    @property
    def control(self) -> Control:
        """What the video asks of its music."""
        return Control.of(self.rhythm)

    @property
    def look(self) -> Look | None:
        """Its light, colour and pace; None of the published analysis."""
        return None if self.seen is None else look_of(self.seen, self.curves.speed, self.rhythm)


# Passes all pictures of a video on, such as through a progress bar; what it raises ends the work.
Watch = Callable[[VideoFrames, Iterable[T]], Iterable[T]]


def _silently(frames: VideoFrames, pictures: Iterable[T]) -> Iterable[T]:
    return pictures


def analyse(
    video: VideoFile | VideoFrames,
    *,
    hit: bool | None = None,
    key_frames: Sequence[float] = (),
    watch: Watch = _silently,
) -> Analysis:
    """Find what is seen in a video, and a rhythm that meets it, in one pass over its pictures.

    Args:
        video: the file, it as a source, or its frames.
        hit: see `cmt.video.seen.find_rhythm`.
        key_frames: seconds that must be met, from an editor.
        watch: passes the pictures on.

    Raises:
        InputError: the file is missing, is no video, or nothing in it can be decoded.
    """
    frames = video if isinstance(video, VideoFrames) else VideoFrames(video)
    seen = observe(watch(frames, frames.timed(SIDE)), frames.rate)
    curves = Curves(round(seen.rate, 6), speed_within_shots(seen), np.zeros(0), "heights/s")
    rhythm = seen_rhythm(seen, frames.duration, hit, key_frames)
    return Analysis(frames, rhythm, curves, tuple(frames.problems), seen)


def analyse_as_published(
    video: VideoFile | VideoFrames,
    flow: FlowMethod = "exact",
    resolution: int = 1,
    watch: Watch = _silently,
) -> Analysis:
    """Find tempo, visual beats and speed per bar of a video as the original does.

    Args:
        video: the file, it as a source, or its frames.
        flow: see `cmt.video.flow.measure_motion`.
        resolution: see `cmt.video.original.find_rhythm`.
        watch: passes the pictures on.

    Raises:
        InputError: the file is missing, is no video, or nothing in it can be decoded.
    """
    frames = video if isinstance(video, VideoFrames) else VideoFrames(video)
    motion = measure_motion(watch(frames, frames), frames.fps, flow)
    curves = Curves(frames.fps, motion.speed, saliency(motion))
    return Analysis(frames, find_rhythm(motion, resolution), curves, tuple(frames.problems))


def progress_bar(frames: VideoFrames, pictures: Iterable[T]) -> Iterable[T]:
    """All pictures, under a progress bar where there is a terminal."""
    name = frames.path.name
    return tqdm(pictures, name, frames.expected, unit="frame", leave=False, disable=None)


def thumbnails(
    frames: VideoFrames, duration: float, width: float | None = None
) -> list[np.ndarray]:
    """Pictures from the middles of equal parts of a video (seconds), as many as fill a strip.

    Args:
        frames: the video.
        duration: its seconds.
        width: of the strip, inches; None is that of plots.
    """
    from cmt.plots import DOTS, STRIP, WIDTH  # matplotlib takes a second

    width = width or WIDTH
    count = int(np.clip(round(width / (STRIP * frames.width / frames.height)), 4, 16))
    times = (np.arange(count) + 0.5) * duration / count
    return frames.thumbnails(times.tolist(), height=round(STRIP * DOTS))


def panels(analysis: Analysis, width: float | None = None) -> Video:
    """What is drawn of a video, with thumbnails for axes of a width in inches.

    Raises:
        InputError: the video can no longer be read.
    """
    from cmt.plots import Video

    shown = thumbnails(analysis.frames, analysis.rhythm.duration, width)
    return Video(analysis.rhythm, analysis.curves, shown)


def draw(analysis: Analysis, pictures: Sequence[Path], width: float | None = None) -> None:
    """Draw the rhythm of a video; see `panels` and `cmt.plots.plot`."""
    from cmt.plots import WIDTH, plot

    plot(pictures, panels(analysis, width), width=width or WIDTH)


def write(analysis: Analysis, npz: Path, formats: Sequence[str] = ()) -> list[Path]:
    """Write NAME.npz (control words and curves), NAME.json (the rhythm), NAME_rhythm.png ….

    Args:
        analysis: of the video.
        npz: the first of the files; the others are named after it.
        formats: of the pictures, among `cmt.files.PICTURES`; none are drawn by default.

    Returns:
        The files.

    Raises:
        InputError: the folder cannot be written to, or the video can no longer be read.
    """
    rhythm, control = analysis.rhythm, analysis.control
    beside = npz.with_suffix(".json")
    write_together({npz: to_npz(control, analysis.curves), beside: to_json(rhythm)})
    pictures = [npz.with_name(f"{npz.stem}_rhythm.{kind}") for kind in formats]
    if pictures:
        draw(analysis, pictures)
    return [npz, beside, *pictures]
