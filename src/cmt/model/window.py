"""Softmax attention over the last words alone, in three forms that give the same numbers.

Linear attention sums all the past, and cannot count what it has just read; a window of words can.
Queries and keys are rotated by their place, so that a product depends on how far apart two words
are: half of a head by words, half by ticks, whose periods hold beats, bars and phrases.

`quadratic` is the definition, `banded` is for training, `recurrent` for decoding.
Sources: Beltagy et al. 2020, "Longformer" (the window); Su et al. 2021, "RoFormer" (rotations);
Arora et al. 2024, "Simple linear attention language models balance the recall-throughput tradeoff"
(windows beside linear attention).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

SHORTEST_PERIOD = 2  # ticks; each further pair of features has √2 times the one before


@dataclass(frozen=True)
class Rotation:
    """By what the features of words are turned, (…, d / 2) each."""

    cos: Tensor
    sin: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Turn queries or keys (…, d); the type stays."""
        a, b = x.chunk(2, dim=-1)
        turned = torch.cat([a * self.cos - b * self.sin, b * self.cos + a * self.sin], dim=-1)
        return turned.to(x.dtype)


def rotation(index: Tensor, tick: Tensor, d: int, window: int) -> Rotation:
    """The rotation of words.

    Args:
        index: (…) place in the sequence, in words.
        tick: (…) place in the song, in ticks.
        d: features of a head; a multiple of 4.
        window: words; the slowest rotation by words turns once in some of them.
    """
    by_word, by_tick = frequencies(d, window, tick.device)
    angles = torch.cat(
        [index.double().unsqueeze(-1) * by_word, tick.double().unsqueeze(-1) * by_tick], dim=-1
    )
    return Rotation(angles.cos().float(), angles.sin().float())


def frequencies(d: int, window: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Radians a word and radians a tick by which pairs of features turn, (d / 4,) each."""
    steps = torch.arange(d // 4, dtype=torch.float64, device=device)
    return window ** (-steps / (d // 4)), 2 * math.pi / SHORTEST_PERIOD * 2 ** (-steps / 2)


def quadratic(q: Tensor, k: Tensor, v: Tensor, window: int) -> Tensor:
    """Readable twin: the full score matrix.

    Args:
        q: rotated queries, (batch, heads, length, d).
        k: rotated keys, (batch, heads, length, d).
        v: values, (batch, heads, length, d).
        window: words that each position attends to, itself the last of them.

    Returns:
        (batch, heads, length, d).
    """
    place = torch.arange(q.shape[-2], device=q.device)
    ago = place.unsqueeze(1) - place
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    return scores.masked_fill((ago < 0) | (ago >= window), -torch.inf).softmax(-1) @ v


def banded(q: Tensor, k: Tensor, v: Tensor, window: int) -> Tensor:
    """Parallel form for training: O(length · window) time and memory.

    Each stretch of `window` positions attends to itself and the one before.

    Args and returns: as `quadratic`.
    """
    length = q.shape[-2]
    if length <= window:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    padding = -length % window
    # Keys at the end, which no query before them attends to.
    q, k, v = (F.pad(x, (0, 0, 0, padding)).unflatten(-2, (-1, window)) for x in (q, k, v))
    first = F.scaled_dot_product_attention(q[:, :, 0], k[:, :, 0], v[:, :, 0], is_causal=True)
    q = q[:, :, 1:]
    k, v = (torch.cat([x[:, :, :-1], x[:, :, 1:]], dim=-2) for x in (k, v))
    place = torch.arange(2 * window, device=q.device)
    ago = place[window:].unsqueeze(1) - place
    # The kernels take four dimensions: stretches beside the songs.
    songs = len(q)
    q, k, v = (x.transpose(1, 2).flatten(0, 1) for x in (q, k, v))
    others = F.scaled_dot_product_attention(q, k, v, attn_mask=(ago >= 0) & (ago < window))
    others = others.unflatten(0, (songs, -1)).transpose(1, 2).flatten(-3, -2)
    return torch.cat([first, others], dim=-2)[..., :length, :]


@dataclass
class WindowState:
    """What decoding remembers in a layer with a window: a ring of the last words.

    Attributes:
        keys: rotated, (batch, heads, window, d).
        values: (batch, heads, window, d).
        count: words read so far; the next goes to place `count` modulo the window.
    """

    keys: Tensor
    values: Tensor
    count: int = 0

    def rows(self, rows: Tensor) -> WindowState:
        """The state of some songs of the batch."""
        return WindowState(self.keys[rows], self.values[rows], self.count)


def recurrent(q: Tensor, k: Tensor, v: Tensor, state: WindowState) -> Tensor:
    """One position from those before it, which are updated: O(window).

    Args:
        q: rotated query, (batch, heads, d).
        k: rotated key, (batch, heads, d).
        v: value, (batch, heads, d).
        state: of the layer.

    Returns:
        (batch, heads, d).
    """
    window = state.keys.shape[2]
    state.keys[:, :, state.count % window] = k
    state.values[:, :, state.count % window] = v
    state.count += 1
    kept = slice(min(state.count, window))
    scores = state.keys[:, :, kept] @ q.unsqueeze(-1) / math.sqrt(q.shape[-1])
    return (scores.softmax(-2).transpose(-1, -2) @ state.values[:, :, kept]).squeeze(-2)
