"""Kill each script at random times, then let it run: its results are those of an undisturbed run.

    python tests/fuzz/kills.py --times 20               every script
    python tests/fuzz/kills.py train match --seed 7     some

A run is killed alone, or with the processes that it has started. After them all, nothing but the
results may lie in its folder or in that for temporary files, and no process of a run may live on.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

TESTS = Path(__file__).resolve().parents[1]
SOURCE = TESTS.parent / "src"
REFERENCE = TESTS / "reference"
PATIENCE = 15  # s until the processes of a killed run have ended
WIDTH, HEIGHT, FPS, SECONDS = 96, 64, 12, 4  # of the film


@dataclass(frozen=True)
class Script:
    """What is killed.

    Attributes:
        arguments: of the script, from its folder of results and that of the inputs.
        content: what must be equal of a file; its bytes if this gives None.
    """

    path: str
    arguments: Callable[[Path, Path], list[str | Path]]
    content: Callable[[Path], object] = lambda path: None


def make_inputs(folder: Path) -> None:
    """A film of stripes that move and stop, its control words, a small model, a data set."""
    import torch

    import midi2numpy_mix
    from cmt.model import checkpoint
    from cmt.model.config import CMTConfig
    from cmt.model.network import CMT
    from video2npz import video2npz

    torch.manual_seed(0)
    checkpoint.save(folder / "model.pt", CMT(CMTConfig(d_model=32, n_layers=2, n_heads=2, d_ff=48)))
    with av.open(str(folder / "film.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index in range(SECONDS * FPS):
            moved = 3 * index if index // FPS % 2 else 0
            row = 128 + 100 * np.sin((np.arange(WIDTH) + moved) / 5)
            picture = np.broadcast_to(row.astype(np.uint8)[None, :, None], (HEIGHT, WIDTH, 3))
            picture = np.ascontiguousarray(picture)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode())
    video2npz.main([str(folder / "film.mp4"), "--out_dir", str(folder)])
    songs = ["--midi_dir", str(REFERENCE / "midi" / "in"), "--out_name", str(folder / "songs.npz")]
    midi2numpy_mix.main([*songs, "--jobs", "1"])


def training(out: Path, given: Path) -> list[str | Path]:
    """Three epochs of a small model, taken up where an earlier run was killed."""
    sizes = "--d_model 32 --n_layers 2 --n_heads 2 --d_ff 48 --batch_size 2 --epochs 3 --workers 0"
    folders: list[str | Path] = ["--exp_dir", out, "--log_dir", out / "logs"]
    resumed = ["--resume"] if (out / "run" / "last.pt").exists() else []
    return ["-n", "run", "-t", given / "songs.npz", *folders, *sizes.split(), *resumed]


def weights(path: Path) -> object:
    """The weights of a checkpoint; of logs, which tell times, nothing but that they are there."""
    import torch

    if path.suffix != ".pt":
        return "log"
    model = torch.load(path, weights_only=True)["model"]
    return {name: tensor.float().numpy().tobytes() for name, tensor in model.items()}


SCRIPTS = {
    "video2npz": Script(
        "video2npz/video2npz.py",
        lambda out, given: [given / "film.mp4", "--out_dir", out, "--visualize"],
    ),
    "gen_midi_conditional": Script(
        "gen_midi_conditional.py",
        lambda out, given: [
            *("-f", given / "film.npz", "-c", given / "model.pt", "--out_dir", out, "-n", "2"),
            "--visualize",
        ],
    ),
    "midi2mp3": Script(
        "midi2mp3.py",
        lambda out, given: [
            *("--input", REFERENCE / "midi" / "in" / "m4_twenty_notes_r24.mid"),
            *("--output", out / "a.mp3", out / "a.mp4", "--video", given / "film.mp4"),
            *("--stems", out / "stems"),
        ],
    ),
    "video2bgm": Script(
        "video2bgm.py",
        lambda out, given: [given / "film.mp4", "-c", given / "model.pt", "--out_dir", out],
    ),
    "midi2numpy_mix": Script(
        "midi2numpy_mix.py",
        lambda out, given: ["--midi_dir", REFERENCE / "midi", "--out_name", out / "songs.npz"],
    ),
    "pianoroll2midi": Script(
        "pianoroll2midi.py", lambda out, given: ["--in_dir", REFERENCE / "lpd", "--out_dir", out]
    ),
    "train": Script("train.py", training, weights),
    "match": Script(
        "match.py", lambda out, given: [given / "film.npz", given / "songs.npz", "--export", out]
    ),
    "evaluate": Script(
        "evaluate.py",
        lambda out, given: [
            *(REFERENCE / "midi" / "in", "--json", out / "a.json", "--csv", out / "a.csv"),
        ],
    ),
}


def living(group: int) -> list[int]:
    """Processes of a group, but for those that only wait to be counted as dead."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, of = path.read_text().rpartition(")")[2].split()[:3]
        except OSError:  # it has just ended
            continue
        if int(of) == group and state not in "ZX":
            found.append(int(path.parent.name))
    return found


