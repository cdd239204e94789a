"""The page's server as a process, to visit, kill and start again."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import torch

from cmt.files import REPOSITORY
from cmt.model import checkpoint
from cmt.model.network import CMT
from conftest import SMALL


class Server:
    """`src/app.py` with a small model, on a port and in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        torch.manual_seed(0)
        self.ckpt = folder / "model.pt"
        checkpoint.save(self.ckpt, CMT(SMALL))
        self.home = folder / "home"
        self.home.mkdir()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        command = [sys.executable, str(REPOSITORY / "src" / "app.py"), "-c", str(self.ckpt)]
        environment = {
            **os.environ,
            "PYTHONPATH": str(REPOSITORY / "src"),
            "TMPDIR": str(self.home),
            "OMP_NUM_THREADS": "1",
        }
        self.process = subprocess.Popen(
            [*command, "--port", str(self.port)], stdout=subprocess.PIPE, env=environment
        )
        assert self.process.stdout
        assert self.url.encode() in self.process.stdout.readline()

    def end(self, how: int) -> None:
        self.process.send_signal(how)
        self.process.wait(60)
        assert self.process.stdout
        self.process.stdout.close()
