"""Choose, clean and credit the music that the default model learns from.

    runs/default_data.py FOLDER OUT        FOLDER has free.tar.xz, free.csv, synthetic.tar.xz, …

Writes OUT/midi (five-track MIDI files), OUT/songs.csv (for midi2numpy_mix --metadata) and
OUT/SOURCES.md. What is left out, and why, is printed.
"""

from __future__ import annotations

import csv
import itertools
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from scipy.cluster.hierarchy import DisjointSet

from cmt.files import InputError, replacing, write_together
from cmt.music import cleaning
from cmt.music.midi import from_score, load_score, write_midi
from cmt.music.vocabulary import INSTRUMENTS, MIN_NOTES, TICKS_PER_BAR
from cmt.music.words import Song
from cmt.script import parser, run_script

ARCHIVES = ("free", "more", "synthetic")
MIN_BARS = 8
MAX_WORDS = 9_000  # a little below a data set's, as the pieces' last bars are not counted on
# Melodies of folk tunes alone, lessons to a metronome, and a game whose repository holds narrower
# licences beside the one of its music.
UNUSED = ("nottingham", "pianobooster", "crystal-picnic")
# Versions of a title that mma-examples holds: renderings of one input, of random detail.
VERSIONS = 2
# Renderings of one style that synthetic holds: little, as it is no real music.
RENDERINGS = 1

# Songs to compare models by, four or five instruments each; none of them, and no near-copy, was
# learned from by any default model.
HELD_OUT = (
    "blasphemer/mus_e4m3",
    "freedoom/d_e3m5",
    "freedoom/d_fdmrdm.04d91276",
    "freedoom/d_map08",
    "freedoom/d_map14",
    "freedoom/d_e1m5.242554c9",
    "freedoom/d_map21.b6031970",
    "openmsx/train_filled_with_cash",
    "openmsx/smooth_groove",
    "simutrans/28-Road",
    "tannerhelland/Familiar_Roads",
    "tannerhelland/Fate",
    "easyrpg-rtp/Battle_2",
    "easyrpg-rtp/Liveliness",
    "easyrpg-rtp/2003Adventurers",
    "easyrpg-rtp/2003Otherworldly",
    "freedoom/d_dm17.c08eacda",
    "freedoom/d_dm06.4cfe34cb",
    "simutrans/21-Dusty-Eyes",
    "simutrans/23-Something",
    "ohrrpgce/x.64b747f5",
    "easyrpg-rtp/Repose_3",
)

# Genre by a word of the style's name; the first that fits.
STYLES = {
    "metal": "metal",
    "country": "country",
    "western": "country",
    "bluegrass": "country",
    "techno": "electronic",
    "trance": "electronic",
    "rave": "electronic",
    "electric": "electronic",
    "ambient": "electronic",
    "triphop": "electronic",
    "dance": "dance",
    "disco": "dance",
    "house": "dance",
    "rock": "rock",
    "punk": "rock",
    "pop": "pop",
    "8beat": "pop",
}
STYLED = ("groove", "mma-examples", "mma_generated")  # sources whose file names tell the style


def main(argv: list[str] | None = None) -> None:
    """Run the command line."""
    options = parser(__doc__)
    options.add_argument("folder", type=Path, help="folder of the archives")
    options.add_argument("out", type=Path, help="folder to write")
    args = options.parse_args(argv)
    if args.out.exists():
        raise InputError(f"{args.out}: exists; remove it, or name another folder")

    table = [row for name in ARCHIVES for row in read_table(args.folder / f"{name}.csv")]
    reasons: Counter[str] = Counter()
    kept: list[tuple[dict[str, str], list[tuple[Song, float]]]] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in ARCHIVES:
            with tarfile.open(args.folder / f"{name}.tar.xz") as archive:
                archive.extractall(folder, filter="data")
        for row in table:
            songs = clean(Path(folder) / row["path"], row)
            if isinstance(songs, str):
                reasons[songs] += 1
            else:
                kept.append((row, songs))
    cluster = clusters(kept)
    kept = list(without_versions(kept))
    for reason, count in reasons.most_common():
        print(f"left out: {count:5} {reason}")

    rows = []
    for row, songs in kept:
        for index, (song, tempo) in enumerate(songs):
            path = Path(row["path"]).with_suffix(f".{index}.mid")
            (args.out / "midi" / path).parent.mkdir(parents=True, exist_ok=True)
            write_midi(song, args.out / "midi" / path, tempo, velocities=song.velocities)
            rows.append(
                {
                    "path": path.as_posix(),
                    "genre": genre(row),
                    "neardup_cluster": cluster[row["path"]],
                    "held_out": "1" if held_out(row) else "",
                }
            )
    with replacing(args.out / "songs.csv") as new, new.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    learned = [row for row, _ in kept if not held_out(row)]
    write_together({args.out / "SOURCES.md": credits_of(learned).encode()})
    print(f"{args.out}: {len(rows)} pieces of {len(kept)} files")


