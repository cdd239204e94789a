"""What a SoundFont's file must be, before the synthesizer makes room for what it declares."""

from __future__ import annotations

from pathlib import Path


def check(data: bytes) -> None:
    """See that the chunks of a SoundFont 2 are within those that hold them, and within the file.

    Raises:
        ValueError: it is no SoundFont, or a chunk declares more than there is.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"sfbk":
        raise ValueError("no RIFF file of the kind sfbk")
    end = _end(data, 0, len(data))
    at = 12
    while at + 8 <= end:
        inner = _end(data, at, end)
        if data[at : at + 4] == b"LIST":
            below = at + 12
            while below + 8 <= inner:
                below = _end(data, below, inner)
        at = inner


def _end(data: bytes, at: int, most: int) -> int:
    """Where a chunk ends."""
    size = int.from_bytes(data[at + 4 : at + 8], "little")
    if at + 8 + size > most:
        name = data[at : at + 4].decode("latin-1")
        raise ValueError(f"its chunk {name!r} declares {size:,} bytes, and has fewer")
    return at + 8 + size + size % 2


def read(path: Path) -> bytes:
    """A SoundFont's bytes, checked.

    Raises:
        OSError, ValueError: it cannot be read, or see `check`.
    """
    data = path.read_bytes()
    check(data)
    return data
