"""The npz format of a data set of songs, ours and the original's.

The file has x (songs, 9999, 10) and y, the same shifted by one word, padded with zeros, with 11
columns in our own vocabulary; decoder_mask (songs, 10000), 1 for each word; and metadata, one dict
per song. Songs are written and read one by one, as a data set need not fit in memory.
Original: midi2numpy_mix.py.
"""

from __future__ import annotations

import io
import json
import math
import pickle
import pickletools
import reprlib
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmt.files import InputError, replacing
from cmt.limits import MAX_MEGABYTES, TooMuch
from cmt.music.vocabulary import MAX_WORDS, PUBLISHED, Vocabulary, told_by
from cmt.music.words import check_words
from cmt.untrusted import Member, archive, member, naming, parse_json, text, whole

MAX_REPEATS = 1000  # of a song in an epoch
LONGEST_TEXT = 4096  # characters: of a path, which a song's id is


@dataclass(frozen=True)
class Dataset:
    """Songs of a data set.

    Attributes:
        words: per song (length, columns) integers, the EOS row included.
        metadata: per song a dict: id, de_len, instruments, genre, and what else was stored.
    """

    words: list[np.ndarray]
    metadata: list[dict[str, Any]]

    @property
    def vocabulary(self) -> Vocabulary:
        """What its words tell."""
        return told_by(self.words[0].shape[1])


def write_dataset(
    path: str | Path,
    songs: Iterable[tuple[np.ndarray, dict[str, Any]]],
    vocabulary: Vocabulary = PUBLISHED,
) -> int:
    """Write songs to a compressed npz, holding one song in memory at a time.

    The file has x (songs, 9999, columns) and y, the same shifted by one word, padded with zeros,
    in the smallest signed integer type that holds the values; decoder_mask (songs, 10000)
    int8, 1 for each word; and metadata, one text: the JSON list of the songs' dicts.

    Args:
        path: the npz to write.
        songs: (words, metadata) per song; words (length ≤ 10000, columns) with the EOS row.
        vocabulary: of these words.

    Returns:
        The number of songs.

    Raises:
        InputError: there are no songs, or the folder cannot be written to.
        ValueError: words of another shape.
    """
    spooled, metadata, largest, width = [], [], 0, len(vocabulary.columns)
    with replacing(path) as target, tempfile.TemporaryFile(dir=target.parent) as spool:
        for words, about in songs:
            if words.ndim != 2 or words.shape[1] != width or len(words) > MAX_WORDS:
                raise ValueError(f"words must be (≤ {MAX_WORDS}, {width}): {words.shape}")
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
                rows = np.zeros((MAX_WORDS - 1, width), dtype)
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


def read_dataset(path: str | Path, max_megabytes: float = MAX_MEGABYTES) -> Dataset:
    """Read a data set npz whole; see `stream_dataset`.

    Raises:
        InputError: as `stream_dataset` does.
    """
    words, metadata = zip(*stream_dataset(path, max_megabytes), strict=True)
    return Dataset(list(words), list(metadata))


def stream_dataset(
    path: str | Path, max_megabytes: float = MAX_MEGABYTES
) -> Iterator[tuple[np.ndarray, dict[str, Any]]]:
    """Read a data set npz, ours or the original's, song by song.

    The original's metadata is a pickled array; it is read with an unpickler that knows
    nothing but plain containers, text and numbers.

    Args:
        path: the npz.
        max_megabytes: that its metadata may have, four bytes a character.

    Yields:
        (words, metadata) per song; words (length, columns) integers, the EOS row included.

    Raises:
        InputError: the file is missing, damaged, of another layout, holds no song, has a value that
            no song has, or its pickle asks for anything else; at the song where that shows.
    """
    with (
        naming(path, "not a data set of compound words", "make one with midi2numpy_mix.py"),
        archive(path) as opened,
    ):
        metadata = _read_metadata(opened, round(max_megabytes * 2**20), path)
        count = len(metadata)
        with member(opened, "decoder_mask") as mask:
            mask.expect("iub", (count, None))
            _check_row(mask, MAX_WORDS)
            lengths = [_length(row, song) for song, row in enumerate(mask.rows())]
        with member(opened, "x") as x:
            width = len(told_by(x.shape[-1] if x.shape else 0).columns)
            x.expect("iu", (count, None, width))
            _check_row(x, MAX_WORDS * width)
            for song, (rows, length) in enumerate(zip(x.rows(), lengths, strict=True)):
                yield _song(rows, length, song), metadata[song]


