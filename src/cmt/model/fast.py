"""The model laid out for decoding, where each word reads all weights for a few rows only.

Reading them once, at the speed of memory, is the best that decoding can do. `FastCMT` gives the
numbers of `CMT.step` and `CMT.logits`, its readable twins, from fewer
products: what is linear in a row is multiplied out beforehand, and the matrices are kept in the
layout of the fastest product there is for few rows.
"""

from __future__ import annotations

import functools
import itertools
import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.special import expit
from torch import Tensor, nn

from cmt.model.heads import Chain
from cmt.model.network import CMT, Embedding, Layer, LayerState, attend
from cmt.model.window import Rotation
from cmt.music.vocabulary import FIELD, MODEL_COLUMN, Field

DTYPES = {"float32": torch.float32, "bf16": torch.bfloat16}  # of weights that are not "int8"
PRECISIONS = (*DTYPES, "int8")
AUTO = "auto"  # the fastest of them here
TRIAL = 0.25  # seconds that a precision is tried
WORTH = 1.5  # times as fast is what is less precise, if it is taken
SMALL = 2**18  # weights of a matrix that no precision makes faster
INT8_MAX = 127
FEW = 16  # rows for which oneDNN lays matrices out; it is good for fewer, too

Product = Callable[[Tensor], Tensor]


def product(weight: Tensor, bias: Tensor, precision: str = "float32") -> Product:
    """A linear layer for few rows: (rows, in) → (rows, out), both float32.

    The fastest products are no public part of PyTorch. Where a release lacks them, public ones give
    the same numbers more slowly.

    Args:
        weight: (out, in), float32.
        bias: (out,), float32.
        precision: of the weights: "float32", "bf16", or, on CPUs, "int8", with a scale for each
            output; this rounds the inputs to 7 bits, too, all rows with one scale.
    """
    if precision == "int8":
        return _int8_product(weight, bias)
    dtype = DTYPES[precision]
    weight, bias = weight.to(dtype), bias.to(dtype)
    if weight.is_cuda or not _has_onednn(dtype):
        return lambda x: F.linear(x.to(dtype), weight, bias).float()
    # F.linear has MKL multiply, which takes two to three times as long for few rows on AMD's
    # processors, and reorders bfloat16 weights at each call.
    packed = torch.ops.mkldnn._reorder_linear_weight(weight, FEW)
    bias = bias.contiguous()  # its strides are not looked at
    linear = torch.ops.mkldnn._linear_pointwise
    if dtype == torch.float32:
        return lambda x: linear(x, packed, bias, "none", [], "")
    return lambda x: linear(x.to(dtype), packed, bias, "none", [], "").float()


def fastest(model: CMT, rows: int) -> str:
    """The one of `PRECISIONS` whose products are clearly the fastest on this device, as measured.

    Where processors have units for bfloat16 it halves the time, where they have none it doubles it.
    What is about as fast as something more precise is not taken, so that the choice is always the
    same.

    Args:
        model: its feed-forward layers are tried.
        rows: songs that are decoded together.
    """
    linear = next(layer.linear1 for layer in model.modules() if isinstance(layer, Layer))
    weight, bias = linear.weight.detach(), linear.bias.detach()
    inputs = torch.ones(rows, weight.shape[1], device=weight.device)
    if weight.numel() < SMALL:
        return PRECISIONS[0]

    def seconds(precision: str) -> float:
        """The shortest time of a product."""
        multiply, shortest = product(weight, bias, precision), math.inf
        multiply(inputs)
        ends = time.perf_counter() + TRIAL
        while (began := time.perf_counter()) < ends:
            multiply(inputs)
            if weight.is_cuda:
                torch.cuda.synchronize()
            shortest = min(shortest, time.perf_counter() - began)
        return shortest

    possible = DTYPES if weight.is_cuda else PRECISIONS
    with torch.inference_mode(), one_thread():
        times = {precision: seconds(precision) for precision in possible}
    best = PRECISIONS[0]
    for precision, time_of in times.items():
        if time_of * WORTH < times[best]:
            best = precision
    return best


def row_scales(weight: Tensor) -> Tensor:
    """What a step of an integer of 8 bits is worth in each row of (rows, columns): (rows,)."""
    return weight.abs().amax(1).clamp(min=torch.finfo(weight.dtype).tiny).double() / INT8_MAX


