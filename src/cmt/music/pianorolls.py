"""Piano rolls as pypianoroll writes them, read without what may crash on them.

The library's own reading gives a file's indices to SciPy's native code as they are.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmt.limits import MAX_MEGABYTES, TooMuch
from cmt.music.vocabulary import PITCHES
from cmt.untrusted import archive, parse_json, read_array, text, whole, within

MAX_TRACKS = 256
MAX_RESOLUTION = 9600  # steps of a quarter note
LONGEST_NAME = 4096  # characters


@dataclass(frozen=True)
class Roll:
    """A track: (steps, 128) velocities, or whether a pitch sounds."""

    name: str
    program: int
    is_drum: bool
    pianoroll: NDArray[Any]


@dataclass(frozen=True)
class Multitrack:
    """Tracks, steps of a quarter note, and the tempo (BPM) at each step, None if untold."""

    resolution: int
    tempo: NDArray[Any] | None
    tracks: tuple[Roll, ...]


def read_rolls(path: str | Path, max_megabytes: float = MAX_MEGABYTES) -> Multitrack:
    """Read piano rolls.

    Args:
        path: an npz of pypianoroll's.
        max_megabytes: that all tracks may take, a byte for each pitch of each step.

    Raises:
        TooMuch: they would take more.
        OSError, ValueError, KeyError, zipfile.BadZipFile: the file cannot be read, is none, or has
            sizes or indices that are not there.
    """
    with archive(path) as opened:
        with opened.open("info.json") as file:
            info = parse_json(file.read(1 << 20))
        if not isinstance(info, dict):
            raise ValueError("info.json is no object")
        resolution = info.get("resolution", info.get("beat_resolution"))
        tracks: list[Roll] = []
        most, cells = round(max_megabytes * 2**20), 0
        while isinstance(about := info.get(str(len(tracks))), dict) and len(tracks) < MAX_TRACKS:
            roll = _roll(opened, f"pianoroll_{len(tracks)}", most - cells, path)
            cells += roll.size
            tracks.append(
                Roll(
                    name=text(about.get("name") or "", "name", LONGEST_NAME),
                    program=whole(about.get("program"), "program", 0, 127),
                    is_drum=bool(about.get("is_drum")),
                    pianoroll=roll,
                )
            )
        tempo = None
        if "tempo.npy" in opened.namelist():
            tempo = read_array(opened, "tempo", "fiu", (None,), most // PITCHES * 8)
        return Multitrack(
            resolution=whole(resolution, "resolution", 1, MAX_RESOLUTION),
            tempo=tempo,
            tracks=tuple(tracks),
        )


def _roll(opened: zipfile.ZipFile, name: str, most: int, path: str | Path) -> NDArray[Any]:
    """A roll (steps, 128) out of its columns, compressed: rows, and where each column begins."""
    steps, pitches = read_array(opened, f"{name}_csc_shape", "iu", (2,), 16).tolist()
    if pitches != PITCHES or steps < 0:
        raise ValueError(f"{name} declares {steps} steps of {pitches} pitches")
    if steps * pitches > most:
        raise TooMuch(
            f"{path}: not a usable piano roll ({name} declares {steps} steps, and there is room for"
            f" {most // pitches}); cut it",
            "--max-megabytes",
        )
    data, rows, starts = (
        read_array(opened, f"{name}_csc_{part}", kinds, (size,), 8 * max(most, PITCHES + 1))
        for part, kinds, size in (
            ("data", "bu", None),
            ("indices", "iu", None),
            ("indptr", "iu", PITCHES + 1),
        )
    )
    within(rows, f"{name}_csc_indices", 0, steps - 1)
    within(starts, f"{name}_csc_indptr", 0, len(rows))
    lengths = np.diff(starts.astype(np.int64))
    if len(data) != len(rows) or starts[0] != 0 or starts[-1] != len(rows) or lengths.min() < 0:
        raise ValueError(f"{name}_csc_indptr does not ascend from 0 to the end")
    roll = np.zeros((steps, pitches), bool if data.dtype == bool else np.uint8)
    roll[rows, np.repeat(np.arange(pitches), lengths)] = np.minimum(data, 127)
    return roll
