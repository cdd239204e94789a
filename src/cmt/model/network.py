"""The Controllable Music Transformer: linear-attention layers between embeddings and heads.

Parameter names and shapes are the original's (original: model.py and
pytorch-fast-transformers' TransformerEncoder), so its checkpoints load unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from cmt.model import attention
from cmt.model.config import CMTConfig
from cmt.model.dropout import Dropout
from cmt.model.embedding import Embedding, TickEncoding
from cmt.music.vocabulary import (
    FIELD,
    FIELDS,
    INITIAL_PARAMETERS,
    INITIAL_TOKENS,
    MODEL_COLUMN,
    PREDICTED,
)


@dataclass
class LayerState:
    """What decoding remembers of the past in one layer, constant in size.

    Attributes:
        kv: sum of k ⊗ v over all positions so far, (batch, heads, d, d), d = d_model / heads.
        k_sum: sum of k, (batch, heads, d).
    """

    kv: Tensor
    k_sum: Tensor

    def rows(self, rows: Tensor) -> LayerState:
        """The state of some songs of the batch."""
        return LayerState(self.kv[rows], self.k_sum[rows])


class Attention(nn.Module):
    """Multi-head causal linear attention with its four projections."""

    def __init__(self, config: CMTConfig) -> None:
        super().__init__()
        self.n_heads = config.n_heads
        self.query_projection = nn.Linear(config.d_model, config.d_model)
        self.key_projection = nn.Linear(config.d_model, config.d_model)
        self.value_projection = nn.Linear(config.d_model, config.d_model)
        self.out_projection = nn.Linear(config.d_model, config.d_model)

    def forward(self, x: Tensor) -> Tensor:
        """Attend over all positions of x (batch, length, d_model)."""
        # One product instead of three: x is rounded to the product's type, and its gradient
        # summed, once.
        projections = (self.query_projection, self.key_projection, self.value_projection)
        weight = torch.cat([projection.weight for projection in projections])
        bias = torch.cat([projection.bias for projection in projections])
        qkv = F.linear(x, weight, bias).unflatten(-1, (3, self.n_heads, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # (batch, heads, length, d)
        out = attention.parallel(attention.feature_map(q), attention.feature_map(k), v)
        return self.out_projection(out.transpose(1, 2).flatten(-2))

    def step(self, x: Tensor, state: LayerState) -> Tensor:
        """Attend from one position x (batch, d_model), updating the state."""
        q = attention.feature_map(self.query_projection(x))
        k = attention.feature_map(self.key_projection(x))
        v = self.value_projection(x)
        q, k, v = (y.unflatten(-1, (self.n_heads, -1)) for y in (q, k, v))
        out, state.kv, state.k_sum = attention.recurrent(q, k, v, state.kv, state.k_sum)
        return self.out_projection(out.flatten(-2))


class Layer(nn.Module):
    """Post-norm transformer layer."""

    def __init__(self, config: CMTConfig) -> None:
        super().__init__()
        self.attention = Attention(config)
        self.linear1 = nn.Linear(config.d_model, config.d_ff)
        self.linear2 = nn.Linear(config.d_ff, config.d_model)
        self.norm1 = nn.LayerNorm(config.d_model)
        self.norm2 = nn.LayerNorm(config.d_model)
        self.dropout = Dropout(config.dropout)

    def _combine(self, x: Tensor, attended: Tensor) -> Tensor:
        x = self.norm1(x + self.dropout(attended))
        y = self.dropout(F.gelu(self.linear1(x)))
        return self.norm2(x + self.dropout(self.linear2(y)))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, length, d_model) → the same."""
        return self._combine(x, self.attention(x))

    def step(self, x: Tensor, state: LayerState) -> Tensor:
        """(batch, d_model) → the same, updating the state."""
        return self._combine(x, self.attention.step(x, state))


class Encoder(nn.Module):
    """The stack of layers and a last LayerNorm."""

    def __init__(self, config: CMTConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.n_layers))
        self.norm = nn.LayerNorm(config.d_model)

    def forward(self, x: Tensor, checkpoint_activations: bool = False) -> Tensor:
        """(batch, length, d_model) → the same."""
        for layer in self.layers:
            x = checkpoint(layer, x, use_reentrant=False) if checkpoint_activations else layer(x)
        return self.norm(x)


