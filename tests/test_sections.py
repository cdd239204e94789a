"""Wishes for sections: how they are written, and what plans and forms make of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cmt.control import Control
from cmt.files import InputError
from cmt.form import Form, make_form
from cmt.music.chords import HALVES, Chord, read_loops
from cmt.music.vocabulary import BAR
from cmt.plan import Plan, make_plan
from cmt.sections import SectionWish, read_sections, to_json, wish_of

LINE = "9:energy=1.5,chords=Am_F_C,G_Em 1:energy=0.5,instruments=strings+piano 17:rest,label=B"
(LOOP,) = read_loops("Am F C,G Em")
WISHES = (
    SectionWish(0, 0.5, ("Piano", "Strings")),
    SectionWish(8, 1.5, chords=LOOP),
    SectionWish(16, 0.0, label="B"),
)


def plan(density: int, sections: tuple[SectionWish, ...], multiplied: float = 1.0) -> Plan:
    """Of 24 bars with a visual beat of strength 6 on their second beat."""
    bars = 24
    rows = [(BAR, density + 1, 0, 16 * bar) for bar in range(bars)]
    rows += [(5, 0, 6, 16 * bar + 4) for bar in range(bars)]
    words = np.array([(*row, 16 * bars, 1) for row in sorted(rows, key=lambda row: row[3])])
    made, _ = make_plan(Control(words, None, None), density=multiplied, sections=sections)
    return made


def form(wishes: tuple[SectionWish, ...], scenes: tuple[int, ...] = (), seed: int = 0) -> Form:
    made = Plan(plan(6, ()).bars, scenes)
    return make_form(made, np.random.RandomState(seed), wishes=wishes, ending=False)


def test_wishes_are_read_from_a_line_and_from_json(tmp_path: Path) -> None:
    assert read_sections(LINE) == WISHES
    path = tmp_path / "sections.json"
    path.write_text(json.dumps(to_json(WISHES)))
    assert read_sections(str(path)) == WISHES
    assert to_json(WISHES)[2] == {"bar": 17, "energy": 0.0, "label": "B"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("0:rest", "bars? count from 1|they count from 1"),
        ("x", "'x' is no bar"),
        ("1:energy=9", "energy is 0 to 4, not 9"),
        ("3:energy=x", "bar 3: energy is 0 to 4, not 'x'"),
        ("1:energy", "write 9:energy=1.4"),
        ("1:instruments=kazoo", "not kazoo"),
        ("1:chords=H", "no chord is called 'H'"),
        ("1:chords=C;F", "no ';'"),
        ("1:loud=2", "is no section"),
        ("1:rest 1:energy=2", "two sections begin at bar 1"),
        ("1:label=chorus", "a label is A, B"),
    ],
)
def test_what_is_no_wish_is_said(wrong: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_sections(wrong)


@pytest.mark.parametrize("text", ["{}", "[1]", '[{"bar": 1', '[{"bar": true}]'])
def test_a_file_of_something_else_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "sections.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"sections\.json: no sections"):
        read_sections(str(path))


def test_each_bar_has_the_wish_of_its_section() -> None:
    assert [wish_of(WISHES, bar) for bar in (0, 7, 8, 15, 16, 99)] == [
        each for each in WISHES for _ in range(2)
    ]
    assert wish_of(WISHES[1:], 7) == SectionWish(0)


def test_energy_multiplies_density_between_visual_beats_and_ticks() -> None:
    made = plan(6, WISHES)
    assert made.densities.tolist() == [3] * 8 + [9] * 8 + [0] * 8
    assert made.beats == {16 * bar + 4: 6 for bar in range(16)}
    few, many = (plan(6, (SectionWish(2, energy),)).densities for energy in (0.01, 4.0))
    assert (few[:2] == 6).all() and (few[2:] == 1).all() and (many[2:] == 16).all()
    assert (plan(6, WISHES, multiplied=0.5).densities[:16] == [2] * 8 + [4] * 8).all()


def test_visual_beats_are_what_the_instruments_of_a_section_can_hold() -> None:
    made = plan(6, (SectionWish(4, instruments=("Drums", "Bass")),))
    assert [bar.strengths[4] for bar in made.bars[3:5]] == [6, 5]
    (_, *told) = make_plan(Control(np.array([(BAR, 5, 0, 0, 16, 1)]), None, None), sections=WISHES)
    assert told == [["bar 9: a section is past the end", "bar 17: a section is past the end"]]


def test_sections_begin_where_they_are_wished_whatever_the_scenes() -> None:
    wishes = (SectionWish(3), SectionWish(10), SectionWish(11, label="A"))
    for scenes in ((), (0, 6, 12)):
        made = form(wishes, scenes)
        assert [section.start for section in made.sections] == [0, 3, 10, 11]
        assert [section.bars for section in made.sections] == [3, 7, 1, 13]
        assert made.sections[0].label == made.sections[3].label == "A"
        assert made.sections[3].returns == 0
    longer = form((SectionWish(1),), (0, 12)).sections
    assert {0, 1, 12} < {section.start for section in longer}


@pytest.mark.parametrize("seed", range(4))
def test_a_section_has_the_chords_that_are_wished_for_it(seed: int) -> None:
    made = form(WISHES, seed=seed)
    wished = tuple(chord for bar in range(8) for chord in LOOP[bar % 4])
    assert made.chords[8 * HALVES : 16 * HALVES] == wished
    assert made.asked == set(range(8, 16))
    assert Chord.named("Am") in wished and str(made.key) in ("C major", "A minor", "E minor")
