"""JSON and npz files that anybody may have made: small before they are read, and only data.

Sizes that a file declares are compared with what it may have before memory is taken; nothing in it
is run. What is wrong is a ValueError that tells place and value, which `naming` makes one line.
"""

from __future__ import annotations

import json
import math
import reprlib
import tokenize
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn, TypeVar

import numpy as np
from numpy.typing import NDArray

from cmt.files import InputError, plain
from cmt.limits import MOST_HOURS

MAX_JSON, DAY = 32 << 20, 24.0  # bytes of a rhythm with a beat in every frame of so many hours
LONGEST = 200  # characters of what a library says
T = TypeVar("T")
HEADER_FAULTS = (
    KeyError, ValueError, SyntaxError, TypeError, RecursionError, MemoryError, tokenize.TokenError,
)  # fmt: skip
METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # that npz files and checkpoints have


@contextmanager
def naming(path: str | Path, what: str, remedy: str) -> Iterator[None]:
    """Say in one line why a file cannot be used.

    Args:
        path: the file.
        what: what it is not, in that case.
        remedy: what to do.

    Raises:
        InputError: in place of whatever zipfile, zlib, json or NumPy raise of such a file.
    """
    try:
        yield
    except InputError:
        raise
    except OSError as error:
        cause = error.strerror or str(error)
        raise InputError(f"{path}: cannot be read ({cause}); {remedy}") from error
    except Exception as error:
        said = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        cause = " ".join(said.split())[:LONGEST] or type(error).__name__
        raise InputError(f"{path}: {what} ({cause}); {remedy}") from error


def read_json(path: str | Path, max_hours: float = 0.0) -> Any:
    """What a JSON file holds; without NaN, which is none.

    Args:
        path: the file.
        max_hours: of the video that it is of, which may be longer than a day, and the file so much
            larger; 0: of none.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no JSON, too large, or nested too deeply.
    """
    most = round(MAX_JSON * max(1.0, max_hours / DAY))
    with plain(path).open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        told = f", what --max-hours {max_hours:g} gives room for" if max_hours else ""
        raise ValueError(f"more than {most >> 20} MB{told}")
    return parse_json(data)


def parse_json(text: str | bytes) -> Any:
    """As `read_json`."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def number(value: object, name: str, low: float, high: float) -> float:
    """A number of a file, in its range, both ends included.

    Raises:
        ValueError: it is none, or outside.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{name} is {reprlib.repr(value)}, not a number from {low:g} to {high:g}")
    return value


def whole(value: object, name: str, low: int, high: int) -> int:
    """A whole number of a file; as `number`."""
    if number(value, name, low, high) != int(number(value, name, low, high)):
        raise ValueError(f"{name} is {value!r}, not a whole number")
    return int(number(value, name, low, high))


def text(value: object, name: str, longest: int) -> str:
    """A text of a file.

    Raises:
        ValueError: it is none, or longer than that many characters.
    """
    if not isinstance(value, str) or len(value) > longest or "\0" in value:
        raise ValueError(
            f"{name} is {reprlib.repr(value)}, not a text of up to {longest} characters"
        )
    return value


def one_of(value: object, name: str, known: Iterable[T]) -> T:
    """A value of a file that is one of some.

    Raises:
        ValueError: it is none of them.
    """
    for choice in known:
        if value == choice and type(value) is type(choice):
            return choice
    raise ValueError(f"{name} is {reprlib.repr(value)}, not one of those there are")


def items(value: object, name: str) -> list[Any]:
    """A list of a file.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, list | tuple):
        raise ValueError(f"{name} is {reprlib.repr(value)}, no list")
    return list(value)


def seconds(value: object, name: str) -> tuple[float, ...]:
    """Times in a film, of a file.

    Raises:
        ValueError: it is no list of them.
    """
    return tuple(float(number(one, name, 0, 3600 * MOST_HOURS)) for one in items(value, name))


def entries(value: object, name: str) -> dict[Any, Any]:
    """An object of a JSON file, or a dict of a checkpoint, by its keys.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, dict):
        raise ValueError(f"{name} is {reprlib.repr(value)}, no object")
    return value


