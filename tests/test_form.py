"""Form: sections that follow scenes and return, and chords that make sense in a key."""

from __future__ import annotations

import numpy as np
import pytest

from cmt.form import ENDING, INTRO, Form, make_form
from cmt.music.chords import HALVES, Chord, key_of, loop_of
from cmt.music.keys import KEYS, Key
from cmt.plan import BarPlan, Plan
from cmt.sections import SectionWish

SCENES = [(30, (0, 5, 12, 14, 22)), (80, (0, 30)), (24, (0, 2, 3, 5, 8, 9, 11, 14, 20))]
LENGTHS = [1, 2, 7, 16, 21, 64, 150, 600]


def plan(bars: int, scenes: tuple[int, ...] = (), silent: int = 0) -> Plan:
    asked = [BarPlan(None, {})] * (bars - silent) + [BarPlan(0, {})] * silent
    return Plan(tuple(asked), scenes)


def form(bars: int, scenes: tuple[int, ...] = (), seed: int = 0, **asked: object) -> Form:
    return make_form(plan(bars, scenes), np.random.RandomState(seed), **asked)  # type: ignore


def chords_of(form: Form, start: int, bars: int) -> tuple[Chord, ...]:
    return form.chords[start * HALVES : (start + bars) * HALVES]


@pytest.mark.parametrize(("bars", "scenes"), [*SCENES, *[(bars, ()) for bars in LENGTHS]])
def test_sections_fill_a_piece_and_have_chords(bars: int, scenes: tuple[int, ...]) -> None:
    made = form(bars, scenes)
    starts = [section.start for section in made.sections]
    assert starts == np.cumsum([0, *(section.bars for section in made.sections[:-1])]).tolist()
    assert sum(section.bars for section in made.sections) == bars
    assert len(made.chords) == HALVES * bars
    assert max(section.bars for section in made.sections) <= 16
    assert made.section(bars - 1) == made.sections[-1]


@pytest.mark.parametrize("seed", range(5))
def test_the_same_seed_gives_the_same_form(seed: int) -> None:
    assert form(64, seed=seed) == form(64, seed=seed) != form(64, seed=seed + 1)


@pytest.mark.parametrize(("bars", "scenes"), SCENES)
def test_sections_follow_scenes(bars: int, scenes: tuple[int, ...]) -> None:
    """As far as a section has three bars at least; and another scene sounds different."""
    made = form(bars, scenes)
    starts = {section.start for section in made.sections}
    lengths = np.diff([*scenes, bars])
    for scene, before, after in zip(scenes[1:], lengths, lengths[1:], strict=False):
        if min(before, after) >= 4:
            assert scene in starts
    for before, after in zip(made.sections, made.sections[1:], strict=False):
        assert after.start not in scenes or before.label != after.label


def test_long_scenes_and_pieces_without_scenes_are_phrases() -> None:
    assert [section.bars for section in form(64).sections] == [4, *[8] * 7, 4]
    assert [section.bars for section in form(16).sections] == [4, 4, 4, 4]
    assert {section.bars for section in form(80, (0, 32)).sections} == {8}
    assert [form(64).sections[index].label for index in (0, 1, -1)] == [INTRO, "A", ENDING]


@pytest.mark.parametrize("seed", range(5))
def test_a_section_that_returns_has_the_same_chords(seed: int) -> None:
    made = form(64, seed=seed)
    returning = [section for section in made.sections if section.returns is not None]
    assert returning
    for section in returning:
        first = made.sections[section.returns or 0]
        assert (first.label, first.returns) == (section.label, None)
        assert chords_of(made, section.start, section.bars) == chords_of(
            made, first.start, first.bars
        )
        places = range(first.start, first.start + first.bars)
        assert made.returns[section.start : section.start + section.bars] == tuple(places)
    new = [section for section in made.sections if section.returns is None]
    loops = {chords_of(made, section.start, 2) for section in new if len(section.label) == 1}
    assert len(loops) > 1


def test_hours_have_themes_that_return_and_new_ones() -> None:
    made = form(1800)
    labels = [section.label for section in made.sections]
    assert 30 < len(set(labels)) < len(labels) / 2
    for quarter in range(4):
        part = labels[len(labels) * quarter // 4 : len(labels) * (quarter + 1) // 4]
        assert len(set(part) - set(labels[: len(labels) * quarter // 4])) > 3


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_a_piece_is_in_its_key_and_ends_on_its_tonic(key: Key) -> None:
    right = []
    for seed in range(20):
        made = form(32, seed=seed, key=key)
        assert made.key == key
        last = made.chords[-1]
        assert made.chords[-HALVES:] == (last,) * HALVES
        assert sorted(last.tones) == sorted(key.chord) and last.root == key.tonic
        # By the dominant.
        assert made.chords[-HALVES - 1] == Chord(key.tonic, "7").up(7)
        right.append(key_of(made.chords) == key)
    assert np.mean(right) > 0.9


def test_without_a_key_one_is_drawn() -> None:
    keys = {form(16, seed=seed).key for seed in range(60)}
    assert len(keys) > 15 and {key.mode for key in keys} == {"major", "minor"}


@pytest.mark.parametrize("key", [Key(0), Key(9, "minor")], ids=str)
def test_what_is_drawn_in_a_key_that_was_asked_for_begins_on_its_tonic(key: Key) -> None:
    for seed in range(40):
        made = form(32, seed=seed, key=key)
        starts = [each.start for each in made.sections if each.returns is None]
        assert {made.chords[HALVES * bar].root for bar in starts} == {key.tonic}


def test_some_dominants_have_their_sevenths() -> None:
    """Inside sections, where no cadence puts them."""
    found = []
    for seed in range(200):
        made = form(32, seed=seed)
        first = [made.chords[HALVES * (each.start + 1)] for each in made.sections]
        found += [chord.quality for chord in first if chord.root == (made.key.tonic + 7) % 12]
    assert 0.2 < np.mean([quality == "7" for quality in found]) < 0.6


def test_a_piece_ends_before_what_is_silent() -> None:
    made = make_form(plan(16, silent=3), np.random.RandomState(0), key=Key(0))
    assert set(made.chords[12 * HALVES :]) == {Chord(0)}
    assert made.chords[12 * HALVES - 1] == Chord(7, "7")


def test_chords_that_are_asked_for_repeat_by_section() -> None:
    first, second = ([Chord.named(name) for name in text.split()] for text in ("Am F C G", "F G"))
    asked = (loop_of(first), loop_of(second))
    made = form(64, chords=asked, ending=False)
    assert made.key == key_of([*first, *first, *second, *second])
    labels = sorted({section.label for section in made.sections} - {INTRO, ENDING})
    for section in made.sections:
        framing = section.label in (INTRO, ENDING)
        loop = asked[0 if framing else labels.index(section.label) % 2]
        bars = chords_of(made, section.start, section.bars)
        assert bars == tuple(c for bar in range(section.bars) for c in loop[bar % len(loop)])


def test_the_dominant_before_the_end_is_not_put_over_chords_that_are_asked_for() -> None:
    asked = loop_of([Chord.named(name) for name in "C G Am F".split()])
    made = form(16, wishes=(SectionWish(8, chords=asked),))
    assert chords_of(made, 8, 7) == tuple(chord for bar in (*asked, *asked[:3]) for chord in bar)
    assert chords_of(made, 15, 1) == (Chord(made.key.tonic, "m" * (made.key.mode == "minor")),) * 2


def test_moods_choose_the_progressions() -> None:
    assert form(32, moods=("sad",)).chords != form(32, moods=("joyful",)).chords
