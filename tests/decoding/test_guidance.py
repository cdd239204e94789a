"""Guidance: words are drawn from what the genre changes in what the model says."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from cmt.decoding.guidance import Guided, reader
from cmt.decoding.style import Style
from cmt.measures.obedience import control_error
from cmt.model.encoding import initial_tokens
from cmt.model.fast import FastCMT
from cmt.model.network import CMT
from cmt.music.vocabulary import FIELDS, PUBLISHED
from cmt.music.words import words_to_song
from conftest import SMALL, takes_of

BARS = np.array([(17, 5, 0, 16 * bar, 64, 1 + 25 * bar) for bar in range(4)])


@pytest.mark.parametrize("chain", [0, 16])
def test_logits_go_on_from_those_without_the_genre_through_those_with_it(chain: int) -> None:
    torch.manual_seed(0)
    model = CMT(dataclasses.replace(SMALL, chain=chain)).eval()
    fast = FastCMT(model)
    told = torch.from_numpy(initial_tokens("metal", None)).expand(2, -1, -1)
    untold = torch.from_numpy(initial_tokens(None, None)).expand(2, -1, -1)
    generator = torch.Generator().manual_seed(1)
    words = torch.stack([torch.randint(f.size, (3, 2), generator=generator) for f in FIELDS], -1)
    drawn = [dict.fromkeys(PUBLISHED.drawn, 1)] * 2
    said = {}
    for factor in (0.0, 1.0, 3.0):
        guided = Guided(fast, factor)
        state = guided.start(told)
        for word in words:
            hidden = guided.step(word, state)
        said[factor] = guided.heads(hidden).logits("pitch", drawn)
        state = guided.kept(state, torch.tensor([1]))
        assert all(len(vars(layer)["kv"]) == 2 for layer in state)
    for factor, initial in ((0.0, untold), (1.0, told)):
        state = fast.start(initial)
        for word in words:
            hidden = fast.step(word, state)
        expected = fast.heads(hidden).logits("pitch", drawn)
        np.testing.assert_allclose(said[factor], expected, atol=1e-5)
    expected = said[0.0] + 3 * (said[1.0] - said[0.0])
    np.testing.assert_allclose(said[3.0], expected, atol=1e-4)
    assert np.abs(said[3.0] - said[1.0]).max() > 1e-3


@pytest.mark.parametrize("chain", [0, 16])
@pytest.mark.parametrize("led", [False, True])
def test_what_may_come_next_is_told_without_being_settled(chain: int, led: bool) -> None:
    """Who would play on two ticks of the second song, as if each had been drawn."""
    torch.manual_seed(0)
    model = CMT(dataclasses.replace(SMALL, chain=chain)).eval()
    told = torch.from_numpy(initial_tokens("metal", None)).expand(2, -1, -1)
    said = FastCMT(model)
    fast = Guided(said, 3.0) if led else said
    state = fast.start(told)
    word = torch.ones(2, len(FIELDS), dtype=torch.int64)
    hidden = fast.step(word, state)

    def after(beat: int) -> np.ndarray:
        heads = fast.heads(hidden)
        heads.logits("beat", [{"type": 1}] * 2)
        return heads.logits("instr_type", [{"type": 1, "beat": beat}] * 2)

    expected = np.stack([after(beat)[1] for beat in (3, 9)])
    heads = fast.heads(hidden)
    heads.logits("beat", [{"type": 1}] * 2)
    ahead = heads.ahead("instr_type", 1, [{"type": 1, "beat": beat} for beat in (3, 9)])
    np.testing.assert_allclose(ahead, expected, atol=1e-6)
    settled = heads.logits("instr_type", [{"type": 1, "beat": 5}] * 2)
    np.testing.assert_allclose(settled, after(5), atol=1e-6)


def test_nothing_is_read_twice_where_no_genre_leads(small_model: CMT) -> None:
    assert isinstance(reader(small_model, "float32", Style()), FastCMT)
    assert isinstance(reader(small_model, "float32", Style(genre="pop", guidance=1)), FastCMT)
    assert isinstance(reader(small_model, "float32", Style(genre="pop")), Guided)


def test_a_led_take_obeys_and_does_not_depend_on_the_batch(small_model: CMT) -> None:
    style = Style(genre="rock", guidance=3)
    both = takes_of(small_model, BARS, songs=2, style=style, seed=5)
    for index, take in enumerate(both):
        (alone,) = takes_of(small_model, BARS, style=style, seed=5 + index)
        np.testing.assert_array_equal(take.words, alone.words)
        error = control_error(words_to_song(take.words), take.plan)
        assert (error.density, error.strength) == (0, 0)
    (unled,) = takes_of(small_model, BARS, style=Style(genre="rock", guidance=1), seed=5)
    assert unled.words.shape != both[0].words.shape or (unled.words != both[0].words).any()
