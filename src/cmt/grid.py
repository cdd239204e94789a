"""The second at which every tick falls: at a constant tempo, shifted, or bent to meet what is seen.

A tick is a quarter of a beat and a bar has 16, whatever their seconds: music is made on ticks, and
its MIDI file says in a tempo map when they are. Bending is a choice of a tick for each time to be
met, by dynamic programming (Viterbi): tempo changes only between such times, by little.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cmt.music.vocabulary import TICKS_PER_BAR, TICKS_PER_BEAT

LARGEST_BEND = 0.07  # of the tempo, between two hits
# A hit is on a beat where that bends the tempo by less than 3 % on the way to it, a strong hit on a
# bar line where that bends it by less than 7 % on three; else on any tick.
BEND_FOR_BEAT, BEND_FOR_BAR = 0.03, 0.07 * 3**0.5
BEND_FOR_HIT = 0.2  # what a hit of weight 1 is worth: it is left out where it costs more
SLOWEST, FASTEST = 76, 144  # BPM, of tempos that are chosen for the hits' sake
PLAIN, PLAINNESS = 108, 0.005  # BPM that is preferred, and how much: as a bend, an octave off
LEFT_OUT = 3  # hits in a row, at most
STATES = 96  # ticks that are kept in mind for each hit
EPSILON = 1e-6  # ticks; what ends with a tick but for rounding does not begin another


@dataclass(frozen=True)
class Hit:
    """A time that music should meet.

    Attributes:
        time: seconds.
        weight: how much it matters to meet it, above 0; 1 for a cut.
        strong: whether it begins something new, as a scene, and belongs on a bar line.
    """

    time: float
    weight: float = 1.0
    strong: bool = False


@dataclass(frozen=True)
class Grid:
    """When ticks fall.

    Attributes:
        seconds: (ticks + 1,) float64, ascending from 0: each tick's beginning, and the last's end.
    """

    seconds: np.ndarray

    @property
    def n_ticks(self) -> int:
        """Ticks that begin before the end."""
        return len(self.seconds) - 1

    @property
    def bars(self) -> np.ndarray:
        """(bars,) seconds at which bars begin."""
        return self.seconds[:-1:TICKS_PER_BAR]

    @property
    def tempo(self) -> float:
        """Mean beats per minute."""
        return float(60 / TICKS_PER_BEAT * self.n_ticks / self.seconds[-1])

    def to_seconds(self, ticks: np.ndarray | float) -> np.ndarray:
        """Seconds of ticks, whole or not; past the end at the last tick's tempo."""
        ticks = np.asarray(ticks, float)
        within = np.interp(ticks, np.arange(len(self.seconds)), self.seconds)
        last = self.seconds[-1] - self.seconds[-2]
        return within + np.maximum(ticks - self.n_ticks, 0) * last

    def to_ticks(self, seconds: np.ndarray | float) -> np.ndarray:
        """Ticks, not rounded, of seconds; the way back from `to_seconds`."""
        seconds = np.asarray(seconds, float)
        within = np.interp(seconds, self.seconds, np.arange(len(self.seconds)))
        last = self.seconds[-1] - self.seconds[-2]
        return within + np.maximum(seconds - self.seconds[-1], 0) / last

    def nearest(self, seconds: np.ndarray | float) -> np.ndarray:
        """The ticks (integers) nearest in time to seconds, inside the grid."""
        ticks = self.to_ticks(seconds)
        low = np.clip(np.floor(ticks).astype(int), 0, self.n_ticks - 1)
        high = np.minimum(low + 1, self.n_ticks - 1)
        seconds = np.asarray(seconds, float)
        nearer = np.abs(self.seconds[high] - seconds) < np.abs(self.seconds[low] - seconds)
        return np.where(nearer, high, low)

    def tempo_map(self) -> list[tuple[int, int]]:
        """(tick, microseconds per quarter note) at each change of tempo, the first at tick 0.

        Each value makes up for what rounding the ones before it has cost, so that every tick is
        within a few microseconds of its second.
        """
        lengths = np.diff(self.seconds)
        changes = np.flatnonzero(np.abs(np.diff(lengths)) > 1e-9) + 1
        starts = [0, *changes.tolist()]
        result: list[tuple[int, int]] = []
        now = 0.0
        for start, stop in zip(starts, [*starts[1:], self.n_ticks], strict=True):
            beats = (stop - start) / TICKS_PER_BEAT
            quarter = max(1, round((self.seconds[stop] - now) / beats * 1e6))
            now += quarter * beats / 1e6
            if not result or result[-1][1] != quarter:
                result.append((start, quarter))
        return result


def constant(tempo: float, duration: float) -> Grid:
    """Ticks of a tempo (BPM) from 0 s on, for some seconds."""
    return shifted(tempo, 0.0, duration)


def shifted(tempo: float, first: float, duration: float) -> Grid:
    """Ticks of a tempo (BPM), one of them at `first` seconds, for `duration` seconds.

    Tick 0 begins at 0 s and makes up for the difference: it is half a tick shorter or longer, at
    most.
    """
    tick = 60 / tempo / TICKS_PER_BEAT
    offset = first - tick * round(first / tick)
    return _until(np.array([0.0, tick + offset]), tick, duration)


