"""From the rhythm of a video to control words: the bridge between video and music.

A control is an int array (words, 6) in the order of `CONTROL_COLUMNS`: one bar word per bar,
which asks for a simu-note density, and one beat word per visual beat, which asks for a
simu-note strength at its tick. Source: paper section 3; original: video2metadata.py,
metadata2numpy_mix.py.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from cmt.control_table import CONTROL_COLUMNS, check_words
from cmt.files import write_together
from cmt.grid import Grid, Knot
from cmt.limits import MAX_HOURS, MOST_HOURS, check_hours
from cmt.music.vocabulary import (
    BAR,
    DEFAULT_TEMPO,
    MAX_TEMPO,
    MIN_TEMPO,
    TICKS_PER_BAR,
    TICKS_PER_BEAT,
)
from cmt.rhythm import (
    FASTEST,
    SHORTEST,
    Curves,
    VideoRhythm,
    VisualBeat,
    checked_knots,
    checked_scenes,
    is_rhythm,
    load_rhythm,
)
from cmt.untrusted import archive, naming, number, read_array, within

NO_CONTROL = "no control words", "make it with video2npz.py"
# Of an hour at the highest tempo: a word for each tick and each bar.
WORDS_AN_HOUR = 60 * MAX_TEMPO * (TICKS_PER_BEAT + 1 / 4)
FRAMES_AN_HOUR = 3600 * 240  # of a high-speed camera

# A class is the number of thresholds that a value reaches. Both tables are the original's:
# quantiles of its videos matched to quantiles of its music.
DENSITY_THRESHOLDS = (  # mean flow of a bar, px/frame at 360 px height
    0.008169269189238548,
    0.020344337448477745,
    0.02979462407529354,
    0.041041795164346695,
    0.07087484002113342,
    0.10512548685073853,
    0.14267262816429138,
    0.19095642864704132,
    0.5155120491981506,
    0.7514784336090088,
    0.9989343285560608,
    1.2067525386810303,
    1.6322582960128784,
    2.031705141067505,
    2.467430591583252,
    2.8104422092437744,
)
# What is seen is measured in heights a second. With so much of the original's flow for one of
# these, bars of 57 clips ask for 10 onsets in the mean (songs' have 11), and takes that follow them
# have as many notes a bar as songs.
PIXELS = 8.0  # px/frame
# Onsets asked of a bar with and without motion at least, and by how many two bars of a scene may
# differ at most: real music changes less from bar to bar than motion does.
MOVING, STILL, STEP = 4, 2, 4
# Notes of a visual beat whose event is weakest and strongest: what players make sound like music.
WEAKEST, STRONGEST = 2, 6
STRENGTH_THRESHOLDS = (  # weight of a visual beat
    0.0,
    0.22890276357193542,
    0.4838207191278801,
    0.7870981363596372,
    0.891160136856027,
    0.9645568135300789,
    0.991241869205911,
    0.9978208223154553,
    0.9996656159745393,
    0.9998905521344276,
)


@dataclass(frozen=True)
class Control:
    """What a video asks of its music.

    Attributes:
        words: (words, 6) control words.
        tempo: BPM that they were made for; None where an older file does not tell it.
        duration: seconds of the video; None likewise.
        knots: of the grid that they were made for.
        seconds: (words,) when each bar begins and each visual beat is seen; None where only its
            tick is known.
        scenes: the first bar of each; none where they are not known.
    """

    words: np.ndarray
    tempo: float | None
    duration: float | None
    knots: tuple[Knot, ...] = ()
    seconds: np.ndarray | None = None
    scenes: tuple[int, ...] = ()

    @classmethod
    def of(cls, rhythm: VideoRhythm) -> Control:
        """What the rhythm of a video asks of its music."""
        words = control_words(rhythm)
        if not rhythm.scenes:  # the original's, whose visual beats are known by their ticks
            return cls(words, rhythm.tempo, rhythm.duration, rhythm.knots)
        seen = iter(sorted(rhythm.vbeats, key=lambda beat: beat.bar))
        seconds = np.array(
            [
                float(rhythm.grid.seconds(tick)) if beat == BAR else next(seen).start_time
                for beat, tick in words[:, [0, 3]].tolist()
            ]
        )
        return cls(words, rhythm.tempo, rhythm.duration, rhythm.knots, seconds, rhythm.scenes)

    @property
    def grid(self) -> Grid:
        """The second of each tick; at the default tempo where that is not known."""
        return Grid(self.tempo or DEFAULT_TEMPO, self.knots)

    @property
    def n_beat(self) -> int:
        """Ticks that begin before the video ends."""
        return int(self.words[0, CONTROL_COLUMNS.index("n_beat")])

    @property
    def beats(self) -> NDArray[np.bool_]:
        """Which words (words,) are visual beats."""
        return np.asarray(self.words[:, CONTROL_COLUMNS.index("beat")] != BAR)

    @property
    def times(self) -> NDArray[np.float64]:
        """When bars and visual beats (words,) are seen; where that is not known, on their ticks."""
        if self.seconds is not None:
            return self.seconds
        return self.grid.seconds(self.words[:, CONTROL_COLUMNS.index("i_beat")])

    @property
    def end(self) -> int:
        """Whole ticks in the video, where its music ends; at least one."""
        if self.tempo is None or self.duration is None:
            return self.n_beat
        # What ends with the video, but for rounding, is inside.
        return max(1, self.grid.whole(self.duration))

    def until(self, seconds: float) -> Control:
        """What the first seconds ask of theirs, on the same ticks."""
        if seconds >= (self.duration or math.inf):
            return self
        n_beat = self.grid.begun(seconds)
        kept = self.words[:, CONTROL_COLUMNS.index("i_beat")] < n_beat
        return replace(
            self,
            words=placed(self.words[kept, :4].tolist(), n_beat),
            duration=seconds,
            seconds=None if self.seconds is None else self.seconds[kept],
            scenes=tuple(bar for bar in self.scenes if bar * TICKS_PER_BAR < n_beat),
        )

    @property
    def checksum(self) -> str:
        """SHA-256, in hexadecimal, of what music is made from."""
        content: list[Any] = [self.words.tolist(), self.tempo, self.duration]
        if self.knots:
            content.append([(knot.tick, knot.second) for knot in self.knots])
        if self.seconds is not None:
            content.append([self.seconds.tolist(), self.scenes])
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def control_words(rhythm: VideoRhythm) -> np.ndarray:
    """The control words of a video, int64 (words, 6).

    There is a word for every bar up to the video's last tick, and further where the rhythm
    has flow or visual beats there (the original's bars can outlast the video by rounding).
    Bars past the end of the flow ask for the density of its last bar; no flow counts as 0.
    """
    published = not rhythm.scenes
    speeds = rhythm.flow_magnitude_per_bar or (0.0,)
    densities = _published_densities(speeds) if published else _densities(speeds, rhythm.scenes)
    strengths = _published_strengths(rhythm.vbeats) if published else _strengths(rhythm.vbeats)
    beats: dict[int, list[tuple[VisualBeat, int]]] = {}
    for beat, strength in zip(rhythm.vbeats, strengths, strict=True):
        beats.setdefault(beat.bar, []).append((beat, strength))
    bars = max(len(densities), rhythm.n_bars, *(bar + 1 for bar in beats))

    words = []
    for bar in range(bars):
        density = densities[min(bar, len(densities) - 1)]
        words.append((BAR, density + 1, 0, bar * TICKS_PER_BAR))
        for beat, strength in beats.get(bar, ()):
            words.append((beat.tick + 1, 0, strength, beat.i_beat))
    return placed(words, rhythm.n_beat)


def _published_densities(speeds: Sequence[float]) -> list[int]:
    """Onset positions of bars by the original's thresholds of their speeds, px/frame."""
    return [_classify(speed, DENSITY_THRESHOLDS) for speed in speeds]


def _published_strengths(beats: Sequence[VisualBeat]) -> list[int]:
    """Notes of visual beats by the original's thresholds, of saliency."""
    return [_classify(beat.weight, STRENGTH_THRESHOLDS) for beat in beats]


def _densities(speeds: Sequence[float], scenes: Sequence[int]) -> list[int]:
    """Onset positions of bars by their speeds, heights a second, smoothed within scenes."""
    classes = np.array(_published_densities([PIXELS * speed for speed in speeds]))
    result: list[int] = []
    for scene in np.split(classes, scenes[1:]):
        if not len(scene):
            continue
        around = np.convolve(np.pad(scene, 1, mode="edge"), (0.25, 0.5, 0.25), "valid")
        least = MOVING if scene.any() else STILL
        for index, density in enumerate(np.maximum(np.rint(around).astype(int), least).tolist()):
            before = result[-1] if index else density
            result.append(min(max(density, before - STEP), before + STEP))
    return result


def _strengths(beats: Sequence[VisualBeat]) -> list[int]:
    """Notes of visual beats by the weights of their events, 0 … 1, and the room around them.

    Who has to strike every beat does not fill both hands each time: the less time there is to the
    nearest visual beat of no less weight, up to a bar, the fewer notes are asked.
    """
    ticks = np.array([beat.i_beat for beat in beats])
    weights = np.array([beat.weight for beat in beats])
    room = np.full(len(beats), TICKS_PER_BAR)
    for places in range(1, min(len(beats), TICKS_PER_BAR + 1)):
        apart = np.abs(ticks[places:] - ticks[:-places])
        for own, other in (
            (slice(places, None), slice(-places)),
            (slice(-places), slice(places, None)),
        ):
            rival = weights[other] >= weights[own]
            room[own] = np.where(rival, np.minimum(room[own], apart), room[own])
    share = np.minimum(weights, 1) * room / TICKS_PER_BAR
    return [WEAKEST + round(notes) for notes in (share * (STRONGEST - WEAKEST)).tolist()]


def placed(words: Sequence[tuple[int, int, int, int]], n_beat: int) -> np.ndarray:
    """Control words (words, 6) from (beat, density, strength, i_beat) of a song of n_beat ticks."""
    return np.array(
        [(*word, n_beat, round(word[-1] / n_beat * 100) + 1) for word in words], dtype=np.int64
    )


def _classify(value: float, thresholds: Sequence[float]) -> int:
    return int(np.searchsorted(thresholds, value, side="right"))


def save_control(path: str | Path, control: Control, curves: Curves | None = None) -> None:
    """Write what `to_npz` makes.

    Raises:
        InputError: the folder cannot be written to.
    """
    write_together({Path(path): to_npz(control, curves)})


def to_npz(control: Control, curves: Curves | None = None) -> bytes:
    """An npz of control words, tempo (BPM) and duration (s): `input`, `tempo`, `duration`.

    Where the grid is no constant one it also holds its `knots` (knots, 2), ticks and seconds; where
    they are known, the `seconds` of the words and `scenes`; of `curves`, `fps`, `speed`,
    `saliency` and `unit`.
    """
    content = {
        "input": control.words,
        "tempo": control.tempo,
        "duration": control.duration,
        "seconds": control.seconds,
        "knots": [(knot.tick, knot.second) for knot in control.knots] or None,
        "scenes": control.scenes or None,
        **(vars(curves) if curves else {}),
    }
    known: dict[str, Any] = {name: value for name, value in content.items() if value is not None}
    file = io.BytesIO()
    np.savez_compressed(file, **known)
    return file.getvalue()


def load_curves(path: str | Path, max_hours: float = MAX_HOURS) -> Curves | None:
    """The curves in an npz of control words; None if it holds none, as the original's.

    Args:
        path: the file.
        max_hours: how long the video may last.

    Raises:
        InputError: the file is missing or no npz, or has values that no video has.
    """
    with naming(path, *NO_CONTROL), archive(path) as data:
        if "saliency.npy" not in data.namelist():
            return None
        unit = str(read_array(data, "unit", "U", (), 64)) if _has(data, "unit") else Curves.unit
        fps = number(float(read_array(data, "fps", "f", (), 8)), "fps", 0.01, 1000)
        speed, saliency = (
            read_array(data, name, "f", (None,), round(max_hours * FRAMES_AN_HOUR) * 8)
            for name in ("speed", "saliency")
        )
        for name, curve in (("speed", speed), ("saliency", saliency)):
            within(curve, name, 0, FASTEST)
        return Curves(fps, speed, saliency, unit)


def load_control(path: str | Path, max_hours: float = MAX_HOURS) -> Control:
    """Read control words from npz, ours or the original's.

    The original's holds `input` alone: tempo and duration then come from NAME.json or
    metadata.json beside it, if that has as many ticks as the words say.

    Args:
        path: the file.
        max_hours: how long the video may last.

    Raises:
        InputError: the file is missing, holds no control words, or has values that no video has.
    """
    path = Path(path)
    with naming(path, *NO_CONTROL), archive(path) as data:
        control = _of_arrays(data, max_hours, path)
    if control.tempo is None or control.duration is None:
        for beside in (path.with_suffix(".json"), path.with_name("metadata.json")):
            if not (beside.is_file() and is_rhythm(beside)):
                continue
            rhythm = load_rhythm(beside, max_hours)
            if rhythm.n_beat == control.n_beat:
                return replace(control, tempo=rhythm.tempo, duration=rhythm.duration)
    return control


def _of_arrays(data: ZipFile, max_hours: float, path: Path) -> Control:
    """What the arrays of the npz of a video ask for that lasts so many hours at most.

    Raises:
        TooMuch: it lasts longer.
        KeyError, ValueError: there is no `input`, or it is no control; see `check_words`.
    """
    most = round(max_hours * WORDS_AN_HOUR) * 8  # bytes of a column
    words = read_array(data, "input", "iu", (None, len(CONTROL_COLUMNS)), 6 * most)
    check_words(words)
    words = words.astype(np.int64)
    bars = int(np.count_nonzero(words[:, 0] == BAR))
    tempo, duration = (
        number(float(read_array(data, name, "fiu", (), 8)), name, low, high)
        if _has(data, name)
        else None
        for name, low, high in (
            ("tempo", MIN_TEMPO, MAX_TEMPO),
            ("duration", SHORTEST, 3600 * MOST_HOURS),
        )
    )
    check_hours(duration or 0, max_hours, path)
    seconds = scenes = None
    knots: list[list[float]] = []
    if _has(data, "seconds"):
        seconds = read_array(data, "seconds", "fiu", (len(words),), most).astype(float)
        within(seconds, "seconds", 0, 3600 * max_hours)
    if _has(data, "knots"):
        knots = read_array(data, "knots", "fiu", (None, 2), 2 * most).tolist()
    if _has(data, "scenes"):
        scenes = read_array(data, "scenes", "iu", (None,), most).tolist()
    control = Control(
        words,
        tempo,
        duration,
        checked_knots([(tick, second) for tick, second in knots], max_hours),
        seconds,
        checked_scenes(scenes or [], bars),
    )
    if tempo and duration and abs(control.grid.begun(duration) - control.n_beat) > TICKS_PER_BAR:
        raise ValueError(
            f"n_beat is {control.n_beat}, and {duration:g} s at {tempo:g} BPM have"
            f" {control.grid.begun(duration)} ticks"
        )
    return control


def _has(data: ZipFile, name: str) -> bool:
    return f"{name}.npy" in data.namelist()