def read_table(path: Path) -> list[dict[str, str]]:
    """The rows of an archive's table."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def clean(path: Path, row: dict[str, str]) -> list[tuple[Song, float]] | str:
    """A file's clean pieces and their tempo in BPM, or why there are none."""
    if row["source"] in UNUSED:
        return "of a source that is not used"
    if row["source"] == "mma_generated" and not genre(row):
        return "rendered in a style of no genre"
    try:
        score = cleaning.on_grid(load_score(path))
        if score is None:
            return "in triplets, or played off the grid"
        midi = from_score(score, path)
    except InputError:
        return "damaged or empty"
    song = cleaning.without_doubles(midi.song)
    stretches = cleaning.four_four(score, int((song.notes["tick"] + song.notes["duration"]).max()))
    songs = [cleaning.without_count_in(cleaning.crop(song, *stretch)) for stretch in stretches]
    songs = [song for song in songs if song.length > (MIN_BARS - 1) * TICKS_PER_BAR]
    if not songs:
        return f"fewer than {MIN_BARS} bars of 4/4 in a row"
    pieces = [piece for song in songs for piece in cleaning.pieces(song, MAX_WORDS)]
    partial = 1 if row["source"] == "groove" else 2
    pieces = [piece for piece in pieces if tracks(piece) >= partial]
    return [(piece, midi.tempo) for piece in pieces] or "one instrument alone"


def held_out(row: dict[str, str]) -> bool:
    """Whether the file is one to compare models by."""
    return row["path"].startswith(HELD_OUT)


def tracks(song: Song) -> int:
    """Instruments with enough notes."""
    counts = np.bincount(song.notes["instrument"], minlength=len(INSTRUMENTS) + 1)
    return int((counts >= MIN_NOTES).sum())


def title(row: dict[str, str]) -> str:
    """What versions of one title, or renderings of one style, share."""
    name = row["path"].split(".")[0]
    return name.rsplit("_", 1)[0] if row["source"] == "mma_generated" else name


def clusters(kept: Iterable[tuple[dict[str, str], list[tuple[Song, float]]]]) -> dict[str, str]:
    """A cluster of near-copies per path: the table's, and files that share many bars.

    It is called by the first, in order, of what it holds.
    """
    near = DisjointSet()

    def join(*names: str) -> None:
        for name in names:
            near.add(name)
        near.merge(*names)

    prints: dict[str, set[bytes]] = {}
    with_print: dict[bytes, list[str]] = {}
    for row, songs in kept:
        path = row["path"]
        near.add(path)
        if row["neardup_cluster"]:
            join(path, f"cluster {row['neardup_cluster']}")
        if row["source"].startswith("mma"):
            join(path, title(row))
        prints[path] = set().union(*(cleaning.bar_prints(song) for song, _ in songs))
        for bar in prints[path]:
            with_print.setdefault(bar, []).append(path)
    shared: Counter[tuple[str, str]] = Counter()
    for paths in with_print.values():
        shared.update(itertools.combinations(paths, 2))
    for (a, b), count in shared.items():
        if count >= max(4, 0.15 * min(len(prints[a]), len(prints[b]))):
            join(a, b)
    first = {name: min(group) for group in near.subsets() for name in group}
    return {path: first[path] for path in prints}


def without_versions(
    kept: Iterable[tuple[dict[str, str], list[tuple[Song, float]]]],
) -> Iterator[tuple[dict[str, str], list[tuple[Song, float]]]]:
    """At most VERSIONS of a title and RENDERINGS of a style."""
    seen: Counter[str] = Counter()
    limit = {"mma-examples": VERSIONS, "mma_generated": RENDERINGS}
    for row, songs in kept:
        seen[title(row)] += 1
        if seen[title(row)] <= limit.get(row["source"], seen.total()):
            yield row, songs


def genre(row: dict[str, str]) -> str:
    """Genre that the name of the style gives, or nothing."""
    name = row["path"].lower() if row["source"] in STYLED else ""
    return next((genre for word, genre in STYLES.items() if word in name), "")


def credits_of(rows: Iterable[dict[str, str]]) -> str:
    """The list of sources, with their licences, as Markdown."""
    lines = ["# Music that the default model learned from", ""]
    for (source, licence), group in itertools.groupby(rows, lambda s: (s["source"], s["licence"])):
        lines += [f"## {source}: {licence}", ""]
        lines += [f"- {row['origin_repo']}: {row['origin_path']}" for row in group]
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(run_script(main))
