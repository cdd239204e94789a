"""Causal linear attention in four forms that give the same numbers.

Linear attention replaces softmax(q·k) by φ(q)·φ(k) with φ(x) = elu(x) + 1, so that the sum over
the past factors into a state of constant size (Katharopoulos et al. 2020, "Transformers are
RNNs", equations 8 to 12; original: pytorch-fast-transformers' causal-linear attention).
Queries and keys are not scaled.

`quadratic` is the definition, `chunked` is for training, `fused` the same on GPUs with a kernel of
flash-linear-attention (Yang and Zhang 2024), `recurrent` for decoding. `parallel` is `fused` where
it can be had, else `chunked`.
"""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor

EPSILON = 1e-6  # added to the denominator, as the original does
CHUNK = 128  # positions; within a chunk the cost is quadratic, between chunks linear


def feature_map(x: Tensor) -> Tensor:
    """φ(x) = elu(x) + 1, element-wise: positive, so that the denominator is."""
    return F.elu(x) + 1


def quadratic(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Readable twin: the full score matrix, O(length²) time and memory.

    Args:
        q: queries after the feature map, (batch, heads, length, d).
        k: keys after the feature map, (batch, heads, length, d).
        v: values, (batch, heads, length, d).

    Returns:
        (batch, heads, length, d): position i is the mean of v[≤ i] weighted by q[i]·k[≤ i].
    """
    scores = (q @ k.transpose(-1, -2)).tril()
    return scores @ v / (scores.sum(-1, keepdim=True) + EPSILON)


def chunked(q: Tensor, k: Tensor, v: Tensor, chunk: int = CHUNK) -> Tensor:
    """Parallel form for training: O(length · chunk) time and memory.

    Each chunk attends to itself by the quadratic form and to all earlier chunks through their
    summed state. Sums run in at least float32, because they grow with length.

    Args and returns: as `quadratic`.
    """
    length = q.shape[-2]
    padding = -length % chunk
    # Zero keys at the end add nothing to any sum.
    q, k, v = (F.pad(x, (0, 0, 0, padding)).unflatten(-2, (-1, chunk)) for x in (q, k, v))

    wide = torch.promote_types(v.dtype, torch.float32)
    scores = (q @ k.transpose(-1, -2)).tril()
    kv = _sum_of_earlier((k.transpose(-1, -2) @ v).to(wide))  # (batch, heads, chunks, d, d)
    k_sum = _sum_of_earlier(k.sum(-2, dtype=wide).unsqueeze(-1))  # (batch, heads, chunks, d, 1)

    numerator = scores @ v + q @ kv.to(q.dtype)
    denominator = scores.sum(-1, keepdim=True, dtype=wide) + q @ k_sum.to(q.dtype)
    out = numerator / (denominator + EPSILON)
    return out.to(v.dtype).flatten(-3, -2)[..., :length, :]


def fused(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Parallel form for training on CUDA devices; needs the extra "gpu".

    The kernel gives the numerator. Its own denominator is summed in the type of k, and a sum over
    10,000 positions has no room in bfloat16.

    Args and returns: as `quadratic`.
    """
    from fla.ops.linear_attn import chunk_linear_attn

    by_time = (x.transpose(1, 2) for x in (q, k, v))  # (batch, length, heads, d)
    numerator, _ = chunk_linear_attn(*by_time, scale=1.0, normalize=False)
    wide = torch.promote_types(v.dtype, torch.float32)
    denominator = (q.to(wide) * k.to(wide).cumsum(-2)).sum(-1, keepdim=True)
    return (numerator.transpose(1, 2) / (denominator + EPSILON)).to(v.dtype)


@functools.cache
def has_fused() -> bool:
    """Whether flash-linear-attention is installed and can be imported."""
    try:
        import fla.ops.linear_attn  # noqa: F401
    except ImportError:
        return False
    return True


def parallel(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """The fastest parallel form for where the tensors are.

    Args and returns: as `quadratic`.
    """
    return fused(q, k, v) if q.is_cuda and has_fused() else chunked(q, k, v)


def recurrent(
    q: Tensor, k: Tensor, v: Tensor, kv: Tensor, k_sum: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """One position from the state of all earlier ones: O(1) in the length.

    Args:
        q: query after the feature map, (batch, heads, d).
        k: key after the feature map, (batch, heads, d).
        v: value, (batch, heads, d).
        kv: sum of k ⊗ v over earlier positions, (batch, heads, d, d).
        k_sum: sum of k over earlier positions, (batch, heads, d).

    Returns:
        The output (batch, heads, d), and kv and k_sum with this position added.
    """
    kv = torch.addcmul(kv, k.unsqueeze(-1), v.unsqueeze(-2))
    k_sum = k_sum + k
    numerator = (q.unsqueeze(-2) @ kv).squeeze(-2)
    denominator = (q * k_sum).sum(-1, keepdim=True) + EPSILON
    return numerator / denominator, kv, k_sum


def _sum_of_earlier(states: Tensor) -> Tensor:
    """Sum over earlier chunks, exclusive: (batch, heads, chunks, d, …) → the same."""
    return F.pad(states, (0, 0, 0, 0, 1, 0))[:, :, :-1].cumsum(2)
