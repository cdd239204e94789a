"""What the page draws over its time axis, as JSON has it: of a video, and of a take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cmt.control import Control
from cmt.form import Form
from cmt.grid import Grid
from cmt.moods import MOODS
from cmt.music.chords import HALVES, write_loops
from cmt.music.midi import load_score
from cmt.music.vocabulary import TICKS_PER_BAR, TICKS_PER_BEAT
from cmt.retiming import retimed
from cmt.rhythm import Curves, VideoRhythm
from cmt.video.shots import Event
from cmt.web.settings import Parts

PICTURES = 48  # thumbnails of a video, about
HEIGHT = 72  # pixels of each
QUALITY = 80  # of the JPEG, in percent
POINTS = 600  # of the curve of speed, at most


class Thumbnails:
    """Pictures at equal distances, kept while all of a video pass by.

    Args:
        duration: seconds of the video; None where it is not known.
    """

    def __init__(self, duration: float | None) -> None:
        self._apart = duration / PICTURES if duration else 1.0
        self._times: list[float] = []
        self._pictures: list[np.ndarray] = []

    def add(self, time: float, picture: np.ndarray) -> None:
        """See a picture, uint8 (height, width, 3)."""
        if self._times and time < self._times[-1] + self._apart - 1e-6:
            return
        width = max(1, round(HEIGHT * picture.shape[1] / picture.shape[0]))
        self._times.append(time)
        self._pictures.append(cv2.resize(picture, (width, HEIGHT), interpolation=cv2.INTER_AREA))
        if len(self._times) > 2 * PICTURES:
            self._times, self._pictures = self._times[::2], self._pictures[::2]
            self._apart *= 2

    def write(self, path: Path) -> dict[str, Any]:
        """Write them beside each other as JPEG; their times, and the size of each."""
        strip = cv2.cvtColor(np.concatenate(self._pictures, axis=1), cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(path), strip, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        height, width = self._pictures[0].shape[:2]
        return {
            "times": [round(time, 3) for time in self._times],
            "width": width,
            "height": height,
        }


def hits_of(rhythm: VideoRhythm, events: Sequence[Event]) -> list[dict[str, Any]]:
    """The visual beats of a video, each with what is seen."""
    kinds = {event.time: event.kind for event in events}
    return [
        {
            "id": number,
            "second": beat.start_time,
            "tick": beat.i_beat,
            "kind": kinds.get(beat.start_time, "cut"),
            "strength": beat.weight,
        }
        for number, beat in enumerate(rhythm.vbeats)
    ]


def speed_of(curves: Curves) -> list[tuple[float, float]]:
    """How fast a video goes, (second, heights a second), the means of equal parts."""
    if not len(curves.speed):
        return []
    step = -(-len(curves.speed) // POINTS)
    starts = np.arange(0, len(curves.speed), step)
    means = np.add.reduceat(curves.speed, starts) / np.diff([*starts, len(curves.speed)])
    return [
        (round(float((start + step / 2) / curves.fps), 3), round(float(mean), 4))
        for start, mean in zip(starts, means, strict=True)
    ]


def on_grid(
    rhythm: VideoRhythm,
    hits: Sequence[Mapping[str, Any]],
    tempo: float | None = None,
    mood: str | None = None,
) -> dict[str, Any]:
    """What of a timeline depends on the tempo (BPM; None is that of the mood, or the video's)."""
    control = Control.of(rhythm)
    if tempo is None and mood is not None:
        tempo = MOODS[mood].tempo_for(control)
    if tempo is not None:
        control = retimed(control, tempo)
    grid, duration = control.grid, rhythm.duration
    bars = bars_of(control)
    starts = control.scenes or (0,)
    ends = [*(bars[min(bar, len(bars) - 1)] for bar in starts[1:]), duration]
    return {
        "tempo": grid.tempo,
        "octaves": [rhythm.tempo / 2, rhythm.tempo, rhythm.tempo * 2],
        "beats": _seconds(grid, np.arange(0, control.end, TICKS_PER_BEAT)),
        "bars": bars,
        "scenes": [
            {"bar": bar, "start": bars[min(bar, len(bars) - 1)], "end": end}
            for bar, end in zip(starts, ends, strict=True)
        ],
        "hits": [{**hit, "tick": round(float(grid.ticks(hit["second"])))} for hit in hits],
    }


def bars_of(control: Control) -> list[float]:
    """The second at which each bar begins that music for this has."""
    return _seconds(control.grid, np.arange(0, control.end, TICKS_PER_BAR))


def heard_of(
    hits: Sequence[Mapping[str, Any]],
    asked: Parts,
    beats: Sequence[Mapping[str, Any]],
    end: float,
) -> list[dict[str, Any]]:
    """The moments that a piece was to meet, each with what is seen and when it is heard.

    Args:
        hits: of the video.
        asked: which of them, and which besides.
        beats: of the piece, from `cmt.results.visual_beats`; what is not among them is not heard.
        end: of the piece, seconds.
    """
    heard = {round(beat["seen"], 6): beat["heard"] for beat in beats if beat["seen"] is not None}
    moments = [
        (hit["second"], hit["kind"])
        for hit in hits
        if asked.kept is None or hit["id"] in asked.kept
    ]
    moments += [(hit.second, "added") for hit in asked.added]
    return [
        {"second": second, "heard": heard.get(round(second, 6)), "kind": kind}
        for second, kind in sorted(moments)
        if second < end
    ]


def notes_of(midi: Path) -> list[tuple[float, float, int, str]]:
    """The notes of a MIDI file of ours: start and end in seconds, pitch, instrument."""
    score: Any = load_score(midi).to("second")
    return sorted(
        (round(note.time, 4), round(note.time + note.duration, 4), note.pitch, track.name)
        for track in score.tracks
        for note in track.notes
    )


def sections_of(form: Form | None, grid: Grid, end: float) -> list[dict[str, Any]]:
    """The sections of a piece, in bars (from 0) and seconds, with their chords."""
    if form is None:
        return []
    chords = tuple(zip(form.chords[::HALVES], form.chords[1::HALVES], strict=True))
    result = []
    for section in form.sections:
        bars = slice(section.start, section.start + section.bars)
        start, stop = _seconds(grid, np.array([bars.start, bars.stop]) * TICKS_PER_BAR)
        result.append(
            {
                "name": str(section),
                "bar": section.start,
                "start": start,
                "end": min(stop, end),
                "chords": write_loops([chords[bars]], form.key),
            }
        )
    return result


def _seconds(grid: Grid, ticks: np.ndarray) -> list[float]:
    return [round(float(second), 4) for second in grid.seconds(ticks)]
