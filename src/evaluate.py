"""Measure pieces of music, and how far they are from real music.

    evaluate.py inference/*.mid
    evaluate.py generated/ --reference dataset/held_out.npz --bars 16
    evaluate.py generated/ --train dataset/lpd.npz --json scores.json --csv scores.csv
    evaluate.py inference/clip*.mid --video clip.mp4          and how well they meet what is seen

FILES are MIDI files, folders of them, or data sets of words (npz, taken at 120 BPM). The table has
the mean over the pieces for which a measure is defined, and its 95 % interval;
cmt/measures/metrics.py defines the measures. Where NAME.mid.json lies beside NAME.mid, as
gen_midi_conditional.py writes it, the control errors are those it tells.

--reference adds the same of other pieces, and the distance: how much greater the mean of FILES
is, in % of the reference's, with a bootstrap interval. Structureness, entropy over bars and others
depend on a piece's length: --bars measures no more than so many bars of each, from the first
with a note on. --train names the music that a model learned from, and finds the longest passage
that each piece has copied from it; a piece of a data set is not compared with its near-copies.

    evaluate.py dataset/lpd.npz --train dataset/lpd.npz --bars 16     what its songs share
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cmt import limits
from cmt.files import MIDI_SUFFIXES, InputError, replacing
from cmt.options import opened
from cmt.outputs import check_outputs
from cmt.script import between, jobs, parser, run_script, tell

if TYPE_CHECKING:
    import numpy as np

    from cmt.measures.comparison import Comparison, Measured
    from cmt.measures.copying import Corpus
    from cmt.music.words import Song

CONTROL_ERRORS = {
    "density": "control error, density",
    "strength": "control error, strength",
    "time": "control error, time",
}


SYNCHRONY = {
    "within_near": "events with an accent within 40 ms",
    "tolerated": "events with an accent in −40 … 100 ms",
    "median_lateness": "median lateness of accents (s)",
    "f1": "F1 of events and accents, 40 ms",
    "tbiou": "TBIoU",
    "hits": "BHS",
    "coverage": "BCS",
    "av_align": "AV-Align",
}


@dataclass(frozen=True)
class Source:
    """A piece to measure: its name; its words and its cluster if it comes from a data set."""

    name: str
    words: np.ndarray | None = None
    cluster: str | None = None


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    options = parser(__doc__)
    add = options.add_argument
    add("files", type=Path, nargs="+", metavar="FILES", help="MIDI files, folders, npz data sets")
    add("--reference", type=Path, nargs="+", metavar="FILES", help="real music to compare with")
    add("--train", type=Path, metavar="NPZ", help="data set to look for copied passages in")
    add("--video", type=Path, nargs="+", help="films that pieces of their name are for")
    add("--bars", type=between(1, kind=int), help="measure at most so many bars of each piece")
    add("--json", type=Path, metavar="FILE", help="write the figures of each piece, and the table")
    add("--csv", type=Path, metavar="FILE", help="the same for a spreadsheet")
    add("--seed", type=between(0, kind=int), default=0, help="of the bootstrap")
    add("--jobs", type=jobs, default=-1, help="processes (default: one per core)")
    limits.add_options(options, *limits.OPTIONS)
    return options.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Measure, print the table, write the files asked for."""
    args = parse(argv)
    check_outputs(filter(None, (args.json, args.csv)), inputs_of(args))
    from cmt.measures.comparison import summary
    from cmt.measures.metrics import METRICS

    corpus = read_corpus(args.train, args.max_megabytes) if args.train else None
    sets = {"files": measure_all(args.files, args, corpus)}
    if args.reference:
        sets["reference"] = measure_all(args.reference, args, corpus)
    titles = {metric.name: metric.title for metric in METRICS}
    if corpus:
        titles["longest_copy"] = "longest copied passage (notes)"
    titles |= {f"{name}_error": title for name, title in CONTROL_ERRORS.items()}
    if args.video:
        sets["files"] = with_synchrony(sets["files"], args)
        titles |= SYNCHRONY
    table = summary(sets, list(titles), args.seed)
    titles = {name: title for name, title in titles.items() if name in table}
    print_table(table, titles, {name: len(pieces) for name, pieces in sets.items()})
    if args.json:
        write_json(args.json, sets, table, titles, args)
    if args.csv:
        write_csv(args.csv, sets, table)


def inputs_of(args: argparse.Namespace) -> Iterator[Path]:
    """Every file that is read, reports of pieces among them."""
    given = [*args.files, *(args.reference or ()), *(args.video or ()), args.train]
    for path in filter(None, given):
        for piece in midi_files(path) if path.is_dir() else [path]:
            yield from (piece, piece.with_name(f"{piece.name}.json"))


