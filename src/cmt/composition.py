"""Pieces of music for control words, measured, ranked and reported."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from cmt.control import Control, retimed
from cmt.generation import Progress, Style, Take, generate, log_likelihood
from cmt.matching import rhythm_of, score
from cmt.model import CMT
from cmt.obedience import ControlError, control_error
from cmt.plan import MIN_STRENGTH, BarPlan, make_plan
from cmt.vocabulary import INSTRUMENTS, TICKS_PER_BEAT
from cmt.words import Song, words_to_song


@dataclass(frozen=True)
class Settings:
    """What is asked of a composition, besides the rhythm.

    Attributes:
        takes: decoded together.
        control: the decoding loop, "exact" or "original".
        degree: control degree C, 0 … 1.
        min_strength: notes; weaker visual beats are left to the model.
        tempo: BPM; None is the video's.
        style: what is asked of the whole piece.
        seed: of the first take.
        precision: of the model's weights, as in `cmt.fast.product`.
        rank: whether the best take comes first.
    """

    takes: int = 1
    control: str = "exact"
    degree: float = 1.0
    min_strength: int = MIN_STRENGTH
    tempo: float | None = None
    style: Style = field(default_factory=Style)
    seed: int = 0
    precision: str = "float32"
    rank: bool = False


@dataclass(frozen=True)
class Piece:
    """A take as notes, with what can be said of it.

    Attributes:
        take: as it was decoded.
        song: its notes.
        tempo: BPM.
        end: tick at which the music ends with the video.
        error: how far it is from what was asked.
        report: how it was made and how it measures up, for JSON.
    """

    take: Take
    song: Song
    tempo: float
    end: int
    error: ControlError
    report: dict[str, Any]


def compose(
    model: CMT, control: Control, settings: Settings, progress: Progress | None = None
) -> list[Piece]:
    """Make the takes that `settings` asks for; ranked ones come from the best.

    Args:
        model: in evaluation mode.
        control: what the video asks for.
        settings: what else is asked.
        progress: see `cmt.generation.decode`.
    """
    style = settings.style
    control = retimed(control, settings.tempo)
    assert control.tempo is not None
    plan, changes = make_plan(control.words, settings.min_strength, style.max_strength)
    takes = generate(
        model,
        control.words,
        songs=settings.takes,
        degree=settings.degree,
        mode=settings.control,
        min_strength=settings.min_strength,
        style=style,
        seed=settings.seed,
        precision=settings.precision,
        progress=progress,
    )
    ranks: list[dict[str, float | None]] = [{} for _ in takes]
    if settings.rank:
        takes, ranks = ranked(takes, plan, model, style)
    pieces = []
    for take, rank in zip(takes, ranks, strict=True):
        song = words_to_song(take.words)
        error = control_error(song, take.plan)
        report = {
            "control": settings.control,
            "degree": settings.degree,
            "min_strength": settings.min_strength,
            "seed": take.seed,
            "precision": settings.precision,
            "tempo": control.tempo,
            "genre": style.genre,
            "instruments": style.instruments,
            "beat_instruments": style.beat_instruments,
            "key": str(style.key) if style.key else None,
            "ending": style.ending,
            "duration": control.end / (control.tempo * TICKS_PER_BEAT / 60),
            "bars": len(take.plan),
            "notes": {
                instrument.name: int((song.notes["instrument"] == label).sum())
                for label, instrument in enumerate(INSTRUMENTS, start=1)
            },
            "controlled": {
                "bars": sum(bar.density is not None for bar in take.plan),
                "visual_beats": sum(len(bar.strengths) for bar in take.plan),
            },
            "control_error": asdict(error),
            "reconciled": changes,
            **rank,
        }
        pieces.append(Piece(take, song, control.tempo, control.end, error, report))
    return pieces


def arguments(settings: Settings) -> list[str]:
    """The options of gen_midi_conditional.py that ask for the same."""
    style = settings.style
    options: dict[str, object] = {
        "--num_songs": settings.takes,
        "--control": settings.control,
        "--C": settings.degree,
        "--min_strength": settings.min_strength,
        "--seed": settings.seed,
        "--precision": settings.precision,
        "--tempo": settings.tempo,
        "--genre": style.genre,
        "--instruments": ",".join(style.instruments or ()).lower(),
        "--beat_instruments": ",".join(style.beat_instruments or ()).lower(),
    }
    if style.key:
        tonic, mode = str(style.key).split()
        options |= {"--key": tonic, "--mode": mode}
    given = [
        text
        for name, value in options.items()
        if value not in (None, "")
        for text in (name, str(value))
    ]
    flags = {"--rank": settings.rank, "--no-ending": not style.ending}
    return given + [name for name, wanted in flags.items() if wanted]


def ranked(
    takes: Sequence[Take], plan: Sequence[BarPlan], model: CMT, style: Style
) -> tuple[list[Take], list[dict[str, float | None]]]:
    """Takes from the best, and what says so: the matching score, then the model's likelihood.

    The score, equation 16, is against all that the video asks for; an infinite one is None.
    """
    rhythm = rhythm_of(plan)
    scored = [
        (score(take.words, rhythm).value, log_likelihood(model, take.words, style), take)
        for take in takes
    ]
    scored.sort(key=lambda entry: entry[:2], reverse=True)
    return [take for *_, take in scored], [
        {
            "rank": place,
            "matching_score": value if math.isfinite(value) else None,
            "log_likelihood": likelihood,
        }
        for place, (value, likelihood, _) in enumerate(scored, start=1)
    ]
