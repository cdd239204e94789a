"""From videos to control words: tempo, visual beats, and speed per bar.

    src/video2npz/video2npz.py VIDEO...                  # → inference/NAME.npz, inference/NAME.json
    src/video2npz/video2npz.py VIDEO... --out_dir DIR
    src/video2npz/video2npz.py VIDEO... --visualize      # and NAME_rhythm.png
    src/video2npz/video2npz.py VIDEO... --visualize --format pdf svg
    src/video2npz/video2npz.py VIDEO... --resolution 4   # visual beats on quarter notes only

NAME.npz holds the control words (`input`), `tempo` (BPM) and `duration` (s), and, to look at, the
curves of speed and saliency; NAME.json the rhythm they were made from. A video that cannot be
used is named and skipped.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from cmt.files import INFERENCE, PICTURES, InputError, run_script


def main(argv: list[str] | None = None) -> None:
    """Parse the arguments and analyse each video."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("videos", nargs="+", type=Path, metavar="VIDEO")
    parser.add_argument(
        "--out_dir", type=Path, default=INFERENCE, help="folder of the results (%(default)s)"
    )
    parser.add_argument(
        "--resolution",
        type=int,
        default=1,
        choices=(1, 2, 4, 8, 16),
        help="keep visual beats on multiples of this many ticks, a quarter note being 4 (1)",
    )
    parser.add_argument(
        "--one_flow",
        action="store_true",
        help="half the time: visual beats from the flow that gives the speed; where several are"
        " about as strong, others may be chosen",
    )
    parser.add_argument("--visualize", action="store_true", help="also draw what was found")
    parser.add_argument(
        "--format", choices=PICTURES, nargs="+", default=["png"], help="of the pictures (png)"
    )
    arguments = parser.parse_args(argv)

    try:  # before minutes of work
        arguments.out_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{arguments.out_dir}: cannot be made ({error.strerror}); choose another --out_dir"
        ) from error

    names: set[str] = set()
    skipped = []
    for video in arguments.videos:
        name = unused_name(video.stem, names)
        names.add(name)
        try:
            analyse(video, arguments.out_dir / name, arguments)
        except InputError as error:
            print(f"skipped: {error}", file=sys.stderr)
            skipped.append(video)
    if skipped and len(arguments.videos) > 1:
        listed = ", ".join(map(str, skipped))
        print(f"skipped {len(skipped)} of {len(arguments.videos)}: {listed}", file=sys.stderr)
    if len(skipped) == len(arguments.videos):
        raise InputError("no video could be used")


def unused_name(stem: str, names: set[str]) -> str:
    """The stem, or the stem with the first number that makes it new among `names`."""
    name, number = stem, 2
    while name in names:
        name, number = f"{stem}-{number}", number + 1
    return name


def analyse(video: Path, output: Path, arguments: argparse.Namespace) -> None:
    """Write the results for one video as OUTPUT.npz, OUTPUT.json, … and print a line on it."""
    from tqdm import tqdm

    from cmt.control import Curves, control_words, save_control, save_rhythm
    from cmt.video.flow import measure_motion
    from cmt.video.frames import VideoFrames
    from cmt.video.visual_beats import find_rhythm, saliency

    began = time.perf_counter()
    frames = VideoFrames(video)
    bar = tqdm(frames, video.name, frames.expected, unit="frame", leave=False, disable=None)
    motion = measure_motion(bar, frames.fps, arguments.one_flow)
    rhythm = find_rhythm(motion, arguments.resolution)

    # Not with_suffix: a name may have dots of its own.
    written = [output.with_name(output.name + suffix) for suffix in (".npz", ".json")]
    curves = Curves(frames.fps, motion.speed, saliency(motion))
    save_control(written[0], control_words(rhythm), rhythm.tempo, rhythm.duration, curves)
    save_rhythm(written[1], rhythm)
    if arguments.visualize:
        from cmt.plots import Video, plot, thumbnails

        pictures = [output.with_name(f"{output.name}_rhythm.{kind}") for kind in arguments.format]
        plot(pictures, Video(rhythm, curves, thumbnails(frames, rhythm.duration)))
        written += pictures

    for problem in frames.problems:
        print(f"warning: {video}: {problem}; what could be decoded was used", file=sys.stderr)
    print(
        f"{video.name}: {rhythm.duration:.2f} s, {frames.width}x{frames.height} at"
        f" {frames.fps:.4g} fps, tempo {rhythm.tempo:.1f} BPM, {rhythm.n_bars} bars,"
        f" {len(rhythm.vbeats)} visual beats, in {time.perf_counter() - began:.1f} s →"
        f" {', '.join(map(str, written))}"
    )


if __name__ == "__main__":
    sys.exit(run_script(main))
