"""Sampling draws what the original draws, and only what is allowed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cmt.sampling import sample
from conftest import REFERENCE

RECORDED = np.load(REFERENCE / "generation" / "sampling.npz")


@pytest.mark.parametrize("case", range(6))
def test_words_are_the_recorded_ones(case: int) -> None:
    _, nucleus, temperature, seed = RECORDED[f"cfg{case}"]
    uniform = np.random.RandomState(int(seed)).random_sample(200)
    words = sample(
        torch.from_numpy(RECORDED[f"logits{case}"]),
        torch.from_numpy(uniform),
        temperature,
        None if nucleus < 0 else nucleus,
    )
    np.testing.assert_array_equal(words, RECORDED[f"words{case}"])


def test_frequencies_follow_the_softmax() -> None:
    logits = torch.tensor([[0.0, 1.0, 2.0]])
    uniform = (torch.arange(10_000) + 0.5) / 10_000
    counts = torch.bincount(sample(logits.expand(10_000, -1), uniform), minlength=3)
    torch.testing.assert_close(counts / 10_000, logits[0].softmax(0), atol=2e-4, rtol=0)


@pytest.mark.parametrize("uniform", [0.0, 0.5, np.nextafter(1.0, 0.0)])
@pytest.mark.parametrize("nucleus", [None, 0.9])
def test_masked_classes_are_never_drawn(uniform: float, nucleus: float | None) -> None:
    logits = torch.tensor([[1000.0, 0.0, -1000.0, 500.0]])
    allowed = torch.tensor([[False, True, True, False]])
    word = sample(logits, torch.tensor([uniform]), nucleus=nucleus, allowed=allowed)
    assert int(word) == 1


def test_nucleus_keeps_the_class_that_crosses_the_threshold() -> None:
    logits = torch.tensor([[0.6, 0.3, 0.1]]).log()
    drawn = [int(sample(logits, torch.tensor([u]), nucleus=0.7)) for u in np.linspace(0, 0.999, 50)]
    assert set(drawn) == {0, 1}
