"""Arrange tunes and chord progressions as five-track pieces for the default model to learn from.

    runs/arranged_data.py FOLDER OUT [--count N] [--seed S]

FOLDER has free.tar.xz, free.csv and progressions.csv. Needs Musical MIDI Accompaniment
(apt-get install mma). Writes OUT/midi, OUT/songs.csv (for midi2numpy_mix --metadata),
OUT/chords.csv (the chord of each half bar) and OUT/CREDITS.md. A tenth of a second a piece.
"""

from __future__ import annotations

import csv
import random
import re
import shutil
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from arranged.drums import read_drummers
from arranged.grooves import COMMAND, Library, read_grooves
from arranged.pieces import Piece, Studio, arrange
from arranged.tunes import (
    Material,
    Progression,
    from_progressions,
    from_tune,
    read_progressions,
    read_tunes,
)
from cmt.files import InputError, replacing, write_together
from cmt.music.midi import write_midi
from cmt.music.vocabulary import GENRES, INSTRUMENTS, MIN_NOTES
from cmt.music.words import song_to_words
from cmt.script import between, parser, run_script

MAX_WORDS = 9_000  # of a piece
MIN_TRACKS = 3  # with MIN_NOTES notes; two where there are no drums
# How many of a hundred pieces are of a style.
SHARES = {
    "pop": 13,
    "rock": 13,
    "country": 10,
    "dance": 10,
    "electronic": 10.5,
    "metal": 10,
    "film": 18.5,
    "ambient": 6,
    "latin": 3.5,
    "jazz": 2,
    "blues": 1.5,
    "folk": 1,
    "reggae": 1,
}
# How many of a style's pieces are of a band of our own, even where grooves are left.
OWN_BAND = {
    "metal": 0.9,
    "electronic": 0.7,
    "dance": 0.65,
    "country": 0.2,
    "rock": 0.3,
    "pop": 0.25,
}
TUNES = {"metal": 0.1, "electronic": 0.15, "dance": 0.2, "film": 0.15, "ambient": 0, "folk": 0.9}
TUNE = 0.35  # share of tunes in other styles
MINOR_TUNE = 0.25  # of major tunes that are played in minor
MINOR = 0.65  # of the progressions
PER_TUNE = 3  # pieces
HELD_OUT = 0.04  # of pieces: theirs are tunes, progressions and groove files that no other has
HELD_OUT_FILES = ("stdlib/softrock", "pflib/16beat1", "stdlib/hillcountry", "stdlib/60srock")
GROOVE_LICENCE = "GPL-2.0-or-later (mma's libraries)"
DRUMMER_LICENCE = "CC-BY-4.0 (Groove MIDI Dataset, Gillick et al. 2019, Google)"


@dataclass(frozen=True)
class Pool:
    """Material to choose from, and the grooves for it."""

    tunes: list[Material]
    progressions: list[Progression]
    library: Library


def main(argv: list[str] | None = None) -> None:
    """Run the command line."""
    options = parser(__doc__)
    options.add_argument("folder", type=Path, help="folder of free.tar.xz and its tables")
    options.add_argument("out", type=Path, help="folder to write")
    options.add_argument("--count", type=between(1, kind=int), default=1500, help="pieces")
    options.add_argument(
        "--seed", type=between(0, kind=int), default=0, help="another one, other pieces"
    )
    args = options.parse_args(argv)
    if args.out.exists():
        raise InputError(f"{args.out}: exists; remove it, or name another folder")
    for name in ("free.tar.xz", "free.csv", "progressions.csv"):
        if not (args.folder / name).is_file():
            raise InputError(f"{args.folder}: has no {name}")
    if not shutil.which(COMMAND):
        raise InputError(f"{COMMAND} is not installed; apt-get install mma")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        unpack(args.folder, folder)
        make(folder, args.folder / "progressions.csv", args.out, args.count, args.seed)


def unpack(source: Path, folder: Path) -> None:
    """The tunes and drummers of the free music, with its table, in a folder."""
    with tarfile.open(source / "free.tar.xz") as archive:
        members = [m for m in archive if m.name.startswith(("nottingham", "groove"))]
        archive.extractall(folder, members, filter="data")
    shutil.copy(source / "free.csv", folder)


