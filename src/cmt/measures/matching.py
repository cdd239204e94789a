"""Which pieces of a library fit the rhythm of a video best (paper, equation 16).

The matching score of a video V and a piece M is the reciprocal of how far apart their rhythms
are, in simu-note density d and simu-note strength s:

    S(V, M) = 1 / (‖d_V − d_M‖ + ‖s_V − s_M‖)

Both norms are L2, over what both have: the bars of the shorter, and of the strengths those at
the video's visual beats alone. The same rhythm has an infinite score. The normalisation is ours,
that of `cmt.measures.obedience.ControlError`: each norm is a root mean square, so that a piece does
not fit better for being short, of fractions, so that density and strength weigh alike.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from cmt.limits import MAX_MEGABYTES
from cmt.measures.obedience import root_mean_square
from cmt.music.dataset import stream_dataset
from cmt.music.vocabulary import BAR, COLUMNS, EOS, INSTRUMENTS, NOTE, TICKS_PER_BAR
from cmt.plan import MAX_STRENGTH, Plan

TYPE, BEAT, INSTRUMENT, I_BEAT, N_BEAT = (
    COLUMNS.index(name) for name in ("type", "beat", "instr_type", "i_beat", "n_beat")
)


@dataclass(frozen=True)
class Score:
    """How well a piece fits.

    Attributes:
        density: root mean square over bars of the difference in onset positions, in bars' 16.
        strength: root mean square over visual beats of the difference in notes between what is
            asked and the nearest instrument's simu-note on that tick, in MAX_STRENGTH.
        bars: that were compared.
    """

    density: float
    strength: float
    bars: int

    @property
    def distance(self) -> float:
        """Between the rhythms, ≥ 0 and finite; infinite if no bar was compared."""
        return self.density + self.strength if self.bars else math.inf

    @property
    def value(self) -> float:
        """The matching score of equation 16: 0 … ∞, and ∞ for the same rhythm."""
        return 1 / self.distance if self.distance else math.inf


@dataclass(frozen=True)
class Match:
    """A piece of a library.

    Attributes:
        score: how well it fits.
        index: its place in the library, from 0.
        about: its metadata.
        words: (length, 10), no further than the video's last bar, without EOS.
    """

    score: Score
    index: int
    about: dict[str, Any]
    words: np.ndarray


def score(words: np.ndarray, plan: Plan) -> Score:
    """Score one piece.

    Its density and strength are counted from its note words, not taken from the words that
    announce them: in a data set these say the same, in a generated take they may promise more.

    Args:
        words: (length, 10) int, columns in the order of `COLUMNS`.
        plan: what the video asks for.

    Raises:
        ValueError: a note of no instrument, or before the first bar.
    """
    words = _opening(words, len(plan.bars))
    # The bar word at the very end of a piece of whole bars begins no bar of music.
    bars = np.count_nonzero((words[:, BEAT] == BAR) & (words[:, I_BEAT] < words[:, N_BEAT]))
    ticks = bars * TICKS_PER_BAR
    note = words[:, TYPE] == NOTE
    tick, instrument = (words[:, column][note].astype(np.intp) for column in (I_BEAT, INSTRUMENT))
    if ((instrument < 1) | (instrument > len(INSTRUMENTS))).any():
        raise ValueError(f"a note whose instr_type is not in 1 … {len(INSTRUMENTS)}")
    if tick.min(initial=0) < 0:
        raise ValueError("a note before the first bar")

    # Notes per tick and instrument; column 0 stays empty.
    columns = len(INSTRUMENTS) + 1
    heard = tick < min(ticks, plan.ticks)
    chords = np.bincount((tick * columns + instrument)[heard], minlength=ticks * columns)
    chords = chords.reshape(ticks, columns)
    onsets = chords.any(axis=1).reshape(bars, TICKS_PER_BAR).sum(axis=1)
    density = onsets - plan.densities[:bars]
    beats = {beat: strength for beat, strength in plan.beats.items() if beat < ticks}
    at, asked = (np.array(list(part), np.intp) for part in (beats, beats.values()))
    # A silent instrument is as far off as silence is, which is also the most that counts.
    strength = np.abs(chords[at] - asked[:, None]).min(axis=1)
    return Score(
        density=root_mean_square(density[~np.isnan(density)]) / TICKS_PER_BAR,
        strength=root_mean_square(strength) / MAX_STRENGTH,
        bars=bars,
    )


def best(
    library: str | Path, plan: Plan, k: int, max_megabytes: float = MAX_MEGABYTES
) -> list[Match]:
    """Find the pieces that fit a video best, holding no more than k of them in memory.

    Args:
        library: data set npz, ours or the original's.
        plan: what the video asks for, from `cmt.plan.make_plan`.
        k: pieces to find.
        max_megabytes: see `stream_dataset`.

    Returns:
        At most k, the best first, equal scores in the library's order. Pieces without bars are
        left out.

    Raises:
        InputError: the library cannot be read; see `stream_dataset`.
    """
    # A heap with the worst on top: the farthest, of equals the last.
    found: list[tuple[float, int, Match]] = []
    songs = tqdm(stream_dataset(library, max_megabytes), unit=" pieces", disable=None)
    for index, (words, about) in enumerate(songs):
        result = score(words, plan)
        order = (-result.distance, -index)
        if result.bars == 0 or (len(found) == k and order < found[0][:2]):
            continue
        match = Match(result, index, about, _opening(words, len(plan.bars)).copy())
        heapq.heappush(found, (*order, match))
        if len(found) > k:
            heapq.heappop(found)
    return [match for *_, match in sorted(found, reverse=True)]


def _opening(words: np.ndarray, bars: int) -> np.ndarray:
    """The words of the first bars, up to an EOS."""
    starts = np.flatnonzero(words[:, BEAT] == BAR)
    words = words[: starts[bars]] if len(starts) > bars else words
    ends = np.flatnonzero(words[:, TYPE] == EOS)
    return words[: ends[0]] if len(ends) else words
