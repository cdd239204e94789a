"""Checkpoints: weights under the original's names, and what is needed to rebuild and resume.

Ours are dictionaries that `torch.load(weights_only=True)` reads:
    model: name → tensor, without the positional table, which derives from the config
    scales: name → (rows,) float32, of those tensors that are integers: times that, row by row
    config: the fields of CMTConfig
    vocabulary: [name, size] of each field of a word
and whatever the caller adds (step, losses, optimizer, random state …). The original's are bare
state dicts whose names carry DataParallel's prefix `module.`.
"""

from __future__ import annotations

import dataclasses
import reprlib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from cmt.files import InputError, replacing
from cmt.model.config import CMTConfig
from cmt.model.network import CMT
from cmt.model.products import row_scales
from cmt.model.stored import find
from cmt.music.vocabulary import Vocabulary
from cmt.untrusted import naming, number, whole

ORIGINAL_PREFIX = "module."
_DERIVED = "encoder_pos_emb.pe"
WIDEST = 1 << 16  # of any layer, a hundred times what is published


def save(path: str | Path, model: CMT, dtype: torch.dtype | None = None, **extra: Any) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        path: the file.
        model: the model.
        dtype: type of the weights on disk; bfloat16 halves the file. int8 quarters it: linear
            layers are rounded as decoding in int8 rounds them, all else to bfloat16. None keeps
            theirs.
        extra: further entries, of types that `torch.load(weights_only=True)` allows.

    Raises:
        InputError: the folder cannot be written to, or the disk is full.
    """
    weights = {name: value for name, value in model.state_dict().items() if name != _DERIVED}
    scales: dict[str, Tensor] = {}
    if dtype == torch.int8:
        weights, scales = _rounded(model, weights)
    elif dtype:
        weights = {name: tensor.to(dtype) for name, tensor in weights.items()}
    content = {
        "model": weights,
        "scales": scales,
        "config": dataclasses.asdict(model.config),
        "vocabulary": _told(model.config.vocabulary),
        **extra,
    }
    _write(path, content)


def _rounded(
    model: CMT, weights: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Weights as integers of 8 bits where a linear layer has them, and their scales."""
    linear = {
        f"{name}.weight"
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear)
    }
    scales = {name: row_scales(weights[name]).float() for name in weights if name in linear}
    rounded = {
        name: (tensor.double() / row_scales(tensor).unsqueeze(1)).round().to(torch.int8)
        if name in scales
        else tensor.to(torch.bfloat16)
        for name, tensor in weights.items()
    }
    return rounded, scales


def save_original(path: str | Path, model: CMT) -> None:
    """Write a bare state dict in the original's format, for its own scripts."""
    weights = model.state_dict().items()
    _write(path, {ORIGINAL_PREFIX + name: tensor for name, tensor in weights})


def _write(path: str | Path, content: dict[str, Any]) -> None:
    with replacing(path) as temporary, temporary.open("wb") as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:  # of its archive, which then misses what was not written
            if isinstance(error.__context__, OSError):
                raise error.__context__ from error
            raise


