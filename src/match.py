"""Match a video with existing music: the pieces of a library that fit its rhythm best.

    match.py inference/clip.npz dataset/lpd.npz                      the five best
    match.py inference/clip.npz dataset/lpd.npz -k 20 --export DIR   and 20 MIDI files

The score is equation 16 of the paper: 1 / (density error + strength error), infinite for the
same rhythm. Video and piece are compared over the bars of the shorter; the table says how many.
With --export, DIR/RANK_ID.mid has a piece at the video's tempo, and ends with the video.
"""

from __future__ import annotations

import argparse
import re
import sys
from functools import partial
from pathlib import Path

from cmt import limits
from cmt.files import InputError
from cmt.music.vocabulary import MAX_TEMPO, MIN_TEMPO
from cmt.outputs import check_outputs
from cmt.script import between, parser, run_script

MAX_NAME = 48  # characters of an id in a file name


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    options = parser(__doc__)
    add = options.add_argument
    add("video", type=Path, metavar="VIDEO.npz", help="control words, from video2npz")
    add("library", type=Path, metavar="LIBRARY.npz", help="data set, from midi2numpy_mix.py")
    add("-k", type=between(1, kind=int), default=5, help="pieces to find (default: %(default)s)")
    add("--export", type=Path, metavar="DIR", help="write the pieces as MIDI")
    add(
        "--tempo",
        type=between(MIN_TEMPO, MAX_TEMPO),
        metavar="BPM",
        help="default: the video's, 120 if unknown",
    )
    limits.add_options(options, "--max-hours", "--max-megabytes")
    return options.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Print the best pieces, and export them."""
    args = parse(argv)
    if args.export:
        check_outputs([args.export / "1.mid"])

    from cmt.control import load_control
    from cmt.measures.matching import best
    from cmt.music.midi import write_midi
    from cmt.music.words import words_to_song
    from cmt.plan import make_plan
    from cmt.retiming import retimed

    control = retimed(load_control(args.video, args.max_hours), args.tempo)
    tempo = control.tempo
    assert tempo is not None
    plan, changes = make_plan(control)
    for change in changes:
        print(f"{args.video.name}: {change}")
    matches = best(args.library, plan, args.k, args.max_megabytes)
    if not matches:
        raise InputError(f"{args.library}: no piece has a bar; make one with midi2numpy_mix.py")

    print(
        f"{args.video.name}: {len(plan.bars)} bars, {len(plan.beats)} visual beats, {tempo:.1f} BPM"
    )
    print("rank    score  density  strength  bars  id  genre")
    for rank, match in enumerate(matches, start=1):
        score = match.score
        value = f"{score.value:8.3f}" if score.distance else "∞, exact"
        print(
            f"{rank:>4} {value} {score.density:>8.3f} {score.strength:>9.3f} {score.bars:>5}"
            f"  {name_of(match.about, match.index)}  {match.about.get('genre', 'N/A')}"
        )
    if not args.export:
        return
    digits = len(str(len(matches)))
    exported = [
        args.export / f"{rank:0{digits}}_{file_name(name_of(match.about, match.index))}.mid"
        for rank, match in enumerate(matches, start=1)
    ]
    check_outputs(exported, [args.video, args.library])
    for match, midi in zip(matches, exported, strict=True):
        song = words_to_song(match.words)
        write_midi(song.until(control.end), midi, control.grid.tempi)
        print(midi)


def name_of(about: dict[str, object], index: int) -> str:
    """The id of a piece on one line, or its number in the library, from 0."""
    return " ".join(str(about.get("id", index)).split())


def file_name(name: str) -> str:
    """What of a name every file system takes."""
    return re.sub(r"[^\w.-]+", "_", name)[:MAX_NAME].strip("._") or "piece"


command = partial(run_script, main)

if __name__ == "__main__":
    sys.exit(command())
