"""Times that music must meet, from an editor: a list, or an edit decision list (EDL)."""

from __future__ import annotations

import math
import re
from pathlib import Path

from cmt.files import InputError

# An event of CMX 3600: number, reel, track, transition, then time codes of source and record.
CODE = r"(\d\d):(\d\d):(\d\d)[:;](\d\d)"
EVENT = re.compile(rf"^\d+\s+\S+\s+\S+\s+\S+.*?\s{CODE}\s+{CODE}\s+{CODE}\s+{CODE}\s*$")


def read_key_frames(path: str | Path, fps: float) -> list[float]:
    """Seconds, ascending, from a file with a time on each line, or from an EDL.

    A time is seconds, or minutes and seconds (1:02.5), or hours, too; what follows a # is a remark.
    Of an EDL it is where each event begins in the record; whole hours at its start, as editors set
    them, do not count.

    Args:
        path: the file.
        fps: frames a second, of the time codes of an EDL.

    Raises:
        InputError: the file cannot be read, or has a line that tells no time.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text ({error}); give times of cuts") from error
    edits = [found for line in lines if (found := EVENT.match(line.strip()))]
    if edits:
        starts = [list(map(int, edit.groups()[8:12])) for edit in edits]
        hours = starts[0][0]
        return sorted(
            {3600 * (h - hours) + 60 * m + s + frame / fps
             for h, m, s, frame in starts}
        )  # fmt: skip
    times = set()
    for number, line in enumerate(lines, start=1):
        text = line.partition("#")[0].strip()
        if text:
            times.add(_seconds(text, f"{path}, line {number}"))
    return sorted(times)


def _seconds(text: str, place: str) -> float:
    try:
        parts = [float(part) for part in text.split(":")]
    except ValueError:
        parts = []
    total = sum(part * 60**power for power, part in enumerate(reversed(parts)))
    if not 1 <= len(parts) <= 3 or not all(map(math.isfinite, parts)) or min(parts) < 0:
        raise InputError(f"{place}: {text!r} is no time; write seconds, or 1:02.5, one a line")
    return total
