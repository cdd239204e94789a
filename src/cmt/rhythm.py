"""What a video has that music follows: tempo, visual beats, speed; and its JSON.

Source: paper section 3; original: video2metadata.py.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from cmt.files import InputError, write_together
from cmt.grid import Grid, Knot
from cmt.music.vocabulary import BEATS_PER_BAR, TICKS_PER_BAR, seconds_to_ticks


@dataclass(frozen=True)
class VisualBeat:
    """One visual beat: when it is (seconds), where in the music, and how strong (weight ≤ 1)."""

    start_time: float
    bar: int
    tick: int  # in the bar
    weight: float

    @property
    def i_beat(self) -> int:
        """Absolute tick."""
        return self.bar * TICKS_PER_BAR + self.tick


@dataclass(frozen=True)
class VideoRhythm:
    """What the music is made from; the keys of the original's metadata.json."""

    duration: float  # seconds
    tempo: float  # beats per minute
    vbeats: tuple[VisualBeat, ...]
    flow_magnitude_per_bar: tuple[float, ...]  # as `Curves.unit`
    knots: tuple[Knot, ...] = ()  # of the grid
    scenes: tuple[int, ...] = ()  # the first bar of each; none where they were not looked for

    @property
    def grid(self) -> Grid:
        """The second of each tick."""
        return Grid(self.tempo, self.knots)

    @property
    def n_beat(self) -> int:
        """Ticks that begin before the video ends."""
        return self.grid.begun(self.duration)

    @property
    def n_bars(self) -> int:
        """Bars that begin before the video ends."""
        return math.ceil(self.n_beat / TICKS_PER_BAR)

    def until(self, seconds: float) -> VideoRhythm:
        """The rhythm of the first seconds."""
        if seconds >= self.duration:
            return self
        bars = math.ceil(self.grid.begun(seconds) / TICKS_PER_BAR)
        return replace(
            self,
            duration=seconds,
            vbeats=tuple(beat for beat in self.vbeats if beat.start_time < seconds),
            flow_magnitude_per_bar=self.flow_magnitude_per_bar[:bars],
            scenes=tuple(bar for bar in self.scenes if bar < bars),
        )


@dataclass(frozen=True)
class Curves:
    """How a video moves from frame to frame: to look at; music is made without it.

    Attributes:
        fps: frames per second.
        speed: (n − 1,) of each frame pair, in `unit`.
        saliency: (n,) how suddenly motion stops, ≥ 0; 1 is its 99th percentile. Empty where events
            were looked for.
        unit: px/frame at 360 px height, or heights/s.
    """

    fps: float
    speed: np.ndarray
    saliency: np.ndarray
    unit: str = "px/frame"


def place_visual_beats(
    times: np.ndarray, weights: np.ndarray, tempo: float, resolution: int = 1
) -> tuple[VisualBeat, ...]:
    """Put visual beats on the nearest tick; keep those on ticks divisible by `resolution`.

    Args:
        times: (beats,) seconds, ascending.
        weights: (beats,) saliency.
        tempo: beats per minute.
        resolution: 1 keeps every tick, 2 eighths, 4 quarters.
    """
    placed = []
    for time, weight in zip(times.tolist(), weights.tolist(), strict=True):
        bar, tick = divmod(round(seconds_to_ticks(time, tempo)), TICKS_PER_BAR)
        if tick % resolution == 0:
            placed.append(VisualBeat(time, bar, tick, weight))
    return tuple(placed)


def mean_per_bar(speed: np.ndarray, fps: float, tempo: float) -> tuple[float, ...]:
    """Mean of `speed` (frame pairs,) over bars; the last may be short.

    A bar is a whole number of frames at the rounded frame rate, as in the original.
    """
    length = max(1, round(round(fps) * 60 * BEATS_PER_BAR / tempo))
    return tuple(
        float(speed[start : start + length].mean()) for start in range(0, len(speed), length)
    )


def save_rhythm(path: str | Path, rhythm: VideoRhythm) -> None:
    """Write what `to_json` makes.

    Raises:
        InputError: the folder cannot be written to.
    """
    write_together({Path(path): to_json(rhythm)})


def to_json(rhythm: VideoRhythm) -> bytes:
    """JSON with the original's keys."""
    content = asdict(rhythm)
    for name in ("knots", "scenes"):  # which the original's JSON has not
        if not content[name]:
            del content[name]
    return json.dumps(content, indent=1).encode()


def load_rhythm(path: str | Path) -> VideoRhythm:
    """Read a rhythm from JSON, ours or the original's metadata.json.

    Raises:
        InputError: the file is missing or is no such JSON.
    """
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
        rhythm = VideoRhythm(
            duration=float(data["duration"]),
            tempo=float(data["tempo"]),
            vbeats=tuple(
                VisualBeat(
                    float(beat["start_time"]),
                    int(beat["bar"]),
                    int(beat["tick"]),
                    float(beat["weight"]),
                )
                for beat in data["vbeats"]
            ),
            flow_magnitude_per_bar=tuple(map(float, data["flow_magnitude_per_bar"])),
            knots=tuple(
                Knot(int(knot["tick"]), float(knot["second"])) for knot in data.get("knots", ())
            ),
            scenes=tuple(map(int, data.get("scenes", ()))),
        )
        if not (0 < rhythm.duration < math.inf and 0 < rhythm.tempo < math.inf):
            raise ValueError("duration and tempo must be positive")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: not the rhythm of a video ({error!r}); make it with video2npz.py"
        ) from error
    return rhythm
