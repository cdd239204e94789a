"""The second at which every tick falls: at a constant tempo, shifted, or bent to meet events.

Music and picture move together only where ticks fall on what is seen. A constant grid from 0 s
moves an event by up to half a tick; a shifted one has its ticks, and rather its beats, where a
rhythmic video has its events; a bent one changes the tempo a little from event to event, so that
each is met exactly.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cmt.music.vocabulary import (
    TICKS_PER_BAR,
    TICKS_PER_BEAT,
    seconds_to_ticks,
    tick_seconds,
)

MAX_BEND = 0.07  # share of the tempo by which it may change: hardly heard
BEAT_BEND = 0.03  # up to which an event is rather put on a beat than on another sixteenth
SHORTEST_BEAT = 0.6  # beats that the first beat may last at least
REACH = TICKS_PER_BAR  # ticks by which a bent grid may run ahead of the tempo, or behind it
SKIPS = 4  # events in a row that may go unmet
NEAR = 0.03  # seconds from a tick, at most, of what it meets
MET = 0.85  # share of the marks that a grid is expected to meet
BENT_FROM = TICKS_PER_BEAT  # ticks: knots of grids that are not bent are all before these
UNMET = 1e3  # what leaving an event of weight 1 unmet costs: more than any bend


@dataclass(frozen=True)
class Knot:
    """A tick whose second is fixed."""

    tick: int
    second: float


@dataclass(frozen=True)
class Grid:
    """The second of each tick; tick 0 is at 0 s.

    Attributes:
        tempo: BPM of the ticks that no knots enclose.
        knots: ascending, the first (0, 0) where there are any: between two of them ticks are
            equally apart, after the last they go on at `tempo`.
    """

    tempo: float
    knots: tuple[Knot, ...] = ()

    def seconds(self, ticks: NDArray[np.floating] | NDArray[np.integer] | float) -> NDArray:
        """When ticks, or parts of them, are: seconds in the same shape."""
        ticks = np.asarray(ticks, float)
        if not self.knots:
            return ticks * tick_seconds(self.tempo)
        at, times = self._lines
        last = times[-1] + (ticks - at[-1]) * tick_seconds(self.tempo)
        return np.where(ticks > at[-1], last, np.interp(ticks, at, times))

    def ticks(self, seconds: NDArray[np.floating] | float) -> NDArray:
        """How far the music is at some seconds: ticks and parts of them, in the same shape."""
        seconds = np.asarray(seconds, float)
        if not self.knots:
            return np.asarray(seconds_to_ticks(seconds, self.tempo))  # type: ignore[arg-type]
        at, times = self._lines
        last = at[-1] + (seconds - times[-1]) / tick_seconds(self.tempo)
        return np.where(seconds > times[-1], last, np.interp(seconds, times, at))

    def begun(self, seconds: float) -> int:
        """Ticks that begin within some seconds."""
        # What ends with a tick, but for rounding, does not begin another.
        return math.ceil(float(self.ticks(seconds)) - 1e-6)

    def whole(self, seconds: float) -> int:
        """Ticks that end within some seconds."""
        return int(float(self.ticks(seconds)) + 1e-6)

    def meets(self, marks: Sequence[Mark]) -> float:
        """Share of marks, by weight, that are near a tick, 0 … 1; 1 of none."""
        times = np.array([mark.second for mark in marks])
        weights = np.array([mark.weight for mark in marks])
        near = np.abs(self.seconds(np.rint(self.ticks(times))) - times) <= NEAR
        return float((weights * near).sum() / weights.sum()) if weights.any() else 1.0

    @property
    def tempi(self) -> list[tuple[int, float]]:
        """The tempo map: (tick, BPM from there on), the first at tick 0."""
        pairs = zip(self.knots, self.knots[1:], strict=False)
        changes = [
            (a.tick, 60 * (b.tick - a.tick) / ((b.second - a.second) * TICKS_PER_BEAT))
            for a, b in pairs
        ]
        return [*changes, (self.knots[-1].tick if self.knots else 0, self.tempo)]

    @property
    def _lines(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Ticks and seconds of the knots."""
        return (
            np.array([knot.tick for knot in self.knots], float),
            np.array([knot.second for knot in self.knots]),
        )


