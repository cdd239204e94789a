"""Events of clips that the tests draw, whose events are known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn_clips import disc, texture, view, watch

from cmt.video.events import find_events
from cmt.video.frames import VideoFrames
from cmt.video.observation import SIDE, observe
from cmt.video.shots import Event, find_dissolves
from cmt.video.tempo import find_tempo

CLIPS = Path(__file__).parents[2].parent / "shared" / "clips"


def times(events: tuple[Event, ...], kind: str) -> list[float]:
    return [event.time for event in events if event.kind == kind]


@pytest.mark.parametrize("fps", [24, 30, 60])
def test_a_cut_is_at_the_first_picture_of_the_new_shot(fps: int) -> None:
    scenes = [texture(seed) for seed in range(4)]
    frames = [fps, round(1.7 * fps), round(2.9 * fps)]

    def draw(t: float) -> np.ndarray:
        shot = int(np.searchsorted(np.array(frames) / fps, t + 1e-9, side="right"))
        return view(scenes[shot], 0.05 * t)

    events = find_events(watch(draw, 4, fps))
    assert [event.kind for event in events] == ["cut"] * 3
    assert [round(event.time * fps) for event in events] == frames


def test_cuts_are_found_between_black_bars() -> None:
    scenes = [texture(seed) for seed in range(2)]

    def draw(t: float) -> np.ndarray:
        picture = view(scenes[int(t >= 1)], 0.05 * t)
        picture[:50] = picture[-50:] = 0
        return picture

    assert times(find_events(watch(draw, 2)), "cut") == [1.0]


def test_what_changes_in_a_part_of_the_first_pictures_is_no_cut() -> None:
    one, other = view(texture(1), 0), view(texture(2), 0)

    def draw(t: float) -> np.ndarray:
        picture = one.copy()
        if t > 0.02:
            picture[20:60, 20:60] = (picture[20:60, 20:60] + other[20:60, 20:60].astype(int)) // 2
        return picture

    assert times(find_events(watch(draw, 1)), "cut") == []


def test_a_flash_is_no_cut() -> None:
    scene = texture(1)

    def draw(t: float) -> np.ndarray:
        light = 90 * np.exp(-(t - 1) / 0.12) if t >= 1 - 1e-9 else 0
        return np.clip(view(scene, 0.02 * t).astype(float) + light, 0, 255)

    events = find_events(watch(draw, 2.5))
    assert [(event.time, event.kind) for event in events] == [(1.0, "flash")]


def test_a_dissolve_and_a_shaken_camera_have_no_event() -> None:
    one, other = texture(1), texture(2)

    def dissolve(t: float) -> np.ndarray:
        share = float(np.clip(t - 1, 0, 1))
        return (1 - share) * view(one, 0.05 * t) + share * view(other, 0.05 * t)

    def shake(t: float) -> np.ndarray:
        x, y = (0.006 * np.sin(2 * np.pi * rate * t) for rate in (2.1, 3.4))
        return disc(view(one, x, y), 0.1, 0.1)

    assert find_events(watch(dissolve, 3)) == ()
    assert find_events(watch(shake, 4)) == ()


@pytest.mark.parametrize("fps", [25, 60])
def test_a_dissolve_is_where_shots_melt(fps: int) -> None:
    one, other = texture(1), texture(2)

    def draw(t: float) -> np.ndarray:
        share = float(np.clip(t - 1, 0, 1))
        return (1 - share) * view(one, 0.05 * t) + share * view(other, -0.07 * t)

    ((start, end),) = find_dissolves(watch(draw, 3, fps))
    assert (start, end) == pytest.approx((1, 2), abs=0.13)


def test_where_shots_melt_nothing_strikes() -> None:
    scene, period, first = texture(3), 0.5, 0.37

    def draw(t: float) -> np.ndarray:
        phase = (t - first) / period % 1
        return disc(view(scene, 0), 0.1 * np.sin(0.4 * t), 0.33 - 0.8 * phase * (1 - phase), 0.1)

    bounces = watch(draw, 3)
    amid = (bounces.times > 1.7) & (bounces.times < 2.05)
    melts = replace(bounces, melting=0.1 * amid, unexplained=0.01 * amid[1:])
    found, left = (np.array(times(find_events(seen), "impact")) for seen in (bounces, melts))
    assert found == pytest.approx(first + period * np.arange(6), abs=0.02)
    assert left == pytest.approx(found[[0, 1, 2, 4, 5]])


def test_neither_a_slow_pan_nor_cuts_nor_noise_are_dissolves() -> None:
    scenes = [texture(seed) for seed in range(4)]
    assert find_dissolves(watch(lambda t: view(scenes[0], 0.05 * t, 0.02 * t), 3)) == []
    assert find_dissolves(watch(lambda t: view(scenes[int(t)], 0), 3)) == []
    assert find_dissolves(watch(lambda t: np.full((144, 144, 3), 128.0), 2)) == []


@pytest.mark.parametrize("fps", [25, 50])
def test_a_bounce_is_located_between_pictures(fps: int) -> None:
    scene, period, first = texture(3), 0.5, 0.37

    def draw(t: float) -> np.ndarray:
        u = (t - first) / period % 1
        return disc(view(scene, 0), 0, 0.33 - 0.8 * u * (1 - u))

    found = np.array(times(find_events(watch(draw, 5, fps)), "impact"))
    beats = first + period * np.arange(1, 9)  # what came before the first is not known
    lateness = found[np.abs(np.subtract.outer(beats, found)).argmin(axis=1)] - beats
    assert np.abs(lateness).max() < 0.04
    assert abs(np.median(lateness)) < 0.01
    assert len(found) <= 10  # its turns in the air do not count


def test_a_low_fast_bounce_is_where_it_turns_back_not_in_the_air() -> None:
    scene, period, first = texture(3), 60 / 130, 0.37

    def draw(t: float) -> np.ndarray:
        u = (t - first) / period % 1
        return disc(view(scene, 0), 0.1, 0.33 - 0.7 * u * (1 - u))

    found = np.array(times(find_events(watch(draw, 5)), "impact"))
    beats = first + period * np.arange(1, 10)
    late = np.abs(np.subtract.outer(beats, found)).min(axis=1)
    assert (late < 0.04).mean() > 0.8 and len(found) <= 10


@pytest.mark.parametrize("fps", [15, 25, 30])
def test_what_is_too_fast_for_the_flow_goes_on_until_it_stops(fps: int) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (2, SIDE // 4, 64, 3))
    ground, thing = noise.repeat(4, 1).repeat(4, 2)

    def draw(t: float) -> np.ndarray:
        beat, since = divmod(t, 0.5)
        way = min(since / 0.45, 1) ** 2  # ever faster, then at rest
        left = round(184 * (1 - way if beat % 2 else way))
        picture = 60 + ground // 5
        picture[36:108, left : left + 72] = thing[:72, :72]
        return picture

    found = np.array(times(find_events(watch(draw, 4, fps)), "impact"))
    stops = 0.45 + 0.5 * np.arange(7)
    assert np.abs(np.subtract.outer(stops, found)).min(axis=1).max() < 0.04 + 0.5 / fps
    assert find_tempo(find_events(watch(draw, 4, fps))).tempo == pytest.approx(120, rel=0.01)


def test_things_that_float_do_nothing_at_any_moment() -> None:
    scene, ways = texture(4), np.random.default_rng(0).uniform(0.05, 0.22, (9, 4))

    def draw(t: float) -> np.ndarray:
        picture = view(scene, 0)
        for x_rate, y_rate, x, y in ways:
            place = (
                0.6 * np.sin(2 * np.pi * (x_rate * t + 5 * x)),
                0.4 * np.sin(2 * np.pi * (y_rate * t + 5 * y)),
            )
            picture = disc(picture, *place)
        return picture

    assert find_events(watch(draw, 8)) == ()


def test_noise_that_ends_on_a_wall_is_no_impact() -> None:
    random = np.random.default_rng(1)
    wall = np.full((SIDE, SIDE, 3), 120.0)
    wall[:40, :40] = view(texture(1), 0)[:40, :40]

    def noise() -> np.ndarray:
        picture = cv2.resize(random.normal(0, 1, (18, 18)), (SIDE, SIDE))[..., None]
        picture[:56, :56] = 0
        return picture

    def pictures() -> Iterator[tuple[float, np.ndarray]]:
        for i in range(100):  # as coders have it before key frames
            picture = wall + (noise() if i % 50 < 25 else 0)
            yield i / 25, np.rint(picture).clip(0, 255).astype(np.uint8)

    assert find_events(observe(pictures(), 25)) == ()


def test_a_camera_that_is_struck() -> None:
    scene, beats = texture(2), np.array([0.8, 1.4, 2.0, 2.6])

    def draw(t: float) -> np.ndarray:
        since = t - beats[beats <= t + 1e-9]
        jolt = 0.02 * np.exp(-7 * since[-1]) * np.cos(9 * since[-1]) if len(since) else 0.0
        return view(scene, 0.1 * t, jolt)

    events = find_events(watch(draw, 3.2))
    assert {event.kind for event in events} == {"impact"}
    assert times(events, "impact") == pytest.approx(beats, abs=0.001)


def test_flashes_in_a_row_are_nothing_else() -> None:
    scene, beats = texture(1), 0.45 + 0.55 * np.arange(9)

    def draw(t: float) -> np.ndarray:
        since = t - beats[beats <= t + 1e-9]
        light = 90 * np.exp(-since[-1] / 0.12) if len(since) else 0
        return np.clip(view(scene, 0.02 * t).astype(float) + light, 0, 255)

    events = find_events(watch(draw, 5.2))
    assert [event.kind for event in events] == ["flash"] * 9


def test_a_zoom_that_settles_is_one_event() -> None:
    scene, beats = texture(1), 0.45 + 0.6 * np.arange(5)

    def draw(t: float) -> np.ndarray:
        since = t - beats[beats <= t + 1e-9]
        zoom = 1 + 0.12 * np.exp(-since[-1] / 0.12) if len(since) else 1.0
        picture = view(scene, 0)
        matrix = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), 0, zoom)
        return cv2.warpAffine(picture, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REFLECT)

    events = find_events(watch(draw, 3.3))
    assert [event.time for event in events] == pytest.approx(np.ceil(30 * beats) / 30)


def test_before_a_wall_only_things_move() -> None:
    def draw(t: float) -> np.ndarray:
        u = t / 0.5 % 1
        return disc(np.full((SIDE, SIDE, 3), 128, np.uint8), 0, 0.33 - 0.8 * u * (1 - u))

    events = find_events(watch(draw, 4))
    assert {event.kind for event in events} == {"impact"}
    assert times(events, "impact") == pytest.approx(np.arange(0.5, 4, 0.5), abs=0.02)


def test_the_camera_stops() -> None:
    scene = texture(4)
    found = find_events(watch(lambda t: view(scene, 0.45 * min(t, 1.52)), 3))
    assert [event.kind for event in found] == ["stop"]
    assert found[0].time == pytest.approx(1.52, abs=0.03)


def test_a_pendulum_turns_softly_where_it_is_slowest() -> None:
    scene, period, first = texture(5), 0.6, 0.41

    def draw(t: float) -> np.ndarray:
        return disc(view(scene, 0), 0.25 * np.cos(np.pi * (t - first) / period), 0, 0.12)

    found = np.array(times(find_events(watch(draw, 6)), "turn"))
    offsets = (found - first + period / 2) % period - period / 2
    assert 8 <= len(found) <= 10
    assert np.abs(offsets).max() < 0.04


def test_nothing_turns_in_stillness() -> None:
    """A pendulum that comes to rest after 6 s, before a camera that sees noise for 8 s more."""
    scene, period, first = texture(5), 0.6, 0.41

    def draw(t: float) -> np.ndarray:
        swing = 0.25 * np.cos(np.pi * (min(t, 10 * period + first) - first) / period)
        return disc(view(scene, 0), swing, 0, 0.12)

    found = find_events(watch(draw, 14))
    assert 9 <= len(found) <= 12
    assert max(event.time for event in found) < 6.6


@pytest.mark.parametrize("speed", [0.0, 0.3])
def test_a_still_and_an_even_pan_have_no_event(speed: float) -> None:
    seen = watch(lambda t: view(texture(6), speed * t), 3)
    assert find_events(seen) == ()
    assert seen.speed.mean() == pytest.approx(speed, abs=0.03)


def test_speed_is_the_same_at_any_rate() -> None:
    scene = texture(7)

    def draw(t: float) -> np.ndarray:
        return disc(view(scene, 0), 0.3 * np.sin(2 * t), 0.2 * np.cos(3 * t))

    speeds = [watch(draw, 3, fps).speed.mean() for fps in (24, 30, 60)]
    assert max(speeds) / min(speeds) < 1.1


def test_what_the_flow_loses_at_low_rates_hardly_counts() -> None:
    scene = texture(7)

    def draw(t: float) -> np.ndarray:  # up to 3.6 heights a second
        return disc(view(scene, 0), 0.3 * np.sin(12 * t), 0.2 * np.cos(8.4 * t))

    speeds = [watch(draw, 3, fps).speed.mean() for fps in (24, 30, 60)]
    assert max(speeds) / min(speeds) < 1.16


def test_one_picture_and_none_that_moves() -> None:
    assert find_events(watch(lambda t: texture(1)[:SIDE, :SIDE], 0.03)) == ()
    assert find_events(watch(lambda t: np.zeros((SIDE, SIDE, 3)), 1)) == ()


@pytest.mark.parametrize(
    ("name", "first_frames"),
    [("bbb", [285, 378, 553]), ("bikes", [30, 76, 137, 187, 242])],
)
def test_cuts_of_real_clips(name: str, first_frames: list[int]) -> None:
    path = CLIPS / f"{name}.mp4"
    if not path.exists():
        pytest.skip("no shared clips here")
    frames = VideoFrames(path)
    events = find_events(observe(frames.timed(SIDE), frames.fps))
    found = [round(time * frames.fps) for time in times(events, "cut")]
    assert found == first_frames
