"""The longest passage of a piece that is copied from other music, in any key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cmt.music.words import Song

_PITCH_BITS, _TICK_BITS = 8, 32  # of a note as one integer


@dataclass(frozen=True)
class Copy:
    """The longest passage of a piece that is found in a corpus.

    Attributes:
        notes: its notes.
        distinct: different steps from note to note among them: few for a pattern that repeats.
        tick: where it begins in the piece.
        instrument: class of the track that plays it there.
        source: name of the song that it is found in; None for a single note, found anywhere.
        source_tick: where it begins there.
    """

    notes: int
    distinct: int
    tick: int
    instrument: int
    source: str | None
    source_tick: int


class Corpus:
    """Songs in which copied passages are looked for; about 40 bytes per note.

    Args:
        songs: the songs.
        names: of the songs.
        clusters: of near-copies that they belong to; None makes each a cluster of its own name.
    """

    def __init__(
        self, songs: Sequence[Song], names: Sequence[str], clusters: Sequence[str] | None = None
    ) -> None:
        keys = [_track_notes(song) for song in songs]
        self.names = list(names)
        self.clusters = np.array(list(names if clusters is None else clusters), object)
        self.starts = np.cumsum([0, *map(len, keys)])[:-1]
        self.keys = np.concatenate([*keys, np.zeros(0, np.int64)])
        self.room = np.concatenate([*map(_steps_left, keys), np.zeros(0, np.int64)])
        self.hashes = _Hashes(self.keys)

    def source(self, places: np.ndarray) -> np.ndarray:
        """Index of the song that each note is of."""
        return np.searchsorted(self.starts, places, side="right") - 1


def cluster_of(about: Mapping[str, Any], number: int) -> str:
    """The cluster of near-copies that a song of a data set is in, or what is its own alone."""
    return str(about.get("cluster") or f"song {about.get('id', number)}")


def longest_copy(song: Song, corpus: Corpus, cluster: str | None = None) -> Copy | None:
    """Find the longest passage of one track that a track of the corpus has, too, in any key.

    A passage is consecutive notes of a pitched track, by onset and then pitch, unisons once;
    two are the same if all ticks from note to note and all intervals are. Tracks of all pitched
    instruments are compared with each other; durations do not count. Drums are left out, as
    their loops are common property. A single note is always copied, and songs that are no copies
    share patterns of few distinct steps, such as a bass on one note: compare with theirs.
    Source: the longest subsequence in common with the corpus, of Papadopoulos, Roy & Pachet,
    "Avoiding Plagiarism in Markov Sequence Generation", AAAI 2014.

    Args:
        song: the piece.
        corpus: where to look.
        cluster: of near-copies, to be left out: the song's own, if it is of the corpus itself.

    Returns:
        The passage, or None if the song has no pitched notes.
    """
    keys = _track_notes(song)
    if not len(keys):
        return None
    room, hashes = _steps_left(keys), _Hashes(keys)
    low, high = 0, int(room.max())  # steps: known to be copied, and not known not to be
    places = np.flatnonzero(corpus.room > 0)  # where a passage of `low` steps may be in the corpus
    if cluster is not None:
        places = places[corpus.clusters[corpus.source(places)] != cluster]
    mine, galloping = np.flatnonzero(room > 0), True
    while low < high:
        steps = min(max(2 * low, 8), high) if galloping else (low + high + 1) // 2
        places_now = places[corpus.room[places] >= steps]
        mine_now = mine[room[mine] >= steps]
        theirs, ours = corpus.hashes.of(places_now, steps), hashes.of(mine_now, steps)
        places_now = places_now[_among(theirs, ours)]
        if len(places_now):
            low, places = steps, places_now
            mine = mine_now[np.isin(ours, corpus.hashes.of(places, steps))]
        else:
            high, galloping = steps - 1, False
    at = int(mine[0]) if low else 0
    instrument, tick, _ = _decode(keys[at])
    if not low:
        return Copy(1, 0, tick, instrument, None, 0)
    found = places[corpus.hashes.of(places, low) == hashes.of(mine[:1], low)][0]
    source = int(corpus.source(found))
    distinct = len(np.unique(np.diff(keys[at : at + low + 1])))
    source_tick = _decode(corpus.keys[found])[1]
    return Copy(low + 1, distinct, tick, instrument, corpus.names[source], source_tick)


def _track_notes(song: Song) -> np.ndarray:
    """Notes of the pitched tracks, track by track, as integers: instrument, tick, pitch."""
    notes = song.pitched
    instrument, tick = (notes[name].astype(np.int64) for name in ("instrument", "tick"))
    return np.unique(
        (((instrument << _TICK_BITS) + tick) << _PITCH_BITS) + notes["pitch"].astype(np.int64)
    )


def _decode(key: np.int64) -> tuple[int, int, int]:
    instrument, rest = divmod(int(key), 1 << (_TICK_BITS + _PITCH_BITS))
    return instrument, *divmod(rest, 1 << _PITCH_BITS)


def _steps_left(keys: np.ndarray) -> np.ndarray:
    """Notes that follow each note in its track."""
    track = keys >> (_TICK_BITS + _PITCH_BITS)
    return np.searchsorted(track, track, side="right") - 1 - np.arange(len(keys))


class _Hashes:
    """64-bit polynomial hashes of any runs of steps from note to note.

    The difference of two notes' integers tells ticks and interval, which is less than half of
    a tick's unit. Prefix sums make a run's hash two look-ups, whatever its length.
    """

    _BASE = 0x9E3779B97F4A7C15  # odd: it has an inverse modulo 2^64

    def __init__(self, keys: np.ndarray) -> None:
        steps = np.diff(keys).astype(np.uint64) * np.uint64(0xBF58476D1CE4E5B9)
        steps = (steps ^ (steps >> np.uint64(29))) * np.uint64(0x94D049BB133111EB)
        power = np.cumprod(np.full(len(steps), self._BASE, np.uint64))
        self._sums = np.concatenate([[np.uint64(0)], np.cumsum(steps * power)])
        inverse = pow(self._BASE, -1, 1 << 64)
        self._unshift = np.cumprod(np.full(len(keys), inverse, np.uint64))

    def of(self, first: np.ndarray, steps: int) -> np.ndarray:
        """Hashes of the runs of `steps` steps from each note of `first` on, uint64."""
        return (self._sums[first + steps] - self._sums[first]) * self._unshift[first]


def _among(values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Indices of the values that are among those wanted."""
    # A table of their top 16 bits rules out most of many values, fast.
    table = np.zeros(1 << 16, bool)
    table[wanted >> np.uint64(48)] = True
    maybe = np.flatnonzero(table[values >> np.uint64(48)])
    return maybe[np.isin(values[maybe], wanted)]
