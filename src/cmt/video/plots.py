"""Pictures of a video's rhythm: speed per frame and bar, saliency and visual beats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cmt.control import VideoRhythm
from cmt.files import replacing
from cmt.video.flow import Motion
from cmt.video.frames import VideoFrames
from cmt.video.visual_beats import impact_envelope, is_still
from cmt.vocabulary import BEATS_PER_BAR

# Inches
WIDTH = 11.0  # of the axes
LEFT, RIGHT, BOTTOM, EDGE = 0.65, 0.2, 0.5, 0.1
CURVE = 2.2  # height of a curve
TITLE = 0.35
STRIP = 1.0  # height of the thumbnails, about
DOTS = 160  # per inch

DARK, MEDIUM, LIGHT, ACCENT = "#1f3b5c", "#7d9cc0", "#dbe6f2", "#d1495b"


def plot_speed(path: str | Path, motion: Motion, rhythm: VideoRhythm) -> None:
    """Draw the speed of each frame and its mean over each bar, which asks for density.

    Raises:
        InputError: the picture cannot be written.
    """
    figure, axes = _figure(rhythm)
    means = np.array(rhythm.flow_magnitude_per_bar)
    edges = np.minimum(np.arange(len(means) + 1) * _bar_seconds(rhythm), rhythm.duration)
    axes.stairs(means, edges, fill=True, color=LIGHT)
    axes.stairs(means, edges, color=MEDIUM, linewidth=1.5, label="mean of a bar")
    times = np.arange(1, len(motion.speed) + 1) / motion.fps
    axes.plot(times, motion.speed, color=DARK, linewidth=0.8, label="frame")
    # A cut is many times faster than any motion: let its spike leave the picture.
    usual = np.percentile(motion.speed, 98) if len(times) else 0
    axes.set_ylim(0, 1.2 * max(usual, means.max(initial=0), 1e-3))
    axes.set_ylabel("speed (px/frame)")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False, fontsize=9)
    _save(figure, path)


def plot_saliency(
    path: str | Path, motion: Motion, rhythm: VideoRhythm, frames: VideoFrames
) -> None:
    """Draw the impact envelope and the visual beats under a strip of thumbnails.

    Raises:
        InputError: the picture cannot be written, or the video no longer opened.
    """
    aspect = frames.width / frames.height
    count = int(np.clip(round(WIDTH / (STRIP * aspect)), 4, 16))
    strip = min(WIDTH / (count * aspect), 2 * STRIP)
    figure, axes = _figure(rhythm, strip)

    edges = np.linspace(0, rhythm.duration, count + 1)
    middles = (edges[:-1] + edges[1:]) / 2
    pictures = frames.thumbnails(middles.tolist(), height=round(strip * DOTS))
    thumbnails = figure.add_axes(_box(figure, BOTTOM + CURVE + TITLE, strip))
    thumbnails.axis("off")
    for picture, left, right in zip(pictures, edges, edges[1:], strict=False):
        thumbnails.imshow(picture, extent=(left, right, 0, 1), aspect="auto")
    thumbnails.set_xlim(0, rhythm.duration)

    frame_times = np.arange(motion.directogram.shape[1]) / motion.fps
    envelope = np.zeros_like(frame_times)
    if not is_still(motion.speed):
        envelope = np.maximum(impact_envelope(motion.directogram, motion.fps), 0)
    axes.fill_between(frame_times, envelope, color=LIGHT)
    axes.plot(frame_times, envelope, color=MEDIUM, linewidth=0.9, label="saliency")
    times = [beat.start_time for beat in rhythm.vbeats]
    weights = [max(0, beat.weight) for beat in rhythm.vbeats]
    axes.vlines(times, 0, weights, color=ACCENT, linewidth=1.4)
    axes.plot(times, weights, "o", color=ACCENT, markersize=4, label="visual beat", clip_on=False)
    axes.set_ylim(0, 1.15)
    axes.set_ylabel("saliency")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False, fontsize=9)
    _save(figure, path)


def _bar_seconds(rhythm: VideoRhythm) -> float:
    return 60 * BEATS_PER_BAR / rhythm.tempo


def _figure(rhythm: VideoRhythm, strip: float = 0.0) -> tuple[Figure, Axes]:
    """A figure with a curve's axes, bars as their grid, and `strip` inches of room above."""
    size = LEFT + WIDTH + RIGHT, BOTTOM + CURVE + TITLE + strip + EDGE
    figure = Figure(figsize=size)
    axes = figure.add_axes(_box(figure, BOTTOM, CURVE))
    axes.set_xlim(0, rhythm.duration)
    axes.set_xlabel("time (s)")
    axes.set_title(
        f"{rhythm.tempo:.1f} BPM, {rhythm.n_bars} bars, {len(rhythm.vbeats)} visual beats",
        loc="left",
        fontsize=10,
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xticks(np.arange(rhythm.n_bars) * _bar_seconds(rhythm), minor=True)
    axes.tick_params(which="minor", length=0)
    axes.grid(axis="x", which="minor", color="0.85", linewidth=0.6)
    return figure, axes


def _box(figure: Figure, bottom: float, height: float) -> tuple[float, float, float, float]:
    """Axes of the full width, from inches to the figure's units."""
    width, total = figure.get_size_inches()
    return LEFT / width, bottom / total, WIDTH / width, height / total


def _save(figure: Figure, path: str | Path) -> None:
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=DOTS)
