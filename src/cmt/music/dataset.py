"""The npz format of a data set of songs, ours and the original's.

The file has x (songs, 9999, 10) and y, the same shifted by one word, padded with zeros;
decoder_mask (songs, 10000), 1 for each word; and metadata, one dict per song. Songs are written and
read one by one, as a data set need not fit in memory.
Original: midi2numpy_mix.py.
"""

from __future__ import annotations

import json
import math
import pickle
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from cmt.files import InputError, replacing
from cmt.music.vocabulary import COLUMNS, MAX_WORDS
from cmt.music.words import WORD_DTYPE


@dataclass(frozen=True)
class Dataset:
    """Songs of a data set.

    Attributes:
        words: per song (length, 10) integers, the EOS row included.
        metadata: per song a dict: id, de_len, instruments, genre, and what else was stored.
    """

    words: list[np.ndarray]
    metadata: list[dict[str, Any]]


def write_dataset(path: str | Path, songs: Iterable[tuple[np.ndarray, dict[str, Any]]]) -> int:
    """Write songs to a compressed npz, holding one song in memory at a time.

    The file has x (songs, 9999, 10) and y, the same shifted by one word, padded with zeros,
    in the smallest signed integer type that holds the values; decoder_mask (songs, 10000)
    int8, 1 for each word; and metadata, one text: the JSON list of the songs' dicts.

    Args:
        path: the npz to write.
        songs: (words, metadata) per song; words (length ≤ 10000, 10) with the EOS row.

    Returns:
        The number of songs.

    Raises:
        InputError: there are no songs, or the folder cannot be written to.
        ValueError: words of another shape.
    """
    spooled, metadata, largest = [], [], 0
    with replacing(path) as target, tempfile.TemporaryFile(dir=target.parent) as spool:
        for words, about in songs:
            if words.ndim != 2 or words.shape[1] != len(COLUMNS) or len(words) > MAX_WORDS:
                raise ValueError(f"words must be (≤ {MAX_WORDS}, {len(COLUMNS)}): {words.shape}")
            top = int(words.max())
            narrow = words.astype(np.min_scalar_type(-top - 1))  # the disk is what takes time
            spool.write(narrow.tobytes())
            spooled.append((narrow.shape, narrow.dtype))
            metadata.append(about)
            largest = max(largest, top)
        if not spooled:
            raise InputError(f"{path}: not written, as there are no songs")
        dtype = np.min_scalar_type(-largest - 1)

        def padded(first: int) -> Iterator[np.ndarray]:
            """The songs from their word `first` on, one array of equal shape after another."""
            spool.seek(0)
            for shape, narrow in spooled:
                song = spool.read(math.prod(shape) * narrow.itemsize)
                words = np.frombuffer(song, narrow).reshape(shape)[first:]
                rows = np.zeros((MAX_WORDS - 1, len(COLUMNS)), dtype)
                rows[: len(words)] = words[: len(rows)]
                yield rows

        masks = ((np.arange(MAX_WORDS) < length).astype(np.int8) for (length, _), _ in spooled)
        # Level 1: most of the file is padding, which higher levels hardly shrink further.
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            _write_member(archive, "x", padded(0), len(spooled))
            _write_member(archive, "y", padded(1), len(spooled))
            _write_member(archive, "decoder_mask", masks, len(spooled))
            _write_member(archive, "metadata", iter([np.array(json.dumps(metadata))]))
    return len(spooled)


def _write_member(
    archive: zipfile.ZipFile, name: str, rows: Iterator[np.ndarray], count: int | None = None
) -> None:
    """Stream `count` rows of equal shape, or one array if `count` is None, into NAME.npy."""
    first = next(rows)
    shape = first.shape if count is None else (count, *first.shape)
    header = {"descr": first.dtype.str, "fortran_order": False, "shape": shape}
    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
        np.lib.format.write_array_header_1_0(member, header)
        member.write(first.tobytes())
        for row in rows:
            member.write(row.tobytes())


def read_dataset(path: str | Path) -> Dataset:
    """Read a data set npz whole; see `stream_dataset`.

    Raises:
        InputError: as `stream_dataset` does.
    """
    words, metadata = zip(*stream_dataset(path), strict=True)
    return Dataset(list(words), list(metadata))


