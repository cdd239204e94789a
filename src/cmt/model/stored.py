"""Which file of a folder is meant by its checkpoint: that can be asked before PyTorch is loaded."""

from __future__ import annotations

from pathlib import Path

from cmt.files import InputError

BEST = "loss_{}_params.pt"  # of the lowest validation loss, as the original's users know it
LAST = "last.pt"


def find(path: str | Path) -> Path:
    """The checkpoint that `path` means: a file itself, in a folder the best one, else the last.

    Raises:
        InputError: there is none.
    """
    path = Path(path)
    if path.is_file():
        return path
    best = sorted(path.glob(BEST.format("*")), key=lambda p: int(p.stem.split("_")[1]))
    for candidate in (*best, path / LAST):
        if candidate.is_file():
            return candidate
    raise InputError(f"{path}: no checkpoint there; give a .pt file or a folder that holds one")
