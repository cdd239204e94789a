"""Make music for the rhythm of a video: control npz + checkpoint → MIDI.

    gen_midi_conditional.py -f inference/clip.npz                      inference/clip.mid
    gen_midi_conditional.py -f inference/clip.npz -c exp/NAME -n 5     clip_1.mid … clip_5.mid
    gen_midi_conditional.py -f inference/clip.npz -n 5 --rank          the best of them first
    gen_midi_conditional.py -f inference/clip.npz --instruments piano,strings --key D --mode minor

Beside each MIDI file NAME.mid goes NAME.mid.json: how it was made, and the control errors
(paper section 5.5). Take k of a run has seed + k − 1 and can be made again alone, in the default
precision.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from cmt.files import EXPERIMENTS, INFERENCE, InputError, replacing, run_script
from cmt.keys import MODES, TONICS, Key
from cmt.vocabulary import GENRES, INSTRUMENT_CLASS, INSTRUMENTS, TICKS_PER_BEAT

if TYPE_CHECKING:
    from cmt.generation import Style, Take
    from cmt.model import CMT
    from cmt.plan import BarPlan

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
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("-f", "--files", required=True, type=Path, nargs="+", metavar="NPZ", help="control words")
    add(
        "-c", "--ckpt", type=Path, default=EXPERIMENTS / "default", help="checkpoint, or its folder"
    )
    add("-n", "--num_songs", type=int, default=1, help="takes per file, decoded together")
    add("-g", "--gpus", type=int, metavar="GPU", help="GPU number; default: one if there is one")
    add("--C", type=float, default=1.0, help="control degree, 0 (free) to 1 (as the video says)")
    add("--control", choices=["exact", "original"], default="exact", help="decoding loop")
    add(
        "--min_strength",
        "--min-strength",
        type=int,
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
    add("--rank", action="store_true", help="number the takes from the best; see README")
    add("--seed", type=int, default=0)
    add("--out_dir", type=Path, default=INFERENCE)
    style = parser.add_argument_group("the whole piece")
    add = style.add_argument
    add("--tempo", type=float, metavar="BPM", help="default: the video's, 120 if unknown")
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
    args = parser.parse_args(argv)
    if args.num_songs < 1:
        parser.error("-n: give at least 1")
    if not 0 <= args.C <= 1:
        parser.error("--C: give a number from 0 to 1")
    if not 0 <= args.seed < 2**32 - args.num_songs:
        parser.error("--seed: give a number from 0 to 4294967295")
    if args.min_strength < 1:
        parser.error("--min_strength: give at least 1")
    if args.tempo is not None and not 20 <= args.tempo <= 400:
        parser.error("--tempo: give 20 to 400 BPM")
    if args.control == "original":
        for name in EXACT_ONLY:
            if getattr(args, name):
                parser.error(f"--{name} goes with --control exact")
    playing = args.instruments or tuple(INSTRUMENT_CLASS)
    if outside := set(args.beat_instruments or ()) - set(playing):
        parser.error(f"--beat_instruments: {', '.join(sorted(outside))} not in --instruments")
    return args


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
    skipped = []
    for path in args.files:
        try:
            make(path, model, args)
        except InputError as error:
            skipped.append(str(error))
            print(f"skipped: {error}", file=sys.stderr)
    if len(skipped) == len(args.files):
        raise InputError("nothing was usable")


def make(path: Path, model: CMT, args: argparse.Namespace) -> None:
    """Make and write the takes for one control file."""
    from cmt.control import load_control, retimed
    from cmt.generation import Style, generate
    from cmt.metrics import control_error
    from cmt.midi import write_midi
    from cmt.plan import make_plan
    from cmt.words import words_to_song

    started = time.perf_counter()
    control = retimed(load_control(path), args.tempo)
    tempo = control.tempo
    assert tempo is not None
    style = Style(
        genre=None if args.genre == "any" else args.genre,
        instruments=args.instruments,
        beat_instruments=args.beat_instruments,
        key=Key(TONICS[args.key], args.mode) if args.key else None,
        ending=args.ending,
    )
    plan, changes = make_plan(control.words, args.min_strength, style.max_strength)
    takes = generate(
        model,
        control.words,
        songs=args.num_songs,
        degree=args.C,
        mode=args.control,
        min_strength=args.min_strength,
        style=style,
        seed=args.seed,
        precision=args.precision,
    )
    seconds = time.perf_counter() - started
    ranks: list[dict[str, float | None]] = [{} for _ in takes]
    if args.rank:
        takes, ranks = ranked(takes, plan, model, style)
    for number, (take, rank) in enumerate(zip(takes, ranks, strict=True), start=1):
        name = path.stem if len(takes) == 1 else f"{path.stem}_{number}"
        midi = args.out_dir / f"{name}.mid"
        song = words_to_song(take.words)
        error = control_error(song, take.plan)
        write_midi(song, midi, tempo, control.end)
        notes = {
            instrument.name: int((song.notes["instrument"] == label).sum())
            for label, instrument in enumerate(INSTRUMENTS, start=1)
        }
        bars = sum(bar.density is not None for bar in take.plan)
        beats = sum(len(bar.strengths) for bar in take.plan)
        report = {
            "control_file": path.name,
            "checkpoint": str(args.ckpt),
            "control": args.control,
            "degree": args.C,
            "min_strength": args.min_strength,
            "seed": take.seed,
            "precision": args.precision,
            "tempo": tempo,
            "genre": style.genre,
            "instruments": style.instruments,
            "beat_instruments": style.beat_instruments,
            "key": str(style.key) if style.key else None,
            "ending": style.ending,
            "duration": control.end / (tempo * TICKS_PER_BEAT / 60),
            "bars": len(take.plan),
            "notes": notes,
            "controlled": {"bars": bars, "visual_beats": beats},
            "control_error": asdict(error),
            "reconciled": changes,
            **rank,
        }
        with replacing(midi.with_name(f"{midi.name}.json")) as temporary:
            temporary.write_text(json.dumps(report, indent=1), encoding="utf-8")
        print(
            f"{midi}: {tempo:.1f} BPM, {len(take.plan)} bars, {len(song.notes)} notes; control"
            f" errors: density {error.density:.3f} over {bars} bars, strength"
            f" {error.strength:.3f} over {beats} visual beats, time {error.time:.3f}"
        )
    words = sum(len(take.words) for take in takes)
    print(f"{path.name}: {words} words in {seconds:.1f} s, {words / seconds:,.0f} words/s")


def ranked(
    takes: list[Take], plan: list[BarPlan], model: CMT, style: Style
) -> tuple[list[Take], list[dict[str, float | None]]]:
    """Takes from the best, and what says so: the matching score, then the model's likelihood.

    The score, equation 16, is against all that the video asks for; an infinite one is None.
    """
    from cmt.generation import log_likelihood
    from cmt.matching import rhythm_of, score

    rhythm = rhythm_of(plan)
    scored = [
        (score(take.words, rhythm).value, log_likelihood(model, take.words, style), take)
        for take in takes
    ]
    scored.sort(key=lambda entry: entry[:2], reverse=True)
    return [take for *_, take in scored], [
        {
            "rank": place,
            "matching_score": value if math.isfinite(value) else None,
            "log_likelihood": likelihood,
        }
        for place, (value, likelihood, _) in enumerate(scored, start=1)
    ]


if __name__ == "__main__":
    sys.exit(run_script(main))
