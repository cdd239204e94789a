"""What somebody hums, sings or whistles, as notes on ticks.

Notes are found as in Tony (Mauch et al., "Computer-aided melody note transcription using the Tony
software", TENOR 2015): the pitch of each moment is that of a note, with a spread, and to change the
note costs something, so that vibrato is none. The singer's own tuning is taken away, and time is
counted in the pulse that the notes' beginnings have, whatever its tempo.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cmt.music.keys import PITCH_CLASSES, find_key
from cmt.music.pitch import HOP, RATE, pitches
from cmt.music.vocabulary import MAX_DURATION

MOMENT = HOP / RATE  # seconds
SPREAD = 0.6  # semitones that a moment is off its note
ODD = 4.5  # what a moment costs at most, however far off
CHANGE = 4.0  # what another note costs
GAP = 3  # moments without voice that end no note
SHORTEST = 7  # moments of a note
SLIDING = 25  # moments; what is shorter and goes up or down all the time is no note
FOREIGN = 0.3  # what a moment costs on a pitch that is foreign to the key
SLID, STEEP = 0.15, 2.5  # semitones that it does so, and semitones a second
VIBRATO = 18  # moments of a swing of it
DIP, AROUND = 8.0, 15  # dB that the voice sinks between equal notes, and moments around, to see it
RISE, WITHIN = 5.0, 4  # dB and moments: what rises so much so soon is struck anew,
STAYS = 0.5  # if that share of it stays; a room lets vibrato swing as much
SLOWEST, FASTEST = 1.2, 0.1  # seconds of a pulse
LEAST_BPM = 70.0  # of what is sung, and less than twice as much
AS_GOOD = 0.06  # of what the best pulse misses; a longer one that misses no more is rather taken
LOW, HIGH = 57, 81  # MIDI pitches that the middle of a melody is moved between, by octaves
FEWEST = 3  # notes of a melody


@dataclass(frozen=True)
class Sung:
    """A note, from moment to moment, and its pitch (MIDI), whole once it is tuned."""

    start: int
    end: int
    pitch: float


def melody(samples: NDArray[np.float32]) -> list[tuple[int, int, int]]:
    """The notes of one voice: tick, MIDI pitch and ticks that it lasts; the first at tick 0.

    Args:
        samples: (n,), at `pitch.RATE`.

    Raises:
        ValueError: there are fewer than `FEWEST`; says what is heard in place of them.
    """
    if not len(samples) or float(np.abs(samples).max()) < 1e-3:
        raise ValueError("nothing is heard in it")
    notes = sung(*pitches(samples))
    if len(notes) < FEWEST:
        raise ValueError("no melody is heard in it")
    ticks = on_ticks(notes)
    middle = float(np.median([note.pitch for note in notes]))
    octaves = int(np.ceil((LOW - middle) / 12)) if middle < LOW else 0
    octaves -= int(np.ceil((middle - HIGH) / 12)) if middle > HIGH else 0
    return [
        (tick, int(note.pitch) + 12 * octaves, length)
        for note, (tick, length) in zip(notes, ticks, strict=True)
    ]


def sung(pitch: NDArray[np.float64], level: NDArray[np.float64]) -> list[Sung]:
    """The notes of a voice by its pitch and level at every moment; see `pitches`.

    Heard twice: as it is, then with its key in mind, in which doubtful notes are.
    """
    breaths = {start: _filled(pitch[start:end]) for start, end in _breaths(pitch, level)}
    if not breaths:
        return []
    offset = _offset(np.concatenate([_without_vibrato(part) for part in breaths.values()]))
    foreign: NDArray[np.float64] = np.zeros(PITCH_CLASSES)
    for _ in range(2):
        parts = {start: part - offset for start, part in breaths.items()}
        notes = [note for start, part in parts.items() for note in _steady(part, start, foreign)]
        # By what each note is like as a whole, the tuning is known better.
        off = _offset(np.array([note.pitch for note in notes]))
        notes = [replace(note, pitch=_nearest(note.pitch - off, foreign)) for note in notes]
        offset, foreign = offset + off, _foreign(notes)
    return notes


def _foreign(notes: Sequence[Sung]) -> NDArray[np.float64]:
    """What a moment costs on each pitch class, (12,): nothing in the key of some notes."""
    weights = np.zeros(PITCH_CLASSES)
    for note in notes:
        weights[int(note.pitch) % PITCH_CLASSES] += note.end - note.start
    costs = np.zeros(PITCH_CLASSES)
    if (key := find_key(weights, melodic=True)) is not None:
        costs += FOREIGN
        costs[[*key.scale, *key.leading]] = 0
    return costs


def _nearest(pitch: float, foreign: NDArray[np.float64]) -> int:
    """The MIDI pitch that a note is of."""
    tried = np.floor(pitch).astype(int) + np.arange(2)
    return int(tried[(_strange(pitch, tried) + foreign[tried % PITCH_CLASSES]).argmin()])


def _strange(pitch: float | NDArray[np.float64], notes: NDArray[np.integer]) -> NDArray[np.float64]:
    """What it costs to take pitches for those of notes."""
    return np.asarray((pitch - notes) ** 2 / (2 * SPREAD**2))


def _offset(pitch: NDArray[np.float64]) -> float:
    """Semitones that pitches are above whole ones, on the whole; -0.5 … 0.5."""
    return float(np.angle(np.exp(2j * np.pi * pitch).sum()) / (2 * np.pi))


def _filled(pitch: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pitches with those between where there is none."""
    known = np.flatnonzero(~np.isnan(pitch))
    return np.interp(np.arange(len(pitch)), known, pitch[known])


