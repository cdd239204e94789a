"""Another take of some bars: the rest is the same note for note, and the report tells how."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

import gen_midi_conditional
from cmt import revision
from cmt.compose import Piece, Settings, compose
from cmt.control import Control, save_control
from cmt.decoding.passage import Passage
from cmt.decoding.style import Style
from cmt.files import InputError
from cmt.model import checkpoint
from cmt.model.network import CMT
from cmt.music.chords import read_loops
from cmt.music.midi import load_score, read_midi
from cmt.music.vocabulary import BAR, COLUMNS, DRUMS, TICKS_PER_BAR
from cmt.revision import Revision
from cmt.sections import SectionWish
from conftest import SMALL

BARS = 8
TICK = COLUMNS.index("i_beat")
Notes = list[tuple[int, ...]]
LATER = SectionWish(4, 1.5, ("Drums", "Bass", "Piano"))


def control() -> Control:
    """Eight bars of density 6 with a visual beat of strength 4 on the third beat of each."""
    rows = [(BAR, 7, 0, 16 * bar) for bar in range(BARS)]
    rows += [(9, 0, 4, 16 * bar + 8) for bar in range(BARS)]
    words = np.array([(*row, 16 * BARS, 1) for row in sorted(rows, key=lambda row: row[3])])
    return Control(words, 120.0, 2.0 * BARS, seconds=words[:, 3] * 0.125, scenes=(0, 4))


Made = Callable[..., Piece]


@pytest.fixture(scope="module")
def made() -> Made:
    """A function that makes a piece, and then passages of it; what was made is there again."""
    torch.manual_seed(0)
    model = CMT(SMALL).eval()

    @cache
    def make(*passages: Passage | Revision, degree: float = 1.0) -> Piece:
        return piece_of(model, passages, degree)

    return make


def piece_of(model: CMT, passages: tuple[Passage | Revision, ...], degree: float) -> Piece:
    style = Style(sections=(LATER,))
    settings = Settings(degree=degree, seed=3, style=style, passages=passages)
    (piece,) = compose(model, control(), settings)
    return piece


def parted(piece: Piece, passage: Passage) -> tuple[Notes, Notes]:
    """Notes inside and outside a passage."""
    bars = piece.song.notes["tick"] // TICKS_PER_BAR
    inside = (bars >= passage.first) & (bars <= passage.last)
    return piece.song.notes[inside].tolist(), piece.song.notes[~inside].tolist()


@pytest.mark.parametrize(
    ("bars", "degree"),
    [("1-2", 0.4), ("3-5", 0.0), ("3-5", 1.0), ("7-8", 0.4), ("7-8", 1.0), ("1-8", 1.0)],
)
def test_the_rest_is_the_same_note_for_note(made: Made, degree: float, bars: str) -> None:
    passage = Passage.of(bars, 7)
    before = made(degree=degree)
    piece = made(passage, degree=degree)
    (old, kept), (new, rest) = (parted(each, passage) for each in (before, piece))
    assert new != old and len(new) > 0
    assert rest == kept
    assert piece.take.plan == before.take.plan and piece.take.form == before.take.form
    error = piece.report.control_error
    assert (error.density, error.strength, error.time) == (0, 0, 0)
    if bars.endswith("8"):  # the piece still ends in its final chord, held to the end
        last = piece.song.notes[piece.song.notes["tick"] == 16 * (BARS - 1)]
        pitched = last[last["instrument"] != DRUMS]
        assert set(pitched["tick"] + pitched["duration"]) == {16 * BARS}
    # So are the words before it, and those after it, with the densities that they count down.
    outside = [
        (rows[:, TICK] < passage.first * TICKS_PER_BAR)
        | (rows[:, TICK] >= (passage.last + 1) * TICKS_PER_BAR)
        for rows in (before.take.words, piece.take.words)
    ]
    assert np.array_equal(before.take.words[outside[0]], piece.take.words[outside[1]])


def test_another_seed_is_another_passage_and_one_passage_follows_another(made: Made) -> None:
    first, other, later = Passage(2, 3, 1), Passage(2, 3, 2), Passage(6, 6, 1)
    once = made(first)
    assert parted(once, first)[0] != parted(made(other), other)[0]
    assert once.song.notes.tolist() == made(first).song.notes.tolist()
    twice = made(first, later)
    assert parted(twice, later)[1] == parted(once, later)[1]
    assert twice.report.settings.passages == (first, later)


def test_bars_that_the_piece_has_not_are_refused(made: Made) -> None:
    with pytest.raises(InputError, match=r"bars 7-9: the piece has 8; give bars from 1 to 8"):
        made(Passage(6, 8))


def played(path: Path) -> dict[float, list[tuple[int, int]]]:
    """Pitch and end of the notes of a MIDI file by when they begin, ticks of the file."""
    notes: dict[float, list[tuple[int, int]]] = {}
    for track in load_score(path).tracks:
        for note in track.notes:
            notes.setdefault(note.time, []).append((note.pitch, note.time + note.duration))
    return notes


def test_the_script_makes_a_passage_again_and_its_report_makes_that(
    tmp_path: Path, small_model: CMT, capsys: pytest.CaptureFixture[str]
) -> None:
    save_control(tmp_path / "clip.npz", control())
    checkpoint.save(tmp_path / "model.pt", small_model)
    main, out = gen_midi_conditional.main, ["--out_dir", str(tmp_path)]
    clip = ["-f", str(tmp_path / "clip.npz"), "-c", str(tmp_path / "model.pt")]
    main([*clip, *out, "--seed", "6", "--C", "0.7"])
    before = f"{tmp_path / 'clip.mid'}.json"
    main(["--settings", before, "--again", "3-5", "--seed", "7", *out])
    midi = tmp_path / "clip_bars3-5.mid"
    report = json.loads(Path(f"{midi}.json").read_text())
    assert (report["seed"], report["again"]) == (6, [{"bars": "3-5", "seed": 7}])
    main(["--settings", f"{midi}.json", "--out_dir", str(tmp_path / "b")])
    assert (tmp_path / "b" / midi.name).read_bytes() == midi.read_bytes()
    main(["--settings", f"{midi}.json", "--again", "1", "--seed", "9", *out])
    report = json.loads((tmp_path / "clip_bars1-1.mid.json").read_text())
    assert report["again"] == [{"bars": "3-5", "seed": 7}, {"bars": "1-1", "seed": 9}]
    # Also as they are played: unevenly, but in the same way.
    old, new = played(tmp_path / "clip.mid"), played(midi)
    tpq = load_score(midi).tpq
    after = 5 * 4 * tpq
    assert {k: v for k, v in new.items() if k >= after} == {
        k: v for k, v in old.items() if k >= after
    }
    for wrong in (["--again", "5-3"], ["--again", "x"], ["--again", "0"]):
        with pytest.raises(SystemExit):
            main(["--settings", before, *wrong])
    with pytest.raises(SystemExit):
        main([*clip, "--again", "3"])
    assert "goes with --settings" in capsys.readouterr().err.splitlines()[-1]


def bars_that_differ(before: Piece, after: Piece) -> set[int]:
    """Bars, from 0, whose notes are not the same."""
    notes = [{tuple(note) for note in piece.song.notes.tolist()} for piece in (before, after)]
    return {tick // TICKS_PER_BAR for tick, *_ in notes[0] ^ notes[1]}


@pytest.mark.parametrize(
    ("change", "touched", "degree"),
    [
        (Revision((SectionWish(0), SectionWish(2, 0.0), SectionWish(3), LATER)), {2}, 1.0),
        (
            Revision((SectionWish(0), SectionWish(1, 2, ("Piano",)), SectionWish(3), LATER)),
            {1, 2},
            1.0,
        ),
        (Revision((LATER,), removed=(7.0,), added=(12.5,)), {3, 6}, 1.0),
        (Revision((SectionWish(0, chords=read_loops("F Bb")[0]), LATER)), {0, 1, 2, 3}, 0.4),
        (Revision((LATER,)), set(), 0.4),
        # What is kept stays, whatever is asked of it.
        (Revision((SectionWish(0, 1.6), SectionWish(3), LATER), kept=frozenset({1})), {0, 2}, 1.0),
        (Revision((LATER,), removed=(7.0,), added=(12.5,), kept=frozenset({3})), {6}, 1.0),
    ],
)
def test_a_revision_changes_what_it_touches_alone(
    made: Made, change: Revision, touched: set[int], degree: float
) -> None:
    before = made(degree=degree)
    piece = made(replace(change, seed=5), degree=degree)
    differing = bars_that_differ(before, piece)
    assert differing <= touched and (degree < 1 or differing == touched)
    error = piece.report.control_error
    assert (error.density, error.strength, error.time) == (0, 0, 0)
    if degree == 1:
        changed = np.flatnonzero(before.take.plan.densities != piece.take.plan.densities)
        assert set(changed.tolist()) <= touched
    assert before.take.form and piece.take.form
    if change.sections[0].chords:
        assert " ".join(map(str, piece.take.form.chords[:8])) == "F F Bb Bb F F Bb Bb"
        assert piece.take.form.chords[8:] == before.take.form.chords[8:]


def test_what_was_made_again_is_told_and_read() -> None:
    kept = Revision((SectionWish(2, 1.5),), removed=(7.0,), seed=3, kept=frozenset({4, 1}))
    assert revision.to_json(kept)["kept"] == [2, 5]
    for change in (kept, replace(kept, kept=frozenset()), Passage(2, 4, 9)):
        assert revision.from_json(json.loads(json.dumps(revision.to_json(change)))) == change


def test_revised_hits_are_met_where_they_are_and_later_ones_stay(made: Made) -> None:
    change = Revision((LATER,), removed=(7.0,), added=(12.6,))
    before, piece = made(), made(change)
    (tick,) = set(piece.take.plan.beats) - set(before.take.plan.beats)
    assert float(piece.control.grid.seconds(tick)) == pytest.approx(12.6)
    assert set(before.take.plan.beats) - set(piece.take.plan.beats) == {3 * 16 + 8}
    ticks = np.arange(16 * BARS)
    moved = piece.control.grid.seconds(ticks) != before.control.grid.seconds(ticks)
    assert set(ticks[moved] // TICKS_PER_BAR) <= {5, 6, 7}


def test_the_script_revises_and_its_report_makes_that(tmp_path: Path, small_model: CMT) -> None:
    save_control(tmp_path / "clip.npz", control())
    checkpoint.save(tmp_path / "model.pt", small_model)
    main, out = gen_midi_conditional.main, ["--out_dir", str(tmp_path)]
    clip = ["-f", str(tmp_path / "clip.npz"), "-c", str(tmp_path / "model.pt")]
    main([*clip, *out, "--sections", "1:energy=0.7", "--seed", "4"])
    before = f"{tmp_path / 'clip.mid'}.json"
    main(["--settings", before, "--revise", "--add-hits", "12.5", "--seed", "7", *out])
    midi = tmp_path / "clip_revised.mid"
    report = json.loads(Path(f"{midi}.json").read_text())
    assert report["seed"] == 4 and report["sections"] == [{"bar": 1, "energy": 0.7}]
    assert report["again"] == [
        {"sections": report["sections"], "removed_hits": [], "added_hits": [12.5], "seed": 7}
    ]
    main(["--settings", f"{midi}.json", "--out_dir", str(tmp_path / "b")])
    assert (tmp_path / "b" / midi.name).read_bytes() == midi.read_bytes()
    old, new = (
        {(tick, pitch) for tick, pitch, *_ in read_midi(path).song.notes.tolist()}
        for path in (tmp_path / "clip.mid", midi)
    )
    assert {tick // TICKS_PER_BAR for tick, _ in old ^ new} == {6}