def _check_row(array: Member, most: int) -> None:
    """A ValueError where the rows of an array declare more values than a song has."""
    if (size := math.prod(array.shape[1:])) > most:
        raise ValueError(f"`{array.name}` declares {size:,} values a song, more than {most:,}")


def _length(mask: NDArray[Any], song: int) -> int:
    """Words of a song, the end included, by its row of the mask."""
    length = int(np.count_nonzero(mask))
    if not mask[:length].all():
        raise ValueError(f"song {song}: its decoder_mask has gaps")
    return length


def _song(rows: NDArray[Any], length: int, song: int) -> NDArray[np.signedinteger[Any]]:
    """The words of a song out of its padded rows."""
    if length > len(rows) + 1:
        raise ValueError(f"song {song}: {length} words, and rows for {len(rows)}")
    # x lacks the last word of a song of full length; it is EOS, all zeros.
    words = np.zeros((length, rows.shape[1]), rows.dtype)
    words[: len(rows)] = rows[:length]
    try:
        check_words(words)
    except ValueError as error:
        raise ValueError(f"song {song}: {error}") from None
    narrow = np.promote_types(np.int16, np.min_scalar_type(-int(words.max()) - 1))
    return words.astype(narrow, copy=False)


def _read_metadata(opened: zipfile.ZipFile, most: int, path: str | Path) -> list[dict[str, Any]]:
    """The songs' dicts, of plain values: neither nested nor large when they are told."""
    with member(opened, "metadata") as stored:
        if stored.dtype.hasobject:
            data = stored.file.read(most + 1)
            size = len(data)
        else:
            stored.expect("U", ())
            size = stored.dtype.itemsize
        if size > most:
            raise TooMuch(
                f"{path}: has more than {most / 2**20:.3g} MB of metadata; make it smaller",
                "--max-megabytes",
            )
        if stored.dtype.hasobject:
            _check_pickle(data)
            metadata = _PlainUnpickler(io.BytesIO(data)).load().items
        else:
            metadata = parse_json(str(stored.read(most)))
    if not isinstance(metadata, list) or not all(isinstance(about, dict) for about in metadata):
        raise ValueError("metadata is not a list of dicts")
    if not metadata:
        raise ValueError("no song in it")
    return [_about(about, song) for song, about in enumerate(metadata)]


def _about(about: dict[str, Any], song: int) -> dict[str, Any]:
    """What is told of a song, its id fit to be printed.

    Raises:
        ValueError: a value is not of its kind, or is nested.
    """
    about = dict(about)
    for key, value in about.items():
        name = f"song {song}: {reprlib.repr(key)}"
        if key == "repeats":
            whole(int(value) if str(value).isdecimal() else value, name, 0, MAX_REPEATS)
        elif key == "instruments":
            if not isinstance(value, list) or len(value) > MAX_WORDS:
                raise ValueError(f"{name} is {reprlib.repr(value)}, no list")
            about[key] = [text(instrument, name, LONGEST_TEXT) for instrument in value]
        elif isinstance(value, str):
            text(value, name, LONGEST_TEXT)
        elif value is not None and not isinstance(value, int | float):
            raise ValueError(f"{name} is {reprlib.repr(value)}, no text and no number")
    if isinstance(about.get("id"), str):
        about["id"] = "".join(
            c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in about["id"]
        )
    return about


def _check_pickle(data: bytes) -> None:
    """A ValueError where a pickle numbers more objects than it can have: room is made for all."""
    for operation, number, _ in pickletools.genops(data):
        if operation.name in ("PUT", "BINPUT", "LONG_BINPUT") and int(number or 0) > len(data):
            raise ValueError(f"its metadata numbers {number:,} objects")


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
