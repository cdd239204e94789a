"""Shots grouped to scenes: where the picture changes for good, far enough apart for music to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cmt.video.observation import Observation
from cmt.video.shots import Event

SHORTEST = 6.0  # seconds of a scene: three bars or four
PACE = 0.5  # weight of a change of pace, in doublings, beside that of the picture (0 … 1)


def find_scenes(seen: Observation, speed: np.ndarray, events: Sequence[Event]) -> list[float]:
    """Seconds at which scenes begin, the first at 0.

    Of the cuts those that change picture and pace most are taken first, as long as every scene
    lasts `SHORTEST`. `speed` (p,) is that within shots.
    """
    cuts = [event.time for event in events if event.kind == "cut"]
    change = {cut: _change(seen, speed, cut, cuts) for cut in cuts}
    end = float(seen.times[-1])
    borders = [0.0]
    for cut in sorted(cuts, key=lambda cut: -change[cut]):
        if all(abs(cut - border) >= SHORTEST for border in (*borders, end)):
            borders.append(cut)
    return sorted(borders)


def _change(seen: Observation, speed: np.ndarray, cut: float, cuts: Sequence[float]) -> float:
    """How much picture and pace change at a cut."""
    picture = float(seen.change[np.searchsorted(seen.times, cut)])
    before = max((other for other in cuts if other < cut), default=0.0)
    after = min((other for other in cuts if other > cut), default=float(seen.times[-1]))
    at = seen.times[seen.ends][1:]
    paces = [
        float(np.mean(speed[(at > low) & (at <= high)])) if high > low else 0.0
        for low, high in ((before, cut), (cut, after))
        if ((at > low) & (at <= high)).any()
    ]
    pace = abs(np.log2((paces[0] + 0.01) / (paces[1] + 0.01))) if len(paces) == 2 else 0.0
    return picture + PACE * float(pace)
