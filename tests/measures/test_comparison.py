"""Statistics of pieces that were measured."""

from __future__ import annotations

import numpy as np

from cmt.measures.comparison import distance


def test_bootstrap_interval_covers_the_distance() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(100):
        ours, real = rng.normal(11, 2, 60), rng.normal(10, 2, 60)
        far = distance(ours, real, np.random.default_rng(seed))
        assert far is not None
        assert far.low < far.percent < far.high
        covered += far.low < 10 < far.high
    assert 88 <= covered <= 99
    assert distance(np.ones(2), np.zeros(2), rng) is None
