"""Encode a folder of MIDI files as a data set of compound words.

    python src/midi2numpy_mix.py --midi_dir dataset/midi --out_name lpd.npz

Every .mid and .midi file below the folder becomes one song, its id the path without suffix.
Files that cannot be used are skipped, and named with the cause at the end. Tracks are mapped
to the five instruments by their names when all are named so, else by General MIDI program.

With --metadata FILE.csv (columns path, relative to the folder, and genre, neardup_cluster,
held_out, repeats) the songs also carry their genre, a cluster of near-copies to split a data set
by, whether they are to be held out of training, and how often an epoch has them.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cmt.files import DATASET, MIDI_SUFFIXES, InputError
from cmt.music.vocabulary import FIELD, MIN_NOTES, PUBLISHED, VOCABULARIES
from cmt.outputs import check_outputs, only_run
from cmt.parallel import DASK_HELP, cluster, in_order
from cmt.script import between, jobs, one_line, parser, run_script

if TYPE_CHECKING:
    import numpy as np

    # A file's words, its instruments, and whether these were mapped by name.
    Encoded = tuple[np.ndarray, list[str], bool]

FILES_AT_ONCE = 16  # to a process: a file takes a millisecond or two
MAX_STRENGTH = FIELD["strength"].size - 1  # that the model can tell


def main(argv: list[str] | None = None) -> None:
    """Run the command line."""
    args = parse(argv)

    from cmt.music.dataset import write_dataset

    folder = args.midi_dir.absolute() if args.dask else args.midi_dir
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in MIDI_SUFFIXES)
    if not paths:
        raise InputError(f"{args.midi_dir}: no folder with .mid or .midi files")
    about = read_metadata(args.metadata) if args.metadata else {}
    out = Path(args.out_name)
    out = DATASET / out if out.parent == Path() else out
    out = out if out.suffix == ".npz" else out.with_name(f"{out.name}.npz")

    check_outputs([out], [*paths, *([args.metadata] if args.metadata else ())])

    files = {path: path.relative_to(folder) for path in paths}
    vocabulary = VOCABULARIES[args.vocabulary]
    tasks = [(path, args.strict_names, args.min_notes, vocabulary.name) for path in paths]
    skipped: list[str] = []
    count: Counter[str] = Counter()
    try:
        with cluster(args.dask) as client, only_run(out):
            encoded = in_order(
                encode, tasks, crashed, jobs=args.jobs, batch=FILES_AT_ONCE, client=client
            )
            written = write_dataset(out, songs(files, encoded, about, skipped, count), vocabulary)
    finally:
        if skipped:
            lines = map(one_line, skipped)
            print(f"skipped {len(skipped)} of {len(paths)} files:", *lines, sep="\n  ")
    print(
        f"{out}: {written} songs, {count['words']} words; tracks mapped by name in "
        f"{count['by name']} songs, by program in {count['by program']}"
    )
    if args.metadata:
        print(f"{count['in table']} songs are in {args.metadata}")
    if count["clipped"]:
        print(
            f"{count['clipped']} songs have simu-notes of more than {MAX_STRENGTH} notes: the "
            f"model reads their strength as {MAX_STRENGTH}"
        )


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    options = parser(__doc__)
    add = options.add_argument
    add("--midi_dir", type=Path, required=True, help="folder of MIDI files")
    add("--out_name", required=True, help="npz to write; a bare name goes to the dataset folder")
    add(
        "--strict-names",
        action="store_true",
        help="map tracks by exact name only, as the original; other names are an error",
    )
    add(
        "--min-notes",
        type=between(0, kind=int),
        default=MIN_NOTES,
        help="drop tracks of fewer notes (default: %(default)s)",
    )
    add(
        "--vocabulary",
        choices=VOCABULARIES,
        default=PUBLISHED.name,
        help="own: also how loud each note is (default: %(default)s)",
    )
    add("--metadata", type=Path, help="CSV with path, genre, …")
    add("--jobs", type=jobs, default=-1, help="processes (default: one per core)")
    add("--dask", metavar="SCHEDULER", help=DASK_HELP)
    return options.parse_args(argv)


def songs(
    files: Mapping[Path, Path],
    encoded: Iterable[Encoded | str],
    about: Mapping[str, Mapping[str, str]],
    skipped: list[str],
    count: Counter[str],
) -> Iterator[tuple[np.ndarray, dict[str, Any]]]:
    """Words and metadata of each file that can be used.

    Args:
        files: path → path relative to the folder of all.
        encoded: what `encode` gives of each file, in order.
        about: further metadata, by relative path.
        skipped: gets the reason why a file cannot be used.
        count: gets the number of words, and of songs by what is said of them at the end.
    """
    from tqdm import tqdm

    progress = tqdm(
        zip(files.values(), encoded, strict=True), total=len(files), unit="file", disable=None
    )
    for relative, song in progress:
        if isinstance(song, str):
            skipped.append(song)
            continue
        words, instruments, by_name = song
        count["words"] += len(words)
        count["in table"] += relative.as_posix() in about
        count["by name" if by_name else "by program"] += 1
        count["clipped"] += int((words[:, FIELD["strength"].column] > MAX_STRENGTH).any())
        yield (
            words,
            {
                "id": relative.with_suffix("").as_posix(),
                "de_len": len(words),
                "instruments": instruments,
                "genre": "N/A",
                **about.get(relative.as_posix(), {}),
            },
        )


def read_metadata(path: Path) -> dict[str, dict[str, str]]:
    """Genre, cluster, whether held out and how often learned from, per path of a CSV.

    Raises:
        InputError: the file cannot be read, has no column `path`, or a number that is none.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
    if "path" not in (reader.fieldnames or ()):
        raise InputError(f"{path}: no column 'path'; name the columns in the first line")
    names = {"genre": "genre", "neardup_cluster": "cluster"}
    names |= {name: name for name in ("held_out", "repeats")}
    for row in rows:
        if not (row.get("repeats") or "1").isdecimal():
            raise InputError(f"{path}: {row['path']}: repeats must be a count: {row['repeats']!r}")
    return {
        row["path"]: {key: row[column] for column, key in names.items() if row.get(column)}
        for row in rows
    }


def encode(
    path: Path, strict_names: bool, min_notes: int, vocabulary: str = PUBLISHED.name
) -> Encoded | str:
    """Words, instruments and whether they were mapped by name; or why there are none."""
    from cmt.music.midi import read_midi
    from cmt.music.vocabulary import MAX_WORDS, TICKS_PER_BAR
    from cmt.music.words import song_to_words

    try:
        midi = read_midi(path, strict_names=strict_names, min_notes=min_notes, max_minutes=math.inf)
        # It may be millions of bars long: not to be written out before that is known.
        if midi.song.length // TICKS_PER_BAR < MAX_WORDS:
            words = song_to_words(midi.song, VOCABULARIES[vocabulary])
            if len(words) <= MAX_WORDS:
                return words, midi.instruments, midi.by_name
    except InputError as error:
        return str(error)
    except ValueError as error:
        return f"{path}: {error}"
    return f"{path}: more than {MAX_WORDS} words; cut it into shorter files"


def crashed(path: Path, *_: object) -> str:
    """Why a file is skipped whose process ended."""
    return f"{path}: damaged MIDI file (the process that read it ended)"


command = partial(run_script, main)

if __name__ == "__main__":
    sys.exit(command())
