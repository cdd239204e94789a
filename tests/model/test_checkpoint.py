"""Checkpoints rebuild their model alone, ours and the original's, and nothing unsafe is run."""

from __future__ import annotations

import math
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from cmt.files import InputError
from cmt.model import checkpoint, stored
from cmt.model.config import CMTConfig
from cmt.model.network import CMT
from cmt.model.products import product


def assert_same(model: CMT, other: CMT) -> None:
    for (name, a), b in zip(model.state_dict().items(), other.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0, msg=name)


def test_ours_keeps_everything(small_model: CMT, tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "a.pt", small_model, step=7)
    model, extra = checkpoint.load(tmp_path / "a.pt")
    assert model.config == small_model.config
    assert extra["step"] == 7
    assert_same(model, small_model)


def test_a_long_song_s_table_is_not_stored(small_model: CMT, tmp_path: Path) -> None:
    small_model.reserve(30_000)
    checkpoint.save(tmp_path / "a.pt", small_model)
    model, _ = checkpoint.load(tmp_path / "a.pt")
    assert model.encoder_pos_emb.pe.shape[1] == 20_000


def test_bfloat16_halves_the_weights(small_model: CMT, tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "a.pt", small_model, torch.bfloat16)
    model, _ = checkpoint.load(tmp_path / "a.pt")
    weight = small_model.encoder_in_linear.weight
    assert model.encoder_in_linear.weight.dtype == torch.float32
    torch.testing.assert_close(model.encoder_in_linear.weight, weight, rtol=2**-8, atol=0)


@torch.no_grad()
def test_int8_quarters_the_weights_as_decoding_rounds_them(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = CMT(CMTConfig(d_model=64, n_layers=2, n_heads=2, d_ff=128, chain=32)).eval()
    for dtype in (torch.float32, torch.int8):
        checkpoint.save(tmp_path / f"{dtype}.pt", model, dtype)
    whole, rounded = (tmp_path / f"{dtype}.pt" for dtype in (torch.float32, torch.int8))
    loaded, _ = checkpoint.load(rounded)
    for layer, again in zip(
        model.transformer_encoder.layers, loaded.transformer_encoder.layers, strict=True
    ):
        weight, bias = layer.linear1.weight, layer.linear1.bias
        assert again.linear1.weight.dtype == torch.float32
        step = weight.abs().amax(1, keepdim=True) / 127
        assert ((again.linear1.weight - weight).abs() <= 0.5001 * step).all()
        x = torch.randn(3, 64)
        expected = product(weight, bias, "int8")(x)
        got = product(again.linear1.weight, bias, "int8")(x)
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-5)
    assert rounded.stat().st_size < 0.45 * whole.stat().st_size


def test_the_original_s_format_out_and_in(tmp_path: Path) -> None:
    config = CMTConfig(d_model=128, n_layers=2, n_heads=2, d_ff=64)
    model = CMT(config).eval()
    checkpoint.save_original(tmp_path / "loss_8_params.pt", model)
    bare = torch.load(tmp_path / "loss_8_params.pt", weights_only=True)
    assert all(name.startswith("module.") for name in bare)
    loaded, extra = checkpoint.load(tmp_path / "loss_8_params.pt")
    assert loaded.config == config
    assert extra == {}
    assert_same(loaded, model)


def test_a_folder_means_its_lowest_loss(small_model: CMT, tmp_path: Path) -> None:
    for name in ("loss_104_params.pt", "loss_98_params.pt", "last.pt"):
        checkpoint.save(tmp_path / name, small_model)
    assert stored.find(tmp_path).name == "loss_98_params.pt"


class Harmful:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("code in a checkpoint was run",))


