"""How the pictures of a video are turned and mirrored before they are shown."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from av.video.frame import VideoFrame


@dataclass(frozen=True)
class Orientation:
    """What makes a stored picture upright: mirrored (left to right) first, then turned.

    Attributes:
        mirrored: whether.
        turns: quarter turns counter-clockwise, 0 to 3.
    """

    mirrored: bool = False
    turns: int = 0

    @classmethod
    def of(cls, frame: VideoFrame) -> Orientation:
        """That of a frame, by its display matrix; of a matrix between two, the nearer."""
        try:
            data: Any = frame.side_data
            matrix = struct.unpack("<9i", bytes(data["DISPLAYMATRIX"]))
        except (KeyError, struct.error):
            return cls()
        # A stored point (x, y), y downwards, is shown at (a x + c y, b x + d y).
        a, b, c, d = (float(matrix[i]) for i in (0, 1, 3, 4))
        mirrored = a * d - b * c < 0
        if mirrored:
            a, b = -a, -b
        if not (a or b):
            return cls(mirrored)
        return cls(mirrored, round(float(np.arctan2(-b, a)) / (np.pi / 2)) % 4)

    @property
    def sideways(self) -> bool:
        """Whether width and height change places."""
        return self.turns % 2 == 1

    def upright(self, picture: np.ndarray) -> np.ndarray:
        """A picture (height, width, …) as it is shown."""
        if self.mirrored:
            picture = picture[:, ::-1]
        return np.ascontiguousarray(np.rot90(picture, self.turns))
