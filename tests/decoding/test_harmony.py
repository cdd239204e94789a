"""A pitch class is known to sound until it ends, and to have been heard until the bar ends."""

from __future__ import annotations

import math

import numpy as np

from cmt.decoding.exact import ExactLoop
from cmt.decoding.harmony import HEARD, SOUNDING, Harmony, of_pitches
from cmt.music.vocabulary import FIELD, INSTRUMENT_CLASS, METRICAL, NOTE
from cmt.plan import BarPlan, Plan


def test_pitch_classes_sound_for_their_durations_and_are_heard_for_the_bar() -> None:
    harmony = Harmony()
    harmony.add(60, 2, 4)
    harmony.add(72, 3, 20)
    harmony.add(67, 3, 1)
    assert np.flatnonzero(harmony.features(3)[0]).tolist() == [0, 7]
    sounding, heard = harmony.features(4)
    assert np.flatnonzero(sounding).tolist() == [0]
    np.testing.assert_allclose(heard[[0, 7, 2]], [math.log(3), math.log(2), 0])
    # In the next bar the long note still sounds.
    sounding, heard = harmony.features(22)
    assert np.flatnonzero(sounding).tolist() == [0]
    assert not heard.any()
    assert not harmony.features(23)[0].any()


def test_classes_of_the_pitch_field_are_octaves_of_their_pitch_class() -> None:
    values = of_pitches(np.arange(12.0), FIELD["pitch"].size)
    assert values[[61, 73, 72]].tolist() == [0, 0, 11]  # pitches 60, 72, 71


def test_exact_decoding_favours_what_sounds_except_for_drums() -> None:
    beat = {"type": METRICAL, "beat": 1, "strength": 2, "density": 1, "pitch": 0, "duration": 0}
    note = {"type": NOTE, "beat": 0, "strength": 0, "density": 0, "duration": 5}
    even = np.full(FIELD["pitch"].size, 1 / FIELD["pitch"].size)
    for name, factor in (("Piano", math.exp(SOUNDING + HEARD * math.log(2))), ("Drums", 1.0)):
        loop = ExactLoop(Plan((BarPlan(1, {}),)), 16)
        label = INSTRUMENT_CLASS[name]
        loop.take({**beat, "instr_type": label})
        loop.take({**note, "instr_type": label, "pitch": 61})
        given = loop.given("pitch", {"type": NOTE}, even)
        assert math.isclose(given.sum(), 1)
        np.testing.assert_allclose(given[[73, 62]] / given[62], [factor, 1])
