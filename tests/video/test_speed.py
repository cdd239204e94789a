"""How fast it goes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from drawn_clips import texture, view, watch

from cmt.grid import Grid
from cmt.video.observation import Observation
from cmt.video.speed import CUT, speed_per_bar, speed_within_shots

SECONDS = 4
GRID = Grid(120.0)


def per_bar(draw: Callable[[float], np.ndarray], fps: float = 30) -> np.ndarray:
    seen = watch(draw, SECONDS, fps)
    cuts = seen.times[1:][seen.change[1:] > 0.5]
    return np.array(speed_per_bar(seen, speed_within_shots(seen), cuts.tolist(), GRID, 2))


@pytest.mark.parametrize("fps", [24, 30, 60])
def test_stills_are_as_fast_as_they_are_cut(fps: float) -> None:
    scenes = [texture(seed) for seed in range(4)]
    cuts = [1.0, 2.0, 2.5]  # the second on a bar line
    speed = per_bar(lambda t: view(scenes[int(np.searchsorted(cuts, t + 1e-9, "right"))], 0), fps)
    assert speed == pytest.approx([CUT / 2, 2 * CUT / 2], rel=0.05, abs=0.002)


def test_a_cut_does_not_hide_how_fast_its_shots_are() -> None:
    scenes = [texture(seed) for seed in range(2)]
    speed = per_bar(lambda t: view(scenes[int(t >= 2)], 0.2 * t if t < 2 else 0.1 * t))
    assert speed == pytest.approx([0.2, 0.1 + CUT / 2], rel=0.1)


def test_what_only_shakes_gets_nowhere() -> None:
    def shaken(t: float) -> float:
        return 0.004 * np.sin(2 * np.pi * 8 * t)  # 0.13 heights a second

    scene = texture(7)
    assert per_bar(lambda t: view(scene, shaken(t))).max() < 0.03
    assert per_bar(lambda t: view(scene, 0.2 * t + shaken(t))) == pytest.approx([0.2] * 2, rel=0.1)


def test_a_cut_between_each_two_pictures() -> None:
    speed = speed_within_shots(watch(lambda t: texture(round(30 * t))[:144, :144], 0.3))
    assert isinstance(speed, np.ndarray) and np.isfinite(speed).all()


def test_one_picture_has_no_speed() -> None:
    seen: Observation = watch(lambda t: view(texture(1), 0), 0.03)
    assert speed_per_bar(seen, speed_within_shots(seen), [], GRID, 2) == (0, 0)
