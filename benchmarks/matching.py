"""How long does matching take, in how much memory, next to only reading the library?

    benchmarks/matching.py                     2,000 pieces
    benchmarks/matching.py --pieces 20000

Reading is inflating the npz's words, which no match can do without. Each run is a process of
its own, so that its peak memory is its own (and started by a small one, whose peak it inherits);
the two are run in turn, so that a busy machine slows both alike. The last line is the ratio of
matching to reading.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cmt.script import between, parser

if TYPE_CHECKING:
    import numpy as np

    from cmt.plan import Plan

ROUNDS = 3
DISTINCT = 40  # pieces, then repeated
VIDEO_BARS = 30  # a minute at 120 BPM
K = 5
BLOCK = 1 << 20  # bytes


def pieces(count: int) -> Iterator[tuple[np.ndarray, dict[str, Any]]]:
    """Random pieces of 40 … 3,000 notes and as many words as such music has."""
    import numpy as np

    from cmt.music.words import NOTE_DTYPE, Song, song_to_words

    rng = np.random.default_rng(0)
    songs = []
    for notes in rng.integers(40, 3_000, DISTINCT):
        length = 2 * int(notes)
        array = np.empty(notes, NOTE_DTYPE)
        for name, low, high in (
            ("tick", 0, length),
            ("pitch", 30, 90),
            ("duration", 1, 17),
            ("instrument", 1, 6),
        ):
            array[name] = rng.integers(low, high, notes)
        array = array[np.lexsort([array["instrument"], array["tick"]])]
        songs.append(song_to_words(Song(array, length)))
    for index, words in zip(range(count), itertools.cycle(songs), strict=False):
        yield words, {"id": f"{index}", "de_len": len(words), "genre": "N/A"}


def video() -> Plan:
    """A plan with a visual beat in every other bar."""
    from cmt.plan import BarPlan, Plan

    return Plan(
        tuple(BarPlan(bar % 12 + 1, {bar % 16: 3} if bar % 2 else {}) for bar in range(VIDEO_BARS))
    )


def write(library: str, count: int) -> None:
    """Write the library."""
    from cmt.music.dataset import write_dataset

    write_dataset(library, pieces(count))


def read(library: str) -> None:
    """Inflate the words of the library."""
    with zipfile.ZipFile(library) as archive, archive.open("x.npy") as member:
        while member.read(BLOCK):
            pass


def match(library: str) -> None:
    """Find the best pieces."""
    from cmt.measures.matching import best

    assert len(best(library, video(), K)) == K


def run(mode: str, library: Path, count: int) -> dict[str, float]:
    """Run this file in one of its modes; seconds and peak memory (MB)."""
    command = [sys.executable, __file__, "--pieces", str(count), "--run", mode, str(library)]
    result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(result.stdout)


def main() -> None:
    """Print a table and the ratio."""
    options = parser(__doc__)
    options.add_argument("--pieces", type=between(1, kind=int), default=2_000)
    options.add_argument("--run", nargs=2, help=argparse.SUPPRESS)
    args = options.parse_args()
    if args.run:
        mode, path = args.run
        if mode == "matching":
            import cmt.measures.matching  # noqa: F401, starting Python is not matching
        started = time.perf_counter()
        if mode == "writing":
            write(path, args.pieces)
        elif mode == "reading":
            read(path)
        else:
            match(path)
        seconds = time.perf_counter() - started
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seconds": seconds, "memory": memory}))
        return

    runs: dict[str, list[dict[str, float]]] = {"reading": [], "matching": []}
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "library.npz"
        run("writing", library, args.pieces)
        size = library.stat().st_size / 1e6
        for _, mode in itertools.product(range(ROUNDS), runs):
            runs[mode].append(run(mode, library, args.pieces))
    print(f"{args.pieces:,} pieces, {size:.0f} MB npz; a video of {VIDEO_BARS} bars")
    print(f"{'':<10} {'seconds':>8} {'pieces/s':>9} {'peak MB':>8}")
    medians = {}
    for mode, results in runs.items():
        medians[mode] = statistics.median(result["seconds"] for result in results)
        memory = max(result["memory"] for result in results)
        print(
            f"{mode:<10} {medians[mode]:>8.2f} {args.pieces / medians[mode]:>9,.0f} {memory:>8.0f}"
        )
    print(f"ratio, matching to reading: {medians['matching'] / medians['reading']:.2f}")


if __name__ == "__main__":
    main()
