"""What visitors send: streamed to a file or read as JSON, as long as it may be."""

from __future__ import annotations

import json
import math
import re
import shutil
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from cmt.web.settings import FieldError

RATE = 500  # MB/minute that a video may have; a phone's 4K has 400
MB = 1_000_000
ROOM = 1000 * MB  # bytes that are left free on the disk
MAX_TUNE = 30 * MB  # bytes of a tune: two minutes of any sound
MAX_JSON = 1 * MB  # bytes of settings
LONGEST_NAME = 100  # characters that are kept of a file's name


def max_video(minutes: float) -> float:
    """Bytes that a video may have that may be so long; `math.inf` where any may."""
    return math.inf if math.isinf(minutes) else math.ceil(RATE * minutes) * MB


async def receive(request: Request, path: Path, limit: float, field: str) -> None:
    """Write the body of a request to a file; what may not be is refused while it comes.

    Args:
        request: whose body it is.
        path: the file.
        limit: bytes.
        field: of the page, for errors.

    Raises:
        FieldError: it is longer, or empty, or the disk is nearly full.
    """
    too_large = FieldError(
        field, f"This file has more than {limit / MB:g} MB, the most that is taken here."
    )
    declared = request.headers.get("content-length", "")
    expected = int(declared) if declared.isdecimal() else 0
    if expected > limit:
        raise too_large
    if shutil.disk_usage(path.parent).free < expected + ROOM:
        raise FieldError(field, "There is no room here for this file now: try again later.")
    size = 0
    with path.open("wb") as file:
        async for part in request.stream():
            size += len(part)
            if size > limit:
                raise too_large
            await run_in_threadpool(file.write, part)
    if not size:
        raise FieldError(field, "This file is empty: choose another.")


async def read_json(request: Request) -> Any:
    """The JSON in a request's body.

    Raises:
        FieldError: it is none, or too much.
    """
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_JSON:
            raise FieldError("settings", "This file is too large to be settings.")
    try:
        content = json.loads(body)
        json.dumps(content, ensure_ascii=False, allow_nan=False).encode()  # it can be told again
        return content
    except (ValueError, RecursionError) as error:
        raise FieldError(
            "settings", "This is no JSON: give the settings file of a take."
        ) from error


def shown_name(request: Request, usual: str) -> str:
    """The name of a file as the visitor calls it, to be shown; never a path here."""
    name = re.split(r"[/\\]", request.query_params.get("name") or usual)[-1]
    return "".join(filter(str.isprintable, name))[-LONGEST_NAME:] or usual
