"""Music steps back where somebody speaks.

Speech is found by Silero VAD (MIT, https://github.com/snakers4/silero-vad), whose weights come with
its package, where that is installed (`.[speech]`); else by the energy in the band of voices.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from cmt.sound.filtering import Filter
from cmt.sound.loudness import CELL, SAMPLE_RATE, Meter, Samples, blocks, integrated

VAD_RATE = 16_000  # Hz
VAD_FRAME = 512  # samples at that rate, 32 ms: what Silero VAD judges at a time
FRAME = VAD_FRAME * SAMPLE_RATE // VAD_RATE  # samples
LENGTH = 30 * FRAME  # samples that are read at a time
SPEECH, STILL_SPEECH = 0.5, 0.35  # probability from which on speech begins, to which it goes on
PAUSE, WORD = 0.6, 0.2  # seconds: what is shorter between words is bridged, what is shorter is none

VOICE_BAND = 300.0, 3400.0  # Hz
ABOVE_FLOOR = 10 ** (9 / 10)  # power of a voice, above what is there all the time
SOFTEST = 10 ** (-55 / 10)  # mean square
BAND_SHARE = 0.4  # of all power

LEAST, MOST = 6.0, 12.0  # dB that the music steps back
UNDER_SPEECH = 12.0  # LU by which it is to be softer than speech
ATTACK, RELEASE = 0.2, 0.6  # s: it is down when a word begins, and back so long after the last


def ducking(sound: Samples, music: float) -> NDArray[np.float64]:
    """How far music steps back under the speech in a sound.

    Args:
        sound: (2, samples), the video's own.
        music: loudness of what is laid under it, LUFS.

    Returns:
        (frames,) gain at the beginning of each `FRAME`, 1 where nobody speaks.
    """
    speaking = joined(speech(sound))
    meter = Meter()
    for block in blocks(sound):
        meter.read(block)
    spoken = np.repeat(speaking, FRAME // CELL)[: len(meter.power)]
    depth = music + UNDER_SPEECH - integrated(meter.power[spoken])
    return 10 ** (-min(max(depth, LEAST), MOST) * stepped_back(speaking) / 20)


def stepped_back(speaking: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(frames,) how far down the music is, 0 … 1: wholly where somebody speaks."""
    frames = np.arange(len(speaking))
    latest = np.maximum.accumulate(np.where(speaking, frames, -np.inf))
    following = np.minimum.accumulate(np.where(speaking, frames, np.inf)[::-1])[::-1]
    since, until = ((gap * FRAME / SAMPLE_RATE) for gap in (frames - latest, following - frames))
    return np.clip(np.maximum(1 - since / RELEASE, 1 - until / ATTACK), 0, 1)


def joined(speaking: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Speech without its pauses, and without what is too short to be a word."""
    from scipy.ndimage import binary_closing, binary_opening

    pause, word = (round(time * SAMPLE_RATE / FRAME) for time in (PAUSE, WORD))
    bridged = binary_closing(np.pad(speaking, pause), np.ones(pause))
    return binary_opening(bridged, np.ones(word))[pause : pause + len(speaking)]


def speech(sound: Samples) -> NDArray[np.bool_]:
    """(frames,) whether somebody speaks, by what is installed."""
    if importlib.util.find_spec("silero_vad") is None:
        return speech_by_energy(sound)
    return speech_by_silero(sound)


def speech_by_silero(sound: Samples) -> NDArray[np.bool_]:
    """(frames,) whether Silero VAD hears speech."""
    import torch
    from scipy.ndimage import binary_propagation

    threads = torch.get_num_threads()
    from silero_vad import load_silero_vad

    # Its import leaves one thread, and music that is made after would be rounded otherwise.
    torch.set_num_threads(threads)
    model = load_silero_vad()
    probability = []
    with torch.inference_mode():
        # Below half of the lower rate every third sample tells all.
        for block in _filtered(sound, (60.0, 0.45 * VAD_RATE), order=6):
            for frame in torch.from_numpy(block[:: SAMPLE_RATE // VAD_RATE]).split(VAD_FRAME):
                probability.append(float(model(frame, VAD_RATE)))
    likely = np.array(probability)
    return binary_propagation(likely >= SPEECH, mask=likely >= STILL_SPEECH)


def speech_by_energy(sound: Samples) -> NDArray[np.bool_]:
    """(frames,) whether the band of voices is louder than it is all the time, and most of all."""
    band = _power(_filtered(sound, VOICE_BAND, order=2))
    whole = _power(block.mean(axis=0) for block in blocks(sound, LENGTH))
    floor = float(np.quantile(band, 0.1)) if len(band) else 0.0
    return (band > max(floor * ABOVE_FLOOR, SOFTEST)) & (band > BAND_SHARE * whole)


def _filtered(
    sound: Samples, band: tuple[float, float], order: int
) -> Iterator[NDArray[np.float32]]:
    """The middle of a sound between two frequencies, (samples,), `LENGTH` or the rest at a time."""
    from scipy.signal import butter

    sections = butter(order, band, "bandpass", fs=SAMPLE_RATE, output="sos").astype(np.float32)
    passing = Filter(sections)
    for block in blocks(sound, LENGTH):
        middle = passing(block.mean(axis=0))
        yield np.pad(middle, (0, -len(middle) % FRAME))


def _power(parts: Iterable[NDArray[np.float32]]) -> NDArray[np.float64]:
    """(frames,) mean squares."""
    means = [
        np.pad(part**2, (0, -len(part) % FRAME)).reshape(-1, FRAME).mean(axis=1) for part in parts
    ]
    return np.concatenate([np.zeros(0), *means])