def bent(tempo: float, hits: Iterable[Hit], duration: float) -> Grid:
    """Ticks of about a tempo (BPM) that meet hits, for `duration` seconds.

    Between hits that are met the tempo is constant, and within 7 % of the one that is given; the
    first tick also takes a shift. Hits are exactly on a tick, but for those too near to another.
    """
    tick = 60 / tempo / TICKS_PER_BEAT
    inside = sorted((hit for hit in hits if 0 < hit.time < duration), key=lambda hit: hit.time)
    seconds = [0.0]
    now = 0
    for number, hit in _choose(inside, tick):
        steps = number - now
        if now == 0:
            shift = float(np.clip(hit.time - steps * tick, -tick / 2, tick / 2))
            rest = (hit.time - shift) / steps
            way = np.append(0, shift + rest * np.arange(1, steps + 1))[1:]
        else:
            way = seconds[-1] + (hit.time - seconds[-1]) / steps * np.arange(1, steps + 1)
        seconds += way.tolist()
        now = number
    return _until(np.array(seconds), tick, duration)


def best_tempo(hits: Sequence[Hit]) -> float:
    """The tempo (BPM) at which the ways from hit to hit are nearest to whole beats and ticks."""
    times = np.unique([hit.time for hit in hits])
    tempos = np.arange(SLOWEST, FASTEST + 1, dtype=float)
    cost = np.square(PLAINNESS * np.log2(tempos / PLAIN))
    ways = np.diff(times)
    if len(ways):
        beat = 60 / tempos[:, None]
        on_beat, on_tick = (
            np.abs(np.maximum(np.round(ways / unit), 1) * unit / ways - 1)
            for unit in (beat, beat / TICKS_PER_BEAT)
        )
        each = np.minimum(np.square(on_beat), np.square(on_tick) + BEND_FOR_BEAT**2)
        cost += np.minimum(each, BEND_FOR_HIT**2).mean(axis=1)
    return float(tempos[cost.argmin()])


@dataclass(frozen=True)
class _Way:
    """A way to a hit that is met at a tick: what it costs, and the hit met before."""

    cost: float
    tick: int
    hit: int
    before: _Way | None


def _choose(hits: Sequence[Hit], tick: float) -> list[tuple[int, Hit]]:
    """A tick for each hit that is met, ascending.

    Costs are squares of bends: of the way to a hit, and of what its place in the bar is worth.
    """
    start = _Way(0.0, 0, -1, None)
    ways: list[list[_Way]] = []
    for i, hit in enumerate(hits):
        here: dict[int, _Way] = {}
        for rows, begin, missed in _earlier(ways, hits, i, tick):
            for way in rows or [start]:
                for number, bend in _steps(way, begin, hit.time, tick):
                    cost = way.cost + missed + bend**2 + _place(number, hit)
                    if number not in here or cost < here[number].cost:
                        here[number] = _Way(cost, number, i, way)
        ways.append(sorted(here.values(), key=lambda way: way.cost)[:STATES])
    last = _last(ways, hits)
    chosen = []
    while last is not None and last.before is not None:
        chosen.append((last.tick, hits[last.hit]))
        last = last.before
    return chosen[::-1]


def _earlier(
    ways: Sequence[list[_Way]], hits: Sequence[Hit], i: int, tick: float
) -> Iterator[tuple[list[_Way], float, float]]:
    """Of what may be met before hit i, from the last on: the ways to it, its second, and what it
    costs to leave out the hits between; at the beginning of the music there are no ways.
    """
    missed = 0.0
    for count, j in enumerate(range(i - 1, -1, -1)):
        # From so far away any time can be met.
        if count > LEFT_OUT and hits[i].time - hits[j].time > tick / LARGEST_BEND:
            return
        if ways[j]:
            yield ways[j], hits[j].time, missed
        missed += BEND_FOR_HIT**2 * hits[j].weight
    yield [], 0.0, missed


def _last(ways: list[list[_Way]], hits: Sequence[Hit]) -> _Way | None:
    """The cheapest way to the end, which may leave out the last hits."""
    best, least, missed = None, math.inf, 0.0
    for row, hit in zip(reversed(ways), reversed(hits), strict=True):
        for way in row:
            if way.cost + missed < least:
                best, least = way, way.cost + missed
        missed += BEND_FOR_HIT**2 * hit.weight
    return best


def _steps(way: _Way, begin: float, end: float, tick: float) -> Iterator[tuple[int, float]]:
    """Ticks that can be reached from a way, and the bends on the way to them."""
    seconds = end - begin
    shift = tick / 2 if way.before is None else 0.0
    fewest = max(1, math.ceil((seconds - shift) / tick * (1 - LARGEST_BEND) - EPSILON))
    most = math.floor((seconds + shift) / tick * (1 + LARGEST_BEND) + EPSILON)
    for steps in range(fewest, most + 1):
        off = max(0.0, abs(steps * tick - seconds) - shift - EPSILON * tick)
        if off <= LARGEST_BEND * seconds:
            yield way.tick + steps, off / seconds


def _place(tick: int, hit: Hit) -> float:
    """What it costs to have a hit at this place in the bar."""
    if hit.strong and tick % TICKS_PER_BAR:
        return BEND_FOR_BAR**2
    return BEND_FOR_BEAT**2 if tick % TICKS_PER_BEAT else 0.0


def _until(seconds: np.ndarray, tick: float, duration: float) -> Grid:
    """A grid that begins with some seconds of ticks and goes on to the end of the video."""
    more = max(0, math.ceil((duration - seconds[-1]) / tick - EPSILON))
    seconds = np.append(seconds, seconds[-1] + tick * np.arange(1, more + 1))
    enough = int(np.searchsorted(seconds, duration - EPSILON * tick))
    return Grid(seconds[: max(1, enough) + 1])