def midi_files(folder: Path) -> list[Path]:
    """MIDI files anywhere below a folder."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in MIDI_SUFFIXES)


def read_corpus(path: Path, max_megabytes: float) -> Corpus:
    """The songs of a data set, to look for copied passages in.

    Raises:
        InputError: the file is no data set, or none of its songs can be read.
    """
    from cmt.measures.copying import Corpus, cluster_of
    from cmt.music.dataset import read_dataset
    from cmt.music.words import words_to_song

    songs, names, clusters = [], [], []
    dataset = read_dataset(path, max_megabytes)
    for song, (words, about) in enumerate(zip(dataset.words, dataset.metadata, strict=True)):
        try:
            songs.append(words_to_song(words))
        except ValueError as error:
            tell(f"skipped: {path}, song {song}: {error}")
            continue
        names.append(str(about.get("id", song)))
        clusters.append(cluster_of(about, song))
    if not songs:
        raise InputError(f"{path}: no song to compare with; make one with midi2numpy_mix.py")
    return Corpus(songs, names, clusters)


def find_sources(paths: Sequence[Path], skipped: list[str], most: float) -> Iterator[Source]:
    """Every piece of files, folders, data sets of `most` megabytes; what has none is `skipped`."""
    from cmt.measures.copying import cluster_of
    from cmt.music.dataset import read_dataset

    for path in paths:
        if path.is_dir():
            below = midi_files(path)
            if not below:
                skipped.append(f"{path}: a folder without .mid or .midi files")
            yield from (Source(str(file)) for file in below)
        elif path.suffix.lower() == ".npz":
            try:
                dataset = read_dataset(path, most)
            except InputError as error:
                skipped.append(str(error))
                continue
            for song, (words, about) in enumerate(
                zip(dataset.words, dataset.metadata, strict=True)
            ):
                name = f"{path}:{about.get('id', song)}"
                yield Source(name, words, cluster_of(about, song))
        else:
            yield Source(str(path))


def measure_all(
    paths: Sequence[Path], args: argparse.Namespace, corpus: Corpus | None
) -> list[Measured]:
    """Measure the pieces on all cores; bad ones are named and skipped.

    Raises:
        InputError: there is no good one.
    """
    from joblib import Parallel, delayed
    from tqdm import tqdm

    from cmt.parallel import with_parent

    skipped: list[str] = []
    sources = list(find_sources(paths, skipped, args.max_megabytes))
    workers = min(args.jobs, max(len(sources), 1))
    parallel = Parallel(workers, return_as="generator", **with_parent())
    results = parallel(delayed(measure)(source, args, corpus) for source in sources)
    pieces = []
    progress = tqdm(results, total=len(sources), unit="piece", disable=None)
    for source, result in zip(sources, progress, strict=True):
        if isinstance(result, str):
            skipped.append(result)
            continue
        errors = {}
        if source.words is None:
            try:
                errors = control_errors(Path(f"{source.name}.json"))
            except InputError as error:
                tell(f"warning: {error}")
        pieces.append(replace(result, values=result.values | errors))
    for line in skipped:
        tell(f"skipped: {line}")
    if not pieces:
        raise InputError("nothing was usable")
    return pieces


def with_synchrony(pieces: Sequence[Measured], args: argparse.Namespace) -> list[Measured]:
    """The pieces with how well they meet the video that they are named after: NAME, NAME_1 …

    Raises:
        InputError: a video or a MIDI file cannot be read.
    """
    import numpy as np

    from cmt.measures.synchrony import accents, synchrony
    from cmt.music.midi import load_score
    from cmt.video.analysis import analyse, progress_bar

    rhythm_of = partial(analyse, watch=progress_bar)
    seen = {
        video.stem: [beat.start_time for beat in rhythm_of(opened(video, args)).rhythm.vbeats]
        for video in args.video
    }
    result = []
    for piece in pieces:
        stem = Path(piece.name).stem
        events = seen.get(stem, seen.get(stem.rpartition("_")[0]))
        if events is None or Path(piece.name).suffix.lower() not in MIDI_SUFFIXES:
            result.append(piece)
            continue
        timed: Any = load_score(piece.name, args.max_minutes).to("second")
        notes = np.array([(n.time, n.velocity) for track in timed.tracks for n in track.notes])
        times, velocities = notes.reshape(-1, 2).T
        figures = asdict(synchrony(events, accents(times, velocities).tolist()))
        result.append(replace(piece, values=piece.values | figures))
    return result


def measure(source: Source, args: argparse.Namespace, corpus: Corpus | None) -> Measured | str:
    """The figures of a piece; or why there are none."""
    from cmt.measures import comparison

    try:
        song, tempo = read(source, args.max_minutes)
        return comparison.measure(source.name, song, tempo, args.bars, corpus, source.cluster)
    except InputError as error:
        return str(error)


def read(source: Source, max_minutes: float) -> tuple[Song, float]:
    """Notes and tempo (BPM) of a piece.

    Raises:
        InputError: the MIDI file or the words cannot be used.
    """
    from cmt.music.midi import read_midi
    from cmt.music.vocabulary import DEFAULT_TEMPO
    from cmt.music.words import words_to_song

    if source.words is not None:
        try:
            return words_to_song(source.words), DEFAULT_TEMPO
        except ValueError as error:
            raise InputError(f"{source.name}: {error}") from error
    midi = read_midi(source.name, max_minutes=max_minutes)
    return midi.song, midi.tempo


def control_errors(path: Path) -> dict[str, float]:
    """The control errors in a report of gen_midi_conditional.py; none if there is no file.

    An error of something that was not asked for, as of strength without visual beats, is NaN.

    Raises:
        InputError: the file is no such report.
    """
    from cmt.untrusted import entries, naming, number, read_json

    if not path.exists():
        return {}
    with naming(path, "no report of gen_midi_conditional.py", "remove it or make it again"):
        report = entries(read_json(path), "it")
        told = entries(report.get("control_error"), "control_error")
        errors = {name: number(told.get(name), name, 0, 1e9) for name in CONTROL_ERRORS}
        asked = entries(report.get("controlled", {}), "controlled")  # older reports do not tell
        for name, what in (("density", "bars"), ("strength", "visual_beats")):
            if asked.get(what) == 0:
                errors[name] = math.nan
    return {f"{name}_error": value for name, value in errors.items()}


def print_table(
    table: dict[str, Comparison], titles: dict[str, str], sizes: dict[str, int]
) -> None:
    """Print a line per measure; (n) where a measure is undefined for some of the pieces."""
    width = max(map(len, titles.values()))
    head = [f"{f'{label} ({size})':>24}" for label, size in sizes.items()]
    head += ["  distance"] if "reference" in sizes else []
    print(f"{'':{width}}", *head)
    for name, row in table.items():
        line = [f"{titles[name]:{width}}"]
        for label, size in sizes.items():
            found = row.means[label]
            cell = f"{found.mean:.3f}" if found.pieces else "–"
            cell += f" ± {found.half_interval:.3f}" if found.pieces > 1 else ""
            cell += f" ({found.pieces})" if 0 < found.pieces < size else ""
            line.append(f"{cell:>24}")
        if far := row.distance:
            line.append(f"  {far.percent:+.1f} % [{far.low:+.1f}, {far.high:+.1f}]")
        print(*line)


def write_json(
    path: Path,
    sets: dict[str, list[Measured]],
    table: dict[str, Comparison],
    titles: dict[str, str],
    args: argparse.Namespace,
) -> None:
    """Write pieces and table; what is undefined is null."""

    def finite(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: finite(item) for key, item in value.items()}
        if isinstance(value, list):
            return [finite(item) for item in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    report = {
        "bars": args.bars,
        "train": str(args.train) if args.train else None,
        "measures": titles,
        "summary": {name: row_of(comparison) for name, comparison in table.items()},
        "pieces": {label: [asdict(piece) for piece in pieces] for label, pieces in sets.items()},
    }
    with replacing(path) as temporary:
        # What no text is in a file's name is escaped, as JSON has it, too.
        temporary.write_text(
            json.dumps(finite(report), indent=1, ensure_ascii=False, allow_nan=False),
            encoding="utf-8",
            errors="backslashreplace",
        )


def row_of(comparison: Comparison) -> dict[str, dict[str, float] | None]:
    """A measure as written: of each set of pieces, then the distance if both sets have it."""
    row: dict[str, dict[str, float] | None] = {
        label: asdict(mean) for label, mean in comparison.means.items()
    }
    if comparison.comparable:
        row["distance"] = asdict(comparison.distance) if comparison.distance else None
    return row


def write_csv(path: Path, sets: dict[str, list[Measured]], table: dict[str, Comparison]) -> None:
    """Write a row per piece, then rows of the table; what is undefined is empty."""
    from cmt.measures.comparison import Distance, Mean

    def row(label: str, name: str, values: dict[str, float]) -> list[str]:
        numbers = (values.get(column, math.nan) for column in table)
        return [label, name, *(f"{n:.6g}" if math.isfinite(n) else "" for n in numbers)]

    rows = {name: row_of(comparison) for name, comparison in table.items()}
    kinds: dict[str, type] = dict.fromkeys(sets, Mean)
    if len(sets) == 2:
        kinds["distance"] = Distance
    with (
        replacing(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(["set", "piece", *table])
        for label, pieces in sets.items():
            writer.writerows(row(label, piece.name, piece.values) for piece in pieces)
        for label, kind in kinds.items():
            about = {name: found for name, all_ in rows.items() if (found := all_.get(label))}
            for key in (field.name for field in fields(kind)):
                values = {name: found[key] for name, found in about.items()}
                writer.writerow(row(label, f"({key})", values))


command = partial(run_script, main)

if __name__ == "__main__":
    sys.exit(command())
