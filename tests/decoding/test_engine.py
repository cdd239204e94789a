"""Decoding: equal to the published loop on request, exact and always valid by default."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cmt.control import Control
from cmt.decoding.engine import generate, log_likelihood
from cmt.decoding.exact import ExactLoop
from cmt.decoding.style import Style
from cmt.measures.obedience import control_error
from cmt.model.config import CMTConfig
from cmt.model.network import CMT
from cmt.music.keys import Key
from cmt.music.vocabulary import (
    BAR,
    COLUMNS,
    EOS,
    FIELDS,
    INSTRUMENT_CLASS,
    METRICAL,
    NOTE,
    TICKS_PER_BAR,
)
from cmt.music.words import Song, song_to_words, words_to_song
from cmt.plan import BarPlan, Plan, make_plan
from conftest import REFERENCE, takes_of

TRACE = {
    name: value
    for file in ("trace.npz", "trace_seed3.npz")
    for name, value in np.load(REFERENCE / "generation" / file).items()
}
VLOG = np.load(REFERENCE / "generation" / "vlog.npz")["input"]
MODEL_COLUMNS = [field.column for field in FIELDS]
OFFSETS = np.array([field.offset for field in FIELDS])


@pytest.fixture(scope="module")
def traced_model(recorded_model: CMT) -> CMT:
    """The recorded model with the first class of three heads made impossible."""
    model = CMT(CMTConfig()).eval()
    model.load_state_dict(recorded_model.state_dict())
    with torch.no_grad():
        for head in (model.proj_type, model.proj_pitch, model.proj_duration):
            head.bias[0] -= 1000
    return model


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_original_loop_reproduces_the_recorded_words(traced_model: CMT, seed: int) -> None:
    control = TRACE[f"vlog_bars3_seed{seed}"]
    (take,) = takes_of(traced_model, control, degree=0.7, loop="original", seed=seed)
    words = take.words[:-1][:, MODEL_COLUMNS] + OFFSETS
    # Of seed 3, word 75 is a note whose beat says "bar".
    np.testing.assert_array_equal(words, TRACE[f"res_bars3_seed{seed}"])


def test_original_loop_survives_what_crashed_the_original(traced_model: CMT) -> None:
    """With seed 4 the first word is a note."""
    control = TRACE["vlog_bars3_seed4"]
    (take,) = takes_of(traced_model, control, degree=0.7, loop="original", seed=4)
    assert take.words[1, COLUMNS.index("type")] == NOTE
    words_to_song(take.words)


def test_exact_loop_goes_on_where_the_seconds_are_more_than_the_ticks(small_model: CMT) -> None:
    control = Control(np.array([(BAR, 17, 0, 0, 28, 1), (BAR, 17, 0, 16, 28, 58)]), 120.0, 3.9)
    plan, _ = make_plan(control)
    (take,) = generate(small_model, control, plan)
    assert take.words[:, COLUMNS.index("i_beat")].max() > 28
    assert take.words[:, COLUMNS.index("p_beat")].max() == 100


@pytest.mark.parametrize("kind", ["short", "strong", "past the end"])
def test_original_loop_ends_on_any_control(small_model: CMT, kind: str) -> None:
    """Time classes below 0 and above 101, strengths of 20 and more, beats past the end."""
    n_beat, strength, bar = {"short": (5, 3, 0), "strong": (64, 30, 1), "past the end": (16, 3, 9)}[
        kind
    ]
    rows = [(BAR, 9, 0, 0, n_beat, 1), (BAR, 30, 0, 16, n_beat, 50)]
    rows.append((5, 0, strength, 16 * bar + 4, n_beat, 90))
    for take in takes_of(small_model, np.array(rows), songs=3, loop="original"):
        assert take.words[-1, COLUMNS.index("type")] == EOS
        words_to_song(take.words)


def test_takes_do_not_depend_on_the_batch(small_model: CMT) -> None:
    together = takes_of(small_model, VLOG[:12], songs=3, seed=5)
    for index, take in enumerate(together):
        (alone,) = takes_of(small_model, VLOG[:12], seed=5 + index)
        np.testing.assert_array_equal(alone.words, take.words)


def check_valid(words: np.ndarray, n_beat: int) -> None:
    """Assert that words are what encoding their own notes gives, and end with the song."""
    song = words_to_song(words)
    assert (words[:, COLUMNS.index("type")] == EOS).nonzero()[0].tolist() == [len(words) - 1]
    kinds, beat = words[:, 0], words[:, COLUMNS.index("beat")]
    bars = np.cumsum((kinds == METRICAL) & (beat == BAR))
    assert bars[-1] == -(-n_beat // TICKS_PER_BAR)
    tick = words[:-1, COLUMNS.index("i_beat")]
    assert (np.diff(tick) >= 0).all()
    assert tick[-1] < n_beat
    notes = song.notes
    assert (notes["duration"] > 0).all()
    assert len(np.unique(notes[["tick", "pitch", "instrument"]])) == len(notes)
    encoded = song_to_words(type(song)(notes, n_beat))
    encoded = encoded[: len(words) - 1]  # a bar beyond, where n_beat is a whole number of bars
    np.testing.assert_array_equal(encoded, words[:-1])


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.integers(1, 70),
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 16), st.integers(0, 12)), max_size=25),
    st.lists(st.integers(1, 17), min_size=6, max_size=6),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.sets(st.sampled_from(sorted(INSTRUMENT_CLASS)), max_size=4),
    st.sampled_from([None, Key(2), Key(9, "minor")]),
    st.booleans(),
    st.sampled_from([(), (0,), (0, 2, 3)]),
)
def test_exact_control_has_no_error_and_no_invalid_word(
    small_model: CMT,
    n_beat: int,
    beats: list[tuple[int, int, int]],
    densities: list[int],
    degree: float,
    instruments: set[str],
    key: Key | None,
    ending: bool,
    scenes: tuple[int, ...],
) -> None:
    style = Style(instruments=tuple(sorted(instruments)) or None, key=key, ending=ending)
    rows = [(BAR, density, 0, 16 * bar) for bar, density in enumerate(densities)]
    rows += [(position, 0, strength, 16 * bar + position - 1) for bar, position, strength in beats]
    rows.sort(key=lambda row: row[3])
    control = np.array([(*row, n_beat, 1) for row in rows])
    for take in takes_of(small_model, control, songs=2, degree=degree, style=style, scenes=scenes):
        check_valid(take.words, n_beat)
        song = words_to_song(take.words)
        error = control_error(song, take.plan)
        assert (error.density, error.strength) == (0, 0)
        assert {"Drums"} | set(key_classes(song)) >= set(song_instruments(song))
        if instruments:
            assert song_instruments(song) <= instruments
        assert take.form and take.form.key == (key or take.form.key)
        if key:
            for note in song.pitched:
                chord = take.form.chord(int(note["tick"])).tones
                assert note["pitch"] % 12 in {*key.scale, *chord}


def test_drums_strike_on_what_is_seen_and_crash_where_a_scene_begins(small_model: CMT) -> None:
    for take in takes_of(small_model, VLOG, songs=2, scenes=(0, 3, 7)):
        notes = words_to_song(take.words).notes
        drums = notes[notes["instrument"] == INSTRUMENT_CLASS["Drums"]]
        heard = np.isin(drums["pitch"], (35, 36, 38, 40, 49, 57))
        assert set(take.plan.beats) <= set(drums["tick"][heard].tolist())
        assert control_error(words_to_song(take.words), take.plan).strength == 0
        for tick in {3 * TICKS_PER_BAR, 7 * TICKS_PER_BAR} & set(drums["tick"].tolist()):
            assert {49, 57} & set(drums["pitch"][drums["tick"] == tick].tolist())
    without = Style(instruments=("Piano", "Strings"))
    (take,) = takes_of(small_model, VLOG[:30], style=without, scenes=(0,))
    assert song_instruments(words_to_song(take.words)) == {"Piano", "Strings"}


def test_notes_of_an_onset_are_written_from_the_lowest_up(small_model: CMT) -> None:
    for take in takes_of(small_model, VLOG, songs=2, scenes=(0, 3, 7), style=Style(key=Key(2))):
        column = dict(zip(COLUMNS, take.words.T, strict=False))
        follows = (column["type"][1:] == NOTE) & (column["type"][:-1] == NOTE)
        assert follows.sum() > 50
        assert (np.diff(column["pitch"])[follows] > 0).all()


def song_instruments(song: Song) -> set[str]:
    """Names of the instruments that play."""
    labels = np.unique(song.notes["instrument"]).tolist()
    return {name for name, label in INSTRUMENT_CLASS.items() if label in labels}


def key_classes(song: Song) -> dict[str, set[int]]:
    """Pitched instrument → its pitch classes."""
    return {
        name: set((song.notes["pitch"][song.notes["instrument"] == label] % 12).tolist())
        for name, label in INSTRUMENT_CLASS.items()
        if name != "Drums" and label in song.notes["instrument"]
    }


@pytest.mark.parametrize("names", [("Drums",), ("Piano", "Bass"), tuple(INSTRUMENT_CLASS)])
def test_those_asked_for_play_and_no_others(small_model: CMT, names: tuple[str, ...]) -> None:
    for take in takes_of(small_model, VLOG[:30], songs=2, style=Style(instruments=names)):
        assert song_instruments(words_to_song(take.words)) == set(names)
        assert control_error(words_to_song(take.words), take.plan).strength == 0


def test_beat_instruments_play_the_visual_beats(small_model: CMT) -> None:
    (take,) = takes_of(small_model, VLOG[:60], style=Style(beat_instruments=("Guitar", "Bass")))
    notes = words_to_song(take.words).notes
    assert len(take.plan.beats) > 5
    guitar, bass = INSTRUMENT_CLASS["Guitar"], INSTRUMENT_CLASS["Bass"]
    for tick, strength in take.plan.beats.items():
        chords = np.bincount(notes["instrument"][notes["tick"] == tick], minlength=6)
        assert strength in (chords[guitar], chords[bass])


def test_the_last_bar_is_a_held_tonic_chord(small_model: CMT) -> None:
    # A fifth bar, of silence, does not count.
    rows = [(BAR, 5 if bar < 4 else 1, 0, 16 * bar, 76, 1) for bar in range(5)]
    key = Key(7)
    for take in takes_of(small_model, np.array(rows), songs=4, style=Style(key=key)):
        song = words_to_song(take.words)
        pitched = song.notes[song.notes["instrument"] != INSTRUMENT_CLASS["Drums"]]
        bar = pitched["tick"] // TICKS_PER_BAR
        last, before = pitched[bar == 3], pitched[bar == 2]
        chord = last[last["tick"] == 48]
        assert set(before["instrument"]) <= set(chord["instrument"])
        assert set(last["pitch"] % 12) <= {7, 11, 2}
        bass = chord[chord["instrument"] == INSTRUMENT_CLASS["Bass"]]
        assert set(bass["pitch"] % 12) <= {7}
        assert (chord["duration"] == TICKS_PER_BAR).all()
        assert control_error(song, take.plan).time == 0


def test_likelihood_is_the_negative_training_loss_of_a_take(small_model: CMT) -> None:
    """And the model finds its own music likelier than the same with shuffled pitches."""
    (take,) = takes_of(small_model, VLOG[:12])
    words = take.words.copy()
    note = words[:, 0] == NOTE
    pitch = COLUMNS.index("pitch")
    words[note, pitch] = np.random.default_rng(0).integers(1, 129, note.sum())
    assert log_likelihood(small_model, words) < log_likelihood(small_model, take.words) < 0


def test_random_weights_still_follow_a_real_video_exactly(small_model: CMT) -> None:
    (take,) = takes_of(small_model, VLOG)
    error = control_error(words_to_song(take.words), take.plan)
    assert (error.density, error.strength) == (0, 0)
    assert len(take.plan.beats) == (VLOG[:, 2] >= 2).sum()


def test_a_head_loses_what_it_says_of_the_case_that_was_not_drawn() -> None:
    """After drums, with the same tick at 0.5: a new tick's instrument, a new bar's density."""
    loop = ExactLoop(Plan((BarPlan(2, {}), BarPlan(None, {}))), 32)
    first = {"type": METRICAL, "beat": 5, "instr_type": 1, "strength": 1, "density": 2}
    loop.take({**first, "pitch": 0, "duration": 0})
    beat, instrument, density = np.zeros(18), np.zeros(6), np.zeros(18)
    beat[[5, 9]] = 0.5
    instrument[[1, 2, 5]] = 0.3, 0.4, 0.3
    density[[1, 8]] = 0.6, 0.4
    same, later = {"type": METRICAL, "beat": 5}, {"type": METRICAL, "beat": 9}
    np.testing.assert_array_equal(loop.untangled("instr_type", same, instrument, beat), instrument)
    corrected = loop.untangled("instr_type", later, instrument, beat)
    # Of 0.7 for later instruments, 0.5 is the same tick's.
    np.testing.assert_allclose(corrected[[1, 2, 5]], [0.6, 0.4 * 4 / 7, 0.3 * 4 / 7])
    bar = {"type": METRICAL, "beat": BAR, "instr_type": 0}
    left = loop.untangled("density", bar, density, beat)
    np.testing.assert_allclose(left[[1, 8]], [0.2, 0.8])
