"""The documentation: its links, the names it names, and the pages made from the docstrings."""

from __future__ import annotations

import ast
import builtins
import pkgutil
import re
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from cmt.files import REPOSITORY

CODE = re.compile(r"`([^`\n]+)`")
DOTTED = re.compile(r"[A-Za-z_]\w*(\.\w+)*")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
LOCAL = re.compile(r"(?!\w+:)[^#]+")  # no https:, no mailto:, no heading of the same page
MADE = ("docs/api/", "exp/NAME/*.pt")  # not committed
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
SOURCE = REPOSITORY / "src"
PACKAGE = sorted((SOURCE / "cmt").rglob("*.py"))
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "exp/default/*.md")
    for path in REPOSITORY.glob(pattern)
)


def name_of(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def resolves(name: str) -> bool:
    """Whether a full name, such as `cmt.plan.make_plan`, can be imported, or is a field."""
    owner, _, last = name.rpartition(".")
    unknown = (ImportError, AttributeError, ValueError)
    with suppress(*unknown):
        pkgutil.resolve_name(name)
        return True
    with suppress(*unknown):  # of a dataclass, whose fields without default are no attributes
        return last in pkgutil.resolve_name(owner).__annotations__
    return False


def docstrings(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The docstrings of a module, of its classes and of its functions; they are taken out."""
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and (docstring := ast.get_docstring(node)):
            node.body = node.body[1:] or [ast.Pass()]
            yield getattr(node, "name", "the module"), docstring


def broken_references(source: str, module: str) -> list[str]:
    """What docstrings name in backticks that neither is in the module nor can be imported."""
    tree = ast.parse(source)
    named = [
        (owner, reference)
        for owner, docstring in docstrings(tree)
        for reference in CODE.findall(docstring)
        if DOTTED.fullmatch(reference)
    ]
    known = set(re.findall(r"\w+", ast.unparse(tree))) | set(dir(builtins))
    return [
        f"{owner}: {reference}"
        for owner, reference in named
        if reference.startswith("cmt.") or not known.issuperset(reference.split("."))
        if not resolves(reference) and not resolves(f"{module}.{reference}")
    ]


@pytest.mark.parametrize("path", PACKAGE, ids=name_of)
def test_what_a_docstring_names_exists(path: Path) -> None:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    module = ".".join(part for part in parts if part != "__init__")
    assert broken_references(path.read_text(encoding="utf-8"), module) == []


def test_a_name_that_is_gone_is_found() -> None:
    source = (
        '"""Of `cmt.files.replacing`, `here`, `here.after`, `cmt.gone`, `InputError.gone`."""\n'
        "def here(song):\n"
        '    """Of `song`, `len`, `InputError.args` and `gone`; not `a phrase`."""\n'
    )
    assert broken_references(source, "cmt.files") == [
        "the module: here.after",
        "the module: cmt.gone",
        "the module: InputError.gone",
        "here: gone",
    ]


def test_the_pages_of_the_package(tmp_path: Path) -> None:
    pdoc = pytest.importorskip("pdoc", reason="pdoc is not installed (extra `docs`)")
    pdoc.render.configure(docformat="google")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a module that cannot be imported, an annotation unknown
        pdoc.pdoc("cmt", output_directory=tmp_path)
    for path in PACKAGE:
        module = path.relative_to(SOURCE).with_suffix("")
        page = module.parent if module.name == "__init__" else module
        assert (tmp_path / page).with_suffix(".html").is_file()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    prose = FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in filter(LOCAL.match, LINK.findall(prose)):
        assert (page.parent / target.partition("#")[0]).exists(), target
    for reference in CODE.findall(prose):
        if reference.startswith("cmt.") and DOTTED.fullmatch(reference):
            assert resolves(reference), reference


def test_the_citation_and_the_changelog_name_this_version() -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    project = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    (version,) = re.findall(r'^version = "(.+)"$', project, re.MULTILINE)
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == version
    assert citation["preferred-citation"]["year"] == 2021
    assert len(citation["preferred-citation"]["authors"]) == 8
    released = re.findall(
        r"^## \[(.+)\] - (.+)$", (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8"), re.M
    )
    assert released[0] == (version, str(citation["date-released"]))


def test_what_is_brought_is_listed() -> None:
    project = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    third_party = (REPOSITORY / "THIRD-PARTY.md").read_text(encoding="utf-8")
    needed = set(re.findall(r'"([\w-]+)(?:\[\w+\])?[<>=]', project))
    assert {"av", "dask", "torch"} <= needed
    assert needed <= set(re.findall(r"^\| ([\w-]+) \|", third_party, re.MULTILINE))


def test_the_file_map_has_each_module() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    (file_map,) = re.findall(r"^src/cmt/\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    named, room = [], ""
    for line in file_map.splitlines():
        found = re.match(r"  (\w+/)? *(\w+\.py) +\S", line)
        assert found, line
        room = found[1] or (room if line.startswith("   ") else "")
        named.append(room + found[2])
    modules = [path for path in PACKAGE if path.name != "__init__.py"]
    assert sorted(named) == sorted(path.relative_to(SOURCE / "cmt").as_posix() for path in modules)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_named_in_prose_exist(page: Path) -> None:
    prose = FENCE.sub("", page.read_text(encoding="utf-8"))
    for reference in CODE.findall(prose):
        path = reference.split(" ")[0]
        if re.fullmatch(r"(cmt|src|docs|tests|runs|benchmarks|videos|notebooks|exp)/\S*", path):
            found = (SOURCE if path.startswith("cmt/") else REPOSITORY) / path
            assert found.exists() or path in MADE, reference
