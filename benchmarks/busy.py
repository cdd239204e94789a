"""What does another program on the machine cost? Every stage beside one busy process, and alone.

    benchmarks/busy.py

Each row is a command of ours, timed alone and beside a process that computes without end, in turns;
the best of each counts. The ratio that fair shares of two cores would give is 4/3 for what uses
both and 1 for what uses one. The last line is the largest ratio.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cmt.files import DEFAULT_CHECKPOINT, REPOSITORY, VIDEOS
from cmt.script import parser, run_script

TURNS = 2
SONGS, WORDS, STEPS = 4, 768, 4  # of a training batch; steps that are timed
TOOK = re.compile(r"^(.+) took ([\d.]+) s$", re.MULTILINE)


def main() -> None:
    """Print the table and the largest ratio; or, as a process of its own, train."""
    options = parser(__doc__)
    options.add_argument("--train", action="store_true", help=argparse.SUPPRESS)
    if options.parse_args().train:
        train()
        return
    seconds: dict[str, dict[bool, float]] = {}
    for busy in (False, True) * TURNS:
        with beside(busy):
            for stage, took in measured():
                best = seconds.setdefault(stage, {})
                best[busy] = min(best.get(busy, took), took)
    print(f"{'':20}{'alone':>9}{'beside':>9}{'ratio':>9}")
    ratios = {stage: best[True] / best[False] for stage, best in seconds.items()}
    for stage, best in seconds.items():
        print(f"{stage:20}{best[False]:>9.1f}{best[True]:>9.1f}{ratios[stage]:>9.2f}")
    print(f"ratio, the largest: {max(ratios.values()):.2f}")


@contextmanager
def beside(busy: bool) -> Iterator[None]:
    """A process that takes a core, if wanted."""
    if not busy:
        yield
        return
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
        try:
            yield
        finally:
            other.kill()


def measured() -> Iterator[tuple[str, float]]:
    """Stages and their seconds: those of a film, and some steps of training."""
    with tempfile.TemporaryDirectory() as folder:
        video2bgm = [str(REPOSITORY / "src" / "video2bgm.py"), str(VIDEOS / "sample.mp4")]
        for command in ([*video2bgm, "--out_dir", folder], [__file__, "--train"]):
            output = subprocess.run(
                [sys.executable, *command], check=True, stdout=subprocess.PIPE, text=True
            ).stdout
            yield from ((stage, float(took)) for stage, took in TOOK.findall(output))


def train() -> None:
    """Time steps of training on random words, with a model of the default's sizes."""
    import torch

    from cmt.model import checkpoint
    from cmt.music.vocabulary import FIELDS, INITIAL_TOKENS
    from cmt.training.config import TrainingConfig
    from cmt.training.loop import Trainer, has_bf16
    from cmt.training.ranks import joined
    from cmt.training.songs import Batch

    torch.manual_seed(0)
    cpu = torch.device("cpu")
    model, _ = checkpoint.load(Path(DEFAULT_CHECKPOINT))
    words = torch.stack([torch.randint(f.size, (SONGS, WORDS + 1)) for f in FIELDS], dim=-1)
    initial = torch.zeros(SONGS, INITIAL_TOKENS, 3, dtype=torch.int64)
    mask = torch.ones(SONGS, WORDS, dtype=torch.bool)
    batch = Batch(words[:, :-1], words[:, 1:], mask, initial)
    with joined(cpu) as ranks:
        trainer = Trainer(model, TrainingConfig(bf16=has_bf16(cpu), micro_batch=SONGS), ranks)
        for step in range(STEPS + 1):
            if step == 1:  # the first one warms up
                began = time.perf_counter()
            trainer.step(batch, mask.sum())
    print(f"training took {time.perf_counter() - began:.2f} s")


if __name__ == "__main__":
    sys.exit(run_script(main))