class CMT(nn.Module):
    """Music as compound words: (batch, length, 9) in, logits of seven attributes out.

    The type of the next word is predicted first, its other attributes from the hidden state
    and that type (paper section 4.2).

    Args:
        config: the sizes.
    """

    def __init__(self, config: CMTConfig) -> None:
        super().__init__()
        self.config = config
        d = config.d_model
        for name, classes in zip(INITIAL_PARAMETERS, config.initial_sizes, strict=True):
            self.add_module(f"init_emb_{name}", Embedding(classes, config.initial_width))
        self.init_in_linear = nn.Linear(len(INITIAL_PARAMETERS) * config.initial_width, d)

        embedded = [field for field in FIELDS if field.width]
        width = {f.name: w for f, w in zip(embedded, config.widths, strict=True)}
        size = {f.name: s for f, s in zip(embedded, config.sizes, strict=True)}
        for field in embedded:
            self.add_module(
                f"encoder_emb_{field.parameter}", Embedding(size[field.name], width[field.name])
            )
        self.encoder_pos_emb = TickEncoding(d, config.dropout, config.meter)
        self.encoder_in_linear = nn.Linear(sum(width[field.name] for field in PREDICTED), d)
        self.encoder_time_linear = nn.Linear(width["p_beat"], d)
        self.transformer_encoder = Encoder(config)
        self.project_concat_type = nn.Linear(d + width["type"], d)
        for field in PREDICTED:
            self.add_module(f"proj_{field.parameter}", nn.Linear(d, size[field.name]))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.init_in_linear.weight.device

    def reserve(self, ticks: int) -> None:
        """Make room for songs of `ticks` ticks, where they are longer than the tick table."""
        self.encoder_pos_emb.reserve(ticks)

    def _embed(self, words: Tensor) -> Tensor:
        """Embed words (…, 9) into (…, d_model)."""
        vectors = {
            field.name: self.get_submodule(f"encoder_emb_{field.parameter}")(words[..., column])
            for column, field in enumerate(FIELDS)
            if field.width
        }
        attributes = torch.cat([vectors[field.name] for field in PREDICTED], dim=-1)
        x = self.encoder_in_linear(attributes) + self.encoder_time_linear(vectors["p_beat"])
        return self.encoder_pos_emb(x, words[..., MODEL_COLUMN["i_beat"]])

    def _embed_initial(self, initial: Tensor) -> Tensor:
        """Embed initial tokens (batch, 7, 3) into (batch, 7, d_model)."""
        vectors = [
            self.get_submodule(f"init_emb_{name}")(initial[..., column])
            for column, name in enumerate(INITIAL_PARAMETERS)
        ]
        return self.init_in_linear(torch.cat(vectors, dim=-1))

    def hidden(
        self, words: Tensor, initial: Tensor, checkpoint_activations: bool = False
    ) -> Tensor:
        """Hidden states of the initial tokens and all words, in parallel.

        Args:
            words: (batch, length, 9) classes in the order of FIELDS.
            initial: (batch, 7, 3) initial tokens (genre, key, instrument).
            checkpoint_activations: recompute layers in the backward pass to save memory.

        Returns:
            (batch, 7 + length, d_model).
        """
        x = torch.cat([self._embed_initial(initial), self._embed(words)], dim=1)
        return self.transformer_encoder(x, checkpoint_activations)

    def type_logits(self, hidden: Tensor) -> Tensor:
        """Logits (…, 3) of the next word's type from hidden states (…, d_model)."""
        return self.get_submodule(f"proj_{FIELD['type'].parameter}")(hidden)

    def attribute_logits(self, hidden: Tensor, types: Tensor) -> dict[str, Tensor]:
        """Logits of the next word's other six attributes, given its type.

        Args:
            hidden: (…, d_model).
            types: (…) the type of the next word: the target in training, the sample in decoding.

        Returns:
            Field name → (…, vocabulary size).
        """
        type_vector = self.get_submodule(f"encoder_emb_{FIELD['type'].parameter}")(types)
        x = self.project_concat_type(torch.cat([hidden, type_vector], dim=-1))
        return {
            field.name: self.get_submodule(f"proj_{field.parameter}")(x)
            for field in PREDICTED
            if field.name != "type"
        }

    def forward(
        self,
        words: Tensor,
        initial: Tensor,
        types: Tensor,
        checkpoint_activations: bool = False,
    ) -> dict[str, Tensor]:
        """Logits of each next word, for training.

        Args:
            words: (batch, length, 9).
            initial: (batch, 7, 3).
            types: (batch, length) type of each next word.
            checkpoint_activations: as in `hidden`.

        Returns:
            Field name → (batch, length, vocabulary size), in the order of PREDICTED.
        """
        hidden = self.hidden(words, initial, checkpoint_activations)[:, INITIAL_TOKENS:]
        logits = {"type": self.type_logits(hidden), **self.attribute_logits(hidden, types)}
        return {field.name: logits[field.name] for field in PREDICTED}

    def start(self, initial: Tensor) -> list[LayerState]:
        """State of each layer after reading initial tokens (batch, 7, 3)."""
        x = self._embed_initial(initial)
        heads = self.config.n_heads
        d = self.config.d_model // heads
        state = [
            LayerState(x.new_zeros(len(x), heads, d, d), x.new_zeros(len(x), heads, d))
            for _ in range(self.config.n_layers)
        ]
        for position in x.unbind(1):
            self._advance(position, state)
        return state

    def step(self, words: Tensor, state: list[LayerState]) -> Tensor:
        """Read one word per song (batch, 9), update `state`, return hidden (batch, d_model)."""
        return self._advance(self._embed(words), state)

    def _advance(self, x: Tensor, state: list[LayerState]) -> Tensor:
        for layer, layer_state in zip(self.transformer_encoder.layers, state, strict=True):
            assert isinstance(layer, Layer)
            x = layer.step(x, layer_state)
        return self.transformer_encoder.norm(x)


def losses(
    logits: Mapping[str, Tensor], targets: Tensor, mask: Tensor, total: Tensor | None = None
) -> dict[str, Tensor]:
    """Cross-entropy of each attribute, the mean over real words.

    Args:
        logits: field name → (batch, length, vocabulary size), as `CMT.forward` gives.
        targets: (batch, length, 9) the next words.
        mask: (batch, length), 1 for real words and 0 for padding.
        total: number of real words to divide by, where this batch is a part of a larger one.

    Returns:
        Field name → scalar, in nats; the training loss is their mean (paper section 4.2).
    """
    mask = mask.flatten().to(torch.float32)
    total = mask.sum() if total is None else total
    result = {}
    for name, predicted in logits.items():
        target = targets[..., MODEL_COLUMN[name]].flatten()
        loss = F.cross_entropy(predicted.flatten(0, 1).float(), target, reduction="none")
        result[name] = (loss * mask).sum() / total
    return result
