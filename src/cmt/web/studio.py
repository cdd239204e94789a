"""What the page does, without the page: look at a video, find its rhythm, make music, write it.

Everything is read from a session's folder, and written to a new one beside its files, of the names
that `cmt.web.sessions` tells; the errors name no path.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from cmt import results
from cmt.control import Control
from cmt.files import DEFAULT_CHECKPOINT, InputError, checksum
from cmt.moods import suggest
from cmt.music.vocabulary import DEFAULT_TEMPO
from cmt.rhythm import VideoRhythm, load_rhythm, save_rhythm
from cmt.sound import film
from cmt.video.analysis import Analysis, analyse
from cmt.video.events import find_events
from cmt.video.frames import VideoFrames
from cmt.video.observation import SIDE, observe
from cmt.web.sessions import read_json, write_json
from cmt.web.settings import PREVIEW, read
from cmt.web.takes import about_the_video, write_take
from cmt.web.timeline import Thumbnails, hits_of, on_grid, speed_of

if TYPE_CHECKING:
    from cmt.model.network import CMT

# Is told the share that is done, 0 … 1, the stage, and what is being done in words; what it raises
# ends the work.
Telling = Callable[[float, str, str], None]

T = TypeVar("T")

PLAYABLE = ("h264", "vp9", "libvpx-vp9", "av1", "libdav1d")  # in MP4, by browsers
TRIED_PAIRS = 8  # of frames, to estimate the time that all will take
TRIED_SECONDS = 4.0  # of music, likewise
COMPOSED = 0.7  # share of the work on takes that is done when their notes are known


class Studio:
    """A model, and what is done with it for a session.

    Args:
        ckpt: checkpoint of the model, or its folder.
        max_minutes: longer videos are refused.
        pace: seconds that composing a second of music takes; None finds it by trying, once.
    """

    def __init__(
        self,
        ckpt: Path = DEFAULT_CHECKPOINT,
        max_minutes: float = math.inf,
        pace: float | None = None,
    ) -> None:
        self.ckpt = ckpt
        self.max_minutes = max_minutes
        self.pace = pace

    @cached_property
    def model(self) -> CMT:
        """The model, on a GPU if there is one."""
        import torch

        from cmt.model import checkpoint

        return checkpoint.load(self.ckpt, "cuda" if torch.cuda.is_available() else "cpu")[0]

    @cached_property
    def weights(self) -> str:
        """Checksum of the model's file."""
        from cmt.model import stored

        return checksum(stored.find(self.ckpt))

    def do(self, order: dict[str, Any], tell: Telling) -> Any:
        """Carry out an order: its `kind` is one of the methods here.

        Raises:
            InputError: what is asked for cannot be.
        """
        new = Path(order["new"])
        folder = new.parent
        if order["kind"] == "open":
            return self.open(folder, new, order["name"], tell)
        if order["kind"] == "analyse":
            return self.analyse(folder, new, tell)
        return self.compose(folder, new, order["asked"], tell)

    def open(self, folder: Path, new: Path, name: str, tell: Telling) -> dict[str, Any]:
        """Look at the video of a session, which takes a second or two.

        Returns:
            What `clip.json` says: `name`, `duration` in seconds as far as the file tells,
            `has_sound`, and the seconds that `analysing` and `composing` a take will take, about,
            and both, `estimate_s`.

        Raises:
            FieldError: it is no video, or longer than allowed.
        """
        path = folder / "video"
        tell(0.1, "looking", "Looking at the video.")
        with about_the_video(path):
            frames = VideoFrames(path)
            duration = frames.duration
            self._check(duration)
            has_sound = film.has_sound(path)
            began = time.perf_counter()
            tried = observe(islice(frames.timed(SIDE), TRIED_PAIRS + 1), frames.fps).speed
            pair = (time.perf_counter() - began) / max(len(tried), 1)
        tell(0.5, "looking", "Looking at the video.")
        analysing = pair * (frames.expected or 0)
        composing = self._seconds_per_second() * duration
        clip = {
            "name": name,
            "duration": duration,
            "has_sound": has_sound,
            "analysing": analysing,
            "composing": composing,
            "estimate_s": analysing + composing,
        }
        write_json(new / "clip.json", clip)
        return clip

    def _check(self, seconds: float) -> None:
        if seconds > 60 * self.max_minutes:
            raise InputError(
                f"This video is longer than {self.max_minutes:g} minutes, the most that is taken"
                " here (--max_minutes); cut it, please"
            )

    def _seconds_per_second(self) -> float:
        """Seconds that composing a second of music takes."""
        if self.pace is None:
            from cmt.compose import Settings, compose

            rhythm = VideoRhythm(TRIED_SECONDS, DEFAULT_TEMPO, (), (1.0,))
            began = time.perf_counter()
            compose(self.model, Control.of(rhythm), Settings())
            self.pace = (time.perf_counter() - began) / TRIED_SECONDS
        return self.pace

    def analyse(self, folder: Path, new: Path, tell: Telling) -> None:
        """Find the rhythm of a session's video, and what the page draws of it.

        Raises:
            FieldError: it can no longer be read, or turns out to be longer than allowed.
        """
        path = folder / "video"
        with about_the_video(path):
            frames = VideoFrames(path)
            playable = frames.codec in PLAYABLE
            watched = 0.95 if playable else 0.6
            strip = Thumbnails(frames.duration)

            def watch(frames: VideoFrames, pictures: Iterable[T]) -> Iterator[T]:
                for number, picture in enumerate(pictures):
                    share = min(number / (frames.expected or math.inf), 1)
                    tell(watched * share, "watching", "Watching how the picture moves.")
                    self._check(number / frames.fps)
                    strip.add(*picture)  # type: ignore[misc]
                    yield picture
                tell(watched, "watching", "Finding scenes, cuts and the tempo.")

            found = analyse(frames, watch=watch)
            if not playable:
                total = frames.expected or math.inf
                for count in frames.write_copy(new / "playable.mp4"):
                    share = watched + (1 - watched) * min(count / total, 1)
                    tell(share, "watching", "Making a copy that browsers can play.")
        hits = hits_of(found.rhythm, find_events(found.seen)) if found.seen else []
        save_rhythm(new / "rhythm.json", found.rhythm)
        timeline = {
            "duration": found.rhythm.duration,
            **on_grid(found.rhythm, hits),
            "speed": speed_of(found.curves),
            "thumbnails": strip.write(new / "thumbnails.jpg"),
            "suggested": _suggested(found),
            "problems": found.problems,
        }
        write_json(new / "timeline.json", timeline)

    def compose(self, folder: Path, new: Path, content: dict[str, Any], tell: Telling) -> None:
        """Make music for a session's video: the takes, from the best.

        Args:
            folder: the session's.
            new: where the takes go.
            content: what the visitor asks for, as `cmt.web.settings.read` reads it.
            tell: is told how far it is.

        Raises:
            FieldError: what is asked for cannot be, or the video can no longer be read.
        """
        from cmt.compose import compose
        from cmt.web.asking import settings_of

        asked = read(content)
        rhythm = load_rhythm(folder / "rhythm.json")
        control = Control.of(rhythm)
        sources = results.Sources(None, control.checksum, str(self.ckpt), self.weights)
        tell(0.0, "composing", "Composing.")
        pieces = compose(
            self.model,
            control,
            settings_of(asked, control, read_json(folder / "timeline.json")["hits"]),
            lambda share: tell(COMPOSED * share, "composing", "Composing."),
            until=PREVIEW if asked.preview else math.inf,
        )
        for number, piece in enumerate(pieces, start=1):
            share = COMPOSED + (1 - COMPOSED) * (number - 1) / len(pieces)
            tell(share, "playing", f"Playing take {number} of {len(pieces)}.")
            take = new / "takes" / str(number)
            take.mkdir(parents=True)
            write_take(take, piece, sources, folder, asked, content)


def _suggested(found: Analysis) -> dict[str, Any] | None:
    """The mood that suits what was seen, and why."""
    if found.look is None:
        return None
    suggestion = suggest(found.look)
    return {"mood": suggestion.mood, "genre": None, "why": suggestion.reason}
