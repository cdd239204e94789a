"""A video's own sound, from its first picture on, in place whatever its stamps are like."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame

from cmt.media.container import sound_of
from cmt.media.source import Source

FULL_SCALE = {"uint8": 2**7, "int16": 2**15, "int32": 2**31, "int64": 2**63}
MOST_CHANNELS = 8  # that are mixed by their places
# Stamps are rounded, and jitter where they tell when a packet came: what lasts for so long and is
# so much is a gap, or a clock that runs off.
LASTING, GAP = 0.25, 0.005  # seconds


def own_sound(source: Source, rate: int) -> Iterator[tuple[int, np.ndarray]]:
    """The sound of a video in parts that do not overlap, ascending; none if it has none.

    Args:
        source: the video.
        rate: Hz, of the samples.

    Yields:
        The sample, from the first picture on, with which a part begins (there are some before it),
        and the part, (2, n) float32.

    Raises:
        InputError: the file can no longer be read.
    """
    waiting: deque[tuple[float, int, np.ndarray]] = deque()  # how late each is, in samples
    lasting = round(LASTING * rate)
    count = held = 0
    offset: float | None = None
    over = -np.inf  # the sample after all so far

    def place() -> tuple[int, np.ndarray]:
        nonlocal offset, over, held
        late, position, block = waiting[0]
        usual = float(np.median([item[0] for item in waiting]))
        gap = GAP * rate
        if offset is None:
            offset = late
        elif abs(usual - offset) > gap and abs(late - usual) <= gap:
            offset = usual
        waiting.popleft()
        held -= block.shape[1]
        first = round(position + offset)
        skipped = int(min(max(0, over - first), block.shape[1]))
        over = max(over, first + block.shape[1])
        return first + skipped, block[:, skipped:]

    for time, block in _stamped(source, rate):
        if not np.isnan(time):
            late = time * rate - count
        else:
            late = waiting[-1][0] if waiting else offset or 0.0
        waiting.append((late, count, block))
        count += block.shape[1]
        held += block.shape[1]
        while held > lasting:
            yield place()
    while waiting:
        yield place()


def _stamped(source: Source, rate: int) -> Iterator[tuple[float, np.ndarray]]:
    """Parts (2, n) and when they begin, seconds from the first picture; NaN: unknown."""
    placed = source.clock.placing()
    resampler, kind = None, None
    for frame in map(mixable, _frames(source)):
        time = np.nan if frame.time is None else placed(frame.time)
        if kind != (kind := (frame.format.name, frame.layout.name, frame.sample_rate)):
            if resampler is not None:
                yield from ((np.nan, part.to_ndarray()) for part in resampler.resample(None))
            resampler = av.AudioResampler("fltp", "stereo", rate)
        assert resampler is not None
        for part in resampler.resample(frame):
            yield time, part.to_ndarray()
            time = np.nan
    if resampler is not None:
        yield from ((np.nan, part.to_ndarray()) for part in resampler.resample(None))


def mixable(frame: AudioFrame) -> AudioFrame:
    """A frame whose channels have places: those of one that tells none are mixed to one."""
    if frame.layout.nb_channels <= MOST_CHANNELS and "channels" not in frame.layout.name:
        return frame
    samples = _samples(frame)
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    mean = samples.mean(axis=0, keepdims=True, dtype=np.float64)
    if samples.dtype == np.uint8:
        mean -= 2**7  # its silence
    mean /= FULL_SCALE.get(samples.dtype.name, 1)
    mono = AudioFrame.from_ndarray(mean.astype(np.float32), "fltp", "mono")
    mono.sample_rate, mono.pts = frame.sample_rate, frame.pts
    if frame.time_base is not None:
        mono.time_base = frame.time_base
    return mono


def _samples(frame: AudioFrame) -> np.ndarray:
    """Those of a frame, as it has them: (channels, n), or (1, n × channels)."""
    if not frame.format.name.startswith("s64"):
        return frame.to_ndarray()
    channels = frame.layout.nb_channels  # PyAV reads none of this format, and counts its planes ill
    count = frame.samples if frame.format.is_planar else frame.samples * channels
    planes: Sequence[Any] = frame.planes[: channels if frame.format.is_planar else 1]
    return np.stack([np.frombuffer(plane, np.int64)[:count] for plane in planes])


def _frames(source: Source) -> Iterator[AudioFrame]:
    """Frames of the sound that can be decoded; a damaged packet is a gap."""
    with source.open() as (container, _):
        sound = sound_of(container)
        if sound is None:
            return
        for packet in chain(source.read(container, sound), [None]):
            try:
                yield from sound.codec_context.decode(packet)
            except av.FFmpegError:
                continue
