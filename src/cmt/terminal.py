"""Standard streams that end no work: in any encoding, closed, full, or read by nobody."""

from __future__ import annotations

import codecs
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TextIO

# What our lines have that an old terminal's encoding may not.
PLAIN = {
    "→": "->", "–": "-", "−": "-", "…": "...", "×": "x", "±": "+/-", "∞": "inf", "·": "*",
    "§": "section ", "σ": "sigma", "α": "alpha", "⇄": "<->", "′": "'",
}  # fmt: skip
_HANDLER = "cmt.plain"


def _plain(error: UnicodeError) -> tuple[str, int]:
    """An error handler of `codecs`: the sign in plain characters, or its number."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    sign = error.object[error.start]
    return PLAIN.get(sign) or ascii(sign)[1:-1], error.start + 1


@dataclass
class Lost:
    """Why what was printed did not arrive; None where it did."""

    error: OSError | None = None


class SteadyStream:
    """A text stream whose first error of writing is noted in `lost`; then it takes all.

    Args:
        stream: the stream, for all else.
        lost: gets the error.
    """

    def __init__(self, stream: TextIO, lost: Lost) -> None:
        self._stream = stream
        self._lost = lost

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, if anything still arrives."""
        if self._lost.error is None:
            with self._noting():
                return self._stream.write(text)
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush, if anything still arrives."""
        if self._lost.error is None:
            with self._noting():
                self._stream.flush()

    @contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._lost.error = error


@contextmanager
def steady_streams() -> Iterator[Lost]:
    """Make standard output and error steady; a closed one goes nowhere.

    Yields:
        What became of standard output, known in the end.
    """
    _open_closed()
    before = sys.stdout, sys.stderr
    codecs.register_error(_HANDLER, _plain)
    for stream in before:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_HANDLER)
    lost, ignored = Lost(), Lost()
    sys.stdout, sys.stderr = SteadyStream(before[0], lost), SteadyStream(before[1], ignored)
    try:
        yield lost
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = before
        for stream, about in zip(before, (lost, ignored), strict=True):
            if about.error:  # what Python still holds goes nowhere, too, when it ends
                with suppress(OSError, ValueError):
                    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _open_closed() -> None:
    """Open /dev/null for the standard streams that are closed.

    Else the next file that is opened has such a stream's number, and gets what C libraries print.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            # This takes the lowest number that is free, which is this one; processes that are
            # started have it, too.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
        if getattr(sys, name) is None:
            mode = "w" if number else "r"
            opened = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, opened)