def _without_vibrato(pitch: NDArray[np.float64]) -> NDArray[np.float64]:
    """The means of one swing each; of what is shorter, the middle."""
    if len(pitch) < VIBRATO:
        return np.full(1, np.median(pitch))
    return np.convolve(pitch, np.full(VIBRATO, 1 / VIBRATO), "valid")


def _breaths(pitch: NDArray[np.float64], level: NDArray[np.float64]) -> list[tuple[int, int]]:
    """From where to where there is a voice, which does not sink between."""
    voiced = np.flatnonzero(~np.isnan(pitch))
    if not len(voiced):
        return []
    cuts = np.flatnonzero(np.diff(voiced) > GAP)
    starts, ends = voiced[np.r_[0, cuts + 1]], voiced[np.r_[cuts, len(voiced) - 1]] + 1
    found: list[tuple[int, int]] = []
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        edges = [start, *(start + dip for dip in _dips(level[start:end])), end]
        found += pairwise(edges)
    return [(start, end) for start, end in found if end - start >= SHORTEST]


def _dips(level: NDArray[np.float64]) -> list[int]:
    """Where a voice sinks and rises again, or is struck anew, as between equal notes."""
    found: list[int] = []
    for moment in range(SHORTEST, len(level) - SHORTEST):
        before = level[max(0, moment - AROUND) : moment]
        after = level[moment + 1 : moment + 1 + AROUND]
        least = level[moment] == level[moment - WITHIN : moment + SHORTEST + 1].min()
        sunk = min(before.max(), after.max()) - level[moment] >= DIP
        rise = after[:WITHIN].max() - level[moment]
        struck = rise >= RISE and after[WITHIN:].min(initial=0) >= level[moment] + STAYS * rise
        if least and (sunk or struck) and (not found or moment - found[-1] >= SHORTEST):
            found.append(moment)
    return found


