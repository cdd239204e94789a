"""Clips that tests draw, as functions of time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np

from cmt.video.observation import SIDE, Observation, observe


def texture(seed: int) -> np.ndarray:
    """A picture (256, 256, 3) with detail at several scales, to be tiled."""
    rng = np.random.default_rng(seed)
    picture = np.full((256, 256, 3), 128, np.float32)
    for size in (4, 8, 16, 32):
        grid = rng.standard_normal((size, size, 3)).astype(np.float32)
        picture += 25 * cv2.resize(grid, (256, 256), interpolation=cv2.INTER_CUBIC)
    return np.clip(picture, 0, 255).astype(np.uint8)


def view(picture: np.ndarray, x: float, y: float = 0.0, zoom: float = 1.0) -> np.ndarray:
    """A square of a tiled picture, shifted by (x, y) heights."""
    matrix = np.array([[1 / zoom, 0, 256 + SIDE * x], [0, 1 / zoom, 256 + SIDE * y]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(picture, matrix, (SIDE, SIDE), flags=flags, borderMode=cv2.BORDER_WRAP)


def disc(picture: np.ndarray, x: float, y: float, radius: float = 0.1) -> np.ndarray:
    centre = round(SIDE * (0.5 + x) * 16), round(SIDE * (0.5 + y) * 16)
    cv2.circle(picture, centre, round(SIDE * radius * 16), (40, 60, 230), -1, cv2.LINE_AA, 4)
    return picture


def watch(draw: Callable[[float], np.ndarray], seconds: float, fps: float = 30) -> Observation:
    rng = np.random.default_rng(0)

    def pictures() -> Iterator[tuple[float, np.ndarray]]:
        for i in range(round(seconds * fps)):
            picture = draw(i / fps)
            noise = rng.normal(0, 1.5, (*picture.shape[:2], 1))
            yield i / fps, np.clip(picture + noise, 0, 255).astype(np.uint8)

    return observe(pictures(), fps)
