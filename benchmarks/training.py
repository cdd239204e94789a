"""How fast, and in how much memory, does the full-size model train?

    benchmarks/training.py                     lengths 512, 2048, 9999, one song a batch
    benchmarks/training.py --lengths 512       a quick look

Each row is a process of its own, so that its peak memory is its own. The opponent is the
original's stack, pytorch-fast-transformers' causal-linear encoder of the same size, where that
package is installed, else our readable quadratic twin (which does not fit in memory at 9,999
words). The last lines are ratios to the opponent.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from cmt.model import CMT, CMTConfig

STEPS = 3  # timed after one that is not
VARIANTS = ("float32", "bfloat16", "bfloat16, recomputed")


def measure(variant: str, length: int) -> dict[str, float]:
    """Words/s and peak memory (GB) of training steps on one song."""
    import torch

    from cmt import attention
    from cmt.dataset import Batch
    from cmt.model import CMT, CMTConfig
    from cmt.training import TrainingConfig, batch_losses
    from cmt.vocabulary import FIELDS, INITIAL_TOKENS

    torch.manual_seed(0)
    model = CMT(CMTConfig()).train()
    if variant == "quadratic twin":
        attention.chunked = attention.quadratic  # type: ignore[assignment]
    if variant == "fast-transformers":
        model.add_module("transformer_encoder", fast_transformers_encoder(model))
    config = TrainingConfig(
        bf16=variant.startswith("bfloat16"), checkpoint_activations="recomputed" in variant
    )
    optimizer = torch.optim.AdamW(model.parameters())
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
    return {"words_per_s": length / best, "peak_gb": peak}


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


def main() -> None:
    """Print the table and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lengths", type=int, nargs="+", default=[512, 2048, 9999])
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(args.one[0], int(args.one[1]))))
        return
    installed = importlib.util.find_spec("fast_transformers") is not None
    opponent = "fast-transformers" if installed else "quadratic twin"
    print(f"{'':22}{'length':>8}{'words/s':>10}{'peak GB':>10}")
    ratios = []
    for length in args.lengths:
        results = {}
        for variant in (opponent, *VARIANTS):
            done = subprocess.run(
                [sys.executable, Path(__file__).resolve(), "--one", variant, str(length)],
                capture_output=True,
                text=True,
            )
            if done.returncode:
                print(f"{variant:22}{length:>8}{'does not fit':>20}")
                continue
            results[variant] = json.loads(done.stdout.splitlines()[-1])
            row = results[variant]
            print(f"{variant:22}{length:>8}{row['words_per_s']:>10,.0f}{row['peak_gb']:>10.2f}")
        if opponent in results:
            for variant in VARIANTS:
                speed, memory = (
                    results[variant][key] / results[opponent][key]
                    for key in ("words_per_s", "peak_gb")
                )
                ratios.append(
                    f"{length} words, {variant}: {speed:.2f} × words/s, {memory:.2f} × GB"
                )
    print(f"ratios to the {opponent}:", *ratios, sep="\n")


if __name__ == "__main__":
    main()
