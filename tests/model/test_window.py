"""The forms of windowed attention give the same values and gradients; so do models that have it."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from cmt.model import checkpoint, window
from cmt.model.fast import FastCMT
from cmt.model.network import CMT
from cmt.music.vocabulary import FIELDS, INITIAL_TOKENS, MODEL_COLUMN
from conftest import SMALL

WINDOW = 16
HYBRID = dataclasses.replace(SMALL, windowed=(0,), window=WINDOW)


def inputs(length: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(length)
    leaves = torch.randn(3, 2, 3, length, 8, dtype=torch.float64, generator=generator)
    return [leaf.requires_grad_() for leaf in leaves]


def recurrent_over(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    shape = (*q.shape[:2], WINDOW, q.shape[-1])
    state = window.WindowState(q.new_zeros(shape), q.new_zeros(shape))
    steps = zip(q.unbind(2), k.unbind(2), v.unbind(2), strict=True)
    return torch.stack([window.recurrent(*step, state) for step in steps], dim=2)


@pytest.mark.parametrize("length", [1, 15, 16, 17, 32, 50])
def test_forms_equal_the_quadratic_twin(length: int) -> None:
    q, k, v = inputs(length)
    expected = window.quadratic(q, k, v, WINDOW)
    with torch.no_grad():
        torch.testing.assert_close(recurrent_over(q, k, v), expected)
    got = window.banded(q, k, v, WINDOW)
    torch.testing.assert_close(got, expected)
    weight = torch.randn_like(expected)
    wanted = torch.autograd.grad((expected * weight).sum(), (q, k, v))
    gradients = torch.autograd.grad((got * weight).sum(), (q, k, v))
    for gradient, reference in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(gradient, reference)


def test_products_of_rotated_words_tell_how_far_apart_they_are_alone() -> None:
    q, k = torch.randn(2, 64, generator=torch.Generator().manual_seed(0))

    def product(shift_words: int, shift_ticks: int) -> Tensor:
        words, ticks = torch.tensor([7, 3]), torch.tensor([21, 16])
        turned = window.rotation(words + shift_words, ticks + shift_ticks, 64, 256)
        a, b = turned(torch.stack([q, k]))
        return a @ b

    torch.testing.assert_close(product(100_000, 48_000), product(0, 0), rtol=0, atol=1e-4)


def random_words(batch: int, length: int) -> Tensor:
    generator = torch.Generator().manual_seed(length)
    columns = [torch.randint(f.size, (batch, length), generator=generator) for f in FIELDS]
    columns[MODEL_COLUMN["i_beat"]] = columns[MODEL_COLUMN["i_beat"]].sort().values
    return torch.stack(columns, dim=-1)


@torch.no_grad()
def test_parallel_equals_recurrent_equals_fast() -> None:
    torch.manual_seed(0)
    model = CMT(HYBRID).eval()
    words, initial = random_words(2, 100), torch.zeros(2, INITIAL_TOKENS, 3, dtype=torch.int64)
    expected = model.hidden(words, initial)[:, INITIAL_TOKENS:]
    for stepped in (model, FastCMT(model)):
        state = stepped.start(initial)
        got = torch.stack([stepped.step(word, state) for word in words.unbind(1)], dim=1)
        torch.testing.assert_close(got, expected, rtol=0, atol=3e-5)


@torch.no_grad()
def test_a_song_goes_on_alone_as_in_its_batch() -> None:
    torch.manual_seed(0)
    model = CMT(HYBRID).eval()
    words, initial = random_words(2, 60), torch.zeros(2, INITIAL_TOKENS, 3, dtype=torch.int64)
    state = model.start(initial)
    for word in words[:, :-1].unbind(1):
        model.step(word, state)
    alone = [layer.rows(torch.tensor([1])) for layer in state]
    expected = model.step(words[:, -1], state)[1:]
    torch.testing.assert_close(model.step(words[1:, -1], alone), expected, rtol=0, atol=1e-5)


def test_no_gradient_flows_from_the_future() -> None:
    torch.manual_seed(0)
    q, k, v = inputs(50)
    window.banded(q, k, v, WINDOW)[:, :, 30].sum().backward()
    reach = v.grad.abs().sum((0, 1, 3))  # type: ignore[union-attr]
    assert (reach > 0).nonzero().flatten().tolist() == list(range(30 - WINDOW + 1, 31))


def test_a_checkpoint_keeps_its_windows(tmp_path: object) -> None:
    torch.manual_seed(0)
    checkpoint.save(f"{tmp_path}/a.pt", CMT(HYBRID))
    assert checkpoint.load(f"{tmp_path}/a.pt")[0].config == HYBRID
