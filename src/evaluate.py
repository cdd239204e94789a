"""Measure pieces of music, and how far they are from real music.

    evaluate.py inference/*.mid
    evaluate.py generated/ --reference dataset/held_out.npz --bars 16
    evaluate.py generated/ --train dataset/lpd.npz --json scores.json --csv scores.csv

FILES are MIDI files, folders of them, or data sets of words (npz, taken at 120 BPM). The table has
the mean over the pieces for which a measure is defined, and its 95 % interval; cmt/metrics.py
defines the measures. Where NAME.mid.json lies beside NAME.mid, as gen_midi_conditional.py writes
it, the control errors are those it tells.

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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cmt.files import InputError, replacing
from cmt.script import run_script

if TYPE_CHECKING:
    import numpy as np

    from cmt.metrics import Corpus
    from cmt.words import Song

MAX_BARS = 400  # the time that structureness takes grows with the fourth power
RESAMPLES = 2000
INTERVAL = 0.95
MIDI_SUFFIXES = (".mid", ".midi")
CONTROL_ERRORS = {
    "density": "control error, density",
    "strength": "control error, strength",
    "time": "control error, time",
}


@dataclass(frozen=True)
class Source:
    """A piece to measure: its name; its words and its cluster if it comes from a data set."""

    name: str
    words: np.ndarray | None = None
    cluster: str | None = None


@dataclass(frozen=True)
class Piece:
    """A piece that was measured: its figures by name, NaN if undefined, and what it copied."""

    name: str
    values: dict[str, float]
    copy: dict[str, Any] | None


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("files", type=Path, nargs="+", metavar="FILES", help="MIDI files, folders, npz data sets")
    add("--reference", type=Path, nargs="+", metavar="FILES", help="real music to compare with")
    add("--train", type=Path, metavar="NPZ", help="data set to look for copied passages in")
    add("--bars", type=int, help="measure at most so many bars of each piece")
    add("--json", type=Path, metavar="FILE", help="write the figures of each piece, and the table")
    add("--csv", type=Path, metavar="FILE", help="the same for a spreadsheet")
    add("--seed", type=int, default=0, help="of the bootstrap")
    add("--jobs", type=int, default=-1, help="processes (default: one per core)")
    args = parser.parse_args(argv)
    if args.bars is not None and args.bars < 1:
        parser.error("--bars: give at least 1")
    if args.seed < 0:
        parser.error("--seed: give a number from 0")
    if args.jobs == 0:
        parser.error("--jobs: give a number of processes, or -1")
    return args


def main(argv: list[str] | None = None) -> None:
    """Measure, print the table, write the files asked for."""
    args = parse(argv)
    from cmt.metrics import METRICS

    corpus = read_corpus(args.train) if args.train else None
    sets = {"files": measure_all(args.files, args, corpus)}
    if args.reference:
        sets["reference"] = measure_all(args.reference, args, corpus)
    titles = {metric.name: metric.title for metric in METRICS}
    if corpus:
        titles["longest_copy"] = "longest copied passage (notes)"
    titles |= {f"{name}_error": title for name, title in CONTROL_ERRORS.items()}
    table = summary(sets, list(titles), args.seed)
    titles = {name: title for name, title in titles.items() if name in table}
    print_table(table, titles, {name: len(pieces) for name, pieces in sets.items()})
    if args.json:
        write_json(args.json, sets, table, titles, args)
    if args.csv:
        write_csv(args.csv, sets, table)


def read_corpus(path: Path) -> Corpus:
    """The songs of a data set, to look for copied passages in.

    Raises:
        InputError: the file is no data set, or none of its songs can be read.
    """
    from cmt.dataset import read_dataset
    from cmt.metrics import Corpus
    from cmt.words import words_to_song

    songs, names, clusters = [], [], []
    dataset = read_dataset(path)
    for number, (words, about) in enumerate(zip(dataset.words, dataset.metadata, strict=True)):
        try:
            songs.append(words_to_song(words))
        except ValueError as error:
            print(f"skipped: {path}, song {number}: {error}", file=sys.stderr)
            continue
        names.append(str(about.get("id", number)))
        clusters.append(cluster_of(about, number))
    if not songs:
        raise InputError(f"{path}: no song to compare with; make one with midi2numpy_mix.py")
    return Corpus(songs, names, clusters)


def cluster_of(about: Mapping[str, Any], number: int) -> str:
    """The cluster of near-copies that a song of a data set is in, or what is its own alone."""
    return str(about.get("cluster") or f"song {about.get('id', number)}")


def find_sources(paths: Sequence[Path], skipped: list[str]) -> Iterator[Source]:
    """Every piece that the files, folders and data sets name; what holds none is `skipped`."""
    from cmt.dataset import read_dataset

    for path in paths:
        if path.is_dir():
            below = sorted(p for p in path.rglob("*") if p.suffix.lower() in MIDI_SUFFIXES)
            if not below:
                skipped.append(f"{path}: a folder without .mid or .midi files")
            yield from (Source(str(file)) for file in below)
        elif path.suffix.lower() == ".npz":
            try:
                dataset = read_dataset(path)
            except InputError as error:
                skipped.append(str(error))
                continue
            for number, (words, about) in enumerate(
                zip(dataset.words, dataset.metadata, strict=True)
            ):
                name = f"{path}:{about.get('id', number)}"
                yield Source(name, words, cluster_of(about, number))
        else:
            yield Source(str(path))


def measure_all(
    paths: Sequence[Path], args: argparse.Namespace, corpus: Corpus | None
) -> list[Piece]:
    """Measure the pieces on all cores; bad ones are named and skipped.

    Raises:
        InputError: there is no good one.
    """
    from joblib import Parallel, delayed
    from tqdm import tqdm

    skipped: list[str] = []
    sources = list(find_sources(paths, skipped))
    parallel = Parallel(min(args.jobs, max(len(sources), 1)), return_as="generator")
    results = parallel(delayed(measure)(source, args.bars, corpus) for source in sources)
    pieces = []
    progress = tqdm(results, total=len(sources), unit="piece", disable=None)
    for source, result in zip(sources, progress, strict=True):
        if isinstance(result, str):
            skipped.append(result)
            continue
        pieces.append(result)
        if source.words is None:
            try:
                result.values.update(control_errors(Path(f"{source.name}.json")))
            except InputError as error:
                print(f"warning: {error}", file=sys.stderr)
    for line in skipped:
        print(f"skipped: {line}", file=sys.stderr)
    if not pieces:
        raise InputError("nothing was usable")
    return pieces


def measure(source: Source, bars: int | None, corpus: Corpus | None) -> Piece | str:
    """The figures of a piece; or why there are none."""
    from cmt.metrics import METRICS, bars_of, excerpt, longest_copy
    from cmt.vocabulary import INSTRUMENTS, TICKS_PER_BAR

    try:
        song, tempo = read(source)
    except InputError as error:
        return str(error)
    except ValueError as error:
        return f"{source.name}: {error}"
    if bars is not None:
        song = excerpt(song, bars)
    if bars_of(song) > MAX_BARS:
        return f"{source.name}: {bars_of(song)} bars; measure at most {MAX_BARS} with --bars"
    values = {metric.name: metric.function(song, tempo) for metric in METRICS}
    copy = None
    if corpus and (found := longest_copy(song, corpus, source.cluster)):
        values["longest_copy"] = found.notes
        copy = {
            "notes": found.notes,
            "distinct_steps": found.distinct,
            "bar": found.tick // TICKS_PER_BAR + 1,
            "instrument": INSTRUMENTS[found.instrument - 1].name,
            "source": found.source,
            "source_bar": found.source_tick // TICKS_PER_BAR + 1,
        }
    return Piece(source.name, values, copy)


def read(source: Source) -> tuple[Song, float]:
    """Notes and tempo (BPM) of a piece.

    Raises:
        InputError: the MIDI file cannot be used.
        ValueError: the words cannot be.
    """
    from cmt.midi import read_midi
    from cmt.vocabulary import DEFAULT_TEMPO
    from cmt.words import words_to_song

    if source.words is not None:
        return words_to_song(source.words), DEFAULT_TEMPO
    midi = read_midi(source.name)
    return midi.song, midi.tempo


def control_errors(path: Path) -> dict[str, float]:
    """The control errors in a report of gen_midi_conditional.py; none if there is no file.

    An error of something that was not asked for, as of strength without visual beats, is NaN.

    Raises:
        InputError: the file is no such report.
    """
    if not path.exists():
        return {}
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        errors = {name: float(report["control_error"][name]) for name in CONTROL_ERRORS}
        asked = report.get("controlled", {})  # older reports do not tell
        for name, what in (("density", "bars"), ("strength", "visual_beats")):
            if asked.get(what) == 0:
                errors[name] = math.nan
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: no report of gen_midi_conditional.py ({error!r}); remove it or make it again"
        ) from error
    return {f"{name}_error": value for name, value in errors.items()}


def summary(
    sets: dict[str, list[Piece]], names: Sequence[str], seed: int
) -> dict[str, dict[str, Any]]:
    """Per measure and set of pieces: mean, its interval and the pieces that have it.

    The means' intervals are Student's; with a reference comes the distance, in % of the
    reference's mean, with a percentile bootstrap interval over the pieces of both sets.
    Measures that no piece has are left out.
    """
    import numpy as np
    from scipy.special import stdtrit

    table: dict[str, dict[str, Any]] = {}
    for name in names:
        row: dict[str, Any] = {}
        samples = {}
        for label, pieces in sets.items():
            values = np.array([piece.values.get(name, math.nan) for piece in pieces])
            samples[label] = values = values[~np.isnan(values)]
            count = len(values)
            half = math.nan
            if count > 1:
                student = stdtrit(count - 1, (1 + INTERVAL) / 2)
                half = float(student * values.std(ddof=1) / math.sqrt(count))
            mean = float(values.mean()) if count else math.nan
            row[label] = {"mean": mean, "half_interval": half, "pieces": count}
        if "reference" in sets and all(map(len, samples.values())):
            generator = np.random.default_rng(seed)
            row["distance"] = distance(samples["files"], samples["reference"], generator)
        if any(map(len, samples.values())):
            table[name] = row
    return table


def distance(
    values: np.ndarray, reference: np.ndarray, generator: np.random.Generator
) -> dict[str, float] | None:
    """Difference of means in % of the reference's, and its interval; None of a mean of 0."""
    import numpy as np

    if reference.mean() == 0:
        return None
    means = [
        np.array(
            [sample[generator.integers(len(sample), size=len(sample))].mean()
             for _ in range(RESAMPLES)]
        )
        for sample in (values, reference)
    ]  # fmt: skip
    # A resample of the reference may have a mean of 0: the distance then is infinite.
    with np.errstate(divide="ignore", invalid="ignore"):
        resampled = 100 * (means[0] - means[1]) / np.abs(means[1])
    # By order alone, for there is nothing between infinite values.
    ends = [(1 - INTERVAL) / 2, (1 + INTERVAL) / 2]
    low, high = np.nanquantile(resampled, ends, method="inverted_cdf")
    percent = 100 * (values.mean() - reference.mean()) / abs(reference.mean())
    return {"percent": float(percent), "low": float(low), "high": float(high)}


