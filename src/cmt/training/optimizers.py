"""How weights follow gradients: AdamW, Muon, and the learning rate over a run."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cmt.training.config import TrainingConfig
from cmt.training.muon import Muon
from cmt.untrusted import entries, whole


def learning_rate(config: TrainingConfig, step: int, steps: int) -> float:
    """Learning rate of optimizer step `step` (from 0) of `steps`: warm-up, then cosine."""
    warm = min(1.0, (step + 1) / max(1, config.warmup))
    done = min(1.0, step / max(1, steps))
    cosine = (1 + math.cos(math.pi * done)) / 2
    return config.lr * warm * cosine


def make_optimizers(model: nn.Module, config: TrainingConfig) -> list[torch.optim.Optimizer]:
    """AdamW with weight decay on the matrices of linear layers only; with `muon`, Muon beside it.

    Muon moves a matrix so that all its directions learn alike, with steps as large as AdamW's are:
    one learning rate serves both.
    """
    groups: dict[str, list[nn.Parameter]] = {"layers": [], "matrices": [], "rest": []}
    tables = {id(part.weight) for part in model.modules() if isinstance(part, nn.Embedding)}
    for name, parameter in model.named_parameters():
        if parameter.ndim < 2 or id(parameter) in tables:
            groups["rest"].append(parameter)
        elif config.muon and "transformer_encoder." in name:
            groups["layers"].append(parameter)
        else:
            groups["matrices"].append(parameter)
    adamw = torch.optim.AdamW(
        [
            {"params": groups["matrices"], "weight_decay": config.weight_decay},
            {"params": groups["rest"], "weight_decay": 0.0},
        ],
        lr=config.lr,
        betas=(0.9, 0.98),
        fused=True,
    )
    if not config.muon:
        return [adamw]
    return [adamw, Muon(groups["layers"], config.lr, config.weight_decay)]


# What an optimizer keeps of each parameter: numbers, or tensors of its shape.
KEPT = {"AdamW": {"step", "exp_avg", "exp_avg_sq"}, "Muon": {"momentum_buffer"}}


def take_up(optimizer: torch.optim.Optimizer, stored: object) -> None:
    """Take up the state of an optimizer out of a checkpoint; its settings stay as they are.

    Raises:
        ValueError: it is not that of these parameters, or has values that are no finite numbers.
    """
    states = entries(entries(stored, "an optimizer").get("state"), "the state of an optimizer")
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for index, state in states.items():
        place = whole(index, "a parameter", 0, len(parameters) - 1)
        if entries(state, "a state").keys() != KEPT[type(optimizer).__name__]:
            raise ValueError(f"the optimizer's state of parameter {place} has {list(state)}")
        for name, value in state.items():
            shapes = (torch.Size(), parameters[place].shape)
            if not isinstance(value, Tensor) or value.shape not in shapes:
                raise ValueError(f"the optimizer's {name} of parameter {place} is of another shape")
            if not value.is_floating_point() or not torch.isfinite(value).all():
                raise ValueError(f"the optimizer's {name} of parameter {place} is not finite")
    optimizer.load_state_dict({**optimizer.state_dict(), "state": states})


def set_rate(optimizers: Sequence[torch.optim.Optimizer], rate: float) -> None:
    """Give all parameters a learning rate."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate
