"""A training run from its configuration to its end, in one process or one for each GPU."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cmt.files import InputError, checksum, git_revision, temporary, writing_to
from cmt.model import checkpoint, stored
from cmt.model.network import CMT
from cmt.music.dataset import Dataset, read_dataset
from cmt.outputs import check_outputs, only_run
from cmt.training.config import RunConfig
from cmt.training.held_out import parts
from cmt.training.log import TrainingLog
from cmt.training.loop import has_bf16, train
from cmt.training.place import check_name, log_files
from cmt.training.ranks import Ranks, joined, launch
from cmt.training.songs import Songs, batches, padding_share
from cmt.training.state import TrainingState


def run(config: RunConfig, data: Dataset | None = None) -> None:
    """Train; leaves checkpoints in `config.folder` and the log's files in `config.log_dir`.

    Args:
        config: what is asked.
        data: what is in `config.data`, if that has been read.

    Raises:
        InputError: the data cannot be read, the folders cannot be written to, the run exists, or
            is to be resumed and does not or was begun otherwise; or as `train` says.
    """
    if config.gpus and not torch.cuda.is_available():
        raise InputError(
            f"--gpus {list(config.gpus)}: no CUDA device here; leave --gpus out for the CPU"
        )
    if len(config.gpus) > 1 and "WORLD_SIZE" not in os.environ:
        launch(run, config.gpus, config)
    else:
        _one_rank(config, data)


def _one_rank(config: RunConfig, data: Dataset | None) -> None:
    """One rank's whole run."""
    check_name(config)
    source = _source(config)
    gpu = config.gpus[0] if config.gpus else 0
    device = torch.device("cuda", gpu) if torch.cuda.is_available() else torch.device("cpu")
    precision = config.precision
    bf16 = has_bf16(device) if precision == "auto" else precision == "bfloat16"
    config = replace(config, training=replace(config.training, bf16=bf16))
    with joined(device) as ranks, _alone(config) if ranks.first else nullcontext():
        model, resumed = _model(config, source, ranks.device)
        data = data or read_dataset(config.data, config.max_megabytes)
        training, validation = _songs(config, data, model)
        log = None
        if ranks.first:
            check_room(config.folder, model)
            log = TrainingLog(config.log_dir, config.name, config.resume)
            for line in _first_lines(config, source, model, training, validation, ranks):
                log.write(line)
        progress = train(
            model,
            training,
            validation,
            config.training,
            ranks,
            config.folder,
            resumed,
            on_epoch=log.epoch if log else lambda progress: None,
            git=git_revision(),
            data=source,
        )
        if log:
            log.write(_last_line(config, progress))


@contextmanager
def _alone(config: RunConfig) -> Iterator[None]:
    """Make sure that results can be written, and that no other run of this name writes its own.

    Raises:
        InputError: one of these is not so.
    """
    log, last = log_files(config.log_dir, config.name), config.folder / stored.LAST
    read = [config.data, *([config.start] if config.start else [])]
    check_outputs([last, *log], read)
    with only_run(config.folder), only_run(log[0]):
        check_name(config)  # again: another run may have ended just now
        yield


def _songs(config: RunConfig, data: Dataset, model: CMT) -> tuple[Songs, Songs | None]:
    """Songs to learn from, and those held out, if any, as the model reads them."""
    if len(model.vocabulary.fields) > len(data.vocabulary.fields):
        raise InputError(
            f"{config.data}: does not tell how loud notes are, and the model asks for it; make it"
            f" with midi2numpy_mix.py --vocabulary {model.vocabulary.name}"
        )
    seed = config.training.seed
    kept, held_out = parts(config, data)
    kept = [song for song in kept for _ in range(int(data.metadata[song].get("repeats", 1)))]
    training, validation = (
        Songs(
            [data.words[song] for song in songs],
            [data.metadata[song].get("genre") for song in songs],
            config.max_len,
            augmentation,
            seed,
            model.config.has_keys,
            model.vocabulary,
        )
        for songs, augmentation in ((kept, config.augmentation), (held_out, None))
    )
    return training, validation if held_out else None


def _source(config: RunConfig) -> dict[str, Any]:
    """What decides which words a step sees: a resumed run must agree."""
    return {
        "name": config.data.name,
        "sha256": checksum(config.data),
        "val_fraction": config.val_fraction,
        "max_len": config.max_len,
        **asdict(config.augmentation),
        "seed": config.training.seed,
        "batch_size": config.training.batch_size,
    }


def _model(
    config: RunConfig, source: dict[str, Any], device: torch.device
) -> tuple[CMT, dict[str, Any] | None]:
    """The model to train, and the checkpoint's other entries where a run is resumed."""
    if config.resume:
        last = config.folder / stored.LAST
        model, resumed = checkpoint.load(last, device)
        if not isinstance(resumed.get("data"), dict):
            raise InputError(f"{last}: tells no run to go on with; start anew with -p")
        for key, value in source.items():
            if resumed["data"].get(key) != value:
                raise InputError(
                    f"{last}: was trained with {key} {resumed['data'].get(key)}, not {value};"
                    " resume it with the same data and options, or start anew with -p"
                )
        return model, resumed
    if config.start:
        start, _ = checkpoint.load(config.start)
        kept = start.config.dropout if config.dropout is None else config.dropout
        model = CMT(replace(start.config, dropout=kept))
        model.load_state_dict(start.state_dict())
    else:
        torch.manual_seed(config.training.seed)
        model = CMT(config.model)
    return model.to(device), None


def _first_lines(
    config: RunConfig,
    source: dict[str, Any],
    model: CMT,
    training: Songs,
    validation: Songs | None,
    ranks: Ranks,
) -> list[str]:
    """What the log says before training: the model, how it is trained, and on what."""
    how = config.training
    size = sum(parameter.numel() for parameter in model.parameters())
    groups = batches(training.lengths, how.batch_size, how.seed)
    padding = padding_share(training.lengths, groups)
    held_out = len(validation.words) if validation else 0
    return [
        f"{config.name}: {size:,} parameters, {model.config}",
        f"{how}, {ranks.world} × {ranks.device.type}, git {git_revision()}",
        f"{config.data} sha256 {source['sha256'][:16]}: {len(training.words)} songs"
        f" in {len(training)} crops, {training.lengths.sum():,} words,"
        f" {padding:.1%} padding; {held_out} held out",
    ]


def _last_line(config: RunConfig, progress: TrainingState) -> str:
    end = "done" if progress.epoch >= config.training.epochs else "stopped"
    return f"{end} after {progress.epoch} epochs, step {progress.step}: {config.folder}"


def check_room(folder: Path, model: nn.Module) -> None:
    """Make sure, before hours of training, that checkpoints can be written.

    Raises:
        InputError: the folder is read-only, or the disk lacks room for a checkpoint and its
            successor.
    """
    with writing_to(folder), temporary(folder / stored.LAST):
        pass
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    needed = 8 * weights  # weights and two moments, twice, and the best
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise InputError(
            f"{folder}: {free / 1e9:.1f} GB free, and checkpoints need {needed / 1e9:.1f} GB;"
            " make room or choose another --exp_dir"
        )
