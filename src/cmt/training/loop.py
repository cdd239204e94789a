"""The training step and the loop around it: one process, or one of several ranks.

Source: paper section 5.1; original: train.py. The loss is the mean over the seven attributes of
the cross-entropy over real words.
"""

from __future__ import annotations

import dataclasses
import math
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader
from tqdm import tqdm

from cmt.files import InputError
from cmt.model import checkpoint, stored
from cmt.model.network import CMT, losses
from cmt.training.config import TrainingConfig
from cmt.training.optimizers import learning_rate, make_optimizers, set_rate, take_up
from cmt.training.ranks import Ranks
from cmt.training.songs import Batch, Songs, batches, collate
from cmt.training.state import TrainingState
from cmt.untrusted import entries, items, naming


class NonFiniteLoss(InputError):
    """The loss became infinite or NaN; the last checkpoint is from before."""


def has_bf16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 matrices in hardware."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # No public part of PyTorch tells; a release without these has its products in float32.
    asked = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, bool)() for name in asked)


def batch_losses(
    model: nn.Module, batch: Batch, config: TrainingConfig, total: Tensor | None = None
) -> Tensor:
    """Losses (attributes,) of a batch in the vocabulary's order, divided by `total` words."""
    device = batch.words.device.type
    with torch.autocast(device, torch.bfloat16, enabled=config.bf16):
        logits = model(batch.words, batch.initial, batch.targets, config.checkpoint_activations)
    return torch.stack(list(losses(logits, batch.targets, batch.mask, total).values()))


class Trainer:
    """A model in training, and all that changes with it.

    Everything random is drawn from (seed, step or item), so that a run that is resumed after
    any saved step gives the same weights, bit for bit on CPUs, as one that never stopped.

    Args:
        model: on `ranks.device`; changed in place.
        config: how to train.
        ranks: this process's place.

    Attributes:
        network: the model as it is called: compiled and distributed where asked for.
        progress: how far it is.
    """

    def __init__(self, model: CMT, config: TrainingConfig, ranks: Ranks) -> None:
        self.config = config
        self.ranks = ranks
        self.optimizers = make_optimizers(model, config)
        self.network = _wrapped(model, config, ranks)
        self.vocabulary = model.vocabulary
        self.progress = TrainingState(vocabulary=model.vocabulary)

    def state(self) -> dict[str, Any]:
        """What a resumed run needs besides the weights, as a checkpoint can hold it."""
        return {
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "progress": dataclasses.asdict(self.progress),
            "training": dataclasses.asdict(self.config),
        }

    def restore(self, state: Mapping[str, Any], folder: Path) -> None:
        """Take up a `state`.

        Raises:
            InputError: it is of other optimizers, or has values that no run leaves; names `folder`,
                where it comes from.
        """
        with naming(folder, "no run to go on with", "start anew with -p"):
            optimizers = items(state.get("optimizers", ()), "optimizers")
            if len(optimizers) != len(self.optimizers):
                raise InputError(
                    f"{folder}: trained by other optimizers; resume with --muon as it began, or"
                    " start anew with -p"
                )
            for optimizer, values in zip(self.optimizers, optimizers, strict=True):
                take_up(optimizer, values)
            self.progress = TrainingState.of(
                entries(state.get("progress"), "progress"), self.vocabulary
            )

    def epoch(self, songs: Songs, stopping: Sequence[int], save: Callable[[], None]) -> bool:
        """What is left of the present epoch, a step for each batch.

        Args:
            songs: to learn from.
            stopping: signals received; not empty once the run is to stop.
            save: called every `config.save_minutes`.

        Returns:
            False if a rank was asked to stop; the epoch is then not finished.
        """
        config, progress = self.config, self.progress
        songs.epoch = progress.epoch
        groups = batches(songs.lengths, config.batch_size, (config.seed, progress.epoch))
        steps = config.epochs * len(groups)
        bar = tqdm(
            self._load(songs, groups[progress.batch :]),
            f"epoch {progress.epoch + 1}/{config.epochs}",
            total=len(groups),
            initial=progress.batch,
            disable=None if self.ranks.first else True,
        )
        began = saved = time.monotonic()
        read = 0.0
        for batch in bar:
            words, stop = self._agree(batch, stopping)
            if stop:
                return False
            set_rate(self.optimizers, learning_rate(config, progress.step, steps))
            loss = self.step(batch, words)
            progress.add(loss.tolist(), float(words))
            read += float(words)
            rate = read / (time.monotonic() - began)
            bar.set_postfix_str(f"loss {float(loss.mean()):.3f}, {rate:,.0f} words/s")
            if time.monotonic() - saved >= 60 * config.save_minutes:
                save()
                saved = time.monotonic()
        return True

    def _load(self, songs: Songs, groups: Sequence[np.ndarray]) -> Iterable[Batch]:
        """This rank's share of each global batch; it may be empty: no rank waits in vain."""
        return DataLoader(
            songs,
            batch_sampler=[group[self.ranks.rank :: self.ranks.world].tolist() for group in groups],
            collate_fn=partial(collate, vocabulary=songs.vocabulary),
            num_workers=self.config.workers,
            pin_memory=self.ranks.device.type == "cuda",
            generator=torch.Generator(),
        )

    def _agree(self, batch: Batch, stopping: Sequence[int]) -> tuple[Tensor, bool]:
        """Real words of the global batch, a scalar, and whether any rank was asked to stop."""
        own = [float(batch.mask.sum()), float(bool(stopping))]
        agreed = self.ranks.sum(torch.tensor(own, dtype=torch.float64, device=self.ranks.device))
        return agreed[0], bool(agreed[1] > 0)

    def step(self, batch: Batch, words: Tensor) -> Tensor:
        """One optimizer step on a global batch of so many words; its losses (attributes,).

        Args:
            batch: this rank's share.
            words: scalar, of all ranks.

        Raises:
            NonFiniteLoss: the loss or its gradient; the weights are as before.
        """
        self.network.train()
        place = (self.config.seed, self.progress.step, self.ranks.rank)
        torch.manual_seed(int(np.random.SeedSequence(place).generate_state(1)[0]))
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        total = self.ranks.sum(self._backward(batch, words.float()))
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip)
        if not (torch.isfinite(norm) and torch.isfinite(total).all()):
            raise NonFiniteLoss(
                f"step {self.progress.step}: the loss or its gradient is not finite; the last"
                " checkpoint is from before: resume it with a lower --lr"
            )
        for optimizer in self.optimizers:
            optimizer.step()
        return total

    def _backward(self, batch: Batch, words: Tensor) -> Tensor:
        """Gradients of a batch, micro-batch by micro-batch; this rank's share of its losses."""
        network, ranks = self.network, self.ranks
        total = torch.zeros(len(self.vocabulary.predicted), device=ranks.device)
        micros = list(batch.micro_batches(self.config.micro_batch))
        for index, micro in enumerate(micros):
            last = index == len(micros) - 1
            unsynchronised = isinstance(network, DistributedDataParallel) and not last
            with network.no_sync() if unsynchronised else nullcontext():  # type: ignore[operator]
                loss = batch_losses(network, micro.to(ranks.device), self.config, words)
                # DistributedDataParallel averages gradients over ranks; each rank's loss is
                # already its share of the whole batch's.
                (loss.mean() * ranks.world).backward()
            total += loss.detach()
        return total

    @torch.no_grad()
    def evaluate(self, songs: Songs) -> Tensor:
        """Mean losses (attributes,) float64 over all words of `songs`; see `batch_losses`."""
        self.network.eval()
        sums = torch.zeros(
            len(self.vocabulary.predicted) + 1, dtype=torch.float64, device=self.ranks.device
        )
        one = torch.ones((), device=self.ranks.device)
        for batch in self._load(songs, batches(songs.lengths, self.config.batch_size)):
            for micro in batch.micro_batches(self.config.micro_batch):
                micro = micro.to(self.ranks.device)
                total = batch_losses(self.network, micro, self.config, total=one).double()
                sums += torch.cat([total, micro.mask.sum().double().unsqueeze(0)])
        self.network.train()
        sums = self.ranks.sum(sums).cpu()
        return sums[:-1] / sums[-1]

    def finish_epoch(self, validation: Songs | None) -> None:
        """Validate, append the epoch's rows to the history and begin the next epoch."""
        sums = torch.tensor(self.progress.sums, dtype=torch.float64)
        trained = sums[:-1] / sums[-1]
        held_out = (
            self.evaluate(validation)
            if validation is not None
            else torch.full_like(trained, math.nan)
        )
        self.progress.finish_epoch(
            *([*losses.tolist(), float(losses.mean())] for losses in (trained, held_out))
        )


