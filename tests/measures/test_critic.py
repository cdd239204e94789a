"""The critic hears what players do: patterns that hold, lines that go by step, chords that stay."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cmt.measures.critic import figures_of, log_odds, table, windows
from cmt.music.vocabulary import DRUMS, INSTRUMENT_CLASS, TICKS_PER_BAR
from cmt.music.words import NOTE_DTYPE, Song

BARS = 13
PIANO, BASS, STRINGS = (INSTRUMENT_CLASS[name] for name in ("Piano", "Bass", "Strings"))
LOOP = ((0, 4, 7), (9, 0, 4), (5, 9, 0), (7, 11, 2))  # pitch classes: C, A minor, F, G
TUNE = (64, 65, 67, 65, 64, 62, 60, 62)  # by step


def band() -> Song:
    """A beat, chords of a bar, a bass on their roots, a tune by step."""
    notes = []
    for bar in range(BARS):
        start = bar * TICKS_PER_BAR
        chord = LOOP[bar % len(LOOP)]
        notes += [(start + tick, 36, 1, DRUMS) for tick in (0, 8)]
        notes += [(start + tick, 38, 1, DRUMS) for tick in (4, 12)]
        notes += [(start + tick, 42, 1, DRUMS) for tick in range(0, 16, 2)]
        for tick in (0, 6, 8, 14):
            notes += [(start + tick, 60 + pitch_class, 2, PIANO) for pitch_class in chord]
            notes.append((start + tick, 36 + chord[0], 2, BASS))
        notes += [(start + 2 * n, pitch, 2, STRINGS) for n, pitch in enumerate(TUNE)]
    return song(notes)


def song(notes: list[tuple[int, int, int, int]] | np.ndarray) -> Song:
    array = np.array(notes, NOTE_DTYPE)
    return Song(array[np.argsort(array["tick"], kind="stable")], BARS * TICKS_PER_BAR)


def shuffled(whole: Song, name: str, seed: int) -> Song:
    """Each instrument's pitches, or bars of its notes, in another order."""
    rng = np.random.default_rng(seed)
    notes = whole.notes.copy()
    for label in INSTRUMENT_CLASS.values():
        mine = np.flatnonzero(notes["instrument"] == label)
        if name == "pitches":
            notes["pitch"][mine] = rng.permutation(notes["pitch"][mine])
        else:
            bars = rng.integers(0, BARS, len(mine))
            notes["tick"][mine] = bars * TICKS_PER_BAR + notes["tick"][mine] % TICKS_PER_BAR
    return song(notes)


@pytest.mark.parametrize("name", ["pitches", "bars"])
def test_a_band_is_preferred_to_its_notes_in_another_order(name: str) -> None:
    others = [log_odds(shuffled(band(), name, seed)) for seed in range(3)]
    assert log_odds(band()) > max(others) + 1


def test_figures_of_a_band() -> None:
    figures = figures_of(next(windows(band())))
    assert figures["Drums, as 1 ago"] == figures["Drums, as 4 ago"] == 1
    assert figures["Piano, as 4 ago"] == figures["Bass, as 4 ago"] == 1
    assert figures["Strings, as 1 ago"] == 1
    # C and A minor share C and E, A minor and F share A and C, F and G nothing, G and C G.
    assert figures["Piano, as 1 ago"] == pytest.approx((4 * 2 / 4 + 0 + 1 / 5) / 7)
    assert figures["Strings, step"] == pytest.approx(1)
    assert figures["Strings, same note"] == 0
    assert figures["Strings, legato"] == 1
    assert figures["Drums, snare on 2 or 4"] == figures["Drums, kick on 1 or 3"] == 1
    assert figures["Drums, sounds"] == pytest.approx(math.log(3))
    assert figures["Drums, crash"] == 0
    # Of 31 pairs of chords that follow one another, 3 in a bar are of one chord.
    assert figures["Piano, chord kept"] == pytest.approx(24 / 31)
    assert math.isnan(figures["Guitar, step"]) and math.isnan(figures["Guitar, as 1 ago"])


def test_the_table_tells_of_these_figures() -> None:
    names, numbers = table()
    assert names == tuple(figures_of(band()))
    assert numbers.shape == (3, len(names)) and (numbers[1] > 0).all()


def test_windows_leave_out_the_ending() -> None:
    assert [part.length // TICKS_PER_BAR for part in windows(band())] == [8, 8]
    first, second = windows(band())
    assert np.array_equal(first.notes, second.notes)  # of a loop of four bars
    (short,) = windows(band().until(5 * TICKS_PER_BAR))
    assert short.length == 4 * TICKS_PER_BAR
    assert not [*windows(Song(np.zeros(0, NOTE_DTYPE), 64))]


def test_another_key_or_ending_changes_nothing() -> None:
    notes = band().notes.copy()
    notes["pitch"][notes["instrument"] != DRUMS] += 3
    assert log_odds(song(notes)) == pytest.approx(log_odds(band()))
    notes = band().notes
    kept = notes[notes["tick"] < (BARS - 1) * TICKS_PER_BAR]
    assert log_odds(song(kept)) == pytest.approx(log_odds(band()))
    assert math.isnan(log_odds(Song(notes[:0], 64)))
