"""Checkpoints: weights under the original's names, and what is needed to rebuild and resume.

Ours are dictionaries that `torch.load(weights_only=True)` reads:
    model: name → tensor, without the positional table, which derives from the config
    config: the fields of CMTConfig
    vocabulary: [name, size] of each field of a word
and whatever the caller adds (step, losses, optimizer, random state …). The original's are bare
state dicts whose names carry DataParallel's prefix `module.`.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cmt.files import InputError, replacing
from cmt.model.config import CMTConfig
from cmt.model.network import CMT
from cmt.model.stored import find
from cmt.music.vocabulary import FIELDS

ORIGINAL_PREFIX = "module."
_DERIVED = "encoder_pos_emb.pe"


def save(path: str | Path, model: CMT, dtype: torch.dtype | None = None, **extra: Any) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        path: the file.
        model: the model.
        dtype: type of the weights on disk; bfloat16 halves the file. None keeps theirs.
        extra: further entries, of types that `torch.load(weights_only=True)` allows.

    Raises:
        InputError: the folder cannot be written to, or the disk is full.
    """
    weights = {
        name: tensor.to(dtype) if dtype else tensor
        for name, tensor in model.state_dict().items()
        if name != _DERIVED
    }
    content = {
        "model": weights,
        "config": dataclasses.asdict(model.config),
        "vocabulary": _vocabulary(),
        **extra,
    }
    _write(path, content)


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
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of a file that is none, whatever reading it as a pickle meets
        raise InputError(
            f"{path}: not a checkpoint that can be loaded safely"
            f" ({type(error).__name__}: {str(error).partition('.')[0]})"
        ) from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: not a checkpoint: it holds a {type(content).__name__}")
    ours = "model" in content and "config" in content
    weights: dict[str, Tensor] = content.pop("model") if ours else content
    weights = {name.removeprefix(ORIGINAL_PREFIX): tensor for name, tensor in weights.items()}
    try:
        config = CMTConfig(**content["config"]) if ours else CMTConfig.from_state_dict(weights)
        model = CMT(config)
        if ours:
            if content["vocabulary"] != _vocabulary():
                raise InputError(f"{path}: made for another vocabulary; train it again")
            weights[_DERIVED] = model.state_dict()[_DERIVED]
        model.load_state_dict(weights)
    except (KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise InputError(f"{path}: not a checkpoint of this model ({error})") from error
    return model.to(device).eval(), {} if not ours else content


def _vocabulary() -> list[list[Any]]:
    return [[field.name, field.size] for field in FIELDS]
