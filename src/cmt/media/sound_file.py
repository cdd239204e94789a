"""A sound of its own, as somebody recorded it: any file that FFmpeg decodes, as one channel."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer

from cmt.files import InputError
from cmt.media.container import is_media, opened, sound_of
from cmt.media.own_sound import mixable

LEAST_RATE = 4_000  # Hz, of what a pitch can be heard in; at lower ones few bytes are hours
GIVE = "give a sound file, such as wav, mp3, m4a, ogg, flac or webm"


def read_sound(path: str | Path, rate: int, most: float) -> np.ndarray:
    """The sound of a file, its channels mixed; a damaged part is left out.

    Args:
        path: the file; of a video it is the video's sound.
        rate: Hz, of the samples.
        most: seconds that it may last.

    Returns:
        (n,) float32.

    Raises:
        InputError: it cannot be read, has no sound that can be decoded, or lasts longer.
    """
    path = Path(path)
    too_long = InputError(f"{path}: lasts longer than {most:g} seconds; cut it")
    parts: list[np.ndarray] = []
    count = 0
    with opened(path, "a sound", GIVE) as container:
        sound = sound_of(container) if is_media(container) else None
        if sound is None:
            raise InputError(f"{path}: has no sound that can be decoded; {GIVE}")
        for part in _resampled(_frames(container, sound), rate):
            parts.append(part)
            count += len(part)
            if count > most * rate:
                raise too_long
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _frames(container: InputContainer, sound: AudioStream) -> Iterator[AudioFrame]:
    """What can be decoded, as far as the file can be read."""
    packets = container.demux(sound)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            return
        if packet is None:
            return
        try:
            frames = sound.codec_context.decode(packet)
        except av.FFmpegError:
            continue
        yield from (frame for frame in frames if frame.sample_rate >= LEAST_RATE)


def _resampled(frames: Iterator[AudioFrame], rate: int) -> Iterator[np.ndarray]:
    resampler, kind = None, None
    for frame in chain(map(mixable, frames), [None]):
        new = frame and (frame.format.name, frame.layout.name, frame.sample_rate)
        if resampler is not None and new != kind:
            yield from (part.to_ndarray()[0] for part in resampler.resample(None))
        if frame is None:
            return
        if new != kind:
            resampler, kind = av.AudioResampler("fltp", "mono", rate), new
        assert resampler is not None
        frame.pts = None  # one after the other, whatever its clock says
        yield from (part.to_ndarray()[0] for part in resampler.resample(frame))
