"""Moments of a piece, for editors: a table, and an edit decision list (CMX 3600) of markers."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

BEGINNING = 1  # hours: where editors' timelines begin
COLOURS = {"scene": "Blue", "section": "Green", "hit": "Red"}


@dataclass(frozen=True)
class Marker:
    """A moment.

    Attributes:
        tick: absolute, of the music.
        second: when it is heard.
        kind: one of `COLOURS`.
        name: what is there.
    """

    tick: int
    second: float
    kind: str
    name: str


def as_csv(markers: Sequence[Marker], fps: float) -> str:
    """A table: time code from 0, seconds, kind, name."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["time_code", "seconds", "kind", "name"])
    for marker in markers:
        code = time_code(round(marker.second * fps), fps, 0)
        writer.writerow([code, f"{marker.second:.6f}", marker.kind, marker.name])
    return table.getvalue()


def as_edl(markers: Sequence[Marker], fps: float, title: str) -> str:
    """A list of one-frame events with their markers, as Avid (LOC) and Resolve (|M:) write them.

    The timeline begins at an hour, as editors have it; no numbers of frames are left out.
    """
    lines = [f"TITLE: {title}", "FCM: NON-DROP FRAME"]
    for number, marker in enumerate(markers, start=1):
        frame = round(marker.second * fps)
        code, after = (time_code(count, fps, BEGINNING) for count in (frame, frame + 1))
        colour = COLOURS[marker.kind]
        lines += [
            "",
            f"{number:03d}  AX       V     C        {code} {after} {code} {after}",
            f"* LOC: {code} {colour.upper():7} {marker.name}",
            f" |C:ResolveColor{colour} |M:{marker.name} |D:1",
        ]
    return "\n".join([*lines, ""])


def time_code(frame: int, fps: float, hours: int) -> str:
    """Hours, minutes, seconds, frames of a frame of a timeline that begins at some hours."""
    rate = max(round(fps), 1)
    seconds, frames = divmod(frame, rate)
    minutes, seconds = divmod(seconds, 60)
    more, minutes = divmod(minutes, 60)
    return f"{hours + more:02d}:{minutes:02d}:{seconds:02d}:{frames:02d}"
