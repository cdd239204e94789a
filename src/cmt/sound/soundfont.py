"""The SoundFont that comes with us: a part of FluidR3_GM, unpacked on first use.

runs/soundfont.py makes the pack: the file's bytes before and after the samples, and these as
WavPack, which is lossless. Its filters are opened as it is unpacked, see `open_filters`.
"""

from __future__ import annotations

import getpass
import hashlib
import io
import os
import struct
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from cmt.files import InputError, checksum, plain, replacing
from cmt.sound.open_filters import opened

PACK = Path(__file__).with_name("fluid.zip")
BEFORE, SAMPLES, AFTER = "before", "samples.wv", "after"
SHA256 = "664f1201950d46a2a652fb95c148f05d863bcdff31326291017329e8239f52d9"  # of the file, unpacked
MISSING = "is damaged or missing; get the repository anew, or give --soundfont"


def default_soundfont() -> Path:
    """Path of the SoundFont in the user's cache; unpacked if it is not there.

    Raises:
        InputError: the pack is damaged; no folder can be written to.
    """
    name = f"fluid-{SHA256[:12]}.sf2"
    path = cache_folder() / name
    instead = Path(tempfile.gettempdir()) / f"cmt-{getpass.getuser()}" / name
    try:
        return _kept(path)
    except InputError:  # a cache that cannot be written to
        return _kept(instead)


def cache_folder() -> Path:
    """Where programs keep what they can make again, on this system."""
    if asked := os.environ.get("CMT_CACHE"):
        return Path(asked)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "cmt"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "cmt"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cmt"


def unpack() -> bytes:
    """The SoundFont file.

    Raises:
        InputError: the pack is damaged.
    """
    import av

    try:
        with zipfile.ZipFile(PACK) as pack:
            before, packed, after = (pack.read(name) for name in (BEFORE, SAMPLES, AFTER))
        with av.open(io.BytesIO(packed), "r") as source:
            frames = [frame.to_ndarray().ravel() for frame in source.decode(audio=0)]
    except (OSError, KeyError, zipfile.BadZipFile, av.FFmpegError) as error:
        raise InputError(f"{PACK}: {MISSING}") from error
    samples = np.concatenate(frames).astype("<i2").tobytes()
    try:
        body = before[8:] + samples + opened(after)
    except (KeyError, ValueError, struct.error) as error:
        raise InputError(f"{PACK}: {MISSING}") from error
    content = struct.pack("<4sI", b"RIFF", len(body)) + body
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise InputError(f"{PACK}: {MISSING}")
    return content


def _kept(path: Path) -> Path:
    """This file, once the SoundFont is in it."""
    if _is_whole(path):
        return path
    if os.path.lexists(path) and not path.is_file():
        raise InputError(f"{path}: is in the place of the SoundFont that comes with us; remove it")
    with replacing(path) as temporary:
        temporary.write_bytes(unpack())
    return path


def _is_whole(path: Path) -> bool:
    try:
        return checksum(plain(path)) == SHA256
    except (OSError, InputError):  # nothing, a folder, a pipe, another's
        return False
