"""Notes ⇄ compound words.

A song's words are an integer array `(length, 10)` with the columns of
`cmt.music.vocabulary.COLUMNS`, or `(length, 11)` in our own vocabulary: a bar word at the start of
every bar, a beat word before each simu-note (the notes of one instrument at one tick), a note word
per note, and an EOS row of zeros.
Source: paper section 4.1; original: midi2numpy_mix.py, numpy2midi_mix.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cmt.music.vocabulary import (
    BAR,
    COLUMNS,
    DRUMS,
    EOS,
    INSTRUMENTS,
    LOUDNESSES,
    MAX_DURATION,
    MAX_WORDS,
    METRICAL,
    NOTE,
    OWN,
    PITCHES,
    PUBLISHED,
    TICKS_PER_BAR,
    VELOCITY,
    Vocabulary,
    told_by,
)
from cmt.untrusted import within

# tick: onset from the start of the song; duration in ticks; instrument: its class, 1 … 5.
NOTE_DTYPE = np.dtype(
    [("tick", np.int32), ("pitch", np.int16), ("duration", np.int32), ("instrument", np.int16)]
)
# Of notes of which it is known how loud they are: 1 … 127, 0 where it is not.
PLAYED_DTYPE = np.dtype([*NOTE_DTYPE.descr, ("velocity", np.int16)])
VELOCITIES = 128 // LOUDNESSES  # in a class

# The widest type that any word needs.
WORD_DTYPE = np.dtype(np.int32)

# The highest value of each column in a data set.
HIGHEST = {field.name: field.size - 1 - field.offset for field in OWN.embedded} | {
    "strength": MAX_WORDS,
    "i_beat": MAX_WORDS * TICKS_PER_BAR,
    "n_beat": MAX_WORDS * TICKS_PER_BAR,
}


@dataclass(frozen=True)
class Song:
    """Notes on the tick grid.

    Attributes:
        notes: array of `NOTE_DTYPE` or `PLAYED_DTYPE`, sorted by tick.
        length: ticks in the song (the words' n_beat).
    """

    notes: np.ndarray
    length: int

    @property
    def velocities(self) -> np.ndarray | None:
        """How loud its notes are, (notes,): 1 … 127, or 0; None where that is not known."""
        return self.notes["velocity"] if VELOCITY.name in self.notes.dtype.names else None

    @property
    def pitched(self) -> np.ndarray:
        """Its notes, those of the drums left out."""
        return self.notes[self.notes["instrument"] != DRUMS]

    def until(self, end: int) -> Song:
        """The song as it ends at a tick: notes from there on left out, those that sound cut."""
        notes = self.notes[self.notes["tick"] < end].copy()
        notes["duration"] = np.minimum(notes["duration"], end - notes["tick"])
        return Song(notes, end)


def song_to_words(song: Song, vocabulary: Vocabulary = PUBLISHED) -> np.ndarray:
    """Write a song as compound words.

    Every bar up to the one that holds tick `song.length` gets a bar word. Notes keep their order
    within a tick; where the instrument changes a new beat word begins. Durations are capped.

    Args:
        song: the notes.
        vocabulary: whose columns are written.

    Returns:
        (length, columns) int32, the EOS row included.

    Raises:
        ValueError: the song has no length, or a note that no word can hold.
    """
    tick, pitch, duration, instrument, loudness = _checked(song)
    bars = np.arange(song.length // TICKS_PER_BAR + 1)
    bar = tick // TICKS_PER_BAR
    simu_note = tick * (len(INSTRUMENTS) + 1) + instrument
    is_first = np.diff(simu_note, prepend=-1) != 0
    first = np.flatnonzero(is_first)  # notes before which a beat word stands

    # Onset positions that are left from a tick to the end of its bar, that tick included.
    onsets = tick[np.diff(tick, prepend=-1) != 0]
    bar_starts = np.searchsorted(onsets, bars * TICKS_PER_BAR)
    bar_ends = np.append(bar_starts[1:], len(onsets))
    left = bar_ends[bar[first]] - np.searchsorted(onsets, tick[first])

    columns = vocabulary.columns
    words = np.zeros((len(bars) + len(first) + len(tick) + 1, len(columns)), WORD_DTYPE)
    column = {name: words[:, index] for index, name in enumerate(columns)}
    # A word's row is the number of bar, beat and note words before it.
    notes_before = np.searchsorted(tick, bars * TICKS_PER_BAR)
    rows = bars + np.searchsorted(first, notes_before) + notes_before
    column["type"][rows] = METRICAL
    column["beat"][rows] = BAR
    column["density"][rows] = bar_ends - bar_starts + 1
    column["i_beat"][rows] = bars * TICKS_PER_BAR

    rows = bar[first] + 1 + np.arange(len(first)) + first
    column["type"][rows] = METRICAL
    column["beat"][rows] = tick[first] % TICKS_PER_BAR + 1
    column["density"][rows] = left
    column["instr_type"][rows] = instrument[first]
    column["strength"][rows] = np.bincount(simu_note)[simu_note[first]]
    column["i_beat"][rows] = tick[first]

    rows = bar + 1 + np.cumsum(is_first) + np.arange(len(tick))
    column["type"][rows] = NOTE
    column["pitch"][rows] = pitch + 1
    column["duration"][rows] = np.minimum(duration, MAX_DURATION) + 1
    column["instr_type"][rows] = instrument
    column["i_beat"][rows] = tick
    if VELOCITY in vocabulary.fields:
        column["velocity"][rows] = loudness

    column["n_beat"][:-1] = song.length
    column["p_beat"][:-1] = 100 * column["i_beat"][:-1].astype(np.int64) // song.length
    return words


def _checked(song: Song) -> tuple[np.ndarray, ...]:
    """Tick, pitch, duration, instrument and class of velocity of the notes, by tick.

    Raises:
        ValueError: words cannot hold them.
    """
    if song.length < 1:
        raise ValueError("the song has no length")
    order = np.argsort(song.notes["tick"], kind="stable")
    notes = song.notes[order]
    tick, pitch, duration, instrument = (np.array(notes[name]) for name in NOTE_DTYPE.names or ())
    for name, values, low, high in (
        ("tick", tick, 0, song.length),
        ("pitch", pitch, 0, PITCHES - 1),
        ("duration", duration, 0, np.inf),
        ("instrument", instrument, 1, len(INSTRUMENTS)),
    ):
        if _outside(values, low, high).any():
            raise ValueError(f"a note's {name} is outside {low} … {high}")
    return tick, pitch, duration, instrument, _loudness(song)[order]


def _loudness(song: Song) -> np.ndarray:
    """The class of the velocity of each note, (notes,).

    Of a track whose notes are all equally loud it is 0, not known: nobody has played it so.
    """
    velocities = song.velocities
    loudness = np.zeros(len(song.notes), WORD_DTYPE)
    if velocities is None:
        return loudness
    for instrument in np.unique(song.notes["instrument"]):
        mine = (song.notes["instrument"] == instrument) & (velocities > 0)
        if len(np.unique(velocities[mine])) > 1:
            loudness[mine] = velocities[mine] // VELOCITIES + 1
    return loudness


def words_to_song(words: np.ndarray) -> Song:
    """Read compound words, up to the first EOS, as notes.

    A note sounds at the position of the last beat word, also when a bar word came since; a
    metrical word of beat 0 changes nothing. The length is the words' n_beat, where they have
    that column, else whole bars; never less than where the last note ends.

    Args:
        words: (length, ≥ 7) int, columns in the order of `COLUMNS`, or of our own vocabulary.

    Raises:
        ValueError: an attribute that no word of its type can have, or a note before the
            first bar; the message names the word's index.
    """
    words = np.asarray(words)
    if words.ndim != 2 or words.shape[1] < COLUMNS.index("strength") + 1:
        raise ValueError(f"words must be (length, {len(COLUMNS)}), not {words.shape}")
    words = words.astype(np.int64)
    columns = _columns(words)
    ends = np.flatnonzero(words[:, COLUMNS.index("type")] == EOS)
    words = words[: ends[0]] if len(ends) else words
    column = {name: words[:, index] for index, name in enumerate(columns)}
    metrical, note = column["type"] == METRICAL, column["type"] == NOTE
    bar = np.cumsum(metrical & (column["beat"] == BAR)) - 1
    _check_notes(column, bar)

    # Forward fill: the row of the last beat word at or before each row, −1 before any.
    is_beat = metrical & (column["beat"] >= 1) & (column["beat"] < BAR)
    last = np.maximum.accumulate(np.where(is_beat, np.arange(len(words)), -1))
    position = np.where(last >= 0, column["beat"][last] - 1, 0)

    played = VELOCITY.name in column
    notes = np.empty(np.count_nonzero(note), PLAYED_DTYPE if played else NOTE_DTYPE)
    notes["tick"] = (bar * TICKS_PER_BAR + position)[note]
    notes["pitch"] = column["pitch"][note] - 1
    notes["duration"] = column["duration"][note] - 1
    notes["instrument"] = column["instr_type"][note]
    if played:
        loudness = column[VELOCITY.name][note]
        notes["velocity"] = np.where(loudness > 0, VELOCITIES * loudness - VELOCITIES // 2, 0)
    in_order = np.argsort(notes["tick"], kind="stable")
    n_beat = column["n_beat"].max(initial=0) if "n_beat" in column else 0
    length = n_beat or TICKS_PER_BAR * (bar.max(initial=-1) + 1)
    last_end = np.max(notes["tick"] + notes["duration"], initial=0)
    return Song(notes[in_order], int(max(length, last_end)))


def _check_notes(column: Mapping[str, np.ndarray], bar: np.ndarray) -> None:
    """See that words by column, each in its bar, can be read as notes.

    Raises:
        ValueError: as `words_to_song`.
    """
    metrical, note = column["type"] == METRICAL, column["type"] == NOTE
    wrong = [
        (~(metrical | note), "its type is none of 0, 1, 2"),
        (metrical & _outside(column["beat"], 0, BAR), f"its beat is not in 0 … {BAR}"),
        (note & (bar < 0), "a note before the first bar"),
    ]
    for name, high in (
        ("pitch", PITCHES),
        ("duration", MAX_DURATION + 1),
        ("instr_type", len(INSTRUMENTS)),
    ):
        reason = f"a note whose {name} is not in 1 … {high}"
        wrong.append((note & _outside(column[name], 1, high), reason))
    if VELOCITY.name in column:
        loudness = column[VELOCITY.name]
        reason = f"a note whose velocity is not in 0 … {LOUDNESSES}"
        wrong.append((note & _outside(loudness, 0, LOUDNESSES), reason))
    for where, reason in wrong:
        if where.any():
            raise ValueError(f"word {np.argmax(where)}: {reason}")


def check_words(words: np.ndarray) -> None:
    """See that words of a file are a song's, with its end or without.

    A strength may be beyond what the model can tell.

    Args:
        words: (length, columns) integers.

    Raises:
        ValueError: a value is outside its range, or a word is where none of its kind can be; the
            message tells place and value.
    """
    if len(words) < 2:
        raise ValueError("it has no words")
    columns = _columns(words)
    column = {name: words[:, index] for index, name in enumerate(columns)}
    for name, values in column.items():
        within(values, name, 0, HIGHEST[name])
    words = words.astype(np.int64)
    column = {name: words[:, index] for index, name in enumerate(columns)}
    note, end = column["type"] == NOTE, column["type"] == EOS
    played = np.minimum.reduce([column[name] for name in ("pitch", "duration", "instr_type")])
    late = column["i_beat"] > column["n_beat"]
    back = np.diff(column["i_beat"], prepend=0) < 0
    wrong = [
        (end & (np.arange(len(words)) < len(words) - 1), "an end before the end"),
        (note & (played < 1), "a note without pitch, duration or instrument"),
        (~note & (column.get("velocity", 0) != 0), "no note, and has a velocity"),
        (~end & late, "later than the song's last tick"),
        (~end & back, "before the last word's tick"),
    ]
    for where, reason in wrong:
        if where.any():
            row = int(np.argmax(where))
            raise ValueError(f"word {row}, {words[row].tolist()}, is {reason}")
    if column["type"][0] != METRICAL or column["beat"][0] != BAR:
        raise ValueError(f"its first word, {words[0].tolist()}, is no bar")


def _columns(words: np.ndarray) -> tuple[str, ...]:
    """Names of the columns of words; those of a plan lack the last."""
    width = words.shape[1]
    return told_by(width).columns[:width]


def _outside(values: np.ndarray, low: float, high: float) -> np.ndarray:
    return (values < low) | (values > high)
