"""The training step and the loop around it: one process, or one of several ranks.

Source: paper section 5.1; original: train.py. The loss is the mean over the seven attributes of
the cross-entropy over real words.
"""

from __future__ import annotations

import dataclasses
import math
import shutil
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader
from tqdm import tqdm

from cmt import checkpoint
from cmt.dataset import Batch, Songs, batches, collate
from cmt.distributed import Ranks
from cmt.files import InputError, replacing
from cmt.model import CMT, losses
from cmt.vocabulary import MODEL_COLUMN, PREDICTED


@dataclass(frozen=True)
class TrainingConfig:
    """How to train.

    Attributes:
        lr: peak learning rate.
        warmup: steps of linear warm-up; after them the rate decays by a cosine to 0.
        weight_decay: of weight matrices; vectors and embeddings have none.
        muon: train the matrices of the layers with Muon instead of AdamW.
        clip: largest gradient norm.
        batch_size: songs per step, over all ranks.
        micro_batch: songs per forward pass; their gradients are summed up to the batch.
        epochs: passes over the data, in all.
        seed: of shuffling, augmentation, dropout.
        bf16: run matrix products in bfloat16.
        checkpoint_activations: recompute activations in the backward pass to save memory.
        compile: use torch.compile.
        save_minutes: time between checkpoints within an epoch.
        workers: loading processes.
    """

    lr: float = 1e-4
    warmup: int = 100
    weight_decay: float = 0.01
    muon: bool = False
    clip: float = 3.0
    batch_size: int = 6
    micro_batch: int = 6
    epochs: int = 100
    seed: int = 0
    bf16: bool = False
    checkpoint_activations: bool = False
    compile: bool = False
    save_minutes: float = 10.0
    workers: int = 0


