"""What an installation holds: every package, and a console command for every script."""

from __future__ import annotations

import importlib
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from cmt.files import REPOSITORY
from cmt.script import run_script

SOURCE = REPOSITORY / "src"
tomllib = pytest.importorskip("tomllib", reason="Python 3.10 reads no TOML")
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))


def test_every_package_is_installed() -> None:
    folders = {path.parent.relative_to(SOURCE) for path in SOURCE.glob("cmt/**/*.py")}
    listed = PROJECT["tool"]["setuptools"]["packages"]
    assert sorted(name for name in listed if name.split(".")[0] == "cmt") == sorted(
        ".".join(folder.parts) for folder in folders
    )


def test_every_script_is_a_console_command() -> None:
    scripts = {path for folder in ("", "video2npz") for path in (SOURCE / folder).glob("*.py")}
    found = set()
    for name, entry in PROJECT["project"]["scripts"].items():
        module, _, attribute = entry.partition(":")
        path = SOURCE.joinpath(*module.split(".")[1:]).with_suffix(".py")
        assert name == f"cmt-{path.stem.replace('_', '-')}"
        found.add(path)
        command = getattr(importlib.import_module(module.partition(".")[2]), attribute)
        assert isinstance(command, partial) and command.func is run_script
    assert found == scripts


def test_an_installed_package_keeps_data_in_the_working_folder(tmp_path: Path) -> None:
    files = tmp_path / "site" / "cmt" / "files.py"
    files.parent.mkdir(parents=True)
    files.write_bytes((SOURCE / "cmt" / "files.py").read_bytes())
    code = f"import sys; sys.path.insert(0, {str(files.parent)!r}); import files;"
    code += "print(files.INFERENCE, files.DEFAULT_CHECKPOINT, files.git_revision(), sep='\\n')"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    model = tmp_path / "site" / "cmt_default_model"
    assert result.stdout.splitlines() == ["inference", str(model), "unknown"]
