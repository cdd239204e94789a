"""From the rhythm of a video to control words: the bridge between video and music.

A control is an int array (words, 6) in the order of `CONTROL_COLUMNS`: one bar word per bar,
which asks for a simu-note density, and one beat word per visual beat, which asks for a
simu-note strength at its tick. Source: paper section 3; original: video2metadata.py,
metadata2numpy_mix.py.
"""

from __future__ import annotations

import hashlib
import json
import math
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from cmt.files import InputError, replacing
from cmt.music.vocabulary import (
    BAR,
    BEATS_PER_BAR,
    DEFAULT_TEMPO,
    TICKS_PER_BAR,
    seconds_to_ticks,
    tick_seconds,
)

CONTROL_COLUMNS = ("beat", "density", "strength", "i_beat", "n_beat", "p_beat")

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
    flow_magnitude_per_bar: tuple[float, ...]  # px/frame at 360 px height

    @property
    def n_beat(self) -> int:
        """Ticks that begin before the video ends."""
        return ticks_in(self.duration, self.tempo)

    @property
    def n_bars(self) -> int:
        """Bars that begin before the video ends."""
        return math.ceil(self.n_beat / TICKS_PER_BAR)


@dataclass(frozen=True)
class Curves:
    """How a video moves from frame to frame: to look at; music is made without it.

    Attributes:
        fps: frames per second.
        speed: (n − 1,) of each frame pair, px/frame at 360 px height.
        saliency: (n,) how suddenly motion stops, ≥ 0; 1 is its 99th percentile.
    """

    fps: float
    speed: np.ndarray
    saliency: np.ndarray


def ticks_in(seconds: float, tempo: float) -> int:
    """Ticks that begin within some seconds of music at a tempo (BPM)."""
    # What ends with a tick, but for rounding, does not begin another.
    return math.ceil(seconds_to_ticks(seconds, tempo) - 1e-6)


@dataclass(frozen=True)
class Control:
    """Control words (words, 6) with the tempo (BPM) and duration (s) they were made for.

    Tempo and duration are None where an older file does not tell them.
    """

    words: np.ndarray
    tempo: float | None
    duration: float | None

    @classmethod
    def of(cls, rhythm: VideoRhythm) -> Control:
        """What the rhythm of a video asks of its music."""
        return cls(control_words(rhythm), rhythm.tempo, rhythm.duration)

    @property
    def n_beat(self) -> int:
        """Ticks that begin before the video ends."""
        return int(self.words[0, CONTROL_COLUMNS.index("n_beat")])

    @property
    def end(self) -> int:
        """Whole ticks in the video, where its music ends; at least one."""
        if self.tempo is None or self.duration is None:
            return self.n_beat
        # What ends with the video, but for rounding, is inside.
        return max(1, int(seconds_to_ticks(self.duration, self.tempo) + 1e-6))

    @property
    def checksum(self) -> str:
        """SHA-256, in hexadecimal, of what music is made from."""
        content = (self.words.tolist(), self.tempo, self.duration)
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


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


def control_words(rhythm: VideoRhythm) -> np.ndarray:
    """The control words of a video, int64 (words, 6).

    There is a word for every bar up to the video's last tick, and further where the rhythm
    has flow or visual beats there (the original's bars can outlast the video by rounding).
    Bars past the end of the flow ask for the density of its last bar; no flow counts as 0.
    """
    flow = rhythm.flow_magnitude_per_bar or (0.0,)
    beats: dict[int, list[VisualBeat]] = {}
    for beat in rhythm.vbeats:
        beats.setdefault(beat.bar, []).append(beat)
    bars = max(len(flow), rhythm.n_bars, *(bar + 1 for bar in beats))

    words = []
    for bar in range(bars):
        density = _classify(flow[min(bar, len(flow) - 1)], DENSITY_THRESHOLDS) + 1
        words.append((BAR, density, 0, bar * TICKS_PER_BAR))
        for beat in beats.get(bar, ()):
            strength = _classify(beat.weight, STRENGTH_THRESHOLDS)
            words.append((beat.tick + 1, 0, strength, beat.i_beat))
    return _placed(words, rhythm.n_beat)