def ended(groups: list[int]) -> list[int]:
    """Wait for the processes of groups; those that do not end are killed."""
    for _ in range(10 * PATIENCE):
        left = [process for group in groups for process in living(group)]
        if not left:
            break
        time.sleep(0.1)
    for process in left:
        os.kill(process, signal.SIGKILL)
    return left


class Runs:
    """Runs of a script into a folder, with a folder for temporary files of their own."""

    def __init__(self, script: Script, given: Path, folder: Path) -> None:
        self.script, self.given = script, given
        self.out, self.temporary = folder / "out", folder / "tmp"
        self.out.mkdir(parents=True)
        self.temporary.mkdir()

    def start(self) -> subprocess.Popen[bytes]:
        """A run in a group of processes of its own."""
        arguments = self.script.arguments(self.out, self.given)
        environment = {**os.environ, "TMPDIR": str(self.temporary), "OMP_NUM_THREADS": "1"}
        environment["PYTHONPATH"] = str(SOURCE)
        with (self.out.parent / "said").open("wb") as said:
            return subprocess.Popen(
                [sys.executable, SOURCE / self.script.path, *arguments],
                stdout=said,
                stderr=said,
                env=environment,
                start_new_session=True,
            )

    def whole(self) -> float:
        """An undisturbed run; the seconds it took."""
        began = time.monotonic()
        if self.start().wait():
            raise RuntimeError((self.out.parent / "said").read_text())
        return time.monotonic() - began

    def killed(self, after: float, alone: bool) -> int:
        """Kill a run after some seconds; its group of processes."""
        run = self.start()
        try:
            run.wait(after)
        except subprocess.TimeoutExpired:
            (os.kill if alone else os.killpg)(run.pid, signal.SIGKILL)
            run.wait()
        return run.pid

    def results(self) -> dict[str, object]:
        """What must be equal of each file, by its name."""
        files = sorted(path for path in self.out.rglob("*") if path.is_file())
        return {
            str(path.relative_to(self.out)): self.script.content(path) or path.read_bytes()
            for path in files
        }


def kill(script: Script, given: Path, folder: Path, times: int, rng: random.Random) -> list[str]:
    """What is wrong after a script was killed so many times."""
    undisturbed = Runs(script, given, folder / "undisturbed")
    seconds = undisturbed.whole()
    disturbed = Runs(script, given, folder / "disturbed")
    groups = [
        disturbed.killed(rng.uniform(0.1, 1) * seconds, alone=rng.random() < 0.5)
        for _ in range(times)
    ]
    try:
        disturbed.whole()
    except RuntimeError as error:
        return [f"the run after them fails: {error}"]
    wrong = [f"a process lives on: {process}" for process in ended(groups)]
    expected, found = undisturbed.results(), disturbed.results()
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            wrong.append(f"{name} is missing")
        elif name not in expected:
            wrong.append(f"{name} is left over")
        elif found[name] != expected[name]:
            wrong.append(f"{name} is another")
    made = {path.name for path in undisturbed.temporary.iterdir()}  # such as torch's cache
    left = sorted({path.name for path in disturbed.temporary.iterdir()} - made)
    return [*wrong, *(f"{name} is left in {disturbed.temporary}" for name in left)]


def main(argv: list[str] | None = None) -> int:
    """Kill scripts one after another; 1 if anything is wrong after it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("scripts", nargs="*", metavar="SCRIPT", help=", ".join(SCRIPTS))
    options.add_argument("--times", type=int, default=20, help="that each is killed")
    options.add_argument("--seed", type=int, default=0)
    args = options.parse_args(argv)
    folder = Path(tempfile.mkdtemp(prefix="kills-"))
    make_inputs(folder)
    failed = 0
    for name in args.scripts or SCRIPTS:
        rng = random.Random(f"{args.seed} {name}")
        wrong = kill(SCRIPTS[name], folder, folder / name, args.times, rng)
        print(f"{name}: killed {args.times} times, {len(wrong)} failures", *wrong, sep="\n  ")
        sys.stdout.flush()
        failed += len(wrong)
    print(f"all runs are in {folder}")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
