"""Where data lives, outputs that are whole or absent, and errors that a user can act on."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PACKAGES = Path(__file__).resolve().parents[1]
REPOSITORY = _PACKAGES.parent
IN_CHECKOUT = (_PACKAGES / "video2bgm.sh").is_file()  # or installed as a package of its own
# An installed package's data are in the working folder, but for the default model.
DATA = REPOSITORY if IN_CHECKOUT else Path()
DATASET = DATA / "dataset"
EXPERIMENTS = DATA / "exp"
DEFAULT_CHECKPOINT = EXPERIMENTS / "default" if IN_CHECKOUT else _PACKAGES / "cmt_default_model"
LOGS = DATA / "logs"
INFERENCE = DATA / "inference"
VIDEOS = DATA / "videos"
MIDI_SUFFIXES = (".mid", ".midi")
PICTURES = ("png", "svg", "pdf")  # formats that plots are written in


class InputError(Exception):
    """An input that cannot be used; the message names the file, the cause and the remedy."""


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary name beside `path`, with its suffix, and rename it to `path` on success.

    On an exception the temporary file is removed and an older `path` stays as it was.

    Raises:
        InputError: the folder cannot be made or written to, or the disk is full.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent
        )
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error.strerror}); choose a writable folder"
        ) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes private files; a result gets the permissions any new file would.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise InputError(f"{path}: the disk is full; make room or choose another folder") from error
    finally:
        temporary.unlink(missing_ok=True)


def unused_name(stem: str, names: set[str]) -> str:
    """The stem, or the stem with the first number that makes it new; `names` takes it up.

    So that files of one name in several folders do not replace each other's results.
    """
    name, number = stem, 2
    while name in names:
        name, number = f"{stem}-{number}", number + 1
    names.add(name)
    return name


def checksum(path: str | Path) -> str:
    """SHA-256 of a file, in hexadecimal.

    Raises:
        InputError: the file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with Path(path).open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    return digest.hexdigest()


def git_revision() -> str:
    """The repository's commit, "unknown" outside a git checkout."""
    if not IN_CHECKOUT:  # a repository around it would be another's
        return "unknown"
    command = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return result.stdout.strip()
