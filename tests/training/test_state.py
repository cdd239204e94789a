"""What a resumed run takes up of a checkpoint, and what it refuses."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from cmt.files import InputError
from cmt.model.config import CMTConfig
from cmt.model.network import CMT
from cmt.music.vocabulary import PUBLISHED
from cmt.training.config import TrainingConfig
from cmt.training.loop import Trainer
from cmt.training.ranks import Ranks
from cmt.training.state import losses_of


def trainer() -> Trainer:
    torch.manual_seed(0)
    model = CMT(CMTConfig(d_model=16, n_layers=1, n_heads=2, d_ff=16))
    return Trainer(model, TrainingConfig(muon=True), Ranks(0, 1, torch.device("cpu")))


@pytest.fixture(scope="module")
def state() -> dict[str, Any]:
    """Of a run of two steps and an epoch without held-out songs."""
    run = trainer()
    for _ in range(2):
        for parameter in run.network.parameters():
            parameter.grad = torch.ones_like(parameter)
        for optimizer in run.optimizers:
            optimizer.step()
        run.progress.add([0.5] * 7, 10)
    losses = losses_of(PUBLISHED)
    run.progress.finish_epoch([0.5] * len(losses), [math.nan] * len(losses))
    return run.state()


def test_a_state_is_taken_up_as_it_is(state: dict[str, Any], tmp_path: Path) -> None:
    run = trainer()
    run.restore(copy.deepcopy(state), tmp_path)
    again = run.state()
    assert again["progress"]["step"] == 2 and again["progress"]["epoch"] == 1
    assert repr(again["progress"]) == repr(state["progress"])  # NaN, too
    for ours, theirs in zip(again["optimizers"], state["optimizers"], strict=True):
        for index, values in theirs["state"].items():
            for name, value in values.items():
                assert torch.equal(ours["state"][index][name], value)


def first(state: dict[str, Any]) -> dict[str, Any]:
    return state["optimizers"][0]["state"][0]


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (
            lambda s: first(s).update(exp_avg=first(s)["exp_avg"] * math.nan),
            "exp_avg of parameter 0",
        ),
        (lambda s: first(s).update(exp_avg=torch.zeros(3)), "exp_avg of parameter 0"),
        (lambda s: first(s).update(step=None), "step of parameter 0"),
        (lambda s: first(s).pop("exp_avg_sq"), "parameter 0 has"),
        (lambda s: s["optimizers"][1]["state"].update({999: {}}), "a parameter is 999"),
        (lambda s: s["optimizers"].__setitem__(0, None), "an optimizer is None"),
        (lambda s: s.pop("optimizers"), "other optimizers"),
        (lambda s: s.pop("progress"), "progress is None"),
        (lambda s: s["progress"].update(step=-1), "step is -1"),
        (lambda s: s["progress"].update(epoch=10**30), "epoch is 1000"),
        (lambda s: s["progress"].update(best=math.nan), "best is nan"),
        (lambda s: s["progress"].update(sums=[0.0]), "sums has 1"),
        (lambda s: s["progress"].update(history=[(1, "x", 0.5, 0.5)]), "'x'"),
        (lambda s: s["progress"].update(history=[5]), "history is 5"),
        (lambda s: s["progress"].pop("batch"), "batch"),
    ],
)
def test_a_state_that_no_run_leaves_is_refused(
    state: dict[str, Any], damage: Callable[[dict[str, Any]], object], told: str, tmp_path: Path
) -> None:
    damaged = copy.deepcopy(state)
    damage(damaged)
    with pytest.raises(InputError) as error:
        trainer().restore(damaged, tmp_path)
    assert told in str(error.value) and str(tmp_path) in str(error.value)
    assert "\n" not in str(error.value)
