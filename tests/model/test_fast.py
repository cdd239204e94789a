"""The fast model gives what the model does: exactly in float32, nearly with rounded weights."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from cmt.control import CONTROL_COLUMNS
from cmt.measures.obedience import control_error
from cmt.model import products
from cmt.model.fast import FastCMT
from cmt.model.network import CMT
from cmt.model.products import product
from cmt.music.vocabulary import BAR, FIELD, FIELDS, INITIAL_TOKENS, MODEL_COLUMN
from cmt.music.words import words_to_song
from conftest import SMALL, takes_of

BAR_ROWS = np.array([(BAR, 9, 0, 16 * bar, 64, 1 + 25 * bar) for bar in range(4)])


def outputs(model: CMT, songs: int, precision: str) -> tuple[Tensor, Tensor]:
    """The fast model's hidden states and logits of random words, less those of the model."""
    generator = torch.Generator().manual_seed(songs)
    columns = [torch.randint(f.size, (12, songs), generator=generator) for f in FIELDS]
    initial = torch.zeros(songs, INITIAL_TOKENS, 3, dtype=torch.int64)
    fast = FastCMT(model, precision)
    ours, twin = fast.start(initial), model.start(initial)
    hidden_differences, differences = [], []
    for words in torch.stack(columns, dim=-1):
        expected = model.step(words, twin)
        hidden = fast.step(words, ours)
        hidden_differences.append(hidden - expected)
        for kind in range(FIELD["type"].size):
            following = words.clone()
            following[:, MODEL_COLUMN["type"]] = kind
            wanted, heads = model.logits(expected, following), fast.heads(hidden)
            drawn = [dict(zip(MODEL_COLUMN, row, strict=False)) for row in following.tolist()]
            for name in model.vocabulary.drawn:
                differences.append(
                    (torch.from_numpy(heads.logits(name, drawn)) - wanted[name]).flatten()
                )
    return torch.stack(hidden_differences), torch.cat(differences)


@torch.no_grad()
@pytest.mark.parametrize("songs", [1, 3])
def test_float32_is_the_model(recorded_model: CMT, songs: int) -> None:
    for difference in outputs(recorded_model, songs, "float32"):
        assert difference.abs().max() < 2e-5


@torch.no_grad()
def test_chained_heads_are_the_model_s() -> None:
    torch.manual_seed(0)
    model = CMT(dataclasses.replace(SMALL, chain=24)).eval()
    for difference in outputs(model, 3, "float32"):
        assert difference.abs().max() < 2e-5


@torch.no_grad()
def test_the_fastest_precision_is_the_one_whose_products_are(
    recorded_model: CMT, small_model: CMT, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = {"float32": 0.003, "bf16": 0.001, "int8": 0.002}

    def slow(weight: Tensor, bias: Tensor, precision: str) -> Callable[[Tensor], Tensor]:
        def multiply(x: Tensor) -> Tensor:
            time.sleep(seconds[precision])
            return x

        return multiply

    monkeypatch.setattr(products, "product", slow)
    monkeypatch.setattr(products, "TRIAL", 0.02)
    assert products.fastest(recorded_model, 1) == "bf16"
    seconds["int8"] = 0.0008  # not worth what it rounds
    assert products.fastest(recorded_model, 1) == "bf16"
    seconds["int8"] = 0.0004
    assert products.fastest(recorded_model, 1) == "int8"
    assert products.fastest(small_model, 1) == "float32"


@pytest.mark.parametrize(("precision", "tolerance"), [("bf16", 0.01), ("int8", 0.05)])
def test_rounded_weights_are_near_it(recorded_model: CMT, precision: str, tolerance: float) -> None:
    hidden, logits = outputs(recorded_model, 2, precision)
    for difference in (hidden, logits):  # root mean square; hidden states have 1
        assert 1e-4 < difference.square().mean().sqrt() < tolerance


def test_int8_rounds_each_output_by_its_own_largest_weight() -> None:
    weight = torch.tensor([[127.0, 0.4, -2.0], [0.127, 0.0004, 0.0], [0.0, 0.0, 0.0]])
    bias = torch.tensor([0.0, 1.0, 2.0])
    with torch.inference_mode():
        identity = product(weight, bias, "int8")(torch.eye(3)).T
    expected = torch.tensor([[127.0, 0.0, -2.0], [1.127, 1.0, 1.0], [2.0, 2.0, 2.0]])
    torch.testing.assert_close(identity, expected, rtol=0.01, atol=0.01)


@pytest.mark.parametrize(
    ("precision", "tolerance"), [("float32", 1e-6), ("bf16", 2**-8), ("int8", 1e-6)]
)
def test_products_without_private_operators_give_the_same_numbers(
    precision: str, tolerance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = torch.Generator().manual_seed(0)
    weight, bias = torch.randn(50, 65, generator=generator).split((64, 1), dim=1)
    x = torch.randn(3, 64, generator=generator)
    inputs = (x, x + 3, x - 3, torch.zeros(3, 64))
    with torch.inference_mode():
        private = [product(weight, bias[:, 0], precision)(rows) for rows in inputs]
        for name in ("mkldnn", "quantized"):
            monkeypatch.setattr(torch.ops, name, object())
        public = [product(weight, bias[:, 0], precision)(rows) for rows in inputs]
    for got, expected in zip(public, private, strict=True):
        largest = float(expected.abs().max())
        torch.testing.assert_close(got, expected, rtol=0, atol=tolerance * largest)


@pytest.mark.parametrize("precision", ["bf16", "int8"])
def test_exact_control_is_exact_in_any_precision(small_model: CMT, precision: str) -> None:
    assert BAR_ROWS.shape[1] == len(CONTROL_COLUMNS)
    for take in takes_of(small_model, BAR_ROWS, songs=2, precision=precision):
        error = control_error(words_to_song(take.words), take.plan)
        assert (error.density, error.strength, error.time) == (0, 0, 0)
