"""The forms of attention give the same values and gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cmt.model import attention


def inputs(length: int, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    generator = torch.Generator().manual_seed(length)
    q, k, v = torch.randn(3, 2, 3, length, 8, dtype=dtype, generator=generator)
    leaves = [attention.feature_map(q), attention.feature_map(k), v]
    return [leaf.requires_grad_() for leaf in leaves]


def recurrent_over(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    kv = q.new_zeros(*q.shape[:2], q.shape[-1], v.shape[-1])
    k_sum = q.new_zeros(*q.shape[:2], q.shape[-1])
    out = []
    for i in range(q.shape[2]):
        y, kv, k_sum = attention.recurrent(q[:, :, i], k[:, :, i], v[:, :, i], kv, k_sum)
        out.append(y)
    return torch.stack(out, dim=2)


@pytest.mark.parametrize("length", [1, 15, 16, 17, 50])
@pytest.mark.parametrize("form", ["chunked", "recurrent"])
def test_forms_equal_the_quadratic_twin(length: int, form: str) -> None:
    q, k, v = inputs(length)
    expected = attention.quadratic(q, k, v)
    got = attention.chunked(q, k, v, chunk=16) if form == "chunked" else recurrent_over(q, k, v)
    torch.testing.assert_close(got, expected, rtol=1e-11, atol=1e-12)

    weight = torch.randn_like(expected)
    wanted = torch.autograd.grad((expected * weight).sum(), (q, k, v))
    gradients = torch.autograd.grad((got * weight).sum(), (q, k, v))
    for gradient, reference in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(gradient, reference, rtol=1e-9, atol=1e-11)


def test_first_position_attends_to_itself_alone() -> None:
    q, k, v = inputs(20)
    out = attention.chunked(q, k, v, chunk=8)
    torch.testing.assert_close(out[:, :, 0], v[:, :, 0], rtol=1e-5, atol=1e-5)


def test_bfloat16_sums_do_not_lose_small_terms_over_long_songs() -> None:
    """Equal weights give the mean of the values, also at the 10,000th position."""
    ones = torch.ones(1, 1, 10_000, 16, dtype=torch.bfloat16)
    out = attention.chunked(ones, ones, 2 * ones)
    torch.testing.assert_close(out.float(), torch.full_like(out, 2.0).float(), rtol=0.01, atol=0)


@pytest.mark.skipif(
    not (torch.cuda.is_available() and attention.has_fused()),
    reason="needs a CUDA device and flash-linear-attention (extra gpu)",
)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-2), (torch.bfloat16, 3e-2)])
@pytest.mark.parametrize("length", [1, 63, 64, 1000])
def test_the_cuda_kernel_equals_the_quadratic_twin(
    length: int, dtype: torch.dtype, tolerance: float
) -> None:
    """Within what matrix products in TF32 and bfloat16 leave of the mean of values near 1."""
    generator = torch.Generator().manual_seed(length)
    q, k, v = torch.randn(3, 2, 8, length, 64, generator=generator).cuda()
    exact = [attention.feature_map(q), attention.feature_map(k), v]
    exact = [leaf.double().requires_grad_() for leaf in exact]
    rounded = [leaf.detach().to(dtype).requires_grad_() for leaf in exact]
    expected, got = attention.quadratic(*exact), attention.parallel(*rounded)
    assert got.dtype == dtype
    torch.testing.assert_close(got.double(), expected, rtol=tolerance, atol=tolerance)
    weight = torch.randn_like(expected)
    wanted = torch.autograd.grad((expected * weight).sum(), exact)
    gradients = torch.autograd.grad((got * weight.to(dtype)).sum(), rounded)
    for gradient, reference in zip(gradients, wanted, strict=True):
        error = (gradient.double() - reference).norm() / reference.norm()
        assert error < tolerance
