"""How weights follow gradients: AdamW, Muon, and the learning rate over a run."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn

from cmt.files import InputError
from cmt.training.config import TrainingConfig


def learning_rate(config: TrainingConfig, step: int, steps: int) -> float:
    """Learning rate of optimizer step `step` (from 0) of `steps`: warm-up, then cosine."""
    warm = min(1.0, (step + 1) / max(1, config.warmup))
    done = min(1.0, step / max(1, steps))
    cosine = (1 + math.cos(math.pi * done)) / 2
    return config.lr * warm * cosine


def make_optimizers(model: nn.Module, config: TrainingConfig) -> list[torch.optim.Optimizer]:
    """AdamW with weight decay on the matrices of linear layers only; with `muon`, Muon beside it.

    Muon moves a matrix along its orthogonalised momentum, so that all its directions learn alike,
    with steps as large as AdamW's are: one learning rate serves both.
    Source: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"; Liu et
    al. 2025, "Muon is scalable for LLM training".

    Raises:
        InputError: this PyTorch has no Muon.
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
    if not hasattr(torch.optim, "Muon"):
        raise InputError(f"PyTorch {torch.__version__} has no Muon: use 2.9 or later, or AdamW")
    muon = torch.optim.Muon(
        groups["layers"],
        lr=config.lr,
        weight_decay=config.weight_decay,
        adjust_lr_fn="match_rms_adamw",
    )
    return [adamw, muon]


def set_rate(optimizers: Sequence[torch.optim.Optimizer], rate: float) -> None:
    """Give all parameters a learning rate."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate
