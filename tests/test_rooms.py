"""The house: which room may know of which."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from cmt.files import REPOSITORY

SOURCE = REPOSITORY / "src" / "cmt"
# From the lowest up: each imports from those before it alone, if from any.
ROOMS = (
    "files", "terminal", "script", "limits", "media", "untrusted", "outputs", "parallel",
    "markers", "music", "grid", "rhythm", "key_frames", "control_table", "control",
    "hits", "retiming", "sections", "plan", "texture", "form", "theme", "model", "training",
    "decoding", "measures", "sound", "plots", "video", "moods", "revision", "compose", "options",
    "results", "web",
)  # fmt: skip
STRANGERS = [("decoding", "training"), ("music", "video"), ("model", "video"), ("video", "model")]
MAX_LINES, MAX_FUNCTION = 400, 60


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts)


MODULES = {module_name(path): path for path in SOURCE.rglob("*.py") if path.stem != "__init__"}


def imported(name: str) -> Iterator[str]:
    """Modules of ours that a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "cmt":
            package = (node.module or "").partition(".")[2]
            for alias in node.names:
                inner = f"{package}.{alias.name}".strip(".")
                yield from (module for module in (inner, package) if module in MODULES)


def test_modules_import_in_no_circle() -> None:
    list(TopologicalSorter({name: set(imported(name)) for name in MODULES}).static_order())


def test_no_room_knows_of_a_higher_one() -> None:
    for name in MODULES:
        room = name.partition(".")[0]
        above = ROOMS[ROOMS.index(room) + 1 :]
        assert not [other for other in imported(name) if other.partition(".")[0] in above], name


@pytest.mark.parametrize(("room", "other"), STRANGERS)
def test_strangers_do_not_meet(room: str, other: str) -> None:
    """Directly or by way of others."""
    reached = {name for name in MODULES if name.startswith(f"{room}.")}
    while more := {found for name in reached for found in imported(name)} - reached:
        reached |= more
    assert not [name for name in reached if name.startswith(f"{other}.")]


@pytest.mark.parametrize("path", sorted(SOURCE.parent.rglob("*.py")), ids=lambda path: path.name)
def test_what_is_read_in_one_go_is_short(path: Path) -> None:
    """But for functions that declare a command line."""
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= MAX_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and node.name != "parse":
            assert (node.end_lineno or 0) - node.lineno < MAX_FUNCTION, node.name