def stream_dataset(path: str | Path) -> Iterator[tuple[np.ndarray, dict[str, Any]]]:
    """Read a data set npz, ours or the original's, song by song.

    The original's metadata is a pickled array; it is read with an unpickler that knows
    nothing but plain containers, text and numbers.

    Yields:
        (words, metadata) per song; words (length, 10) integers, the EOS row included.

    Raises:
        InputError: the file is missing, damaged, of another layout, holds no song, or its pickle
            asks for anything else; at the song where that shows.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            metadata = _read_metadata(archive)
            lengths = [int(np.count_nonzero(mask)) for mask in _read_rows(archive, "decoder_mask")]
            if not lengths:
                raise ValueError("no song in it")
            if len(lengths) != len(metadata):
                raise ValueError(f"{len(lengths)} songs, metadata of {len(metadata)}")
            songs = zip(_read_rows(archive, "x"), lengths, metadata, strict=True)
            for rows, length, about in songs:
                if rows.ndim != 2 or rows.shape[1] != len(COLUMNS) or length > len(rows) + 1:
                    raise ValueError(f"x has songs of shape {rows.shape}")
                # x lacks the last word of a song of full length; it is EOS, all zeros.
                words = np.zeros(
                    (length, len(COLUMNS)), WORD_DTYPE if rows.dtype.itemsize > 4 else rows.dtype
                )
                words[: len(rows)] = rows[:length]
                yield words, about
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    except Exception as error:  # whatever zipfile, zlib, pickle or json say of such a file
        raise InputError(
            f"{path}: not a data set of compound words ({error}); make one with midi2numpy_mix.py"
        ) from error


def _open_member(
    archive: zipfile.ZipFile, name: str
) -> tuple[IO[bytes], tuple[int, ...], np.dtype]:
    """Open NAME.npy past its header, with its shape and type."""
    member = archive.open(f"{name}.npy")
    version = np.lib.format.read_magic(member)
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[version]
    shape, fortran_order, dtype = read_header(member)
    if fortran_order and len(shape) > 1:
        raise ValueError(f"{name} is in Fortran order")
    return member, shape, dtype


def _read_rows(archive: zipfile.ZipFile, name: str) -> Iterator[np.ndarray]:
    """Stream an array of integers along its first axis."""
    member, shape, dtype = _open_member(archive, name)
    with member:
        if dtype.kind not in "iub" or len(shape) < 2:
            raise ValueError(f"{name} is {dtype} of shape {shape}")
        size = int(np.prod(shape[1:])) * dtype.itemsize
        for _ in range(shape[0]):
            yield np.frombuffer(member.read(size), dtype).reshape(shape[1:])


def _read_metadata(archive: zipfile.ZipFile) -> list[dict[str, Any]]:
    member, shape, dtype = _open_member(archive, "metadata")
    with member:
        if dtype.hasobject:
            metadata = _PlainUnpickler(member).load().items
        else:
            metadata = json.loads(str(np.frombuffer(member.read(), dtype).reshape(shape)[()]))
    if not isinstance(metadata, list) or not all(isinstance(about, dict) for about in metadata):
        raise ValueError("metadata is not a list of dicts")
    return metadata


class _PickledArray:
    """Stands in for a pickled numpy array: keeps the list of its objects."""

    def __init__(self, *_: object) -> None:
        self.items: object = None

    def __setstate__(self, state: tuple[object, ...]) -> None:
        self.items = state[-1]


class _PickledType:
    """Stands in for a pickled numpy dtype: keeps its code, such as i8."""

    def __init__(self, code: str, *_: object) -> None:
        self.code = code

    def __setstate__(self, state: object) -> None:
        pass


def _pickled_scalar(dtype: _PickledType, data: bytes) -> int | str:
    if dtype.code[0] == "U":
        return data.decode("utf-32-le")
    if dtype.code[0] in "iu":
        return int.from_bytes(data, "little", signed=dtype.code[0] == "i")
    raise pickle.UnpicklingError(f"its metadata holds a {dtype.code}")


def _pickled_bytes(text: str, *_: object) -> bytes:
    return text.encode("latin1")


class _PlainUnpickler(pickle.Unpickler):
    """Unpickles an object array of plain containers without running any code of the file's.

    Even numpy's own constructors are replaced, as they trust the state that a pickle gives.
    """

    _ALLOWED = {  # noqa: RUF012
        "_reconstruct": _PickledArray,
        "ndarray": _PickledArray,
        "dtype": _PickledType,
        "scalar": _pickled_scalar,
        "encode": _pickled_bytes,
    }

    def find_class(self, module: str, name: str) -> Any:
        if module.split(".")[0] in ("numpy", "_codecs") and name in self._ALLOWED:
            return self._ALLOWED[name]
        raise pickle.UnpicklingError(f"its metadata asks for {module}.{name}")
