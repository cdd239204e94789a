"""Chords: names, tones, and the chords of a song from its notes."""

from __future__ import annotations

import numpy as np
import pytest

from cmt.music.chords import (
    HALF_BAR,
    QUALITIES,
    Chord,
    find_chords,
    key_of,
    read_loops,
    write_loops,
)
from cmt.music.keys import Key
from cmt.music.words import NOTE_DTYPE, Song

PIANO, BASS, STRINGS = 2, 4, 5


def named(names: str) -> list[Chord]:
    return [Chord.named(name) for name in names.split()]


def played(chords: list[Chord]) -> Song:
    """Chords of half a bar: piano chords, their roots in the bass, a tune that passes through."""
    notes = []
    for half, chord in enumerate(chords):
        tick = half * HALF_BAR
        notes += [(tick, 60 + tone, HALF_BAR, PIANO) for tone in chord.tones]
        notes.append((tick, 36 + chord.root, HALF_BAR, BASS))
        for step, tone in enumerate((chord.tones[1], chord.tones[1] + 2, chord.tones[-1])):
            notes.append((tick + 2 * step, 72 + tone, 2, STRINGS))
    return Song(np.array(sorted(notes), NOTE_DTYPE), len(chords) * HALF_BAR)


@pytest.mark.parametrize(
    ("name", "tones"),
    [("Am", [9, 0, 4]), ("F#m7", [6, 9, 1, 4]), ("Bb", [10, 2, 5]), ("Csus2", [0, 2, 7])],
)
def test_a_name_has_its_tones(name: str, tones: list[int]) -> None:
    assert Chord.named(name).tones == tones
    assert str(Chord.named(name)) == name


def test_every_chord_s_name_is_its_own() -> None:
    for quality in QUALITIES:
        for root in range(12):
            assert Chord.named(str(Chord(root, quality))) == Chord(root, quality)


def test_other_spellings() -> None:
    assert named("AM Dbm Cmaj A-7 F(add9) C(b5) G13") == named("A C#m C Am7 F C G7")


@pytest.mark.parametrize("name", ["H", "am", "Cmajor", "E#", "", "C/E"])
def test_a_name_that_is_none_is_told_how_to_write(name: str) -> None:
    with pytest.raises(ValueError, match=r"no chord is called .*; write C, F#, Bb"):
        Chord.named(name)


@pytest.mark.parametrize("progression", ["Am F C G", "Dm7 G7 Cmaj7 A7", "F#m Bsus4 E Bdim"])
@pytest.mark.parametrize("semitones", [0, 5])
def test_chords_that_are_played_are_found(progression: str, semitones: int) -> None:
    chords = [chord.up(semitones) for chord in named(progression) for _ in range(2)]
    assert find_chords(played(chords)) == chords


def test_chords_of_half_a_bar_are_found() -> None:
    chords = named("C G Am Em F C F G")
    assert find_chords(played(chords)) == chords


def test_silence_goes_on_with_the_chord_before() -> None:
    song = played(named("C C F F"))
    notes = song.notes.copy()
    notes["tick"] += HALF_BAR
    found = find_chords(Song(notes, song.length + 3 * HALF_BAR))
    assert found == [None, *named("C C F F F F")]
    assert find_chords(Song(notes[:0], 32)) == [None] * 4


@pytest.mark.parametrize(
    ("progression", "key"),
    [
        ("C F G C", "C major"),
        ("Am F C G", "C major"),
        ("Am Dm E7 Am", "A minor"),
        ("F#m D A E", "A major"),
        ("Gm Cm D7 Gm", "G minor"),
    ],
)
def test_chords_are_in_a_key(progression: str, key: str) -> None:
    assert str(key_of(named(progression))) == key


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Am F C G", "Am F C G"),
        (" Am F,C G;  Dbm7 ", "Am F,C G; C#m7"),
        ("| Am F | C | Gsus G |; F, G F", "Am,F C Gsus4,G; F G F"),
    ],
)
def test_chords_are_read_bar_by_bar(text: str, written: str) -> None:
    assert write_loops(read_loops(text)) == written
    assert read_loops(written) == read_loops(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Am X", "no chord is called 'X'"),
        ("Am;", "without chords"),
        ("", "without chords"),
        ("C,F,G", "one chord or two"),
        ("C | | F", "one chord or two"),
    ],
)
def test_what_are_no_chords_is_told(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_loops(text)


@pytest.mark.parametrize(
    ("key", "progression"),
    [
        ("F minor", "Fm Db Ab Eb Bbm Gb"),
        ("Db major", "Db Gb Ab Bbm Ebm"),
        ("Eb minor", "Ebm Gb B Bb"),
        ("E major", "E G#m C#m D#dim B"),
        ("B minor", "Bm F# A#dim C Eb"),
        ("A minor", "Am G#dim E Bb"),
        ("C major", "C Bb F Ab F#dim"),
    ],
)
def test_chords_are_spelled_as_their_key_is(key: str, progression: str) -> None:
    loops = read_loops(progression)
    assert write_loops(loops, Key.named(key)) == progression
    assert read_loops(write_loops(loops, Key.named(key))) == loops
