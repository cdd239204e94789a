"""The work that goes on for each visitor of the page, which they can stop."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from cmt.web.studio import Telling

TOLD = 0.2  # seconds from one report of progress to the next


class Stopped(Exception):
    """A visitor no longer wants it."""


class Visits:
    """Whose work goes on; a visitor is named by the browser's session."""

    def __init__(self) -> None:
        self._stops: dict[str | None, threading.Event] = {}

    def begin(self, visitor: str | None) -> None:
        """Work is asked for, now or when its turn comes."""
        self._stops[visitor] = threading.Event()

    def end(self, visitor: str | None) -> None:
        """What is still done for a visitor is to stop."""
        if stop := self._stops.pop(visitor, None):
            stop.set()

    def progress(self, visitor: str | None, tell: Callable[[float, str], None]) -> Telling:
        """What the work is to report to: tells now and then, and raises `Stopped` after `end`."""
        stop = self._stops.setdefault(visitor, threading.Event())
        last = -math.inf

        def report(share: float, doing: str) -> None:
            nonlocal last
            if stop.is_set():
                raise Stopped
            if time.monotonic() > last + TOLD:
                last = time.monotonic()
                tell(share, doing)

        return report