def _steady(pitch: NDArray[np.float64], first: int, foreign: NDArray[np.float64]) -> list[Sung]:
    """The notes of one breath, whose pitches (moments,) are in tune on the whole.

    What slides from note to note belongs to both by half, what slides up to the first or down from
    the last to these.
    """
    labels = _labels(pitch, foreign)
    edges = np.r_[0, np.flatnonzero(np.diff(labels)) + 1, len(labels)].tolist()
    kept: list[Sung] = []
    for start, end in pairwise(edges):
        part = pitch[start:end]
        if end - start < SHORTEST or (end - start < SLIDING and _slides(part)):
            continue
        if kept and labels[start] == labels[kept[-1].start]:
            kept[-1] = replace(kept[-1], end=end)
        else:
            kept.append(Sung(start, end, _settled(part)))
    kept = kept or [Sung(0, len(pitch), _settled(pitch))]
    borders = [(one.end + other.start) // 2 for one, other in pairwise(kept)]
    return [
        replace(note, start=first + start, end=first + end)
        for note, start, end in zip(kept, [0, *borders], [*borders, len(pitch)], strict=False)
    ]


def _settled(pitch: NDArray[np.float64]) -> float:
    """The pitch of a note, which voices more often slide into than out of."""
    return float(np.median(pitch[len(pitch) // 3 :]))


def _slides(pitch: NDArray[np.float64]) -> bool:
    """Whether a part goes up all the time, or down."""
    smooth = np.convolve(pitch, np.full(3, 1 / 3), "valid")
    way = float(smooth[-1] - smooth[0])
    steep = abs(way) >= max(SLID, STEEP * MOMENT * len(smooth))
    return steep and abs(way) >= 0.8 * float(np.abs(np.diff(smooth)).sum())


def _labels(pitch: NDArray[np.float64], foreign: NDArray[np.float64]) -> NDArray[np.intp]:
    """The MIDI pitch whose note each moment is of, by the cheapest way (Viterbi)."""
    low = int(np.floor(pitch.min()))
    states = np.arange(low, int(np.ceil(pitch.max())) + 1)
    costs = np.minimum(_strange(pitch[:, None], states), ODD) + foreign[states % PITCH_CLASSES]
    total = costs[0]
    came = np.zeros(costs.shape, np.intp)
    for moment in range(1, len(costs)):
        best = int(total.argmin())
        stays = total <= total[best] + CHANGE
        came[moment] = np.where(stays, np.arange(len(states)), best)
        total = np.where(stays, total, total[best] + CHANGE) + costs[moment]
    labels = np.empty(len(costs), np.intp)
    state = int(total.argmin())
    for moment in range(len(costs) - 1, -1, -1):
        labels[moment] = states[state]
        state = int(came[moment, state])
    return labels


def on_ticks(notes: Sequence[Sung]) -> list[tuple[int, int]]:
    """The tick of each note and how many it lasts, in the tempo that they have together.

    From note to note, so that a singer may go faster and slower. A rest shorter than half a pulse
    is breath.
    """
    starts = MOMENT * np.array([note.start for note in notes])
    steps = np.diff(starts)
    pulse = _pulse(steps)
    ticks = 1  # of a pulse
    while 15 * ticks / pulse < LEAST_BPM:
        ticks *= 2
    counts = np.maximum(1, np.rint(steps / pulse)).astype(int) * ticks
    places = np.r_[0, np.cumsum(counts)].tolist()
    lasting = MOMENT * np.array([note.end - note.start for note in notes])
    found: list[tuple[int, int]] = []
    for index, (place, seconds) in enumerate(zip(places, lasting.tolist(), strict=True)):
        length = max(1, round(seconds / pulse)) * ticks
        if index < len(counts):
            rest = float(steps[index]) - seconds
            length = counts[index] if rest < pulse / 2 else min(length, counts[index])
        found.append((place, int(min(length, MAX_DURATION))))
    return found


def _pulse(steps: NDArray[np.float64]) -> float:
    """Seconds of which the times between notes are multiples, as nearly as of any; the longest."""
    tried = np.geomspace(FASTEST, SLOWEST, 500)
    counts = np.maximum(1, np.rint(steps / tried[:, None]))
    # 1 of a pulse that has nothing to do with them; the longer a step, the freer it is.
    missed = 12 * ((steps / tried[:, None] - counts) ** 2 / counts).sum(axis=1)
    missed /= (1 / counts).sum(axis=1)
    good = np.flatnonzero(missed <= missed.min() + AS_GOOD)
    pulse = float(tried[good[-1]])
    for _ in range(3):  # to the mean of what they say, each by its length
        count = np.maximum(1, np.rint(steps / pulse))
        pulse = float(steps.sum() / count.sum())
    return pulse
