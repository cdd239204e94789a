"""The command line asks for what the defaults say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import train
from cmt.files import REPOSITORY
from cmt.training.config import RunConfig


def test_no_options_are_the_defaults() -> None:
    data = Path("songs.npz")
    args = train.parse(["-n", "run", "-t", str(data)])
    assert train.config_of(args) == RunConfig("run", data)


def test_help_needs_no_library() -> None:
    code = "import sys, train\ntry: train.main(['--help'])\n"
    code += "except SystemExit: print({'numpy', 'torch'} & set(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=REPOSITORY / "src",
    )
    assert result.stdout.endswith("set()\n")
