"""What the page says to people."""

from __future__ import annotations

import pytest

from cmt.files import REPOSITORY
from cmt.web.words import RIGHTS, of_change, of_hits


def test_rights_are_told_as_third_party_has_them() -> None:
    text = (REPOSITORY / "THIRD-PARTY.md").read_text(encoding="utf-8")
    assert RIGHTS in " ".join(text.replace("\n> ", " ").split())


@pytest.mark.parametrize(
    ("bars", "said"),
    [
        ([], "The same notes as Take 2."),
        ([1], "As Take 2, but from 0:02 to 0:04."),
        ([0, 1, 3], "As Take 2, but from 0:00 to 0:04 and 0:06 to 1:07."),
    ],
)
def test_what_is_other_is_told_in_time(bars: list[int], said: str) -> None:
    assert of_change("2", bars, [0.0, 2.0, 4.0, 6.0, 67.2]) == said


def test_hits_are_counted_in_words() -> None:
    def said(*hits: tuple[float, float | None, str]) -> str:
        return of_hits([{"second": a, "heard": b, "kind": kind} for a, b, kind in hits], 0.04)

    assert said() == "The picture has no cuts or impacts to hit."
    assert said((1, 1.01, "impact")) == "Hits 1 of 1 impact within 40 ms."
    assert said((1, 1.05, "cut"), (2, None, "cut")) == "Hits 0 of 2 cuts within 40 ms."
    both = said((1, 1.0, "cut"), (2, 2.0, "added"))
    assert both == "Hits 2 of 2 cuts and hits of yours within 40 ms."
