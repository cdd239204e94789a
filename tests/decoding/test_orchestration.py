"""Who rests in a section hardly plays; who has moved plays higher or lower than in the theme."""

from __future__ import annotations

import numpy as np
import pytest

from cmt import texture
from cmt.compose import Piece, Settings, compose
from cmt.control import Control
from cmt.decoding.orchestration import JOIN, REST, Orchestration
from cmt.decoding.style import Style
from cmt.form import Form, Section
from cmt.model.network import CMT
from cmt.music.keys import Key
from cmt.music.vocabulary import BAR, INSTRUMENT_CLASS, TICKS_PER_BAR
from cmt.sections import SectionWish
from cmt.texture import Texture

PIANO, GUITAR, BASS, STRINGS = (
    INSTRUMENT_CLASS[name] for name in ("Piano", "Guitar", "Bass", "Strings")
)
BARS, SCENES = 24, (0, 4, 8, 12, 16, 20)
FORM = Form(
    Key(0),
    (Section("A", 0, 2), Section("B", 2, 2), Section("C", 4, 2)),
    (),
    textures=(Texture(), Texture(frozenset({PIANO}), {STRINGS: 5}), Texture()),
)


def test_who_rests_is_unlikely_and_then_comes_in() -> None:
    band = Orchestration(FORM)
    band.enter(1, wished=False)
    assert band.players(16) is None
    band.enter(2, wished=False)
    weights = band.players(32)
    assert weights is not None
    assert np.log(weights)[[PIANO, GUITAR]].tolist() == pytest.approx([REST, 0])
    band.enter(4, wished=False)
    weights = band.players(64)
    assert weights is not None
    assert np.log(weights)[[PIANO, GUITAR]].tolist() == pytest.approx([JOIN, 0])
    band.join(GUITAR)
    assert band.players(64) is not None
    band.join(PIANO)
    assert band.players(64) is None


def test_nobody_rests_where_somebody_has_said_who_plays() -> None:
    band = Orchestration(FORM)
    band.enter(2, wished=True)
    assert band.players(32) is None


def test_pitches_lean_to_where_they_are_to_be() -> None:
    band = Orchestration(FORM)
    band.enter(0, wished=False)
    for pitch in (58, 62, 60):
        band.hear(STRINGS, pitch)
        band.hear(PIANO, pitch)
    assert band.heights(STRINGS) is None
    band.enter(2, wished=False)
    weights = band.heights(STRINGS)
    assert weights is not None and band.heights(PIANO) is None
    assert (np.diff(weights[50:70]) > 0).all()
    for _ in range(200):  # too high by then
        band.hear(STRINGS, 70)
    weights = band.heights(STRINGS)
    assert weights is not None and (np.diff(weights[60:80]) < 0).all()
    band.enter(4, wished=False)
    assert band.heights(STRINGS) is None


def pieces(model: CMT, **asked: object) -> list[Piece]:
    """For six scenes of four bars, with a visual beat in each bar."""
    rows = [(BAR, 9, 0, 16 * bar) for bar in range(BARS)]
    rows += [(9, 0, 3, 16 * bar + 8) for bar in range(BARS)]
    words = np.array([(*row, 16 * BARS, 1) for row in sorted(rows, key=lambda row: row[3])])
    control = Control(words, 120.0, 2.0 * BARS, seconds=words[:, 3] * 0.125, scenes=SCENES)
    settings = Settings(takes=6, degree=0.5, style=Style(**asked))  # type: ignore
    made = compose(model, control, settings)
    for piece in made:
        error = piece.report.control_error
        assert (error.density, error.strength, error.time) == (0, 0, 0)
    return made


def presence(piece: Piece, label: int) -> np.ndarray:
    """The bars in which an instrument plays."""
    notes = piece.song.notes
    return np.isin(np.arange(BARS), notes["tick"][notes["instrument"] == label] // TICKS_PER_BAR)


def test_who_rests_in_a_section_plays_less_there(small_model: CMT) -> None:
    resting, playing = [], []
    for piece in pieces(small_model):
        assert piece.take.form is not None
        for label in INSTRUMENT_CLASS.values():
            heard = presence(piece, label)
            for bar in range(BARS):
                rests = label in piece.take.form.texture(bar).resting
                (resting if rests else playing).append(bool(heard[bar]))
    assert len(resting) > 30
    assert np.mean(resting) < 0.2 < 0.6 < np.mean(playing)


def test_who_has_moved_plays_there(small_model: CMT, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texture, "MOVES", 1.0)
    moved = []
    for piece in pieces(small_model, instruments=("Piano", "Strings")):
        form, notes = piece.take.form, piece.song.notes
        assert form is not None
        bars = notes["tick"] // TICKS_PER_BAR
        home = {
            label: notes["pitch"][(notes["instrument"] == label) & np.isin(bars, form.home)].mean()
            for label in (PIANO, STRINGS)
        }
        for section in form.sections:
            inside = (bars >= section.start) & (bars < section.start + section.bars)
            for label, up in form.texture(section.start).register.items():
                there = notes["pitch"][inside & (notes["instrument"] == label)]
                if label in home and len(there) > 10:
                    moved.append((there.mean() - home[label]) / up)
    assert len(moved) > 20
    assert 0.5 < np.median(moved) < 1.5


def test_what_somebody_wishes_overrules(small_model: CMT, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texture, "RESTS", 1.0)
    names = ("Piano", "Guitar", "Strings")
    for piece in pieces(small_model, sections=(SectionWish(8, instruments=names),)):
        assert piece.take.form is not None
        for name in names:
            label = INSTRUMENT_CLASS[name]
            heard = presence(piece, label)
            assert heard[8:].mean() > 0.5
