"""The notebook, from top to bottom."""

from __future__ import annotations

from pathlib import Path

import pytest

from cmt.files import REPOSITORY
from cmt.music.midi import read_midi

nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed (extra `dev`)")
nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed (extra `dev`)")


def test_the_notebook_makes_music(
    excerpt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY / "src"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    notebook = nbformat.read(REPOSITORY / "notebooks" / "demo.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    (asking,) = (cell for cell in notebook.cells if "VIDEO = None" in cell.source)
    asking.source = asking.source.replace("VIDEO = None", f"VIDEO = {str(excerpt)!r}")
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()

    shown = [
        output.data
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if output.output_type in ("display_data", "execute_result")
    ]
    # The rhythm, and two takes.
    assert sum("image/png" in data for data in shown) == 3
    assert sum("<video" in data.get("text/html", "") for data in shown) == 2
    paths = notebook.cells[-1].outputs[0].text.split()
    for midi in (path for path in paths if path.endswith(".mid")):
        assert len(read_midi(midi).song.notes) > 0
