"""Moments of a piece, for editors: a table, and an edit decision list (CMX 3600) of markers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

BEGINNING = 1  # hours: where editors' timelines begin
COLOURS = {"scene": "Blue", "section": "Green", "hit": "Red"}
SCENE, HIT = "scene ", "hit"  # how the markers of a MIDI file begin
USUAL_RATE = 25.0  # frames a second of time codes, where nothing tells them


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


def of_texts(texts: Iterable[tuple[int, float, str]]) -> list[Marker]:
    """Moments out of the markers of a MIDI file, as `cmt.results.markers_of` names them.

    Args:
        texts: tick, second and text of each, such as "scene 2: B"; what is no scene and no hit is a
            section.
    """
    found = []
    for tick, second, text in texts:
        scene, _, section = text.partition(": ") if text.startswith(SCENE) else ("", "", text)
        named = ("scene", scene), (HIT if text == HIT else "section", section)
        found += [
            Marker(tick, second, kind, " ".join(name.split())) for kind, name in named if name
        ]
    return found


def paths(beside: Path) -> list[Path]:
    """NAME.markers.csv and NAME.markers.edl of a file NAME.mid, or NAME.mp3."""
    return [beside.with_suffix(f".markers.{kind}") for kind in ("csv", "edl")]


def contents(markers: Sequence[Marker], beside: Path, fps: float) -> dict[Path, bytes]:
    """What the two files of `paths` are to hold."""
    table, edits = paths(beside)
    return {
        table: as_csv(markers, fps).encode(),
        edits: as_edl(markers, fps, beside.stem).encode(),
    }


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
