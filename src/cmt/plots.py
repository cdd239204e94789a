"""Pictures of a video's rhythm and of the music made for it, over one time axis.

From top to bottom, as far as there is something to draw: scenes, whose borders go through all axes;
thumbnails of the video; its speed, whose mean over a bar asks for density; its saliency, whose
peaks are visual beats; the piano roll, with bars and visual beats; the drums; and the density of
each bar, asked for and played.
Source: paper, figure 2.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from cmt.files import write_together
from cmt.grid import Grid
from cmt.music.vocabulary import DRUMS, INSTRUMENTS, TICKS_PER_BAR
from cmt.music.words import Song
from cmt.plan import Plan
from cmt.rhythm import Curves, VideoRhythm

# Inches
WIDTH = 11.0  # of the axes
LEFT, RIGHT, BOTTOM, EDGE = 1.0, 0.2, 0.5, 0.1
LABEL = 0.4  # right edge of the axes' labels: what is left of LEFT is for the numbers
GAP = 0.4  # above axes that have a title or a legend
STRIP = 1.0  # height of the thumbnails, about
SCENE_ROOM, NUMBER_ROOM = 0.7, 0.25  # widths for "scene 10" and "10"
DOTS = 160  # per inch

DARK, MEDIUM, LIGHT, ACCENT = "#1f3b5c", "#7d9cc0", "#dbe6f2", "#d1495b"
# Four of Okabe and Ito's, which the colour-blind can tell apart, and gray.
COLOURS = {
    "Drums": "#4d4d4d",
    "Piano": "#0072b2",
    "Guitar": "#e69f00",
    "Bass": "#009e73",
    "Strings": "#cc79a7",
}
OCTAVE = 12
SLOW = 0.01  # speed in either unit, so little that it is drawn as hardly any


@dataclass(frozen=True)
class Video:
    """What is drawn of a video; thumbnails are RGB pictures (height, width, 3), equally apart."""

    rhythm: VideoRhythm
    curves: Curves
    thumbnails: Sequence[np.ndarray] = ()


@dataclass(frozen=True)
class Music:
    """What is drawn of a piece; `plan` is what was asked of it."""

    song: Song
    plan: Plan
    grid: Grid

    def seconds(self, ticks: np.ndarray | float) -> np.ndarray:
        """The time of ticks."""
        return self.grid.seconds(ticks)


@dataclass(frozen=True)
class Panel:
    """One of the axes: its height in inches, and what draws it."""

    height: float
    draw: Callable[[Axes], None]
    gap: float = GAP  # above it, in inches


def plot(
    paths: Sequence[str | Path],
    video: Video | None = None,
    music: Music | None = None,
    width: float = WIDTH,
) -> None:
    """Draw what is given, and write it to each of `paths` in the format of its suffix.

    Args:
        paths: pictures to write, of the formats `cmt.files.PICTURES`.
        video: drawn above the music.
        music: drawn below the video.
        width: of the axes, in inches.

    Raises:
        InputError: a picture cannot be written.
    """
    panels = []
    if video:
        panels += _video_panels(video, width)
    if music:
        panels += _music_panels(music)
    duration = max(
        video.rhythm.duration if video else 0,
        float(music.seconds(music.song.length)) if music else 0,
    )
    scenes = _scenes(video, music)
    if len(scenes) > 1:
        panels.insert(0, Panel(0.2, lambda axes: _draw_scenes(axes, [*scenes, duration]), gap=0))
    figure = _stack(panels, duration, width)
    for axes in figure.axes:
        for border in scenes[1:]:
            axes.axvline(border, color=DARK, linewidth=1.1, linestyle=(0, (4, 2)), zorder=3)
    # Names and dates that would differ from run to run are left out.
    with rc_context({"svg.hashsalt": "cmt", "pdf.fonttype": 42}):
        for path in map(Path, paths):
            dated = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
            kind, content = path.suffix[1:].lower(), io.BytesIO()
            figure.savefig(content, format=kind, dpi=DOTS, metadata=dated[kind])
            write_together({path: content.getvalue()})


def _stack(panels: Sequence[Panel], duration: float, width: float) -> Figure:
    """A figure with the panels from top to bottom, all of them as wide as the duration."""
    total = BOTTOM + sum(panel.height + panel.gap for panel in panels) + EDGE
    whole = LEFT + width + RIGHT
    figure = Figure(figsize=(whole, total))
    top = total - EDGE
    for panel in panels:
        top -= panel.gap + panel.height
        axes = figure.add_axes((LEFT / whole, top / total, width / whole, panel.height / total))
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(axis="x", labelbottom=panel is panels[-1])
        axes.tick_params(labelsize=9)
        panel.draw(axes)
        axes.set_xlim(0, duration)
        axes.yaxis.set_label_coords((LABEL - LEFT) / width, 0.5)
    axes.set_xlabel("time (s)", fontsize=9)
    return figure


def _scenes(video: Video | None, music: Music | None) -> list[float]:
    """Seconds at which scenes begin; none where they are not known."""
    if video:
        grid, bars = video.rhythm.grid, video.rhythm.scenes
    elif music:
        grid, bars = music.grid, music.plan.scenes
    else:
        return []
    return [float(grid.seconds(bar * TICKS_PER_BAR)) for bar in bars]


def _video_panels(video: Video, width: float) -> list[Panel]:
    """Thumbnails, if there are any; speed; saliency."""
    panels = [
        Panel(1.3, lambda axes: _draw_speed(axes, video)),
        Panel(1.3, lambda axes: _draw_saliency(axes, video)),
    ]
    if video.thumbnails:
        height, across = video.thumbnails[0].shape[:2]
        strip = min(width / len(video.thumbnails) * height / across, 2 * STRIP)
        panels.insert(0, Panel(strip, lambda axes: _draw_thumbnails(axes, video), gap=0))
    return panels


def _music_panels(music: Music) -> list[Panel]:
    """Piano roll, drums, density."""
    panels = [
        Panel(2.4, lambda axes: _draw_roll(axes, music)),
        Panel(0.9, lambda axes: _draw_density(axes, music), gap=0.3),
    ]
    if (music.song.notes["instrument"] == DRUMS).any():
        panels.insert(1, Panel(0.7, lambda axes: _draw_drums(axes, music), gap=0.08))
    return panels


def _draw_scenes(axes: Axes, edges: Sequence[float]) -> None:
    """A ribbon of the scenes between their edges, numbered where there is room."""
    whole = axes.bbox.width / axes.figure.dpi
    for number, (left, right) in enumerate(pairwise(edges), start=1):
        axes.axvspan(left, right, color=LIGHT if number % 2 else "white", linewidth=0)
        room = whole * (right - left) / edges[-1]
        if room > NUMBER_ROOM:
            axes.annotate(
                f"scene {number}" if room > SCENE_ROOM else str(number),
                (left, 0.5), (4, 0), textcoords="offset points", fontsize=8, va="center",
                color=DARK,
            )  # fmt: skip
    axes.set_ylim(0, 1)
    axes.axis("off")


def _draw_thumbnails(axes: Axes, video: Video) -> None:
    edges = np.linspace(0, video.rhythm.duration, len(video.thumbnails) + 1)
    for picture, left, right in zip(video.thumbnails, edges[:-1], edges[1:], strict=True):
        axes.imshow(picture, extent=(left, right, 0, 1), aspect="auto")
    axes.set_ylim(0, 1)
    axes.axis("off")


def _draw_speed(axes: Axes, video: Video) -> None:
    """The speed of each frame, and its mean over each bar."""
    rhythm, curves = video.rhythm, video.curves
    means = np.array(rhythm.flow_magnitude_per_bar)
    edges = rhythm.grid.seconds(np.arange(len(means) + 1) * TICKS_PER_BAR)
    edges = np.minimum(edges, rhythm.duration)
    axes.stairs(means, edges, fill=True, color=LIGHT)
    axes.stairs(means, edges, color=MEDIUM, linewidth=1.5, label="mean of a bar")
    times = np.arange(1, len(curves.speed) + 1) / curves.fps
    axes.plot(times, curves.speed, color=DARK, linewidth=0.7, label="speed of a frame")
    # A cut is many times faster than any motion: let its spike leave the picture.
    usual = np.percentile(curves.speed, 98) if len(times) else 0
    axes.set_ylim(0, 1.2 * max(usual, means.max(initial=0), SLOW))
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=(1, 2, 5, 10)))
    axes.set_ylabel(f"speed\n({curves.unit})", fontsize=9)
    _bars(axes, rhythm.n_bars, rhythm.grid)
    _title(axes, f"{rhythm.tempo:.1f} BPM, {_count(rhythm.n_bars, 'bar')}")
    _legend(axes)


def _draw_saliency(axes: Axes, video: Video) -> None:
    """The impact envelope, and the visual beats on it."""
    rhythm, curves = video.rhythm, video.curves
    times = np.arange(len(curves.saliency)) / curves.fps
    if len(times):
        axes.fill_between(times, curves.saliency, color=LIGHT, linewidth=0)
        axes.plot(times, curves.saliency, color=MEDIUM, linewidth=0.9, label="saliency")
    beats = [beat.start_time for beat in rhythm.vbeats]
    weights = [max(0, beat.weight) for beat in rhythm.vbeats]
    axes.vlines(beats, 0, weights, color=ACCENT, linewidth=1.4)
    axes.plot(beats, weights, "o", color=ACCENT, markersize=3.5, label="visual beat", clip_on=False)
    axes.set_ylim(0, 1.15)
    axes.set_ylabel("saliency" if len(times) else "weight", fontsize=9)
    _bars(axes, rhythm.n_bars, rhythm.grid)
    _title(axes, _count(len(rhythm.vbeats), "visual beat"))
    _legend(axes)


def _draw_roll(axes: Axes, music: Music) -> None:
    """The pitched instruments over bars and visual beats."""
    notes = music.song.notes[music.song.notes["instrument"] != DRUMS]
    _draw_notes(axes, music, notes)
    _draw_beats(axes, music)
    low, high = (notes["pitch"].min(), notes["pitch"].max()) if len(notes) else (60, 60)
    axes.set_ylim(low - 2, high + 3)
    octaves = range(OCTAVE * math.ceil((low - 2) / OCTAVE), high + 3, OCTAVE)
    axes.set_yticks(list(octaves), [f"C{pitch // OCTAVE - 1}" for pitch in octaves])
    axes.set_ylabel("pitch", fontsize=9)
    _title(
        axes,
        f"{music.grid.tempo:.1f} BPM, {_count(len(music.plan.bars), 'bar')},"
        f" {_count(len(music.song.notes), 'note')}",
    )
    heard = [
        instrument.name
        for label, instrument in enumerate(INSTRUMENTS, start=1)
        if (music.song.notes["instrument"] == label).any()
    ]
    handles: list[Patch | Line2D] = [Patch(color=COLOURS[name], label=name) for name in heard]
    if music.plan.beats:
        handles.append(Line2D([], [], color=ACCENT, linewidth=1.2, label="visual beat"))
    _legend(axes, handles)


def _draw_drums(axes: Axes, music: Music) -> None:
    """The drums, each sound that is played on a line of its own."""
    notes = music.song.notes[music.song.notes["instrument"] == DRUMS].copy()
    sounds, notes["pitch"] = np.unique(notes["pitch"], return_inverse=True)
    notes["duration"] = 1
    _draw_notes(axes, music, notes)
    _draw_beats(axes, music)
    axes.set_ylim(-1, len(sounds))
    axes.set_yticks([])
    axes.set_ylabel("drums", fontsize=9)


def _draw_density(axes: Axes, music: Music) -> None:
    """Onset positions in each bar: what was asked for, and what is played."""
    bars, asked = len(music.plan.bars), music.plan.densities
    edges = music.seconds(np.minimum(np.arange(bars + 1) * TICKS_PER_BAR, music.song.length))
    axes.stairs(np.nan_to_num(asked), edges, fill=True, color=LIGHT)
    axes.stairs(asked, edges, color=MEDIUM, linewidth=1.5, label="asked for")
    onsets = np.unique(music.song.notes["tick"]) // TICKS_PER_BAR
    played = np.bincount(onsets, minlength=bars)[:bars]
    middles = (edges[:-1] + edges[1:]) / 2
    axes.plot(middles, played, "o", color=DARK, markersize=3.5, label="played", clip_on=False)
    axes.set_ylim(0, TICKS_PER_BAR + 1)
    axes.set_yticks([0, TICKS_PER_BAR // 2, TICKS_PER_BAR])
    axes.set_ylabel("onsets\nin a bar", fontsize=9)
    _bars(axes, bars, music.grid)
    _legend(axes)


def _draw_notes(axes: Axes, music: Music, notes: np.ndarray) -> None:
    left = music.seconds(notes["tick"])
    right = music.seconds(np.minimum(notes["tick"] + notes["duration"], music.song.length))
    low, high = notes["pitch"] - 0.45, notes["pitch"] + 0.45
    corners = [(left, low), (left, high), (right, high), (right, low)]
    colours = [COLOURS[INSTRUMENTS[label - 1].name] for label in notes["instrument"].tolist()]
    axes.add_collection(
        PolyCollection(
            list(np.stack([np.stack(corner, axis=-1) for corner in corners], axis=1)),
            facecolors=colours,
            edgecolors="white",
            linewidths=0.3,
            zorder=2,
        )
    )
    _bars(axes, len(music.plan.bars), music.grid)


def _draw_beats(axes: Axes, music: Music) -> None:
    """Lines at the visual beats that were asked for, the stronger the thicker."""
    for tick, strength in music.plan.beats.items():
        width = 0.5 + 0.15 * strength
        axes.axvline(float(music.seconds(tick)), color=ACCENT, alpha=0.6, linewidth=width, zorder=1)


def _bars(axes: Axes, bars: int, grid: Grid) -> None:
    """Bar lines as the grid."""
    axes.xaxis.remove_overlapping_locs = False  # bars that begin on a tick of the seconds, too
    axes.set_xticks(grid.seconds(np.arange(bars) * TICKS_PER_BAR), minor=True)
    axes.tick_params(which="minor", length=0)
    axes.grid(axis="x", which="minor", color="0.85", linewidth=0.6)
    axes.set_axisbelow(True)


def _count(number: int, noun: str) -> str:
    """3 bars, 1 bar."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _title(axes: Axes, text: str) -> None:
    axes.set_title(text, loc="left", fontsize=9)


def _legend(axes: Axes, handles: Sequence[Patch | Line2D] | None = None) -> None:
    axes.legend(
        handles=handles,
        loc="lower right",
        bbox_to_anchor=(1, 0.97),
        ncols=len(INSTRUMENTS) + 1,
        frameon=False,
        fontsize=8,
        handlelength=1.2,
        columnspacing=1.2,
    )
