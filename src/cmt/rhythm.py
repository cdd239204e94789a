"""What a video has that music follows: tempo, visual beats, speed; and its JSON.

Source: paper section 3; original: video2metadata.py.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cmt.files import write_together
from cmt.grid import Grid, Knot
from cmt.limits import MAX_HOURS, MOST_HOURS, check_hours
from cmt.music.vocabulary import (
    BEATS_PER_BAR,
    MAX_TEMPO,
    MIN_TEMPO,
    TICKS_PER_BAR,
    TICKS_PER_BEAT,
    seconds_to_ticks,
)
from cmt.untrusted import items, naming, number, read_json, whole

SHORTEST = 1e-3  # seconds of a video: a picture at 1,000 a second
HEAVIEST = 1e3  # of visual beats, which are 0 … 1 but for what analyses differ in
FASTEST = 1e4  # of the speeds, px/frame or heights/s: what crosses the picture in each frame


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


def load_rhythm(path: str | Path, max_hours: float = MAX_HOURS) -> VideoRhythm:
    """Read a rhythm from JSON, ours or the original's metadata.json.

    Args:
        path: the file.
        max_hours: how long the video may last.

    Raises:
        InputError: the file is missing or is no such JSON, or has a value that no video has.
    """
    with naming(path, "not the rhythm of a video", "make it with video2npz.py"):
        return _of_json(read_json(path, max_hours), max_hours, path)


def is_rhythm(path: str | Path) -> bool:
    """Whether a JSON file is meant to be one: it tells a duration and a tempo.

    Raises:
        InputError: it is no JSON.
    """
    with naming(path, "damaged", "remove it, or make it again with video2npz.py"):
        content = read_json(path)
    return isinstance(content, dict) and {"duration", "tempo"} <= content.keys()


def _of_json(content: Any, max_hours: float, path: str | Path) -> VideoRhythm:
    """The rhythm that the JSON of a file tells.

    Raises:
        TooMuch: it lasts longer.
        ValueError: it is none, or a value is outside its range.
    """
    if not isinstance(content, dict):
        raise ValueError("no object")
    duration = number(content.get("duration"), "duration", SHORTEST, 3600 * MOST_HOURS)
    check_hours(duration, max_hours, path)
    tempo = number(content.get("tempo"), "tempo", MIN_TEMPO, MAX_TEMPO)
    speeds = items(content.get("flow_magnitude_per_bar"), "flow_magnitude_per_bar")
    # The original's bars can outlast the video by rounding.
    bars = max(len(speeds), math.ceil(seconds_to_ticks(duration, tempo) / TICKS_PER_BAR)) + 1
    if len(speeds) > most_bars(duration):
        raise ValueError(f"flow_magnitude_per_bar has {len(speeds)} bars, {duration:g} s have not")
    return VideoRhythm(
        duration=duration,
        tempo=tempo,
        vbeats=tuple(
            VisualBeat(
                number(_of(beat, "start_time"), f"vbeats[{index}].start_time", 0, 3600 * max_hours),
                whole(_of(beat, "bar"), f"vbeats[{index}].bar", 0, bars),
                whole(_of(beat, "tick"), f"vbeats[{index}].tick", 0, TICKS_PER_BAR - 1),
                number(_of(beat, "weight"), f"vbeats[{index}].weight", 0, HEAVIEST),
            )
            for index, beat in enumerate(items(content.get("vbeats"), "vbeats"))
        ),
        flow_magnitude_per_bar=tuple(
            number(speed, f"flow_magnitude_per_bar[{index}]", 0, FASTEST)
            for index, speed in enumerate(speeds)
        ),
        knots=checked_knots(
            [
                (_of(knot, "tick"), _of(knot, "second"))
                for knot in items(content.get("knots", []), "knots")
            ],
            max_hours,
        ),
        scenes=checked_scenes(items(content.get("scenes", []), "scenes"), bars),
    )


def _of(value: object, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def most_bars(duration: float) -> float:
    """Bars that a video of so many seconds may have: at the highest tempo, and some more."""
    return duration * MAX_TEMPO / 60 / BEATS_PER_BAR + 2


def checked_knots(pairs: Sequence[tuple[Any, Any]], max_hours: float) -> tuple[Knot, ...]:
    """The knots of a file of a video that lasts so many hours at most.

    Raises:
        ValueError: they are no grid: not from (0, 0) on, not ascending, or of no tempo of music.
    """
    longest = 3600 * max_hours
    most = int(longest * MAX_TEMPO / 60 * TICKS_PER_BEAT)
    knots = tuple(
        Knot(
            whole(tick, f"knots[{index}].tick", 0, most),
            float(number(second, f"knots[{index}].second", 0, longest)),
        )
        for index, (tick, second) in enumerate(pairs)
    )
    if knots and knots[0] != Knot(0, 0.0):
        raise ValueError(f"knots[0] is {knots[0].tick}, {knots[0].second:g}, not 0, 0")
    for index, (before, after) in enumerate(itertools.pairwise(knots), start=1):
        ticks, seconds = after.tick - before.tick, after.second - before.second
        # One tick may last half as long as others, or one and a half times.
        if ticks < 1 or not MIN_TEMPO / 2 <= ticks / max(seconds, 1e-9) * 15 <= MAX_TEMPO * 2:
            raise ValueError(f"knots[{index}] is {ticks} ticks and {seconds:g} s after the last")
    return knots


def checked_scenes(bars: Sequence[Any], end: int) -> tuple[int, ...]:
    """First bars of scenes, of a file.

    Raises:
        ValueError: they do not ascend from 0 on, or there is no such bar.
    """
    scenes = tuple(whole(bar, f"scenes[{index}]", 0, end) for index, bar in enumerate(bars))
    if scenes and (scenes[0] != 0 or any(a >= b for a, b in itertools.pairwise(scenes))):
        raise ValueError("scenes do not ascend from 0 on")
    return scenes
