"""Fixtures that several test files share."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from cmt.control import Control
from cmt.decoding.engine import Take, generate
from cmt.decoding.style import Style
from cmt.files import VIDEOS
from cmt.model.config import CMTConfig
from cmt.model.network import CMT
from cmt.music.words import NOTE_DTYPE, Song, song_to_words
from cmt.plan import make_plan

REFERENCE = Path(__file__).parent / "reference"

SMALL = CMTConfig(d_model=32, n_layers=2, n_heads=2, d_ff=48, dropout=0.0)


def pytest_configure() -> None:
    """One thread: two that wait for each other take many times as long beside other work."""
    os.environ["OMP_NUM_THREADS"] = "1"  # for the scripts that tests start
    torch.set_num_threads(1)


def random_song(seed: int, bars: int = 12, notes: int = 200) -> Song:
    """Notes of all five instruments anywhere."""
    rng = np.random.default_rng(seed)
    columns = np.empty(notes, NOTE_DTYPE)
    columns["tick"] = np.sort(rng.integers(0, 16 * bars - 1, notes))
    columns["pitch"] = rng.integers(30, 90, notes)
    columns["duration"] = rng.integers(1, 17, notes)
    columns["instrument"] = rng.integers(1, 6, notes)
    columns = columns[np.lexsort([columns["instrument"], columns["tick"]])]
    return Song(columns, 16 * bars - 1)


WORDS = [song_to_words(random_song(seed, notes=100 + 40 * seed)) for seed in range(8)]


def fill(model: CMT) -> None:
    """Set every weight by the formula of the recorded figures (reference/README.md, model/)."""
    weights = {k: v for k, v in model.state_dict().items() if k != "encoder_pos_emb.pe"}
    for index, name in enumerate(sorted(weights)):
        z = np.arange(weights[name].numel(), dtype=np.uint64)
        with np.errstate(over="ignore"):
            z += np.uint64(index) * np.uint64(0x9E3779B97F4A7C15)
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            z ^= z >> np.uint64(31)
        v = (0.05 * (2 * ((z >> np.uint64(11)) / 2**53) - 1)).astype(np.float32)
        if name.endswith((".norm1.weight", ".norm2.weight", ".norm.weight")):
            v = 1 + v
        weights[name].copy_(torch.from_numpy(v).view_as(weights[name]))


def takes_of(
    model: CMT,
    words: np.ndarray,
    *,
    style: Style = Style(),
    scenes: tuple[int, ...] = (),
    **options: Any,
) -> list[Take]:
    """Takes for control words of no known tempo."""
    control = Control(words, None, None, scenes=scenes)
    plan, _ = make_plan(control, on_beats=style.on_beats)
    return generate(model, control, plan, style=style, **options)


@pytest.fixture(scope="session")
def recorded_model() -> CMT:
    """The full-size model with the weights of the recorded figures."""
    model = CMT(CMTConfig()).eval()
    fill(model)
    return model


@pytest.fixture
def small_model() -> CMT:
    """A small model with random weights, in evaluation mode."""
    torch.manual_seed(0)
    return CMT(SMALL).eval()


@pytest.fixture(scope="session")
def excerpt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of the middle of the sample, from before a cut on, at 10 frames per second."""
    path = tmp_path_factory.mktemp("excerpt") / "excerpt.mp4"
    with av.open(str(VIDEOS / "sample.mp4")) as source, av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 120, 180, "yuv420p"
        frames = islice(source.decode(video=0), 90, 210, 3)
        for frame in frames:
            middle = frame.reformat(320, 180, "rgb24").to_ndarray()[:, 100:220]
            target.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(middle))))
        target.mux(stream.encode(None))
    return path


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of still shots, with cuts after 0.9, 2.0 and 2.7 s, at 10 frames per second."""
    noise = np.random.default_rng(0).normal(size=(4, 96, 128, 3))
    smooth = gaussian_filter(noise, (0, 4, 4, 0))
    shots = (128 + 100 * smooth / np.abs(smooth).max()).astype(np.uint8)
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    with av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for shot in np.repeat(shots, (9, 11, 7, 13), axis=0):
            target.mux(stream.encode(av.VideoFrame.from_ndarray(shot, "rgb24")))
        target.mux(stream.encode(None))
    return path


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
