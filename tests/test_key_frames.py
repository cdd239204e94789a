"""Times from an editor."""

from __future__ import annotations

from pathlib import Path

import pytest

from cmt.files import InputError
from cmt.key_frames import read_key_frames


def test_a_list_of_times(tmp_path: Path) -> None:
    path = tmp_path / "cuts.txt"
    path.write_text("# cuts\n1:02.5\n3.25  # the door\n\n0\n1:00:00\n")
    assert read_key_frames(path, 25) == [0, 3.25, 62.5, 3600]


def test_an_edl_begins_at_its_whole_hour(tmp_path: Path) -> None:
    path = tmp_path / "cuts.edl"
    path.write_text(
        "TITLE: cuts\nFCM: NON-DROP FRAME\n\n"
        "001  AX       V     C        00:00:00:00 00:00:04:12 01:00:00:00 01:00:04:12\n"
        "* FROM CLIP NAME: a.mov\n"
        "002  AX       V     D    012 00:00:10:00 00:00:12:00 01:00:04:12 01:00:06:12\n"
    )
    assert read_key_frames(path, 24) == [0, 4.5]


@pytest.mark.parametrize("text", ["soon", "1:2:3:4", "-1", "nan", "1:-2"])
def test_what_is_no_time_is_named_with_its_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cuts.txt"
    path.write_text(f"1.5\n{text}\n")
    with pytest.raises(InputError, match=r"cuts\.txt, line 2: .* is no time"):
        read_key_frames(path, 25)
