"""Reports of pieces as strangers may give them: their settings are read, or refused by name."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from cmt.files import InputError
from cmt.results import read_settings

REPORT: dict[str, Any] = {
    "control_file": "a.npz", "control_sha256": "0" * 64, "checkpoint": "exp/default",
    "checkpoint_sha256": "1" * 64, "control": "exact", "degree": 1.0, "min_strength": 2, "seed": 7,
    "again": [{"bars": "1-2", "seed": 3}], "precision": "float32", "mood": None, "tempo": 100.0,
    "density": 1.5, "removed_hits": [0.5], "added_hits": [], "genre": "rock",
    "instruments": ["Drums", "Piano"], "beat_instruments": None, "key": "D minor", "mode": None,
    "chords": "Am F", "progressions": ["dark"], "ending": True, "timbres": {"Piano": "organ"},
    "sections": [{"bar": 1, "energy": 0.6, "instruments": ["Piano"]}],
}  # fmt: skip


def test_a_report_gives_its_settings(tmp_path: Path) -> None:
    path = tmp_path / "a.mid.json"
    path.write_text(json.dumps(REPORT))
    settings, sources = read_settings(path)
    assert (settings.seed, settings.tempo, settings.density) == (7, 100, 1.5)
    assert str(settings.style.key) == "D minor" and settings.style.progressions == ("dark",)
    assert [str(change) for change in settings.passages] == ["1-2"]
    assert sources.control_file == "a.npz"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("degree", 1.5), ("degree", "1"), ("min_strength", 0), ("seed", -1), ("seed", 2.5),
        ("seed", 10**400), ("tempo", 0), ("tempo", 1e300), ("density", -1), ("precision", "bf17"),
        ("precision", []), ("genre", {}), ("mood", 1), ("mode", "blue"), ("ending", "yes"),
        ("humanize", None), ("instruments", "Piano"), ("instruments", ["Kazoo"]),
        ("removed_hits", [-1]), ("added_hits", ["1"]), ("added_hits", [1e9]), ("chords", 5),
        ("progressions", ["glad"]), ("timbres", {"Piano": 5}), ("timbres", []), ("again", {}),
        ("again", [{"bars": 5, "seed": 1}]), ("sections", [{"bar": 1, "instruments": 5}]),
        ("sections", [{"bar": 10**400}]), ("checkpoint", 5), ("checkpoint", "a\0b"),
        ("checkpoint", "\ud800"), ("control_file", "../a.npz"), ("control_file", ".."),
        ("key", ["D"]),
    ],
)  # fmt: skip
def test_a_value_that_nobody_may_ask_for_is_refused(tmp_path: Path, key: str, value: Any) -> None:
    path = tmp_path / "a.mid.json"
    path.write_text(json.dumps(REPORT | {key: value}))
    with pytest.raises(InputError, match=re.escape(f"{path}: no report of a piece (")) as told:
        read_settings(path)
    assert "\n" not in str(told.value) and len(str(told.value)) < 500


@pytest.mark.parametrize("content", ["", "[" * 100_000, "[]", "5", '{"seed": NaN}', "{}"])
def test_what_is_no_report_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.mid.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"a\.mid\.json: no report"):
        read_settings(path)
