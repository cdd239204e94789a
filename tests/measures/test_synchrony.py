"""Accents against events, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cmt.measures.synchrony import accents, matched, synchrony


def test_what_is_met_exactly() -> None:
    found = synchrony([0.5, 1.5, 3.2], [0.5, 1.5, 3.2])
    assert (found.within_near, found.tolerated, found.f1, found.tbiou) == (1, 1, 1, 1)
    assert (found.hits, found.coverage, found.av_align, found.median_lateness) == (1, 1, 1, 0)


def test_late_early_and_missing() -> None:
    # 30 ms late, 60 ms late, missing; and one accent of its own.
    found = synchrony([1.0, 2.0, 3.0], [1.03, 2.06, 7.0])
    assert found.within_near == pytest.approx(1 / 3)
    assert found.tolerated == pytest.approx(2 / 3)
    assert found.median_lateness == pytest.approx(0.045)
    assert found.f1 == pytest.approx(2 / 6)
    assert found.av_align == pytest.approx(1 / 5)
    assert found.tbiou == pytest.approx(2 / 4)
    assert (found.hits, found.coverage) == (pytest.approx(2 / 3), 1)


def test_each_is_used_once_the_nearest_first() -> None:
    first, second = np.array([1.0, 1.05]), np.array([1.04])
    assert matched(first, second, 0.1) == [(1, 0)]


def test_without_events_nothing_can_be_told() -> None:
    assert math.isnan(synchrony([], [1.0]).f1)
    assert synchrony([1.0], []).within_near == 0


def test_accents_are_the_loudest_fifth_of_the_onsets() -> None:
    times = np.array([0, 1, 1.001, 2, 3, 4, 5, 6, 7, 8, 9])
    velocities = np.array([80, 80, 80, 80, 110, 80, 80, 80, 80, 80, 80])
    np.testing.assert_allclose(accents(times, velocities), [1, 3], atol=0.003)
    assert len(accents(np.zeros(0), np.zeros(0))) == 0
    np.testing.assert_allclose(accents(times, velocities, 1), [1], atol=0.003)
    assert len(accents(times, velocities, 0)) == 0
    assert len(accents(np.zeros(0), np.zeros(0), 2)) == 0
