"""Shots: cuts and flashes, at the first picture that shows them, and the motion between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.ndimage import maximum_filter1d, median_filter, uniform_filter1d

from cmt.video.observation import MELT, Observation

# A cut: a change of at least so much (1 − r), and so many times those within 0.1 s, of which at
# least so much lasts; from shot to shot of one place little else tells it from a sudden zoom.
CUTS = ((0.35, 2.0, 0.5), (0.15, 6.0, 0.5), (0.15, 2.5, 0.85), (0.08, 3.0, 0.85))
CUT_REACH = 0.1  # seconds
FLASH = 0.07  # of the range, a jump of mean brightness
# Shots melt, for at least so many seconds, where the picture changes by more than this of the range
# within twice `MELT`, as a mixture does, and by so much a second as no flow explains.
LEAST_MELT, MELTS, MELTS_UNSEEN = 0.2, 0.016, 0.08
# Flow is not to be trusted where brightness jumps by more of the range, nor, by less, where a
# flash fades (seconds).
FLICKER, FADING, FADE = 0.03, 0.002, 0.8
# Where the picture changes by so much, of the range, as no flow explains, something is too fast for
# it: if less than so much of the motion is left, that goes on as it went.
LOST, KEPT = 0.014, 0.6

Kind = Literal["cut", "flash", "impact", "stop", "turn"]


@dataclass(frozen=True)
class Event:
    """Something seen: when (seconds), what, and how strong (0 to 1)."""

    time: float
    kind: Kind
    weight: float


def find_cuts(seen: Observation) -> np.ndarray:
    """Indices of the first pictures of new shots."""
    change = seen.change
    reach = max(2, round(CUT_REACH / _spacing(seen.times)))
    cuts = []
    for i in np.flatnonzero(change > CUTS[-1][0]):
        around = max(
            change[max(0, i - reach) : i].max(initial=0),
            change[i + 1 : i + 1 + reach].max(initial=0),
        )
        if any(
            change[i] >= least
            and change[i] > times * around
            and seen.lasting[i] > lasts * change[i]  # a flash is over soon
            for least, times, lasts in CUTS
        ):
            cuts.append(i)
    return np.array(cuts, int)


def find_flashes(seen: Observation, cuts: np.ndarray) -> np.ndarray:
    """Indices of the first pictures of flashes."""
    jump = np.diff(seen.light, prepend=seen.light[0])
    jump[cuts] = 0
    around = 2 * round(CUT_REACH / _spacing(seen.times)) + 1
    return np.flatnonzero((jump > FLASH) & (jump == maximum_filter1d(jump, around)))


def find_dissolves(seen: Observation) -> list[tuple[float, float]]:
    """Spans (seconds) in which shots melt, fade in or out."""
    if not len(seen.unexplained):
        return []
    around = 2 * round(MELT * seen.rate) + 1
    unseen = uniform_filter1d((seen.unexplained * seen.rate > MELTS_UNSEEN).astype(float), around)
    at = seen.times[seen.ends]
    melts = (seen.melting > MELTS) & (np.interp(seen.times, (at[1:] + at[:-1]) / 2, unseen) > 0.5)
    edges = np.flatnonzero(np.diff(melts, prepend=False, append=False))
    # The first and the last of them are `MELT` after and before what they are told from.
    spans = [(seen.times[i], seen.times[j - 1]) for i, j in edges.reshape(-1, 2)]
    return [(float(a) - MELT, float(b) + MELT) for a, b in spans if b - a > LEAST_MELT]


@dataclass(frozen=True)
class Shots:
    """Motion of the pairs of pictures, without those that span a cut or are beside one."""

    at: np.ndarray  # (p + 1,) seconds of the pictures
    rate: float  # pairs a second
    borders: np.ndarray  # pairs that span a cut
    camera: np.ndarray  # (p, 2), NaN near a border
    motion: np.ndarray  # (p, directions), NaN near a border

    @classmethod
    def of(cls, seen: Observation, cuts: np.ndarray, flashes: np.ndarray) -> Shots:
        """Those of a video whose cuts and flashes begin at some of its pictures."""
        borders = np.searchsorted(seen.ends, cuts) - 1
        borders = borders[(borders >= 0) & (borders < len(seen.camera))]
        camera, motion = seen.camera.astype(float), seen.motion.astype(float)
        near = np.unique(np.add.outer(borders, (-2, -1, 0, 1)))  # coders blur beside a cut
        near = near[(near >= 0) & (near < len(camera))]
        light = seen.light[seen.ends]
        jumps = np.abs(np.diff(light))
        ends = seen.times[seen.ends][1:]
        after = np.subtract.outer(ends, seen.times[flashes])
        fades = ((after >= 0) & (after < FADE)).any(axis=1)
        flicker = np.flatnonzero(jumps > np.where(fades, FADING, FLICKER))
        motion[near] = camera[near] = np.nan
        motion[flicker] = camera[flicker] = np.nan
        held = -1
        for k in np.flatnonzero(seen.unexplained[1:] > LOST) + 1:
            if motion[k].sum() < (1 if held == k - 1 else KEPT) * motion[k - 1].sum():
                motion[k] = motion[k - 1]
                held = k
        return cls(seen.times[seen.ends], seen.rate, borders, camera, motion)

    @property
    def pace(self) -> np.ndarray:
        """(p,) The camera's speed, 0 where it is not known."""
        return np.nan_to_num(np.linalg.norm(self.camera, axis=1))

    @property
    def things(self) -> np.ndarray:
        """(p,) Mean speed of things, 0 where it is not known."""
        return np.nan_to_num(self.motion.sum(axis=1))

    def most(self, motion: np.ndarray, seconds: float = 1.0) -> np.ndarray:
        """(p,) The most motion within some seconds on either side, in the same shot."""
        inner = [at for at in self.borders if 0 < at < len(motion)]
        shots = np.split(median_filter(motion, 3), inner)
        size = 2 * round(seconds * self.rate) + 1
        return np.concatenate([maximum_filter1d(shot, size) for shot in shots])

    def time(self, index: float) -> float:
        """Seconds of a place among the pictures, 0 being the first."""
        return float(np.interp(index, np.arange(len(self.at)), self.at))


def _spacing(times: np.ndarray) -> float:
    """Seconds from picture to picture."""
    return float(np.median(np.diff(times))) if len(times) > 1 else 1.0