@dataclass
class Progress:
    """How far a run is: what a resumed run needs to go on as if never interrupted.

    Attributes:
        epoch: epochs finished.
        batch: batches of the present epoch that are done.
        step: optimizer steps in all.
        sums: (8,) float64, the present epoch's summed losses per attribute and its words.
        best: lowest validation loss so far.
        history: per epoch and attribute (epoch, attribute, training loss, validation loss);
            the mean over attributes is there as attribute "mean".
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    sums: list[float] = dataclasses.field(default_factory=lambda: [0.0] * (len(PREDICTED) + 1))
    best: float = math.inf
    history: list[tuple[int, str, float, float]] = dataclasses.field(default_factory=list)


class NonFiniteLoss(InputError):
    """The loss became infinite or NaN; the last checkpoint is from before."""


def learning_rate(config: TrainingConfig, step: int, steps: int) -> float:
    """Learning rate of optimizer step `step` (from 0) of `steps`: warm-up, then cosine."""
    warm = min(1.0, (step + 1) / max(1, config.warmup))
    done = min(1.0, step / max(1, steps))
    cosine = (1 + math.cos(math.pi * done)) / 2
    return config.lr * warm * cosine


def make_optimizers(model: nn.Module, config: TrainingConfig) -> list[torch.optim.Optimizer]:
    """AdamW with weight decay on the matrices of linear layers only; with `muon`, Muon beside it.

    Muon moves a matrix along its orthogonalised momentum, so that all its directions learn alike,
    with steps as large as AdamW's are: one learning rate serves both.
    Source: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"; Liu et
    al. 2025, "Muon is scalable for LLM training".

    Raises:
        InputError: this PyTorch has no Muon.
    """
    groups: dict[str, list[nn.Parameter]] = {"layers": [], "matrices": [], "rest": []}
    for name, parameter in model.named_parameters():
        if parameter.ndim < 2 or ".lut." in name:
            groups["rest"].append(parameter)
        elif config.muon and "transformer_encoder." in name:
            groups["layers"].append(parameter)
        else:
            groups["matrices"].append(parameter)
    adamw = torch.optim.AdamW(
        [
            {"params": groups["matrices"], "weight_decay": config.weight_decay},
            {"params": groups["rest"], "weight_decay": 0.0},
        ],
        lr=config.lr,
        betas=(0.9, 0.98),
        fused=True,
    )
    if not config.muon:
        return [adamw]
    if not hasattr(torch.optim, "Muon"):
        raise InputError(f"PyTorch {torch.__version__} has no Muon: use 2.9 or later, or AdamW")
    muon = torch.optim.Muon(
        groups["layers"],
        lr=config.lr,
        weight_decay=config.weight_decay,
        adjust_lr_fn="match_rms_adamw",
    )
    return [adamw, muon]


def has_bf16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 matrices in hardware."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def batch_losses(
    model: nn.Module, batch: Batch, config: TrainingConfig, total: Tensor | None = None
) -> Tensor:
    """Losses (7,) of a batch in the order of PREDICTED, divided by `total` words."""
    device = batch.words.device.type
    with torch.autocast(device, torch.bfloat16, enabled=config.bf16):
        types = batch.targets[..., MODEL_COLUMN["type"]]
        logits = model(batch.words, batch.initial, types, config.checkpoint_activations)
    return torch.stack(list(losses(logits, batch.targets, batch.mask, total).values()))


def train(
    model: CMT,
    training: Songs,
    validation: Songs | None,
    config: TrainingConfig,
    ranks: Ranks,
    folder: Path,
    resume: dict[str, Any] | None = None,
    on_epoch: Callable[[Progress], None] = lambda progress: None,
    **extra: Any,
) -> Progress:
    """Train until `config.epochs` epochs are done, or SIGTERM asks to stop.

    Everything random is drawn from (seed, step or item), so that a run that is resumed after
    any saved step gives the same weights, bit for bit on CPUs, as one that never stopped.

    Args:
        model: on `ranks.device`; changed in place.
        training: songs to learn from.
        validation: held-out songs; with None there is no best checkpoint, only the last.
        config: how.
        ranks: this process's place; every rank calls this function.
        folder: gets last.pt and the best checkpoint, from rank 0.
        resume: the entries of the last.pt to go on from.
        on_epoch: called on rank 0 after each epoch, before its checkpoint is written.
        extra: further entries of the checkpoints.

    Returns:
        Where the run stands.

    Raises:
        NonFiniteLoss: the loss is no longer finite; nothing is saved after the last good step.
        InputError: the folder cannot be written to.
    """
    optimizers = make_optimizers(model, config)
    progress = Progress()
    if resume is not None:
        if len(resume.get("optimizers", ())) != len(optimizers):
            raise InputError(
                f"{folder}: trained by other optimizers; resume with --muon as it began, or start"
                " anew with -p"
            )
        for optimizer, state in zip(optimizers, resume["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        progress = Progress(**resume["progress"])
    for songs in (training, validation):
        if songs is not None:
            model.encoder_pos_emb.reserve(songs.ticks)
    network = _wrapped(model, config, ranks)
    steps = config.epochs * math.ceil(len(training) / config.batch_size)
    sums = torch.tensor(progress.sums, dtype=torch.float64, device=ranks.device)

    def save() -> None:
        if ranks.first:
            progress.sums = sums.tolist()
            checkpoint.save(
                folder / checkpoint.LAST,
                model,
                optimizers=[optimizer.state_dict() for optimizer in optimizers],
                progress=dataclasses.asdict(progress),
                training=dataclasses.asdict(config),
                **extra,
            )

    with _sigterm() as stopping:
        while progress.epoch < config.epochs:
            began = saved = time.monotonic()
            read = 0.0
            training.epoch = progress.epoch
            groups = batches(training.lengths, config.batch_size, (config.seed, progress.epoch))
            bar = tqdm(
                _loader(training, groups[progress.batch :], config, ranks),
                f"epoch {progress.epoch + 1}/{config.epochs}",
                total=len(groups),
                initial=progress.batch,
                disable=None if ranks.first else True,
            )
            for batch in bar:
                # Real words of the global batch, and whether any rank was asked to stop.
                agreed = ranks.sum(
                    torch.tensor(
                        [float(batch.mask.sum()), float(bool(stopping))],
                        dtype=torch.float64,
                        device=ranks.device,
                    )
                )
                if agreed[1] > 0:
                    save()
                    return progress
                words = agreed[0]
                _set_rate(optimizers, learning_rate(config, progress.step, steps))
                loss = _step(network, optimizers, batch, config, ranks, words, progress.step)
                sums += torch.cat([loss.double() * words, words.unsqueeze(0)])
                progress.step += 1
                progress.batch += 1
                read += float(words)
                rate = read / (time.monotonic() - began)
                bar.set_postfix_str(f"loss {float(loss.mean()):.3f}, {rate:,.0f} words/s")
                if time.monotonic() - saved >= 60 * config.save_minutes:
                    save()
                    saved = time.monotonic()
            _finish_epoch(progress, network, validation, config, ranks, sums)
            if ranks.first:
                on_epoch(progress)
                _save_best(folder, model, progress, **extra)
            save()
    return progress


def _finish_epoch(
    progress: Progress,
    network: nn.Module,
    validation: Songs | None,
    config: TrainingConfig,
    ranks: Ranks,
    sums: Tensor,
) -> None:
    """Validate, append the epoch's rows to the history and begin the next epoch."""
    trained = sums[:-1] / sums[-1]
    held_out = (
        evaluate(network, validation, config, ranks)
        if validation is not None
        else torch.full_like(trained, math.nan)
    )
    progress.epoch += 1
    progress.batch = 0
    sums.zero_()
    names = [field.name for field in PREDICTED] + ["mean"]
    for name, a, b in zip(
        names,
        [*trained.tolist(), float(trained.mean())],
        [*held_out.tolist(), float(held_out.mean())],
        strict=True,
    ):
        progress.history.append((progress.epoch, name, a, b))


