"""Markers: their times are those of the music, and other programs find them there."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from cmt.key_frames import read_key_frames
from cmt.markers import Marker, as_csv, as_edl, of_texts, time_code

MARKERS = [
    Marker(0, 0.0, "scene", "scene 1"),
    Marker(24, 3.04, "hit", "hit"),
    Marker(1024, 3725.52, "section", "A'"),
]


@pytest.mark.parametrize("fps", [24, 25, 30000 / 1001, 60])
def test_an_edl_is_read_back_to_the_frame(tmp_path: Path, fps: float) -> None:
    path = tmp_path / "clip.edl"
    path.write_text(as_edl(MARKERS, fps, "clip"))
    expected = [marker.second for marker in MARKERS[1:]]
    assert read_key_frames(path, fps) == pytest.approx(expected, abs=0.5 / fps + 1e-9)


def test_a_table_has_seconds_and_time_codes() -> None:
    rows = list(csv.DictReader(as_csv(MARKERS, 25).splitlines()))
    assert [row["time_code"] for row in rows] == ["00:00:00:00", "00:00:03:01", "01:02:05:13"]
    assert [float(row["seconds"]) for row in rows] == [0.0, 3.04, 3725.52]
    assert rows[2]["name"] == "A'"


def test_moments_are_read_from_the_markers_of_a_midi_file() -> None:
    texts = [(0, 0.0, "scene 1: A"), (24, 3.0, "hit"), (64, 8.0, "B"), (80, 10.0, "scene 2")]
    texts += [(96, 12.0, "Chorus:\n1 hit"), (112, 14.0, "scene 3: A'")]
    assert [(marker.tick, marker.kind, marker.name) for marker in of_texts(texts)] == [
        (0, "scene", "scene 1"), (0, "section", "A"), (24, "hit", "hit"), (64, "section", "B"),
        (80, "scene", "scene 2"), (96, "section", "Chorus: 1 hit"), (112, "scene", "scene 3"),
        (112, "section", "A'"),
    ]  # fmt: skip


def test_time_codes_count_frames_by_the_rounded_rate() -> None:
    assert time_code(30 * 60, 29.97, 1) == "01:01:00:00"
    assert time_code(0, 0.5, 1) == "01:00:00:00"
