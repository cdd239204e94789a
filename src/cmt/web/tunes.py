"""The tunes that visitors send: sounds are decoded in a process of their own, as films are.

    python -m cmt.web.tunes FILE

prints `{"theme": …}` or `{"error": …}`. Whatever a decoder does there, the server goes on.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool

from cmt.files import InputError
from cmt.theme import is_midi, read_theme

PATIENCE = 60.0  # seconds that a tune may take
MEEK = 10  # by which its process is nicer than the server
AT_ONCE = 2  # such processes


async def read_tune(path: Path, turns: asyncio.Semaphore) -> dict[str, Any]:
    """The melody of a file, as `cmt.theme.theme_of` reads it, and its `key`.

    Args:
        path: the file.
        turns: of the processes, `AT_ONCE`.

    Raises:
        InputError: see `cmt.theme.read_theme`; or it takes too long.
    """
    if await run_in_threadpool(is_midi, path):
        return await run_in_threadpool(_described, path)
    async with turns:
        answer = await _in_a_process(path)
    if "error" in answer:
        raise InputError(answer["error"])
    theme: dict[str, Any] = answer["theme"]
    return theme


async def _in_a_process(path: Path) -> dict[str, Any]:
    sources = [str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cmt.web.tunes", str(path)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sources))},
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
        answer: dict[str, Any] = json.loads(said)
    except (asyncio.TimeoutError, ValueError) as error:
        raise InputError(f"{path}: it cannot be read; record it again") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return answer


def _described(path: Path) -> dict[str, Any]:
    theme = read_theme(path)
    return {**asdict(theme), "key": str(theme.key)}


def main() -> None:
    """Read the tune that the command line names."""
    os.nice(MEEK)
    try:
        print(json.dumps({"theme": _described(Path(sys.argv[1]))}))
    except InputError as error:
        print(json.dumps({"error": str(error)}))


if __name__ == "__main__":
    main()
