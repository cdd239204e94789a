"""How much a piece is like those that people made: a small critic.

Figures of a few bars say how music goes on: what returns, how lines move, what a hand or a kit
plays, what sounds together. None counts how much is played or who plays, nor how well it keeps to a
key, which is the video's, the user's or the chords' to say. A logistic regression on them, fitted
to pieces of people against takes of the default model (runs/fit_critic.py, whose table critic.csv
holds), tells the two apart.
"""

from __future__ import annotations

import csv
import functools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cmt.measures.metrics import bars_of
from cmt.music.keys import PITCH_CLASSES
from cmt.music.vocabulary import (
    DRUMS,
    INSTRUMENT_CLASS,
    PITCHES,
    TICKS_PER_BAR,
    TICKS_PER_BEAT,
    VOICES,
)
from cmt.music.words import Song

TABLE = Path(__file__).with_suffix(".csv")
WINDOW, HOP = 8, 4  # bars
LAGS = (1, 4)  # bars ago
FEW = 8  # notes or onsets: of fewer nothing is told
BASS = INSTRUMENT_CLASS["Bass"]
PITCHED = {name: label for name, label in INSTRUMENT_CLASS.items() if label != DRUMS}
HARMONIC = {name: label for name, label in PITCHED.items() if label != BASS}
INTERVAL_CLASSES = PITCH_CLASSES // 2
TELLING = range(1, 5)  # interval classes: the shares of the others follow


def log_odds(song: Song) -> float:
    """Natural logarithm of the odds that people made a song, but for a constant.

    It is the mean over the song's windows. The last bar, an ending, is left out where there are
    others. NaN where there is no note.
    """
    names, (means, deviations, weights) = table()
    found = [
        standard([figures[name] for name in names], means, deviations) @ weights
        for figures in map(figures_of, windows(song))
    ]
    return float(np.mean(found)) if found else math.nan


def windows(song: Song) -> Iterator[Song]:
    """The bars of a song but the last, `WINDOW` at a time; those without a note left out."""
    last = max(bars_of(song) - 1, 1)
    for bar in range(0, max(last - WINDOW, 0) + 1, HOP):
        begin, length = bar * TICKS_PER_BAR, min(WINDOW, last - bar) * TICKS_PER_BAR
        first, end = np.searchsorted(song.notes["tick"], [begin, begin + length])
        notes = song.notes[first:end].copy()
        notes["tick"] -= begin
        if len(notes):
            yield Song(notes, length).until(length)


def figures_of(song: Song) -> dict[str, float]:
    """The figures of a few bars, by name; NaN where one cannot be told."""
    return {**_repetition(song), **_lines(song), **_chords(song), **_drums(song), **_harmony(song)}


def _of(song: Song, label: int) -> np.ndarray:
    """An instrument's notes."""
    return song.notes[song.notes["instrument"] == label]


def _share(condition: NDArray[np.bool_]) -> float:
    return float(condition.mean()) if len(condition) >= FEW else math.nan


def _repetition(song: Song) -> dict[str, float]:
    """How much of an instrument's bars is as it was some bars ago.

    It is the notes that two bars share in those that either has (Jaccard's index), in the mean over
    pairs of which one has any.
    """
    result = {}
    bars = bars_of(song)
    for name, label in INSTRUMENT_CLASS.items():
        notes = _of(song, label)
        roll = np.zeros((bars * TICKS_PER_BAR, PITCHES), bool)
        roll[notes["tick"], notes["pitch"]] = True
        roll = roll.reshape(bars, -1)
        for lag in LAGS:
            now, before = roll[lag:], roll[:-lag]
            both, either = (now & before).sum(1), (now | before).sum(1)
            alike = both[either > 0] / either[either > 0]
            result[f"{name}, as {lag} ago"] = float(alike.mean()) if len(alike) else math.nan
    return result


