"""Times that must be hit, from an editor: a list of seconds or time codes, or a CMX 3600 EDL."""

from __future__ import annotations

import re
from pathlib import Path

from cmt.files import InputError

TIME_CODE = re.compile(r"(\d+):(\d\d):(\d\d)([:;])(\d\d)")
CLOCK = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)")
# Event number, reel, channels, transition, then source in and out, record in and out.
EDIT = re.compile(r"\d+\s+\S+\s+(\S+)\s+\S+(?:\s+\d+)?((?:\s+\d+:\d\d:\d\d[:;]\d\d){4})\s*$")


def read_key_frames(path: str | Path, fps: float) -> tuple[float, ...]:
    """Seconds from the video's first picture that music must meet, ascending.

    A line holds a time: seconds (12.48), a clock (1:02:03.5), or a time code (00:00:12:12). What
    follows a space, a comma or # is a note. In a CMX 3600 EDL each edit of the picture gives the
    time at which it is recorded, from the beginning of the first one on.

    Args:
        path: a text file.
        fps: frames per second, of time codes; with a semicolon they drop frames (29.97, 59.94).

    Raises:
        InputError: the file cannot be read, or has no time, or a line that is none.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); give a text file of times") from error
    drops = any(line.strip().upper() == "FCM: DROP FRAME" for line in lines)
    edits = [edit for line in lines if (edit := EDIT.match(line.strip()))]
    if edits:
        recorded = [
            _time_code(edit[2].split()[2], fps, drops) for edit in edits if "V" in edit[1].upper()
        ]
        times = {time - min(recorded) for time in recorded} - {0.0}
    else:
        times = {
            _time(text, fps, f"{path}, line {number}")
            for number, line in enumerate(lines, 1)
            if (text := re.split(r"[\s,#]", line.strip(), maxsplit=1)[0])
        }
    if not times:
        raise InputError(f"{path}: has no time in it; give one a line, or a CMX 3600 EDL")
    return tuple(sorted(times))


def _time(text: str, fps: float, where: str) -> float:
    """Seconds of a time as it is written."""
    if TIME_CODE.fullmatch(text):
        return _time_code(text, fps)
    clock = CLOCK.fullmatch(text)
    if clock is None:
        raise InputError(
            f"{where}: {text!r} is no time; write seconds, as 12.48, or a time code, as 00:00:12:12"
        )
    hours, minutes, seconds = (float(part or 0) for part in clock.groups())
    return 3600 * hours + 60 * minutes + seconds


def _time_code(text: str, fps: float, drops: bool = False) -> float:
    """Seconds of an SMPTE time code."""
    hours, minutes, seconds, mark, frames = TIME_CODE.fullmatch(text).groups()  # type: ignore[union-attr]
    nominal = round(fps)
    minute = 60 * int(hours) + int(minutes)
    count = (60 * minute + int(seconds)) * nominal + int(frames)
    if drops or mark == ";":  # numbers, not pictures, are left out: 2 a minute but each tenth
        count -= nominal // 15 * (minute - minute // 10)
    return count / fps
