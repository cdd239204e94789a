"""How fast, and in how much memory, does the full-size model train?

    benchmarks/training.py                           lengths 512 and 2048, one song a batch
    benchmarks/training.py --lengths 9999            the original's, takes minutes
    benchmarks/training.py --epoch dataset/lpd.npz   and an epoch over songs of real lengths

Each row is a process of its own, so that its peak memory is its own. The opponent is the
original's stack, pytorch-fast-transformers' causal-linear encoder of the same size, where that
package is installed, else our readable quadratic twin (which does not fit in memory at 9,999
words; our float32 then stands in for the padded epoch). The last lines are ratios to the opponent,
and the share of a step that loading its batch takes.

An epoch is as train.py runs it by default, batches of 6 by length in micro-batches of one song,
sampled at a few batches spread evenly over the lengths. Beside it the same songs as the original
trains on them: each padded to 9,999 words, in float32.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from cmt.script import between, parser

if TYPE_CHECKING:
    import torch

    from cmt.model.config import CMTConfig
    from cmt.model.network import CMT

STEPS = 3  # timed after one that is not
LOADS = 20
VARIANTS = ("float32", "bfloat16", "bfloat16, recomputed")
PADDED = 9999  # words of every song in the original's batches
BATCH_SIZE = 6


def loading_seconds(length: int) -> float:
    """Time of loading a batch of one crop of about `length` words, changed at random."""
    import numpy as np

    from cmt.music.words import NOTE_DTYPE, Song, song_to_words
    from cmt.training.config import Augmentation
    from cmt.training.songs import Songs, collate

    rng = np.random.default_rng(0)
    notes = np.empty(length, NOTE_DTYPE)  # more words than notes
    for name, low, high in (("tick", 0, length), ("pitch", 30, 90), ("duration", 1, 17)):
        notes[name] = rng.integers(low, high, length)
    notes["instrument"] = rng.integers(1, 6, length)
    notes = notes[np.lexsort([notes["instrument"], notes["tick"]])]
    words = song_to_words(Song(notes, 2 * length)).astype(np.int16)
    songs = Songs([words], [None], length, Augmentation(transpose=6, drop_track=1.0))
    times = []
    for _ in range(LOADS):
        started = time.perf_counter()
        collate([songs[0]])
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def measure(variant: str, length: int) -> dict[str, float]:
    """Words/s, peak memory (GB) and share of loading, 0 … 1, of training steps on one song."""
    import torch

    from cmt.model import attention
    from cmt.model.config import CMTConfig
    from cmt.model.network import CMT
    from cmt.music.vocabulary import FIELDS, INITIAL_TOKENS
    from cmt.training.config import TrainingConfig
    from cmt.training.loop import batch_losses
    from cmt.training.optimizers import make_optimizers
    from cmt.training.songs import Batch

    torch.manual_seed(0)
    model = CMT(CMTConfig()).train()
    if variant == "quadratic twin":
        attention.parallel = attention.quadratic
    if variant == "fast-transformers":
        model.add_module("transformer_encoder", fast_transformers_encoder(model))
    config = TrainingConfig(
        bf16=variant.startswith("bfloat16"), checkpoint_activations="recomputed" in variant
    )
    theirs = variant in ("quadratic twin", "fast-transformers")
    optimizer = (
        torch.optim.AdamW(model.parameters()) if theirs else make_optimizers(model, config)[0]
    )
    words = torch.stack([torch.randint(f.size, (1, length + 1)) for f in FIELDS], dim=-1)
    initial = torch.zeros(1, INITIAL_TOKENS, 3, dtype=torch.int64)
    batch = Batch(words[:, :-1], words[:, 1:], torch.ones(1, length, dtype=torch.bool), initial)
    best = float("inf")
    for _ in range(STEPS + 1):
        started = time.perf_counter()
        batch_losses(model, batch, config).mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        best = min(best, time.perf_counter() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return {
        "words_per_s": length / best,
        "peak_gb": peak,
        "loading": loading_seconds(length) / best,
    }


def measure_epoch(data: Path, sampled: int) -> dict[str, float]:
    """Real words/s and peak memory (GB) of steps over songs of real lengths."""
    import numpy as np
    import torch

    from cmt.model.config import CMTConfig
    from cmt.model.network import CMT
    from cmt.music.dataset import read_dataset
    from cmt.training.config import TrainingConfig
    from cmt.training.loop import batch_losses, has_bf16
    from cmt.training.optimizers import make_optimizers
    from cmt.training.songs import Songs, batches, collate

    words = read_dataset(data).words
    songs = Songs(words, [None] * len(words), PADDED)
    groups = batches(songs.lengths, BATCH_SIZE)
    groups = [groups[int((i + 0.5) / sampled * len(groups))] for i in range(sampled)]
    torch.manual_seed(0)
    model = CMT(CMTConfig()).train()
    cpu = torch.device("cpu")
    config = TrainingConfig(bf16=has_bf16(cpu))
    [optimizer] = make_optimizers(model, config)
    started = time.perf_counter()
    for group in groups:
        batch = collate([songs[index] for index in group.tolist()])
        total = batch.mask.sum()
        for micro in batch.micro_batches(1):
            batch_losses(model, micro.to(cpu), config, total).mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    seconds = time.perf_counter() - started
    return {
        "words_per_s": float(songs.lengths[np.concatenate(groups)].sum()) / seconds,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        "mean_length": float(songs.lengths.mean()),
    }


def fast_transformers_encoder(model: CMT) -> torch.nn.Module:
    """The original's encoder, of the same size, called as ours is."""
    import torch
    from fast_transformers.builders import TransformerEncoderBuilder
    from fast_transformers.masking import TriangularCausalMask

    class Encoder(torch.nn.Module):
        def __init__(self, config: CMTConfig) -> None:
            super().__init__()
            self.stack = TransformerEncoderBuilder.from_kwargs(
                n_layers=config.n_layers,
                n_heads=config.n_heads,
                query_dimensions=config.d_model // config.n_heads,
                value_dimensions=config.d_model // config.n_heads,
                feed_forward_dimensions=config.d_ff,
                activation="gelu",
                dropout=config.dropout,
                attention_type="causal-linear",
            ).get()

        def forward(self, x: torch.Tensor, checkpoint_activations: bool) -> torch.Tensor:
            return self.stack(x, TriangularCausalMask(x.shape[1]))

    return Encoder(model.config)


