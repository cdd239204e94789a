"""The model laid out for decoding, where each word reads all weights for a few rows only.

Reading them once, at the speed of memory, is the best that decoding can do. `FastCMT` gives the
numbers of `CMT.step` and `CMT.logits`, its readable twins, from fewer
products: what is linear in a row is multiplied out beforehand, and the matrices are kept in the
layout of the fastest product there is for few rows.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.special import expit
from torch import Tensor, nn

from cmt.model.heads import Chain
from cmt.model.network import CMT, Embedding, Layer
from cmt.model.products import product
from cmt.model.recurrence import Memory, Ring, Sums
from cmt.model.window import frequencies
from cmt.music.vocabulary import FIELD, MODEL_COLUMN, Field


class FastCMT:
    """A model that reads words one by one; as `CMT`, the type of the next word is said first.

    Args:
        model: in evaluation mode.
        precision: of the weights of layers and heads, as in `product`; the rest is in float32.
    """

    @torch.inference_mode()
    def __init__(self, model: CMT, precision: str = "float32") -> None:
        self.model = model
        self.table, self.first = _word_table(model)
        embedded = [MODEL_COLUMN[field.name] for field in model.vocabulary.embedded]
        self.columns = torch.tensor(embedded, device=self.table.device)
        self.layers = [
            FastLayer(layer, precision)
            for layer in model.transformer_encoder.layers
            if isinstance(layer, Layer)
        ]
        self.norm = _norm(model.transformer_encoder.norm)
        self.turning = _turning(model)
        self.next_word = _next_word(model, precision)

    @torch.inference_mode()
    def start(self, initial: Tensor) -> list[Memory]:
        """What each layer remembers after reading initial tokens (batch, 7, 3)."""
        memories = [layer.memory(len(initial)) for layer in self.layers]
        ticks = torch.zeros_like(initial[:, 0, 0])
        for x in self.model.embed_initial(initial).unbind(1):
            self._advance(x, ticks, memories)
        return memories

    @torch.inference_mode()
    def step(self, words: Tensor, memories: list[Memory]) -> Tensor:
        """Read a word per song (batch, fields), remember it, return hidden (batch, d_model)."""
        rows = words[:, self.columns] + self.first
        ticks = words[:, MODEL_COLUMN["i_beat"]]
        x = F.embedding_bag(rows, self.table, mode="sum") + self.model.encoder_pos_emb.pe[0, ticks]
        return self._advance(x, ticks, memories)

    def _advance(self, x: Tensor, ticks: Tensor, memories: list[Memory]) -> Tensor:
        turn = self.turning and self.turning(ticks, memories)
        for layer, memory in zip(self.layers, memories, strict=True):
            x = layer.step(x, memory, turn)
        return self.norm(x)

    def kept(self, memories: Sequence[Memory], rows: Tensor) -> list[Memory]:
        """What is remembered of some of the songs."""
        return [memory.rows(rows) for memory in memories]

    @property
    def chained(self) -> bool:
        """Whether the head of an attribute knows those drawn before it."""
        return self.model.chain is not None

    @torch.inference_mode()
    def heads(self, hidden: Tensor) -> Heads:
        """What says the attributes of the next words, from hidden states (batch, d_model)."""
        return self.next_word(hidden)


class FastLayer:
    """A layer of the transformer; its readable twin is `cmt.model.network.Layer`."""

    def __init__(self, layer: Layer, precision: str) -> None:
        self.attention = layer.attention
        self.remembering: type[Memory] = Ring if layer.attention.window else Sums
        self.qkv = product(*self.remembering.arranged(layer.attention), precision)
        self.out, self.linear1, self.linear2 = (
            product(linear.weight, linear.bias, precision)
            for linear in (layer.attention.out_projection, layer.linear1, layer.linear2)
        )
        self.norm1, self.norm2 = _norm(layer.norm1), _norm(layer.norm2)

    def memory(self, songs: int) -> Memory:
        """Of songs of which no word was read."""
        return self.remembering.of_nothing(songs, self.attention)

    def step(self, x: Tensor, memory: Memory, turn: Tensor | None) -> Tensor:
        """(batch, d_model) → the same; the word is remembered."""
        x = self.norm1(x + self.out(memory.attend(self.qkv(x), turn)))
        return self.norm2(x + self.linear2(F.gelu(self.linear1(x))))


def _turning(model: CMT) -> Callable[[Tensor, Sequence[Memory]], Tensor] | None:
    """Makes what turns the features of words (batch,) at some ticks, for `Ring.attend`."""
    config = model.config
    if not config.windowed:
        return None
    d, first = config.d_model // config.n_heads, config.windowed[0]
    by_word, by_tick = frequencies(d, config.window, model.device)
    one = torch.ones_like(by_word).expand(2, -1).flatten()

    def turn(ticks: Tensor, memories: Sequence[Memory]) -> Tensor:
        ring = memories[first]
        assert isinstance(ring, Ring)
        angles = torch.outer(ticks, by_tick)
        of_words = (by_word * ring.count).expand_as(angles)
        turns = torch.polar(one, torch.cat([of_words, angles], dim=-1))
        return turns.to(torch.complex64)[:, None, None]

    return turn


def _norm(norm: nn.LayerNorm) -> Callable[[Tensor], Tensor]:
    """A LayerNorm without what a module's call costs: after all those weights no cache is warm."""
    return functools.partial(
        torch.layer_norm,
        normalized_shape=norm.normalized_shape,
        weight=norm.weight,
        bias=norm.bias,
        eps=norm.eps,
    )


