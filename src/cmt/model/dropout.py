"""Dropout that does not wait for random numbers on CPUs."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Dropout(nn.Module):
    """Dropout that draws four elements from each random number on CPUs.

    PyTorch's draws one after another there, which took a quarter of a training step. The
    probability is rounded to a multiple of 2⁻¹⁶.

    Args:
        p: probability of a zero, 0 … 1; the elements that are kept are scaled by 1 / (1 − p).
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Drop elements of x in training."""
        if x.device.type != "cpu" or not self.training or not 0 < self.p < 1:
            return F.dropout(x, self.p, self.training)
        dropped = round(self.p * 2**16)  # of the values of an int16
        random = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        drop = random.view(torch.int16)[: x.numel()].view(x.shape) < dropped - 2**15
        return (x / (1 - dropped / 2**16)).masked_fill_(drop, 0)
