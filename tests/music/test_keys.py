"""Keys: scales, chords, and the key of a piece from its pitch classes."""

from __future__ import annotations

import numpy as np
import pytest

from cmt.music.keys import KEYS, TONICS, Key, find_key


def test_scales_and_chords() -> None:
    assert Key(TONICS["D"]).scale == [2, 4, 6, 7, 9, 11, 1]
    assert Key(TONICS["A"], "minor").scale == [9, 11, 0, 2, 4, 5, 7]
    assert Key(TONICS["Bb"]).chord == [10, 2, 5]
    assert str(Key(TONICS["D#"], "minor")) == "Eb minor"
    flat = ("Db", "Eb", "F", "Ab", "Bb", "C minor", "Eb minor", "F minor", "Bb minor")
    sharp = ("F#", "B", "C# minor", "F# minor", "G# minor")
    for name in (*flat, *sharp):
        name = name if " " in name else f"{name} major"
        assert str(Key.named(name)) == name
    for name, usual in {"Gb": "F#", "A#": "Bb", "Cb": "B", "C#": "Db"}.items():
        assert str(Key.named(f"{name} major")) == f"{usual} major"


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_a_scale_that_dwells_on_its_triad_is_in_its_key(key: Key) -> None:
    weights = np.zeros(12)
    weights[key.scale] += 1
    weights[key.chord] += 1
    assert find_key(weights) == key


def test_no_pitch_has_no_key() -> None:
    assert find_key(np.zeros(12)) is None


@pytest.mark.parametrize(
    ("tune", "key"),
    [
        ("64 64 65 67 67 65 64 62 60 60 62 64 64:1.5 62:.5 62:2", "C major"),  # Ode to Joy
        (
            "67:1.5 69:.5 67 64:3 67:1.5 69:.5 67 64:3 74:2 74 71:3 72:2 72 67:3",
            "C major",
        ),  # Silent Night
        ("69 72 74 76 77 76 74 71 67 69 71 72 69 69 68 69 71 68 64", "A minor"),  # Greensleeves
        ("69 69:2 71 72 76:2 74 69:3 81:2 81 79 76:2 76:4", "A minor"),  # House of the Rising Sun
        ("62 67:2 71:.5 67:.5 71:2 69 67:2 64 62:2", "G major"),  # Amazing Grace
    ],
)
def test_tunes_are_in_their_keys(tune: str, key: str) -> None:
    weights = np.zeros(12)
    for note in tune.split():
        pitch, _, beats = note.partition(":")
        weights[int(pitch) % 12] += float(beats or 1)
    assert str(find_key(weights, melodic=True)) == key
