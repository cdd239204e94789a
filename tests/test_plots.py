"""Pictures: what is drawn is what was asked for and played."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import av
import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from cmt import plots
from cmt.files import REPOSITORY
from cmt.grid import Grid
from cmt.music.vocabulary import INSTRUMENT_CLASS
from cmt.music.words import NOTE_DTYPE, Song
from cmt.plan import BarPlan, Plan
from cmt.rhythm import Curves, VideoRhythm, VisualBeat

# Two bars at 120 BPM, four seconds: a tick is an eighth of a second.
PLAN = Plan((BarPlan(2, {4: 3}), BarPlan(None, {}, 16)))
NOTES = [
    (0, 36, 1, "Drums"),
    (4, 60, 4, "Piano"),
    (4, 64, 4, "Piano"),
    (4, 67, 4, "Guitar"),
    (16, 40, 16, "Bass"),
    (24, 72, 99, "Strings"),
]


@pytest.fixture
def music() -> plots.Music:
    rows = [(tick, pitch, ticks, INSTRUMENT_CLASS[name]) for tick, pitch, ticks, name in NOTES]
    return plots.Music(Song(np.array(rows, NOTE_DTYPE), 32), PLAN, Grid(120.0))


@pytest.fixture
def video() -> plots.Video:
    beats = (VisualBeat(0.5, 0, 4, 0.9), VisualBeat(3.0, 1, 8, 0.4))
    curves = Curves(10.0, np.full(39, 0.5), np.linspace(0, 1, 40))
    pictures = [np.full((90, 160, 3), 40 * index, np.uint8) for index in range(5)]
    return plots.Video(VideoRhythm(4.0, 120.0, beats, (0.25, 0.75)), curves, pictures)


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are drawn from now on."""
    figures: list[Figure] = []
    save = Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda self, *a, **k: (figures.append(self), save(self, *a, **k))
    )
    return figures


@pytest.fixture
def drawn(video: plots.Video, music: plots.Music, tmp_path: Path, figures: list[Figure]) -> Figure:
    """The figure of video and music."""
    plots.plot([tmp_path / "figure.png"], video, music)
    return figures[0]


def test_all_panels_share_the_time(drawn: Figure) -> None:
    thumbnails, *axes = drawn.axes
    assert len(thumbnails.images) == 5
    labels = ["speed\n(px/frame)", "saliency", "pitch", "drums", "onsets\nin a bar"]
    assert [one.get_ylabel() for one in axes] == labels
    for one in drawn.axes:
        assert one.get_xlim() == (0, 4)
        assert one.get_position().x0 == axes[0].get_position().x0
    for one in axes:  # bars
        np.testing.assert_allclose(one.get_xticks(minor=True), [0, 2])


def test_notes_are_where_they_sound(drawn: Figure) -> None:
    roll = drawn.axes[3]
    (notes,) = (part for part in roll.collections if isinstance(part, PolyCollection))
    boxes = [path.get_extents() for path in notes.get_paths()]
    found = [(box.x0, round((box.y0 + box.y1) / 2), box.x1) for box in boxes]
    assert found == [(0.5, 60, 1.0), (0.5, 64, 1.0), (0.5, 67, 1.0), (2.0, 40, 4.0), (3.0, 72, 4.0)]
    colours = [tuple(colour) for colour in notes.get_facecolor()]
    assert colours[0] == colours[1] and len(set(colours)) == 4
    names = [text.get_text() for text in roll.get_legend().get_texts()]
    assert names == ["Drums", "Piano", "Guitar", "Bass", "Strings", "visual beat"]
    assert [line.get_xdata()[0] for line in roll.lines] == [0.5]  # the beat that was asked for


def test_density_asked_and_played(drawn: Figure) -> None:
    density = drawn.axes[-1]
    np.testing.assert_array_equal(density.lines[0].get_ydata(), [2, 2])
    asked = density.patches[-1].get_data()
    np.testing.assert_array_equal(asked.values, [2, np.nan])
    np.testing.assert_array_equal(asked.edges, [0, 2, 4])


