"""The cache recalls what followed a state like the present one, and nothing else."""

from __future__ import annotations

import pytest
import torch

from cmt import recall
from cmt.recall import SHARE, Cache

ORDER = ("type", "pitch")
CPU = torch.device("cpu")


def states(*rows: list[float]) -> torch.Tensor:
    return torch.tensor(rows)


A, B = [1.0, -1.0, 1.0, -1.0], [1.0, 1.0, -1.0, -1.0]  # at right angles


def filled(pairs: list[tuple[list[float], dict[str, int]]]) -> Cache:
    cache = Cache(1, 4, ORDER, CPU)
    for state, word in pairs:
        cache.attend(states(state))
        cache.add([word])
    return cache


def mixture(cache: Cache, state: list[float], **drawn: int) -> torch.Tensor:
    """Probabilities of five pitches, of which the model knows nothing, given what is drawn."""
    cache.attend(states(state))
    for name, value in drawn.items():
        cache.narrow(name, torch.tensor([value]))
    return cache.mixed(torch.zeros(1, 5), "pitch").exp()[0]


def test_what_followed_a_like_state_is_likely() -> None:
    cache = filled([(A, {"type": 2, "pitch": 3}), (B, {"type": 2, "pitch": 1})])
    expected = torch.full((5,), (1 - SHARE) / 5, dtype=torch.float64)
    expected[3] += SHARE
    torch.testing.assert_close(mixture(cache, A), expected, rtol=1e-6, atol=1e-6)
    # Scale and offset of a state do not count.
    torch.testing.assert_close(
        mixture(cache, [3 * x + 1 for x in A]), expected, rtol=1e-6, atol=1e-6
    )


def test_words_that_contradict_what_is_drawn_do_not_count() -> None:
    cache = filled([(A, {"type": 1, "pitch": 3}), (B, {"type": 2, "pitch": 1})])
    assert mixture(cache, A, type=2).argmax() == 1
    uniform = torch.full((5,), 0.2, dtype=torch.float64)
    torch.testing.assert_close(mixture(cache, A, type=0), uniform)


def test_an_empty_cache_leaves_the_model_alone() -> None:
    uniform = torch.full((5,), 0.2, dtype=torch.float64)
    torch.testing.assert_close(mixture(filled([]), A, type=1), uniform)


def test_the_oldest_words_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recall, "SPAN", 2)
    words = [{"type": 2, "pitch": pitch} for pitch in (3, 1, 2)]
    cache = filled([(A, words[0]), (B, words[1]), (B, words[2])])
    assert cache.states.shape[1] == 2
    assert mixture(cache, A)[3] == mixture(cache, A)[0]


def test_songs_are_apart() -> None:
    cache = Cache(2, 4, ORDER, CPU)
    cache.attend(states(A, A))
    cache.add([{"type": 2, "pitch": 3}, {"type": 2, "pitch": 1}])
    cache.attend(states(A, A))
    assert cache.mixed(torch.zeros(2, 5), "pitch").argmax(-1).tolist() == [3, 1]
    cache.rows(torch.tensor([1]))
    cache.attend(states(A))
    assert cache.mixed(torch.zeros(1, 5), "pitch").argmax(-1).tolist() == [1]
