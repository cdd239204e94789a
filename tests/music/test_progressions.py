"""Progressions: each is in its mode, and there are enough to choose from."""

from __future__ import annotations

import pytest

from cmt.music.chords import tone_weights
from cmt.music.keys import Key, find_key
from cmt.music.progressions import choices, moods, progressions


def test_the_table_is_whole() -> None:
    assert len(progressions()) == 171
    assert {len(each.chords) for each in progressions()} == {3, 4, 8}
    assert {"hopeful", "dark", "joyful"} < set(moods())


@pytest.mark.parametrize("mode", ["major", "minor"])
def test_without_a_mood_progressions_tell_their_tonic(mode: str) -> None:
    found = choices(mode)
    assert len(found) >= 25
    assert {find_key(tone_weights(each.chords)) for each in found} == {Key(0, mode)}


def test_a_mood_is_met_in_the_mode_if_it_can_be() -> None:
    assert {(each.mode, "dark" in each.moods) for each in choices("minor", ("dark",))} == {
        ("minor", True)
    }
    assert {each.mode for each in choices("major", ("lonely",))} == {"minor"}
