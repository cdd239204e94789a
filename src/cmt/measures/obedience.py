"""Whether a piece obeyed: how far it is from what the video asked of it (paper, section 5.5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cmt.music.vocabulary import TICKS_PER_BAR
from cmt.music.words import Song
from cmt.plan import MAX_STRENGTH, Plan


@dataclass(frozen=True)
class ControlError:
    """How far a piece is from what was asked of it, 0 for exact (paper section 5.5, Table 4).

    Attributes:
        density: root mean square over bars of the difference in onset positions, in bars' 16.
        strength: root mean square over visual beats of the difference in notes between what
            was asked and the nearest instrument's simu-note on that tick, in MAX_STRENGTH.
        time: distance of the end of the last bar with a note from that of the last bar that is
            not asked to be silent, in the video's length.
    """

    density: float
    strength: float
    time: float


def control_error(song: Song, plan: Plan) -> ControlError:
    """Measure a piece, as it is written, against its plan; what that left open does not count."""
    density = onsets_per_bar(song, len(plan.bars)) - plan.densities
    differences = []
    for tick, strength in plan.beats.items():
        chords = np.bincount(song.notes["instrument"][song.notes["tick"] == tick])
        differences.append(np.abs(chords[chords > 0] - strength).min(initial=strength))
    bars_end = -(-int(song.notes["tick"].max(initial=-1) + 1) // TICKS_PER_BAR) * TICKS_PER_BAR
    # Bars of silence that are asked for at the end have no note to be measured by.
    expected_end = 0 if plan.last_bar is None else (plan.last_bar + 1) * TICKS_PER_BAR
    return ControlError(
        density=root_mean_square(density[~np.isnan(density)]) / TICKS_PER_BAR,
        strength=root_mean_square(differences) / MAX_STRENGTH,
        time=abs(bars_end - expected_end) / plan.ticks,
    )


def onsets_per_bar(song: Song, bars: int) -> np.ndarray:
    """Onset positions (ticks with a note of any track) in each of the first bars, (bars,)."""
    ticks = np.unique(song.notes["tick"])
    return np.bincount(ticks // TICKS_PER_BAR, minlength=bars)[:bars]


def root_mean_square(values: Sequence[float] | np.ndarray) -> float:
    """Root of the mean square, 0 of nothing."""
    return float(np.sqrt(np.mean(np.square(values)))) if len(values) else 0.0
