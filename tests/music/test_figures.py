"""A figure that returns over another chord is moved as players move it."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from cmt.music.chords import Chord
from cmt.music.figures import moves, scale_under
from cmt.music.keys import FLATS, SHARPS, TONICS, Key

C_MAJOR, A_MINOR = Key(0), Key(9, "minor")


def moved(notes: str, then: str, now: str, key: Key) -> str:
    """Names of notes after a move from chord to chord."""
    shifts = moves([Chord.named(then), Chord.named(now)], key).shifts[0, 1]
    return " ".join(SHARPS[(TONICS[n] + int(shifts[TONICS[n]])) % 12] for n in notes.split())


@pytest.mark.parametrize(
    ("key", "then", "now", "notes", "expected"),
    [
        (C_MAJOR, "C", "Am", "C E G", "A C E"),
        (C_MAJOR, "C", "Dm", "C E G B", "D F A C"),
        (C_MAJOR, "F", "G", "F A C D", "G B D E"),
        (A_MINOR, "Am", "E7", "A C E D", "E G# B A"),  # the leading tone, where its chord asks
        (A_MINOR, "E7", "Am", "E G# B D", "A C E G"),
        (A_MINOR, "Am", "F", "A B C E", "F G A C"),
        (C_MAJOR, "F", "Fm", "F A C", "F G# C"),  # G# is A flat
        (C_MAJOR, "C", "A", "C E G", "A C# E"),
    ],
)
def test_tones_of_a_chord_become_those_of_the_other(
    key: Key, then: str, now: str, notes: str, expected: str
) -> None:
    assert moved(notes, then, now, key) == expected


def test_what_is_of_no_degree_moves_with_the_root() -> None:
    assert moved("C#", "C", "F", C_MAJOR) == "F#"


def test_chords_bend_the_scale_where_it_stays_even() -> None:
    flat_seventh = scale_under(Chord.named("Bb"), C_MAJOR)
    assert [FLATS[p] for p in flat_seventh] == ["C", "D", "E", "F", "G", "A", "Bb"]
    dominant = scale_under(Chord.named("E7"), A_MINOR)
    assert [SHARPS[p] for p in dominant] == ["A", "B", "C", "D", "E", "F", "G#"]
    assert scale_under(Chord.named("Dm"), C_MAJOR) == C_MAJOR.scale


KEYS = [Key(tonic, mode) for tonic in (0, 3, 7, 10) for mode in ("major", "minor")]


@pytest.mark.parametrize("key", KEYS)
def test_degrees_come_back_and_nothing_moves_further_than_half_an_octave_and_a_step(
    key: Key,
) -> None:
    chords = [Chord(root, quality) for root in range(12) for quality in ("", "m", "7")]
    song = moves(chords, key)
    assert song.which.tolist() == list(range(len(chords)))
    for then, now in product(range(len(chords)), repeat=2):
        there = song.shifts[then, now]
        assert np.abs(there).max() <= 7
        for pitch_class in scale_under(chords[then], key):
            landed = (pitch_class + there[pitch_class]) % 12
            assert landed in scale_under(chords[now], key)
            if {len(set(scale_under(chords[i], key))) for i in (then, now)} == {7}:
                assert (landed + song.shifts[now, then][landed]) % 12 == pitch_class
        root = chords[then].root
        assert (root + there[root]) % 12 == chords[now].root
    assert not np.diagonal(song.shifts).any()
