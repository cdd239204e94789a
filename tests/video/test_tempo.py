"""A steady pulse has its tempo and its phase."""

from __future__ import annotations

import numpy as np
import pytest

from cmt.video.shots import Event, Kind
from cmt.video.tempo import Tempo, find_tempo


def events(times: np.ndarray, kind: Kind = "impact") -> list[Event]:
    return [Event(float(time), kind, 1.0) for time in times]


def pulse(tempo: float, first: float, count: int) -> np.ndarray:
    return first + 60 / tempo * np.arange(count)


@pytest.mark.parametrize("tempo", [65, 87.3, 104, 120, 133.7, 149])
def test_a_pulse_has_its_tempo_and_phase(tempo: float) -> None:
    jitter = np.random.default_rng(1).normal(0, 0.012, 16)
    found = find_tempo(events(pulse(tempo, 0.41, 16) + jitter))
    assert found.tempo == pytest.approx(tempo, rel=0.005)
    assert found.first == pytest.approx(0.41 % (60 / tempo), abs=0.03)
    assert found.confidence > 0.9


def test_frames_do_not_round_the_tempo() -> None:
    times = np.ceil(pulse(127.3, 0.5, 20) * 25) / 25
    assert find_tempo(events(times)).tempo == pytest.approx(127.3, rel=0.003)


def test_stillness_before_and_between_changes_nothing() -> None:
    times = np.delete(pulse(96, 0.2, 24), slice(6, 14))
    early, late = find_tempo(events(times)), find_tempo(events(times + 100 * 60 / 96))
    assert early.tempo == pytest.approx(96, rel=0.003)
    assert late.tempo == pytest.approx(early.tempo, rel=1e-3)
    assert late.first == pytest.approx(early.first, abs=0.03)


def test_octaves_are_those_that_music_can_play() -> None:
    assert find_tempo(events(pulse(35, 0.5, 8))).tempo == pytest.approx(70, rel=0.01)
    assert find_tempo(events(pulse(240, 0.5, 30))).tempo == pytest.approx(120, rel=0.01)
    # Things strike on beats; a shot lasts for two.
    assert find_tempo(events(pulse(68, 0.5, 12))).tempo == pytest.approx(68, rel=0.01)
    assert find_tempo(events(pulse(68, 0.5, 12), "cut")).tempo == pytest.approx(136, rel=0.01)


def test_off_beats_do_not_double_the_tempo() -> None:
    beats = events(pulse(100, 0.3, 16))
    beats += [Event(time, "impact", 0.3) for time in pulse(100, 0.6, 15)[::2].tolist()]
    assert find_tempo(beats).tempo == pytest.approx(100, rel=0.005)


def test_random_events_have_little_confidence() -> None:
    rng = np.random.default_rng(2)
    found = [find_tempo(events(np.sort(rng.uniform(0, 30, 12)))).confidence for _ in range(30)]
    assert np.median(found) < 0.4


def test_too_few_events_tell_no_tempo() -> None:
    assert find_tempo([]) == Tempo(120.0, 0.0, 0.0)
    assert find_tempo(events(np.array([1.0, 2.0]))) == Tempo(120.0, 0.0, 0.0)
    assert find_tempo([Event(1.0, "cut", 0.0)] * 5).confidence == 0
