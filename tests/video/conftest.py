"""Videos made for a test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter


@pytest.fixture
def encode(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes gray (height, width) or RGB pictures as a video."""

    def write(
        name: str,
        pictures: Sequence[np.ndarray],
        rate: int = 25,
        codec: str = "libx264",
        pix_fmt: str = "yuv420p",
        milliseconds: Sequence[int] | None = None,
        **options: object,
    ) -> Path:
        path = tmp_path / name
        settings = {"crf": "10"} | {key: str(value) for key, value in options.items()}
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=rate, options=settings)
            stream.height, stream.width = pictures[0].shape[:2]
            stream.pix_fmt = pix_fmt
            if pix_fmt.startswith("yuvj"):
                stream.codec_context.color_range = 2
            if milliseconds is not None:
                stream.codec_context.time_base = Fraction(1, 1000)
            for index, picture in enumerate(pictures):
                picture = np.clip(picture, 0, 255).astype(np.uint8)
                frame = av.VideoFrame.from_ndarray(
                    np.repeat(picture[..., None], 3, axis=2) if picture.ndim == 2 else picture,
                    "rgb24",
                )
                if milliseconds is not None:
                    frame.pts, frame.time_base = milliseconds[index], Fraction(1, 1000)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return path

    return write


@pytest.fixture(scope="session")
def texture() -> np.ndarray:
    """A smooth random texture (360, 96) of gray levels that wraps around, float."""
    noise = np.random.default_rng(0).normal(size=(360, 96))
    noise = gaussian_filter(noise, 3, mode="wrap")
    return 128 + 100 * noise / np.abs(noise).max()
