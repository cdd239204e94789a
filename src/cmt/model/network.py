"""The Controllable Music Transformer: attention layers between embeddings and heads.

Parameter names and shapes are the original's (original: model.py and
pytorch-fast-transformers' TransformerEncoder), so its checkpoints load unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from cmt.model import attention, window
from cmt.model.config import CMTConfig
from cmt.model.dropout import Dropout
from cmt.model.embedding import Embedding, TickEncoding
from cmt.model.heads import Chain
from cmt.model.window import Rotation, WindowState
from cmt.music.vocabulary import FIELD, INITIAL_PARAMETERS, INITIAL_TOKENS, MODEL_COLUMN


@dataclass
class LinearState:
    """What decoding remembers in a layer of linear attention: sums over all the past.

    Attributes:
        kv: sum of k ⊗ v over all positions so far, (batch, heads, d, d), d = d_model / heads.
        k_sum: sum of k, (batch, heads, d).
    """

    kv: Tensor
    k_sum: Tensor

    def rows(self, rows: Tensor) -> LinearState:
        """The state of some songs of the batch."""
        return LinearState(self.kv[rows], self.k_sum[rows])


# What decoding remembers of the past in one layer, constant in size.
LayerState = LinearState | WindowState


class Attention(nn.Module):
    """Multi-head causal attention with its four projections: linear, or over a window of words.

    Args:
        config: the sizes.
        window: words attended to by softmax; 0 is linear attention over all.
    """

    def __init__(self, config: CMTConfig, window: int = 0) -> None:
        super().__init__()
        self.n_heads = config.n_heads
        self.window = window
        self.query_projection = nn.Linear(config.d_model, config.d_model)
        self.key_projection = nn.Linear(config.d_model, config.d_model)
        self.value_projection = nn.Linear(config.d_model, config.d_model)
        self.out_projection = nn.Linear(config.d_model, config.d_model)

    def forward(self, x: Tensor, rotation: Rotation | None) -> Tensor:
        """Attend over all positions of x (batch, length, d_model); windows need their rotation."""
        # One product instead of three: x is rounded to the product's type, and its gradient
        # summed, once.
        projections = (self.query_projection, self.key_projection, self.value_projection)
        weight = torch.cat([projection.weight for projection in projections])
        bias = torch.cat([projection.bias for projection in projections])
        qkv = F.linear(x, weight, bias).unflatten(-1, (3, self.n_heads, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # (batch, heads, length, d)
        if rotation is not None and self.window:
            out = window.banded(rotation(q), rotation(k), v, self.window)
        else:
            out = attention.parallel(attention.feature_map(q), attention.feature_map(k), v)
        return self.out_projection(out.transpose(1, 2).flatten(-2))

    def step(self, x: Tensor, state: LayerState, rotation: Rotation | None) -> Tensor:
        """Attend from one position x (batch, d_model), updating the state."""
        projections = (self.query_projection, self.key_projection, self.value_projection)
        q, k, v = (project(x).unflatten(-1, (self.n_heads, -1)) for project in projections)
        return self.out_projection(attend(q, k, v, state, rotation).flatten(-2))


def attend(q: Tensor, k: Tensor, v: Tensor, state: LayerState, rotation: Rotation | None) -> Tensor:
    """One position of either attention, updating the state: (batch, heads, d) → the same."""
    if isinstance(state, WindowState):
        assert rotation is not None
        return window.recurrent(rotation(q), rotation(k), v, state)
    q, k = attention.feature_map(q), attention.feature_map(k)
    out, state.kv, state.k_sum = attention.recurrent(q, k, v, state.kv, state.k_sum)
    return out


class Layer(nn.Module):
    """Post-norm transformer layer, with attention as `Attention` says."""

    def __init__(self, config: CMTConfig, window: int = 0) -> None:
        super().__init__()
        self.attention = Attention(config, window)
        self.linear1 = nn.Linear(config.d_model, config.d_ff)
        self.linear2 = nn.Linear(config.d_ff, config.d_model)
        self.norm1 = nn.LayerNorm(config.d_model)
        self.norm2 = nn.LayerNorm(config.d_model)
        self.dropout = Dropout(config.dropout)

    def _combine(self, x: Tensor, attended: Tensor) -> Tensor:
        x = self.norm1(x + self.dropout(attended))
        y = self.dropout(F.gelu(self.linear1(x)))
        return self.norm2(x + self.dropout(self.linear2(y)))

    def forward(self, x: Tensor, rotation: Rotation | None) -> Tensor:
        """(batch, length, d_model) → the same."""
        return self._combine(x, self.attention(x, rotation))

    def step(self, x: Tensor, state: LayerState, rotation: Rotation | None) -> Tensor:
        """(batch, d_model) → the same, updating the state."""
        return self._combine(x, self.attention.step(x, state, rotation))


class Encoder(nn.Module):
    """The stack of layers and a last LayerNorm."""

    def __init__(self, config: CMTConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            Layer(config, config.window if index in config.windowed else 0)
            for index in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(config.d_model)

    def forward(
        self, x: Tensor, rotation: Rotation | None, checkpoint_activations: bool = False
    ) -> Tensor:
        """(batch, length, d_model) → the same."""
        for layer in self.layers:
            if checkpoint_activations:
                x = checkpoint(layer, x, rotation, use_reentrant=False)
            else:
                x = layer(x, rotation)
        return self.norm(x)


class CMT(nn.Module):
    """Music as compound words: (batch, length, fields) in, logits of the attributes out.

    The fields are those of the vocabulary, nine in the published one. The type of the next word is
    predicted first, its other attributes from the hidden state and that type (paper section 4.2),
    or as `cmt.model.heads.Chain` says.

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

        self.vocabulary = config.vocabulary
        embedded = self.vocabulary.embedded
        width = {f.name: w for f, w in zip(embedded, config.widths, strict=True)}
        size = {f.name: s for f, s in zip(embedded, config.sizes, strict=True)}
        for field in embedded:
            self.add_module(
                f"encoder_emb_{field.parameter}", Embedding(size[field.name], width[field.name])
            )
        self.encoder_pos_emb = TickEncoding(d, config.dropout, config.meter)
        inputs = sum(width[field.name] for field in self.vocabulary.predicted)
        self.encoder_in_linear = nn.Linear(inputs, d)
        self.encoder_time_linear = nn.Linear(width["p_beat"], d)
        self.transformer_encoder = Encoder(config)
        self.chain = Chain(config) if config.chain else None
        if not config.chain:
            self.project_concat_type = nn.Linear(d + width["type"], d)
            for field in self.vocabulary.predicted:
                self.add_module(f"proj_{field.parameter}", nn.Linear(d, size[field.name]))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.init_in_linear.weight.device

    def reserve(self, ticks: int) -> None:
        """Make room for songs of `ticks` ticks, where they are longer than the tick table."""
        self.encoder_pos_emb.reserve(ticks)

    def _embed(self, words: Tensor) -> Tensor:
        """Embed words (…, fields) into (…, d_model)."""
        vectors = {
            field.name: self.get_submodule(f"encoder_emb_{field.parameter}")(words[..., column])
            for column, field in enumerate(self.vocabulary.fields)
            if field.width
        }
        attributes = torch.cat([vectors[field.name] for field in self.vocabulary.predicted], dim=-1)
        x = self.encoder_in_linear(attributes) + self.encoder_time_linear(vectors["p_beat"])
        return self.encoder_pos_emb(x, words[..., MODEL_COLUMN["i_beat"]])

    def embed_initial(self, initial: Tensor) -> Tensor:
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
            words: (batch, length, fields) classes in the order of the vocabulary.
            initial: (batch, 7, 3) initial tokens (genre, key, instrument).
            checkpoint_activations: recompute layers in the backward pass to save memory.

        Returns:
            (batch, 7 + length, d_model).
        """
        x = torch.cat([self.embed_initial(initial), self._embed(words)], dim=1)
        ticks = F.pad(words[..., MODEL_COLUMN["i_beat"]], (INITIAL_TOKENS, 0))
        rotation = self.rotation(torch.arange(x.shape[1], device=x.device), ticks)
        return self.transformer_encoder(x, rotation, checkpoint_activations)

    def rotation(self, index: Tensor, ticks: Tensor) -> Rotation | None:
        """Of words (batch, …) at places `index` (…) and `ticks` (batch, …), for all heads.

        None where no layer has a window.
        """
        config = self.config
        if not config.windowed:
            return None
        d = config.d_model // config.n_heads
        of_words = window.rotation(index.expand(ticks.shape), ticks, d, config.window)
        return Rotation(of_words.cos.unsqueeze(1), of_words.sin.unsqueeze(1))

    def type_logits(self, hidden: Tensor) -> Tensor:
        """Logits (…, 3) of the next word's type from hidden states (…, d_model)."""
        return self.get_submodule(f"proj_{FIELD['type'].parameter}")(hidden)

    def attribute_logits(self, hidden: Tensor, types: Tensor) -> dict[str, Tensor]:
        """Logits of the next word's other six attributes, given its type, of the published heads.

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
            for field in self.vocabulary.predicted
            if field.name != "type"
        }

    def logits(self, hidden: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Logits of each attribute of the next words, given those of its attributes before it.

        Args:
            hidden: (…, d_model).
            targets: (…, fields) the next words.

        Returns:
            Field name → (…, vocabulary size), in the order of the vocabulary.
        """
        if self.chain is not None:
            logits = self.chain(hidden, targets)
        else:
            types = targets[..., MODEL_COLUMN["type"]]
            logits = {"type": self.type_logits(hidden), **self.attribute_logits(hidden, types)}
        return {field.name: logits[field.name] for field in self.vocabulary.predicted}

    def forward(
        self,
        words: Tensor,
        initial: Tensor,
        targets: Tensor,
        checkpoint_activations: bool = False,
    ) -> dict[str, Tensor]:
        """Logits of each next word, for training.

        Args:
            words: (batch, length, fields).
            initial: (batch, 7, 3).
            targets: (batch, length, fields) the next words.
            checkpoint_activations: as in `hidden`.

        Returns:
            Field name → (batch, length, vocabulary size), in the order of the vocabulary.
        """
        hidden = self.hidden(words, initial, checkpoint_activations)[:, INITIAL_TOKENS:]
        return self.logits(hidden, targets)

    def start(self, initial: Tensor) -> list[LayerState]:
        """State of each layer after reading initial tokens (batch, 7, 3)."""
        x = self.embed_initial(initial)
        state = [self._first_state(x, index) for index in range(self.config.n_layers)]
        ticks = torch.zeros_like(initial[:, 0, 0])
        for position in x.unbind(1):
            self._advance(position, ticks, state)
        return state

    def _first_state(self, x: Tensor, layer: int) -> LayerState:
        """The state of a layer that has read nothing, for songs (batch, …)."""
        config = self.config
        batch, heads, d = len(x), config.n_heads, config.d_model // config.n_heads
        if layer in config.windowed:
            shape = (batch, heads, config.window, d)
            return WindowState(x.new_zeros(shape), x.new_zeros(shape))
        return LinearState(x.new_zeros(batch, heads, d, d), x.new_zeros(batch, heads, d))

    def step(self, words: Tensor, state: list[LayerState]) -> Tensor:
        """Read a word per song (batch, fields), update `state`, return hidden (batch, d_model)."""
        return self._advance(self._embed(words), words[:, MODEL_COLUMN["i_beat"]], state)

    def _advance(self, x: Tensor, ticks: Tensor, state: list[LayerState]) -> Tensor:
        rotation = self.next_rotation(ticks, state)
        for layer, layer_state in zip(self.transformer_encoder.layers, state, strict=True):
            assert isinstance(layer, Layer)
            x = layer.step(x, layer_state, rotation)
        return self.transformer_encoder.norm(x)

    def next_rotation(self, ticks: Tensor, state: Sequence[LayerState]) -> Rotation | None:
        """Of the words that are read next, at `ticks` (batch,)."""
        read = next((layer.count for layer in state if isinstance(layer, WindowState)), 0)
        return self.rotation(ticks.new_tensor(read), ticks)


def losses(
    logits: Mapping[str, Tensor], targets: Tensor, mask: Tensor, total: Tensor | None = None
) -> dict[str, Tensor]:
    """Cross-entropy of each attribute, the mean over real words.

    Args:
        logits: field name → (batch, length, vocabulary size), as `CMT.forward` gives.
        targets: (batch, length, fields) the next words.
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