def train(
    model: CMT,
    training: Songs,
    validation: Songs | None,
    config: TrainingConfig,
    ranks: Ranks,
    folder: Path,
    resume: Mapping[str, Any] | None = None,
    on_epoch: Callable[[TrainingState], None] = lambda progress: None,
    **extra: Any,
) -> TrainingState:
    """Train until `config.epochs` epochs are done, or SIGTERM asks to stop.

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
        InputError: the folder cannot be written to, or `resume` is of other optimizers.
    """
    for songs in (training, validation):
        if songs is not None:
            model.reserve(songs.ticks)
    trainer = Trainer(model, config, ranks)
    if resume is not None:
        trainer.restore(resume, folder)
    progress = trainer.progress

    def save() -> None:
        if ranks.first:
            checkpoint.save(folder / stored.LAST, model, **trainer.state(), **extra)

    with _sigterm() as stopping:
        while progress.epoch < config.epochs:
            if not trainer.epoch(training, stopping, save):
                save()
                break
            trainer.finish_epoch(validation)
            if ranks.first:
                on_epoch(progress)
                _save_best(folder, model, progress, **extra)
            save()
    return progress


def _save_best(folder: Path, model: CMT, progress: TrainingState, **extra: Any) -> None:
    """Keep the weights of the lowest validation loss, under a name that tells it."""
    validation_loss = progress.history[-1][3]
    if not validation_loss < progress.best:
        return
    progress.best = validation_loss
    path = folder / stored.BEST.format(round(100 * validation_loss))
    checkpoint.save(
        path, model, step=progress.step, epoch=progress.epoch, loss=validation_loss, **extra
    )
    for old in folder.glob(stored.BEST.format("*")):
        if old != path:
            old.unlink()


def _wrapped(model: CMT, config: TrainingConfig, ranks: Ranks) -> nn.Module:
    """The model as it is called: compiled and distributed where asked for."""
    network: nn.Module = torch.compile(model, dynamic=True) if config.compile else model  # type: ignore[assignment]
    return DistributedDataParallel(network) if ranks.world > 1 else network


@contextmanager
def _sigterm() -> Iterator[list[int]]:
    """Collect SIGTERM instead of dying of it: the list is empty until one arrives."""
    received: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: received.append(number))
    try:
        yield received
    finally:
        signal.signal(signal.SIGTERM, before)
