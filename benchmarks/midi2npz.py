"""How fast does MIDI become a data set, in how much memory, next to only reading the files?

    benchmarks/midi2npz.py                                     800 files
    benchmarks/midi2npz.py ../shared/midi/research.tar.xz --files 2000

Takes files spread evenly over a folder or a tar; without one, the shared archive beside the
repository where there is one, else the files of tests/reference/midi over and over. The floor is
reading the files' bytes with the MIDI library in one process. Below it what else has to be done, in
one process too: notes, grid and words (with reading), then compressing them. The whole command
works on all cores, on a quarter of the files as well: its peak memory, that of its largest process,
should not grow with their number. Each run is a process of its own, in turn, so that a busy machine
slows all alike. The last line is the ratio of the whole command to the floor.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from cmt.files import MIDI_SUFFIXES, REPOSITORY
from cmt.music.vocabulary import MIN_NOTES
from cmt.script import between, parser

ROUNDS = 3
SHARED = REPOSITORY.parent / "shared" / "midi" / "research.tar.xz"
REFERENCE = REPOSITORY / "tests" / "reference" / "midi" / "in"
COMMAND = REPOSITORY / "src" / "midi2numpy_mix.py"


def gather(source: Path, count: int, folder: Path) -> None:
    """Put `count` MIDI files of a folder or a tar into `folder`, as 000000.mid, …"""
    if source.is_dir():
        paths = sorted(path for path in source.rglob("*") if path.suffix.lower() in MIDI_SUFFIXES)
        for number in range(count):
            shutil.copy(paths[number * len(paths) // count], folder / f"{number:06}.mid")
        return
    with tarfile.open(source) as archive:
        names = sorted(
            name for name in archive.getnames() if Path(name).suffix.lower() in MIDI_SUFFIXES
        )
        chosen = [names[number * len(names) // count] for number in range(count)]
        numbers = {name: number for number, name in enumerate(chosen)}
        for member in archive:  # in the order of the file: it cannot be read but from its start
            if member.name in numbers:
                file = archive.extractfile(member)
                assert file is not None
                (folder / f"{numbers[member.name]:06}.mid").write_bytes(file.read())


def stage(name: str, folder: Path) -> float:
    """Seconds of a stage in this process."""
    from symusic.core import ScoreTick

    import cmt.music.dataset
    import midi2numpy_mix

    paths = sorted(folder.iterdir())
    encoded = []
    if name == "compressing":
        encoded = [midi2numpy_mix.encode(path, False, MIN_NOTES) for path in paths]
    started = time.perf_counter()
    if name == "reading":
        for path in paths:
            ScoreTick.from_midi(path.read_bytes())
    elif name == "words":
        for path in paths:
            midi2numpy_mix.encode(path, False, MIN_NOTES)
    else:
        words = [song[0] for song in encoded if not isinstance(song, str)]
        cmt.music.dataset.write_dataset(
            folder.with_name("stage.npz"), ((song, {}) for song in words)
        )
    return time.perf_counter() - started


def whole(folder: Path) -> tuple[float, float]:
    """Seconds and peak memory (MB) of the command."""
    out = folder.with_name("whole.npz")
    command = [sys.executable, str(COMMAND), "--midi_dir", str(folder), "--out_name", str(out)]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    assert status == 0
    return seconds, usage.ru_maxrss / 1024


def main() -> None:
    """Print a table and the ratio."""
    options = parser(__doc__)
    default = SHARED if SHARED.exists() else REFERENCE
    options.add_argument("midi", type=Path, nargs="?", default=default, help="folder or tar")
    options.add_argument("--files", type=between(1, kind=int), default=800)
    options.add_argument("--stage", help=argparse.SUPPRESS)
    args = options.parse_args()
    if args.stage:
        print(json.dumps(stage(args.stage, args.midi)))
        return

    environment = {**os.environ, "PYTHONPATH": str(COMMAND.parent)}  # for the script's functions
    seconds: dict[str, list[float]] = {}
    peaks: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as temporary:
        few, all_ = Path(temporary) / "few", Path(temporary) / "all"
        for folder, count in ((few, args.files // 4), (all_, args.files)):
            folder.mkdir()
            gather(args.midi, count, folder)
        for _ in range(ROUNDS):
            for name in ("reading", "words", "compressing"):
                command = [sys.executable, __file__, str(all_), "--stage", name]
                result = subprocess.run(
                    command, check=True, stdout=subprocess.PIPE, text=True, env=environment
                )
                seconds.setdefault(name, []).append(json.loads(result.stdout))
            for name, folder in (("whole, a quarter", few), ("whole", all_)):
                took, peak = whole(folder)
                seconds.setdefault(name, []).append(took)
                peaks[name] = max(peak, peaks.get(name, 0.0))
    print(f"{args.files:,} files of {args.midi}; {os.cpu_count()} cores")
    print(f"{'':<18}{'seconds':>8}{'files/s':>9}{'peak MB':>9}")
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    for name, median in medians.items():
        files = args.files // 4 if name == "whole, a quarter" else args.files
        memory = f"{peaks[name]:>9.0f}" if name in peaks else ""
        print(f"{name:<18}{median:>8.2f}{files / median:>9,.0f}{memory}")
    print(
        f"ratio, whole to reading: {medians['whole'] / medians['reading']:.1f}; "
        f"peak memory, all to a quarter: {peaks['whole'] / peaks['whole, a quarter']:.2f}"
    )


if __name__ == "__main__":
    main()
