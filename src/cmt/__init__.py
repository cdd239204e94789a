"""Controllable Music Transformer: music for a video, steered by the video's own rhythm.

`cmt.music` and `cmt.model` know music, `cmt.video` knows pictures, and `cmt.control` is the bridge
between them. Nothing here parses arguments: the scripts beside this package do. The whole way, with
the default model:

    import cmt

    rhythm = cmt.analyse("clip.mp4")
    piece = cmt.pieces(rhythm.control)[0]
    cmt.film(piece, "clip.mp4", "clip_with_music.mp4")
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cmt.compose import Piece, Settings
    from cmt.control import Control
    from cmt.sound.film import Written
    from cmt.video.analysis import Analysis

# Imports are within: neither music nor video needs the packages of the other.


def analyse(video: str | Path, **options: Any) -> Analysis:
    """Find the rhythm of a video, as `cmt.video.analysis.analyse` does."""
    from cmt.video.analysis import analyse

    return analyse(video, **options)


def pieces(
    control: Control, settings: Settings | None = None, checkpoint: str | Path | None = None
) -> list[Piece]:
    """Make music for a rhythm, as `cmt.compose.compose` does.

    Args:
        control: what a video asks for.
        settings: what else is asked; None is one take as the video says.
        checkpoint: of the model, a file or its folder; None is the default model.

    Raises:
        InputError: there is no such checkpoint.
    """
    from cmt.compose import Settings, compose
    from cmt.files import DEFAULT_CHECKPOINT
    from cmt.model.checkpoint import load

    model, _ = load(checkpoint or DEFAULT_CHECKPOINT)
    return compose(model, control, settings or Settings())


def film(piece: Piece, video: str | Path, out: str | Path, **options: Any) -> Written:
    """Write a video with a piece as its music, as `cmt.sound.film.render` does.

    Raises:
        InputError: the video cannot be read, or the result not be written.
    """
    from tempfile import TemporaryDirectory

    from cmt.results import write_music
    from cmt.sound.film import render

    with TemporaryDirectory() as folder:
        midi = Path(folder) / "piece.mid"
        write_music(piece, midi)
        (written,) = render(midi, [Path(out)], Path(video), **options)
    return written
