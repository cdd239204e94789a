"""Shots grouped to scenes: where the picture changes for good, far enough apart for music to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cmt.video.observation import Observation
from cmt.video.shots import Event, find_dissolves

SHORTEST = 6.0  # seconds of a scene: three bars or four
MELTED = 0.6  # what a dissolve changes of the picture: as much as most cuts
PACE = 0.5  # weight of a change of pace, in doublings, beside that of the picture (0 … 1)


def find_scenes(seen: Observation, speed: np.ndarray, events: Sequence[Event]) -> list[float]:
    """Seconds at which scenes begin, the first at 0.

    Of the cuts and the middles of dissolves those that change picture and pace most are taken
    first, as long as every scene lasts `SHORTEST`. `speed` (p,) is that within shots.
    """
    cuts = [event.time for event in events if event.kind == "cut"]
    picture = {cut: float(seen.change[np.searchsorted(seen.times, cut)]) for cut in cuts}
    picture |= {(start + end) / 2: MELTED for start, end in find_dissolves(seen)}
    pace = {border: _pace(seen, speed, border, list(picture)) for border in picture}
    end = float(seen.times[-1])
    borders = [0.0]
    for border in sorted(picture, key=lambda border: -picture[border] - PACE * pace[border]):
        if all(abs(border - other) >= SHORTEST for other in (*borders, end)):
            borders.append(border)
    return sorted(borders)


def _pace(seen: Observation, speed: np.ndarray, border: float, borders: Sequence[float]) -> float:
    """By how many doublings, up or down, the speed changes from shot to shot at a border."""
    before = max((other for other in borders if other < border), default=0.0)
    after = min((other for other in borders if other > border), default=float(seen.times[-1]))
    at = seen.times[seen.ends][1:]
    paces = [
        float(np.mean(speed[(at > low) & (at <= high)])) if high > low else 0.0
        for low, high in ((before, border), (border, after))
        if ((at > low) & (at <= high)).any()
    ]
    return float(abs(np.log2((paces[0] + 0.01) / (paces[1] + 0.01)))) if len(paces) == 2 else 0.0
