"""Scripts end without a traceback, whoever stops listening."""

from __future__ import annotations

import subprocess
import sys

CHATTY = """
import sys
from cmt.script import run_script
sys.exit(run_script(lambda: [print("line", flush=True) for _ in range(100_000)]))
"""


def test_a_closed_pipe_ends_a_script_quietly() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CHATTY], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout and process.stderr
        assert process.stdout.readline() == b"line\n"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 141
