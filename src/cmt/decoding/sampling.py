"""Drawing classes from logits: temperature, nucleus, masks, explicit randomness.

Each draw takes its uniform number as an argument, so that a song depends on its own seed alone,
whatever else is decoded in the batch. In NumPy, whose calls on small arrays cost less than
PyTorch's. Original: utils.py.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# The original normalises nucleus probabilities by their sum plus this.
NUCLEUS_EPSILON = 1e-5


def sample(
    logits: NDArray[np.floating],
    uniform: NDArray[np.float64],
    temperature: float = 1.0,
    nucleus: float | None = None,
    allowed: NDArray[np.bool_] | None = None,
) -> NDArray[np.int64]:
    """Draw one class per row by inverting the cumulative distribution.

    Classes are ordered from the likeliest to the least likely, as in the original, so that the
    same uniform number gives the same class.

    Args:
        logits: (batch, classes).
        uniform: (batch,) numbers in [0, 1).
        temperature: > 0; logits are divided by it.
        nucleus: keep the likeliest classes until their probability exceeds this (Holtzman et
            al. 2020); None keeps all.
        allowed: (batch, classes); others have probability 0. At least one per row.

    Returns:
        (batch,) classes.
    """
    logits = logits.astype(np.float64) / temperature
    if allowed is not None:
        logits[~allowed] = -np.inf
    return draw(np.exp(logits - logits.max(-1, keepdims=True)), uniform, nucleus)


def draw(
    likely: NDArray[np.float64], uniform: NDArray[np.float64], nucleus: float | None = None
) -> NDArray[np.int64]:
    """As `sample`, from numbers (batch, classes) that probabilities are proportional to."""
    classes = (-likely).argsort(axis=-1, kind="stable")
    rows = np.arange(len(likely))
    probabilities = likely[rows[:, None], classes]
    probabilities /= probabilities.sum(-1, keepdims=True)
    cumulative = probabilities.cumsum(-1)
    if nucleus is not None:
        # The class that crosses the threshold is kept, those after it are not.
        after = cumulative[:, :-1] / (1 + NUCLEUS_EPSILON) > nucleus
        probabilities[:, 1:][after] = 0
        cumulative = probabilities.cumsum(-1)
    drawn = (cumulative / cumulative[:, -1:] <= uniform[:, None]).sum(-1)
    # Rounding may leave the last cumulative value below the number: take the last real class.
    last = (probabilities > 0).sum(-1) - 1
    return classes[rows, np.minimum(drawn, last)]