def _lines(song: Song) -> dict[str, float]:
    """How an instrument's highest notes follow one another, and how long they are held."""
    result = {}
    for name, label in PITCHED.items():
        ticks, pitches, durations = _top(_of(song, label))
        moves = np.abs(np.diff(pitches))
        near = np.diff(ticks) <= TICKS_PER_BAR
        result[f"{name}, same note"] = _share(moves[near] == 0)
        result[f"{name}, step"] = _share((moves[near] == 1) | (moves[near] == 2))
        held = durations[:-1] >= np.diff(ticks)
        result[f"{name}, legato"] = _share(held[near])
    return result


def _top(notes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tick, pitch and duration of the highest note of each onset."""
    notes = notes[np.lexsort((-notes["pitch"].astype(int), notes["tick"]))]
    top = notes[np.diff(notes["tick"], prepend=-1) > 0]
    return top["tick"].astype(int), top["pitch"].astype(int), top["duration"].astype(int)


def _chords(song: Song) -> dict[str, float]:
    """Which chords an instrument's hands take."""
    result = {}
    for name, label in HARMONIC.items():
        notes = _of(song, label)
        ticks, of_note = np.unique(notes["tick"], return_inverse=True)
        shapes = np.zeros((len(ticks), PITCHES), bool)
        shapes[of_note, notes["pitch"]] = True
        chords = shapes[shapes.sum(1) > 1]
        kept = (chords[1:] == chords[:-1]).all(1)
        result[f"{name}, chord kept"] = _share(kept)
    return result


def _drums(song: Song) -> dict[str, float]:
    """What a drummer plays, and where."""
    notes = _of(song, DRUMS)
    place = notes["tick"] % TICKS_PER_BAR
    voices = {voice: np.isin(notes["pitch"], pitches) for voice, pitches in VOICES.items()}
    result = {f"Drums, {voice}": _share(voices[voice]) for voice in ("open hi-hat", "crash")}
    result["Drums, sounds"] = (
        math.log(len(np.unique(notes["pitch"]))) if len(notes) >= FEW else math.nan
    )
    result["Drums, kick on 1 or 3"] = _share(place[voices["kick"]] % (2 * TICKS_PER_BEAT) == 0)
    backbeat = place % (2 * TICKS_PER_BEAT) == TICKS_PER_BEAT
    result["Drums, snare on 2 or 4"] = _share(backbeat[voices["snare"]])
    return result


def _harmony(song: Song) -> dict[str, float]:
    """What sounds together."""
    sounding = _sounding(song.pitched, song.length)
    pairs = np.array(
        [
            (sounding & np.roll(sounding, interval, axis=1)).sum()
            for interval in range(1, INTERVAL_CLASSES + 1)
        ],
        float,
    )
    pairs[-1] /= 2  # a tritone is its own inversion
    total = pairs.sum()
    return {
        f"interval class {interval}": pairs[interval - 1] / total if total else math.nan
        for interval in TELLING
    }


def _sounding(notes: np.ndarray, length: int) -> NDArray[np.bool_]:
    """Which pitch classes sound in each tick, (length, 12)."""
    change = np.zeros((length + 1, PITCH_CLASSES), int)
    pitch_class = notes["pitch"] % PITCH_CLASSES
    ends = np.minimum(notes["tick"] + np.maximum(notes["duration"], 1), length)
    np.add.at(change, (notes["tick"], pitch_class), 1)
    np.add.at(change, (ends, pitch_class), -1)
    return change.cumsum(0)[:-1] > 0


def standard(
    values: NDArray[np.float64] | Sequence[float],
    means: NDArray[np.float64],
    deviations: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Values (…, figures) in standard deviations from the mean; 0 where one cannot be told."""
    return np.nan_to_num((values - means) / deviations)


@functools.cache
def table() -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Names of the figures, and (3, figures): means of takes, deviations, weights of these."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        _, *rows = csv.reader(file)
    numbers = np.array([row[1:] for row in rows], float).T
    numbers.flags.writeable = False
    return tuple(row[0] for row in rows), numbers
