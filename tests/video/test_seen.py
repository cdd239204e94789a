"""From events to a rhythm: the tempo they keep to, or a grid that bends to meet them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cmt.control import MOVING, STEP, STILL, Control
from cmt.music.vocabulary import BAR
from cmt.plan import make_plan
from cmt.rhythm import VideoRhythm
from cmt.video.observation import Observation
from cmt.video.seen import find_rhythm

FPS = 25


def observation(cuts: list[int], seconds: float, speed: float = 0.3) -> Observation:
    """What is seen of a video that moves evenly, with cuts at some frames."""
    n = round(seconds * FPS)
    change = np.full(n, 0.01)
    change[cuts] = 0.9
    pairs = n - 1
    motion = np.full((pairs, 16), speed / 16, np.float32)
    return Observation(
        times=np.arange(n) / FPS,
        change=change,
        lasting=change,
        melting=np.zeros(n),
        light=np.full(n, 0.5),
        saturation=np.full(n, 0.3),
        warmth=np.zeros(n),
        ends=np.arange(n),
        camera=np.zeros((pairs, 2), np.float32),
        motion=motion,
        unexplained=np.zeros(pairs, np.float32),
        speed=np.full(pairs, speed, np.float32),
    )


def heard(rhythm: VideoRhythm) -> np.ndarray:
    """Seconds of the ticks that the visual beats are on."""
    return rhythm.grid.seconds(np.array([beat.i_beat for beat in rhythm.vbeats]))


def seen(rhythm: VideoRhythm) -> np.ndarray:
    return np.array([beat.start_time for beat in rhythm.vbeats])


def test_regular_cuts_keep_to_their_tempo() -> None:
    rhythm = find_rhythm(observation([12 + 15 * n for n in range(16)], 10.4), 10.4)
    assert rhythm.tempo == pytest.approx(100, rel=0.005)
    np.testing.assert_allclose(heard(rhythm), seen(rhythm), atol=0.02)
    assert len({bpm for _, bpm in rhythm.grid.tempi[1:]}) == 1
    assert {beat.tick % 4 for beat in rhythm.vbeats} == {0}


def test_irregular_cuts_are_met_exactly() -> None:
    cuts = [43, 118, 171, 260, 347, 401]
    rhythm = find_rhythm(observation(cuts, 20), 20)
    np.testing.assert_allclose(seen(rhythm), np.array(cuts) / FPS)
    np.testing.assert_allclose(heard(rhythm), seen(rhythm), atol=1e-6)
    assert all(abs(bpm / rhythm.tempo - 1) <= 0.07 + 1e-9 for _, bpm in rhythm.grid.tempi)


def test_key_frames_are_met_and_hit_can_be_forbidden() -> None:
    still = observation([], 12)
    keys = [1.93, 5.07, 8.81]
    rhythm = find_rhythm(still, 12, key_frames=keys)
    np.testing.assert_allclose(heard(rhythm), keys, atol=1e-6)
    rigid = find_rhythm(observation([43, 118, 171, 260], 12), 12, hit=False)
    assert len({round(bpm, 6) for _, bpm in rigid.grid.tempi[1:]}) <= 1


def test_scenes_last_and_begin_at_cuts() -> None:
    rhythm = find_rhythm(observation([200, 210, 400], 24), 24)
    starts = rhythm.grid.seconds(np.array(rhythm.scenes) * 16)
    assert rhythm.scenes[0] == 0 and len(rhythm.scenes) >= 2
    assert (np.diff(starts) > 4).all()


def test_a_scene_begins_amid_a_dissolve() -> None:
    seen = observation([], 24)
    amid = (seen.times > 11.5) & (seen.times < 12.5)
    melts = replace(seen, melting=0.2 * amid, unexplained=0.01 * amid[1:])
    rhythm = find_rhythm(melts, 24)
    starts = rhythm.grid.seconds(np.array(rhythm.scenes) * 16)
    assert starts == pytest.approx([0, 12], abs=1)
    assert rhythm.vbeats == ()


def test_another_tempo_places_events_anew_from_seconds() -> None:
    from cmt.retiming import retimed

    rhythm = find_rhythm(observation([12 + 15 * n for n in range(16)], 10.4), 10.4)
    control = retimed(Control.of(rhythm), 100.0 * 1.5)
    assert control.seconds is not None
    beats = control.words[:, 0] != BAR
    np.testing.assert_allclose(control.seconds[beats], seen(rhythm))
    at = control.grid.seconds(control.words[beats, 3])
    np.testing.assert_allclose(at, seen(rhythm), atol=0.03)


@pytest.mark.parametrize(("speeds", "least"), [((0.0,) * 8, STILL), ((0.05,) * 8, MOVING)])
def test_bars_ask_for_music_that_goes_on(speeds: tuple[float, ...], least: int) -> None:
    rhythm = VideoRhythm(16.0, 120.0, (), speeds, scenes=(0,))
    plan, _ = make_plan(Control.of(rhythm))
    assert (plan.densities >= least).all()


def test_densities_change_little_within_a_scene() -> None:
    speeds = (0.001, 3.0, 0.001, 3.0, 0.001, 0.001, 3.0, 0.01)
    within, _ = make_plan(Control.of(VideoRhythm(16.0, 120.0, (), speeds, scenes=(0, 6))))
    steps = np.abs(np.diff(within.densities))
    assert (np.delete(steps, 5) <= STEP).all() and steps[5] > STEP