@pytest.mark.parametrize(
    "content",
    [b"", b"no checkpoint", pickle.dumps({"model": Harmful()}, protocol=2)],
    ids=["empty", "text", "harmful"],
)
def test_bad_files_are_named(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.pt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.pt"):
        checkpoint.load(path)
    assert capsys.readouterr().out == ""


def test_other_dictionaries_and_empty_folders_are_named(tmp_path: Path) -> None:
    torch.save({"weights": torch.zeros(3)}, tmp_path / "other.pt")
    with pytest.raises(InputError, match=r"other\.pt"):
        checkpoint.load(tmp_path / "other.pt")
    with pytest.raises(InputError, match="no checkpoint there"):
        checkpoint.load(tmp_path / "nowhere")


def test_another_vocabulary_is_refused(small_model: CMT, tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "a.pt", small_model)
    content = torch.load(tmp_path / "a.pt", weights_only=True)
    content["vocabulary"][0][1] += 1
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(InputError, match="another vocabulary"):
        checkpoint.load(tmp_path / "a.pt")


def config_of(content: dict[str, Any], **values: object) -> None:
    content["config"].update(values)


def weight_of(content: dict[str, Any], change: Callable[[torch.Tensor], object]) -> None:
    name = next(iter(content["model"]))
    content["model"][name] = change(content["model"][name])


def scale_of(content: dict[str, Any], rows: int, value: float = 1.0, **shape: int) -> None:
    """A scale for a weight that is stored in integers."""
    name = next(name for name in content["model"] if name.endswith("linear1.weight"))
    rounded = content["model"][name].to(torch.int8)
    content["model"][name] = rounded.flatten() if shape else rounded
    content["scales"][name] = torch.full((rows,), value)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda c: config_of(c, n_layers=2**31), "n_layers is 2147483648"),
        (lambda c: config_of(c, d_ff=2**15), r"its config asks for \(32768"),
        (lambda c: config_of(c, d_ff=2**40), "d_ff is 1099511627776"),
        (lambda c: config_of(c, d_model=-1), "d_model is -1"),
        (lambda c: config_of(c, dropout=math.nan), "dropout is nan"),
        (lambda c: config_of(c, sizes=(2**40,) * 8), r"sizes\[0\] is 1099511627776"),
        (lambda c: config_of(c, more=1), "more"),
        (lambda c: weight_of(c, lambda w: w * math.nan), "no finite numbers"),
        (lambda c: weight_of(c, lambda w: torch.zeros(1).expand(2**20, 2**12)), "and has fewer"),
        (lambda c: weight_of(c, lambda w: w.to_sparse()), "sparse"),
        (lambda c: weight_of(c, lambda w: w.to(torch.int8)), "int8"),
        (lambda c: weight_of(c, lambda w: "x"), "is no weight"),
        (lambda c: c.update(model=[]), "its weights are a list"),
        (lambda c: c.update(scales=[1]), "its scales are a list"),
        (lambda c: scale_of(c, 47), r"has \(47,\) scales"),
        (lambda c: scale_of(c, 48, math.inf), "no finite numbers"),
        (lambda c: scale_of(c, 48 * 32, flat=1), r"has \(1536,\) scales"),
        (lambda c: c["scales"].update(x=torch.ones(1)), r"x has \(1,\) scales"),
    ],
)
def test_what_no_model_has_is_refused_in_a_line(
    damage: Callable[[dict[str, Any]], None], reason: str, small_model: CMT, tmp_path: Path
) -> None:
    checkpoint.save(tmp_path / "a.pt", small_model)
    content = torch.load(tmp_path / "a.pt", weights_only=True)
    damage(content)
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(InputError, match=rf"a\.pt: not a checkpoint .*{reason}") as told:
        checkpoint.load(tmp_path / "a.pt")
    assert "\n" not in str(told.value)


def test_a_compressed_archive_is_no_checkpoint(small_model: CMT, tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "a.pt", small_model)
    with (
        zipfile.ZipFile(tmp_path / "a.pt") as stored,
        zipfile.ZipFile(tmp_path / "b.pt", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in stored.namelist():
            packed.writestr(name, stored.read(name))
    with pytest.raises(InputError, match=r"b\.pt: .*is compressed"):
        checkpoint.load(tmp_path / "b.pt")
