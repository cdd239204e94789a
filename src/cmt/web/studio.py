"""What the page does, without the page: look at a video, find its rhythm, make music, write it.

Every video has a folder of its own in a private one; nothing there is named after what a visitor
uploads, and the errors name no path.
"""

from __future__ import annotations

import math
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TypeVar

import torch

from cmt import results
from cmt.compose import Piece, Settings, compose
from cmt.control import Control
from cmt.files import DEFAULT_CHECKPOINT, InputError, checksum
from cmt.model import checkpoint
from cmt.music.vocabulary import DEFAULT_TEMPO
from cmt.rhythm import VideoRhythm
from cmt.sound import film
from cmt.video.analysis import analyse, draw
from cmt.video.frames import VideoFrames
from cmt.video.observation import SIDE, observe

# Is told the share that is done, 0 … 1, and what is being done; what it raises ends the work.
Telling = Callable[[float, str], None]

T = TypeVar("T")

PICTURE_WIDTH = 8.0  # inches of the axes: so that a page can show the picture smaller
PLAYABLE = ("h264", "vp9", "libvpx-vp9", "av1", "libdav1d")  # in MP4, by browsers
TRIED_PAIRS = 8  # of frames, to estimate the time that all will take
TRIED_SECONDS = 4.0  # of music, likewise


@dataclass(frozen=True)
class Clip:
    """A video that can be used.

    Attributes:
        path: the video, in a folder of its own.
        duration: seconds, as far as the file tells.
        has_sound: whether it has a sound of its own.
        analysing: seconds that finding its rhythm will take, about.
        composing: seconds that a take will take, about.
    """

    path: Path
    duration: float
    has_sound: bool
    analysing: float
    composing: float


@dataclass(frozen=True)
class Watched:
    """A clip whose rhythm is known.

    Attributes:
        clip: the clip.
        rhythm: its rhythm.
        picture: of the rhythm.
        playable: the video, or a copy that browsers can play.
        problems: what could not be decoded, in words.
    """

    clip: Clip
    rhythm: VideoRhythm
    picture: Path
    playable: Path
    problems: Sequence[str]


@dataclass(frozen=True)
class Result:
    """A take and the files made of it.

    `video` has the pictures as they were, `preview` as browsers can play them, often the same;
    `picture` is the piano roll.
    """

    piece: Piece
    video: Path
    preview: Path
    sound: Path
    midi: Path
    report: Path
    picture: Path


