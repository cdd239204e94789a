"""Drawing classes from logits: temperature, nucleus, masks, explicit randomness.

Each draw takes its uniform number as an argument, so that a song depends on its own seed alone,
whatever else is decoded in the batch. Original: utils.py.
"""

from __future__ import annotations

import torch
from torch import Tensor

# The original normalises nucleus probabilities by their sum plus this.
NUCLEUS_EPSILON = 1e-5


def sample(
    logits: Tensor,
    uniform: Tensor,
    temperature: float = 1.0,
    nucleus: float | None = None,
    allowed: Tensor | None = None,
) -> Tensor:
    """Draw one class per row by inverting the cumulative distribution.

    Classes are ordered from the likeliest to the least likely, as in the original, so that the
    same uniform number gives the same class.

    Args:
        logits: (batch, classes).
        uniform: (batch,) numbers in [0, 1).
        temperature: > 0; logits are divided by it.
        nucleus: keep the likeliest classes until their probability exceeds this (Holtzman et
            al. 2020); None keeps all.
        allowed: (batch, classes) bool; others have probability 0. At least one per row.

    Returns:
        (batch,) int64 classes.
    """
    logits = logits.double() / temperature
    if allowed is not None:
        logits = logits.masked_fill(~allowed, -torch.inf)
    probabilities, classes = logits.softmax(-1).sort(dim=-1, descending=True, stable=True)
    if nucleus is not None:
        cumulative = probabilities.cumsum(-1) / (1 + NUCLEUS_EPSILON)
        # The class that crosses the threshold is kept, those after it are not.
        before = cumulative.roll(1, -1)
        before[..., 0] = 0
        probabilities = probabilities.masked_fill(before > nucleus, 0)
    cumulative = probabilities.cumsum(-1)
    cumulative = cumulative / cumulative[..., -1:]
    drawn = torch.searchsorted(cumulative, uniform.double().unsqueeze(-1), right=True)
    # Rounding may leave the last cumulative value below the number: take the last real class.
    last = (probabilities > 0).sum(-1, keepdim=True) - 1
    return classes.gather(-1, torch.minimum(drawn, last)).squeeze(-1)
