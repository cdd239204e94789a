"""Muon, in the precision that this device multiplies matrices fastest in.

PyTorch's own has the same steps, but always in bfloat16, whose products take eight to thirty times
as long as float32's on processors that have no units for it.

Source: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"; the size of
steps: Liu et al. 2025, "Muon is scalable for LLM training".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from cmt.model.products import WORTH, seconds

MOMENTUM = 0.95
COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the quintic iteration
ITERATIONS = 5
TINY = 1e-7  # norm below which nothing is divided by it
RMS = 0.2  # of a step, relative to the learning rate: AdamW's
SMALL = 2**16  # weights of a matrix that takes no time in either


class Muon(torch.optim.Optimizer):
    """Moves matrices along their orthogonalised momentum, with Nesterov's look ahead.

    Args:
        params: matrices.
        lr: learning rate, for which steps are as large as AdamW's.
        weight_decay: decoupled.
        dtype: of the products; None is `fastest` for the largest matrix.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float,
        weight_decay: float,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})
        matrices = [matrix for group in self.param_groups for matrix in group["params"]]
        self.dtype = dtype or fastest(max(matrices, key=Tensor.numel))

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Move all matrices that have a gradient; `closure` is not called."""
        for group in self.param_groups:
            for matrix in group["params"]:
                if matrix.grad is None:
                    continue
                state = self.state[matrix]
                if not state:
                    state["momentum_buffer"] = torch.zeros_like(matrix)
                momentum = state["momentum_buffer"].lerp_(matrix.grad, 1 - MOMENTUM)
                ahead = matrix.grad.lerp(momentum, MOMENTUM)
                size = RMS * math.sqrt(max(matrix.shape))
                matrix.mul_(1 - group["lr"] * group["weight_decay"])
                matrix.add_(orthogonalised(ahead, self.dtype), alpha=-group["lr"] * size)


def orthogonalised(matrix: Tensor, dtype: torch.dtype) -> Tensor:
    """About the nearest matrix whose singular values are alike: 0.5 … 1.5, by Newton and Schulz.

    Args:
        matrix: (rows, columns).
        dtype: of the products, and of what is returned.

    Returns:
        (rows, columns).
    """
    linear, cubic, quintic = COEFFICIENTS
    is_tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.to(dtype)
    x = x.T if is_tall else x
    x = x / x.norm().clamp(min=TINY)
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=cubic, alpha=quintic), x, beta=linear)
    return x.T if is_tall else x


def fastest(matrix: Tensor) -> torch.dtype:
    """The precision that such a matrix is multiplied in: float32 unless bfloat16 is clearly faster.

    On GPUs it always is.
    """
    if matrix.is_cuda:
        return torch.bfloat16
    if matrix.numel() < SMALL:
        return torch.float32
    exact = matrix.detach()
    rounded = exact.bfloat16()
    is_worth = seconds(lambda: rounded @ rounded.T) * WORTH < seconds(lambda: exact @ exact.T)
    return torch.bfloat16 if is_worth else torch.float32
