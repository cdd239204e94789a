"""Convert the piano rolls of the Lakh Pianoroll Dataset (LPD-5) to MIDI.

    python src/pianoroll2midi.py --in_dir dataset/lpd_5_cleansed --out_dir dataset/midi

A roll is named after its folder (A/A/TRAAA000/HASH.npz becomes TRAAA000.mid); rolls whose
folders share a name keep their path below the input folder instead. Names, programs and
velocities of tracks are kept, and so is the tempo with all its changes. Files that are no
piano rolls are skipped, and named with the cause at the end.
"""

from __future__ import annotations

import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cmt import limits
from cmt.files import InputError, replacing
from cmt.outputs import check_outputs, only_run
from cmt.parallel import DASK_HELP, cluster, in_order
from cmt.script import jobs, one_line, parser, run_script

if TYPE_CHECKING:
    from symusic.core import ScoreTick

    from cmt.music.pianorolls import Multitrack

# The resolution of the MIDI files that the original makes (pretty_midi's default).
TICKS_PER_QUARTER = 220
DEFAULT_VELOCITY = 64  # of rolls that only say on or off
FILES_AT_ONCE = 4  # to a process: a roll takes 20 ms


def main(argv: list[str] | None = None) -> None:
    """Run the command line."""
    options = parser(__doc__)
    add = options.add_argument
    add("--in_dir", type=Path, required=True, help="folder of .npz piano rolls")
    add("--out_dir", type=Path, required=True, help="folder for the MIDI files")
    add("--jobs", type=jobs, default=-1, help="processes (default: one per core)")
    add("--dask", metavar="SCHEDULER", help=DASK_HELP)
    limits.add_options(options, "--max-megabytes")
    args = options.parse_args(argv)

    from tqdm import tqdm

    if args.dask:
        args.in_dir, args.out_dir = args.in_dir.absolute(), args.out_dir.absolute()
    outputs = midi_names(sorted(args.in_dir.rglob("*.npz")), args.in_dir)
    if not outputs:
        raise InputError(f"{args.in_dir}: no folder with .npz piano rolls")
    tasks = [(roll, args.out_dir / name, args.max_megabytes) for roll, name in outputs.items()]
    check_outputs((out for _, out, _ in tasks), outputs)
    with cluster(args.dask) as client, only_run(args.out_dir):
        reasons = in_order(
            convert, tasks, crashed, jobs=args.jobs, batch=FILES_AT_ONCE, client=client
        )
        progress = tqdm(reasons, total=len(tasks), unit="file", disable=None)
        skipped = [reason for reason in progress if reason]
    if skipped:
        lines = map(one_line, skipped)
        print(f"skipped {len(skipped)} of {len(outputs)} files:", *lines, sep="\n  ")
    if len(skipped) == len(outputs):
        raise InputError(f"{args.in_dir}: none of its .npz files is a usable piano roll")
    print(f"{args.out_dir}: {len(outputs) - len(skipped)} MIDI files")


def midi_names(rolls: list[Path], in_dir: Path) -> dict[Path, Path]:
    """A MIDI file's name for each roll, relative to the output folder, no two alike."""
    folders = {roll: roll.stem if roll.parent == in_dir else roll.parent.name for roll in rolls}
    count = Counter(folders.values())
    return {
        roll: Path(f"{folder}.mid")
        if count[folder] == 1
        else roll.relative_to(in_dir).with_suffix(".mid")
        for roll, folder in folders.items()
    }


def convert(roll: Path, out: Path, max_megabytes: float = limits.MAX_MEGABYTES) -> str | None:
    """Write a piano roll as MIDI; the reason if that cannot be done."""
    from cmt.music.pianorolls import read_rolls
    from cmt.untrusted import naming

    try:
        with naming(roll, "not a usable piano roll", "take one of the Lakh Pianoroll Dataset"):
            score = to_score(read_rolls(roll, max_megabytes))
        with replacing(out) as target:
            target.write_bytes(score.dumps_midi())  # not by its library, which tells no error
    except InputError as error:
        return str(error)
    return None


def crashed(roll: Path, *_: object) -> str:
    """Why a file is skipped whose process ended."""
    return f"{roll}: not a usable piano roll (the process that read it ended)"


def to_score(multitrack: Multitrack) -> ScoreTick:
    """A piano roll's tempo changes and notes.

    Consecutive nonzero steps of a pitch are one note, with their mean velocity.

    Raises:
        ValueError: the tempo is not positive everywhere, or there are no notes.
    """
    import numpy as np
    from symusic.core import NoteTickList, ScoreTick, TempoTick, TimeSignatureTick, TrackTick

    scale = TICKS_PER_QUARTER / multitrack.resolution
    score = ScoreTick(TICKS_PER_QUARTER)
    score.time_signatures.append(TimeSignatureTick(0, 4, 4))
    if multitrack.tempo is not None:
        tempo = np.ravel(multitrack.tempo)
        if not (np.isfinite(tempo) & (tempo > 0)).all():
            raise ValueError("its tempo is not positive everywhere")
        for step in np.flatnonzero(np.diff(tempo, prepend=0)):
            score.tempos.append(TempoTick(round(step * scale), tempo[step]))
    for roll in multitrack.tracks:
        used = np.flatnonzero(roll.pianoroll.any(axis=0))
        velocity = np.ascontiguousarray(roll.pianoroll[:, used].T)  # (used pitches, steps)
        if velocity.dtype == bool:
            velocity = velocity * np.uint8(DEFAULT_VELOCITY)
        edges = np.diff(velocity.astype(bool).view(np.int8), prepend=0, append=0)
        row, start = np.nonzero(edges > 0)
        end = np.nonzero(edges < 0)[1]
        # Up to the next note there is silence, so a note's sum may run on until there.
        first = row * velocity.shape[1] + start
        total = np.add.reduceat(np.minimum(velocity, 127).ravel(), first, dtype=np.int64)
        onset = np.rint(start * scale).astype(np.int32)
        offset = np.rint(end * scale).astype(np.int32)
        track = TrackTick(roll.name, roll.program, roll.is_drum)
        track.notes = NoteTickList.from_numpy(
            onset,
            offset - onset,
            used[row].astype(np.int8),
            (total // (end - start)).astype(np.int8),
        )
        score.tracks.append(track)
    if not score.note_num():
        raise ValueError("no notes")
    return score


command = partial(run_script, main)

if __name__ == "__main__":
    sys.exit(command())
