"""Make music for the rhythm of a video: control npz + checkpoint → MIDI.

    gen_midi_conditional.py -f inference/clip.npz                      inference/clip.mid
    gen_midi_conditional.py -f inference/clip.npz -c exp/NAME -n 5     clip_1.mid … clip_5.mid

Beside each MIDI file NAME.mid goes NAME.mid.json: how it was made, and the control errors
(paper section 5.5). Take k of a run has seed + k − 1 and can be made again alone.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from cmt.files import EXPERIMENTS, INFERENCE, InputError, replacing, run_script
from cmt.vocabulary import GENRES, INSTRUMENTS, TICKS_PER_BEAT

if TYPE_CHECKING:
    from cmt.model import CMT

DEFAULT_TEMPO = 120.0  # BPM, of a control file that tells none


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
    add("--genre", choices=GENRES, help="default: any")
    add("--seed", type=int, default=0)
    add("--tempo", type=float, help=f"BPM where the file tells none; default {DEFAULT_TEMPO:g}")
    add("--out_dir", type=Path, default=INFERENCE)
    args = parser.parse_args(argv)
    if args.num_songs < 1:
        parser.error("-n: give at least 1")
    if not 0 <= args.C <= 1:
        parser.error("--C: give a number from 0 to 1")
    if not 0 <= args.seed < 2**32 - args.num_songs:
        parser.error("--seed: give a number from 0 to 4294967295")
    return args


def main(argv: list[str] | None = None) -> None:
    """Generate for every file; a bad one is named and the others are still made."""
    args = parse(argv)
    import torch

    from cmt import checkpoint

    if args.gpus is not None and not torch.cuda.is_available():
        raise InputError(f"-g {args.gpus}: no CUDA device here; leave -g out for the CPU")
    cuda = torch.cuda.is_available()
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
    from cmt.control import load_control
    from cmt.generation import generate
    from cmt.metrics import control_error
    from cmt.midi import write_midi
    from cmt.plan import make_plan
    from cmt.words import words_to_song

    started = time.perf_counter()
    control = load_control(path)
    tempo = control.tempo or args.tempo or DEFAULT_TEMPO
    if args.tempo and tempo != args.tempo:
        print(f"warning: {path} has its own tempo, {tempo:.1f} BPM: --tempo is not used")
    ticks_per_second = tempo * TICKS_PER_BEAT / 60
    n_beat = int(control.words[0, 4])
    # The file ends on the last tick inside the video, but for rounding.
    end = int(control.duration * ticks_per_second + 1e-6) if control.duration else n_beat
    _, changes = make_plan(control.words)
    takes = generate(
        model,
        control.words,
        songs=args.num_songs,
        degree=args.C,
        mode=args.control,
        seed=args.seed,
        genre=args.genre,
    )
    seconds = time.perf_counter() - started
    for number, take in enumerate(takes, start=1):
        name = path.stem if len(takes) == 1 else f"{path.stem}_{number}"
        midi = args.out_dir / f"{name}.mid"
        song = words_to_song(take.words)
        error = control_error(song, take.plan)
        write_midi(song, midi, tempo, end)
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
            "genre": args.genre,
            "seed": take.seed,
            "tempo": tempo,
            "duration": end / ticks_per_second,
            "bars": len(take.plan),
            "notes": notes,
            "controlled": {"bars": bars, "visual_beats": beats},
            "control_error": asdict(error),
            "reconciled": changes,
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


if __name__ == "__main__":
    sys.exit(run_script(main))
