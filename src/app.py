"""The page in the browser: drop a video, listen to it with music.

    src/app.py                                   http://127.0.0.1:7860
    src/app.py --port 8000 --max_minutes 5
    src/app.py --host 0.0.0.0                    for other computers, too
    src/app.py --host 0.0.0.0 --allow-host music.example.org

It needs no network. Videos are kept in a private temporary folder, and removed an hour after
their last use and when the page is closed (Ctrl-C). On a network, whoever can reach this computer
can use the page; each visitor's work is shown to those alone who have its link.
"""

from __future__ import annotations

import argparse
import signal
import sys
from functools import partial
from pathlib import Path

from cmt.files import DEFAULT_CHECKPOINT, InputError
from cmt.limits import MINUTES_A_DAY
from cmt.script import between, parser, run_script


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    options = parser(__doc__)
    add = options.add_argument
    add(
        "--host", default="127.0.0.1",
        help="address to listen on: %(default)s is this computer alone, 0.0.0.0 any that can reach"
        " it; default %(default)s",
    )  # fmt: skip
    add(
        "--allow-host", action="append", default=[], metavar="NAME",
        help="a name by which browsers may ask for the page, besides this computer's; again for"
        " another",
    )  # fmt: skip
    add("--port", type=between(1, 65535, int), help="default: the first free one from 7860 on")
    add(
        "--max_minutes", type=between(0, MINUTES_A_DAY, inclusive="right"), default=10.0,
        help="of a video (%(default)g)",
    )  # fmt: skip
    add("-c", "--ckpt", type=Path, default=DEFAULT_CHECKPOINT, help="checkpoint of the model")
    return options.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Open the page, until Ctrl-C."""
    args = parse(argv)
    import numpy  # noqa: F401  a Python without any of our packages is told of that instead

    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ModuleNotFoundError as error:
        raise InputError(
            f"the page needs {error.name}; install it with .venv/bin/pip install -e '.[web]'"
        ) from error
    from cmt.model.stored import find
    from cmt.web.guard import Hosts
    from cmt.web.listening import address, listen, serve
    from cmt.web.queue import Queue, command
    from cmt.web.server import Page
    from cmt.web.sessions import Sessions, home_of

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C, with its cleaning up
    checkpoint = find(args.ckpt)
    hosts = Hosts.of(args.host, args.allow_host)
    socket = listen(args.host, args.port)
    with home_of(address(socket)) as home:
        page = Page(Sessions(home), Queue(command(checkpoint, args.max_minutes)), args.max_minutes)
        print(f"open http://{address(socket)} in a browser; Ctrl-C ends it", flush=True)
        serve(page.app(hosts), socket, page.end)


command = partial(run_script, main)

if __name__ == "__main__":
    sys.exit(command())
