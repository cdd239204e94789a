"""Objective measures of music: what a piece is like.

All are functions of a `Song`; `METRICS` lists those that need nothing else but its tempo. What
cannot be told of a piece, such as the pitches of a drum solo, is NaN. A piece has the bars up
to its length and its last note, empty ones included. Notes sound at least a tick and at most
a bar, as words hold them, so that a MIDI file and its words measure the same.

Sources: Wu & Yang, "The Jazz Transformer on the Front Line", ISMIR 2020, and its code MusDr
(entropy, grooving, structureness); Dong et al., "MusPy", ISMIR 2020 (scale consistency,
polyphony).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from cmt.music.keys import MODES, PITCH_CLASSES
from cmt.music.vocabulary import (
    BEATS_PER_BAR,
    MAX_DURATION,
    PITCHES,
    TICKS_PER_BAR,
    TICKS_PER_BEAT,
    tick_seconds,
)
from cmt.music.words import Song

# The self-similarity matrix, as in Müller's FMP notebooks, chapter 4 (libfmp).
KEPT = 0.15  # share of the pairs of bars that count as similar
PENALTY = -2.0  # what a path loses in a pair of bars that does not
# Durations of the repeated segments, seconds (Wu & Yang).
SHORT, MID, LONG = (3.0, 8.0), (8.0, 15.0), (15.0, math.inf)


def bars_of(song: Song) -> int:
    """Bars up to the song's length and its last note, at least one."""
    last = int(song.notes["tick"].max(initial=0))
    return max(-(-song.length // TICKS_PER_BAR), last // TICKS_PER_BAR + 1)


def excerpt(song: Song, bars: int) -> Song:
    """At most `bars` bars, from the first with a note on; notes that sound past it are cut."""
    first = int(song.notes["tick"].min(initial=song.length)) // TICKS_PER_BAR * TICKS_PER_BAR
    length = min(bars_of(song) * TICKS_PER_BAR - first, bars * TICKS_PER_BAR)
    notes = song.notes[song.notes["tick"] < first + length]
    notes["tick"] -= first
    notes["duration"] = np.minimum(notes["duration"], length - notes["tick"])
    return Song(notes, length)


def pitch_class_entropy(song: Song, bars: int) -> float:
    """Entropy of the pitch classes played, in bits: 0 (one class) to log2 12 = 3.58 (all alike).

    The histogram has 12 bins and counts onsets, drums left out. The mean is over all windows of
    `bars` bars, one bar apart, that have notes. NaN if none has or the piece is shorter.
    Source: Wu & Yang (their H1 and H4); low for a clear tonality.
    """
    notes = song.pitched
    count = np.zeros((bars_of(song), PITCH_CLASSES))
    np.add.at(count, (notes["tick"] // TICKS_PER_BAR, notes["pitch"] % PITCH_CLASSES), 1)
    if len(count) < bars:
        return math.nan
    windows = sliding_window_view(count, bars, axis=0).sum(axis=-1)
    windows = windows[windows.any(axis=1)]
    share = windows / windows.sum(axis=1, keepdims=True)
    entropy = -(share * np.log2(np.where(share > 0, share, 1))).sum(axis=1)
    return float(entropy.mean()) if len(entropy) else math.nan


def grooving_similarity(song: Song) -> float:
    """How alike the rhythms of the bars are: 1 − the mean share of positions that differ.

    A bar's rhythm is whether any track, drums included, has an onset on each of its 16 ticks;
    the mean is over all pairs of bars, empty ones included. From 0 to 1; NaN for one bar.
    Source: Wu & Yang (their GS).
    """
    bars = bars_of(song)
    if bars < 2:
        return math.nan
    onsets = np.unique(song.notes["tick"]) % TICKS_PER_BAR
    playing = np.bincount(onsets, minlength=TICKS_PER_BAR)
    # Of n bars, the k that play at a position differ there from the n − k that do not.
    differing = (playing * (bars - playing)).sum() / math.comb(bars, 2)
    return float(1 - differing / TICKS_PER_BAR)


def structureness(song: Song, tempo: float, low: float, high: float) -> float:
    """How well the best segment of `low` … `high` seconds explains the piece by its repetitions.

    The greatest `fitness` of the segments of whole bars whose duration is in the range, both
    ends included: 0 (nothing repeats) to nearly 1; NaN if the piece cannot hold even the shortest
    twice. A segment that comes k times, exactly and without pause, has 1 − 1/k. Comparable
    among pieces of about the same length only.
    Source: Wu & Yang (their SI; `SHORT`, `MID`, `LONG`). They analyse audio, in frames of a
    second or less; here a frame is a bar: segments of written music are bars, and repetitions
    then are exact at any tempo.

    Args:
        song: the piece; drums are left out.
        tempo: BPM.
        low: shortest duration of a segment, seconds.
        high: longest.
    """
    similarity = bar_similarity(song)
    bars = len(similarity)
    bar_seconds = TICKS_PER_BAR * tick_seconds(tempo)
    best = math.nan
    # Rounded, for a bar is 2 s at 120 BPM but 1.9999998 s at what a MIDI file makes of it.
    shortest = max(1, math.ceil(round(low / bar_seconds, 3)))
    longest = math.floor(round(min(high / bar_seconds, bars), 3))
    if 2 * shortest > bars:
        return math.nan
    for length in range(shortest, longest + 1):
        # Neither score nor coverage, both without the segment itself, can exceed this.
        if 1 - length / bars <= best:
            break
        best = float(np.fmax(best, fitness(similarity, length).max()))
    return best


def bar_similarity(song: Song) -> np.ndarray:
    """Self-similarity matrix of the pitched music, (bars, bars), 1 on the diagonal.

    A bar's features are its chromagram: the ticks that each pitch class sounds in each of its
    four beats, 48 bins. Similar are the `KEPT` share of all pairs of bars with the greatest
    cosine: the least of them gets 0, identical bars 1, all other pairs get `PENALTY`. Pairs of
    silent bars get 0, for silence repeats nothing and contradicts nothing.
    """
    bars = bars_of(song)
    tick, pitch = _sounding(song)
    chroma = np.zeros((bars * BEATS_PER_BAR, PITCH_CLASSES))
    np.add.at(chroma, (tick // TICKS_PER_BEAT, pitch % PITCH_CLASSES), 1)
    features = chroma.reshape(bars, -1)
    norm = np.linalg.norm(features, axis=1)
    silent = norm == 0
    features = features / np.where(silent, 1, norm)[:, None]
    cosine = np.round(features @ features.T, 9)  # 1 for identical bars
    pairs = cosine[~silent][:, ~silent][np.triu_indices(bars - silent.sum(), 1)]
    least = np.quantile(pairs, 1 - KEPT, method="higher") if len(pairs) else 1.0
    scaled = (cosine - least) / (1 - least) if least < 1 else cosine
    similarity = np.where(cosine >= least, scaled, PENALTY)
    similarity[np.ix_(silent, silent)] = 0
    np.fill_diagonal(similarity, 1)
    return similarity


def fitness(similarity: np.ndarray, length: int) -> np.ndarray:
    """Fitness of all segments of `length` frames: one row of the fitness scape plot.

    A path aligns the segment with some part of the piece in steps of (1, 1), (2, 1) or (1, 2)
    frames; a path family is paths whose parts of the piece do not overlap. Of the family with
    the greatest score (sum of similarity), the score and the frames of its parts, both less
    those of the segment itself, are divided by the paths' cells and by the piece's frames;
    fitness is the harmonic mean of the two.
    Source: Müller, Jiang & Grosche, "A Robust Fitness Measure for Capturing Repetitions in
    Music Recordings", IEEE TASLP 21(3), 2013; Müller, *Fundamentals of Music Processing*, 4.3.

    Ours, as libfmp brings 620 MB along (librosa, numba, music21, pandas), and its paths may
    leave out the segment's first frame when their score is summed but not when they are read.

    Args:
        similarity: (frames, frames), at most 1, and 1 on the diagonal.
        length: frames, 1 … frames.

    Returns:
        (frames − length + 1,) by the segment's first frame, 0 … 1.
    """
    frames = len(similarity)
    segments = sliding_window_view(similarity, length, axis=1)  # (frame, segment, frame of it)
    # Score, cells and covered frames of the best family so far: one that ends a path in this
    # frame and frame of the segment, and one that is between paths.
    last = np.zeros((3, frames - length + 1, length))
    last[0] = -np.inf
    before, between = last, np.zeros(last.shape[:2])
    cell = np.array([0, 1, 1])[:, None, None]
    skipping = np.array([0, 1, 2])[:, None, None]  # a step over a frame covers it, too
    for frame in range(frames):
        between = _better(between, last[..., -1])
        paths = np.empty_like(last)
        paths[..., 0] = between + cell[..., 0]
        paths[..., 1:] = _better(last[..., :-1] + cell, before[..., :-1] + skipping)
        paths[..., 2:] = _better(paths[..., 2:], last[..., :-2] + cell)
        paths[0] += segments[frame]
        before, last = last, paths
    score, cells, covered = _better(last[..., -1], between)
    score, coverage = (score - length) / cells, (covered - length) / frames
    harmonic = 2 * score * coverage / np.where(score + coverage > 0, score + coverage, 1)
    return np.where((score > 0) & (coverage > 0), harmonic, 0)


def _better(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Of two families, (score, cells, covered) each, the one of greater score."""
    return np.where(first[0] >= second[0], first, second)


def scale_consistency(song: Song) -> float:
    """Share of the notes, drums left out, in the major or minor scale that holds most of them.

    From 7/12 (all pitch classes alike) to 1; NaN without notes. The 24 scales are 12 sets of
    pitch classes, as the minor is natural. Source: MusPy's `scale_consistency`.
    """
    count = np.bincount(song.pitched["pitch"] % PITCH_CLASSES, minlength=PITCH_CLASSES)
    in_scale = [
        np.roll(count, -root)[list(MODES["major"].scale)].sum() for root in range(PITCH_CLASSES)
    ]
    return float(max(in_scale) / count.sum()) if count.any() else math.nan


def empty_bar_rate(song: Song) -> float:
    """Share of the bars in which no track sounds, drums included: 0 to 1.

    Source: Dong et al., "MuseGAN", AAAI 2018 (EB), here of all tracks together.
    """
    tick, _ = _sounding(song, drums=True)
    return 1 - len(np.unique(tick // TICKS_PER_BAR)) / bars_of(song)


def notes_per_bar(song: Song) -> float:
    """Notes of all tracks, drums included, per bar."""
    return len(song.notes) / bars_of(song)


def polyphony(song: Song) -> float:
    """Mean number of pitches, drums left out, that sound at once on the ticks where any does.

    At least 1; NaN without notes. Unisons of several tracks count once.
    Source: MusPy's `polyphony`.
    """
    tick, pitch = _sounding(song)
    if not len(tick):
        return math.nan
    return len(np.unique(tick * PITCHES + pitch)) / len(np.unique(tick))


def _sounding(song: Song, drums: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Tick and pitch of every note in every tick of the piece's bars in which it sounds."""
    notes = song.notes if drums else song.pitched
    ticks = np.clip(notes["duration"], 1, MAX_DURATION)
    since_onset = np.arange(ticks.sum()) - np.repeat(np.cumsum(ticks) - ticks, ticks)
    tick = np.repeat(notes["tick"], ticks) + since_onset
    inside = tick < bars_of(song) * TICKS_PER_BAR
    return tick[inside], np.repeat(notes["pitch"], ticks)[inside]


@dataclass(frozen=True)
class Metric:
    """One figure of a piece: column name, title with unit, function of song and tempo (BPM)."""

    name: str
    title: str
    function: Callable[[Song, float], float]


METRICS = (
    Metric(
        "entropy_1", "pitch-class entropy, 1 bar (bits)", lambda s, _: pitch_class_entropy(s, 1)
    ),
    Metric(
        "entropy_4", "pitch-class entropy, 4 bars (bits)", lambda s, _: pitch_class_entropy(s, 4)
    ),
    Metric("scale_consistency", "scale consistency", lambda s, _: scale_consistency(s)),
    Metric("grooving", "grooving similarity", lambda s, _: grooving_similarity(s)),
    Metric("structure_short", "structureness, 3–8 s", lambda s, t: structureness(s, t, *SHORT)),
    Metric("structure_mid", "structureness, 8–15 s", lambda s, t: structureness(s, t, *MID)),
    Metric("structure_long", "structureness, ≥ 15 s", lambda s, t: structureness(s, t, *LONG)),
    Metric("empty_bars", "empty-bar rate", lambda s, _: empty_bar_rate(s)),
    Metric("notes_per_bar", "notes per bar", lambda s, _: notes_per_bar(s)),
    Metric("polyphony", "polyphony (pitches)", lambda s, _: polyphony(s)),
)
