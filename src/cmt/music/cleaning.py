"""Cleaning of MIDI music as found, before it is learned from.

The words know one meter, one grid, and one of each note of an instrument at a tick. What files
hold beyond that would become wrong music: bars in other meters, triplets rounded to sixteenths,
parts that double each other after the merge into five tracks, songs too long for a data set.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from cmt.music.vocabulary import DRUMS, PITCHES, TICKS_PER_BAR, TICKS_PER_BEAT
from cmt.music.words import Song, song_to_words

if TYPE_CHECKING:
    from symusic.core import ScoreSecond, ScoreTick

# Sticks, metronome, claves and wood blocks of General MIDI's drum map: they count a song in.
CLICKS = (31, 33, 34, 37, 75, 76, 77)
OFF_GRID = 0.25  # ticks; a player's liberties are less, two of three triplets are 1/3 off
MAX_OFF_GRID = 0.2  # share of a score's onsets
# A swung note is late in its beat, or half beat; triplets and shuffles have early ones too.
EARLY = 0.25  # early notes to late ones, at most
NEAR = 0.04  # of its length, how far from a third of it a note of a pair may be
SIXTEENTHS = (4.0, 13.3)  # a second: 60 to 200 BPM
AGREEMENT = 0.95  # with the onsets, of a slower tempo to be taken, relative to the best one's
STEP = 0.001  # seconds, of the search for a tempo
OVERSAMPLING = 10  # of its spectrum, so that the last onset is within a tenth of a sixteenth
RESOLUTION = 480  # of rewritten scores, MIDI ticks per quarter


def on_grid(score: ScoreTick) -> ScoreTick | None:
    """The score with its onsets on sixteenths, or None where no way is found to put them there.

    Swung eighths or sixteenths are evened out. Music in a tempo of its own, whatever its file
    says, as games have it, is put into that tempo.
    """
    if off_grid(onsets(score)) <= MAX_OFF_GRID:
        return score
    pairs = (TICKS_PER_BEAT, TICKS_PER_BEAT // 2)
    swung = [pair for pair in pairs if is_swung(onsets(score), pair)]
    if not swung:
        return at_own_tempo(score)
    scale = TICKS_PER_BEAT / score.tpq
    return _rewritten(score, score, lambda time: evened(time * scale, swung[0]))


def onsets(score: ScoreTick) -> NDArray[np.float64]:
    """Onsets of all notes, in ticks of the grid, not rounded."""
    times = np.concatenate([track.notes.numpy()["time"] for track in score.tracks])
    return times * (TICKS_PER_BEAT / score.tpq)


def off_grid(onsets: NDArray[np.float64]) -> float:
    """Share of onsets, 0 … 1, that are far from any sixteenth."""
    return float((np.abs(onsets - np.rint(onsets)) > OFF_GRID).mean())


def is_swung(onsets: NDArray[np.float64], pair: int) -> bool:
    """Whether of two notes in `pair` ticks the second comes at two thirds, not at the half."""
    phase = onsets % pair / pair
    early, late = (np.mean(np.abs(phase - third) < NEAR) for third in (1 / 3, 2 / 3))
    return bool(early < EARLY * late and off_grid(evened(onsets, pair)) <= MAX_OFF_GRID)


def evened(time: NDArray[np.float64], pair: int) -> NDArray[np.float64]:
    """Times in ticks with swung pairs made even: two thirds of a pair become its half."""
    start = time // pair * pair
    return start + np.interp(time - start, [0, 2 / 3 * pair, pair], [0, pair / 2, pair])


def at_own_tempo(score: ScoreTick) -> ScoreTick | None:
    """The score in 4/4 at the constant tempo of its onsets, the first of them on a downbeat.

    The sixteenths of a tempo are a comb, which the onsets agree with as far as their phases in
    it do; the slowest tempo is taken that they agree with as well as with the best.

    Returns:
        None if they keep to no tempo of 60 … 200 BPM, or repeat themselves in other bars.
    """
    from symusic.core import TempoTick, TempoTickList, TimeSignatureTickList

    timed = cast("ScoreSecond", score.to("second"))
    notes = [track.notes.numpy() for track in timed.tracks]
    time, pitch = (np.concatenate([note[key] for note in notes]) for key in ("time", "pitch"))
    onsets = np.bincount(np.rint((time - time.min()) / STEP).astype(int)) > 0
    bins = OVERSAMPLING * len(onsets)
    rates = np.fft.rfftfreq(bins, STEP)
    within = slice(*np.searchsorted(rates, SIXTEENTHS))
    agreement = np.abs(np.fft.rfft(onsets, bins)[within])
    peaks, _ = signal.find_peaks(agreement, AGREEMENT * agreement.max(initial=0))
    if not len(peaks):
        return None
    rate = rates[within][peaks[0]]
    tick = (time - time.min()) * rate
    if off_grid(tick) > MAX_OFF_GRID or not _in_fours(np.rint(tick).astype(int), pitch):
        return None
    result = _rewritten(score, timed, lambda seconds: (seconds - time.min()) * rate)
    result.tempos = TempoTickList([TempoTick(0, rate * 60 / TICKS_PER_BEAT)])
    result.time_signatures = TimeSignatureTickList()
    return result


def _in_fours(tick: NDArray[np.int_], pitch: NDArray[np.integer[Any]]) -> bool:
    """Whether notes come again after one and two bars of four beats, rather than of three."""
    place = tick * PITCHES + pitch
    four, three = (
        sum(np.isin(place + bars * bar * PITCHES, place).mean() for bars in (1, 2))
        for bar in (TICKS_PER_BAR, TICKS_PER_BAR - TICKS_PER_BEAT)
    )
    return bool(four > three)


def _rewritten(
    score: ScoreTick,
    timed: ScoreTick | ScoreSecond,
    grid: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> ScoreTick:
    """The score with its notes where `grid` puts the times of those in `timed`, in ticks."""
    from symusic.core import NoteTickList

    result = score.resample(RESOLUTION)
    timed_notes = [track.notes.numpy() for track in timed.tracks]
    for track, notes in zip(result.tracks, timed_notes, strict=True):
        start, end = (
            np.rint(grid(time.astype(np.float64)) * (RESOLUTION / TICKS_PER_BEAT)).astype(np.int32)
            for time in (notes["time"], notes["time"] + notes["duration"])
        )
        track.notes = NoteTickList.from_numpy(start, end - start, notes["pitch"], notes["velocity"])
    return result


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
    key = notes["instrument"].astype(np.int64) * PITCHES + notes["pitch"]
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
    notes = song.pitched
    bars = notes["tick"] // TICKS_PER_BAR
    prints = set()
    for bar in np.unique(bars):
        here = notes[bars == bar]
        if len(here) >= min_notes:
            prints.add(np.sort(here["tick"] % TICKS_PER_BAR * PITCHES + here["pitch"]).tobytes())
    return prints
