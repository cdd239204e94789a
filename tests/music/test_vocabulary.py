"""Facts that all rooms share."""

from __future__ import annotations

import pytest

from cmt.music.vocabulary import (
    DRUMS,
    FIELD,
    INSTRUMENT_CLASS,
    INSTRUMENT_OF,
    INSTRUMENTS,
    seconds_to_ticks,
    tick_seconds,
)


def test_classes_of_instruments_are_the_published_ones() -> None:
    published = {"Drums": 1, "Piano": 2, "Guitar": 3, "Bass": 4, "Strings": 5}
    assert published == INSTRUMENT_CLASS
    assert [INSTRUMENT_OF[label].name for label in published.values()] == list(published)
    assert max(instrument.label for instrument in INSTRUMENTS) == FIELD["instr_type"].size - 1
    assert INSTRUMENT_OF[DRUMS].is_drum


def test_seconds_and_ticks() -> None:
    # At 120 BPM a beat lasts half a second, and has four ticks.
    assert tick_seconds(120) == 1 / 8
    assert seconds_to_ticks(2, 120) == 16
    for tempo in (20, 97.3, 400):
        assert seconds_to_ticks(7 * tick_seconds(tempo), tempo) == pytest.approx(7)
