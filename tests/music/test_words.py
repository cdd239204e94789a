"""Notes ⇄ compound words."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmt.music.vocabulary import COLUMNS, INSTRUMENTS, MAX_DURATION, TICKS_PER_BAR
from cmt.music.words import NOTE_DTYPE, Song, song_to_words, words_to_song

REFERENCE = Path(__file__).parents[1] / "reference" / "midi"
CASES = json.loads((REFERENCE / "numpy2midi_cases.json").read_text())


def make_song(notes: list[tuple[int, int, int, int]], length: int = 0) -> Song:
    array = np.array(sorted(notes, key=lambda note: note[0]), NOTE_DTYPE)
    return Song(array, max([length, 1, *(tick + duration for tick, _, duration, _ in notes)]))


songs = st.builds(
    make_song,
    st.lists(
        st.tuples(st.integers(0, 100), st.integers(0, 127), st.integers(0, 40), st.integers(1, 5)),
        max_size=40,
    ),
    st.integers(0, 200),
)


def naive_words(song: Song) -> np.ndarray:
    """What `song_to_words` does, word for word."""
    rows = []
    for bar in range(song.length // TICKS_PER_BAR + 1):
        notes = [note for note in song.notes.tolist() if note[0] // TICKS_PER_BAR == bar]
        onsets = {note[0] for note in notes}
        start = bar * TICKS_PER_BAR
        rows.append([1, 17, len(onsets) + 1, 0, 0, 0, 0, start])
        previous = None
        for tick, pitch, duration, instrument in notes:
            if previous != (tick, instrument):
                density = sum(onset > tick for onset in onsets) + 1
                strength = sum((note[0], note[3]) == (tick, instrument) for note in notes)
                rows.append([1, tick - start + 1, density, 0, 0, instrument, strength, tick])
                previous = (tick, instrument)
            rows.append([2, 0, 0, pitch + 1, min(duration, 16) + 1, instrument, 0, tick])
    n_beat = song.length
    words = [[*row, n_beat, int(100 * row[-1] / n_beat)] for row in rows]
    return np.array([*words, [0] * len(COLUMNS)])


def reference_words() -> list[np.ndarray]:
    with np.load(REFERENCE / "ref_midi2numpy.npz") as file:
        x, y, lengths = file["x"], file["y"], file["de_len"]
    return [np.vstack([x[i, :1], y[i, : length - 1]]) for i, length in enumerate(lengths.tolist())]


def test_a_bar_with_a_chord_and_a_drum() -> None:
    song = make_song([(0, 60, 4, 2), (0, 64, 4, 2), (0, 36, 1, 1), (6, 60, 20, 2)], length=31)
    words = song_to_words(song)
    expected = [
        # type beat density pitch duration instrument strength i_beat n_beat p_beat
        [1, 17, 3, 0, 0, 0, 0, 0, 31, 0],
        [1, 1, 2, 0, 0, 2, 2, 0, 31, 0],
        [2, 0, 0, 61, 5, 2, 0, 0, 31, 0],
        [2, 0, 0, 65, 5, 2, 0, 0, 31, 0],
        [1, 1, 2, 0, 0, 1, 1, 0, 31, 0],
        [2, 0, 0, 37, 2, 1, 0, 0, 31, 0],
        [1, 7, 1, 0, 0, 2, 1, 6, 31, 19],
        [2, 0, 0, 61, 17, 2, 0, 6, 31, 19],
        [1, 17, 1, 0, 0, 0, 0, 16, 31, 51],
        [0] * 10,
    ]
    np.testing.assert_array_equal(words, expected)


@settings(deadline=None)
@given(songs)
def test_words_equal_the_readable_form(song: Song) -> None:
    np.testing.assert_array_equal(song_to_words(song), naive_words(song))


@settings(deadline=None)
@given(songs)
def test_nothing_but_long_durations_is_lost_in_words(song: Song) -> None:
    expected = song.notes.copy()
    expected["duration"] = np.minimum(expected["duration"], MAX_DURATION)
    back = words_to_song(song_to_words(song))
    np.testing.assert_array_equal(back.notes, expected)
    assert back.length == song.length


@pytest.mark.parametrize("index", range(6))
def test_recorded_words_survive_notes(index: int) -> None:
    words = reference_words()[index]
    np.testing.assert_array_equal(song_to_words(words_to_song(words)), words)


@pytest.mark.parametrize("name", CASES["cases"])
def test_words_to_notes_as_recorded(name: str) -> None:
    words, result = np.array(CASES["cases"][name]), CASES["results"][name]
    if isinstance(result, str):  # the original died here
        with pytest.raises(ValueError, match=r"word \d+: "):
            words_to_song(words)
    else:
        notes = words_to_song(words).notes.tolist()
        assert sorted(result["music"]) == sorted(
            [INSTRUMENTS[instrument - 1].name, tick, pitch, duration]
            for tick, pitch, duration, instrument in notes
        )


@pytest.mark.parametrize(
    ("note", "reason"),
    [
        ((0, 128, 1, 1), "pitch"),
        ((0, 60, -1, 1), "duration"),
        ((0, 60, 1, 6), "instrument"),
        ((17, 60, 1, 1), "tick"),
    ],
)
def test_notes_that_no_word_can_hold(note: tuple[int, int, int, int], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        song_to_words(Song(np.array([note], NOTE_DTYPE), 16))


def test_a_song_without_length_has_no_words() -> None:
    with pytest.raises(ValueError, match="no length"):
        song_to_words(Song(np.empty(0, NOTE_DTYPE), 0))
