"""Ducking: music steps back under what sounds like speech, in time and by as much as it should."""

from __future__ import annotations

import numpy as np
import pytest

from cmt.sound.ducking import (
    ATTACK,
    FRAME,
    LEAST,
    MOST,
    RELEASE,
    ducking,
    joined,
    speech_by_energy,
    stepped_back,
)
from cmt.sound.loudness import SAMPLE_RATE


def voice(seconds: float, spoken: tuple[float, float], level: float = 0.1) -> np.ndarray:
    """Syllables, four a second, of a voice of 120 Hz with formants; room tone around them."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    formants = {k: 1 / (1 + ((120 * k - 600) / 300) ** 2) for k in range(2, 28)}
    wave = sum(gain * np.sin(2 * np.pi * 120 * k * time) for k, gain in formants.items())
    syllables = np.maximum(np.sin(2 * np.pi * 4 * time), 0) ** 0.5
    speaking = (time >= spoken[0]) & (time < spoken[1])
    tone = np.random.default_rng(0).normal(0, 0.001, len(time))
    return np.stack([level * wave * syllables * speaking + tone] * 2).astype(np.float32)


@pytest.fixture(autouse=True)
def without_silero(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is right not to take what is drawn here for a human."""
    monkeypatch.setattr("cmt.sound.ducking.speech", speech_by_energy)


@pytest.mark.parametrize(("music", "depth"), [(-40.0, LEAST), (-10.0, MOST)])
def test_music_steps_back_while_somebody_speaks(music: float, depth: float) -> None:
    gain = ducking(voice(8, (3, 5)), music)
    decibels = 20 * np.log10(gain)
    time = np.arange(len(gain)) * FRAME / SAMPLE_RATE
    assert decibels[time < 3 - ATTACK - 0.05] == pytest.approx(0, abs=1e-9)
    assert decibels[(time > 3.05) & (time < 4.85)] == pytest.approx(-depth, abs=1e-6)
    assert decibels[time > 5 + RELEASE + 0.05] == pytest.approx(0, abs=1e-9)
    steps = np.abs(np.diff(decibels)) * SAMPLE_RATE / FRAME  # dB a second
    assert steps.max() <= depth / ATTACK + 1e-6


def test_slopes_last_as_long_as_they_should() -> None:
    speaking = np.zeros(200, bool)
    speaking[100:120] = True
    down = stepped_back(speaking)
    seconds = FRAME / SAMPLE_RATE
    assert (down[:100] > 0).sum() * seconds == pytest.approx(ATTACK, abs=seconds)
    assert (down[120:] > 0).sum() * seconds == pytest.approx(RELEASE, abs=seconds)
    assert (down[100:120] == 1).all()


def test_pauses_are_bridged_and_clicks_are_no_words() -> None:
    speaking = np.zeros(300, bool)
    speaking[50:70] = speaking[80:100] = True  # with a pause of a third of a second
    speaking[200:202] = True
    assert np.flatnonzero(joined(speaking)).tolist() == list(range(50, 100))


def test_silence_and_what_hums_all_the_time_is_no_speech() -> None:
    hum = np.tile(0.1 * np.sin(2 * np.pi * 500 * np.arange(SAMPLE_RATE * 4) / SAMPLE_RATE), (2, 1))
    for sound in (hum.astype(np.float32), np.zeros((2, 4 * SAMPLE_RATE), np.float32)):
        assert (ducking(sound, -14) == 1).all()
    assert len(ducking(np.zeros((2, 0), np.float32), -14)) == 0


def test_silero_takes_no_noise_for_speech() -> None:
    pytest.importorskip("silero_vad")
    from cmt.sound.ducking import speech_by_silero

    noise = np.random.default_rng(0).normal(0, 0.1, (2, 2 * SAMPLE_RATE)).astype(np.float32)
    heard = speech_by_silero(noise)
    assert len(heard) == -(-noise.shape[1] // FRAME) and not heard.any()