def shifted(tempo: float, beat: float) -> Grid:
    """The constant grid of a tempo, with one of its ticks at a second at which a beat is.

    The first tick, which begins at 0 s whatever the rhythm, takes up the difference: it lasts half
    a tick to one and a half.

    Args:
        tempo: BPM.
        beat: seconds, of any beat.
    """
    length = tick_seconds(tempo)
    offset = beat % length
    if offset > length / 2:
        offset -= length
    return Grid(tempo, (Knot(0, 0.0), Knot(1, length + offset))) if offset else Grid(tempo)


def on_beats(tempo: float, beat: float, hits: Sequence[float] = ()) -> Grid:
    """The constant grid of a tempo, with its beats on a second at which a beat is.

    The first beat, which begins at 0 s whatever the rhythm, takes up the difference: it lasts 0.6
    to 1.6 beats. Of what is hit before it ends, that on a beat is on the first tick after 0 s.

    Args:
        tempo: BPM.
        beat: seconds, of any beat.
        hits: seconds of what is seen.
    """
    length = tick_seconds(tempo)
    period = TICKS_PER_BEAT * length
    first = beat % period
    if min(first, period - first) < length / 2:
        return shifted(tempo, beat)
    if first >= SHORTEST_BEAT * period:
        return Grid(tempo, (Knot(0, 0.0), Knot(TICKS_PER_BEAT, first)))
    near = [hit for hit in hits if abs(hit - first) < length / 2]
    between = [Knot(1, first)] if near else []
    return Grid(tempo, (Knot(0, 0.0), *between, Knot(TICKS_PER_BEAT, first + period)))


def meeting(grid: Grid, second: float, kept: Collection[int]) -> tuple[Grid, int]:
    """A grid bent so that it meets one more second, and the tick that does; or the nearest.

    Ticks that are kept stay where they are, as do all that are more than a bar away.

    Args:
        grid: the grid.
        second: to be met.
        kept: ticks.
    """
    at = float(grid.ticks(second))
    knots = {knot.tick: knot.second for knot in grid.knots or (Knot(0, 0.0),)}
    fixed = {*knots, *kept}
    for tick in sorted({math.floor(at), math.ceil(at)} - fixed, key=lambda each: abs(each - at)):
        ends = (
            max((each for each in fixed if tick - TICKS_PER_BAR < each < tick), default=0),
            min((each for each in fixed if tick < each < tick + TICKS_PER_BAR), default=math.inf),
        )
        before, after = max(ends[0], tick - TICKS_PER_BAR), min(ends[1], tick + TICKS_PER_BAR)
        start, end = (float(each) for each in grid.seconds(np.array([before, after])))
        length = (end - start) / (after - before)
        bends = (
            (tick - before) * length / (second - start) - 1 if second > start else math.inf,
            (after - tick) * length / (end - second) - 1 if end > second else math.inf,
        )
        if max(map(abs, bends)) <= MAX_BEND:
            knots |= {before: start, tick: second, int(after): end}
            return Grid(grid.tempo, tuple(Knot(*knot) for knot in sorted(knots.items()))), tick
    return grid, round(at)


@dataclass(frozen=True)
class Mark:
    """A second that music should meet.

    Attributes:
        second: when it is.
        weight: how much it matters, 0 … 1.
        scene: whether a scene begins there: a bar line is looked for.
    """

    second: float
    weight: float = 1.0
    scene: bool = False


