"""What the page says, in sentences and in HTML."""

from __future__ import annotations

import base64
import html
from pathlib import Path

from cmt.compose import Piece
from cmt.web.studio import Clip, Watched

WELCOME = "The speed of the video and its visual beats will be drawn here."
STOPPED = "Stopped."
CRASHED = (
    "Something went wrong here, and it is not your fault: the log in the terminal says what."
    " The page goes on; try again, or try another video."
)


def told(text: str, *kinds: str) -> str:
    """A sentence to a visitor; of the kinds "wrong" and "tall"."""
    return f'<div class="{" ".join(("told", *kinds))}" role="status">{html.escape(text)}</div>'


def picture(path: Path, text: str) -> str:
    """A picture, and what it shows; on narrow screens it scrolls."""
    data = base64.b64encode(path.read_bytes()).decode()
    text = html.escape(text)
    return (
        f'<div class="picture"><img alt="{text}" src="data:image/png;base64,{data}"></div>'
        f'<p class="said" role="status">{text}</p>'
    )


def span(seconds: float) -> str:
    """A time in words: seconds up to two minutes, then minutes."""
    return f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:.0f} minutes"


def of_clip(clip: Clip) -> str:
    """How long the work on a video will take."""
    return (
        f"This video is {span(clip.duration)} long. Watching it will take about"
        f" {span(clip.analysing)}, and each take of music about {span(clip.composing)}."
    )


def of_rhythm(analysis: Watched) -> str:
    """What was found in a video."""
    rhythm = analysis.rhythm
    text = (
        f"{rhythm.duration:.1f} s, {rhythm.n_bars} bars at {rhythm.tempo:.1f} BPM,"
        f" {len(rhythm.vbeats)} visual beats."
    )
    if analysis.problems:
        text += f" Not all of it could be read: {'; '.join(analysis.problems)}."
    return text


def of_piece(piece: Piece) -> str:
    """What a take is like."""
    report = piece.report
    names = [name for name, notes in report.notes.items() if notes]
    return (
        f"{report.tempo:.1f} BPM, {report.bars} bars, {sum(report.notes.values())}"
        f" notes for {', '.join(names).lower()}; seed {report.settings.seed}."
    )


def scores(piece: Piece) -> str:
    """How a ranked take measures up, as a list of HTML."""
    report = piece.report
    error, rank = report.control_error, report.rank
    assert rank is not None
    figures = {
        f"Control error, density ({report.bars_controlled} bars)": f"{error.density:.3f}",
        f"Control error, strength ({report.visual_beats} visual beats)": f"{error.strength:.3f}",
        "Control error, time": f"{error.time:.3f}",
        "Matching score": f"{rank.matching_score:.2f}".replace("inf", "∞"),
        "Log-likelihood": f"{rank.log_likelihood:.3f}",
    }
    rows = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in figures.items())
    return f'<dl class="scores">{rows}</dl>'
