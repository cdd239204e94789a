"""A second of damaged files for each reader that is quick; `make fuzz` takes its time."""

import subprocess
import sys
from pathlib import Path

import pytest

QUICK = ["midi", "dataset", "control", "json", "lpd"]


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="counts memory as Linux does")
def test_damaged_files_are_refused_in_a_line(tmp_path: Path) -> None:
    command = [sys.executable, str(Path(__file__).with_name("run.py")), *QUICK]
    done = subprocess.run(
        [*command, "--seconds", "1", "--folder", str(tmp_path)], capture_output=True, text=True
    )
    told = "\n".join(path.read_text() for path in tmp_path.rglob("*.txt"))
    assert done.returncode == 0, done.stdout + done.stderr + told
    assert done.stdout.count(" 0 failures") == len(QUICK)