def print_table(
    table: dict[str, dict[str, Any]], titles: dict[str, str], sizes: dict[str, int]
) -> None:
    """Print a line per measure; (n) where a measure is undefined for some of the pieces."""
    width = max(map(len, titles.values()))
    head = [f"{f'{label} ({size})':>24}" for label, size in sizes.items()]
    head += ["  distance"] if "reference" in sizes else []
    print(f"{'':{width}}", *head)
    for name, row in table.items():
        line = [f"{titles[name]:{width}}"]
        for label, size in sizes.items():
            mean, half, count = (row[label][key] for key in ("mean", "half_interval", "pieces"))
            cell = f"{mean:.3f}" if count else "–"
            cell += f" ± {half:.3f}" if count > 1 else ""
            cell += f" ({count})" if 0 < count < size else ""
            line.append(f"{cell:>24}")
        if row.get("distance"):
            far = row["distance"]
            line.append(f"  {far['percent']:+.1f} % [{far['low']:+.1f}, {far['high']:+.1f}]")
        print(*line)


def write_json(
    path: Path,
    sets: dict[str, list[Piece]],
    table: dict[str, dict[str, Any]],
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
        "summary": table,
        "pieces": {label: [asdict(piece) for piece in pieces] for label, pieces in sets.items()},
    }
    with replacing(path) as temporary:
        temporary.write_text(
            json.dumps(finite(report), indent=1, ensure_ascii=False, allow_nan=False),
            encoding="utf-8",
        )


def write_csv(path: Path, sets: dict[str, list[Piece]], table: dict[str, dict[str, Any]]) -> None:
    """Write a row per piece, then rows of the table; what is undefined is empty."""

    def row(label: str, name: str, values: dict[str, float]) -> list[str]:
        numbers = (values.get(column, math.nan) for column in table)
        return [label, name, *(f"{n:.6g}" if math.isfinite(n) else "" for n in numbers)]

    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["set", "piece", *table])
        for label, pieces in sets.items():
            writer.writerows(row(label, piece.name, piece.values) for piece in pieces)
        for label, keys in (*((label, ("mean", "half_interval", "pieces")) for label in sets),
                            ("distance", ("percent", "low", "high"))):  # fmt: skip
            if label == "distance" and "reference" not in sets:
                continue
            for key in keys:
                found = {
                    name: about[label][key] for name, about in table.items() if about.get(label)
                }
                writer.writerow(row(label, f"({key})", found))


command = partial(run_script, main)

if __name__ == "__main__":
    sys.exit(command())