def make(folder: Path, progressions: Path, out: Path, count: int, seed: int) -> None:
    """Arrange and write `count` pieces of what is in a folder."""
    from tqdm import tqdm

    rng = random.Random(seed)
    pools = divided(rng, read_tunes(folder), read_progressions(progressions))
    studio = Studio(pools[0].library, read_drummers(folder), folder, Counter())
    styles = [style for style, share in SHARES.items() for _ in range(round(share * 10))]
    styles = [styles[i * len(styles) // count] for i in range(count)]
    rng.shuffle(styles)
    rows: list[dict[str, object]] = []
    chart: list[tuple[object, ...]] = []
    used: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for index, style in enumerate(tqdm(styles, unit="piece")):
        of_piece = random.Random(f"{seed} {index}")
        is_held_out = of_piece.random() < HELD_OUT
        pool = pools[is_held_out]
        studio.library = pool.library
        material = chosen(of_piece, pool, style, used)
        groove_file = chosen_file(of_piece, pool, style)
        try:
            piece = arrange(of_piece, material, style, groove_file, studio)
        except RuntimeError as error:
            failed[str(error).splitlines()[0]] += 1
            continue
        problem = fault(piece)
        if problem:
            failed[problem] += 1
            continue
        path = write(out, index, style, material, piece)
        rows.append(row_of(path, style, material, piece, is_held_out))
        chart += [
            (path, beat // 4, beat // 2 % 2, piece.chords[beat])
            for beat in range(0, len(piece.chords), 2)
        ]
    write_tables(out, rows, chart)
    for reason, times in failed.most_common():
        print(f"left out: {times:5} {reason}")
    counts = Counter(str(row["style"]) for row in rows)
    print(f"{out}: {len(rows)} pieces; {', '.join(f'{s} {n}' for s, n in counts.most_common())}")


def divided(
    rng: random.Random, tunes: list[Material], progressions: list[Progression]
) -> tuple[Pool, Pool]:
    """What is learned from, and what is held out: tunes, progressions and groove files apart."""
    clusters = sorted({tune.cluster for tune in tunes})
    apart = set(rng.sample(clusters, round(2 * HELD_OUT * len(clusters))))
    names = sorted(p.name for p in progressions)
    apart_names = set(rng.sample(names, round(1.5 * HELD_OUT * len(names))))
    grooves = read_grooves()
    pools = []
    for is_held_out in (False, True):
        pools.append(
            Pool(
                [tune for tune in tunes if (tune.cluster in apart) == is_held_out],
                [p for p in progressions if (p.name in apart_names) == is_held_out],
                Library([g for g in grooves if (g.file in HELD_OUT_FILES) == is_held_out]),
            )
        )
    return pools[0], pools[1]


def chosen(rng: random.Random, pool: Pool, style: str, used: Counter[str]) -> Material:
    """Material for a piece of a style: what was used least, in minor more often than in major."""
    free = [tune for tune in pool.tunes if used[tune.cluster] < PER_TUNE]
    if free and rng.random() < TUNES.get(style, TUNE):
        tune = min(free, key=lambda tune: used[tune.cluster] + rng.random())
        used[tune.cluster] += 1
        return from_tune(rng, tune, style, MINOR_TUNE)
    mode = "minor" if rng.random() < (0.8 if style == "metal" else MINOR) else "major"
    first = min(
        (p for p in pool.progressions if p.mode == mode),
        key=lambda p: used[p.name] + 3 * rng.random(),
    )
    used[first.name] += 1
    return from_progressions(rng, pool.progressions, first, style)


def chosen_file(rng: random.Random, pool: Pool, style: str) -> str:
    """A groove file of a style, the least used; nothing where the band is to be our own."""
    files = pool.library.files(style)
    if not files or rng.random() < OWN_BAND.get(style, 0):
        return ""
    return min(files, key=lambda file: pool.library.used[file] + 2 * rng.random())


def fault(piece: Piece) -> str:
    """Why a piece is not used, or nothing."""
    notes = piece.song.notes
    instruments = notes["instrument"]
    sizes = [int((instruments == instrument.label).sum()) for instrument in INSTRUMENTS]
    if sum(size >= MIN_NOTES for size in sizes) < MIN_TRACKS - (sizes[0] == 0):
        return "too few tracks"
    if len(song_to_words(piece.song)) > MAX_WORDS:
        return f"more than {MAX_WORDS} words"
    return ""


def write(out: Path, index: int, style: str, material: Material, piece: Piece) -> str:
    """Write a piece's MIDI file; its path in the folder of them."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", material.name).strip("-")
    path = Path(style) / f"{index:04}_{name}.mid"
    (out / "midi" / style).mkdir(parents=True, exist_ok=True)
    write_midi(piece.song, out / "midi" / path, piece.bpm, velocities=piece.velocities)
    return path.as_posix()


def row_of(
    path: str, style: str, material: Material, piece: Piece, is_held_out: bool
) -> dict[str, object]:
    """A piece's row of songs.csv."""
    licences = [material.licence]
    licences += [GROOVE_LICENCE] * bool(piece.groove_file)
    licences += [DRUMMER_LICENCE] * any(file.startswith("groove/") for file in piece.files)
    return {
        "path": path,
        "genre": style if style in GENRES else "",
        "neardup_cluster": material.cluster,
        "held_out": "1" if is_held_out else "",
        "style": style,
        "key": str(piece.key),
        "mode": piece.key.mode,
        "bpm": piece.bpm,
        "form": piece.form,
        "bars": len(piece.chords) // 4,
        "groove_file": piece.groove_file,
        "files": " ".join(piece.files),
        "layers": ", ".join(piece.layers),
        "melody": material.melody,
        "singer": piece.singer,
        "notes": len(piece.song.notes),
        "origin": material.origin,
        "licence": "; ".join(licences),
    }


def write_tables(
    out: Path, rows: Sequence[dict[str, object]], chart: Iterable[Sequence[object]]
) -> None:
    """Write songs.csv, chords.csv and CREDITS.md."""
    if not rows:
        raise InputError("no piece could be arranged")
    with replacing(out / "songs.csv") as new, new.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    with replacing(out / "chords.csv") as new, new.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("path", "bar", "half", "chord"))
        table.writerows(chart)
    write_together({out / "CREDITS.md": credits_of(rows).encode()})


def credits_of(rows: Sequence[dict[str, object]]) -> str:
    """What the pieces that are learned from were made of, with licences, as Markdown."""
    learned = [row for row in rows if not row["held_out"]]
    origins = {(str(row["licence"]).split(";")[0], str(row["origin"])) for row in learned}
    lines = ["# Tunes, progressions and accompaniments of the arranged pieces", ""]
    for licence in sorted({licence for licence, _ in origins}):
        lines += [f"## {licence}", ""]
        lines += [f"- {origin}" for of, origin in sorted(origins) if of == licence]
        lines.append("")
    files = sorted({str(row["groove_file"]) for row in learned if row["groove_file"]})
    lines += [f"## {GROOVE_LICENCE}", "", *(f"- {file}" for file in files), ""]
    played = {f for row in learned for f in str(row["files"]).split() if f.startswith("groove/")}
    lines += [f"## {DRUMMER_LICENCE}", "", *(f"- {file}" for file in sorted(played)), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(run_script(main))
