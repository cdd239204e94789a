"""From videos to control words: tempo, visual beats, and speed per bar.

    src/video2npz/video2npz.py VIDEO...                  # → inference/NAME.npz, inference/NAME.json
    src/video2npz/video2npz.py VIDEO... --out_dir DIR
    src/video2npz/video2npz.py VIDEO... --visualize      # and NAME_rhythm.png
    src/video2npz/video2npz.py VIDEO... --visualize --format pdf svg
    src/video2npz/video2npz.py clip.mp4 --key-frames cuts.txt     # times that must be met
    src/video2npz/video2npz.py VIDEO... --rhythm original         # the published analysis
    src/video2npz/video2npz.py VIDEO... --rhythm original --resolution 4   # beats on quarters only
    src/video2npz/video2npz.py VIDEO... --rhythm original --flow fast      # a quarter of the time,
                            # other visual beats where several are about as strong

NAME.npz holds the control words (`input`), `tempo` (BPM) and `duration` (s), the grid where it is
no constant one, and, to look at, curves of the video; NAME.json the rhythm they were made from. A
video that cannot be used is named and skipped.
"""

from __future__ import annotations

import argparse
import sys
import time
from functools import partial
from itertools import starmap
from pathlib import Path

try:
    from cmt import limits
    from cmt.files import INFERENCE, PICTURES, InputError, unused_name
    from cmt.options import add_overwrite, add_rhythm, check_rhythm, opened, watched
    from cmt.outputs import check_outputs, only_run, refuse_to_replace
    from cmt.parallel import DASK_HELP, cluster, in_order
    from cmt.script import parser, run_script, tell
except ModuleNotFoundError as error:  # this script, unlike the others, does not lie beside `cmt`
    if error.name != "cmt":
        raise
    sys.exit(
        f"error: {sys.executable} lacks this project; call .venv/bin/python {sys.argv[0]},"
        " after `make demo`"
    )


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    options = parser(__doc__)
    add = options.add_argument
    add("videos", nargs="+", type=Path, metavar="VIDEO")
    add("--out_dir", type=Path, default=INFERENCE, help="folder of the results (%(default)s)")
    add(
        "--resolution",
        type=int,
        default=1,
        choices=(1, 2, 4, 8, 16),
        help="of --rhythm original: keep visual beats on multiples of this many ticks, a quarter"
        " note being 4 (1)",
    )
    add("--visualize", action="store_true", help="also draw what was found")
    add("--format", choices=PICTURES, nargs="+", default=["png"], help="of the pictures (png)")
    add(
        "--dask",
        metavar="SCHEDULER",
        help=f"{DASK_HELP}; one worker a machine, as a video takes all cores",
    )
    add_overwrite(options)
    add_rhythm(options)
    limits.add_options(options, "--max-hours", "--max-pixels")
    args = options.parse_args(argv)
    check_rhythm(options, args)
    if args.rhythm == "true" and args.resolution != 1:
        options.error("--resolution goes with --rhythm original")
    return args


def main(argv: list[str] | None = None) -> None:
    """Analyse each video; a bad one is named and the others are still analysed."""
    arguments = parse(argv)
    names: set[str] = set()
    tasks = []
    for video in arguments.videos:
        output = arguments.out_dir / unused_name(video.stem, names)
        paths = (video.absolute(), output.absolute()) if arguments.dask else (video, output)
        tasks.append((*paths, arguments))
    # Before minutes of work.
    results = [results_of(output, arguments) for _, output, _ in tasks]
    inputs = [*arguments.videos, *filter(None, [arguments.key_frames])]
    check_outputs((path for files in results for path in files), inputs)
    for files in results:
        refuse_to_replace(files, mark=files[0], overwrite=arguments.overwrite)
    skipped = []
    with cluster(arguments.dask) as client:
        done = (
            in_order(attempt, tasks, crashed, client=client) if client else starmap(attempt, tasks)
        )
        for video, result in zip(arguments.videos, done, strict=True):
            if isinstance(result, InputError):
                if len(tasks) == 1:
                    raise result
                tell(f"skipped: {result}")
                skipped.append(video)
                continue
            line, problems = result
            for problem in problems:
                tell(f"warning: {problem}; what could be decoded was used")
            print(line)
    if skipped:
        listed = ", ".join(map(str, skipped))
        tell(f"skipped {len(skipped)} of {len(arguments.videos)}: {listed}")
    if len(skipped) == len(arguments.videos):
        raise InputError("no video could be used")


def results_of(output: Path, arguments: argparse.Namespace) -> list[Path]:
    """The files of a video: control words, rhythm, pictures."""
    kinds = arguments.format if arguments.visualize else ()
    endings = (".npz", ".json", *(f"_rhythm.{kind}" for kind in kinds))
    # Not with_suffix: a name may have dots of its own.
    return [output.with_name(f"{output.name}{ending}") for ending in endings]


def attempt(
    video: Path, output: Path, arguments: argparse.Namespace
) -> tuple[str, list[str]] | InputError:
    """What `make` returns, or why it cannot."""
    try:
        with only_run(output):
            return make(video, output, arguments)
    except InputError as error:
        return error


def crashed(video: Path, *_: object) -> InputError:
    """Why a video is skipped whose process ended."""
    return InputError(f"{video}: ends the process that reads it; damaged, or too large for memory")


def make(video: Path, output: Path, arguments: argparse.Namespace) -> tuple[str, list[str]]:
    """Write the results for one video as OUTPUT.npz, OUTPUT.json, …

    Returns:
        A line on it, and the problems that it had.
    """
    from cmt.video.analysis import write

    began = time.perf_counter()
    analysis = watched(opened(video, arguments), arguments, arguments.resolution)
    npz, *_ = results_of(output, arguments)
    written = write(analysis, npz, arguments.format if arguments.visualize else ())
    return (
        f"{analysis}, in {time.perf_counter() - began:.1f} s → {', '.join(map(str, written))}",
        [f"{video}: {problem}" for problem in analysis.problems],
    )


command = partial(run_script, main)

if __name__ == "__main__":
    sys.exit(command())
