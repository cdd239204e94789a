"""Make music for the rhythm of a video: control npz + checkpoint → MIDI.

    gen_midi_conditional.py -f inference/clip.npz                      inference/clip.mid
    gen_midi_conditional.py -f inference/clip.npz -c exp/NAME -n 5     clip_1.mid … clip_5.mid
    gen_midi_conditional.py -f inference/clip.npz -n 5 --rank          the best of them first
    gen_midi_conditional.py -f inference/clip.npz --instruments piano,strings --key D --mode minor
    gen_midi_conditional.py -f inference/clip.npz --chords "Am F C G"  these, one a bar, repeated
    gen_midi_conditional.py --settings inference/clip_3.mid.json       that take again, alone
    gen_midi_conditional.py --settings inference/clip.mid.json --again 9-16 --seed 7
                                            bars 9 to 16 anew, the rest note for note
    gen_midi_conditional.py --settings inference/clip.mid.json --revise --add-hits 8.5 --seed 7
                                            anew only where that asks for something else
    gen_midi_conditional.py -f inference/clip.npz --visualize --video clip.mp4 --format png pdf

Beside each MIDI file NAME.mid goes NAME.mid.json: how it was made, and the control errors
(paper section 5.5). Take k of a run, counted over all its files, has seed + k − 1 and can be made
again alone, in the default precision. --visualize draws the piano roll over its plan, under the
curves of the video that video2npz.py left in the npz, as NAME.mid.png.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cmt import limits, markers
from cmt.files import INFERENCE, PICTURES, InputError, about, unused_name
from cmt.model import stored
from cmt.options import (
    add_composition,
    add_markers,
    add_overwrite,
    check_composition,
    check_seed,
    load_model,
    markers_at,
    opened,
    passage,
    settings,
)
from cmt.outputs import check_outputs, only_run, refuse_to_replace
from cmt.script import between, parser, run_script, tell

if TYPE_CHECKING:
    from cmt.model.network import CMT
    from cmt.plots import Video
    from cmt.revision import Revision


MOST_TAKES = 256  # decoded together, in memory


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    options = parser(__doc__)
    add = options.add_argument
    add("-f", "--files", type=Path, nargs="+", metavar="NPZ", help="control words")
    add(
        "-n", "--num_songs", type=between(1, MOST_TAKES, int), default=1,
        help="takes per file, decoded together",
    )  # fmt: skip
    add("--rank", action="store_true", help="number the takes from the best; see docs/control.md")
    add(
        "--settings",
        type=Path,
        metavar="NAME.mid.json",
        help="make a piece again from its report; options given beside it win",
    )
    add(
        "--again", type=passage, metavar="BARS",
        help="9-16: of the piece of --settings make these bars again, by --seed, and leave the rest"
        " note for note",
    )  # fmt: skip
    add(
        "--revise", action="store_true",
        help="of the piece of --settings make again, by --seed, only the bars of which --sections"
        " (all of them), --add-hits or --remove-hits ask for something else",
    )  # fmt: skip
    add("--out_dir", type=Path, default=INFERENCE)
    add("--visualize", action="store_true", help="also draw the music over what was asked of it")
    add("--video", type=Path, help="draw its thumbnails, too (one NPZ only)")
    add("--format", choices=PICTURES, nargs="+", default=["png"], help="of pictures; default png")
    add_overwrite(options)
    add_markers(options)
    add_composition(options)
    limits.add_options(options, "--max-hours", "--max-pixels")
    args = options.parse_args(argv)
    for name in ("again", "revise"):
        if getattr(args, name) and not args.settings:
            options.error(f"--{name}: goes with --settings, which tells the piece")
    if args.again and args.revise:
        options.error("--revise: goes without --again; do one after the other")
    if args.settings:
        asked, before = args, defaults_of(args.settings)
        options.set_defaults(**before)
        args = options.parse_args(argv)
        if asked.again:  # the seed beside it is the passage's
            args.again = (*before["again"], replace(asked.again, seed=asked.seed))
            args.seed = before["seed"]
        elif asked.revise:
            args.again = (*before["again"], revision(asked, before))
            for name in ("seed", "sections", "add_hits", "remove_hits"):
                setattr(args, name, before[name])
    if not args.files:
        options.error("-f: give files of control words")
    if args.video and not (args.visualize and len(args.files) == 1):
        options.error("--video: goes with --visualize and one file")
    check_seed(options, args, args.num_songs * len(args.files))
    check_composition(options, args)
    return args


def revision(asked: argparse.Namespace, before: dict[str, Any]) -> Revision:
    """What is asked of a piece in place of what was: its sections, where no others are."""
    from cmt.revision import Revision

    wished = before["sections"]
    for change in before["again"]:
        wished = change.sections if isinstance(change, Revision) else wished
    return Revision(asked.sections or wished, asked.remove_hits, asked.add_hits, asked.seed)


def defaults_of(report: Path) -> dict[str, Any]:
    """The options that make a piece again, and what it was made from, out of its report.

    Raises:
        InputError: it is no such report.
    """
    from cmt.results import read_settings

    settings, sources = read_settings(report)
    style = settings.style
    tonic, _, mode = str(style.key or "").partition(" ")
    return {
        "files": [report.with_name(sources.control_file)] if sources.control_file else None,
        "ckpt": Path(sources.checkpoint),
        "loop": settings.loop,
        "C": settings.degree,
        "min_strength": settings.min_strength,
        "mood": settings.mood,
        "tempo": settings.tempo,
        "density": settings.density,
        "remove_hits": settings.removed,
        "add_hits": settings.added,
        "theme": settings.theme,
        "seed": settings.seed,
        "again": settings.passages,
        "precision": settings.precision,
        "humanize": settings.humanize,
        "timbre": settings.timbres,
        "genre": style.genre or "any",
        "instruments": style.instruments,
        "beat_instruments": style.beat_instruments,
        "key": tonic or None,
        "mode": mode or style.mode,
        "chords": style.chords,
        "progression": style.progressions,
        "sections": style.sections,
        "ending": style.ending,
        "sources": sources,
    }


def main(argv: list[str] | None = None) -> None:
    """Generate for every file; a bad one is named and the others are still made."""
    args = parse(argv)
    names: set[str] = set()
    stems = [unused_name(f"{path.stem}{changed(args)}", names) for path in args.files]
    check_results([midi for stem in stems for midi in midi_names(stem, args)], args)
    stored.find(args.ckpt)
    model = cache(partial(load_model, args))
    skipped = 0
    for index, stem in enumerate(stems):
        try:
            with only_run(args.out_dir / stem):
                make(index, stem, model, args)
        except InputError as error:
            if len(args.files) == 1:
                raise
            skipped += 1
            tell(f"skipped: {error}")
    if skipped == len(args.files):
        raise InputError("nothing was usable")


def changed(args: argparse.Namespace) -> str:
    """What the name of a piece tells of what was made again in it last."""
    from cmt.decoding.passage import Passage

    if not args.again:
        return ""
    return f"_bars{args.again[-1]}" if isinstance(args.again[-1], Passage) else "_revised"


def midi_names(stem: str, args: argparse.Namespace) -> list[Path]:
    """The MIDI files of a control file's takes."""
    takes = range(1, args.num_songs + 1)
    names = [stem] if args.num_songs == 1 else [f"{stem}_{number}" for number in takes]
    return [args.out_dir / f"{name}.mid" for name in names]


