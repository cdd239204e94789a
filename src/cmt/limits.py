"""How long and how large files of strangers may be: refused before memory is taken for them.

Each limit has an option in the scripts that read such files, which a refusal names.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from cmt.files import InputError
from cmt.script import between

MAX_HOURS = 6.0  # of a video, and of what is made for one: three films; music takes 1.4 GB an hour
MAX_PIXELS = 2**26  # 8192 × 8192, the most that cameras give; a decoder holds a dozen of them
# Of what else a file declares: the metadata of 200,000 songs, five piano rolls of an hour.
MAX_MEGABYTES = 128.0
MAX_MINUTES = 20.0  # of a MIDI file: it lasts longer by mistake, but for what is made for a video
MINUTES_A_DAY = 1440
MOST_HOURS = MOST_MEGABYTES = 1000.0  # that may be asked for

OPTIONS = {
    "--max-hours": {
        "type": between(0, MOST_HOURS, inclusive="right"), "default": MAX_HOURS,
        "metavar": "HOURS", "help": "that a video may last; default %(default)g",
    },
    "--max-pixels": {
        "type": between(1, kind=int), "default": MAX_PIXELS,
        "metavar": "N", "help": "that its pictures may have; default %(default)d, 8192 x 8192",
    },
    "--max-megabytes": {
        "type": between(0, MOST_MEGABYTES, inclusive="right"), "default": MAX_MEGABYTES,
        "metavar": "MB", "help": "of metadata or piano rolls of a file; default %(default)g",
    },
    "--max-minutes": {
        "type": between(0, MINUTES_A_DAY), "default": MAX_MINUTES, "metavar": "MINUTES",
        "help": "that a MIDI file may last, where no video tells it; default %(default)g",
    },
}  # fmt: skip


def add_options(options: argparse.ArgumentParser, *names: str) -> None:
    """Add the options of these names that raise limits."""
    group = options.add_argument_group("limits of what is read")
    for name in names:
        group.add_argument(name, **OPTIONS[name])  # type: ignore[arg-type]


class TooMuch(InputError):
    """A file that is beyond a limit.

    Attributes:
        reason: what it is, and what to do, but for the option.

    Args:
        reason: likewise.
        option: of scripts, which raises the limit.
    """

    def __init__(self, reason: str, option: str) -> None:
        super().__init__(f"{reason}, or raise {option}")
        self.reason = reason


@dataclass(frozen=True)
class VideoLimits:
    """What is taken of a video: so many hours, and pictures of so many pixels."""

    hours: float = MAX_HOURS
    pixels: int = MAX_PIXELS


def check_hours(seconds: float, hours: float, path: object) -> None:
    """See that something does not last too long.

    Raises:
        TooMuch: it does.
    """
    if seconds > 3600 * hours:
        raise TooMuch(
            f"{path}: lasts {seconds / 3600:.4g} hours, more than the {hours:g} that are taken;"
            " cut it",
            "--max-hours",
        )
