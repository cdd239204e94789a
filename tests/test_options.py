"""Options that take numbers refuse, by their names, what is none or too much: in every script."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path

import pytest

from cmt.files import REPOSITORY
from cmt.script import Parser

SCRIPTS = sorted(
    path
    for folder in ("src", "src/video2npz", "runs", "benchmarks", "videos")
    for path in (REPOSITORY / folder).glob("*.py")
    if "parser(__doc__" in path.read_text(encoding="utf-8")
)
NEVER = ["nan", "-inf", "1e999", "9" * 40, "9" * 5000, "", "one", "-2", "0x10", "1e400"]


class Found(Exception):
    """The parser that a script has made."""


def parser_of(script: Path, monkeypatch: pytest.MonkeyPatch) -> Parser:
    """The parser of a script, whose work is not begun."""
    spec = importlib.util.spec_from_file_location(f"swept_{script.stem}", script)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    # A benchmark may use what another draws.
    monkeypatch.syspath_prepend(script.parent)
    monkeypatch.delitem(sys.modules, "video", raising=False)
    spec.loader.exec_module(module)

    def found(self: Parser, *_: object) -> None:
        raise Found(self)

    with monkeypatch.context() as patch:
        patch.setattr(Parser, "parse_known_args", found)
        patch.setattr("sys.argv", [str(script)])
        with pytest.raises(Found) as caught:
            module.main()
    (options,) = caught.value.args
    assert isinstance(options, Parser)
    return options


def example(action: argparse.Action) -> int | float | None:
    """A number that an option takes; None where it takes no numbers."""
    for text in ("1", "0.5", "30"):
        try:
            value = action.type(text) if callable(action.type) else None
        except (argparse.ArgumentTypeError, ValueError):
            continue
        if isinstance(value, int | float):
            return value
    return None


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_numbers_out_of_range_are_refused_by_name(
    script: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = parser_of(script, monkeypatch)
    # What else must be given is not what is asked here.
    for action in options._actions:
        action.required = False
        if not action.option_strings:
            action.nargs = "*"
    for action in options._actions:
        taken = example(action)
        if taken is None:
            continue
        name = action.option_strings[-1]
        for wrong in [*NEVER, *(["1.5", "64.0"] if isinstance(taken, int) else [])]:
            with pytest.raises(SystemExit) as end:
                print(name, wrong, options.parse_args([f"{name}={wrong}"]))
            (line,) = capsys.readouterr().err.splitlines()
            assert end.value.code == 2 and name in line and "--help" in line, (name, wrong)


def test_all_scripts_are_swept() -> None:
    assert len(SCRIPTS) >= 24
