"""How well what is heard meets what is seen: accents of the music at events of the video.

All times are seconds, ascending. Beside our own figures, those of the field by their published
definitions: beat hits and coverage (BHS, BCS: Zhu et al., "Quantized GAN for Complex Music
Generation from Dance Videos", ECCV 2022, in bins of a second), temporal intersection over union of
cuts and beats (TBIoU: Li et al., "VidMuse", 2024), AV-Align (Yariv et al., "Diverse and Aligned
Audio-to-Video Generation", 2023).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NEAR = 0.04  # seconds: what is so near is seen and heard at once
EARLY, LATE = 0.04, 0.1  # seconds: sound may be so much earlier, or later, than what is seen
REACH = 0.25  # seconds, of what is counted as late rather than missing
BIN = 1.0  # seconds
TOGETHER = 0.005  # seconds: notes that begin within are one onset
LOUDEST = 0.2  # share of the onsets
FIELD_NEAR = 0.5  # seconds, of TBIoU


@dataclass(frozen=True)
class Synchrony:
    """Figures of one film; NaN where there is nothing to be told of.

    Attributes:
        within_near: share of events with an accent within `NEAR`.
        tolerated: share of events with an accent within −`EARLY` … `LATE`.
        median_lateness: of accents to events within `REACH`, seconds; positive is late.
        f1: of accents and events within `NEAR`.
        tbiou: pairs within `FIELD_NEAR`, of all events and accents together.
        hits: BHS, share of the bins with an event that have an accent.
        coverage: BCS, accents' bins to events' bins.
        av_align: accents and events that meet within `NEAR`, of all together.
    """

    within_near: float
    tolerated: float
    median_lateness: float
    f1: float
    tbiou: float
    hits: float
    coverage: float
    av_align: float


def synchrony(events: Sequence[float], accents: Sequence[float]) -> Synchrony:
    """Measure accents against events."""
    seen, heard = np.asarray(events, float), np.asarray(accents, float)
    if not len(seen):
        return Synchrony(*[math.nan] * 8)
    near = len(matched(seen, heard, NEAR))
    lateness = np.array([heard[h] - seen[s] for s, h in matched(seen, heard, REACH)])
    tolerated = ((lateness >= -EARLY) & (lateness <= LATE)).sum() / len(seen)
    loose = len(matched(seen, heard, FIELD_NEAR))
    seen_bins, heard_bins = (set((times // BIN).astype(int).tolist()) for times in (seen, heard))
    return Synchrony(
        within_near=near / len(seen),
        tolerated=float(tolerated),
        median_lateness=float(np.median(lateness)) if len(lateness) else math.nan,
        f1=2 * near / (len(seen) + len(heard)),
        tbiou=loose / (len(seen) + len(heard) - loose),
        hits=len(seen_bins & heard_bins) / len(seen_bins),
        coverage=len(heard_bins) / len(seen_bins),
        av_align=near / (len(seen) + len(heard) - near),
    )


def accents(
    times: NDArray[np.float64], velocities: NDArray[np.float64], count: int | None = None
) -> NDArray[np.float64]:
    """The onsets that stand out: of all there are, the loudest `LOUDEST`, notes added up.

    Args:
        times: (notes,) seconds at which notes begin, in any order.
        velocities: (notes,) of the same notes.
        count: so many at most instead.

    Returns:
        Seconds, ascending.
    """
    onsets, of_note = np.unique(np.round(times / TOGETHER).astype(np.int64), return_inverse=True)
    loudness = np.bincount(of_note, velocities, len(onsets))
    if count is None:
        count = max(1, round(LOUDEST * len(onsets))) if len(onsets) else 0
    return np.sort(onsets[np.argsort(-loudness, kind="stable")[:count]] * TOGETHER)


def matched(
    first: NDArray[np.float64], second: NDArray[np.float64], tolerance: float
) -> list[tuple[int, int]]:
    """Pairs of indices of times within a tolerance, the nearest first, each used once."""
    if not len(first) or not len(second):
        return []
    gap = np.abs(np.subtract.outer(first, second))
    pairs, used_first, used_second = [], set(), set()
    for flat in np.argsort(gap, axis=None, kind="stable").tolist():
        a, b = divmod(flat, len(second))
        if gap[a, b] > tolerance + 1e-9:
            break
        if a not in used_first and b not in used_second:
            pairs.append((a, b))
            used_first.add(a)
            used_second.add(b)
    return pairs
