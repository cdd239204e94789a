"""Before the work: its results can be written, onto nothing that is read, by one run at a time."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cmt.files import TEMPORARY, InputError, is_at, locked, refuse_folder, temporary, writing_to


def check_outputs(outputs: Iterable[Path], inputs: Iterable[Path] = ()) -> None:
    """See that files can be written, and `sweep` their folders; nothing is made.

    Args:
        outputs: files to write.
        inputs: files that are read, none of which may be replaced.

    Raises:
        InputError: an output is an input, another output, or a folder; its folder is none or
            cannot be written to; its name is too long.
    """
    sources = {os.path.realpath(source): source for source in inputs}
    sources |= {key: source for source in sources.values() if (key := identity(source))}
    folders: set[Path] = set()
    seen: set[str] = set()
    for path in outputs:
        real = os.path.realpath(path)
        if source := sources.get(real) or sources.get(identity(path)):
            raise InputError(f"{path}: would replace {source}, which is read; choose another name")
        if real in seen:
            raise InputError(f"{path}: is asked for twice; choose another name")
        seen.add(real)
        with writing_to(path):
            refuse_folder(path)
            if not path.exists() or path.is_file():
                folders.add(_writable_above(Path(real), folders))
    for folder in folders:
        sweep(folder)


def refuse_to_replace(outputs: Iterable[Path], mark: Path, overwrite: bool) -> None:
    """See that files which exist are those of an earlier run.

    Args:
        outputs: files to write, whose names the user has not given.
        mark: the file that an earlier run has left beside them.
        overwrite: replace them, whatever they are.

    Raises:
        InputError: there is one without that mark.
    """
    if overwrite or mark.exists():
        return
    for path in outputs:
        if path.is_file():
            raise InputError(
                f"{path}: exists, and is not known to be of an earlier run; choose another name"
                " or folder, or --overwrite it"
            )


def identity(path: Path) -> str:
    """What all names of an existing file have in common, hard links too; else an empty text."""
    try:
        about = path.stat()
    except OSError:
        return ""
    return f"{about.st_dev} {about.st_ino}"


def _writable_above(path: Path, known: set[Path]) -> Path:
    """The lowest folder above `path` that exists: `path` can be made from there on.

    Raises:
        OSError: it cannot be.
    """
    folder = next(above for above in path.parents if os.path.lexists(above))
    with suppress(FileNotFoundError):
        path.lstat()
    for name in path.relative_to(folder).parts:
        with suppress(FileNotFoundError):
            (folder / name).lstat()
    if folder not in known:
        with temporary(folder / "probe"):
            pass
    return folder


# The names that `temporary` gives, what is set aside while they are renamed, and locks.
_OURS = re.compile(rf"{re.escape(TEMPORARY)}[0-9a-f]{{8}}([0-9a-f]{{8}}\.lock|(\..*)?)", re.DOTALL)


def sweep(folder: Path) -> None:
    """Remove the temporary files of runs that were killed; those of living ones are locked."""
    for path in folder.glob(f"{TEMPORARY}*"):
        if not _OURS.fullmatch(path.name) or not path.is_file():
            continue
        with suppress(OSError):  # another's, or another sweeps: not what this run is about
            descriptor = os.open(path, os.O_RDONLY)
            try:
                if locked(descriptor) and is_at(descriptor, path):
                    path.unlink()
            finally:
                os.close(descriptor)


@contextmanager
def only_run(path: Path) -> Iterator[None]:
    """Keep other runs from writing files of this name, until the end or as long as we live.

    Args:
        path: what the files, or the folder, of the run are named after.

    Raises:
        InputError: another run does so, or the folder cannot be written to.
    """
    name = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    lock = path.parent / f"{TEMPORARY}{name}.lock"
    with writing_to(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _lock(lock)
    if descriptor is None:
        raise InputError(
            f"{path}: another run writes files of this name; wait for its end or choose another"
        )
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(descriptor)


def _lock(path: Path) -> int | None:
    """A descriptor of this file, which is locked until it is closed; None if another has it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        with suppress(OSError):  # not every file system knows locks
            if not locked(descriptor):
                os.close(descriptor)
                return None
        if is_at(descriptor, path):  # not removed, just before, by the one that had it
            return descriptor
        os.close(descriptor)