def _word_table(model: CMT) -> tuple[Tensor, Tensor]:
    """What each class of each field adds to the input of the first layer.

    Returns:
        (classes of all embedded fields, d_model), and the first row of each of these fields.
    """
    tables = {field.name: _vectors(model, field) for field in model.vocabulary.embedded}
    attributes, time = model.encoder_in_linear, model.encoder_time_linear
    predicted = model.vocabulary.predicted
    widths = [tables[field.name].shape[1] for field in predicted]
    parts = attributes.weight.double().split(widths, dim=1)
    inputs = {field.name: part for field, part in zip(predicted, parts, strict=True)}
    inputs["p_beat"] = time.weight.double()
    rows = {name: table @ inputs[name].T for name, table in tables.items()}
    # A word has one class of each field, so that the biases may go with any field.
    rows["p_beat"] += attributes.bias + time.bias
    first = [0, *itertools.accumulate(len(table) for table in rows.values())][:-1]
    table = torch.cat(list(rows.values())).to(attributes.weight.dtype)
    return table, torch.tensor(first, device=table.device)


class Heads(Protocol):
    """The attributes of the next words of some songs, one after another."""

    def logits(self, name: str, words: Sequence[Mapping[str, int]]) -> NDArray[np.float64]:
        """Logits (songs, classes) of an attribute, given those of the words that were drawn."""

    def ahead(
        self, name: str, song: int, words: Sequence[Mapping[str, int]]
    ) -> NDArray[np.float64]:
        """Logits (words, classes) given words that may come next in a song; none is settled."""


def _next_word(model: CMT, precision: str) -> Callable[[Tensor], Heads]:
    """What makes `Heads` of hidden states (batch, d_model)."""
    if model.chain is None:
        weight, bias, columns = _published_heads(model)
        heads = product(weight, torch.zeros_like(weight[:, 0]), precision)
        return lambda hidden: _PublishedHeads((heads(hidden).unsqueeze(1) + bias), columns)
    first = product(model.chain.hidden.weight, model.chain.hidden.bias, precision)
    layers = _chain_layers(model.chain)
    return lambda hidden: _ChainedHeads(first(hidden), layers)


class _PublishedHeads:
    """Heads that know the type alone: all of them, for each type, at once.

    Args:
        logits: (songs, types, classes of all fields). The type's own do not depend on it.
        columns: field name → its columns.
    """

    def __init__(self, logits: Tensor, columns: Mapping[str, slice]) -> None:
        self.all = logits.cpu().numpy().astype(np.float64)
        self.columns = columns

    def logits(self, name: str, words: Sequence[Mapping[str, int]]) -> NDArray[np.float64]:
        """As `Heads` says."""
        types = [word.get("type", 0) for word in words]
        return self.all[np.arange(len(words)), types, self.columns[name]]

    def ahead(
        self, name: str, song: int, words: Sequence[Mapping[str, int]]
    ) -> NDArray[np.float64]:
        """As `Heads` says."""
        types = [word["type"] for word in words]
        return self.all[song, types, self.columns[name]]


