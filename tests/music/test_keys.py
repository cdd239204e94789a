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
