"""Pieces of music measured, and how far they are from real music."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from cmt.files import InputError
from cmt.measures.copying import Corpus, longest_copy
from cmt.measures.metrics import METRICS, bars_of, excerpt
from cmt.music.vocabulary import INSTRUMENT_OF, TICKS_PER_BAR
from cmt.music.words import Song

MAX_BARS = 400  # the time that structureness takes grows with the fourth power
RESAMPLES = 2000
INTERVAL = 0.95


@dataclass(frozen=True)
class Passage:
    """A copied passage, as people look for it.

    Attributes:
        notes: its notes.
        distinct_steps: different steps from note to note among them.
        bar: in which it begins in the piece, from 1.
        instrument: name of the track that plays it there.
        source: name of the song that it is found in; None for a single note, found anywhere.
        source_bar: in which it begins there, from 1.
    """

    notes: int
    distinct_steps: int
    bar: int
    instrument: str
    source: str | None
    source_bar: int


@dataclass(frozen=True)
class Measured:
    """A piece that was measured: its figures by name, NaN if undefined, and what it copied."""

    name: str
    values: dict[str, float]
    copy: Passage | None


@dataclass(frozen=True)
class Mean:
    """Of a measure over pieces.

    Attributes:
        mean: NaN if no piece has the measure.
        half_interval: half the width of the mean's interval, Student's; NaN of fewer than two.
        pieces: that have the measure.
    """

    mean: float
    half_interval: float
    pieces: int


@dataclass(frozen=True)
class Distance:
    """How much greater a mean is than the reference's, in % of that; ends of its interval."""

    percent: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """A measure of pieces, and of a reference if there is one.

    Attributes:
        means: of each set of pieces, by its name.
        distance: of the first set from the second; None if there is none to tell.
    """

    means: dict[str, Mean]
    distance: Distance | None

    @property
    def comparable(self) -> bool:
        """Whether two sets of pieces have the measure."""
        return len(self.means) == 2 and all(mean.pieces for mean in self.means.values())


def measure(
    name: str,
    song: Song,
    tempo: float,
    bars: int | None = None,
    corpus: Corpus | None = None,
    cluster: str | None = None,
) -> Measured:
    """Take all measures of a piece.

    Args:
        name: of the piece.
        song: its notes.
        tempo: BPM.
        bars: to measure at most, from the first with a note on.
        corpus: where to look for copied passages.
        cluster: of near-copies in the corpus, to be left out.

    Raises:
        InputError: the piece has more than `MAX_BARS` bars.
    """
    if bars is not None:
        song = excerpt(song, bars)
    if bars_of(song) > MAX_BARS:
        raise InputError(f"{name}: {bars_of(song)} bars; measure at most {MAX_BARS} with --bars")
    values = {metric.name: metric.function(song, tempo) for metric in METRICS}
    copy = None
    if corpus and (found := longest_copy(song, corpus, cluster)):
        values["longest_copy"] = found.notes
        copy = Passage(
            notes=found.notes,
            distinct_steps=found.distinct,
            bar=found.tick // TICKS_PER_BAR + 1,
            instrument=INSTRUMENT_OF[found.instrument].name,
            source=found.source,
            source_bar=found.source_tick // TICKS_PER_BAR + 1,
        )
    return Measured(name, values, copy)


def summary(
    sets: dict[str, list[Measured]], names: Sequence[str], seed: int
) -> dict[str, Comparison]:
    """Compare one set of pieces, or two, in each of the measures that any piece has.

    Args:
        sets: pieces by the name of the set; the second is the reference.
        names: of the measures.
        seed: of the bootstrap, the same for every measure.
    """
    table = {}
    for name in names:
        samples = []
        for pieces in sets.values():
            values = np.array([piece.values.get(name, math.nan) for piece in pieces])
            samples.append(values[~np.isnan(values)])
        if not any(map(len, samples)):
            continue
        far = None
        if len(samples) == 2 and all(map(len, samples)):
            far = distance(samples[0], samples[1], np.random.default_rng(seed))
        table[name] = Comparison(dict(zip(sets, map(mean_of, samples), strict=True)), far)
    return table


def mean_of(values: np.ndarray) -> Mean:
    """The mean of a sample (pieces,), and Student's interval of it."""
    count = len(values)
    half = math.nan
    if count > 1:
        # What scipy.stats.t.ppf is, which takes twice as long to import.
        student = stdtrit(count - 1, (1 + INTERVAL) / 2)
        half = float(student * values.std(ddof=1) / math.sqrt(count))
    return Mean(float(values.mean()) if count else math.nan, half, count)


def distance(
    values: np.ndarray, reference: np.ndarray, generator: np.random.Generator
) -> Distance | None:
    """Difference of the means of two samples, and its percentile bootstrap interval.

    Both samples, (pieces,) each, are resampled. None if the reference's mean is 0.
    """
    if reference.mean() == 0:
        return None
    # Not scipy.stats.bootstrap: it refuses samples of one piece, and interpolates between
    # resamples, which is NaN where the distance is infinite: the reference's mean may be 0 there.
    means, reference_means = (
        np.array(
            [
                sample[generator.integers(len(sample), size=len(sample))].mean()
                for _ in range(RESAMPLES)
            ]
        )
        for sample in (values, reference)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        resampled = 100 * (means - reference_means) / np.abs(reference_means)
    # By order alone, for there is nothing between infinite values.
    ends = [(1 - INTERVAL) / 2, (1 + INTERVAL) / 2]
    low, high = np.nanquantile(resampled, ends, method="inverted_cdf")
    percent = 100 * (values.mean() - reference.mean()) / abs(reference.mean())
    return Distance(float(percent), float(low), float(high))
