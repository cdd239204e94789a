"""The page in the browser: drop a video, listen to it with music.

    src/app.py                                   http://127.0.0.1:7860
    src/app.py --port 8000 --max_minutes 5
    src/app.py --host 0.0.0.0                    for other computers, too

It needs no network. Videos are kept in a private temporary folder, and removed an hour after
their last use and when the page is closed (Ctrl-C).
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from functools import partial
from pathlib import Path

from cmt.files import DEFAULT_CHECKPOINT, InputError
from cmt.script import between, parser, run_script

MINUTES_A_DAY = 1440


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    options = parser(__doc__)
    add = options.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (%(default)s: this computer)")
    add("--port", type=between(1, 65535, int), help="default: the first free one from 7860 on")
    add(
        "--max_minutes",
        type=between(0, MINUTES_A_DAY, inclusive="right"),
        default=10.0,
        help="of a video (%(default)g)",
    )
    add("-c", "--ckpt", type=Path, default=DEFAULT_CHECKPOINT, help="checkpoint of the model")
    return options.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Open the page, until Ctrl-C."""
    args = parse(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C, with its cleaning up
    # Gradio reads these when it is imported.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_OFFLINE"] = "1"
    with tempfile.TemporaryDirectory(prefix="cmt-page-", ignore_cleanup_errors=True) as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        from cmt.web.studio import Studio

        try:
            from cmt.web.page import Page, serve
        except ModuleNotFoundError as error:
            raise InputError(
                f"the page needs {error.name}; install it with .venv/bin/pip install -e '.[web]'"
            ) from error
        page = Page(Studio(Path(folder), args.ckpt, args.max_minutes))
        try:
            blocks = serve(page, args.host, args.port)
        except OSError as error:
            raise InputError(f"{error}; choose another --port") from error
        print(f"open {blocks.local_url} in a browser; Ctrl-C ends it", flush=True)
        blocks.block_thread()


command = partial(run_script, main)

if __name__ == "__main__":
    sys.exit(command())
