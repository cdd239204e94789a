"""What is played suits the chord that was decided: by the table, by decoding, in the MIDI file."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

from cmt.compose import Settings, compose
from cmt.control import Control
from cmt.decoding.exact import ExactLoop
from cmt.decoding.style import Style
from cmt.decoding.voicing import (
    KINDS,
    OUTSIDE,
    ROLES,
    STRENGTH,
    STRENGTHS,
    TONIC,
    Voicing,
    kind,
    of_pitches,
    table,
)
from cmt.files import REPOSITORY
from cmt.form import Form
from cmt.model import checkpoint
from cmt.model.encoding import initial_tokens, model_words
from cmt.model.network import CMT
from cmt.music.chords import HALF_BAR, QUALITIES, Chord, find_chords, read_loops
from cmt.music.keys import Key
from cmt.music.midi import read_midi
from cmt.music.vocabulary import BAR, FIELD, INSTRUMENT_CLASS, METRICAL, NOTE
from cmt.music.words import NOTE_DTYPE, Song, song_to_words, words_to_song
from cmt.plan import BarPlan, Plan
from cmt.results import write_music

PIANO, BASS, DRUMS = (INSTRUMENT_CLASS[name] for name in ("Piano", "Bass", "Drums"))
SCRIPT = REPOSITORY / "runs" / "fit_voicing.py"


def form(names: str) -> Form:
    """A form in C whose chords last half a bar each."""
    return Form(Key(0), (), tuple(Chord.named(name) for name in names.split()))


@pytest.mark.parametrize("role", range(len(ROLES)), ids=ROLES)
@pytest.mark.parametrize("quality", ["", "m", "7"])
def test_tones_of_the_chord_are_the_likeliest(role: int, quality: str) -> None:
    weights = table()[role, KINDS.index(quality)]
    tones = QUALITIES[quality].steps
    assert weights[list(tones)].max() > weights.max() - 0.1
    if "Bass" not in ROLES[role]:
        assert weights[list(tones)].min() > np.delete(weights, tones).mean()


def test_the_bass_opens_a_chord_on_its_root() -> None:
    roles = [ROLES.index(name) for name in ("Bass, chord", "Bass, half bar", "Bass")]
    major = table()[roles, KINDS.index("")]
    assert major[0, 0] > major[1, 0] - 0.1 and major[0, 0] > major[2, 0] + 1


def test_every_chord_has_weights() -> None:
    assert {kind(Chord(0, quality)) for quality in QUALITIES} == set(range(len(KINDS)))


def test_the_bass_s_part_is_told_by_when_it_last_played() -> None:
    chords = Voicing(form("C C F F"))

    def role(tick: int) -> str:
        return ROLES[chords.role(BASS, tick)]

    assert role(0) == "Bass, chord"
    chords.add(BASS, 0)
    chords.add(PIANO, HALF_BAR)
    assert (role(4), role(HALF_BAR), role(2 * HALF_BAR)) == (
        "Bass",
        "Bass, half bar",
        "Bass, chord",
    )
    assert ROLES[chords.role(PIANO, 4)] == "Piano"


def test_pitches_outside_the_key_and_the_chord_weigh_less() -> None:
    chords = Voicing(form("C E7"))
    assert np.flatnonzero(chords.outside(0)).tolist() == [1, 3, 6, 8, 10]
    assert np.flatnonzero(chords.outside(HALF_BAR)).tolist() == [1, 3, 6, 10]
    row = table()[ROLES.index("Piano"), KINDS.index("7")]
    weights = chords.weights(PIANO, HALF_BAR)
    strength = STRENGTHS["7"]
    assert weights[4] == strength * row[0] and weights[8] == strength * row[4]
    assert weights[6] == strength * (row[2] + OUTSIDE)
    triad = table()[ROLES.index("Piano"), KINDS.index("")]
    assert chords.weights(PIANO, 0)[4] == STRENGTH * triad[4]
    home = Voicing(form("C E7"), tonic=4).weights(PIANO, HALF_BAR) - weights
    assert home[4] == pytest.approx(TONIC) and not np.delete(home, 4).any()
    assert not chords.weights(DRUMS, 0).any() and not Voicing(None).weights(PIANO, 0).any()


def test_decoding_favours_the_chord_in_every_octave() -> None:
    loop = ExactLoop(Plan((BarPlan(1, {}),)), 16, form=form("C G"))
    beat = {"type": METRICAL, "beat": 1, "strength": 2, "density": 1, "pitch": 0, "duration": 0}
    loop.take({**beat, "instr_type": PIANO})
    even = np.full(FIELD["pitch"].size, 1 / FIELD["pitch"].size)
    given = loop.given("pitch", {"type": NOTE}, even)
    assert given.sum() == pytest.approx(1)
    assert given[61] == given[73] > 1.5 * given[62]


@pytest.mark.parametrize(("chords", "share"), [("Am F C G", 0.7), ("D,A Bm G Em,A", 0.6)])
def test_chords_that_are_asked_for_are_heard(tmp_path: Path, chords: str, share: float) -> None:
    """In the MIDI files, by the chord finder and in the bass."""
    model, _ = checkpoint.load(REPOSITORY / "exp" / "default")
    rows = np.array([(BAR, 8, 0, 16 * bar, 16 * 12, 1) for bar in range(12)])
    style = Style(chords=read_loops(chords), ending=False)
    settings = Settings(takes=3, degree=0.0, style=style)
    (loop,) = style.chords
    asked = [chord for bar in range(12) for chord in loop[bar % len(loop)]]
    right, on_root = [], []
    for piece in compose(model, Control(rows, 120.0, 24.0), settings):
        write_music(piece, tmp_path / "a.mid")
        song = read_midi(tmp_path / "a.mid").song
        right += [
            found is not None and (found.root, found.family) == (chord.root, chord.family)
            for found, chord in zip(find_chords(song), asked, strict=False)
        ]
        bass = song.notes[song.notes["instrument"] == BASS]
        _, first = np.unique(bass["tick"] // HALF_BAR, return_index=True)
        for tick, pitch in bass[first][["tick", "pitch"]].tolist():
            on_root.append(pitch % 12 == asked[tick // HALF_BAR].root)
    assert np.mean(right) >= share
    assert np.mean(on_root) >= 0.6 and len(on_root) > 30


def some_song() -> Song:
    rng = np.random.default_rng(0)
    notes = sorted(
        (int(tick), int(pitch), 3, int(instrument))
        for tick, pitch, instrument in zip(
            rng.integers(0, 90, 60), rng.integers(40, 80, 60), rng.integers(1, 6, 60), strict=True
        )
    )
    notes.sort(key=lambda note: (note[0], note[3], note[1]))
    return Song(np.array(notes, NOTE_DTYPE), 96)


@torch.no_grad()
def test_what_is_fitted_is_the_likelihood_of_what_is_drawn(small_model: CMT) -> None:
    script = runpy.run_path(str(SCRIPT))
    words = song_to_words(some_song())
    instruments = list(INSTRUMENT_CLASS)
    notes = script["notes"](small_model, words, None, instruments)
    weights = {**script["present_weights"](), "SOUNDING": torch.tensor(0.0)}
    weights["HEARD"] = torch.tensor(0.0)
    fitted = script["loss"](notes, weights)

    rows = torch.from_numpy(model_words(words)).long().unsqueeze(0)
    initial = torch.from_numpy(initial_tokens(None, instruments)).unsqueeze(0)
    hidden = small_model.hidden(rows[:, :-1], initial)[0, -(rows.shape[1] - 1) :]
    chords, expected = Voicing(script["form_of"](words_to_song(words))), []
    for state, target, row in zip(hidden, rows[0, 1:], words[1:], strict=True):
        _, _, _, pitch, _, instrument, _, tick, *_ = row.tolist()
        if row[0] != NOTE or instrument == DRUMS:
            continue
        logits = small_model.logits(state[None], target[None])["pitch"][0].double().numpy()
        logits += of_pitches(chords.weights(instrument, tick) / chords.strength(tick), len(logits))
        expected.append(np.log(np.exp(logits).sum()) - logits[pitch])
        chords.add(instrument, tick)
    np.testing.assert_allclose(fitted.numpy(), expected, rtol=1e-3)
