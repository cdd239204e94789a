"""Times that music must meet, from an editor: a list, or an edit decision list (CMX 3600 EDL)."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from cmt.files import InputError, plain
from cmt.limits import MOST_HOURS
from cmt.untrusted import naming

MAX_BYTES = 16 << 20  # of a file: a time code for every picture of six hours, at 60 a second
TIME_CODE = re.compile(r"(\d\d):(\d\d):(\d\d)([:;.,])(\d\d)")
# An event: number, reel, channels, transition and its frames, source in and out, record in and out.
CODES = r"(?:\s+\d\d:\d\d:\d\d[:;.,]\d\d)"
EVENT = re.compile(rf"\d+\s+\S+\s+(\S+)\s+\S.*?{CODES}{{2}}({CODES}){CODES}(?:\s.*)?")
FRAME_COUNT = re.compile(r"FCM:\s*(NON.)?DROP.FRAME", re.IGNORECASE)


def read_key_frames(path: str | Path, fps: float) -> list[float]:
    """Seconds, ascending, from a file with a time on each line, or from an EDL.

    A time is seconds, or minutes and seconds (1:02.5), or hours, too, or a time code (00:01:02:12);
    what follows a # is a remark. Of an EDL it is where the picture is cut in the record: edits of
    sound alone do not count, nor the beginning. Whole hours at its start, as editors set them, are
    the beginning.

    Args:
        path: the file.
        fps: frames a second, of time codes. Those of 29.97 and 59.94 leave no numbers out unless
            they are written with a semicolon (00:01:02;12), or the EDL says DROP FRAME.

    Raises:
        InputError: the file cannot be read, or has a line that tells no time, or no time at all.
    """
    with naming(path, "cannot be read as text", "give times of cuts"):
        with plain(path).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ValueError(f"more than {MAX_BYTES >> 20} MB")
        lines = content.decode("utf-8-sig").splitlines()
    if any(EVENT.fullmatch(line.strip()) for line in lines):
        times = set(_cuts(lines, fps, str(path)))
    else:
        times = {
            _seconds(text, fps, f"{path}, line {number}")
            for number, line in enumerate(lines, start=1)
            if (text := line.partition("#")[0].strip())
        }
    if not times:
        raise InputError(f"{path}: has no cut of the picture; give times, one a line, or an EDL")
    return sorted(times)


def _cuts(lines: Sequence[str], fps: float, path: str) -> Iterator[float]:
    """Seconds from the beginning of the record at which an EDL cuts the picture."""
    drops = False
    beginning: float | None = None
    for number, line in enumerate(lines, start=1):
        if said := FRAME_COUNT.match(line.strip()):
            drops = not said[1]
        elif event := EVENT.fullmatch(line.strip()):
            channels, code = event[1].upper(), event[2].strip()
            time = _of_code(code, fps, drops, f"{path}, line {number}")
            if beginning is None:
                beginning = _of_code(f"{code[:2]}:00:00{code[8]}00", fps, drops, path)
            # V, V2, AA/V; of B both sound and picture are cut.
            if ("V" in channels or channels == "B") and time > beginning:
                yield time - beginning


def _seconds(text: str, fps: float, place: str) -> float:
    """Seconds of a time in a list."""
    if TIME_CODE.fullmatch(text):
        return _of_code(text, fps, False, place)
    try:
        parts = [float(part) for part in text.split(":")]
    except ValueError:
        parts = []
    total = sum(part * 60**power for power, part in enumerate(reversed(parts)))
    if not (1 <= len(parts) <= 3 and min(parts) >= 0 and total <= 3600 * MOST_HOURS):
        raise InputError(
            f"{place}: {reprlib.repr(text)} is no time; write seconds, 1:02.5, or a time"
            " code, one a line"
        )
    return total


def _of_code(code: str, fps: float, drops: bool, place: str) -> float:
    """Seconds of an SMPTE time code: the pictures that it counts, at their rate.

    Codes that drop frames leave out numbers, not pictures: at 29.97 the first two of each minute
    but every tenth, so that they keep to the clock.
    """
    found = TIME_CODE.fullmatch(code)
    assert found
    hours, minutes, seconds, frames = (int(found[group]) for group in (1, 2, 3, 5))
    nominal = round(fps)
    if frames >= nominal:
        raise InputError(
            f"{place}: {code} has a frame {frames}, the video {fps:.4g} a second;"
            " export the list at the video's rate"
        )
    minutes += 60 * hours
    count = (60 * minutes + seconds) * nominal + frames
    if (drops or found[4] != ":") and nominal % 30 == 0:
        count -= nominal // 15 * (minutes - minutes // 10)
    return count / fps
