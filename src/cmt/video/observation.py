"""One pass over a video's pictures: what is kept of each to find events and speed from.

Of a picture that is how much it differs from the one before, and its light; of a pair of pictures
how the camera and how things move, by direction: a hundred bytes in all, whatever the video's
length and size. Nothing is smoothed over time. The measure of motion by direction follows Davis &
Agrawala, "Visual Rhythm and Beat" (2018), section 4; the flow is Kroeger et al., "Fast Optical
Flow using Dense Inverse Search" (2016).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from cmt.video.flow import map_threads, single_threaded_cv2

SIDE = 144  # pixels, the shorter of the pictures that flow is measured in
CELL = 4  # pixels a side, over which flow is averaged
THUMB = 32  # pixels, the shorter side of a thumbnail
MELT = 0.16  # seconds on either side of a picture, whose mean it is while shots melt
MIXED = 0.25  # of the change between these two, how far from their mean it may be
OVER = 0.25  # seconds over which motion is averaged to tell its speed
# Heights a second beside the camera: flow loses what is faster, the sooner the fewer pictures there
# are, so that counts as this.
SOARING = 0.5
FASTEST = 40  # pictures a second; of more, flow takes every second one
DIRECTIONS = 16  # of motion, over the full circle
DETAIL = 3.0  # of 255, mean contrast of neighbouring cells that flow can follow
# Ninths of the picture that have detail in so much of their cells, if these are to tell how the
# camera moves: before a wall only things are seen.
NINTHS, DETAILED = 5, 0.1
LIVELY = 12  # of 255: what has always changed by less is a bar or a logo
NO_PAIR = (0.0, np.zeros((0, 2), np.float32))  # seconds and flow, before the first and after
# Of a thumbnail's pixels, so many must be lively to leave out the others; and of the first pictures
# none is left out, as all that has changed by then is what has just moved.
FEWEST, FIRST = 0.04, 12


@dataclass(frozen=True)
class Observation:
    """What was seen of n pictures, and of p pairs of those whose flow was measured.

    Velocities are in picture heights a second.

    Attributes:
        times: (n,) seconds from the first picture, ascending.
        change: (n,) 1 − Pearson's r of each thumbnail and the one before; 0 for the first.
        lasting: (n,) the same of the thumbnails two before and one after.
        melting: (n,) mean change, 0 to 1, from the thumbnail `MELT` seconds before to that as long
            after, if the picture is about the mean of both; else 0.
        light: (n,) mean brightness, 0 to 1.
        saturation: (n,) mean saturation (HSV), 0 to 1.
        warmth: (n,) mean of red less blue, −1 to 1.
        ends: (p + 1,) indices of the pictures whose flow was measured.
        camera: (p, 2) the camera's velocity: the median flow, x and y, where there is detail; 0
            where that is not all over the picture.
        motion: (p, 16) mean velocity by direction of what moves both against the camera's motion
            and on the screen, and has detail.
        unexplained: (p,) mean change of the picture's cells, 0 to 1, that no flow explains; 0 where
            that is not most of the change. Flow loses what is too fast for it, and what melts.
        speed: (p,) mean |flow|, that beside the camera's being at most `SOARING`, averaged over
            `OVER` seconds around the pair: things shake and coders err, but neither gets far. Near
            a cut it tells nothing.
    """

    times: np.ndarray
    change: np.ndarray
    lasting: np.ndarray
    melting: np.ndarray
    light: np.ndarray
    saturation: np.ndarray
    warmth: np.ndarray
    ends: np.ndarray
    camera: np.ndarray
    motion: np.ndarray
    unexplained: np.ndarray
    speed: np.ndarray

    @property
    def rate(self) -> float:
        """Pairs a second."""
        at = self.times[self.ends]
        return float(1 / np.median(np.diff(at))) if len(at) > 1 else 1.0


def observe(pictures: Iterable[tuple[float, np.ndarray]], fps: float) -> Observation:
    """Watch a video in one pass; few pictures are in memory at a time.

    Args:
        pictures: one or more, seconds (ascending) and uint8 (height, width, 3).
        fps: pictures a second; above 40, flow takes every second one.
    """
    step = 2 if fps > FASTEST else 1
    thumbnails = _Thumbnails(max(2, round(MELT * fps)))
    times: list[float] = []
    ends: list[int] = []

    def pairs() -> Iterator[tuple[float, np.ndarray, np.ndarray]]:
        before = None
        for index, (time, picture) in enumerate(pictures):
            times.append(time)
            thumbnails.add(picture)
            if index % step == 0:
                gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
                if before is not None:
                    yield time - times[ends[-1]], before, gray
                ends.append(index)
                before = gray

    camera, motion, unexplained, speed = [], [], [], _Speed(fps / step)
    with single_threaded_cv2():
        for seconds, flow, velocity, by_direction, left in map_threads(_motion, pairs()):
            camera.append(velocity)
            motion.append(by_direction)
            unexplained.append(left)
            speed.add(seconds, flow)
    change, lasting, melting = thumbnails.finish()
    light, saturation, warmth = np.reshape(thumbnails.colours, (-1, 3)).T
    return Observation(
        times=np.array(times),
        change=np.array(change),
        lasting=np.array(lasting),
        melting=np.array(melting),
        light=light,
        saturation=saturation,
        warmth=warmth,
        ends=np.array(ends, int),
        camera=np.array(camera, np.float32).reshape(-1, 2),
        motion=np.array(motion, np.float32).reshape(-1, DIRECTIONS),
        unexplained=np.array(unexplained, np.float32),
        speed=np.array(speed.finish(), np.float32),
    )


class _Speed:
    """Mean |flow| of pairs of pictures, over `OVER` seconds around each."""

    def __init__(self, rate: float) -> None:
        """Take pairs, so many a second."""
        beside = max(0.0, (OVER * rate - 1) / 2)
        whole = int(beside)
        shares = [beside - whole, *[1.0] * (2 * whole + 1), beside - whole]
        self._weights = shares
        self._ahead = whole + 1
        self._recent = deque([NO_PAIR] * len(shares), maxlen=len(shares))
        self._speeds: list[float] = []
        self._count = 0

    def add(self, seconds: float, flow: np.ndarray) -> None:
        """Take the next pair: the time between its pictures, its flow (cells, 2) in heights."""
        self._recent.append((seconds, flow))
        self._count += 1
        if self._count > self._ahead:
            spans = list(zip(self._weights, self._recent, strict=True))
            way = np.sum([weight * flow for weight, (_, flow) in spans if len(flow)], axis=0)
            time = sum(weight * seconds for weight, (seconds, _) in spans)
            self._speeds.append(float(np.hypot(*way.T).mean() / time))

    def finish(self) -> list[float]:
        """Heights a second at each pair."""
        for _ in range(self._ahead):
            self.add(*NO_PAIR)
        return self._speeds


class _Thumbnails:
    """Change from picture to picture, of what is neither a black bar nor a logo."""

    def __init__(self, beside: int) -> None:
        """Take pictures; what melts is told from those so many before and after."""
        self.change: list[float] = []
        self.lasting: list[float] = []
        self.melting: list[float] = []
        self.colours: list[tuple[float, float, float]] = []  # light, saturation, warmth
        self._beside = beside
        self._recent: deque[np.ndarray] = deque(maxlen=max(4, 2 * beside + 1))
        self._lowest: np.ndarray = np.zeros(0, np.float32)
        self._highest: np.ndarray = self._lowest

    def add(self, picture: np.ndarray) -> None:
        """Take the next picture, uint8 (height, width, 3)."""
        scale = THUMB / min(picture.shape[:2])
        width, height = (max(1, round(side * scale)) for side in picture.shape[1::-1])
        thumb = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        thumb = thumb.reshape(-1, 3).astype(np.float32)
        if not self._recent:
            self._lowest, self._highest = thumb, thumb
        self._lowest = np.minimum(self._lowest, thumb)
        self._highest = np.maximum(self._highest, thumb)
        self._recent.append(thumb)
        self.colours.append(_colour(thumb))
        self.change.append(self._difference(1))
        if len(self.colours) > 1:  # of the picture before this one
            self.lasting.append(self._difference(3))
        if len(self.colours) > 2 * self._beside:
            self.melting.append(_melting(*list(self._recent)[:: self._beside]))

    def finish(self) -> tuple[list[float], list[float], list[float]]:
        """Change, lasting change and melting of each picture."""
        count = len(self.colours)
        if count:
            self.lasting.append(self._difference(2))
        early = [0.0] * min(self._beside, count)
        late = [0.0] * (count - len(early) - len(self.melting))
        return self.change, self.lasting, early + self.melting + late

    def _difference(self, back: int) -> float:
        """1 − r of the newest thumbnail and one so many before, blind to light and contrast."""
        other = self._recent[-min(back + 1, len(self._recent))]
        lively = (self._highest - self._lowest).max(axis=1) > LIVELY
        if lively.mean() < FEWEST or len(self.colours) < FIRST:
            lively[:] = True
        a, b = (_normalised(thumb[lively]) for thumb in (self._recent[-1], other))
        return float(np.square(a - b).sum() / 2)


def _melting(before: np.ndarray, now: np.ndarray, after: np.ndarray) -> float:
    """Mean change, 0 to 1, from one thumbnail to another if that between is their mean; else 0."""
    change, off = np.abs(after - before).mean(), np.abs(now - (before + after) / 2).mean()
    return float(change) / 255 if off < MIXED * change else 0.0


def _colour(thumb: np.ndarray) -> tuple[float, float, float]:
    """Mean brightness, saturation and warmth of pixels (n, 3), RGB to 255."""
    most, least = thumb.max(axis=1), thumb.min(axis=1)
    saturation = (most - least) / np.maximum(most, 1)
    warmth = thumb[:, 0] - thumb[:, 2]
    return float(thumb.mean()) / 255, float(saturation.mean()), float(warmth.mean()) / 255


def _normalised(thumb: np.ndarray) -> np.ndarray:
    """Pixels (n, 3) less their mean, of norm 1; less where there is next to nothing to see."""
    centred = thumb - thumb.mean(axis=0)
    return centred / (np.linalg.norm(centred) + 255)


def _motion(
    pair: tuple[float, np.ndarray, np.ndarray],
) -> tuple[float, np.ndarray, np.ndarray, np.ndarray, float]:
    """Seconds between two pictures, flow in heights, the camera's velocity, motion of things, and
    the change that is not explained.
    """
    seconds, before, after = pair
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    # More iterations and no smoothing follow fast things better, in less time.
    dis.setGradientDescentIterations(40)
    dis.setVariationalRefinementIterations(0)
    flow = dis.calc(before, after, np.zeros(0, np.float32))  # no first guess
    height, width = before.shape
    cells = (max(1, width // CELL), max(1, height // CELL))
    unexplained = _unexplained(before, after, flow, cells)
    flow = cv2.resize(flow, cells, interpolation=cv2.INTER_AREA).reshape(-1, 2)
    flow = flow / height / seconds
    detailed = _detailed(before, cells)
    ninths = cv2.resize(
        detailed.reshape(cells[::-1]).astype(np.float32), (3, 3), interpolation=cv2.INTER_AREA
    )
    wide = np.count_nonzero(ninths > DETAILED) >= NINTHS
    camera = np.median(flow[detailed], axis=0) if wide else np.zeros(2)
    own = flow - camera
    # Something that stands on the screen while the camera shakes does not move; nor does what the
    # camera passes. Where there is no detail noise moves, too.
    sizes = np.hypot(*own.T), np.hypot(*flow.T)
    turn = np.arctan2(own[:, 1], own[:, 0]) / (2 * np.pi) * DIRECTIONS
    low = np.floor(turn).astype(int)
    part, size = turn - low, np.minimum(*sizes) * detailed
    motion = np.zeros(DIRECTIONS)
    for bins, share in ((low, 1 - part), (low + 1, part)):  # linear between two directions
        motion += np.bincount(bins % DIRECTIONS, size * share, DIRECTIONS)
    slower = SOARING / np.maximum(sizes[0], SOARING)
    way = (camera + slower[:, None] * own) * seconds
    return seconds, way, camera, motion / len(flow), unexplained


def _unexplained(
    before: np.ndarray, after: np.ndarray, flow: np.ndarray, cells: tuple[int, int]
) -> float:
    """Mean change of cells, 0 to 1, that a flow (height, width, 2) leaves, if it is the most."""
    height, width = before.shape
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    moved = cv2.remap(
        after, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE
    )
    was, now, moved = (
        cv2.resize(picture, cells, interpolation=cv2.INTER_AREA).astype(np.float32)
        for picture in (before, after, moved)
    )
    change, left = (float(np.abs(was - other).mean()) for other in (now, moved))
    return left / 255 if left > change / 2 else 0.0


def _detailed(picture: np.ndarray, cells: tuple[int, int]) -> np.ndarray:
    """Which cells have detail that flow can follow, (cells,).

    Over a wall or the sky flow is what its surroundings have, and no sign of how the camera moves.
    """
    means = cv2.resize(picture, cells, interpolation=cv2.INTER_AREA).astype(np.float32)
    contrast = cv2.blur(np.abs(cv2.Laplacian(means, cv2.CV_32F)), (3, 3))
    return contrast.ravel() > DETAIL
