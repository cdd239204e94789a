"""Muon: PyTorch's steps, in either precision."""

from __future__ import annotations

import pytest
import torch

from cmt.training.muon import SMALL, Muon, fastest, orthogonalised


def after(steps: int, optimizer: type, shape: tuple[int, int], **options: object) -> torch.Tensor:
    """A matrix after some steps with the gradients of one seed."""
    random = torch.Generator().manual_seed(3)
    matrix = torch.nn.Parameter(torch.randn(shape, generator=random))
    moves = optimizer([matrix], lr=0.02, weight_decay=0.1, **options)
    for _ in range(steps):
        matrix.grad = torch.randn(shape, generator=random)
        moves.step()
    return matrix.detach()


@pytest.mark.parametrize("shape", [(24, 40), (40, 24)])
def test_steps_are_those_of_pytorch(shape: tuple[int, int]) -> None:
    theirs = after(5, torch.optim.Muon, shape, adjust_lr_fn="match_rms_adamw")
    torch.testing.assert_close(after(5, Muon, shape, dtype=torch.bfloat16), theirs)
    exact = after(5, Muon, shape, dtype=torch.float32)
    torch.testing.assert_close(exact, theirs, atol=0.005, rtol=0)
    assert not torch.equal(exact, theirs)


def test_all_directions_move_alike() -> None:
    matrix = torch.randn(30, 50, generator=torch.Generator().manual_seed(1))
    matrix[0] *= 100
    values = torch.linalg.svdvals(orthogonalised(matrix, torch.float32))
    assert values.min() > 0.3
    assert values.max() < 1.3


def test_a_small_matrix_is_multiplied_in_float32() -> None:
    # Whether bfloat16 is faster depends on the processor: a resumed training must not.
    assert fastest(torch.ones(1, SMALL - 1)) == torch.float32
