"""What the scripts share: their command line, and how they end."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable, Sequence
from typing import Literal

from cmt.files import IN_CHECKOUT, InputError


class Parser(argparse.ArgumentParser):
    """An `ArgumentParser` whose long options may be spelled with `-` or `_`, as one likes."""

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """See `ArgumentParser`."""
        given = list(sys.argv[1:] if args is None else args)
        end = given.index("--") if "--" in given else len(given)
        given[:end] = map(self._as_declared, given[:end])
        return super().parse_known_args(given, namespace)

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

    What is outside is refused by the parser, which names the option and the range.
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
        if not (above and below):
            raise argparse.ArgumentTypeError(f"{asked}, not {text!r}")
        return value

    return convert


def jobs(text: str) -> int:
    """An argument type: a number of processes, or −1 for one per core."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1 and value != -1:
        raise argparse.ArgumentTypeError(f"give a number of processes, or -1, not {text!r}")
    return value


# Of libgomp, read when PyTorch is loaded: by default a thread spins for milliseconds until the
# others are there, which never come where another program has their core.
SPINS = "2000"


def run_script(main: Callable[[], None]) -> int:
    """Run a script's `main`; a user's mistake becomes one line on stderr and exit status 1.

    So does a Python that lacks our packages. Ctrl-C ends with 130, an output that nobody reads any
    more with 141, both quietly.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
    try:
        main()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "cmt":
            raise
        print(f"error: {lacking(error.name)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read the output has gone, as `head` does; what Python still holds goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return 0


def lacking(package: str) -> str:
    """What to do about a package that this Python does not have."""
    remedy = "install this project into it, with what it needs: pip install ."
    if IN_CHECKOUT:
        remedy = f"call .venv/bin/python {sys.argv[0]}, after `make demo`"
    return f"{sys.executable} lacks the package {package}; {remedy}"
