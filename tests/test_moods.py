"""Moods: what they ask, and which is suggested."""

from __future__ import annotations

import numpy as np
import pytest

from cmt.compose import Settings, in_mood
from cmt.control import Control
from cmt.decoding.style import Style
from cmt.moods import MOODS, suggest
from cmt.music.keys import MODES, Key
from cmt.music.progressions import choices, moods
from cmt.music.vocabulary import BAR
from cmt.video.look import Look

CONTROL = Control(np.array([(BAR, 9, 0, 0, 64, 1)]), 120.0, 8.0)


@pytest.mark.parametrize("name", MOODS)
def test_a_mood_asks_for_what_there_is(name: str) -> None:
    mood = MOODS[name]
    assert mood.mode in MODES and set(mood.progressions) <= set(moods())
    assert all(each.mode == mood.mode for each in choices(mood.mode, mood.progressions))
    assert len(choices(mood.mode, mood.progressions)) >= 8


@pytest.mark.parametrize("name", MOODS)
def test_some_octave_of_any_tempo_is_in_a_mood_or_near(name: str) -> None:
    low, high = MOODS[name].tempo
    for tempo in np.arange(40.0, 200.0):
        near = MOODS[name].tempo_near(tempo)
        assert np.log2(near / tempo) % 1 == 0
        assert low * 0.95 <= near <= high * 1.05
        if low <= tempo <= high:
            assert near == tempo


def test_a_mood_says_what_is_not_said() -> None:
    sad = in_mood(Settings(mood="sad"), CONTROL)
    assert (sad.tempo, sad.density, sad.style.mode) == (60.0, MOODS["sad"].density, "minor")
    assert sad.style.progressions == MOODS["sad"].progressions
    style = Style(mode="major", progressions=("joyful",), key=Key(3))
    said = Settings(mood="sad", tempo=100.0, density=1.0, style=style)
    assert in_mood(said, CONTROL) == said
    assert in_mood(Settings(), CONTROL) == Settings()


@pytest.mark.parametrize(
    ("look", "mood", "words"),
    [
        (Look(0.8, 0.3, -0.2, 0.01, 5), "calm", "bright, cool and quiet"),
        (Look(0.7, 0.6, 0.2, 0.2, 60), "happy", "bright, colourful, warm and lively"),
        (Look(0.1, 0.05, 0.0, 0.3, 60), "tense", "dark, grey and lively"),
        (Look(0.2, 0.05, -0.1, 0.01, 2), "sad", "dark, grey, cool and quiet"),
        (Look(0.42, 0.4, 0.0, 0.9, 120), "epic", "lively"),
        (Look(0.6, 0.5, 0.1, 0.08, 25), "playful", "bright, colourful and warm"),
        (Look(0.42, 0.3, 0.0, 0.07, 20), "playful", "neither dark nor bright"),
    ],
)
def test_a_mood_is_suggested_with_its_reason(look: Look, mood: str, words: str) -> None:
    suggested = suggest(look)
    assert suggested.mood == mood
    assert words in suggested.reason
