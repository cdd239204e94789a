"""Objective measures of generated music."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cmt.plan import MAX_STRENGTH, BarPlan
from cmt.vocabulary import TICKS_PER_BAR
from cmt.words import Song


@dataclass(frozen=True)
class ControlError:
    """How far a piece is from what was asked of it, 0 for exact (paper section 5.5, Table 4).

    Attributes:
        density: root mean square over bars of the difference in onset positions, in bars' 16.
        strength: root mean square over visual beats of the difference in notes between what
            was asked and the nearest instrument's simu-note on that tick, in MAX_STRENGTH.
        time: distance of the last bar's end from the video's, in the video's length.
    """

    density: float
    strength: float
    time: float


def control_error(song: Song, plan: Sequence[BarPlan]) -> ControlError:
    """Measure a piece against its plan; what the plan left open does not count."""
    density = onsets_per_bar(song, len(plan))
    asked = [
        (found, bar.density)
        for found, bar in zip(density, plan, strict=True)
        if bar.density is not None
    ]
    beats = [
        (bar * TICKS_PER_BAR + tick, strength)
        for bar, bar_plan in enumerate(plan)
        for tick, strength in bar_plan.strengths.items()
    ]
    differences = []
    for tick, strength in beats:
        chords = np.bincount(song.notes["instrument"][song.notes["tick"] == tick])
        differences.append(np.abs(chords[chords > 0] - strength).min(initial=strength))
    ticks = sum(bar.ticks for bar in plan)
    bars_end = -(-int(song.notes["tick"].max(initial=-1) + 1) // TICKS_PER_BAR) * TICKS_PER_BAR
    expected_end = len(plan) * TICKS_PER_BAR
    return ControlError(
        density=_rms([found - wanted for found, wanted in asked]) / TICKS_PER_BAR,
        strength=_rms(differences) / MAX_STRENGTH,
        time=abs(bars_end - expected_end) / ticks,
    )


def onsets_per_bar(song: Song, bars: int) -> np.ndarray:
    """Onset positions (ticks with a note of any track) in each of the first bars, (bars,)."""
    ticks = np.unique(song.notes["tick"])
    return np.bincount(ticks // TICKS_PER_BAR, minlength=bars)[:bars]


def _rms(values: Sequence[float]) -> float:
    return float(np.sqrt(np.mean(np.square(values)))) if len(values) else 0.0