class Studio:
    """A model, and a private folder in which videos get their music.

    Args:
        folder: where the videos' folders are made.
        ckpt: checkpoint of the model, or its folder.
        max_minutes: longer videos are refused.

    Raises:
        InputError: there is no such checkpoint.
    """

    def __init__(
        self, folder: Path, ckpt: Path = DEFAULT_CHECKPOINT, max_minutes: float = math.inf
    ) -> None:
        self.folder = folder
        self.ckpt = ckpt
        self.max_minutes = max_minutes
        self.model, _ = checkpoint.load(ckpt, "cuda" if torch.cuda.is_available() else "cpu")
        self.weights = checksum(checkpoint.find(ckpt))
        self._pace: float | None = None

    def open(self, upload: str | Path) -> Clip:
        """Look at a video, which takes a second or two, and give it a folder.

        Raises:
            InputError: it is no video, or longer than allowed.
        """
        path = Path(tempfile.mkdtemp(dir=self.folder)) / "video"
        try:
            try:
                os.link(upload, path)
            except OSError:  # on another disk
                shutil.copyfile(upload, path)
            with _nameless(path):
                frames = VideoFrames(path)
                duration = (frames.expected or 0) / frames.fps
                self._check(duration)
                has_sound = film.has_sound(path)
                began = time.perf_counter()
                tried = observe(islice(frames.timed(SIDE), TRIED_PAIRS + 1), frames.fps).speed
                pair = (time.perf_counter() - began) / max(len(tried), 1)
        except BaseException:
            shutil.rmtree(path.parent)
            raise
        analysing = pair * (frames.expected or 0)
        return Clip(path, duration, has_sound, analysing, self._seconds_per_second() * duration)

    def _check(self, seconds: float) -> None:
        if seconds > 60 * self.max_minutes:
            raise InputError(
                f"This video is longer than {self.max_minutes:g} minutes, the most that is taken"
                " here (--max_minutes); cut it, please"
            )

    def _seconds_per_second(self) -> float:
        """Seconds that composing a second of music takes; found by trying, once."""
        if self._pace is None:
            rhythm = VideoRhythm(TRIED_SECONDS, DEFAULT_TEMPO, (), (1.0,))
            began = time.perf_counter()
            compose(self.model, Control.of(rhythm), Settings())
            self._pace = (time.perf_counter() - began) / TRIED_SECONDS
        return self._pace

    def analyse(self, clip: Clip, progress: Telling) -> Watched:
        """Find the rhythm of a video, and draw it.

        Raises:
            InputError: it can no longer be read, or turns out to be longer than allowed.
        """

        def watch(frames: VideoFrames, pictures: Iterable[T]) -> Iterator[T]:
            for number, picture in enumerate(pictures):
                progress(min(number / total, 1), "Watching the motion")
                self._check(number / frames.fps)
                yield picture
            progress(1, "Finding tempo and visual beats")

        with _nameless(clip.path):
            frames = VideoFrames(clip.path)
            total = frames.expected or math.inf
            found = analyse(frames, watch=watch)
            picture, playable = clip.path.with_name("rhythm.png"), clip.path
            draw(found, [picture], PICTURE_WIDTH)
            if frames.codec not in PLAYABLE:
                playable = clip.path.with_name("playable.mp4")
                for count in frames.write_copy(playable):
                    progress(min(count / total, 1), "Making a copy that browsers can play")
        return Watched(clip, found.rhythm, picture, playable, found.problems)

    def compose(
        self, analysis: Watched, settings: Settings, balance: float | None, progress: Telling
    ) -> list[Result]:
        """Make music for a video: the takes, from the best.

        Args:
            analysis: of the video.
            settings: what is asked.
            balance: gain of the music, 0 … 1, over the video's own sound; None leaves that out.
            progress: is told how far it is.

        Raises:
            InputError: the video can no longer be read.
        """
        video = analysis.clip.path
        control = Control.of(analysis.rhythm)
        sources = results.Sources(None, control.checksum, str(self.ckpt), self.weights)
        pieces = compose(
            self.model,
            control,
            replace(settings, rank=True),
            lambda share: progress(share, "Composing"),
        )
        takes = []
        with _nameless(video):
            folder = Path(tempfile.mkdtemp(dir=video.parent))
            for number, piece in enumerate(pieces, start=1):
                progress((number - 1) / len(pieces), f"Playing take {number} of {len(pieces)}")
                name = folder / f"take_{number}"
                takes.append(self._write(name, piece, sources, analysis, balance))
        return takes

    def _write(
        self,
        name: Path,
        piece: Piece,
        sources: results.Sources,
        analysis: Watched,
        balance: float | None,
    ) -> Result:
        """Write the files of a take, all called `name`."""
        video = analysis.clip.path
        midi, report, picture = results.write(
            piece,
            name.with_suffix(".mid"),
            sources,
            extra={"keep_audio": balance},
            pictures=("png",),
            width=PICTURE_WIDTH,
        )
        sound = name.with_suffix(".mp3")
        played = film.soundtrack(midi, video, keep_audio=balance)
        played.write(sound)
        result = name.with_suffix(".mp4")
        try:
            played.write(result)
        except InputError:  # a codec that MP4 cannot hold
            result = name.with_suffix(".mkv")
            played.write(result)
        preview = result
        if analysis.playable != video:
            preview = name.with_name(f"{name.name}_preview.mp4")
            played.write(preview, pictures=analysis.playable)
        return Result(piece, result, preview, sound, midi, report, picture)

    def sweep(self, age: float) -> None:
        """Remove what has not been used for `age` seconds, uploads included."""
        for entry in list(self.folder.iterdir()):
            with suppress(FileNotFoundError):  # while it is looked at
                newest = max(path.stat().st_mtime for path in (entry, *entry.rglob("*")))
                if newest < time.time() - age:
                    shutil.rmtree(entry, ignore_errors=True)


@contextmanager
def _nameless(path: Path) -> Iterator[None]:
    """Errors about `path` speak of this video."""
    try:
        yield
    except InputError as error:
        raise InputError(str(error).replace(f"{path}:", "This video:")) from error