# Of each attribute: what its classes say to all heads (classes, heads, width); the weight (width,
# classes) and bias of its own head. In NumPy, whose calls on small arrays cost less.
_ChainLayers = Mapping[str, tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]


class _ChainedHeads:
    """Heads that know the attributes before them, asked for in the order of `Chain.drawn`.

    Args:
        hidden: (songs, heads · width), what the hidden state says to each head.
        layers: see `_ChainLayers`.
    """

    def __init__(self, hidden: Tensor, layers: _ChainLayers) -> None:
        self.drawn = list(layers)
        self.said = hidden.cpu().numpy().reshape(len(hidden), len(layers), -1).copy()
        self.layers = layers
        self.known = 0  # attributes that are in `said`

    def logits(self, name: str, words: Sequence[Mapping[str, int]]) -> NDArray[np.float64]:
        """As `Heads` says."""
        place = self.drawn.index(name)
        for before in self.drawn[self.known : place]:
            self.said += self.layers[before][0][[word[before] for word in words]]
        self.known = place
        return self._head(name, self.said[:, place])

    def ahead(
        self, name: str, song: int, words: Sequence[Mapping[str, int]]
    ) -> NDArray[np.float64]:
        """As `Heads` says."""
        place = self.drawn.index(name)
        said = np.repeat(self.said[song : song + 1, place], len(words), axis=0)
        for before in self.drawn[self.known : place]:
            said += self.layers[before][0][[word[before] for word in words], place]
        return self._head(name, said)

    def _head(self, name: str, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """Logits (rows, classes) from what is said to a head (rows, width)."""
        _, weight, bias = self.layers[name]
        logits: NDArray[np.float64] = ((x * expit(x)) @ weight + bias).astype(np.float64)
        return logits


def _chain_layers(chain: Chain) -> _ChainLayers:
    layers = {}
    for name in chain.drawn:
        weight, bias = chain.head(name).weight.cpu().numpy(), chain.head(name).bias.cpu().numpy()
        said = np.zeros((len(weight), len(chain.drawn), chain.width), np.float32)
        if name != chain.drawn[-1]:
            said[:] = chain.table(name).weight.cpu().numpy().reshape(said.shape)
        layers[name] = (said, np.ascontiguousarray(weight.T), bias)
    return layers


def _published_heads(model: CMT) -> tuple[Tensor, Tensor, dict[str, slice]]:
    """All heads as one product.

    Returns:
        The weight (classes of all predicted fields, d_model), the bias (types, classes) that
        goes with each type, and each field's columns.
    """
    project = model.project_concat_type
    d_model = project.out_features
    of_hidden, of_type = project.weight.double().split((d_model, project.in_features - d_model), 1)
    by_type = _vectors(model, FIELD["type"]) @ of_type.T + project.bias
    weights, biases, columns = [], [], {}
    end = 0
    for field in model.vocabulary.predicted:
        head = model.get_submodule(f"proj_{field.parameter}")
        assert isinstance(head, nn.Linear)
        weight, bias = head.weight.double(), head.bias.expand(len(by_type), -1)
        if field.name != "type":
            weight, bias = weight @ of_hidden, by_type @ weight.T + bias
        weights.append(weight)
        biases.append(bias)
        columns[field.name] = slice(end, end + len(weight))
        end += len(weight)
    dtype = project.weight.dtype
    return torch.cat(weights).to(dtype), torch.cat(biases, dim=1).to(dtype), columns


def _vectors(model: CMT, field: Field) -> Tensor:
    """The vector of each class of a field, (classes, width), float64."""
    embedding = model.get_submodule(f"encoder_emb_{field.parameter}")
    assert isinstance(embedding, Embedding)
    return embedding.lut.weight.double() * embedding.scale
