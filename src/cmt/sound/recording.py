"""Samples that may be too many for memory: blocks of them, and a temporary file that keeps them.

A block is float32 (2, samples) at `cmt.sound.loudness.SAMPLE_RATE`, a second long or less. What
makes or changes sound takes and gives iterators of blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from tempfile import SpooledTemporaryFile
from threading import Lock

import av
import numpy as np
from numpy.typing import NDArray

from cmt.sound.loudness import SAMPLE_RATE, blocks

BLOCK = SAMPLE_RATE  # samples
IN_MEMORY = 2**26  # bytes, three minutes: longer ones go to a file

Block = NDArray[np.float32]
_FRAME = 2 * 4  # bytes of one sample of both channels


class Recording:
    """Samples (2, n) in memory or, where they are many, in a temporary file.

    `recording[:, first:last]` reads some of them as an array.

    Args:
        sound: the samples.
    """

    def __init__(self, sound: Iterable[Block] = ()) -> None:
        self._file = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115
        self._lock = Lock()  # its place is of one thread at a time
        self.shape = (2, 0)
        for block in sound:
            self.append(block)

    def __getitem__(self, where: tuple[slice, slice]) -> Block:
        first, last, step = where[1].indices(self.shape[1])
        assert where[0] == slice(None) and step == 1
        with self._lock:
            self._file.seek(first * _FRAME)
            content = self._file.read(max(last - first, 0) * _FRAME)
        return np.ascontiguousarray(np.frombuffer(content, np.float32).reshape(-1, 2).T)

    def __iter__(self) -> Iterator[Block]:
        """The samples, block by block."""
        return blocks(self)

    def append(self, block: Block) -> None:
        """Add samples at the end."""
        self._write(self.shape[1], block)
        self.shape = (2, self.shape[1] + block.shape[1])

    def put(self, first: int, part: Block) -> None:
        """Put samples in place of those from one on; what lies outside is dropped."""
        skipped = max(0, -first)
        part = part[:, skipped : max(self.shape[1] - first, skipped)]
        self._write(first + skipped, part)

    def replace(self, blocks: Iterable[Block]) -> None:
        """Put as many others in place of these, which `blocks` may have read before."""
        first = 0
        for block in blocks:
            self._write(first, block)
            first += block.shape[1]
        assert first == self.shape[1]

    def _write(self, first: int, block: Block) -> None:
        content = np.empty(block.shape[::-1], np.float32)
        for channel, samples in enumerate(block):  # in a fifth of the time that all at once take
            content[:, channel] = samples
        with self._lock:
            self._file.seek(first * _FRAME)
            self._file.write(content.tobytes())


def ahead(blocks: Iterator[Block]) -> Iterator[Block]:
    """The same, the next of which is made in a thread while one is used."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, blocks, None)
        while (block := coming.result()) is not None:
            coming = thread.submit(next, blocks, None)
            yield block


def silence(length: int) -> Iterator[Block]:
    """So many samples of it."""
    for first in range(0, length, BLOCK):
        yield np.zeros((2, min(BLOCK, length - first)), np.float32)


def cut(sound: Iterable[Block], length: int) -> Iterator[Block]:
    """The first samples of a sound."""
    for block in sound:
        yield block[:, :length]
        length -= block.shape[1]
        if length <= 0:
            return


def enveloped(
    sound: Iterable[Block], gains: NDArray[np.floating], spacing: int, first: int = 0
) -> Iterator[Block]:
    """Give a sound gains that glide.

    Args:
        sound: blocks.
        gains: at samples that are `spacing` apart; the first and the last hold beyond them.
        spacing: samples.
        first: the sample of the first gain.
    """
    position = 0
    for block in sound:
        length = block.shape[-1]
        before, skipped = divmod(position - first, spacing)
        around = np.arange(before, before - (-(skipped + length) // spacing) + 1)
        glide = gliding(gains[np.clip(around, 0, len(gains) - 1)], spacing)
        yield block * glide[skipped : skipped + length]
        position += length


def gliding(gains: NDArray[np.floating], spacing: int) -> NDArray[np.float32]:
    """Gains (n + 1,) that are `spacing` samples apart, at each sample: (n × spacing,)."""
    steps = (np.arange(spacing) / spacing).astype(np.float32)
    begin, rise = gains[:-1].astype(np.float32), np.diff(gains).astype(np.float32)
    return (begin[:, None] + rise[:, None] * steps).ravel()


def resampled(sound: Iterable[Block], rate: int) -> Iterator[Block]:
    """A sound at another rate, in Hz, and as long to the sample."""
    if rate == SAMPLE_RATE:
        yield from sound
        return
    resampler = av.AudioResampler("fltp", "stereo", rate)
    given = made = 0
    for block in sound:
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
        frame.sample_rate = SAMPLE_RATE
        given += block.shape[1]
        for part in resampler.resample(frame):
            made += part.samples
            yield part.to_ndarray().astype(np.float32, copy=False)
    rest = round(given * rate / SAMPLE_RATE) - made
    ending = [part.to_ndarray() for part in resampler.resample(None)]
    last = np.concatenate([*ending, np.zeros((2, max(rest, 0)))], axis=1, dtype=np.float32)
    yield last[:, :rest]
