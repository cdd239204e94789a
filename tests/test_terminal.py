"""Scripts do their work and say how it ended, whatever becomes of what they print."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from cmt.terminal import steady_streams

CHATTY = """
import subprocess, sys
from pathlib import Path
from cmt.files import InputError
from cmt.script import run_script

def main():
    print("a → b – ∞ é \\udcff", flush=True)
    for _ in range(10_000):
        print("line", flush=True)
    streams = "import sys; sys.exit(None in (sys.stdin, sys.stdout, sys.stderr))"
    subprocess.run([sys.executable, "-S", "-c", streams], check=True)  # processes have them, too
    Path(sys.argv[1]).write_text("done")
    if len(sys.argv) > 2:
        raise InputError("a\\nb\\x1b: \\udcff cannot be read")

sys.exit(run_script(main))
"""


def run(
    shell: str, *arguments: object, encoding: str = "utf-8"
) -> subprocess.CompletedProcess[bytes]:
    """Run the chatty script as "$@" of a shell's command."""
    command = [sys.executable, "-c", CHATTY, *map(str, arguments)]
    return subprocess.run(
        ["bash", "-c", f"{shell}", "bash", "env", f"PYTHONIOENCODING={encoding}", *command],
        capture_output=True,
        check=False,
    )


FULL = b"error: standard output: No space left on device\n"


@pytest.mark.parametrize(
    ("shell", "status", "said"),
    [
        ('"$@" > /dev/full', 1, FULL),
        ('"$@" >&-', 0, b""),
        ('"$@" > /dev/null 2>&-', 0, b""),
        ('"$@" > /dev/null 2> /dev/full', 0, b""),
        ('"$@" <&- >&- 2>&-', 0, b""),
        ('"$@" | head -1 > /dev/null; exit ${PIPESTATUS[0]}', 141, b""),
    ],
)
def test_the_work_is_done_whoever_listens(
    shell: str, status: int, said: bytes, tmp_path: Path
) -> None:
    result = run(shell, tmp_path / "result")
    assert (result.returncode, result.stderr) == (status, said)
    assert (tmp_path / "result").read_text() == "done"


@pytest.mark.parametrize(
    ("encoding", "line"),
    [
        ("ascii", rb"a -> b - inf \xe9 \udcff"),
        ("latin-1", b"a -> b - inf \xe9 \\udcff"),
        ("utf-8", "a → b – ∞ é \\udcff".encode()),
    ],
)
def test_old_terminals_get_plain_signs(encoding: str, line: bytes, tmp_path: Path) -> None:
    result = run('"$@"', tmp_path / "result", "fails", encoding=encoding)
    assert result.stdout.splitlines()[0] == line
    assert result.stderr == b"error: a\\nb\\x1b: \\udcff cannot be read\n"
    assert result.returncode == 1


def test_help_that_nobody_gets_is_told() -> None:
    source = Path(__file__).parents[1] / "src" / "match.py"
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run(
            [sys.executable, source, "--help"], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert (result.returncode, result.stderr) == (1, FULL)


def test_the_streams_are_as_before_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    with steady_streams() as lost:
        print("heard")
    assert sys.stdout is stream and stream.getvalue() == "heard\n" and lost.error is None
