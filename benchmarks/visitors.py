"""How much memory do visitors of the page take?

    benchmarks/visitors.py                    20 visitors, with videos/sample.mp4
    benchmarks/visitors.py --visitors 5 --video clip.mp4

Opens the page, lets visitors come one after the other, each with a video that gets a take and an
open page, and prints the memory of the server and of its workers (resident, MB, the most since they
began) after the first visitor and after the last. The last line is the second over the first.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from cmt.files import REPOSITORY, VIDEOS
from cmt.script import between, parser


def ask(url: str, method: str = "GET", body: bytes | None = None) -> Any:
    """What the server says, out of JSON."""
    with urlopen(Request(url, body, method=method)) as answer:
        return json.loads(answer.read())


def wait(mine: str) -> Any:
    """The state of a session once nothing is being done."""
    while (state := ask(mine))["work"]:
        time.sleep(0.2)
    if state["error"]:
        raise SystemExit(state["error"]["message"])
    return state


def memory(server: int) -> list[float]:
    """The most that a server and its workers have taken, MB."""
    children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    statuses = (Path(f"/proc/{process}/status").read_text() for process in (server, *children))
    return [int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) / 1000 for status in statuses]


def main() -> None:
    """Print the table and the ratio."""
    options = parser(__doc__)
    options.add_argument("--visitors", type=between(1, 50, int), default=20)
    options.add_argument("--video", type=Path, default=VIDEOS / "sample.mp4")
    args = options.parse_args()
    taken = []
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        process = subprocess.Popen(
            [sys.executable, str(REPOSITORY / "src" / "app.py")],
            stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": folder},
        )  # fmt: skip
        stack.callback(process.wait)
        stack.callback(process.terminate)
        assert process.stdout
        url = process.stdout.readline().split()[1]
        for number in range(1, args.visitors + 1):
            mine = f"{url}/api/sessions/{ask(f'{url}/api/sessions', 'POST')['session']}"
            stack.enter_context(urlopen(f"{mine}/events"))
            ask(f"{mine}/video?name=clip.mp4", "PUT", args.video.read_bytes())
            wait(mine)
            ask(f"{mine}/compose", "POST", b'{"takes": 1}')
            assert len(wait(mine)["takes"]) == 1
            taken.append(memory(process.pid))
            if number in (1, args.visitors):
                server, *workers = taken[-1]
                shown = ", ".join(f"{worker:.0f}" for worker in workers)
                print(f"visitor {number:2}: server {server:.0f} MB, workers {shown} MB", flush=True)
    print(f"{sum(taken[-1]) / sum(taken[0]):.2f}")


if __name__ == "__main__":
    main()
