"""What a SoundFont's file must be, before the synthesizer makes room for what it declares.

Source: SoundFont technical specification 2.04, sections 4 to 7.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cmt.files import plain

PRESET = np.dtype([("name", "S20"), ("program", "<u2"), ("bank", "<u2"), ("rest", "V14")])
SAMPLE = np.dtype([("name", "S20"), ("place", "V24"), ("kind", "<u2")])
NO_FONT = "no RIFF file of the kind sfbk"
COMPRESSED = 0x10  # kind of a sample, in SF3


class CompressedError(ValueError):
    """A SoundFont of compressed samples, SF3, which the synthesizer does not read."""


def check(data: bytes) -> None:
    """See that the chunks of a SoundFont 2 are within those that hold them, and within the file.

    Raises:
        CompressedError: it is a SoundFont 3.
        ValueError: it is no SoundFont, or a chunk declares more than there is.
    """
    if not _is_font(data):
        raise ValueError(NO_FONT)
    samples = dict(_chunks(data)).get(b"shdr", b"")
    if (_records(samples, SAMPLE)["kind"] & COMPRESSED).any():
        raise CompressedError("its samples are compressed")


def presets(data: bytes) -> set[tuple[int, int]]:
    """Bank, 128 that of drum kits, and program of what a SoundFont has."""
    found = _records(dict(_chunks(data)).get(b"phdr", b""), PRESET)[:-1]  # the last ends the list
    return set(zip(found["bank"].tolist(), found["program"].tolist(), strict=True))


def read(path: Path) -> bytes:
    """A SoundFont's bytes, checked.

    Raises:
        OSError, ValueError: it cannot be read, or see `check`.
    """
    with plain(path).open("rb") as file:
        if not _is_font(file.read(12)):  # whatever size it has
            raise ValueError(NO_FONT)
        file.seek(0)
        data = file.read()
    check(data)
    return data


def _is_font(data: bytes) -> bool:
    return data[:4] == b"RIFF" and data[8:12] == b"sfbk"


def _chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Names and contents of the chunks, and of those in their lists."""
    view = memoryview(data)
    end = _end(data, 0, len(data))
    at = 12
    while at + 8 <= end:
        inner = _end(data, at, end)
        if data[at : at + 4] == b"LIST":
            below = at + 12
            while below + 8 <= inner:
                after = _end(data, below, inner)
                yield data[below : below + 4], view[below + 8 : after]
                below = after
        at = inner


def _end(data: bytes, at: int, most: int) -> int:
    """Where a chunk ends."""
    size = int.from_bytes(data[at + 4 : at + 8], "little")
    if at + 8 + size > most:
        name = data[at : at + 4].decode("latin-1")
        raise ValueError(f"its chunk {name!r} declares {size:,} bytes, and has fewer")
    return at + 8 + size + size % 2


def _records(content: bytes | memoryview, kind: np.dtype) -> np.ndarray:
    """The records of a chunk."""
    return np.frombuffer(content, kind, len(content) // kind.itemsize)
