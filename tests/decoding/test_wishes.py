"""Wishes for sections are kept by every take, at any control degree."""

from __future__ import annotations

import numpy as np
import pytest

from cmt.compose import Settings, compose
from cmt.control import Control
from cmt.decoding.style import Style
from cmt.model.network import CMT
from cmt.music.chords import read_loops
from cmt.music.vocabulary import BAR, INSTRUMENT_CLASS, TICKS_PER_BAR
from cmt.sections import SectionWish

(LOOP,) = read_loops("Am F C,G")
WISHES = (
    SectionWish(0, 0.5, ("Piano", "Strings")),
    SectionWish(3, 0.0),
    SectionWish(5, 1.5, ("Drums", "Bass"), LOOP),
    SectionWish(8, instruments=("Guitar",)),
)
BARS = 10


def control(scenes: tuple[int, ...]) -> Control:
    """Ten bars of density 6 with a visual beat of strength 5 on the third beat of each."""
    rows = [(BAR, 7, 0, 16 * bar) for bar in range(BARS)]
    rows += [(9, 0, 5, 16 * bar + 8) for bar in range(BARS)]
    words = np.array([(*row, 16 * BARS, 1) for row in sorted(rows, key=lambda row: row[3])])
    seconds = words[:, 3] * 0.125 if scenes else None
    return Control(words, 120.0, 2.0 * BARS, seconds=seconds, scenes=scenes)


@pytest.mark.parametrize("degree", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("scenes", [(), (0, 4)])
def test_density_instruments_and_rests_are_as_wished(
    small_model: CMT, degree: float, scenes: tuple[int, ...]
) -> None:
    asked = Settings(takes=2, degree=degree, style=Style(sections=WISHES))
    for piece in compose(small_model, control(scenes), asked):
        error = piece.report.control_error
        assert (error.density, error.strength) == (0, 0)
        notes = piece.song.notes
        bar = notes["tick"] // TICKS_PER_BAR
        onsets = [len(np.unique(notes["tick"][bar == each])) for each in range(BARS)]
        assert onsets[:8] == [3, 3, 3, 0, 0, 9, 9, 9]
        for wish, after in zip(WISHES, (3, 5, 8, BARS), strict=True):
            inside = (bar >= wish.bar) & (bar < after)
            playing = set(notes["instrument"][inside].tolist())
            assert playing <= {INSTRUMENT_CLASS[name] for name in wish.instruments or ()}
        # What began before a rest is over.
        early = notes[bar < 3]
        assert (early["tick"] + early["duration"]).max() <= 3 * TICKS_PER_BAR
        assert piece.report.form and piece.report.form.asked == {5, 6, 7}
        if degree == 1:
            assert set(piece.take.plan.beats) == {
                16 * each + 8 for each in (0, 1, 2, *range(5, 10))
            }


def test_instruments_of_the_piece_and_of_its_sections(small_model: CMT) -> None:
    """Who is asked for in the piece is no reason not to end in a section without."""
    style = Style(instruments=("Piano", "Guitar"), beat_instruments=("Guitar",), sections=WISHES)
    (piece,) = compose(small_model, control((0,)), Settings(style=style))
    assert piece.report.control_error.strength == 0
    played = {name for name, count in piece.report.notes.items() if count}
    assert {"Piano", "Guitar"} <= played
