"""The process that does the page's heavy work, one order at a time, and can be ended at any.

    python -m cmt.web.worker CHECKPOINT MAX_MINUTES [PACE]

Lines of JSON come in: orders, and `{"stop": true}`. Lines of JSON go out: `{"share", "stage",
"doing"}` while an order is worked on, then `{"done": …}`, `{"error": {"field", "message"}}`,
`{"crash": …}` or `{"stopped": true}`. Where the server dies, its worker ends, too.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import queue
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import IO, Any

from cmt.files import InputError
from cmt.web.settings import FieldError
from cmt.web.studio import Studio

TOLD = 0.2  # seconds from one report of progress to the next
PATIENCE = 2.0  # seconds that work may still take once nobody asks for it


class Stopped(Exception):
    """The order is no longer wanted."""


class Teller:
    """Reports progress on a pipe; raises `Stopped` where the work is no longer wanted."""

    def __init__(self, out: IO[str], stop: threading.Event) -> None:
        self._out = out
        self._stop = stop
        self._last = (-math.inf, "")

    def __call__(self, share: float, stage: str, doing: str) -> None:
        """Report, now and then, what is being done."""
        if self._stop.is_set():
            raise Stopped
        now = time.monotonic()
        if now > self._last[0] + TOLD or doing != self._last[1]:
            self._last = (now, doing)
            self.say({"share": min(share, 1.0), "stage": stage, "doing": doing})

    def say(self, message: dict[str, Any]) -> None:
        """Write a line."""
        print(json.dumps(message), file=self._out, flush=True)


def serve(studio: Studio, lines: IO[str], out: IO[str]) -> None:
    """Do what comes in, until nothing will."""
    orders: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
    stop = threading.Event()

    def listen() -> None:
        for line in lines:
            message = json.loads(line)
            if "stop" in message:
                stop.set()
            else:
                stop.clear()
                orders.put(message)
        # Nobody asks any more: an end in order takes those along who play music on other cores.
        stop.set()
        orders.put(None)
        time.sleep(PATIENCE)
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    teller = Teller(out, stop)
    while order := orders.get():
        outcome = _outcome(studio, order, teller)
        with contextlib.suppress(BrokenPipeError):
            teller.say(outcome)


def _outcome(studio: Studio, order: dict[str, Any], teller: Teller) -> dict[str, Any]:
    try:
        return {"done": studio.do(order, teller), "pace": studio.pace}
    except Stopped:
        return {"stopped": True}
    except FieldError as error:
        return {"error": {"field": error.field, "message": str(error)}}
    except InputError as error:
        return {"error": {"field": None, "message": str(error)}}
    except Exception:
        return {"crash": traceback.format_exc()}


def main() -> None:
    """Serve the process that started this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's to act on
    # What libraries print must not come between the messages.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    pace = float(sys.argv[3]) if len(sys.argv) > 3 else None
    studio = Studio(Path(sys.argv[1]), float(sys.argv[2]), pace)
    serve(studio, sys.stdin, out)


if __name__ == "__main__":
    main()
