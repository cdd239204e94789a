"""Hits that are added and removed, and other tempi that go on meeting them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmt.control import STRONGEST, Control
from cmt.files import InputError
from cmt.grid import MAX_BEND, Knot
from cmt.hits import edited
from cmt.music.vocabulary import BAR, TICKS_PER_BAR
from cmt.plan import make_plan
from cmt.retiming import retimed, tempo_within
from cmt.rhythm import VideoRhythm, VisualBeat

SEEN = [(1.0, 0, 8), (3.0, 1, 8), (6.25, 3, 2)]
RHYTHM = VideoRhythm(
    16.0, 120.0, tuple(VisualBeat(*beat, 0.5) for beat in SEEN), (0.1,) * 8, scenes=(0, 4)
)
CONTROL = Control.of(RHYTHM)


def heard(control: Control) -> list[float]:
    """Seconds at which visual beats are heard."""
    return control.grid.seconds(control.words[control.beats, 3]).tolist()


def test_a_removed_hit_is_gone_and_what_is_none_is_refused() -> None:
    less = edited(CONTROL, removed=[3.1])
    assert heard(less) == [1.0, 6.25]
    assert less.grid == CONTROL.grid and less.scenes == CONTROL.scenes
    np.testing.assert_array_equal(edited(less, added=[3.0]).words[:, 3], CONTROL.words[:, 3])
    for wrong in (2.0, 4.5):
        with pytest.raises(InputError, match=f"no hit at {wrong:g} s"):
            edited(CONTROL, removed=[wrong])
    with pytest.raises(InputError, match="the video has 16"):
        edited(CONTROL, added=[16.0])


@settings(deadline=None, max_examples=60)
@given(st.floats(0.5, 15.0))
def test_an_added_hit_is_met_and_moves_nothing_further_than_a_bar_away(second: float) -> None:
    more = edited(CONTROL, added=[second])
    times, before = more.times[more.beats], CONTROL.times[CONTROL.beats]
    assert set(before) | {second} == set(times.tolist())
    # But where another is so near that the tempo would have to bend too far.
    near = np.abs(before - second).min()
    error = np.abs(np.array(heard(more)) - times)
    assert error[times == second].max() <= (1e-6 if near > 1.0 else 0.0626)
    assert error[times != second].max(initial=0) < 1e-6
    ticks = np.arange(16 * 8)
    shift = np.abs(more.grid.seconds(ticks) - CONTROL.grid.seconds(ticks))
    assert shift[np.abs(ticks * 0.125 - second) > 2.1].max() < 1e-9
    tempi = np.array([tempo for _, tempo in more.grid.tempi])
    assert (np.abs(120 / tempi - 1) <= MAX_BEND + 0.01).all()
    plan, _ = make_plan(more)
    tick = int(more.words[more.beats, 3][times == second][0])
    assert plan.beats[tick] == STRONGEST


def test_hits_of_a_control_without_seconds_are_edited_by_ticks() -> None:
    words = np.array([(BAR, 9, 0, 0, 32, 1), (5, 0, 3, 4, 32, 1), (BAR, 9, 0, 16, 32, 1)])
    bare = Control(words, 120.0, 4.0)
    assert edited(bare, removed=[0.5]).words[:, 3].tolist() == [0, 16]
    more = edited(bare, added=[3.0])
    assert more.words[:, 3].tolist() == [0, 4, 16, 24] and more.seconds is None


def test_what_bent_to_meet_its_hits_meets_them_at_another_tempo() -> None:
    seconds = [1.93, 5.07, 8.81, 13.3]
    knots = (Knot(0, 0.0), Knot(16, 1.93), Knot(40, 5.07), Knot(72, 8.81), Knot(106, 13.3))
    beats = [
        VisualBeat(second, *divmod(knot.tick, TICKS_PER_BAR), 1.0)
        for second, knot in zip(seconds, knots[1:], strict=True)
    ]
    rhythm = VideoRhythm(16.0, 120.0, tuple(beats), (0.1,) * 8, knots, scenes=(0, 1))
    control = Control.of(rhythm)
    for tempo in (65.0, 90.0, 150.0):
        slower = retimed(control, tempo)
        np.testing.assert_allclose(heard(slower), seconds, atol=0.04)
        assert slower.tempo == tempo
    best = tempo_within(control, 60, 90, 60.0)
    assert 60 <= best <= 90
    np.testing.assert_allclose(heard(retimed(control, best)), seconds, atol=1e-6)
    # Whose hits keep to a tempo gets an octave of it.
    assert tempo_within(CONTROL, 50, 90, 60.0) == 60.0
    np.testing.assert_allclose(heard(retimed(CONTROL, 60.0)), [1.0, 3.0, 6.25], atol=1e-6)
