"""Products of few rows with weights that are read once each: at the speed of memory.

Here is the fastest layout of a matrix that there is for it, and the choice of the precision in
which its weights are kept.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor

from cmt.model.network import CMT, Layer

DTYPES = {"float32": torch.float32, "bf16": torch.bfloat16}  # of weights that are not "int8"
PRECISIONS = (*DTYPES, "int8")
AUTO = "auto"  # the fastest of them here
TRIAL = 0.05  # seconds that a precision is tried
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

    def multiplying(precision: str) -> Callable[[], object]:
        multiply = product(weight, bias, precision)
        return lambda: multiply(inputs)

    possible = DTYPES if weight.is_cuda else PRECISIONS
    with torch.inference_mode(), one_thread():
        times = {precision: seconds(multiplying(precision)) for precision in possible}
    best = PRECISIONS[0]
    for precision, time_of in times.items():
        if time_of * WORTH < times[best]:
            best = precision
    return best


def seconds(work: Callable[[], object]) -> float:
    """The shortest time that some work takes, of `TRIAL` seconds after the first, untimed one."""
    shortest = math.inf
    work()
    ends = time.perf_counter() + TRIAL
    while (began := time.perf_counter()) < ends or shortest == math.inf:
        work()
        if torch.cuda.is_initialized():
            torch.cuda.synchronize()
        shortest = min(shortest, time.perf_counter() - began)
    return shortest


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
