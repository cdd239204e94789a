"""Near-copies among the default model's music are found."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np

from cmt.music.words import NOTE_DTYPE, Song

SCRIPT = Path(__file__).parents[1] / "runs" / "default_data.py"


def file(
    name: str, bars: str, cluster: str = ""
) -> tuple[dict[str, str], list[tuple[Song, float]]]:
    """A file of one piece, each of its bars a chord that a letter stands for."""
    notes = [
        (16 * bar, 40 + (ord(letter) - ord("a")) + third, 4, 2)
        for bar, letter in enumerate(bars)
        for third in (0, 4, 7, 11)
    ]
    row = {"path": name, "source": "somewhere", "neardup_cluster": cluster}
    return row, [(Song(np.array(notes, NOTE_DTYPE), 16 * len(bars)), 120.0)]


def test_files_that_share_bars_are_one_cluster_called_by_the_first() -> None:
    clusters = runpy.run_path(str(SCRIPT))["clusters"](
        [
            file("copy.mid", "abcdefgh"),
            file("alone.mid", "stuvwxyz"),
            file("again.mid", "ijklefgh"),
            file("bridge.mid", "ijklmnop", "7"),
            file("told.mid", "qqqqqqqq", "7"),
        ]
    )
    together = dict.fromkeys(("copy.mid", "again.mid", "bridge.mid", "told.mid"), "again.mid")
    assert clusters == {**together, "alone.mid": "alone.mid"}