def test_visual_beats_are_on_the_saliency(drawn: Figure) -> None:
    (beats,) = (line for line in drawn.axes[2].lines if line.get_label() == "visual beat")
    np.testing.assert_array_equal(beats.get_xdata(), [0.5, 3.0])
    np.testing.assert_array_equal(beats.get_ydata(), [0.9, 0.4])


def test_scenes_go_through_all_axes(
    video: plots.Video, music: plots.Music, tmp_path: Path, figures: list[Figure]
) -> None:
    rhythm = replace(video.rhythm, scenes=(0, 1))
    plots.plot([tmp_path / "a.png"], replace(video, rhythm=rhythm), music)
    ribbon, *axes = figures[0].axes
    assert [text.get_text() for text in ribbon.texts] == ["scene 1", "scene 2"]
    assert len(axes) == 6
    for one in axes:
        assert one.lines[-1].get_xdata() == [2, 2]
    plots.plot([tmp_path / "a.png"], music=replace(music, plan=replace(PLAN, scenes=(0, 1))))
    assert [text.get_text() for text in figures[1].axes[0].texts] == ["scene 1", "scene 2"]


@pytest.mark.parametrize("speed", [0.0, 0.0123, 456.7])
def test_labels_are_inside_the_picture(
    video: plots.Video, music: plots.Music, tmp_path: Path, figures: list[Figure], speed: float
) -> None:
    curves = replace(video.curves, speed=np.full(39, speed), unit="heights/s")
    rhythm = replace(video.rhythm, flow_magnitude_per_bar=(speed,), vbeats=video.rhythm.vbeats[:1])
    plots.plot([tmp_path / "a.png"], plots.Video(rhythm, curves), music)
    whole = figures[0].get_tightbbox()
    assert whole.x0 >= 0 and whole.y0 >= 0
    axes = [one for one in figures[0].axes if one.get_ylabel()]
    labels = [one.yaxis.label.get_window_extent() for one in axes]
    assert len({round(label.x1) for label in labels}) == 1
    for one, label in zip(axes, labels, strict=True):
        numbers = [tick.get_window_extent() for tick in one.get_yticklabels() if tick.get_text()]
        assert all(label.x1 <= number.x0 for number in numbers)
    assert whole.x1 <= figures[0].get_figwidth() and whole.y1 <= figures[0].get_figheight()
    assert figures[0].axes[1].get_title(loc="left") == "1 visual beat"


def test_pictures_in_every_format_are_the_same_each_time(
    video: plots.Video, music: plots.Music, tmp_path: Path
) -> None:
    paths = [tmp_path / f"a.{kind}" for kind in ("png", "svg", "pdf")]
    again = [path.with_stem("b") for path in paths]
    for these in (paths, again):
        plots.plot(these, video, music)
    assert [path.read_bytes() for path in paths] == [path.read_bytes() for path in again]
    with av.open(str(paths[0])) as container:
        assert next(container.decode(video=0)).width > 1500
    assert ElementTree.parse(paths[1]).getroot().tag.endswith("svg")
    assert paths[2].read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("notes", [[], NOTES[:1]], ids=["silence", "drums alone"])
def test_music_without_pitches(music: plots.Music, notes: list, tmp_path: Path) -> None:
    song = Song(music.song.notes[: len(notes)], 32)
    plots.plot([tmp_path / "a.png"], music=plots.Music(song, PLAN, Grid(120.0)))
    assert (tmp_path / "a.png").stat().st_size > 1000


def test_pictures_of_music_need_no_video_library() -> None:
    code = "import sys, cmt.plots; print({'cv2', 'av', 'torch'} & set(sys.modules))"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={"PYTHONPATH": str(REPOSITORY / "src")},
    )  # fmt: skip
    assert found.stdout.strip() == "set()"
