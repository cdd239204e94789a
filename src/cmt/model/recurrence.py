"""The two attentions from one word to the next, in as few calls as it takes.

For a single word a call costs more than what it computes, so that weights are arranged beforehand
such that little is left to do. The readable twins, `cmt.model.attention.recurrent` and
`cmt.model.window.recurrent`, give the same numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from cmt.model.network import Attention


@dataclass
class Sums:
    """What linear attention remembers: sums over all the past.

    Attributes:
        kv: of k ⊗ v, (songs, heads, d, d + 1); the last feature of a value is 1, so that the last
            column sums the keys.
    """

    kv: Tensor

    @staticmethod
    def arranged(attention: Attention) -> tuple[Tensor, Tensor]:
        """Weight and bias of the product that makes q, k and v of a word, the 1 among v."""
        weight, bias = _projections(attention)
        v, v_bias = F.pad(weight[2], (0, 0, 0, 1)), F.pad(bias[2], (0, 1), value=1.0)
        return (
            torch.cat([weight[:2].flatten(0, 2), v.flatten(0, 1)]),
            torch.cat([bias[:2].flatten(), v_bias.flatten()]),
        )

    @classmethod
    def of_nothing(cls, songs: int, attention: Attention) -> Sums:
        """Of songs of which no word was read."""
        weight = attention.query_projection.weight
        d = len(weight) // attention.n_heads
        return cls(weight.new_zeros(songs, attention.n_heads, d, d + 1))

    def attend(self, qkv: Tensor, turn: Tensor | None) -> Tensor:
        """Attend from a word, which is remembered: (songs, d_model).

        Args:
            qkv: (songs, …) of the product that is `arranged`; it is overwritten.
            turn: not used; see `Ring`.
        """
        songs, heads, d, _ = self.kv.shape
        many = songs * heads
        # The feature map, elu(x) + 1.
        q, k = F.elu_(qkv[:, : 2 * heads * d]).add_(1).view(songs, 2, many // songs, d).unbind(1)
        v = qkv[:, 2 * heads * d :].reshape(many, 1, d + 1)
        kv = self.kv.view(many, d, d + 1).baddbmm_(k.reshape(many, d, 1), v)
        out = torch.bmm(q.reshape(many, 1, d), kv)
        return (out[..., :d] / out[..., d:]).view(songs, -1)

    def rows(self, rows: Tensor) -> Sums:
        """Of some of the songs."""
        return Sums(self.kv[rows])


@dataclass
class Ring:
    """What attention over a window of words remembers: these words.

    Attributes:
        keys: rotated, (songs, heads, d, window).
        values: (songs, heads, window, d).
        count: words read so far; the next goes to place `count` modulo the window.
    """

    keys: Tensor
    values: Tensor
    count: int = 0

    @staticmethod
    def arranged(attention: Attention) -> tuple[Tensor, Tensor]:
        """Weight and bias of the product that makes q, k and v of a word.

        Features of q and k that are turned together are side by side, like the parts of complex
        numbers, and q is divided by √d.
        """
        weight, bias = _projections(attention)
        d = weight.shape[2]
        pairs = torch.arange(d).view(2, -1).T.flatten()
        weight[:2], bias[:2] = weight[:2, :, pairs], bias[:2, :, pairs]
        weight[0] /= math.sqrt(d)
        bias[0] /= math.sqrt(d)
        return weight.flatten(0, 2), bias.flatten()

    @classmethod
    def of_nothing(cls, songs: int, attention: Attention) -> Ring:
        """Of songs of which no word was read."""
        weight = attention.query_projection.weight
        heads, window = attention.n_heads, attention.window
        d = len(weight) // heads
        keys = weight.new_zeros(songs, heads, d, window)
        return cls(keys, keys.transpose(-1, -2).clone(memory_format=torch.contiguous_format))

    def attend(self, qkv: Tensor, turn: Tensor | None) -> Tensor:
        """Attend from a word, which is remembered: (songs, d_model).

        Args:
            qkv: (songs, …) of the product that is `arranged`.
            turn: by which pairs of features are turned, complex numbers (songs, 1, 1, d / 2).
        """
        assert turn is not None
        songs, heads, window, d = self.values.shape
        many = songs * heads
        qk, v = qkv[:, : 2 * heads * d].view(songs, 2, heads, d // 2, 2), qkv[:, 2 * heads * d :]
        q, k = torch.view_as_real(torch.view_as_complex(qk) * turn).unbind(1)
        keys, values = self.keys.view(many, d, window), self.values.view(many, window, d)
        slot = self.count % window
        keys.select(2, slot).copy_(k.reshape(many, d))
        values.select(1, slot).copy_(v.reshape(many, d))
        self.count += 1
        if self.count < window:
            keys, values = keys[..., : self.count], values[:, : self.count]
        scores = torch.bmm(q.reshape(many, 1, d), keys)
        return torch.bmm(scores.softmax(-1), values).view(songs, -1)

    def rows(self, rows: Tensor) -> Ring:
        """Of some of the songs."""
        return Ring(self.keys[rows], self.values[rows], self.count)


def _projections(attention: Attention) -> tuple[Tensor, Tensor]:
    """Weights (3, heads, d, d_model) and biases (3, heads, d) of q, k and v; copies."""
    of = attention.query_projection, attention.key_projection, attention.value_projection
    weight = torch.stack([projection.weight for projection in of])
    bias = torch.stack([projection.bias for projection in of])
    return weight.unflatten(1, (attention.n_heads, -1)), bias.unflatten(1, (attention.n_heads, -1))


# What is remembered of the past in one layer, constant in size.
Memory = Sums | Ring
