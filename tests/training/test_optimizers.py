"""The learning rate over a run."""

from __future__ import annotations

import pytest

from cmt.training.config import TrainingConfig
from cmt.training.optimizers import learning_rate


def test_learning_rate_warms_up_and_decays_to_nothing() -> None:
    config = TrainingConfig(lr=1.0, warmup=10)
    rates = [learning_rate(config, step, 1000) for step in range(1000)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(1.0, abs=1e-3)
    assert rates[-1] == pytest.approx(0, abs=1e-3)
