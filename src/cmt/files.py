"""Where data lives, outputs that are whole or absent, and errors that a user can act on."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
import stat
import subprocess
import tempfile
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: nothing is locked there
    fcntl = None  # type: ignore[assignment]

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
def about(path: str | Path) -> Iterator[None]:
    """Name the file of which something is asked that cannot be.

    Raises:
        InputError: as inside, with the file's name before it.
    """
    try:
        yield
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


@contextmanager
def writing_to(path: str | Path) -> Iterator[None]:
    """Say in a line why `path` cannot be written.

    Raises:
        InputError: in place of an error of the system, such as of a full disk.
    """
    try:
        yield
    except BrokenPipeError:  # of a terminal or a pipe; see cmt.script
        raise
    except OSError as error:
        raise InputError(f"{path}: {_REASONS.get(error.errno or 0) or _reason(error)}") from error


_FULL = "the disk is full; make room or choose another folder"
_NO_FOLDER = "cannot be written, as its folder is a file; choose another folder"
_REASONS = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: "the file becomes too large for this disk or limit; choose another folder",
    errno.ENOTDIR: _NO_FOLDER,
    errno.EEXIST: _NO_FOLDER,
    errno.EISDIR: "is a folder; choose another name",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
}


def _reason(error: OSError) -> str:
    return f"cannot be written ({error.strerror or error}); choose a writable folder"


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary name beside `path`, with its suffix, and rename it to `path` on success.

    On an exception the temporary file is removed and an older `path` stays as it was. A link is
    followed; a pipe or a device, such as /dev/null, is written to.

    Raises:
        InputError: the folder cannot be made or written to, the disk is full, `path` is a folder …
    """
    with replacing_all([path]) as (new,):
        yield new


@contextmanager
def replacing_all(paths: Sequence[str | Path]) -> Iterator[list[Path]]:
    """`replacing` of files that belong together: on success all of them appear, else none.

    Raises:
        InputError: as `replacing`, of the first of them.
    """
    targets = [Path(path) for path in paths]
    with writing_to(targets[0]), ExitStack() as cleaning:
        temporaries = [cleaning.enter_context(temporary(target)) for target in targets]
        yield temporaries
        _put(temporaries, targets)


def write_together(contents: Mapping[Path, bytes]) -> None:
    """Write files that belong together: all of them appear, or none.

    Raises:
        InputError: as `replacing_all`.
    """
    with replacing_all(list(contents)) as temporaries:
        for new, content in zip(temporaries, contents.values(), strict=True):
            new.write_bytes(content)


# What a run writes has such a name until it is whole, and is locked while that run's process lives:
# `cmt.outputs.sweep` removes those of the dead.
TEMPORARY = ".cmt-"
_LONGEST_SUFFIX = 16  # of a temporary file's name, which must not grow too long itself


def _is_special(path: Path) -> bool:
    """Whether this is a pipe or a device: to be written to, never replaced."""
    return path.exists() and not path.is_file() and not path.is_dir()


@contextmanager
def temporary(target: Path) -> Iterator[Path]:
    """An empty file with the suffix of `target`, in its folder; removed in the end.

    Raises:
        OSError: the folder cannot be made or written to.
    """
    if _is_special(target):
        folder = Path(tempfile.gettempdir())
    else:
        folder = Path(os.path.realpath(target)).parent
        folder.mkdir(parents=True, exist_ok=True)
    while True:
        number = secrets.token_hex(4)
        path = folder / f"{TEMPORARY}{number}{target.suffix[:_LONGEST_SUFFIX]}"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            continue
        with suppress(OSError):  # not every file system knows locks
            locked(descriptor)
        if is_at(descriptor, path):  # nobody swept it before it was locked
            break
        os.close(descriptor)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def locked(descriptor: int) -> bool:
    """Lock an open file until it is closed or its process ends; False where another has it.

    Raises:
        OSError: there are no locks on this system or file system.
    """
    if fcntl is None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_at(descriptor: int, path: Path) -> bool:
    """Whether an open file is the one of this name."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def _put(temporaries: Sequence[Path], targets: Sequence[Path]) -> None:
    """Rename each temporary file to its target, or none of them."""
    for target in targets:
        refuse_folder(target)
    done: list[tuple[Path, Path | None]] = []
    try:
        for new, target in zip(temporaries, targets, strict=True):
            if _is_special(target):
                _pour(new, target)
                continue
            if target.exists():
                new.chmod(stat.S_IMODE(target.stat().st_mode))
            real = Path(os.path.realpath(target))
            older = _kept(real, new) if len(targets) > 1 else None
            new.replace(real)
            done.append((real, older))
    except OSError:
        for target, older in done:
            if older:
                older.replace(target)
            else:
                target.unlink()
        raise
    finally:
        for _, older in done:
            if older:
                older.unlink(missing_ok=True)


def _pour(content: Path, target: Path) -> None:
    """Write a file to a pipe or a device."""
    try:
        with content.open("rb") as source, target.open("wb") as file:
            shutil.copyfileobj(source, file)
    except BrokenPipeError as error:
        raise InputError(f"{target}: its reader has gone; choose a file") from error


def refuse_folder(path: Path) -> None:
    """Raise the error that writing a file of the name of a folder would."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))


def _kept(target: Path, new: Path) -> Path | None:
    """A second name of a file that `new` is about to replace; None if there is none."""
    older = new.with_name(f"{new.name}.old")
    try:
        os.link(target, older)
    except FileNotFoundError:
        return None
    except OSError:  # a file system without links
        shutil.copy2(target, older)
    return older


def plain(path: str | Path) -> Path:
    """A path, of a file that has an end; of a folder, too.

    Raises:
        OSError: there is nothing, or it is a pipe, to which nobody may ever write, or a device.
    """
    path = Path(path)
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise OSError(errno.EINVAL, "a pipe or a device; save it as a file")
    return path


def unused_name(stem: str, names: set[str]) -> str:
    """The stem, or the stem with the first number that makes it new; `names` takes it up.

    So that files of one name in several folders do not replace each other's results, nor "Piano"
    and "piano" each other where a file system takes them for one.
    """
    name, number = stem, 2
    while (alike := unicodedata.normalize("NFC", name).casefold()) in names:
        name, number = f"{stem}-{number}", number + 1
    names.add(alike)
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
