"""A video in, the video with music made for it out.

    src/video2bgm.py clip.mp4 -o clip_with_music.mp4
    src/video2bgm.py *.mp4 --out_dir DIR --genre rock --seed 7

Writes, for each video, NAME.npz and NAME.json (its rhythm), NAME.mid and NAME.mid.json (the music
and how well it follows), NAME.mp3, and the video with that music. A video that cannot be used is
named and skipped, and the exit status is 1 then.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from cmt import limits, markers
from cmt.files import INFERENCE, InputError, about
from cmt.moods import suggest
from cmt.music.vocabulary import INSTRUMENTS
from cmt.options import (
    add_composition,
    add_markers,
    add_overwrite,
    add_rhythm,
    add_sound,
    check_composition,
    check_rhythm,
    check_seed,
    load_model,
    markers_at,
    opened,
    settings,
    sound,
    watched,
)
from cmt.outputs import check_outputs, identity, only_run, refuse_to_replace
from cmt.script import between, parser, run_script, tell

if TYPE_CHECKING:
    from cmt.model.network import CMT

VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm")  # of results; others become .mkv
BALANCE = 0.5


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    options = parser(__doc__)
    add = options.add_argument
    add("videos", nargs="+", type=Path, metavar="VIDEO")
    add(
        "-o", "--output", type=Path, metavar="FILE",
        help="the result (one video only); default: DIR/NAME.mp4, or .mov, .mkv, .webm as the video"
        " is, .mkv for any other",
    )  # fmt: skip
    add("--out_dir", type=Path, default=INFERENCE, metavar="DIR", help="folder of the other files")
    add(
        "--keep-audio", type=between(0, 1), nargs="?", const=BALANCE, metavar="BALANCE",
        help="keep the video's own sound and lay the music under it, with this gain, 0 to 1, after"
        " a `=` (%(const)g)",
    )  # fmt: skip
    add("--visualize", action="store_true", help="pictures, too: NAME_rhythm.png, NAME.mid.png")
    add_overwrite(options)
    add_sound(options)
    add_markers(options)
    add_rhythm(options)
    limits.add_options(options, "--max-hours", "--max-pixels")
    add_composition(options)
    # Without a `=`, what follows --keep-audio is a video.
    bare = ("--keep-audio", "--keep_audio")
    given = sys.argv[1:] if argv is None else argv
    args = options.parse_args([f"{arg}={BALANCE}" if arg in bare else arg for arg in given])
    check_rhythm(options, args)
    check_composition(options, args)
    check_seed(options, args, len(args.videos))
    if args.output and len(args.videos) > 1:
        options.error("--output goes with one video; use --out_dir")
    if args.output and args.output.suffix.lower() not in VIDEO_SUFFIXES:
        kinds = ", ".join(VIDEO_SUFFIXES)
        options.error(f"{args.output}: the result is a video; end its name in one of {kinds}")
    return args


def main(argv: list[str] | None = None) -> int:
    """Go the whole way for each video; the exit status is 1 if any was skipped."""
    args = parse(argv)
    if not args.ckpt.exists():  # before minutes of work
        raise InputError(f"{args.ckpt}: no such checkpoint; give another -c")
    if args.soundfont:
        from cmt.sound import fonts

        for font in args.soundfont:
            fonts.presets(font)
    model = cache(partial(load_model, args))
    made: dict[str, Path] = {}
    skipped = []
    for video in args.videos:
        try:
            result = result_for(video, args, made)
            with only_run(args.out_dir / video.stem):
                video2bgm(video, result, model, args)
        except InputError as error:
            if len(args.videos) == 1:
                raise
            tell(f"error: {error}")
            skipped.append(video)
    for video in skipped:
        tell(f"skipped: {video}")
    if len(skipped) == len(args.videos):
        raise InputError("no video could be used")
    return int(bool(skipped))


def result_for(video: Path, args: argparse.Namespace, made: dict[str, Path]) -> Path:
    """Where the video with music goes; its name is noted in `made`.

    Raises:
        InputError: something would be replaced: what is read, what another video gave, or what no
            run has made; or a file cannot be written.
    """
    if other := made.get(video.stem):
        raise InputError(f"{video}: would replace what {other} gave; use another --out_dir")
    made[video.stem] = video
    kept = video.suffix.lower() in VIDEO_SUFFIXES
    result = args.output or args.out_dir / (video.name if kept else f"{video.stem}.mkv")
    if (key := identity(video)) and key == identity(result):
        raise InputError(f"{video}: the result would replace it; choose another -o")
    rhythm, music = files_of(video, args)
    if folder := stems_folder(video, args):
        music += [folder / f"{instrument.name}.wav" for instrument in INSTRUMENTS]
    inputs = [*args.videos, *filter(None, (args.key_frames, *args.soundfont))]
    check_outputs([*rhythm, *music, result], inputs)
    refuse_to_replace(rhythm, mark=rhythm[0], overwrite=args.overwrite)
    refuse_to_replace([*music, result], mark=music[1], overwrite=args.overwrite)
    return result


def files_of(video: Path, args: argparse.Namespace) -> tuple[list[Path], list[Path]]:
    """The files of a video's rhythm, and those of its music, but for the result."""
    rhythm, music = [".npz", ".json"], [".mid", ".mid.json", ".mp3"]
    if args.visualize:
        rhythm, music = [*rhythm, "_rhythm.png"], [*music, ".mid.png"]
    folder = args.out_dir
    rhythm_files, music_files = (
        [folder / f"{video.stem}{ending}" for ending in endings] for endings in (rhythm, music)
    )
    if args.markers:
        music_files += markers.paths(music_files[0])
    return rhythm_files, music_files


