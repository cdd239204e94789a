"""Dropout is PyTorch's, drawn faster."""

from __future__ import annotations

import pytest
import torch

from cmt.model.dropout import Dropout


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 1.0])
def test_dropout_drops_its_share_and_keeps_the_mean(p: float) -> None:
    torch.manual_seed(0)
    x = torch.ones(1001, 999, requires_grad=True)
    out = Dropout(p)(x)
    (out.sum()).backward()
    assert abs(float((out == 0).float().mean()) - p) < 0.002
    kept = out[out != 0]
    torch.testing.assert_close(
        kept, torch.full_like(kept, 1 / (1 - p) if p < 1 else 0.0), rtol=1e-4, atol=0
    )
    torch.testing.assert_close(x.grad, out.detach(), rtol=0, atol=0)
    assert Dropout(p).eval()(x) is x or torch.equal(Dropout(p).eval()(x), x)


def test_dropout_is_random_in_every_place() -> None:
    """Neighbours that come from one random number are independent."""
    torch.manual_seed(0)
    dropped = (Dropout(0.5)(torch.ones(400_000)) == 0).double().view(-1, 4)
    correlation = torch.corrcoef(dropped.T) - torch.eye(4)
    assert correlation.abs().max() < 0.02
