"""How fast it goes in a video, in heights a second: the speed within its shots, and its cuts."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from cmt.grid import Grid
from cmt.music.vocabulary import TICKS_PER_BAR
from cmt.video.observation import OVER, Observation
from cmt.video.shots import find_cuts, find_flashes

CUT = 0.1  # heights: what the flow sees in a cut, about, whatever the rate


def speed_within_shots(seen: Observation) -> np.ndarray:
    """(p,) The speed at each pair of pictures; across cuts and flashes from that on both sides."""
    cuts = find_cuts(seen)
    sudden = np.concatenate([cuts, find_flashes(seen, cuts)])
    known = np.ones(len(seen.speed), bool)
    reach = math.ceil((OVER * seen.rate + 1) / 2)  # pairs whose average has that one in it
    for pair in (np.searchsorted(seen.ends, sudden) - 1).tolist():
        known[max(0, pair - reach) : pair + reach + 1] = False
    if not known.any():
        return np.asarray(seen.speed)
    places = np.arange(len(known))
    return np.interp(places, places[known], seen.speed[known])


def speed_per_bar(
    seen: Observation, speed: np.ndarray, cuts: Sequence[float], grid: Grid, bars: int
) -> tuple[float, ...]:
    """Mean speed of each bar, 0 where there is no picture.

    Args:
        seen: the video.
        speed: (p,) within its shots, counted by the time between two pictures.
        cuts: their seconds; each is worth `CUT`, so that stills in quick succession are fast.
        grid: the second of each tick.
        bars: how many.
    """
    at = seen.times[seen.ends]
    length = np.diff(at)
    bar = (grid.ticks((at[1:] + at[:-1]) / 2) // TICKS_PER_BAR).astype(int)
    inside = (bar >= 0) & (bar < bars)
    way = np.bincount(bar[inside], (speed * length)[inside], bars)
    time = np.bincount(bar[inside], length[inside], bars)
    # A cut is at a bar line where it is a beginning, but for rounding.
    begun = (grid.ticks(np.asarray(cuts, float)) + 0.5) // TICKS_PER_BAR
    way = way + CUT * np.bincount(begun[begun < bars].astype(int), minlength=bars)
    return tuple((way / np.maximum(time, 1 / seen.rate)).tolist())
