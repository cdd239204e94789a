"""Cleaning of MIDI music as found, before it is learned from.

The words know one meter, one grid, and one of each note of an instrument at a tick. What files
hold beyond that would become wrong music: bars in other meters, triplets rounded to sixteenths,
parts that double each other after the merge into five tracks, songs too long for a data set.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from cmt.vocabulary import INSTRUMENT_CLASS, TICKS_PER_BAR, TICKS_PER_BEAT
from cmt.words import Song, song_to_words

if TYPE_CHECKING:
    from symusic.core import ScoreTick

DRUMS = INSTRUMENT_CLASS["Drums"]
# Sticks, metronome, claves and wood blocks of General MIDI's drum map: they count a song in.
CLICKS = (31, 33, 34, 37, 75, 76, 77)
OFF_GRID = 0.25  # ticks; a player's liberties are less, two of three triplets are 1/3 off


def off_grid(score: ScoreTick) -> float:
    """Share of onsets, 0 … 1, that are far from any sixteenth."""
    times = np.concatenate([track.notes.numpy()["time"] for track in score.tracks])
    position = times * (TICKS_PER_BEAT / score.tpq)
    return float((np.abs(position - np.rint(position)) > OFF_GRID).mean())


def four_four(score: ScoreTick, length: int) -> list[tuple[int, int]]:
    """Stretches (start, stop) in which a bar is a whole note, in grid ticks up to `length`.

    A file that names no time signature is in 4/4, as MIDI has it.
    """
    changes = {0: 1.0}  # tick → bar in whole notes; the last of several at a tick holds
    for change in sorted(score.time_signatures, key=lambda change: change.time):
        tick = round(change.time * TICKS_PER_BEAT / score.tpq)
        changes[tick] = change.numerator / change.denominator
    ticks = [*changes, max(length, *changes)]
    stretches: list[tuple[int, int]] = []
    for bar, (start, stop) in zip(changes.values(), pairwise(ticks), strict=True):
        stop = min(stop, length)
        if bar != 1 or stop <= start:
            continue
        if stretches and stretches[-1][1] == start:
            before = stretches[-1][0]
            if (start - before) % TICKS_PER_BAR == 0:  # 4/4 said again, or 2/2
                start = before
                stretches.pop()
        stretches.append((start, stop))
    return stretches


def crop(song: Song, start: int, stop: int) -> Song:
    """The notes that begin in ticks start … stop − 1, from the first bar that has one on.

    Notes end with the crop.
    """
    notes = song.notes[(song.notes["tick"] >= start) & (song.notes["tick"] < stop)]
    notes = notes.copy()
    if not len(notes):
        return Song(notes, 0)
    notes["tick"] -= start
    notes["duration"] = np.minimum(notes["duration"], stop - start - notes["tick"])
    notes["tick"] -= notes["tick"].min() // TICKS_PER_BAR * TICKS_PER_BAR
    return Song(notes, int((notes["tick"] + notes["duration"]).max()))


def without_count_in(song: Song) -> Song:
    """The song from its first bar that is more than clicks on."""
    clicks = (song.notes["instrument"] == DRUMS) & np.isin(song.notes["pitch"], CLICKS)
    music = song.notes["tick"][~clicks]
    start = int(music.min()) // TICKS_PER_BAR * TICKS_PER_BAR if len(music) else song.length
    return crop(song, start, song.length)


def without_doubles(song: Song) -> Song:
    """The song with each pitch of an instrument sounding once at a time.

    Of equal notes at one tick the longest stays; a note that is struck again while it sounds
    ends there.
    """
    notes = song.notes
    key = notes["instrument"].astype(np.int64) * 128 + notes["pitch"]
    order = np.lexsort([-notes["duration"], notes["tick"], key])
    same = (np.diff(key[order]) == 0) & (np.diff(notes["tick"][order]) == 0)
    kept = order[np.append(True, ~same)] if len(order) else order
    result = notes[kept].copy()
    again = np.diff(key[kept]) == 0
    gap = np.diff(result["tick"])
    result["duration"][:-1][again] = np.minimum(result["duration"][:-1], gap)[again]
    return Song(result[np.argsort(kept, kind="stable")], song.length)


def pieces(song: Song, max_words: int) -> list[Song]:
    """The song in as few pieces of like length as hold at most `max_words` words each."""
    bars = math.ceil(song.length / TICKS_PER_BAR)
    for count in range(1, bars + 1):
        cuts = [round(bars * piece / count) * TICKS_PER_BAR for piece in range(count + 1)]
        result = [crop(song, start, stop) for start, stop in pairwise(cuts)]
        result = [piece for piece in result if len(piece.notes)]
        if all(len(song_to_words(piece)) <= max_words for piece in result):
            return result
    return []


def bar_prints(song: Song, min_notes: int = 4) -> set[bytes]:
    """What is played in each bar, the same for equal bars: near-copies share many.

    Drums are left out, as many songs share their patterns.
    """
    notes = song.notes[song.notes["instrument"] != DRUMS]
    bars = notes["tick"] // TICKS_PER_BAR
    prints = set()
    for bar in np.unique(bars):
        here = notes[bars == bar]
        if len(here) >= min_notes:
            prints.add(np.sort(here["tick"] % TICKS_PER_BAR * 128 + here["pitch"]).tobytes())
    return prints