def in_a_process(*arguments: str) -> dict[str, float] | None:
    """What this script measures of one row, or None where it fails for lack of memory."""
    done = subprocess.run(
        [sys.executable, Path(__file__).resolve(), "--one", *arguments],
        stdout=subprocess.PIPE,
        text=True,
    )
    return None if done.returncode else json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Print the table and the ratios."""
    options = parser(__doc__)
    options.add_argument("--lengths", type=between(1, kind=int), nargs="+", default=[512, 2048])
    options.add_argument("--epoch", type=Path, metavar="NPZ", help="data set of compound words")
    options.add_argument(
        "--batches", type=between(1, kind=int), default=3, help="batches sampled of the epoch"
    )
    options.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    args = options.parse_args()
    if args.one and args.one[0] == "epoch":
        print(json.dumps(measure_epoch(Path(args.one[1]), args.batches)))
        return
    if args.one:
        print(json.dumps(measure(args.one[0], int(args.one[1]))))
        return
    installed = importlib.util.find_spec("fast_transformers") is not None
    opponent = "fast-transformers" if installed else "quadratic twin"
    print(f"{'':22}{'length':>8}{'words/s':>10}{'peak GB':>10}{'loading':>10}")
    ratios = []
    loading = [0.0]

    @functools.cache
    def row(variant: str, length: int) -> dict[str, float] | None:
        result = in_a_process(variant, str(length))
        if result is None:
            print(f"{variant:22}{length:>8}{'does not fit':>20}")
        else:
            loading.append(result["loading"])
            print(
                f"{variant:22}{length:>8}{result['words_per_s']:>10,.0f}{result['peak_gb']:>10.2f}"
                f"{result['loading']:>10.3%}"
            )
        return result

    for length in args.lengths:
        floor = row(opponent, length)
        for variant in VARIANTS:
            result = row(variant, length)
            if floor and result:
                speed, memory = (result[key] / floor[key] for key in ("words_per_s", "peak_gb"))
                ratios.append(
                    f"{length} words, {variant}: {speed:.2f} × words/s, {memory:.2f} × GB"
                )
    if args.epoch:
        padded = row(opponent, PADDED) if installed else row("float32", PADDED)
        epoch = in_a_process("epoch", str(args.epoch))
        if padded and epoch:
            length = round(epoch["mean_length"])
            real = padded["words_per_s"] * length / PADDED
            print(f"{'padded epoch':22}{length:>8}{real:>10,.0f}{padded['peak_gb']:>10.2f}")
            print(f"{'epoch':22}{length:>8}{epoch['words_per_s']:>10,.0f}{epoch['peak_gb']:>10.2f}")
            ratios.append(f"epoch to padded epoch: {epoch['words_per_s'] / real:.2f} × words/s")
    print(f"ratios to the {opponent}:", *ratios, sep="\n")
    print(f"ratio, loading a batch to its step, at most: {max(loading):.3%}")


if __name__ == "__main__":
    main()
