"""Make music for the rhythm of a video: control npz + checkpoint → MIDI.

    gen_midi_conditional.py -f inference/clip.npz                      inference/clip.mid
    gen_midi_conditional.py -f inference/clip.npz -c exp/NAME -n 5     clip_1.mid … clip_5.mid
    gen_midi_conditional.py -f inference/clip.npz -n 5 --rank          the best of them first
    gen_midi_conditional.py -f inference/clip.npz --instruments piano,strings --key D --mode minor
    gen_midi_conditional.py --settings inference/clip_3.mid.json       that take again, alone
    gen_midi_conditional.py -f inference/clip.npz --visualize --video clip.mp4 --format png pdf

Beside each MIDI file NAME.mid goes NAME.mid.json: how it was made, and the control errors
(paper section 5.5). Take k of a run has seed + k − 1 and can be made again alone, in the default
precision. --visualize draws the piano roll over its plan, under the curves of the video that
video2npz.py left in the npz, as NAME.mid.png.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from cmt.decoding import LOOPS
from cmt.files import EXPERIMENTS, INFERENCE, PICTURES, InputError, checksum
from cmt.keys import MODES, TONICS, Key
from cmt.script import between, parser, run_script
from cmt.vocabulary import GENRES, INSTRUMENT_CLASS, MAX_TEMPO, MIN_TEMPO

if TYPE_CHECKING:
    from cmt.compose import Settings
    from cmt.model import CMT
    from cmt.plots import Video

MAX_SEED = 2**32 - 1
EXACT_ONLY = ("instruments", "beat_instruments", "key")


def instruments(text: str) -> tuple[str, ...]:
    """Names of instruments from a list with commas, in any case, in the order of INSTRUMENTS."""
    asked = {name.strip().capitalize() for name in text.split(",")}
    if unknown := asked - set(INSTRUMENT_CLASS):
        known = ",".join(INSTRUMENT_CLASS).lower()
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)!r} is not among {known}")
    return tuple(name for name in INSTRUMENT_CLASS if name in asked)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    options = parser(__doc__)
    add = options.add_argument
    add("-f", "--files", type=Path, nargs="+", metavar="NPZ", help="control words")
    add(
        "-c", "--ckpt", type=Path, default=EXPERIMENTS / "default", help="checkpoint, or its folder"
    )
    add(
        "-n",
        "--num_songs",
        type=between(1, kind=int),
        default=1,
        help="takes per file, decoded together",
    )
    add("-g", "--gpus", type=int, metavar="GPU", help="GPU number; default: one if there is one")
    add(
        "--C",
        type=between(0, 1),
        default=1.0,
        help="control degree, 0 (free) to 1 (as the video says)",
    )
    add("--control", dest="loop", choices=LOOPS, default="exact", help="decoding loop")
    add(
        "--min_strength",
        type=between(1, kind=int),
        default=2,
        metavar="NOTES",
        help="weaker visual beats are left to the model; default 2",
    )
    add(
        "--precision",
        choices=["float32", "bf16", "int8"],
        default="float32",
        help="of the model's weights; bf16 and int8 take less time on a CPU; default float32",
    )
    add(
        "--settings",
        type=Path,
        metavar="NAME.mid.json",
        help="make a piece again from its report; options given beside it win",
    )
    add("--rank", action="store_true", help="number the takes from the best; see README")
    add("--seed", type=between(0, MAX_SEED, int), default=0)
    add("--out_dir", type=Path, default=INFERENCE)
    add("--visualize", action="store_true", help="also draw the music over what was asked of it")
    add("--video", type=Path, help="draw its thumbnails, too (one NPZ only)")
    add("--format", choices=PICTURES, nargs="+", default=["png"], help="of pictures; default png")
    style = options.add_argument_group("the whole piece")
    add = style.add_argument
    add(
        "--tempo",
        type=between(MIN_TEMPO, MAX_TEMPO),
        metavar="BPM",
        help="default: the video's, 120 if unknown",
    )
    add("--genre", choices=[*GENRES, "any"], default="any")
    names = ",".join(INSTRUMENT_CLASS).lower()
    add("--instruments", type=instruments, metavar="LIST", help=f"these play; from {names}")
    add("--beat_instruments", type=instruments, metavar="LIST", help="of these, on visual beats")
    add("--key", choices=TONICS, metavar="TONIC", help="keep to a key: C, C#, Db … B")
    add("--mode", choices=MODES, default="major", help="of --key; default major")
    add(
        "--ending",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="a final chord on the last downbeat; default: yes",
    )
    args = options.parse_args(argv)
    if args.settings:
        options.set_defaults(**defaults_of(args.settings))
        args = options.parse_args(argv)
    if not args.files:
        options.error("-f: give files of control words")
    if args.video and not (args.visualize and len(args.files) == 1):
        options.error("--video: goes with --visualize and one file")
    if args.seed > (most := MAX_SEED - args.num_songs):
        options.error(f"--seed: give at most {most}, for {args.num_songs} takes")
    if args.loop == "original":
        for name in EXACT_ONLY:
            if getattr(args, name):
                options.error(f"--{name} goes with --control exact")
    playing = args.instruments or tuple(INSTRUMENT_CLASS)
    if outside := set(args.beat_instruments or ()) - set(playing):
        options.error(f"--beat_instruments: {', '.join(sorted(outside))} not in --instruments")
    return args


def defaults_of(report: Path) -> dict[str, object]:
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
        "tempo": settings.tempo,
        "seed": settings.seed,
        "precision": settings.precision,
        "genre": style.genre or "any",
        "instruments": style.instruments,
        "beat_instruments": style.beat_instruments,
        "key": tonic or None,
        "mode": mode or "major",
        "ending": style.ending,
        "sources": sources,
    }


def main(argv: list[str] | None = None) -> None:
    """Generate for every file; a bad one is named and the others are still made."""
    args = parse(argv)
    import torch

    from cmt import checkpoint

    if args.gpus is not None and not torch.cuda.is_available():
        raise InputError(f"-g {args.gpus}: no CUDA device here; leave -g out for the CPU")
    cuda = torch.cuda.is_available()
    if cuda and args.precision == "int8":
        raise InputError("--precision int8 is for CPUs; use bf16 on a GPU")
    model, _ = checkpoint.load(args.ckpt, f"cuda:{args.gpus or 0}" if cuda else "cpu")
    weights = checksum(checkpoint.find(args.ckpt))
    skipped = []
    for path in args.files:
        try:
            make(path, model, weights, args)
        except InputError as error:
            skipped.append(str(error))
            print(f"skipped: {error}", file=sys.stderr)
    if len(skipped) == len(args.files):
        raise InputError("nothing was usable")


def make(path: Path, model: CMT, weights: str, args: argparse.Namespace) -> None:
    """Make and write the takes for one control file by a model whose file has this checksum."""
    from cmt import results
    from cmt.compose import compose
    from cmt.control import load_control

    control = load_control(path)
    video = video_panels(path, args.video) if args.visualize else None
    started = time.perf_counter()
    pieces = compose(model, control, settings(args))
    seconds = time.perf_counter() - started
    sources = results.Sources(path.name, control.checksum, str(args.ckpt), weights)
    if args.settings:
        for what in sources.differences(args.sources):
            print(f"warning: {args.settings}: was made from other {what}", file=sys.stderr)
    for number, piece in enumerate(pieces, start=1):
        name = path.stem if len(pieces) == 1 else f"{path.stem}_{number}"
        midi = args.out_dir / f"{name}.mid"
        pictures = args.format if args.visualize else ()
        results.write(piece, midi, sources, pictures=pictures, video=video)
        report, error = piece.report, piece.report.control_error
        print(
            f"{midi}: {piece.tempo:.1f} BPM, {report.bars} bars, {len(piece.song.notes)}"
            f" notes; control errors: density {error.density:.3f} over {report.bars_controlled}"
            f" bars, strength {error.strength:.3f} over {report.visual_beats} visual beats, time"
            f" {error.time:.3f}"
        )
    words = sum(len(piece.take.words) for piece in pieces)
    print(f"{path.name}: {words} words in {seconds:.1f} s, {words / seconds:,.0f} words/s")


def settings(args: argparse.Namespace) -> Settings:
    """What the command line asks for."""
    from cmt.compose import Settings
    from cmt.decoding.style import Style

    return Settings(
        takes=args.num_songs,
        loop=args.loop,
        degree=args.C,
        min_strength=args.min_strength,
        tempo=args.tempo,
        style=Style(
            genre=None if args.genre == "any" else args.genre,
            instruments=args.instruments,
            beat_instruments=args.beat_instruments,
            key=Key(TONICS[args.key], args.mode) if args.key else None,
            ending=args.ending,
        ),
        seed=args.seed,
        precision=args.precision,
        rank=args.rank,
    )


def video_panels(path: Path, video: Path | None) -> Video | None:
    """What a control file and the JSON beside it tell of the video, to draw; None if nothing."""
    from cmt.control import load_curves, load_rhythm
    from cmt.plots import Video, thumbnails

    curves, beside = load_curves(path), path.with_name(f"{path.stem}.json")
    if curves is None or not beside.exists():
        return None
    rhythm = load_rhythm(beside)
    if video is None:
        return Video(rhythm, curves)
    from cmt.video.frames import VideoFrames

    return Video(rhythm, curves, thumbnails(VideoFrames(video), rhythm.duration))


if __name__ == "__main__":
    sys.exit(run_script(main))
