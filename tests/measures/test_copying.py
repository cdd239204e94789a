"""Copied passages, made by hand and searched for by brute force."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from cmt.measures.copying import Corpus, longest_copy
from cmt.music.words import NOTE_DTYPE, Song

DRUMS, PIANO, GUITAR, BASS = 1, 2, 3, 4


def song(*notes: tuple[int, int, int, int], length: int = 32) -> Song:
    return Song(np.array(list(notes), NOTE_DTYPE), length)


def line(
    pitches: list[int], step: int = 4, start: int = 0, instrument: int = PIANO
) -> list[tuple[int, int, int, int]]:
    """A melody of notes `step` ticks long, one after the other."""
    return [(start + i * step, pitch, step, instrument) for i, pitch in enumerate(pitches)]


def melody(pitches: list[int], step: int = 4) -> Song:
    return song(*line(pitches, step), length=len(pitches) * step)


def corpus_melody(length: int = 200, seed: int = 7) -> list[int]:
    return np.random.default_rng(seed).integers(48, 84, length).tolist()


def test_a_transposed_passage_is_found_whole() -> None:
    theirs = corpus_melody()
    others = [melody(corpus_melody(seed=seed)) for seed in (20, 21)]
    corpus = Corpus([others[0], melody(theirs), others[1]], ["x", "y", "z"])
    for count in (5, 9, 16, 17, 64):
        passage = [pitch + 5 for pitch in theirs[40 : 40 + count]]
        # What comes before and after is no step of the original's, and has another rhythm.
        piece = song(
            *line([60, 60], step=3),
            *line(passage, start=6, instrument=GUITAR),
            *line([60, 60], step=3, start=6 + 4 * count),
            (0, 90, 4, BASS),
            length=400,
        )
        copy = longest_copy(piece, corpus)
        assert copy is not None
        assert (copy.notes, copy.source, copy.source_tick) == (count, "y", 160)
        assert (copy.tick, copy.instrument) == (6, GUITAR)
        steps = {(4, b - a) for a, b in pairwise(passage)}
        assert copy.distinct == len(steps)


def test_a_copy_has_the_same_rhythm_and_track() -> None:
    theirs = corpus_melody()
    corpus = Corpus([melody(theirs)], ["y"])
    whole = longest_copy(melody(theirs), corpus)
    assert whole is not None
    assert whole.notes == len(theirs)
    # Another rhythm is no copy, and neither is half a passage at the end of each of two tracks.
    slower = longest_copy(melody(theirs, step=5), corpus)
    assert slower is not None
    assert (slower.notes, slower.source) == (1, None)
    halves = song(*line(theirs[:8]), *line(theirs[8:20], start=32, instrument=BASS), length=90)
    half = longest_copy(halves, corpus)
    assert half is not None
    assert (half.notes, half.instrument) == (12, BASS)


def test_a_song_does_not_copy_its_own_cluster() -> None:
    theirs = corpus_melody()
    songs = [
        melody(theirs),
        melody(theirs[:50]),
        melody(theirs[:9]),
        melody(corpus_melody(seed=20)),
    ]
    corpus = Corpus(songs, ["x", "near", "far", "y"], ["1", "1", "2", "3"])
    found = [longest_copy(songs[0], corpus, cluster) for cluster in (None, "1", "2")]
    assert [copy and (copy.notes, copy.source) for copy in found] == [
        (200, "x"),
        (9, "far"),
        (200, "x"),
    ]
    alone = longest_copy(songs[0], Corpus(songs[:2], ["x", "near"], ["1", "1"]), "1")
    assert alone is not None
    assert (alone.notes, alone.source) == (1, None)


def test_copies_are_not_found_across_songs_nor_in_drums() -> None:
    theirs = corpus_melody()
    drums = song(*line(theirs, instrument=DRUMS), length=800)
    parts = [melody(theirs[:10]), drums, melody(theirs[10:20])]
    copy = longest_copy(melody(theirs[:20]), Corpus(parts, ["a", "b", "c"]))
    assert copy is not None
    assert copy.notes == 10
    assert longest_copy(drums, Corpus(parts, ["a", "b", "c"])) is None
    nothing = longest_copy(melody(theirs), Corpus([drums], ["b"]))
    assert nothing is not None
    assert nothing.notes == 1


def test_the_longest_copy_equals_a_search_of_all_passages() -> None:
    rng = np.random.default_rng(3)

    def steps(piece: Song) -> list[tuple[int, int]]:
        notes = piece.notes
        return list(
            zip(np.diff(notes["tick"]).tolist(), np.diff(notes["pitch"]).tolist(), strict=True)
        )

    for _ in range(20):
        # Few pitches and rhythms, so that there is much to find.
        songs = []
        for length in (30, 40, 50, 25):
            ticks = np.cumsum(rng.integers(1, 3, length))
            pitches = rng.integers(60, 63, length)
            songs.append(
                song(
                    *((int(t), int(p), 1, PIANO) for t, p in zip(ticks, pitches, strict=True)),
                    length=200,
                )
            )
        piece, *others = songs
        grams = [steps(other) for other in others]
        mine = steps(piece)
        longest = max(
            n
            for n in range(len(mine) + 1)
            if any(
                mine[i : i + n] == other[j : j + n]
                for i in range(len(mine) - n + 1)
                for other in grams
                for j in range(len(other) - n + 1)
            )
        )
        copy = longest_copy(piece, Corpus(others, ["a", "b", "c"]))
        assert copy is not None
        assert copy.notes == longest + 1
