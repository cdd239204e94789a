"""What the page keeps for each visitor: a folder, and what it says of it.

    HOME/TOKEN/video         as it was uploaded
               clip          .json: what it is
               rhythm        .json: what music is made from
               timeline      .json: what the page draws of it
               takes/1/ …    the files of a take, and what is said of it
               new-…         work that goes on, or did when the server died
               used          its time is that of the last use

The folders are the only record: a server that starts finds the sessions of the one that died, less
the work that was not finished. Nothing in them is named after what a visitor names.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import re
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cmt.files import InputError, replacing

TOKEN = re.compile(r"[A-Za-z0-9_-]{32}")
TOKEN_BYTES = 24
KEPT = 3600.0  # seconds that a session is kept after its last use
MAX_TAKES = 30  # of a session
MAX_SESSIONS = 500
MAX_OF_ADDRESS = 50  # sessions; a class behind one router has these between them
USED = 30.0  # seconds from one note of a use to the next
UNFINISHED = "new-"


@dataclass
class Work:
    """What is being done for a visitor.

    Attributes:
        stage: one of `cmt.web.words.STAGES`.
        doing: a sentence.
        share: that is done, 0 … 1.
        place: in the queue; 0 is being done.
        began: by `time.monotonic`; None while it waits.
    """

    stage: str
    doing: str
    share: float = 0.0
    place: int = 0
    began: float | None = None

    @property
    def left(self) -> float | None:
        """Seconds that it will take, by how long it has taken; None where that tells nothing."""
        if self.began is None or self.share < 0.02:
            return None
        return (time.monotonic() - self.began) * (1 / self.share - 1)

    def to_json(self) -> dict[str, Any]:
        """As the page reads it."""
        left = self.left
        return {
            "stage": self.stage,
            "doing": self.doing,
            "share": round(self.share, 3),
            "left_s": None if left is None else round(left, 1),
            "place": self.place,
        }


@dataclass(eq=False)
class Session:
    """One visitor's video and what was made for it; of its files nothing is held in memory.

    Attributes:
        folder: named by the token.
        address: of the visitor; "" where that is not known, as after the server was killed.
        work: what is being done for it.
        error: what went wrong last: the field of the form, and a sentence, the message.
        version: grows with each change.
    """

    folder: Path
    address: str = ""
    work: Work | None = None
    error: dict[str, Any] | None = None
    version: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _kept: dict[str, Any] | None = None  # of the state, what is in the folder

    @property
    def token(self) -> str:
        """What names it, and lets in."""
        return self.folder.name

    @property
    def clip(self) -> dict[str, Any] | None:
        """What is known of its video."""
        return self._in_folder()["video"]

    @property
    def timeline(self) -> dict[str, Any] | None:
        """What the page draws of its video, once that was watched."""
        return read_json(self.folder / "timeline.json")

    def state(self) -> dict[str, Any]:
        """All that the page shows of it, as JSON has it."""
        work = self.work.to_json() if self.work else None
        return {
            **self._in_folder(),
            "work": work,
            "error": self.error,
            "version": self.version,
        }

    def _in_folder(self) -> dict[str, Any]:
        if self._kept is None:
            self._kept = {
                "video": read_json(self.folder / "clip.json"),
                "timeline": (self.folder / "timeline.json").exists(),
                "takes": [
                    {"id": number, "name": f"Take {number}", **read_json(path)}
                    for number, path in sorted(
                        (int(path.parent.name), path)
                        for path in self.folder.glob("takes/*/take.json")
                    )
                ],
            }
        return self._kept

    def room_for(self, takes: int) -> None:
        """See that it may have so many takes more.

        Raises:
            InputError: it has many.
        """
        if len(self._in_folder()["takes"]) + takes > MAX_TAKES:
            raise InputError(
                f"There are {MAX_TAKES} takes at most: take home what you like, and choose the"
                " video again."
            )

    def changed(self) -> None:
        """Tell those who watch it."""
        self.version += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def change(self, version: int, patience: float) -> None:
        """Wait until it is no longer in a version, or for so many seconds."""
        if self.version == version:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._changed.wait(), patience)

    def use(self) -> None:
        """Note that it is used."""
        used = self.folder / "used"
        with suppress(FileNotFoundError):
            if time.time() > used.stat().st_mtime + USED:
                used.touch()

    def new_folder(self) -> Path:
        """A folder for work, which goes if that is not finished."""
        return Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=self.folder))

    def take_in(self, new: Path) -> None:
        """Make what is in a folder of finished work part of the session; takes get numbers."""
        takes = sorted(new.glob("takes/*"), key=lambda path: int(path.name))
        (self.folder / "takes").mkdir(exist_ok=True)
        last = max((int(path.name) for path in self.folder.glob("takes/*")), default=0)
        for number, take in enumerate(takes, start=last + 1):
            take.rename(self.folder / "takes" / str(number))
        # What tells that all is there comes last.
        for path in sorted(new.iterdir(), key=lambda path: path.name == "timeline.json"):
            if path.name != "takes":
                path.replace(self.folder / path.name)
        remove(new)
        self._kept = None

    def forget(self) -> None:
        """Remove its video and all that was made for it."""
        self.error = self._kept = None
        for path in self.folder.iterdir():
            if path.name != "used" and not path.name.startswith(UNFINISHED):
                remove(path)

    def drop_unfinished(self) -> None:
        """Remove work that is not finished."""
        for path in self.folder.glob(f"{UNFINISHED}*"):
            remove(path)


class Sessions:
    """The sessions in a private folder.

    Args:
        home: of a server; what a dead one left there is taken over.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self._known: dict[str, Session] = {}
        for folder in self._folders():
            session = Session(folder)
            session.drop_unfinished()
            if not (folder / "timeline.json").exists():
                remove(folder)

    def _folders(self) -> Iterator[Path]:
        return (path for path in list(self.home.iterdir()) if TOKEN.fullmatch(path.name))

    def begin(self, address: str = "") -> Session:
        """A new one, for a visitor from an address.

        Raises:
            InputError: there are too many, or too many from there.
        """
        if sum(1 for _ in self._folders()) >= MAX_SESSIONS:
            raise InputError("There are too many visitors here now: try again in an hour.")
        if sum(known.address == address for known in self._known.values()) >= MAX_OF_ADDRESS:
            raise InputError(
                f"There are {MAX_OF_ADDRESS} videos here from your address, the most there may be:"
                " remove one of them, or try again in an hour."
            )
        folder = self.home / secrets.token_urlsafe(TOKEN_BYTES)
        folder.mkdir(mode=0o700)
        (folder / "used").touch()
        return self._known.setdefault(folder.name, Session(folder, address))

    def find(self, token: str) -> Session | None:
        """That of a token, if there is one; this is a use of it."""
        if not TOKEN.fullmatch(token) or not (self.home / token / "used").exists():
            return None
        session = self._known.setdefault(token, Session(self.home / token))
        session.use()
        return session

    def end(self, session: Session) -> None:
        """Remove one and all its files."""
        self._known.pop(session.token, None)
        remove(session.folder)
        session.changed()

    def tell_all(self) -> None:
        """Tell those who watch any of them."""
        for session in self._known.values():
            session.changed()

    def sweep(self, kept: float = KEPT) -> None:
        """Remove sessions that were not used for so many seconds, but those at work."""
        for folder in self._folders():
            session = self._known.get(folder.name) or Session(folder)
            with suppress(FileNotFoundError):
                if (folder / "used").stat().st_mtime < time.time() - kept and not session.work:
                    self.end(session)


