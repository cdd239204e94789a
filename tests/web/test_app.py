"""The script that opens the page."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest

from cmt.files import REPOSITORY

pytest.importorskip("uvicorn", reason="uvicorn is not installed (extra `web`)")

COMMAND = [sys.executable, str(REPOSITORY / "src" / "app.py")]


def started(folder: Path, *options: str) -> tuple[subprocess.Popen[str], str]:
    """The process, its temporary folder being `folder`, and where it answers."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src"), "TMPDIR": str(folder)}
    process = subprocess.Popen(
        [*COMMAND, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        # Tests that run in a shell's background are not to be interrupted; the page is.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout
    return process, process.stdout.readline().split()[1]


def begin(url: str) -> str:
    with urlopen(Request(f"{url}/api/sessions", method="POST")) as answer:
        return f"{url}/api/sessions/{answer.read().decode().split(chr(34))[3]}"


def children(process: subprocess.Popen[str]) -> list[int]:
    tasks = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(child) for child in tasks.read_text().split()]


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_it_opens_the_page_and_leaves_nothing(tmp_path: Path, ending: signal.Signals) -> None:
    process, url = started(tmp_path)
    with process:
        assert urlsplit(url).hostname == "127.0.0.1"
        with urlopen(url) as answer:
            assert "<!doctype html>" in answer.read().decode().lower()
        mine = begin(url)
        (home,) = tmp_path.glob("cmt-page-*/*")
        assert home.stat().st_mode & 0o777 == home.parent.stat().st_mode & 0o777 == 0o700
        with urlopen(f"{mine}/events") as watching:  # somebody has the page open
            assert watching.readline() == b"event: state\n"
            process.send_signal(ending)
            assert process.wait(30) == 130
        assert process.stderr and process.stderr.read() == ""
    assert not list(tmp_path.iterdir())


def test_a_killed_server_takes_its_worker_along(tmp_path: Path) -> None:
    process, url = started(tmp_path)
    with process:
        begin(url)
        (worker,) = children(process)
        process.kill()
    end = time.monotonic() + 30
    while (
        status := Path(f"/proc/{worker}/status")
    ).exists() and "zombie" not in status.read_text():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_mistake_is_one_line(tmp_path: Path) -> None:
    for options, said in (
        (["--host", "no.such.invalid"], "--host no.such.invalid: not known here"),
        (["-c", str(tmp_path)], "no checkpoint there"),
        (["--host", "192.0.2.1"], "choose another --port or --host"),
    ):
        result = subprocess.run(
            [*COMMAND, *options], capture_output=True, text=True,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY / "src")},
        )  # fmt: skip
        assert result.returncode == 1 and result.stderr.startswith("error: ")
        assert said in result.stderr and result.stderr.count("\n") == 1