def bent(tempo: float, marks: Sequence[Mark]) -> tuple[Grid, float]:
    """The grid nearest to a tempo that meets marks exactly, by dynamic programming over ticks.

    From one met mark to the next the tempo is constant, within `MAX_BEND` of `tempo`. A mark goes
    to a beat where that bends time by less than `BEAT_BEND`, a scene's to a bar line where it can;
    else to any sixteenth. Where marks are too close for that, the less weighty stay unmet.

    Args:
        tempo: BPM.
        marks: at ascending seconds.

    Returns:
        The grid, and what it costs: the seconds of music, weighted by how far they are bent.
    """
    length = tick_seconds(tempo)
    offsets = np.arange(-REACH, REACH + 1)
    marks = [mark for mark in marks if mark.second > length / 2]
    # Of the start, then of each mark: the ticks that it may be on; what that costs at least, all
    # before it met or paid for; and from which mark and which of its ticks it comes.
    ticks = [np.zeros(1, int)] + [round(mark.second / length) + offsets for mark in marks]
    times = [0.0, *(mark.second for mark in marks)]
    costs = [np.zeros(1)]
    origins: list[list[tuple[int, int]]] = [[(-1, 0)]]
    for index, mark in enumerate(marks, start=1):
        best = np.full(len(offsets), np.inf)
        origin = [(-1, 0)] * len(offsets)
        unmet = 0.0
        for before in range(index - 1, max(-1, index - 2 - SKIPS), -1):
            span = times[index] - times[before]
            steps = ticks[index][:, None] - ticks[before][None, :]
            bend = np.abs(steps * length / span - 1)
            cost = costs[before] + unmet + span * np.square(bend / BEAT_BEND)
            cost = np.where((steps > 0) & (bend <= MAX_BEND), cost, np.inf)
            cost += span * _displaced(ticks[index], mark)[:, None]
            chosen = cost.argmin(axis=1)
            least = cost[np.arange(len(chosen)), chosen]
            for place in np.flatnonzero(least < best):
                best[place], origin[place] = least[place], (before, int(chosen[place]))
            if before:
                unmet += UNMET * marks[before - 1].weight
        costs.append(best)
        origins.append(origin)
    return _traced(tempo, ticks, times, costs, origins, marks)


def _displaced(ticks: NDArray[np.int_], mark: Mark) -> NDArray[np.float64]:
    """What it costs, per second since the mark before, that ticks are no beats, no bar lines."""
    off_beat = (ticks % TICKS_PER_BEAT != 0).astype(float)
    off_bar = (ticks % TICKS_PER_BAR != 0) * (MAX_BEND / BEAT_BEND) ** 2
    return off_beat + off_bar if mark.scene else off_beat


def _traced(
    tempo: float,
    ticks: Sequence[NDArray[np.int_]],
    times: Sequence[float],
    costs: Sequence[NDArray[np.float64]],
    origins: Sequence[Sequence[tuple[int, int]]],
    marks: Sequence[Mark],
) -> tuple[Grid, float]:
    """The cheapest way back from the last marks to the start."""
    ends = []
    unmet = 0.0
    for index in range(len(ticks) - 1, max(-1, len(ticks) - 2 - SKIPS), -1):
        place = int(costs[index].argmin())
        ends.append((float(costs[index][place]) + unmet, index, place))
        unmet += UNMET * marks[index - 1].weight if index else 0.0
    cost, index, place = min(ends)
    knots: list[Knot] = []
    while index >= 0 and math.isfinite(cost):
        knots.append(Knot(int(ticks[index][place]), times[index]))
        index, place = origins[index][place]
    grid = Grid(tempo, tuple(reversed(knots)) if len(knots) > 1 else ())
    return grid, cost


def best_bent(tempi: Sequence[float], marks: Sequence[Mark]) -> Grid:
    """Of some tempi (BPM) the bent grid that meets the marks with the least bending."""
    return min((bent(tempo, marks) for tempo in tempi), key=lambda found: found[1])[0]
