"""Optical flow of a video: speed and directogram in one pass over its frames, on all cores.

The flow is Farneback's, in px/frame at 360 px height. Source: Davis & Agrawala, "Visual Rhythm
and Beat" (2018), section 4; original: optical_flow.py.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TypeVar

import cv2
import joblib
import numpy as np

DIRECTIONS = 128  # bins of the directogram over the full circle
MARGIN = 0.05  # of height and of width, not counted in the directogram at each side
# Smoothness of Farneback's polynomial expansion: the original has one for speed, another for
# visual beats.
SPEED_SIGMA = 1.2
BEAT_SIGMA = 1.25

T = TypeVar("T")


@dataclass(frozen=True)
class Motion:
    """How a video of n frames moves.

    Attributes:
        fps: frames per second.
        speed: (n − 1,) float32, mean |flow| of each frame pair over pixels and both components;
            per frame, as in the original, so a scene reads slower at 60 fps than at 30.
        directogram: (128, n) float32, sums of flow magnitude by direction (from −π to π);
            column i is the flow from frame i − 1 to i, column 0 is 0.
    """

    fps: float
    speed: np.ndarray
    directogram: np.ndarray

    @property
    def duration(self) -> float:
        """Seconds, the last frame's display time included."""
        return self.directogram.shape[1] / self.fps


def measure_motion(frames: Iterable[np.ndarray], fps: float, one_flow: bool = False) -> Motion:
    """Measure the motion of a video in one pass; few frames are in memory at a time.

    Args:
        frames: one or more uint8 (height, width) gray frames.
        fps: frames per second.
        one_flow: take visual beats from the flow that gives the speed: half the time, but its
            beats differ from the original's where two are about as strong.
    """
    speeds = []
    columns = [np.zeros(DIRECTIONS, np.float32)]
    with _single_threaded_cv2():
        for speed, column in _map_threads(partial(_pair_motion, one_flow), pairwise(frames)):
            speeds.append(speed)
            columns.append(column)
    return Motion(fps, np.array(speeds, np.float32), np.stack(columns, axis=1))


def _pair_motion(one_flow: bool, pair: tuple[np.ndarray, np.ndarray]) -> tuple[float, np.ndarray]:
    """Speed and directogram column of a frame pair."""
    previous, current = pair
    if previous is current:  # a held frame
        return 0.0, np.zeros(DIRECTIONS, np.float32)
    flow = farneback(previous, current, SPEED_SIGMA)
    speed = float(np.abs(flow).mean())
    if not one_flow:
        flow = farneback(previous, current, BEAT_SIGMA)
    return speed, directions(flow)


def farneback(previous: np.ndarray, current: np.ndarray, sigma: float) -> np.ndarray:
    """Optical flow between two gray frames, float32 (height, width, 2) in pixels: x, y."""
    # The original asks for more pyramid levels for visual beats, but OpenCV stops at sides of 32
    # pixels: at 360 px height both get these three.
    return cv2.calcOpticalFlowFarneback(
        previous,
        current,
        np.empty((*current.shape, 2), np.float32),
        pyr_scale=0.5,
        levels=3,
        winsize=15,
        iterations=3,
        poly_n=5,
        poly_sigma=sigma,
        flags=0,
    )


def directions(flow: np.ndarray) -> np.ndarray:
    """Histogram of flow direction weighted by magnitude, float32 (128,); margins are left out."""
    height, width = flow.shape[:2]
    top, left = int(MARGIN * height), int(MARGIN * width)
    inner = flow[top : height - top, left : width - left].reshape(-1, 2)
    x, y = inner[:, 0], inner[:, 1]
    turn = (np.arctan2(y, x) + np.pi) / (2 * np.pi)
    bins = np.minimum((turn * DIRECTIONS).astype(np.intp), DIRECTIONS - 1)
    return np.bincount(bins, np.hypot(x, y), DIRECTIONS).astype(np.float32)


def _map_threads(function: Callable[..., T], items: Iterable) -> Iterator[T]:
    """Like `map`, on all cores (OpenCV releases the GIL), with a bounded look-ahead."""
    workers = joblib.cpu_count()
    pending: deque[Future[T]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > 2 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


@contextmanager
def _single_threaded_cv2() -> Iterator[None]:
    """Keep OpenCV's own threads from competing with ours."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)
