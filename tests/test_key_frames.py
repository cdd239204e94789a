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


def edl(folder: Path, *events: str, count: str = "NON-DROP FRAME") -> Path:
    path = folder / "cuts.edl"
    path.write_text("\n".join(["TITLE: cuts", f"FCM: {count}", "", *events, ""]))
    return path


def test_an_edl_tells_cuts_from_its_whole_hour_on(tmp_path: Path) -> None:
    path = edl(
        tmp_path,
        "001  AX       V     C        00:00:00:00 00:00:04:12 01:00:00:00 01:00:04:12",
        "* FROM CLIP NAME: a.mov",
        "002  AX       V     C        00:00:04:12 00:00:04:12 01:00:04:12 01:00:04:12",
        "002  AX       V     D    012 00:00:10:00 00:00:12:00 01:00:04:12 01:00:06:12",
        "M2   AX       050.0          00:00:10:00",
        "003  REEL_3   V2    W001 024 00:00:10:00 00:00:12:00 01:00:06:12 01:01:02:00",
    )
    assert read_key_frames(path, 24) == [4.5, 6.5]


def test_edits_of_sound_alone_are_no_cuts(tmp_path: Path) -> None:
    codes = "00:00:00:00 00:00:01:00 00:00:0{0}:00 00:00:0{1}:00"
    channels = ("A", "AA/V", "A2", "B", "AA", "NONE", "VA1")
    events = [f"00{i}  AX  {c}  C  {codes.format(i, i + 1)}" for i, c in enumerate(channels, 1)]
    assert read_key_frames(edl(tmp_path, *events), 25) == [2, 4, 7]
    with pytest.raises(InputError, match="no cut of the picture"):
        read_key_frames(edl(tmp_path, events[0]), 25)


@pytest.mark.parametrize(
    ("count", "code", "frames"),
    [
        ("NON-DROP FRAME", "01:01:00:02", 1802),
        ("DROP FRAME", "01:01:00:02", 1800),
        ("NON-DROP FRAME", "01:01:00;02", 1800),
        ("DROP FRAME", "01:10:00;00", 17982),
        ("DROP FRAME", "02:00:00;00", 107892),
    ],
)
def test_codes_of_29_97_may_leave_numbers_out(
    tmp_path: Path, count: str, code: str, frames: int
) -> None:
    first = f"001 AX V C 00:00:00:00 00:00:01:00 01:00:00{code[8]}00 01:00:10:00"
    event = f"002 AX V C 00:00:00:00 00:00:01:00 {code} 02:30:00:00"
    fps = 30000 / 1001
    (time,) = read_key_frames(edl(tmp_path, first, event, count=count), fps)
    assert time * fps == pytest.approx(frames)


def test_codes_of_other_rates(tmp_path: Path) -> None:
    event = "001 AX V C 00:00:00:00 00:00:01:00 00:10:00:{} 00:20:00:00"
    drop = "DROP FRAME"
    (time,) = read_key_frames(edl(tmp_path, event.format("00"), count=drop), 60000 / 1001)
    assert time == pytest.approx(600, abs=0.01)  # they keep to the clock
    (time,) = read_key_frames(edl(tmp_path, event.format("12")), 24000 / 1001)
    assert time == pytest.approx(600.5 * 1.001)
    with pytest.raises(InputError, match="line 4: 00:10:00:25 has a frame 25, the video 24"):
        read_key_frames(edl(tmp_path, event.format("25")), 24)


def test_time_codes_in_a_list(tmp_path: Path) -> None:
    path = tmp_path / "cuts.txt"
    path.write_text("00:00:02:12\n00:01:00;02  # the door\n")
    assert read_key_frames(path, 24) == [2.5, 60 + 2 / 24]
    assert read_key_frames(path, 30000 / 1001)[1] == pytest.approx(1800 * 1.001 / 30)


@pytest.mark.parametrize("text", ["soon", "1:2:3:4", "-1", "nan", "1:-2"])
def test_what_is_no_time_is_named_with_its_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cuts.txt"
    path.write_text(f"1.5\n{text}\n")
    with pytest.raises(InputError, match=r"cuts\.txt, line 2: .* is no time"):
        read_key_frames(path, 25)


@pytest.mark.parametrize(
    "content", [b"1e300\n", b"inf\n", b"nan\n", b"9" * 5000, b"\xff\xfe", b"1\n" * 9_000_000]
)
def test_what_no_video_has_is_refused_in_a_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "cuts.txt"
    path.write_bytes(content)
    with pytest.raises(InputError) as told:
        read_key_frames(path, 25)
    assert "cuts.txt" in str(told.value) and "\n" not in str(told.value)
    assert len(str(told.value)) < 500
