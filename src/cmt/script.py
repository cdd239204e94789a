"""What the scripts share: their command line, and how they end."""

from __future__ import annotations

import argparse
import errno
import math
import os
import sys
from collections.abc import Callable, Sequence
from typing import Literal, NoReturn

from cmt.files import IN_CHECKOUT, InputError
from cmt.terminal import steady_streams

MOST = 2**32 - 1  # of whole numbers: all libraries take it
MOST_PROCESSES = 1024
# Why the system does not even say whether there is a file of some name.
UNREACHED = {errno.ENAMETOOLONG, errno.ELOOP, errno.EACCES, errno.EIO, errno.ESTALE}


class Parser(argparse.ArgumentParser):
    """An `ArgumentParser` whose long options may be spelled with `-` or `_`, as one likes."""

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """See `ArgumentParser`."""
        given = list(sys.argv[1:] if args is None else args)
        end = given.index("--") if "--" in given else len(given)
        for text in given[:end]:
            if text[:1] == "-" and text not in self._option_string_actions and os.path.exists(text):  # noqa: PTH110 - of any length
                self.error(f"{text}: to name this file, and no option, write ./{text}")
        given[:end] = map(self._as_declared, given[:end])
        return super().parse_known_args(given, namespace)

    def error(self, message: str) -> NoReturn:
        """End with a mistake in the command line, in one line; exit status 2."""
        tell(f"error: {message}; {self.prog} --help shows what there is")
        self.exit(2)

    def _as_declared(self, text: str) -> str:
        """An option, or the beginning of one, with the `-` and `_` that it was declared with."""
        name, equals, value = text.partition("=")
        if name in self._option_string_actions or not name.startswith("--"):
            return text
        for declared in self._option_string_actions:
            if declared[: len(name)].replace("_", "-") == name.replace("_", "-"):
                return f"{declared[: len(name)]}{equals}{value}"
        return text


def parser(
    doc: str | None,
    formatter: type[argparse.HelpFormatter] = argparse.RawDescriptionHelpFormatter,
) -> Parser:
    """A parser whose help shows a script's docstring as it is written."""
    return Parser(description=doc, formatter_class=formatter)


def between(
    low: float,
    high: float = math.inf,
    kind: type[int] | type[float] = float,
    inclusive: Literal["both", "left", "right"] = "both",
) -> Callable[[str], float]:
    """An argument type: numbers in a range, the ends among them as `inclusive` says, never NaN.

    What is outside is refused by the parser, which names the option and the range. Whole numbers go
    up to `MOST`.
    """
    least = f"above {low:.10g}" if inclusive == "right" else f"from {low:.10g}"
    most = f" to below {high:.10g}" if inclusive == "left" else f" to {high:.10g}"
    number = "a whole number" if kind is int else "a number"
    asked = f"give {number} {least}{'' if math.isinf(high) else most}"

    def convert(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        above = low < value if inclusive == "right" else low <= value
        below = value < high if inclusive == "left" else value <= high
        if not (above and below) or (kind is int and value > MOST):
            raise argparse.ArgumentTypeError(f"{asked}, not {text[:40]!r}")
        return value

    return convert


def jobs(text: str) -> int:
    """An argument type: a number of processes, or −1 for one per core."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if not (1 <= value <= MOST_PROCESSES or value == -1):
        raise argparse.ArgumentTypeError(
            f"give a number of processes up to {MOST_PROCESSES}, or -1, not {text!r}"
        )
    return value


def tell(text: object) -> None:
    """Print one line to stderr, whatever characters a file's name in it has."""
    print(one_line(text), file=sys.stderr, flush=True)


def one_line(text: object) -> str:
    """The text with control characters and the like written as escapes."""
    return "".join(map(_shown, str(text)))


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape", "backslashreplace").decode()


# Of libgomp, read when PyTorch is loaded: by default a thread spins for milliseconds until the
# others are there, which never come where another program has their core.
SPINS = "2000"


def run_script(main: Callable[[], int | None]) -> int:
    """Run a script's `main`; a user's mistake becomes one line on stderr and exit status 1.

    A number that `main` returns is the status.

    So does a Python that lacks our packages, a lack of memory, and a stdout that takes nothing;
    the work is done all the same, then. Ctrl-C ends with 130, an output that nobody reads any more
    with 141, both quietly.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
    with steady_streams() as lost:
        status = _status(main)
    if isinstance(lost.error, BrokenPipeError):
        return status or 141
    if lost.error:
        tell(f"error: standard output: {lost.error.strerror}")
        return status or 1
    return status


def _status(main: Callable[[], int | None]) -> int:
    """The exit status of a script's `main`."""
    try:
        return main() or 0
    except InputError as error:
        tell(f"error: {error}")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "cmt":
            raise
        tell(f"error: {lacking(error.name)}")
    except OSError as error:
        if error.errno not in UNREACHED or error.filename is None:
            raise
        tell(f"error: {error.filename}: {error.strerror}; choose another name or folder")
    except MemoryError as error:
        tell(f"error: there is not enough memory ({error}); close other programs or ask for less")
    except KeyboardInterrupt:
        return 130
    except SystemExit as end:  # of the parser
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 1


def lacking(package: str) -> str:
    """What to do about a package that this Python does not have."""
    remedy = "install this project into it, with what it needs: pip install ."
    if IN_CHECKOUT:
        remedy = f"call .venv/bin/python {sys.argv[0]}, after `make demo`"
    return f"{sys.executable} lacks the package {package}; {remedy}"
