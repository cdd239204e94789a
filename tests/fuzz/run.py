"""Damage files, read them, and count what should not happen.

    python tests/fuzz/run.py --seconds 60               every target
    python tests/fuzz/run.py midi json --seed 7         some

A child process reads one damaged file after another. Refusing it in a line that names it is right;
a traceback, a crash, more than 30 seconds or 2 GB are failures. What failed is kept in FOLDER.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "src"), str(Path(__file__).parent)]
os.environ.setdefault("OMP_NUM_THREADS", "1")

from targets import TARGETS, Target  # noqa: E402

PATIENCE = 30  # s that a file may take
MEMORY = 2 << 30  # bytes of address space that a file may add
FILES = 500  # that a child reads


def read(target: Target, path: Path) -> str:
    """What is wrong with how a file is read; nothing, if it is right."""
    from cmt.files import InputError

    try:
        target.run(path)
    except InputError as error:
        if path.name not in str(error) or "\n" in str(error):
            return f"a message that is no line naming the file: {error}"
    except BaseException:
        return traceback.format_exc()
    return ""


def child(target: Target, seeds: list[bytes], seed: int, work: Path, end: float, out: int) -> None:
    """Read damaged files; tell of each that it is begun, and what is wrong."""
    rng = random.Random(seed)
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    path = work / f"file{target.suffix}"
    for _ in range(FILES):
        if time.time() > end:
            break
        path.write_bytes(target.mutate(rng, rng.choice(seeds)))
        os.write(out, b"+")
        if wrong := read(target, path):
            kept = work / f"{seed}-{rng.randrange(10**9)}{target.suffix}"
            shutil.copyfile(path, kept)
            kept.with_suffix(".txt").write_text(wrong, encoding="utf-8")
            os.write(out, b"!")
    os._exit(0)


def fuzz(name: str, seconds: float, seed: int, folder: Path) -> tuple[int, int]:
    """Files read and failures of a target within some seconds."""
    target = TARGETS[name]
    work = folder / name
    work.mkdir(parents=True, exist_ok=True)
    seeds, end = target.seeds(), time.time() + seconds
    files = failures = 0
    while time.time() < end:
        source, sink = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(source)
            child(target, seeds, seed, work, end, sink)
        os.close(sink)
        while True:
            ready, _, _ = select.select([source], [], [], PATIENCE)
            if not ready:
                os.kill(pid, signal.SIGKILL)
            told = os.read(source, 1 << 16)
            if not told:
                break
            files += told.count(b"+")
            failures += told.count(b"!")
        os.close(source)
        _, status = os.waitpid(pid, 0)
        if status:
            failures += 1
            shutil.copyfile(work / f"file{target.suffix}", work / f"{seed}-ended{target.suffix}")
        seed += 1
    return files, failures


def main(argv: list[str] | None = None) -> int:
    """Fuzz targets one after another; 1 if anything failed."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    options.add_argument("--seconds", type=float, default=60, help="for each target")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--folder", type=Path, help="for files that failed")
    args = options.parse_args(argv)
    folder = args.folder or Path(tempfile.mkdtemp(prefix="fuzz-"))
    failed = 0
    for name in args.targets or TARGETS:
        files, failures = fuzz(name, args.seconds, args.seed, folder)
        print(f"{name}: {files} files, {failures} failures", flush=True)
        failed += failures
    print(f"files that failed are in {folder}" if failed else "nothing failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
