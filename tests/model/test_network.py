"""The model is the published one, its parallel and recurrent forms agree, and it is causal."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import Tensor

from cmt.model.config import CMTConfig
from cmt.model.network import CMT, losses
from cmt.music.vocabulary import FIELD, FIELDS, INITIAL_TOKENS, MODEL_COLUMN, PUBLISHED
from conftest import REFERENCE, SMALL

RECORDED = np.load(REFERENCE / "model" / "forward.npz")
# The recorded order of losses.
LOSS_ORDER = ("beat", "type", "pitch", "duration", "instr_type", "strength", "density")


def recorded(name: str) -> Tensor:
    return torch.from_numpy(RECORDED[name])


def random_words(batch: int, length: int) -> Tensor:
    generator = torch.Generator().manual_seed(length)
    columns = [torch.randint(f.size, (batch, length), generator=generator) for f in FIELDS]
    return torch.stack(columns, dim=-1)


def initial_tokens(batch: int) -> Tensor:
    return recorded("init_token").expand(batch, -1, -1)


def close(got: Tensor, name: str, atol: float) -> None:
    torch.testing.assert_close(got, recorded(name), rtol=0, atol=atol)


def test_names_and_shapes_are_the_original_s(recorded_model: CMT) -> None:
    shapes = json.loads((REFERENCE / "model" / "state_dict_shapes.json").read_text())["shapes"]
    assert {k: list(v.shape) for k, v in recorded_model.state_dict().items()} == shapes


def test_sizes_are_read_from_the_weights(recorded_model: CMT) -> None:
    assert CMTConfig.from_state_dict(recorded_model.state_dict()) == CMTConfig()


@torch.no_grad()
def test_hidden_states_logits_and_losses_are_the_recorded_ones(recorded_model: CMT) -> None:
    x, target, initial = recorded("x"), recorded("target"), recorded("init_token")
    close(recorded_model.hidden(x, initial), "train_hidden", 2e-5)
    logits = recorded_model(x, initial, target)
    for field in PUBLISHED.predicted:
        close(logits[field.name], f"train_logits_{field.parameter}", 1e-5)
    mask = torch.ones(1, 64)
    for end, name in ((64, "train_losses"), (40, "train_losses_mask40")):
        mask[:, end:] = 0
        got = losses(logits, target, mask)
        np.testing.assert_allclose([got[n] for n in LOSS_ORDER], RECORDED[name], atol=5e-6)


@torch.no_grad()
def test_float64_is_nearer(recorded_model: CMT) -> None:
    model = CMT(CMTConfig()).eval()
    model.load_state_dict(recorded_model.state_dict())
    x, target, initial = recorded("x"), recorded("target"), recorded("init_token")
    logits = model.double()(x, initial, target)
    for field in PUBLISHED.predicted:
        close(logits[field.name], f"f64_train_logits_{field.parameter}", 5e-7)


@torch.no_grad()
def test_two_songs_in_a_batch_are_the_recorded_ones(recorded_model: CMT) -> None:
    x = torch.cat([recorded("x"), recorded("x_b")])
    target = torch.cat([recorded("target"), recorded("target_b")])
    initial = recorded("init_token").expand(2, -1, -1)
    logits = recorded_model(x, initial, target)
    close(logits["type"], "batch2_logits_type", 1e-5)
    got = losses(logits, target, torch.ones(2, 64))
    np.testing.assert_allclose([got[n] for n in LOSS_ORDER], RECORDED["batch2_losses"], atol=5e-6)


@torch.no_grad()
def test_decoding_gives_the_recorded_logits(recorded_model: CMT) -> None:
    state = recorded_model.start(recorded("init_token"))
    for prefix, word in enumerate(recorded("x")[:, :64].unbind(1), start=1):
        hidden = recorded_model.step(word, state)
        if prefix not in (1, 8, 64):
            continue
        close(hidden, f"infer{prefix}_h", 2e-5)
        close(recorded_model.type_logits(hidden), f"infer{prefix}_logits_type", 1e-5)
        for kind in range(3):
            logits = recorded_model.attribute_logits(hidden, torch.tensor([kind]))
            for name, values in logits.items():
                close(values, f"infer{prefix}_type{kind}_logits_{FIELD[name].parameter}", 1e-5)


def test_gradients_are_the_recorded_ones(recorded_model: CMT) -> None:
    x, target, initial = recorded("x"), recorded("target"), recorded("init_token")
    recorded_model.zero_grad()
    logits = recorded_model(x, initial, target)
    torch.stack(list(losses(logits, target, torch.ones(1, 64)).values())).mean().backward()
    gradients = {name: p.grad for name, p in recorded_model.named_parameters()}
    norms = [float(gradients[str(key)].norm()) for key in RECORDED["grad_keys"]]
    np.testing.assert_allclose(norms, RECORDED["grad_norm"], rtol=1e-3)
    assert np.linalg.norm(norms) == pytest.approx(RECORDED["grad_total_norm"], rel=1e-4)
    recorded_model.zero_grad()


@torch.no_grad()
def test_parallel_equals_recurrent(small_model: CMT) -> None:
    words, initial = random_words(2, 300), initial_tokens(2)
    parallel = small_model.hidden(words, initial)[:, INITIAL_TOKENS:]
    state = small_model.start(initial)
    recurrent = torch.stack([small_model.step(word, state) for word in words.unbind(1)], dim=1)
    torch.testing.assert_close(recurrent, parallel, rtol=0, atol=2e-5)


@torch.no_grad()
def test_a_batch_of_two_equals_two_batches_of_one(small_model: CMT) -> None:
    words, initial = random_words(2, 200), initial_tokens(2)
    both = small_model(words, initial, words)
    for song in range(2):
        row = slice(song, song + 1)
        one = small_model(words[row], initial[row], words[row])
        for name, logits in one.items():
            torch.testing.assert_close(both[name][row], logits, rtol=0, atol=1e-5)


def test_no_gradient_flows_from_the_future() -> None:
    """Logits at word 150 depend on the embedded words up to 150, and on no later one."""
    model = CMT(SMALL).eval()
    inputs = []

    def keep(module: torch.nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        inputs.append(args[0].detach().requires_grad_())
        return (inputs[0], *args[1:])

    model.transformer_encoder.register_forward_pre_hook(keep)
    words = random_words(1, 300)
    logits = model(words, initial_tokens(1), words)
    sum(values[:, 150].sum() for values in logits.values()).backward()
    reach = inputs[0].grad.abs().sum(-1)[0, INITIAL_TOKENS:]
    assert (reach[:151] > 0).all()
    assert (reach[151:] == 0).all()


@torch.no_grad()
def test_padding_changes_nothing_before_it(small_model: CMT) -> None:
    words, initial = random_words(1, 200), initial_tokens(1)
    whole = small_model.hidden(words, initial)
    cut = small_model.hidden(words[:, :77], initial)
    torch.testing.assert_close(whole[:, : cut.shape[1]], cut, rtol=0, atol=1e-5)


def test_the_tick_is_not_drowned_by_the_attributes() -> None:
    model = CMT(CMTConfig(n_layers=1))
    words = random_words(1, 100)
    words[..., MODEL_COLUMN["i_beat"]] = 0
    attributes = model._embed(words) - model.encoder_pos_emb.pe[0, 0]
    assert attributes.std() < 2 * model.encoder_pos_emb.pe.std()


def test_recomputed_activations_give_the_same_gradients() -> None:
    words, initial = random_words(1, 100), initial_tokens(1)
    gradients = []
    for recompute in (False, True):
        torch.manual_seed(0)
        model = CMT(SMALL)
        logits = model(words, initial, words, checkpoint_activations=recompute)
        torch.stack(list(losses(logits, words, torch.ones(1, 100)).values())).mean().backward()
        gradients.append(model.encoder_in_linear.weight.grad)
    torch.testing.assert_close(gradients[1], gradients[0])
