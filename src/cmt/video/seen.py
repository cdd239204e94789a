"""The rhythm of a video as it is seen: events, their tempo, a grid that meets them, scenes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cmt.grid import MET, Grid, Mark, bent, best_bent, on_beats, shifted
from cmt.music.vocabulary import TICKS_PER_BAR
from cmt.rhythm import VideoRhythm, VisualBeat
from cmt.video.events import find_events
from cmt.video.observation import Observation
from cmt.video.scenes import find_scenes
from cmt.video.shots import Event
from cmt.video.speed import speed_per_bar, speed_within_shots
from cmt.video.tempo import Tempo, find_tempo

SURE = 0.4  # confidence in the tempo of the events, from which on the grid keeps to it
TEMPI = tuple(np.arange(84.0, 133.0, 2.0).tolist())  # BPM, where the grid's sake alone decides
APART = 0.1  # seconds: what is nearer to a key frame is the same event


def find_rhythm(
    seen: Observation,
    duration: float,
    hit: bool | None = None,
    key_frames: Sequence[float] = (),
) -> VideoRhythm:
    """Tempo, visual beats, speed per bar (heights a second) and scenes of what was seen.

    Args:
        seen: the video.
        duration: its seconds.
        hit: whether the tempo bends so that events are met exactly; None bends it where there are
            key frames, or the events keep to no steady tempo.
        key_frames: seconds that must be met, from an editor.
    """
    wanted = [Event(time, "cut", 1.0) for time in key_frames if 0 <= time < duration]
    found = [e for e in find_events(seen) if all(abs(e.time - w.time) > APART for w in wanted)]
    events = sorted([*found, *wanted], key=lambda event: event.time)
    speed = speed_within_shots(seen)
    borders = find_scenes(seen, speed, events)
    tempo = find_tempo(events)
    marks = [Mark(event.time, event.weight, event.time in borders) for event in events]
    if hit is None:
        steady = shifted(tempo.tempo, tempo.first).meets(marks) >= MET
        hit = bool(wanted) or tempo.confidence < SURE or not steady
    if hit:
        grid = _bent(marks, tempo)
    else:
        grid = on_beats(tempo.tempo, tempo.first, [event.time for event in events])
    cuts = [event.time for event in events if event.kind == "cut"]
    bars = {round(float(grid.ticks(border)) / TICKS_PER_BAR) for border in borders}
    rhythm = VideoRhythm(duration, grid.tempo, _placed(events, grid, duration), (), grid.knots)
    return replace(
        rhythm,
        flow_magnitude_per_bar=speed_per_bar(seen, speed, cuts, grid, rhythm.n_bars),
        scenes=tuple(sorted(bar for bar in bars if bar < rhythm.n_bars)),
    )


def _bent(marks: Sequence[Mark], tempo: Tempo) -> Grid:
    """A grid that meets events, about their tempo if they are sure of one."""
    if tempo.confidence >= SURE or not marks:
        return bent(tempo.tempo, marks)[0]
    return best_bent(TEMPI, marks)


def _placed(events: Sequence[Event], grid: Grid, duration: float) -> tuple[VisualBeat, ...]:
    """Events on the nearest ticks; of several on one tick the weightiest stays."""
    on_tick: dict[int, Event] = {}
    for event in events:
        tick = round(float(grid.ticks(event.time)))
        if event.time < duration and (tick not in on_tick or event.weight > on_tick[tick].weight):
            on_tick[tick] = event
    return tuple(
        VisualBeat(event.time, *divmod(tick, TICKS_PER_BAR), event.weight)
        for tick, event in sorted(on_tick.items())
    )