def _save_best(folder: Path, model: CMT, progress: Progress, **extra: Any) -> None:
    """Keep the weights of the lowest validation loss, under a name that tells it."""
    validation_loss = progress.history[-1][3]
    if not validation_loss < progress.best:
        return
    progress.best = validation_loss
    path = folder / checkpoint.BEST.format(round(100 * validation_loss))
    checkpoint.save(
        path, model, step=progress.step, epoch=progress.epoch, loss=validation_loss, **extra
    )
    for old in folder.glob(checkpoint.BEST.format("*")):
        if old != path:
            old.unlink()


@torch.no_grad()
def evaluate(network: nn.Module, songs: Songs, config: TrainingConfig, ranks: Ranks) -> Tensor:
    """Mean losses (7,) float64 over all words of `songs`, in the order of PREDICTED."""
    network.eval()
    sums = torch.zeros(len(PREDICTED) + 1, dtype=torch.float64, device=ranks.device)
    one = torch.ones((), device=ranks.device)
    for batch in _loader(songs, batches(songs.lengths, config.batch_size), config, ranks):
        for micro in batch.micro_batches(config.micro_batch):
            micro = micro.to(ranks.device)
            total = batch_losses(network, micro, config, total=one).double()
            sums += torch.cat([total, micro.mask.sum().double().unsqueeze(0)])
    network.train()
    sums = ranks.sum(sums)
    return sums[:-1] / sums[-1]


def _step(
    network: nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
    batch: Batch,
    config: TrainingConfig,
    ranks: Ranks,
    words: Tensor,
    step: int,
) -> Tensor:
    """One optimizer step; returns the global batch's losses (7,)."""
    network.train()
    seed = np.random.SeedSequence((config.seed, step, ranks.rank)).generate_state(1)[0]
    torch.manual_seed(int(seed))
    for optimizer in optimizers:
        optimizer.zero_grad(set_to_none=True)
    total = torch.zeros(len(PREDICTED), device=ranks.device)
    micros = list(batch.micro_batches(config.micro_batch))
    for index, micro in enumerate(micros):
        last = index == len(micros) - 1
        unsynchronised = isinstance(network, DistributedDataParallel) and not last
        with network.no_sync() if unsynchronised else nullcontext():  # type: ignore[operator]
            loss = batch_losses(network, micro.to(ranks.device), config, words.float())
            # DistributedDataParallel averages gradients over ranks; each rank's loss is
            # already its share of the whole batch's.
            (loss.mean() * ranks.world).backward()
        total += loss.detach()
    norm = nn.utils.clip_grad_norm_(network.parameters(), config.clip)
    total = ranks.sum(total)
    if not (torch.isfinite(norm) and torch.isfinite(total).all()):
        raise NonFiniteLoss(
            f"step {step}: the loss or its gradient is not finite; the last checkpoint is from"
            " before: resume it with a lower --lr"
        )
    for optimizer in optimizers:
        optimizer.step()
    return total


def _wrapped(model: CMT, config: TrainingConfig, ranks: Ranks) -> nn.Module:
    """The model as it is called: compiled and distributed where asked for."""
    network: nn.Module = torch.compile(model, dynamic=True) if config.compile else model  # type: ignore[assignment]
    return DistributedDataParallel(network) if ranks.world > 1 else network


def _loader(
    songs: Songs, groups: Sequence[np.ndarray], config: TrainingConfig, ranks: Ranks
) -> Iterable[Batch]:
    """This rank's share of each global batch; it may be empty, so that no rank waits in vain."""
    return DataLoader(
        songs,
        batch_sampler=[group[ranks.rank :: ranks.world].tolist() for group in groups],
        collate_fn=collate,
        num_workers=config.workers,
        pin_memory=ranks.device.type == "cuda",
        generator=torch.Generator(),
    )


def _set_rate(optimizers: Sequence[torch.optim.Optimizer], rate: float) -> None:
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate


@contextmanager
def _sigterm() -> Iterator[list[int]]:
    """Collect SIGTERM instead of dying of it: the list is empty until one arrives."""
    received: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: received.append(number))
    try:
        yield received
    finally:
        signal.signal(signal.SIGTERM, before)


def check_room(folder: Path, model: nn.Module) -> None:
    """Make sure, before hours of training, that checkpoints can be written.

    Raises:
        InputError: the folder is read-only, or the disk lacks room for a checkpoint and its
            successor.
    """
    with replacing(folder / "writable") as probe:
        probe.write_bytes(b"")
    (folder / "writable").unlink()
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    needed = 8 * weights  # weights and two moments, twice, and the best
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise InputError(
            f"{folder}: {free / 1e9:.1f} GB free, and checkpoints need {needed / 1e9:.1f} GB;"
            " make room or choose another --exp_dir"
        )
