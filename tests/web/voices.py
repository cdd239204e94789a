"""Somebody who speaks, as far as detectors of speech can tell."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from cmt.sound.loudness import SAMPLE_RATE

# Formants, Hz (Peterson and Barney, "Control Methods Used in a Study of the Vowels", JASA 1952).
VOWELS = [(730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480)]
WIDTHS = (80, 90, 120)  # of formants, Hz
SYLLABLE = 0.18  # seconds


def speaking(seconds: float, spoken: tuple[float, float]) -> np.ndarray:
    """Vowels on a voice that rises and falls, (2, samples); silence before and after."""
    rng = np.random.default_rng(0)
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    pitch = 130 * 2 ** (0.18 * np.sin(2 * np.pi * 0.9 * time))
    pulses = (np.cumsum(pitch / SAMPLE_RATE) % 1 < 0.02) - 0.02
    source = lfilter([1], [1, -0.96], pulses + 0.02 * rng.normal(size=len(time)))
    voice = 0.0005 * rng.normal(size=len(time))
    for begins in np.arange(*spoken, SYLLABLE + 0.03):
        part = slice(*(round(at * SAMPLE_RATE) for at in (begins, begins + SYLLABLE)))
        sung = source[part]
        for formant, width in zip(VOWELS[rng.integers(len(VOWELS))], WIDTHS, strict=True):
            pole = np.exp((-width + 2j * formant) * np.pi / SAMPLE_RATE)
            sung = lfilter([1], [1, -2 * pole.real, abs(pole) ** 2], sung)
        voice[part] += 0.25 * sung / np.abs(sung).max() * np.hanning(len(sung)) ** 0.3
    return np.stack([voice, voice]).astype(np.float32)
