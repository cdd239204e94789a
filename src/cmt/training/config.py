"""What a training run is asked to do; readable before PyTorch is loaded."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from cmt.files import EXPERIMENTS, LOGS
from cmt.limits import MAX_MEGABYTES
from cmt.model.config import CMTConfig
from cmt.music.vocabulary import MAX_WORDS


@dataclass(frozen=True)
class Augmentation:
    """Random changes of a training song.

    Attributes:
        transpose: pitched tracks move by −transpose … transpose − 1 semitones; drums stay.
        drop_track: probability that a song loses one of its tracks.
        unconditioned: share of songs whose initial tokens leave genre, key and instruments open.
        untold: share of songs whose genre is left open, and of those whose key is.
        excerpts: share of songs of which bars anywhere become a piece of their own.
    """

    transpose: int = 0
    drop_track: float = 0.0
    unconditioned: float = 0.1
    untold: float = 0.0
    excerpts: float = 0.0


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


@dataclass(frozen=True)
class RunConfig:
    """A whole run.

    Attributes:
        name: of the run, under which its files are found.
        data: npz of words to learn from.
        model: sizes of a new model.
        training: how to train; its `bf16` is decided by `precision`.
        augmentation: random changes of the songs to learn from.
        val_fraction: share of songs held out, 0 … 1.
        max_len: longest crop, in words.
        max_megabytes: that the metadata of `data` may have.
        start: checkpoint to start from in place of a new model, ours or the original's.
        dropout: probability that takes the place of the one of `start`; None keeps it.
        resume: go on from where the run of this name stopped.
        gpus: CUDA device numbers; several make a process each. None given: one if there is one.
        precision: "float32", "bfloat16", or "auto" for bfloat16 where the device has it.
        exp_dir: folder of checkpoints.
        log_dir: folder of logs.
    """

    name: str
    data: Path
    model: CMTConfig = field(default_factory=CMTConfig)
    training: TrainingConfig = TrainingConfig()
    augmentation: Augmentation = Augmentation()
    val_fraction: float = 0.05
    max_len: int = MAX_WORDS
    max_megabytes: float = MAX_MEGABYTES
    start: Path | None = None
    dropout: float | None = None
    resume: bool = False
    gpus: tuple[int, ...] = ()
    precision: str = "auto"
    exp_dir: Path = EXPERIMENTS
    log_dir: Path = LOGS

    @property
    def folder(self) -> Path:
        """Where the run's checkpoints go."""
        return self.exp_dir / self.name
