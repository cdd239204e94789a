"""What an installation holds: every package, and a console command for every script."""

from __future__ import annotations

import importlib
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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
    code = "from files import *;"
    code += "print(INFERENCE, DEFAULT_CHECKPOINT, git_revision(), sep='\\n')"
    bare = [sys.executable, "-c", code]  # it imports from the folder that it is called in
    result = subprocess.run(bare, capture_output=True, text=True, cwd=files.parent)
    model = tmp_path / "site" / "cmt_default_model"
    assert result.stdout.splitlines() == ["inference", str(model), "unknown"]


def test_whatever_is_asked_for_has_one_version_on_every_python() -> None:
    pins: dict[str, list[Requirement]] = {}
    for line in (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            pins.setdefault(canonicalize_name(Requirement(line).name), []).append(Requirement(line))
    extras = PROJECT["project"]["optional-dependencies"].values()
    for text in (*PROJECT["project"]["dependencies"], *(one for extra in extras for one in extra)):
        asked = Requirement(text)
        if asked.name == "cmt":
            continue
        for python in ("3.10", "3.11", "3.12", "3.13"):
            here = {"python_version": python, "python_full_version": f"{python}.0"}
            of_this = [
                pin
                for pin in pins[canonicalize_name(asked.name)]
                if not pin.marker or pin.marker.evaluate(here)
            ]
            assert len(of_this) == 1, (text, python)
            (version,) = of_this[0].specifier
            assert version.operator == "=="
            assert asked.specifier.contains(version.version, prereleases=True)
    assert not [name for name in pins if name.startswith(("nvidia-", "cuda-", "triton"))]


@pytest.mark.parametrize("extra", ["web", "dev"])
def test_all_that_make_installs_but_torch_has_hashes(extra: str) -> None:
    lock = (REPOSITORY / f"requirements-{extra}.lock").read_text(encoding="utf-8")
    entries = [entry for entry in lock.replace("\\\n", " ").splitlines() if entry[:1] != "#"]
    assert all(" --hash=sha256:" in entry for entry in entries)
    pins = {entry.split(" ")[0] for entry in entries}
    constraints = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert pins <= {line.split(" ")[0] for line in constraints}
    named = {canonicalize_name(pin.partition("==")[0]) for pin in pins}
    asked = [*PROJECT["project"]["dependencies"], "setuptools"]
    asked += PROJECT["project"]["optional-dependencies"][extra]
    names = {canonicalize_name(Requirement(text).name) for text in asked}
    assert names - named == {"torch"} | ({"cmt"} if extra == "dev" else set())
