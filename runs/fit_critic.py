"""Fit the weights of `cmt.measures.critic`: what tells people's music from the model's.

    runs/fit_critic.py exp/default dataset/default.npz CLIP.npz... > src/cmt/measures/critic.csv

CLIP.npz are the rhythms of some videos, of video2npz.py; the model's music is takes for them, with
and without their control. Writes the table, and to the terminal how well windows are told apart by
weights that are fitted without their clip or source. Minutes on one core.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import rankdata

from cmt.compose import Settings, compose
from cmt.control import load_control
from cmt.measures.critic import figures_of, standard, windows
from cmt.model import checkpoint
from cmt.model.network import CMT
from cmt.music.dataset import read_dataset
from cmt.music.words import Song, words_to_song
from cmt.script import between, parser, run_script

BY_PROGRAMS = ("arranged/", "mma_generated/")  # how the ids of pieces begin that nobody has played
WINDOWS = 3  # of a piece of people's, evenly spaced
RIDGE = 20.0  # windows' worth of doubt about a weight that differs from 0 by one
FOLDS = 6
COLUMNS = ("figure", "mean", "deviation", "weight")


@dataclass(frozen=True)
class Heard:
    """A window: whether people made it, the clip or source that it is from, its figures."""

    by_people: bool
    source: str
    figures: dict[str, float]


def of_people(data: Path) -> Iterator[Heard]:
    """Windows of the pieces for several instruments in a data set that no program arranged."""
    dataset = read_dataset(data)
    for words, about in zip(dataset.words, dataset.metadata, strict=True):
        if about["id"].startswith(BY_PROGRAMS) or len(about["instruments"]) < 2:
            continue
        heard = [*windows(words_to_song(words))]
        for index in np.unique(np.linspace(0, len(heard) - 1, WINDOWS).round().astype(int)):
            yield Heard(True, about["cluster"], figures_of(heard[index]))


def of_model(model: CMT, clips: Iterable[Path], takes: int, seed: int) -> Iterator[Heard]:
    """Windows of takes for clips."""
    for clip in clips:
        control = load_control(clip)
        for degree in (0.0, 1.0):
            settings = Settings(takes=takes, degree=degree, seed=seed)
            songs: list[Song] = [piece.song for piece in compose(model, control, settings)]
            for song in songs:
                yield from (Heard(False, clip.stem, figures_of(part)) for part in windows(song))


def fit(values: NDArray[np.float64], by_people: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Weights (figures,) of a logistic regression with a ridge; both kinds count alike.

    Args:
        values: (windows, figures) in standard deviations from the mean.
        by_people: (windows,).
    """
    each = len(values) / 2 / np.where(by_people, by_people.sum(), (~by_people).sum())
    sign = np.where(by_people, 1, -1)

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margin = sign * (weights[0] + values @ weights[1:])
        slope = -each * sign / (1 + np.exp(margin))
        doubt = RIDGE * weights[1:]
        value = (each * np.logaddexp(0, -margin)).sum() + doubt @ weights[1:] / 2
        return value, np.concatenate([[slope.sum()], values.T @ slope + doubt])

    start = np.zeros(values.shape[1] + 1)
    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B").x[1:])


def area(scores: NDArray[np.float64], by_people: NDArray[np.bool_]) -> float:
    """Area under the ROC curve."""
    people, others = by_people.sum(), (~by_people).sum()
    above = rankdata(scores)[by_people].sum() - people * (people + 1) / 2
    return float(above / (people * others))


def held_out(
    values: NDArray[np.float64], by_people: NDArray[np.bool_], sources: NDArray[np.str_]
) -> NDArray[np.float64]:
    """The score of each window (windows,) by weights fitted without its source."""
    scores = np.zeros(len(values))
    fold = np.unique(sources, return_inverse=True)[1] % FOLDS
    for out in (fold == number for number in range(FOLDS)):
        scores[out] = values[out] @ fit(values[~out], by_people[~out])
    return scores


def main(argv: list[str] | None = None) -> None:
    """Fit, and write the table."""
    options = parser(__doc__)
    options.add_argument("checkpoint", type=Path)
    options.add_argument("data", type=Path, help="npz of the training")
    options.add_argument("clips", type=Path, nargs="+", help="npz of videos")
    options.add_argument("--takes", type=between(1, kind=int), default=8, help="of each clip")
    options.add_argument("--seed", type=between(0, kind=int), default=0, help="of the takes")
    args = options.parse_args(argv)
    model, _ = checkpoint.load(args.checkpoint)
    heard = [*of_people(args.data), *of_model(model, args.clips, args.takes, args.seed)]
    names = tuple(heard[0].figures)
    figures = np.array([[window.figures[name] for name in names] for window in heard])
    by_people = np.array([window.by_people for window in heard])
    # What cannot be told of a take is as in other takes: nobody is preferred for being silent.
    means, deviations = np.nanmean(figures[~by_people], axis=0), np.nanstd(figures, axis=0)
    values = standard(figures, means, deviations)
    sources = np.array([window.source for window in heard])
    told = area(held_out(values, by_people, sources), by_people)
    print(
        f"{by_people.sum()} windows of people's, {(~by_people).sum()} of the model's;"
        f" area under the ROC curve, held out: {told:.3f}",
        file=sys.stderr,
    )
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(COLUMNS)
    for name, *numbers in zip(names, means, deviations, fit(values, by_people), strict=True):
        out.writerow([name, *(f"{number:.3f}" for number in numbers)])


if __name__ == "__main__":
    sys.exit(run_script(main))
