"""How near does decoding come to the machine's memory, and does it stay there in long songs?

    benchmarks/decoding.py                    the full-size model
    benchmarks/decoding.py --layers 2 --words 50

Each word reads all weights once, so the floor of its time is their bytes over the bandwidth of
memory, which copying a large array measures (bytes read and written). Timed is the whole of exact
decoding, from a song's second word on: step, masks, cache and draws. The opponent is the original's
stack, pytorch-fast-transformers' RecurrentEncoder with the same weights, embeddings and heads,
where that package is installed, else our readable twin, `CMT.step`; neither has masks or draws.
Everything runs in turn, in rounds, so that a busy machine slows all alike; the best round counts.

Growth is the cost per word of one song in a new model of the default's size, and the process's
memory. The last lines are the ratios.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import resource
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from cmt.decoding import exact
from cmt.decoding.drawing import Recalling
from cmt.decoding.engine import decode
from cmt.decoding.recall import Cache
from cmt.files import EXPERIMENTS
from cmt.model import checkpoint
from cmt.model.config import CMTConfig
from cmt.model.encoding import Word, initial_tokens
from cmt.model.fast import FastCMT
from cmt.model.network import CMT
from cmt.music.vocabulary import EOS, FIELDS, TICKS_PER_BAR
from cmt.plan import BarPlan, Plan
from cmt.script import between, parser

COPIED = 2**28  # bytes, far more than any cache holds
LENGTHS = (1_000, 2_000, 4_000, 8_000, 16_000)  # words
PRECISIONS = {"float32": 4, "bf16": 2, "int8": 1}  # bytes of a weight
MANY = 8  # songs
DENSITY = 8  # onsets in a bar


class TimedLoop(exact.ExactLoop):
    """A song that ends after some words, and remembers when each was drawn."""

    def __init__(self, words: int) -> None:
        bars = words // (2 * DENSITY) + 1  # an onset has two words at least
        super().__init__(Plan((BarPlan(DENSITY, {}),) * bars), bars * TICKS_PER_BAR)
        self.words = words
        self.times: list[float] = []
        self.megabytes: list[float] = []

    def take(self, word: Word) -> Word:
        """Move on by the word drawn, or end."""
        self.times.append(time.perf_counter())
        if len(self.times) in LENGTHS:
            self.megabytes.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)
        return super().take(word if len(self.times) < self.words else {**word, "type": EOS})


def decoded(model: CMT, words: int, songs: int = 1, precision: str = "float32") -> TimedLoop:
    """Decode songs together; the last of them."""
    loops = [TimedLoop(words) for _ in range(songs)]
    rngs = [np.random.RandomState(seed) for seed in range(songs)]
    fast = FastCMT(model, precision)
    cache = Cache(model.config.d_model, model.vocabulary.drawn, [[None]] * songs)
    drawing = Recalling(fast, loops, rngs, cache, exact.SAMPLING)
    initial = torch.from_numpy(initial_tokens(None, None)).expand(songs, -1, -1)
    decode(fast, loops, drawing, initial, loops[0].n_beat)
    return loops[-1]


def ours(model: CMT, songs: int, precision: str) -> Callable[[int], float]:
    """What gives the seconds per step of decoding some words."""

    def seconds(words: int) -> float:
        times = decoded(model, words, songs, precision).times
        return (times[-1] - times[0]) / (len(times) - 1)

    return seconds


@torch.inference_mode()
def opponent(model: CMT) -> tuple[str, Callable[[int], float]]:
    """Name and seconds per word of the stack to compare with."""
    state: object = model.start(torch.from_numpy(initial_tokens(None, None)).unsqueeze(0))

    def twin(words: Tensor) -> Tensor:
        return model.step(words, state)  # type: ignore[arg-type]

    name, step = "CMT.step", twin
    if importlib.util.find_spec("fast_transformers"):
        from fast_transformers.builders import RecurrentEncoderBuilder

        config = model.config
        stack = RecurrentEncoderBuilder.from_kwargs(
            n_layers=config.n_layers,
            n_heads=config.n_heads,
            query_dimensions=config.d_model // config.n_heads,
            value_dimensions=config.d_model // config.n_heads,
            feed_forward_dimensions=config.d_ff,
            activation="gelu",
            attention_type="causal-linear",
        ).get()
        stack.load_state_dict(model.transformer_encoder.state_dict())
        stack.eval()
        memory = None

        def theirs(words: Tensor) -> Tensor:
            nonlocal memory
            hidden, memory = stack(model._embed(words), memory)
            return hidden

        name, step = "fast-transformers", theirs

    @torch.inference_mode()
    def seconds(words: int) -> float:
        song = torch.stack([torch.randint(field.size, (words, 1)) for field in FIELDS], dim=-1)
        started = time.perf_counter()
        for word in song:
            hidden = step(word)
            model.attribute_logits(hidden, model.type_logits(hidden).argmax(-1))
        return (time.perf_counter() - started) / words

    return name, seconds


def copying() -> Callable[[int], float]:
    """What gives the seconds per byte of copying a large array."""
    source, target = torch.ones(2, COPIED // 4)

    def seconds(words: int) -> float:
        copies = words // 4  # takes about as long as decoding, so that the same disturbs it
        started = time.perf_counter()
        for _ in range(copies):
            target.copy_(source)
        return (time.perf_counter() - started) / (2 * COPIED * copies)

    return seconds


def main() -> None:
    """Print the tables and the ratios."""
    options = parser(__doc__)
    options.add_argument("--layers", type=between(1, kind=int), default=CMTConfig.n_layers)
    options.add_argument("--words", type=between(1, kind=int), default=150, help="in each round")
    options.add_argument("--rounds", type=between(1, kind=int), default=5)
    options.add_argument("--threads", type=between(1, kind=int), default=1)
    args = options.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    default, _ = checkpoint.load(EXPERIMENTS / "default")
    song = decoded(CMT(default.config).eval(), LENGTHS[-1])
    print(f"{'words':>8}{'ms/word':>10}{'peak MB':>10}")
    costs = []
    for words, megabytes in zip(LENGTHS, song.megabytes, strict=True):
        # Over the second half of the song so far; the median leaves out disturbances.
        costs.append(statistics.median(np.diff(song.times[words // 2 : words])))
        print(f"{words:>8}{1000 * costs[-1]:>10.2f}{megabytes:>10.0f}")

    model = CMT(dataclasses.replace(CMTConfig(), n_layers=args.layers)).eval()
    layers = sum(p.numel() for p in model.transformer_encoder.parameters())
    name, step = opponent(model)
    rows = [(songs, precision) for songs in (1, MANY) for precision in PRECISIONS]
    contenders: dict[object, Callable[[int], float]] = {row: ours(model, *row) for row in rows}
    runs: dict[object, Callable[[int], float]] = {"copy": copying(), name: step, **contenders}
    best: dict[object, float] = dict.fromkeys(runs, float("inf"))
    for _ in range(args.rounds):
        for key, run in runs.items():
            best[key] = min(best[key], run(args.words))

    print(f"{args.layers} layers of width 512, {args.threads} thread(s), best of {args.rounds}")
    print(f"copying: {1e-9 / best['copy']:.1f} GB/s")
    print(f"{'':20}{'songs':>6}{'words/s':>10}{'ms/step':>10}{'floor':>10}{'× floor':>10}")
    print(f"{name:20}{1:>6}{1 / best[name]:>10.0f}{1000 * best[name]:>10.2f}")
    floors = {}
    for songs, precision in rows:
        step_time = best[songs, precision]
        floors[precision] = layers * PRECISIONS[precision] * best["copy"]
        print(
            f"{precision:20}{songs:>6}{songs / step_time:>10.0f}{1000 * step_time:>10.2f}"
            f"{1000 * floors[precision]:>10.2f}{step_time / floors[precision]:>10.2f}"
        )

    one = best[1, "float32"]
    print(f"one song in float32: {one / floors['float32']:.2f} × floor")
    print(f"one song in float32: {best[name] / one:.2f} × the words/s of {name}")
    for precision in PRECISIONS:
        alone, together = best[1, precision], best[MANY, precision]
        print(
            f"{precision}: {one / alone:.2f} × float32's words/s;"
            f" {MANY} songs: {MANY * alone / together:.2f} × the words/s of one"
        )
    print(
        f"{LENGTHS[-1]} to {LENGTHS[0]} words: {costs[-1] / costs[0]:.2f} × ms/word,"
        f" {song.megabytes[-1] - song.megabytes[0]:+.0f} MB"
    )


if __name__ == "__main__":
    main()