@contextmanager
def home_of(name: str) -> Iterator[Path]:
    """The private folder of the server at an address; it goes at the end, with all that is in it.

    What servers have left that died, here or at another address, is taken over.

    Raises:
        InputError: somebody else has taken its name, or another server uses it.
    """
    base = Path(tempfile.gettempdir()) / f"cmt-page-{os.getuid()}"
    home = base / re.sub(r"[^0-9A-Za-z.]", "_", name)
    _make_private(base, home)
    with _held(home) as held:
        if not held:
            raise InputError(f"{home}: is used by another server; name another folder by TMPDIR")
        for other in base.iterdir():
            if other != home and other.is_dir():
                _take_over(other, home)
        try:
            yield home
        finally:
            remove(home)
            with suppress(OSError):  # another server's is beside it
                base.rmdir()


def _make_private(base: Path, home: Path) -> None:
    for folder in (base, home):
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        status = folder.lstat()
        private = stat.S_ISDIR(status.st_mode) and not status.st_mode & 0o077
        if not private or status.st_uid != os.getuid():
            raise InputError(f"{folder}: is not private to you; name another folder by TMPDIR")


@contextmanager
def _held(home: Path) -> Iterator[bool]:
    """Whether a folder is ours alone meanwhile; the system lets go of it when a process dies."""
    folder = os.open(home, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(folder)


def _take_over(other: Path, home: Path) -> None:
    """Move the sessions of a dead server to another's folder; those of a living one stay."""
    with _held(other) as dead:
        if dead:
            for folder in list(other.iterdir()):
                if TOKEN.fullmatch(folder.name):
                    folder.rename(home / folder.name)
            remove(other)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    shutil.rmtree(path, ignore_errors=True)
    with suppress(FileNotFoundError, IsADirectoryError):
        path.unlink()


def read_json(path: Path) -> Any:
    """What a file of ours says; None where there is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def write_json(path: Path, content: Any) -> None:
    """Write what `read_json` reads."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content), encoding="utf-8")