def check_results(midis: list[Path], args: argparse.Namespace) -> None:
    """See that these MIDI files, and what goes beside each, can be written.

    Raises:
        InputError: as `check_outputs` and `refuse_to_replace` do.
    """
    kinds = [".json", *(f".{kind}" for kind in args.format if args.visualize)]
    results = [
        [
            *(midi.with_name(f"{midi.name}{kind}") for kind in ("", *kinds)),
            *marker_files(midi, args),
        ]
        for midi in midis
    ]
    inputs = [*args.files, *filter(None, (args.settings, args.video))]
    check_outputs((path for files in results for path in files), inputs)
    for files in results:
        refuse_to_replace(files, mark=files[1], overwrite=args.overwrite)


def marker_files(midi: Path, args: argparse.Namespace) -> list[Path]:
    """The files of markers beside a MIDI file, if they are asked for."""
    return markers.paths(midi) if args.markers else []


def make(
    index: int, stem: str, model: Callable[[], tuple[CMT, str]], args: argparse.Namespace
) -> None:
    """Make takes for one of the control files by a model, whose file has a checksum, as STEM."""
    from cmt.control import load_control, load_curves

    path = args.files[index]
    control = load_control(path, args.max_hours)
    video = video_panels(path, args) if args.visualize else None
    curves = load_curves(path, args.max_hours)
    at = markers_at(args, curves.fps if curves else None)
    from cmt import results  # torch, which nothing above needs
    from cmt.compose import compose

    network, weights = model()
    started = time.perf_counter()
    with about(path):
        pieces = compose(network, control, settings(args, args.num_songs, args.rank, index))
    seconds = time.perf_counter() - started
    sources = results.Sources(path.name, control.checksum, str(args.ckpt), weights)
    if args.settings:
        for what in sources.differences(args.sources):
            tell(f"warning: {args.settings}: was made from other {what}")
    for midi, piece in zip(midi_names(stem, args), pieces, strict=True):
        pictures = args.format if args.visualize else ()
        results.write(piece, midi, sources, pictures=pictures, video=video, markers_at=at)
        print(f"{midi}: {piece.report}")
    words = sum(len(piece.take.words) for piece in pieces)
    print(f"{path.name}: {words} words in {seconds:.1f} s, {words / seconds:,.0f} words/s")


def video_panels(path: Path, args: argparse.Namespace) -> Video | None:
    """What a control file and the JSON beside it tell of the video, to draw; None if nothing."""
    from cmt.control import load_curves
    from cmt.plots import Video
    from cmt.rhythm import load_rhythm

    curves = load_curves(path, args.max_hours)
    beside = path.with_name(f"{path.stem}.json")
    if curves is None or not beside.exists():
        return None
    rhythm = load_rhythm(beside, args.max_hours)
    if args.video is None:
        return Video(rhythm, curves)
    from cmt.video.analysis import thumbnails
    from cmt.video.frames import VideoFrames

    return Video(rhythm, curves, thumbnails(VideoFrames(opened(args.video, args)), rhythm.duration))


command = partial(run_script, main)

if __name__ == "__main__":
    sys.exit(command())
