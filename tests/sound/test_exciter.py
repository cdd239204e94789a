"""Overtones: only where music has none up there, an octave above, and never louder than below."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.signal import butter, sosfilt

from cmt.sound.balance import Balance, Spectrum
from cmt.sound.exciter import FREQUENCY, MOST, excite, excitement
from cmt.sound.loudness import SAMPLE_RATE


def dark(top: float, seconds: int = 4) -> np.ndarray:
    """Noise (2, samples) that falls steeply above a frequency."""
    noise = np.random.default_rng(0).normal(0, 0.1, (2, seconds * SAMPLE_RATE))
    sections = butter(8, top, "lowpass", fs=SAMPLE_RATE, output="sos")
    return sosfilt(sections, noise).astype(np.float32)


def read(sound: np.ndarray) -> Spectrum:
    balance = Balance()
    balance.read(sound)
    return balance.spectrum()


def gain(balance: Spectrum, brightness: float) -> float:
    flat = np.ones(len(balance.frequencies))
    return excitement(balance, brightness, flat, flat)


def test_a_tone_gets_its_octave_and_hardly_anything_else() -> None:
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    tone = np.stack([np.sin(2 * np.pi * 4000 * time)] * 2).astype(np.float32)
    (made,) = excite(iter([tone]), 1.0)
    spectrum = np.abs(np.fft.rfft(made[0] * np.hanning(SAMPLE_RATE))) / SAMPLE_RATE * 4
    assert spectrum[4000] == pytest.approx(1, abs=0.01)
    assert spectrum[8000] == pytest.approx(4 / (3 * math.pi), rel=0.15)  # of a rectified sine
    spectrum[[*range(3990, 4011), *range(7990, 8011)]] = 0
    assert spectrum.max() < 0.12


def test_dark_music_becomes_as_bright_as_asked_and_bright_music_is_left_alone() -> None:
    sound = dark(5500)
    balance = read(sound)
    before = balance.brightness(FREQUENCY)
    assert before < -18
    (made,) = excite(iter([sound]), gain(balance, -15.0))
    assert read(made).brightness(FREQUENCY) == pytest.approx(-15, abs=1)
    assert gain(read(dark(12_000)), -15.0) == 0
    assert next(excite(iter([sound]), 0.0)) is sound


def test_overtones_stay_below_the_octave_they_are_made_of() -> None:
    sound = dark(5500)
    sound[:] += dark(400) * 20  # whose bass leaves little of all above
    balance = read(sound)
    (made,) = excite(iter([sound]), gain(balance, -10.0))
    after = read(made)
    added = after.power(FREQUENCY, math.inf) / balance.power(FREQUENCY / 2, FREQUENCY)
    assert added == pytest.approx(MOST, rel=0.3)
    assert after.brightness(FREQUENCY) < -15


def test_music_without_anything_there_gets_nothing() -> None:
    assert gain(read(np.zeros((2, SAMPLE_RATE), np.float32)), -15.0) == 0
