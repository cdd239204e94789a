"""Texture: each label has its own, theme, intro and ending as songs have them; fills at borders."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from cmt.form import ENDING, INTRO, Form, make_form
from cmt.music.vocabulary import INSTRUMENT_CLASS, TICKS_PER_BAR, TICKS_PER_BEAT
from cmt.plan import EVERYBODY, BarPlan, Plan
from cmt.texture import FILLED, MOVES, MOVING, PATTERN, RESTS, SEMITONES, Texture

SEEDS = range(60)
MAY_MOVE = {INSTRUMENT_CLASS[name] for name in MOVING}


def form(seed: int, bars: int = 64, scenes: tuple[int, ...] = (), **asked: object) -> Form:
    plan = Plan((BarPlan(None, {}),) * bars, scenes)
    return make_form(plan, np.random.RandomState(seed), **asked)  # type: ignore


def textures(made: Form) -> dict[str, Texture]:
    """By label; each section's is that of the first one of its label."""
    result: dict[str, Texture] = {}
    for section, texture in zip(made.sections, made.textures, strict=True):
        assert result.setdefault(section.label, texture) == texture
        assert made.texture(section.start + section.bars - 1) == texture
    return result


def test_returning_sections_have_the_texture_of_their_first() -> None:
    for seed in SEEDS:
        made = textures(form(seed))
        assert len(made) > 2


def test_as_many_labels_as_in_songs_rest_or_move() -> None:
    rest, moved = [], []
    for seed in SEEDS:
        made = form(seed, 150)
        theme = made.section(made.home.start).label
        by_label = textures(made)
        assert by_label[theme].register == {}
        assert len(by_label[INTRO].resting) == 2 and len(by_label[ENDING].resting) == 1
        others = [texture for label, texture in by_label.items() if len(label) < 3]
        rest += [len(texture.resting) for texture in others]
        for label, texture in by_label.items():
            assert set(texture.register) <= MAY_MOVE
            assert set(texture.register.values()) <= set(SEMITONES)
            if label != theme:
                moved.append(len(texture.register) / len(MOVING))
    assert set(rest) == {0, 1}
    assert np.mean(rest) == pytest.approx(RESTS, abs=0.08)
    assert np.mean(moved) == pytest.approx(MOVES, abs=0.08)


@pytest.mark.parametrize("names", [(), ("Piano",), ("Piano", "Bass"), ("Drums", "Guitar", "Bass")])
def test_two_instruments_are_left_in_every_section(names: tuple[str, ...]) -> None:
    playing = {INSTRUMENT_CLASS[name] for name in names} or EVERYBODY
    found = set()
    for seed in SEEDS:
        for texture in form(seed, playing=playing).textures:
            assert texture.resting <= playing
            assert len(playing - texture.resting) >= min(2, len(playing))
            found |= texture.resting
    assert bool(found) == (len(playing) > 2)


@pytest.mark.parametrize("scenes", [(), (0, 1, 6, 12, 30)])
def test_fills_end_at_borders(scenes: tuple[int, ...]) -> None:
    led = []
    for seed in SEEDS:
        made = form(seed, scenes=scenes)
        borders = made.borders | {bar * TICKS_PER_BAR for bar in scenes if bar}
        ends = [beat + 1 for beat in made.fills if beat + 1 not in made.fills]
        assert len(made.fills) <= 4 * len(ends)
        long = [b for a, b in pairwise([0, *sorted(borders)]) if b - a >= PATTERN * TICKS_PER_BAR]
        assert {beat * TICKS_PER_BEAT for beat in ends} <= set(long)
        led.append(len(ends) / len(long))
        for end in ends:
            assert made.fills_at(end * TICKS_PER_BEAT - 1)
            assert not made.fills_at(end * TICKS_PER_BEAT)
    assert np.mean(led) == pytest.approx(FILLED, abs=0.08)


def test_the_same_seed_gives_the_same_texture() -> None:
    assert form(1).textures == form(1).textures
    assert form(1).fills == form(1).fills != form(2).fills
