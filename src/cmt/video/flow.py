"""Optical flow of a video: speed and directogram in one pass over its frames, on all cores.

The flow is Farneback's, in px/frame at 360 px height. Source: Davis & Agrawala, "Visual Rhythm
and Beat" (2018), section 4; original: optical_flow.py.
"""

from __future__ import annotations

import ctypes
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Literal, TypeVar

import cv2
import joblib
import numpy as np

DIRECTIONS = 128  # bins of the directogram over the full circle
MARGIN = 0.05  # of height and of width, not counted in the directogram at each side
# Smoothness of Farneback's polynomial expansion: the original has one for speed, another for
# visual beats.
SPEED_SIGMA = 1.2
BEAT_SIGMA = 1.25
# Farneback sees more motion in smaller frames. This factor, the median over the bars of seven
# clips, brings the speeds of the fast flow back to those that the density thresholds are for.
FAST_SPEED = 0.70

# Of glibc's mallopt: parameters, and bytes.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST_MMAP_THRESHOLD = 32 << 20
KEPT_MEMORY = 64 << 20  # by each thread, enough for a flow's buffers

FlowMethod = Literal["exact", "single", "fast"]

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


def measure_motion(
    frames: Iterable[np.ndarray], fps: float, method: FlowMethod = "exact"
) -> Motion:
    """Measure the motion of a video in one pass; few frames are in memory at a time.

    Args:
        frames: one or more uint8 (height, width) gray frames.
        fps: frames per second.
        method: "exact" is the original's, a flow for speed and another for visual beats;
            "single" takes both from the first, in half the time; "fast" takes both from frames of
            half the size. These find other beats where several are about as strong.
    """
    speeds = []
    columns = [np.zeros(DIRECTIONS, np.float32)]
    _keep_memory()
    with single_threaded_cv2():
        for speed, column in map_threads(partial(_pair_motion, method), pairwise(frames)):
            speeds.append(speed)
            columns.append(column)
    return Motion(fps, np.array(speeds, np.float32), np.stack(columns, axis=1))


def _pair_motion(
    method: FlowMethod, pair: tuple[np.ndarray, np.ndarray]
) -> tuple[float, np.ndarray]:
    """Speed and directogram column of a frame pair."""
    previous, current = pair
    if previous is current:  # a held frame
        return 0.0, np.zeros(DIRECTIONS, np.float32)
    if method == "fast":
        flow = 2 * farneback(_half(previous), _half(current), SPEED_SIGMA)
        # A pixel stands for four.
        return FAST_SPEED * float(np.abs(flow).mean()), 4 * directions(flow)
    flow = farneback(previous, current, SPEED_SIGMA)
    speed = float(np.abs(flow).mean())
    if method == "exact":
        flow = farneback(previous, current, BEAT_SIGMA)
    return speed, directions(flow)


def _half(frame: np.ndarray) -> np.ndarray:
    """A frame at half its height and width."""
    height, width = frame.shape
    return cv2.resize(frame, (width // 2, height // 2), interpolation=cv2.INTER_CUBIC)


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


def map_threads(function: Callable[..., T], items: Iterable) -> Iterator[T]:
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


def _keep_memory() -> None:
    """Let glibc keep freed memory for the next flow; elsewhere do nothing.

    By default it gives large buffers back to the system, and every flow pays for new pages: a
    seventh of its time.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt:
            mallopt(M_MMAP_THRESHOLD, LARGEST_MMAP_THRESHOLD)
            mallopt(M_TRIM_THRESHOLD, KEPT_MEMORY)


@contextmanager
def single_threaded_cv2() -> Iterator[None]:
    """Keep OpenCV's own threads from competing with ours."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)
