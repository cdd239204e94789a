"""Fit `cmt.sound.performance`'s drumming: how hard drummers strike where in the bar.

    runs/fit_drumming.py FOLDER > src/cmt/sound/drumming.csv

FOLDER has recordings of drummers as MIDI, such as `groove` in free.tar.xz: 1,149 beats and fills of
the Groove MIDI Dataset (Gillick et al., "Learning to Groove with Inverse Sequence Transformations",
ICML 2019; CC-BY-4.0). Velocities are divided by the mean of their drum in their file.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from cmt.music.midi import load_score
from cmt.music.vocabulary import TICKS_PER_BEAT, VOICES
from cmt.script import parser, run_script
from cmt.sound.performance import LEVELS, metric_levels

FEWEST = 8  # strokes of a drum in a file that tell its mean


def strokes(path: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Of each drum of a file in 4/4: index of VOICES · LEVELS, and velocity over the mean."""
    score = load_score(path)
    if any((meter.numerator, meter.denominator) != (4, 4) for meter in score.time_signatures):
        return
    for track in score.tracks:
        notes = track.notes.numpy()
        ticks = np.round(notes["time"] * TICKS_PER_BEAT / score.ticks_per_quarter).astype(int)
        for index, pitches in enumerate(VOICES.values()):
            mine = np.isin(notes["pitch"], pitches)
            if mine.sum() >= FEWEST:
                velocity = notes["velocity"][mine].astype(float)
                place = index * len(LEVELS) + metric_levels(ticks[mine])
                yield place, velocity / velocity.mean()


def main(argv: list[str] | None = None) -> None:
    """Write the table: a drum a line."""
    options = parser(__doc__.splitlines()[0])
    options.add_argument("folder", type=Path)
    folder: Path = options.parse_args(argv).folder
    found = [pair for path in tqdm(sorted(folder.rglob("*.mid"))) for pair in strokes(path)]
    place, velocity = map(np.concatenate, zip(*found, strict=True))
    cells = len(VOICES) * len(LEVELS)
    means = np.bincount(place, velocity, cells) / np.bincount(place, minlength=cells)
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(("drum", *LEVELS))
    for voice, row in zip(VOICES, means.reshape(len(VOICES), -1), strict=True):
        table.writerow((voice, *(f"{value:.2f}" for value in row)))


if __name__ == "__main__":
    sys.exit(run_script(main))
