"""Does decoding cost the same per word however long the song is?

Times the full-size model's step at the beginning of a song and after 4,000 words, in rounds
taken in turn so that a busy machine slows both alike. The last line is the ratio of words
4000–4100 to words 50–150.
"""

from __future__ import annotations

import statistics
import time

import torch

from cmt.model import CMT, CMTConfig, LayerState
from cmt.vocabulary import FIELDS, INITIAL_TOKENS

ROUNDS = 7
WINDOWS = ((50, 150), (4_000, 4_100))


def words(count: int) -> torch.Tensor:
    """Random words (count, 9)."""
    return torch.stack([torch.randint(field.size, (count,)) for field in FIELDS], dim=-1)


def seconds(model: CMT, state: list[LayerState], song: torch.Tensor) -> float:
    """Time of reading words (count, 9) one by one, per word."""
    started = time.perf_counter()
    for word in song.unsqueeze(1):
        hidden = model.step(word, state)
        model.attribute_logits(hidden, model.type_logits(hidden).argmax(-1))
    return (time.perf_counter() - started) / len(song)


@torch.inference_mode()
def main() -> None:
    """Print a table and the ratio."""
    torch.manual_seed(0)
    model = CMT(CMTConfig()).eval()
    song = words(max(end for _, end in WINDOWS))
    state = model.start(torch.zeros(1, INITIAL_TOKENS, 3, dtype=torch.int64))
    at: dict[int, list[LayerState]] = {}
    for index in range(WINDOWS[-1][0] + 1):
        if index in (start for start, _ in WINDOWS):
            at[index] = [LayerState(layer.kv, layer.k_sum) for layer in state]
        model.step(song[index : index + 1], state)
    times: dict[int, list[float]] = {start: [] for start, _ in WINDOWS}
    for _ in range(ROUNDS):
        for start, end in WINDOWS:
            copy = [LayerState(layer.kv, layer.k_sum) for layer in at[start]]
            times[start].append(seconds(model, copy, song[start:end]))
    print(f"full-size model, {torch.get_num_threads()} threads, float32, batch 1")
    print(f"{'words':>16} {'ms per word':>12}")
    medians = {start: statistics.median(times[start]) for start, _ in WINDOWS}
    for start, end in WINDOWS:
        print(f"{start:>8}–{end:<7} {1000 * medians[start]:>12.2f}")
    early, late = medians.values()
    print(f"ratio, late to early: {late / early:.3f}")


if __name__ == "__main__":
    main()