def within(values: NDArray[Any], name: str, low: float, high: float) -> None:
    """See that all values of an array are in a range, both ends included; NaN never is.

    Raises:
        ValueError: the first that is not, and its place.
    """
    wrong = ~((values >= low) & (values <= high))
    if wrong.any():
        place = tuple(int(index[0]) for index in np.nonzero(wrong))
        where = ", ".join(map(str, place))
        raise ValueError(f"{name}[{where}] is {values[place]}, not from {low:g} to {high:g}")


@contextmanager
def archive(path: str | Path) -> Iterator[zipfile.ZipFile]:
    """Open an npz file.

    Raises:
        OSError, ValueError, zipfile.BadZipFile: it cannot be read, or is compressed in ways that
            take any amount of memory.
    """
    with zipfile.ZipFile(plain(path)) as opened:
        for member in opened.infolist():
            if member.compress_type not in METHODS:
                raise ValueError(
                    f"{member.filename} is compressed by method {member.compress_type}"
                )
        yield opened


@dataclass(frozen=True)
class Member:
    """An array of an npz file, past its header."""

    file: IO[bytes]
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    by_columns: bool

    def expect(self, kinds: str, shape: Sequence[int | None]) -> None:
        """A ValueError unless its type is of such kinds, and it has this shape; None is any."""
        fits = len(shape) == len(self.shape) and all(
            wanted in (None, given) for wanted, given in zip(shape, self.shape, strict=True)
        )
        if self.dtype.kind not in kinds or not fits or any(size < 0 for size in self.shape):
            wanted = "×".join("any" if size is None else str(size) for size in shape)
            raise ValueError(
                f"`{self.name}` is {self.dtype} {reprlib.repr(self.shape)}, not"
                f" {' or '.join(KINDS[kind] for kind in kinds)} ({wanted or 'one value'})"
            )

    def read(self, most: int) -> NDArray[Any]:
        """The whole array, in native byte order.

        Raises:
            ValueError: it takes more than `most` bytes, or has fewer than it says.
        """
        count = math.prod(self.shape)
        if count * self.dtype.itemsize > most:
            size = count * self.dtype.itemsize
            raise ValueError(f"`{self.name}` declares {size:,} bytes, more than {most:,}")
        return self._take(count).reshape(self.shape, order="F" if self.by_columns else "C")

    def rows(self) -> Iterator[NDArray[Any]]:
        """The array along its first axis; the size of a row is the caller's to see to."""
        if self.by_columns and len(self.shape) > 1:
            raise ValueError(f"`{self.name}` is in Fortran order")
        for _ in range(self.shape[0]):
            yield self._take(math.prod(self.shape[1:])).reshape(self.shape[1:])

    def _take(self, count: int) -> NDArray[Any]:
        size = count * self.dtype.itemsize
        data = self.file.read(size)
        if len(data) < size:
            raise ValueError(f"`{self.name}` is cut off")
        return np.frombuffer(data, self.dtype, count).astype(
            self.dtype.newbyteorder("="), copy=False
        )


KINDS = {"i": "integers", "u": "counts", "f": "numbers", "b": "truths", "U": "text", "O": "objects"}


@contextmanager
def member(opened: zipfile.ZipFile, name: str) -> Iterator[Member]:
    """Open NAME.npy in an npz file.

    Raises:
        KeyError, ValueError: there is none, or its header cannot be read.
    """
    with opened.open(f"{name}.npy") as file:
        try:
            read_header = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[np.lib.format.read_magic(file)]
            shape, by_columns, dtype = read_header(file)
        except HEADER_FAULTS:
            raise ValueError(f"`{name}` has no header that can be read") from None
        yield Member(file, name, shape, dtype, by_columns)


def read_array(
    opened: zipfile.ZipFile, name: str, kinds: str, shape: Sequence[int | None], most: int
) -> NDArray[Any]:
    """An array of an npz file; see `Member.expect` and `Member.read`."""
    with member(opened, name) as found:
        found.expect(kinds, shape)
        return found.read(most)
