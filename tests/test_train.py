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


def test_bad_data_are_refused_before_pytorch_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "songs.npz").write_bytes(b"no data set")
    code = "import sys, train\nfrom cmt.files import InputError\n"
    code += f"try: train.main(['-n', 'a', '-t', {str(tmp_path / 'songs.npz')!r}])\n"
    code += "except InputError as error: print(error, 'torch' in sys.modules)"
    source = REPOSITORY / "src"
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=source)
    assert "songs.npz: " in result.stdout and result.stdout.endswith(" False\n")
