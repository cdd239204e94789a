"""The accompaniments of Musical MIDI Accompaniment (mma): which there are, and playing them."""

from __future__ import annotations

import csv
import os
import subprocess
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from arranged.harmony import Chord, Note
from cmt.files import InputError
from cmt.music.midi import instrument_of, load_score

TABLE = Path(__file__).with_name("grooves.csv")
TIMEOUT = 60  # seconds
COMMAND = "mma"


@dataclass(frozen=True)
class Groove:
    """A groove of a library.

    Attributes:
        file: its library and file, "stdlib/8beat".
        name: how mma calls it, "stdlib/8beat:8Beat".
        style: genre of the file.
        role: main, intro, fill or end.
        instruments: how many of the five play.
        notes: a bar's, all instruments together.
        drums, bass: a bar's notes of these.
        swung: whether its eighths are.
    """

    file: str
    name: str
    style: str
    role: str
    instruments: int
    notes: float
    drums: float
    bass: float
    swung: bool


def read_grooves(path: Path = TABLE) -> list[Groove]:
    """The grooves of the table."""
    with path.open(newline="") as file:
        return [
            Groove(
                row["file"],
                f"{row['file']}:{row['groove']}",
                row["style"],
                row["role"],
                int(row["instruments"]),
                float(row["notes"]),
                float(row["drums"]),
                float(row["bass"]),
                row["swung"] == "1",
            )
            for row in csv.DictReader(file)
        ]


class Library:
    """Grooves by file and role, and how often they were used.

    Args:
        grooves: all there are.
        per_file: pieces a file may be used in.
        per_groove: pieces a main groove may be used in, where its file has others.
    """

    def __init__(self, grooves: Sequence[Groove], per_file: int = 12, per_groove: int = 8) -> None:
        self.per_file, self.per_groove = per_file, per_groove
        self.by_file: dict[str, dict[str, list[Groove]]] = defaultdict(lambda: defaultdict(list))
        for groove in grooves:
            self.by_file[groove.file][groove.role].append(groove)
        self.used: Counter[str] = Counter()

    def mains(self, file: str) -> list[Groove]:
        """Main grooves of a file with two instruments or more."""
        return [groove for groove in self.by_file[file]["main"] if groove.instruments >= 2]

    def files(self, style: str) -> list[str]:
        """Files of a style that have a bass and something above it, and are free to be used."""
        return [
            file
            for file, roles in self.by_file.items()
            if any(g.style == style and g.bass > 0 and g.instruments >= 2 for g in roles["main"])
            and self.used[file] < self.per_file
            and self.least_used(file)
        ]

    def least_used(self, file: str) -> list[Groove]:
        """Main grooves of a file that are free to be used, the least used first."""
        free = [g for g in self.mains(file) if self.used[g.name] < self.per_groove]
        return sorted(free, key=lambda groove: self.used[groove.name])

    def count(self, file: str, grooves: Sequence[Groove]) -> None:
        """Count a piece of these main grooves of a file."""
        self.used.update([file, *dict.fromkeys(groove.name for groove in grooves)])


def play(
    bars: Sequence[Sequence[Chord]],
    grooves: Sequence[str],
    folder: Path,
    seed: int,
    swung: bool = False,
) -> dict[str, list[Note]]:
    """Have mma play chords in grooves.

    Args:
        bars: four chords each.
        grooves: a name per bar.
        folder: where its file is written.
        seed: of its random choices.
        swung: whether the grooves' eighths are; they come out even.

    Returns:
        Notes by instrument, ascending by tick.

    Raises:
        InputError: mma is not installed.
        RuntimeError: mma refused.
    """
    lines, last = [f"RndSeed {seed}", "Tempo 120"], ""
    for number, (chords, groove) in enumerate(zip(bars, grooves, strict=True), 1):
        if groove != last:
            lines.append(f"Groove {groove}")
            last = groove
        names = [
            str(chord) if not beat or chord != chords[beat - 1] else "/"
            for beat, chord in enumerate(chords)
        ]
        lines.append(f"{number} {' '.join(names)}")
    path = folder / "band.mid"
    path.unlink(missing_ok=True)
    try:
        done = subprocess.run(
            [COMMAND, "-xNOCREDIT", "-f", str(path), "-"],
            input="\n".join(lines) + "\n",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT,
            env={**os.environ, "PYTHONHASHSEED": "0"},
        )
    except FileNotFoundError as error:
        raise InputError(f"{COMMAND} is not installed; apt-get install mma") from error
    except subprocess.TimeoutExpired as error:
        raise RuntimeError("mma takes too long") from error
    if not path.exists():
        raise RuntimeError(done.stdout.strip()[-200:] or "mma wrote nothing")
    return _read(path, len(bars) * 16, swung)


def _read(path: Path, length: int, swung: bool) -> dict[str, list[Note]]:
    """The notes of mma's file before tick `length`, on the grid."""
    score = load_score(path)
    notes: dict[str, list[Note]] = defaultdict(list)
    for track in score.tracks:
        name = instrument_of(track.program, track.is_drum)
        columns = track.notes.numpy()
        start = columns["time"] * (4 / score.tpq)
        stop = (columns["time"] + columns["duration"]) * (4 / score.tpq)
        if swung:
            start, stop = _evened(start), _evened(stop)
        ticks = np.floor(start + 0.5).astype(int)
        durations = np.maximum(1, np.floor(stop + 0.5).astype(int) - ticks)
        rows = zip(
            ticks.tolist(),
            durations.tolist(),
            columns["pitch"].tolist(),
            columns["velocity"].tolist(),
            strict=True,
        )
        notes[name] += [Note(*row) for row in rows if 0 <= row[0] < length]
    return {name: sorted(part) for name, part in notes.items()}


def _evened(time: np.ndarray) -> np.ndarray:
    """Ticks with swung eighths made even: two thirds of a beat become its half."""
    beat = time // 4 * 4
    return beat + np.interp(time - beat, [0, 8 / 3, 4], [0, 2, 4])