def stems_folder(video: Path, args: argparse.Namespace) -> Path | None:
    """Where the stems of a video's music go, if they are asked for."""
    return args.stems / video.stem if args.stems and len(args.videos) > 1 else args.stems


def video2bgm(
    video: Path, result: Path, model: Callable[[], tuple[CMT, str]], args: argparse.Namespace
) -> None:
    """The whole way for one video.

    Raises:
        InputError: the video or another file cannot be used.
    """
    from tqdm import tqdm

    from cmt.sound import film
    from cmt.video import analysis

    pictures = ("png",) if args.visualize else ()
    (npz, *_), (midi, _, mp3, *_) = files_of(video, args)
    print(f"== {video}", flush=True)
    source = opened(video, args)
    if reason := film.why_encoded(source, result):
        print(f"its pictures will be encoded anew: {reason}", flush=True)
    with stage("video → rhythm"):
        found = watched(source, args)
        rhythm_files = analysis.write(found, npz, pictures)
        for problem in found.problems:
            tell(f"warning: {video}: {problem}; what could be decoded was used")
        print(found)
        if found.look:
            suited = suggest(found.look)
            print(f"{video.name}: {suited.reason}: --mood {suited.mood} would suit it")
    with stage("rhythm → music"):
        from cmt import results  # torch, which the first stage does without
        from cmt.compose import compose

        network, weights = model()
        with about(video):
            (piece,) = compose(
                network, found.control, settings(args, file=args.videos.index(video))
            )
        sources = results.Sources(npz.name, found.control.checksum, str(args.ckpt), weights)
        panels = analysis.panels(found) if pictures else None
        at = markers_at(args, found.frames.fps)
        music_files = results.write(
            piece, midi, sources, pictures=pictures, video=panels, markers_at=at
        )
        print(f"{midi}: {piece.report}")
    with stage("music → sound"):
        asked = {**sound(args), "stems": stems_folder(video, args)}
        written = film.render(midi, [mp3, result], source, **asked)
        for file in tqdm(written, video.name, 2, unit="file", leave=False, disable=None):
            print(file)
    print(*rhythm_files, *music_files, mp3, result, sep="\n", flush=True)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Say how long one stage took."""
    began = time.perf_counter()
    yield
    print(f"{name} took {time.perf_counter() - began:.1f} s", flush=True)


command = partial(run_script, main)

if __name__ == "__main__":
    sys.exit(command())
