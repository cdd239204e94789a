"""Sampling draws what the original draws, and only what is allowed."""

from __future__ import annotations

import numpy as np
import pytest

from cmt.decoding.sampling import sample
from conftest import REFERENCE

RECORDED = np.load(REFERENCE / "generation" / "sampling.npz")


@pytest.mark.parametrize("case", range(6))
def test_words_are_the_recorded_ones(case: int) -> None:
    _, nucleus, temperature, seed = RECORDED[f"cfg{case}"]
    uniform = np.random.RandomState(int(seed)).random_sample(200)
    words = sample(
        RECORDED[f"logits{case}"],
        uniform,
        temperature,
        None if nucleus < 0 else nucleus,
    )
    np.testing.assert_array_equal(words, RECORDED[f"words{case}"])


def test_frequencies_follow_the_softmax() -> None:
    weights = np.array([1.0, 2.0, 5.0])
    uniform = (np.arange(10_000) + 0.5) / 10_000
    drawn = sample(np.log(weights)[None].repeat(10_000, 0), uniform)
    np.testing.assert_allclose(np.bincount(drawn) / 10_000, weights / 8, atol=2e-4)


@pytest.mark.parametrize("uniform", [0.0, 0.5, np.nextafter(1.0, 0.0)])
@pytest.mark.parametrize("nucleus", [None, 0.9])
def test_masked_classes_are_never_drawn(uniform: float, nucleus: float | None) -> None:
    logits = np.array([[1000.0, 0.0, -1000.0, 500.0]])
    allowed = np.array([[False, True, True, False]])
    assert sample(logits, np.array([uniform]), nucleus=nucleus, allowed=allowed) == 1


def test_nucleus_keeps_the_class_that_crosses_the_threshold() -> None:
    logits = np.log([[0.6, 0.3, 0.1]]).repeat(50, 0)
    assert set(sample(logits, np.linspace(0, 0.999, 50), nucleus=0.7)) == {0, 1}