def retimed(control: Control, tempo: float | None) -> Control:
    """Place a control anew on the ticks of another tempo (BPM); seconds stay where they are.

    Visual beats go to the nearest new tick. A bar asks for the mean density of what it covers,
    weighted by time. A control that tells no tempo was made for this one, or `DEFAULT_TEMPO`.
    """
    tempo = tempo or control.tempo or DEFAULT_TEMPO
    if control.tempo is None or control.tempo == tempo:
        return replace(control, tempo=tempo)
    faster = tempo / control.tempo
    duration = control.duration or control.n_beat * tick_seconds(control.tempo)
    n_beat = ticks_in(duration, tempo)
    beat, density, strength, i_beat = control.words.T[:4]
    is_bar = beat == BAR
    # Old bars on the new ticks; the last one holds to the end.
    starts, asked = i_beat[is_bar] * faster, density[is_bar] - 1
    words = []
    for start in range(0, n_beat, TICKS_PER_BAR):
        ends = np.append(starts[1:], np.inf)
        stop = min(start + TICKS_PER_BAR, n_beat)
        covered = np.clip(np.minimum(ends, stop) - np.maximum(starts, start), 0, None)
        words.append((BAR, round(float(np.average(asked, weights=covered))) + 1, 0, start))
    for tick, notes in zip(i_beat[~is_bar].tolist(), strength[~is_bar].tolist(), strict=True):
        new = round(tick * faster)
        words.append((new % TICKS_PER_BAR + 1, 0, notes, new))
    words.sort(key=lambda word: (word[3], word[0] != BAR))
    return Control(_placed(words, n_beat), tempo, control.duration)


def _placed(words: Sequence[tuple[int, int, int, int]], n_beat: int) -> np.ndarray:
    """Complete (beat, density, strength, i_beat) by n_beat and p_beat."""
    return np.array(
        [(*word, n_beat, round(word[-1] / n_beat * 100) + 1) for word in words], dtype=np.int64
    )


def _classify(value: float, thresholds: Sequence[float]) -> int:
    return int(np.searchsorted(thresholds, value, side="right"))


def save_rhythm(path: str | Path, rhythm: VideoRhythm) -> None:
    """Write `rhythm` as JSON with the original's keys.

    Raises:
        InputError: the folder cannot be written to.
    """
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(asdict(rhythm), indent=1), encoding="utf-8")


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
        )
        if not (0 < rhythm.duration < math.inf and 0 < rhythm.tempo < math.inf):
            raise ValueError("duration and tempo must be positive")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: not the rhythm of a video ({error!r}); make it with video2npz.py"
        ) from error
    return rhythm


def save_control(
    path: str | Path,
    words: np.ndarray,
    tempo: float,
    duration: float,
    curves: Curves | None = None,
) -> None:
    """Write control words, tempo (BPM) and duration (s): npz `input`, `tempo`, `duration`.

    Of `curves` it also holds `fps`, `speed` and `saliency`.

    Raises:
        InputError: the folder cannot be written to.
    """
    drawn = vars(curves) if curves else {}
    with replacing(path) as temporary:
        np.savez_compressed(temporary, input=words, tempo=tempo, duration=duration, **drawn)


def load_curves(path: str | Path) -> Curves | None:
    """The curves in an npz of control words; None if it holds none, as the original's.

    Raises:
        InputError: the file is missing or no npz.
    """
    try:
        with np.load(path, allow_pickle=False) as data:
            if "saliency" not in data:
                return None
            return Curves(float(data["fps"]), data["speed"], data["saliency"])
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: cannot be read ({error}); make it with video2npz.py") from error


def load_control(path: str | Path) -> Control:
    """Read control words from npz, ours or the original's.

    The original's holds `input` alone: tempo and duration then come from NAME.json or
    metadata.json beside it, if that has as many ticks as the words say.

    Raises:
        InputError: the file is missing or holds no control words.
    """
    path = Path(path)
    remedy = "make it with video2npz.py"
    try:
        if path.is_file() and not zipfile.is_zipfile(path):
            raise ValueError("not an npz file")
        with np.load(path, allow_pickle=False) as data:
            words = data["input"]
            tempo, duration = (
                float(data[key]) if key in data else None for key in ("tempo", "duration")
            )
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: no control words ({error}); {remedy}") from error
    if words.ndim != 2 or words.shape[1] != len(CONTROL_COLUMNS) or words.dtype.kind not in "iu":
        raise InputError(
            f"{path}: `input` is {words.dtype} {words.shape}, not integers"
            f" (words, {len(CONTROL_COLUMNS)}); {remedy}"
        )
    if len(words) == 0 or words[0, CONTROL_COLUMNS.index("n_beat")] < 1:
        raise InputError(f"{path}: holds no bar; {remedy}")
    control = Control(words, tempo, duration)
    if tempo is None or duration is None:
        for beside in (path.with_suffix(".json"), path.with_name("metadata.json")):
            try:
                rhythm = load_rhythm(beside)
            except InputError:
                continue
            if rhythm.n_beat == control.n_beat:
                return replace(control, tempo=rhythm.tempo, duration=rhythm.duration)
    return control
