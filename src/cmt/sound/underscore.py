"""Music under a video's own sound."""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray

from cmt.media.own_sound import own_sound
from cmt.media.source import Source, VideoFile, source_of
from cmt.sound.ducking import FRAME, ducking
from cmt.sound.limiter import limit
from cmt.sound.loudness import SAMPLE_RATE, Samples, blocks, decibels, loudness
from cmt.sound.recording import Recording, enveloped, silence

STRAIGHT = 1e-6  # by which gains may bend and still be told as straight

log = logging.getLogger(__name__)


def mix(video: VideoFile, music: Samples, balance: float, duck: bool = True) -> Recording:
    """Lay music under a video's own sound.

    Args:
        video: the file, or it as a source.
        music: (2, samples), from the first frame on.
        balance: gain of the music, 0 … 1; the video's sound keeps its level.
        duck: whether the music steps back where somebody speaks in that sound.

    Returns:
        As many samples, true peaks at most `cmt.sound.limiter.CEILING`; the music alone, with a
        warning, if the video has no sound.

    Raises:
        InputError: not a video that can be read.
    """
    source = source_of(video)
    if not source.has_sound:
        log.warning("%s: has no sound of its own to keep", source.path)
        return Recording(blocks(music))
    own = _kept(source, music.shape[1])
    stepped = _stepped(own, music, balance) if duck else np.ones(1)
    laid_under = enveloped(blocks(music), balance * stepped, FRAME)
    mixed = Recording(voice + part for voice, part in zip(own, laid_under, strict=True))
    limit(mixed)
    return mixed


def stepping_back(video: VideoFile, music: Samples, balance: float) -> list[tuple[float, float]]:
    """How music steps back in `mix`, as others may play it: seconds and gains.

    Args:
        video: the file, or it as a source; it has a sound.
        music: (2, samples), from the first frame on.
        balance: gain of the music, 0 … 1.

    Returns:
        As few as tell all: between them gains glide, the last one holds.

    Raises:
        InputError: not a video that can be read.
    """
    stepped = _stepped(_kept(source_of(video), music.shape[1]), music, balance)
    bends = np.flatnonzero(np.abs(np.diff(stepped, n=2)) > STRAIGHT) + 1
    return [
        (round(frame * FRAME / SAMPLE_RATE, 4), round(float(stepped[frame]), 4))
        for frame in sorted({0, *bends.tolist(), len(stepped) - 1})
    ]


def _kept(source: Source, length: int) -> Recording:
    """So many samples of a video's own sound, from the first frame on."""
    own = Recording(silence(length))
    for first, part in own_sound(source, SAMPLE_RATE):
        own.put(first, part)
    return own


def _stepped(own: Samples, music: Samples, balance: float) -> NDArray[np.float64]:
    """The gain of the music at the beginning of each `FRAME`."""
    return ducking(own, loudness(music) + decibels(balance))
