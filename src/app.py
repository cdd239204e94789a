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
from pathlib import Path

from cmt.files import EXPERIMENTS, InputError, run_script


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (%(default)s: this computer)")
    add("--port", type=int, help="default: the first free one from 7860 on")
    add("--max_minutes", type=float, default=10.0, help="of a video (%(default)g)")
    add("-c", "--ckpt", type=Path, default=EXPERIMENTS / "default", help="checkpoint of the model")
    args = parser.parse_args(argv)
    if not args.max_minutes > 0:
        parser.error("--max_minutes: give a number above 0")
    return args


def main(argv: list[str] | None = None) -> None:
    """Open the page, until Ctrl-C."""
    args = parse(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C, with its cleaning up
    # Gradio reads these when it is imported.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_OFFLINE"] = "1"
    with tempfile.TemporaryDirectory(prefix="cmt-page-", ignore_cleanup_errors=True) as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        try:
            from cmt.page import Page, serve
        except ModuleNotFoundError as error:
            raise InputError(
                f"the page needs {error.name}; install it with .venv/bin/pip install -e '.[web]'"
            ) from error
        from cmt.studio import Studio

        page = Page(Studio(Path(folder), args.ckpt, args.max_minutes))
        try:
            blocks = serve(page, args.host, args.port)
        except OSError as error:
            raise InputError(f"{error}; choose another --port") from error
        print(f"open {blocks.local_url} in a browser; Ctrl-C ends it", flush=True)
        blocks.block_thread()


if __name__ == "__main__":
    sys.exit(run_script(main))
