"""Where a training run leaves its files: that can be asked before PyTorch is loaded."""

from __future__ import annotations

from pathlib import Path

from cmt.files import InputError
from cmt.model import stored
from cmt.training.config import RunConfig


def log_files(folder: Path, name: str) -> tuple[Path, Path, Path]:
    """Text, table and picture of a run."""
    return folder / f"{name}.log", folder / f"{name}.csv", folder / f"{name}.png"


def check_name(config: RunConfig) -> None:
    """Neither overwrite a run nor resume one that is not there.

    Raises:
        InputError: one of these would be done.
    """
    last = config.folder / stored.LAST
    kept = sorted(config.folder.glob(stored.BEST.format("*")))
    # A run that was killed in its first epoch may begin again: it has left its log.
    if kept and not last.is_file() and not log_files(config.log_dir, config.name)[0].is_file():
        raise InputError(f"{kept[0]}: a model of this name exists; choose another -n")
    if config.resume and not last.is_file():
        raise InputError(f"{last}: there is no run to go on with; leave out --resume")
    if last.is_file() and not config.resume:
        raise InputError(f"{last}: a run of this name exists; choose another -n, or --resume it")
