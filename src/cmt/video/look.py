"""What a video looks like as a whole: light, colour and pace."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cmt.rhythm import VideoRhythm
from cmt.video.observation import Observation


@dataclass(frozen=True)
class Look:
    """Light, colour and pace of a video; medians over its pictures.

    Attributes:
        brightness: 0 … 1.
        saturation: 0 … 1.
        warmth: of red less blue, −1 … 1.
        speed: heights a second, within shots.
        hits: visual beats a minute.
    """

    brightness: float
    saturation: float
    warmth: float
    speed: float
    hits: float


def look_of(seen: Observation, speed: np.ndarray, rhythm: VideoRhythm) -> Look:
    """The look of a video of which this was seen, at a speed within shots (p,), in this rhythm."""
    return Look(
        float(np.median(seen.light)),
        float(np.median(seen.saturation)),
        float(np.median(seen.warmth)),
        float(np.median(speed)) if len(speed) else 0.0,
        60 * len(rhythm.vbeats) / rhythm.duration,
    )