def _int8_product(weight: Tensor, bias: Tensor) -> Product:
    """`product` of weights of 8 bits."""
    scales = row_scales(weight)
    zeros = torch.zeros(len(weight), dtype=torch.int32)
    if not _has(torch.ops.quantized, "linear_prepack", "linear_dynamic"):
        rounded = torch.fake_quantize_per_channel_affine(
            weight, scales.float(), zeros, 0, -INT8_MAX, INT8_MAX
        )
        return lambda x: F.linear(_rounded(x), rounded, bias)
    with warnings.catch_warnings():
        # PyTorch means to replace this; of what is there, nothing is as fast.
        warnings.simplefilter("ignore", UserWarning)
        quantized = torch.quantize_per_channel(weight, scales, zeros, 0, torch.qint8)
    packed = torch.ops.quantized.linear_prepack(quantized, bias)
    return lambda x: torch.ops.quantized.linear_dynamic(x, packed, reduce_range=True)


def _rounded(x: Tensor) -> Tensor:
    """Inputs on a grid of 128 values from the least to the greatest, 0 among them."""
    low, high = x.amin().clamp(max=0), x.amax().clamp(min=0)
    scale = ((high - low) / INT8_MAX).clamp(min=torch.finfo(x.dtype).tiny)
    zero = (-low / scale).round().int()
    return torch.fake_quantize_per_tensor_affine(x, scale, zero, 0, INT8_MAX)


def _has_onednn(dtype: torch.dtype) -> bool:
    """Whether PyTorch has oneDNN's products of this type for this processor."""
    ops = torch.ops.mkldnn
    if not torch.backends.mkldnn.is_available():
        return False
    if not _has(ops, "_reorder_linear_weight", "_linear_pointwise"):
        return False
    if dtype == torch.float32:
        return True
    return _has(ops, "_is_mkldnn_bf16_supported") and ops._is_mkldnn_bf16_supported()


def _has(operators: object, *names: str) -> bool:
    return all(hasattr(operators, name) for name in names)


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread, as decoding does.

    The products of a word are so short that a second thread gains nothing in a small model, and
    beside another program the two wait for each other at each: decoding took seven times as long.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class FastCMT:
    """A model that reads words one by one; as `CMT`, the type of the next word is said first.

    Args:
        model: in evaluation mode.
        precision: of the layers' weights, as in `product`; the rest is in float32.
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
        self.next_word = _next_word(model)

    @torch.inference_mode()
    def start(self, initial: Tensor) -> list[LayerState]:
        """State of each layer after reading initial tokens (batch, 7, 3)."""
        return self.model.start(initial)

    @torch.inference_mode()
    def step(self, words: Tensor, state: list[LayerState]) -> Tensor:
        """Read a word per song (batch, fields), update `state`, return hidden (batch, d_model)."""
        rows = words[:, self.columns] + self.first
        ticks = words[:, MODEL_COLUMN["i_beat"]]
        x = F.embedding_bag(rows, self.table, mode="sum") + self.model.encoder_pos_emb.pe[0, ticks]
        rotation = self.model.next_rotation(ticks, state)
        for layer, layer_state in zip(self.layers, state, strict=True):
            x = layer.step(x, layer_state, rotation)
        return self.model.transformer_encoder.norm(x)

    def kept(self, state: Sequence[LayerState], rows: Tensor) -> list[LayerState]:
        """The state of some of the songs."""
        return [layer.rows(rows) for layer in state]

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
        attend = layer.attention
        projections = (attend.query_projection, attend.key_projection, attend.value_projection)
        self.n_heads = attend.n_heads
        self.qkv = product(
            torch.cat([projection.weight for projection in projections]),
            torch.cat([projection.bias for projection in projections]),
            precision,
        )
        self.out, self.linear1, self.linear2 = (
            product(linear.weight, linear.bias, precision)
            for linear in (attend.out_projection, layer.linear1, layer.linear2)
        )
        self.norm1, self.norm2 = _norm(layer.norm1), _norm(layer.norm2)

    def step(self, x: Tensor, state: LayerState, rotation: Rotation | None) -> Tensor:
        """(batch, d_model) → the same, updating the state."""
        q, k, v = self.qkv(x).view(len(x), 3, self.n_heads, -1).unbind(1)
        out = attend(q, k, v, state, rotation)
        x = self.norm1(x + self.out(out.flatten(-2)))
        return self.norm2(x + self.linear2(F.gelu(self.linear1(x))))


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


def _next_word(model: CMT) -> Callable[[Tensor], Heads]:
    """What makes `Heads` of hidden states (batch, d_model)."""
    if model.chain is None:
        weight, bias, columns = _published_heads(model)
        heads = product(weight, torch.zeros_like(weight[:, 0]))
        return lambda hidden: _PublishedHeads((heads(hidden).unsqueeze(1) + bias), columns)
    first = product(model.chain.hidden.weight, model.chain.hidden.bias)
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
        x = self.said[:, place]
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