def load(path: str | Path, device: str | torch.device = "cpu") -> tuple[CMT, dict[str, Any]]:
    """Rebuild a model from a checkpoint of ours or of the original.

    Args:
        path: the file, or a folder of checkpoints (see `cmt.model.stored.find`).
        device: where the weights go.

    Returns:
        The model in float32 and evaluation mode, and the checkpoint's other entries (none for
        the original's).

    Raises:
        InputError: no such file, not a checkpoint, or made for another vocabulary.
    """
    path = find(path)
    with naming(path, "not a checkpoint that can be loaded safely", "train it again"):
        _check_archive(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    with naming(path, "not a checkpoint of this model", "train it again"):
        if not isinstance(content, dict):
            raise ValueError(f"it holds a {type(content).__name__}")
        ours = "model" in content and "config" in content
        scales = content.pop("scales", {}) if ours else {}
        weights = _checked(content.pop("model") if ours else content, scales)
        config = CMTConfig(**content["config"]) if ours else CMTConfig.from_state_dict(weights)
        if ours and content["vocabulary"] != _told(config.vocabulary):
            raise InputError(f"{path}: made for another vocabulary; train it again")
        _check_sizes(config, weights)
        model = CMT(config)
        if ours:
            weights[_DERIVED] = model.state_dict()[_DERIVED]
        model.load_state_dict(weights)
    return model.to(device).eval(), {} if not ours else content


def _check_archive(path: Path) -> None:
    """A ValueError where an archive is compressed, and so of any size, however small its file."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as opened:
            for member in opened.infolist():
                if member.compress_type != zipfile.ZIP_STORED:
                    raise ValueError(f"{member.filename} is compressed")


def _checked(weights: Any, scales: Any) -> dict[str, Tensor]:
    """The weights of a file, under their names without prefix, those that are scaled in float32.

    Raises:
        ValueError: one is no finite array of numbers, or larger than what is stored of it.
    """
    for what, tensors in (("weights", weights), ("scales", scales)):
        if not isinstance(tensors, dict):
            raise ValueError(f"its {what} are a {type(tensors).__name__}")
        for name, tensor in tensors.items():
            _check_tensor(name, tensor, integers=what == "weights" and name in scales)
    for name, scale in scales.items():
        rows = weights[name].shape[:1] if name in weights and weights[name].dim() == 2 else None
        if scale.shape != rows:
            raise ValueError(f"{name} has {tuple(scale.shape)} scales")
        weights[name] = weights[name].float() * scale.float().unsqueeze(1)
    return {name.removeprefix(ORIGINAL_PREFIX): tensor for name, tensor in weights.items()}


def _check_tensor(name: object, tensor: object, integers: bool) -> None:
    """A ValueError where an entry of a file is no array of finite numbers that it has."""
    if not isinstance(name, str) or not isinstance(tensor, Tensor):
        raise ValueError(f"{reprlib.repr(name)} is no weight")
    kind = tensor.dtype == torch.int8 if integers else tensor.is_floating_point()
    if tensor.layout != torch.strided or tensor.is_meta or not kind:
        raise ValueError(f"{name} is {tensor.dtype}, {tensor.layout}, on {tensor.device}")
    if tensor.untyped_storage().nbytes() < tensor.nbytes:
        raise ValueError(f"{name} declares {tensor.nbytes:,} bytes, and has fewer")
    if not torch.isfinite(tensor).all():
        raise ValueError(f"{name} has values that are no finite numbers")


def _check_sizes(config: CMTConfig, weights: Mapping[str, Tensor]) -> None:
    """See that a model of a config is as large as the weights that are there, before it is made.

    Raises:
        ValueError: it is not, or the config has values that no model has.
    """
    number(config.dropout, "dropout", 0, 1)
    whole(config.n_layers, "n_layers", 1, len(weights))
    whole(config.n_heads, "n_heads", 1, WIDEST)
    for name in ("d_model", "d_ff", "initial_width"):
        whole(getattr(config, name), name, 1, WIDEST)
    for name in ("window", "chain"):
        whole(getattr(config, name), name, 0, WIDEST)
    for name in ("sizes", "widths", "initial_sizes", "windowed"):
        for index, value in enumerate(getattr(config, name)):
            whole(value, f"{name}[{index}]", 0, WIDEST)
    with torch.device("meta"), _Unfilled():
        expected = {name: tensor.shape for name, tensor in CMT(config).state_dict().items()}
    for name, shape in expected.items():
        if name != _DERIVED and (name not in weights or weights[name].shape != shape):
            has = tuple(weights[name].shape) if name in weights else "not there"
            raise ValueError(f"{name} is {has}, and its config asks for {tuple(shape)}")


class _Unfilled(TorchFunctionMode):
    """Leaves weights on the meta device as they are: to draw them imports PyTorch's compiler."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        return kwargs["tensor"] if func is nn.init.normal_ else func(*args, **kwargs)


def _told(vocabulary: Vocabulary) -> list[list[Any]]:
    """A vocabulary as a checkpoint has it."""
    return [[field.name, field.size] for field in vocabulary.fields]
