"""Pieces of music for the rhythm of a video, measured and ranked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from cmt.control import Control
from cmt.decoding.engine import Progress, Take, generate, log_likelihood
from cmt.decoding.passage import Passage, again
from cmt.decoding.style import Style
from cmt.form import Form
from cmt.hits import edited
from cmt.measures import critic
from cmt.measures.matching import score
from cmt.measures.obedience import ControlError, control_error
from cmt.measures.synchrony import accents, synchrony
from cmt.model.network import CMT
from cmt.model.products import AUTO, PRECISIONS, fastest
from cmt.moods import MOODS
from cmt.music.vocabulary import INSTRUMENT_CLASS
from cmt.music.words import Song, words_to_song
from cmt.plan import MIN_STRENGTH, Plan, make_plan
from cmt.retiming import retimed
from cmt.revision import Revision, Wanted, revised
from cmt.sound import timbres
from cmt.sound.performance import Performance, perform
from cmt.theme import Theme

HEARD = 0.1  # share of the visual beats: of two takes that differ by less, neither is more in time
# By which the log-likelihood is multiplied: takes of a clip then differ as much in it as in critic.
LIKELY = 30.0


@dataclass(frozen=True)
class Settings:
    """What is asked of a composition, besides the rhythm.

    Attributes:
        takes: decoded together.
        loop: the decoding loop, one of `cmt.decoding.LOOPS`.
        degree: control degree C, 0 … 1.
        min_strength: notes; weaker visual beats are left to the model.
        mood: of `cmt.moods.MOODS`: it says what is None or empty in tempo, density, and the style's
            mode and progressions. None says nothing.
        tempo: BPM; None is the video's, or that of the mood.
        density: by which the densities that the video asks for are multiplied; None is 1, or the
            mood's.
        removed: seconds of visual beats of the video that are left out.
        added: seconds of others.
        style: what is asked of the whole piece.
        theme: melody of the first section.
        seed: of the first take.
        passages: bars that are then made again, and what is then asked for in place of sections and
            hits, one after the other.
        precision: of the model's weights, as in `cmt.model.products.product`; "auto" is the
            fastest, or float32 for the original's loop.
        rank: whether the best take comes first.
        humanize: whether it is played as unevenly as people play.
        timbres: of tracks, as `cmt.sound.timbres` names them; genre and mood choose the others.
    """

    takes: int = 1
    loop: str = "exact"
    degree: float = 1.0
    min_strength: int = MIN_STRENGTH
    mood: str | None = None
    tempo: float | None = None
    density: float | None = None
    removed: tuple[float, ...] = ()
    added: tuple[float, ...] = ()
    style: Style = field(default_factory=Style)
    theme: Theme | None = None
    seed: int = 0
    passages: tuple[Passage | Revision, ...] = ()
    precision: str = AUTO
    rank: bool = False
    humanize: bool = True
    timbres: Mapping[str, str] = field(default_factory=dict)

    @property
    def band(self) -> dict[str, str]:
        """The timbre of each track."""
        of_mood = MOODS[self.mood].timbres if self.mood else {}
        return timbres.band(self.style.genre, of_mood, self.timbres)


@dataclass(frozen=True)
class Rank:
    """What a take was ranked by.

    Attributes:
        place: 1 is the best.
        synchrony: share of the visual beats that stand out, 0 … 1; see `heard`.
        critic: `cmt.measures.critic.log_odds`; NaN without a note.
        matching_score: with all that the video asks for (equation 16), 0 … ∞.
        log_likelihood: of the model, nats a word and attribute.
    """

    place: int
    synchrony: float
    critic: float
    matching_score: float
    log_likelihood: float


@dataclass(frozen=True)
class Report:
    """How a piece was made, and how it measures up.

    Attributes:
        settings: that make this take again, alone.
        tempo: BPM.
        duration: seconds of music.
        bars: in it.
        notes: of each instrument.
        bars_controlled: bars whose density was imposed.
        visual_beats: simu-notes that were imposed.
        control_error: how far the piece, as it is written, is from what was asked.
        reconciled: a line for each contradiction in what the video asks for.
        rank: among its takes; None where these were not ranked.
        form: its sections and chords; None where they were left to the model.
    """

    settings: Settings
    tempo: float
    duration: float
    bars: int
    notes: dict[str, int]
    bars_controlled: int
    visual_beats: int
    control_error: ControlError
    reconciled: tuple[str, ...]
    rank: Rank | None = None
    form: Form | None = None

    def __str__(self) -> str:
        """On one line."""
        error, rank = self.control_error, self.rank
        place = f"; synchrony {rank.synchrony:.2f}, critic {rank.critic:+.2f}" if rank else ""
        return (
            f"{self.tempo:.1f} BPM, {self.bars} bars, {sum(self.notes.values())} notes; control"
            f" errors: density {error.density:.3f} over {self.bars_controlled} bars, strength"
            f" {error.strength:.3f} over {self.visual_beats} visual beats, time {error.time:.3f}"
            + place
        )


@dataclass(frozen=True)
class Piece:
    """A take as notes, with what can be said of it.

    Attributes:
        take: as it was decoded.
        song: its notes, up to the end of the video.
        control: what is asked of it, hits edited, at its tempo.
        report: how it was made and how it measures up.
    """

    take: Take
    song: Song
    control: Control
    report: Report

    @property
    def played(self) -> Performance | None:
        """How it is played; None is as the original plays, which its rhythm has no scenes for."""
        take, control, settings = self.take, self.control, self.report.settings
        if not control.scenes:
            return None
        return perform(
            self.song, take.plan, take.form, control.grid, settings.seed, settings.humanize
        )


def compose(
    model: CMT,
    control: Control,
    settings: Settings = Settings(),
    progress: Progress | None = None,
    *,
    until: float = math.inf,
) -> list[Piece]:
    """Make the takes that `settings` asks for; ranked ones come from the best.

    Args:
        model: in evaluation mode.
        control: what the video asks for.
        settings: what else is asked.
        progress: see `cmt.decoding.engine.decode`.
        until: seconds; only what is heard before is made, as it is in the whole. Then no passages
            are made again.

    Raises:
        InputError: a hit that is to be removed is not there, or one that is added is past the end;
            there are no such bars to be made again.
    """
    if settings.precision == AUTO:
        exact = settings.loop == "exact"
        precision = fastest(model, settings.takes) if exact else PRECISIONS[0]
        settings = replace(settings, precision=precision)
    asked, settings = settings, in_mood(settings, control)
    control = retimed(edited(control, settings.removed, settings.added), settings.tempo)
    beginning = control.until(until)
    plan, changes = plan_of(control, settings)
    takes = _first(model, control, plan, settings, beginning, progress)
    if beginning is not control:
        control, plan = beginning, plan.until(beginning.end)
        takes = [_beginning(take, control.end) for take in takes]
    for number, change in enumerate(settings.passages):
        how: dict[str, Any] = {
            "precision": settings.precision,
            "progress": _share(progress, 1 + number, settings),
        }
        if isinstance(change, Passage):
            takes = [again(model, take, change, style=settings.style, **how) for take in takes]
            continue
        before = Wanted(plan, settings.style)
        control = edited(control, change.removed, change.added)
        settings = replace(settings, style=replace(settings.style, sections=change.sections))
        plan, changes = plan_of(control, settings)
        after = Wanted(plan, settings.style)
        how |= {"theme": settings.theme, "degree": settings.degree}
        how |= {"seed": change.seed, "kept": change.kept}
        takes = [revised(model, take, before, after, **how) for take in takes]
    pieces = [_piece(take, control, replace(asked, tempo=control.tempo), changes) for take in takes]
    return ranked(pieces, plan, model, settings.style) if settings.rank else pieces


def _first(
    model: CMT,
    control: Control,
    plan: Plan,
    settings: Settings,
    beginning: Control,
    progress: Progress | None,
) -> list[Take]:
    """The takes before anything is made again, as far as the control's beginning goes."""
    return generate(
        model,
        control,
        plan,
        songs=settings.takes,
        degree=settings.degree,
        loop=settings.loop,
        min_strength=settings.min_strength,
        style=settings.style,
        theme=settings.theme,
        seed=settings.seed,
        precision=settings.precision,
        until=math.inf if beginning is control else beginning.n_beat,
        progress=_share(progress, 0, settings),
    )


def _beginning(take: Take, ticks: int) -> Take:
    """A take of which only the first ticks are made, as one of which no more is asked."""
    plan = take.plan.until(ticks)
    return replace(take, plan=plan, form=take.form and take.form.until(len(plan.bars)))


def _share(progress: Progress | None, part: int, settings: Settings) -> Progress | None:
    """Tells the share of all that is done by the share of a part: the takes, or a passage."""
    parts = 1 + len(settings.passages)
    return progress and (lambda share: progress((part + share) / parts))


def in_mood(settings: Settings, control: Control) -> Settings:
    """Settings in which what they leave open is said by their mood, for what a video asks."""
    if settings.mood is None:
        return settings
    mood, style = MOODS[settings.mood], settings.style
    return replace(
        settings,
        tempo=settings.tempo or mood.tempo_for(control),
        density=mood.density if settings.density is None else settings.density,
        style=replace(
            style,
            mode=style.mode or mood.mode,
            progressions=style.progressions or mood.progressions,
        ),
    )


def plan_of(control: Control, settings: Settings) -> tuple[Plan, list[str]]:
    """What settings, their mood being told, ask of a piece; see `cmt.plan.make_plan`."""
    style = settings.style
    density = 1.0 if settings.density is None else settings.density
    return make_plan(control, settings.min_strength, style.on_beats, density, style.sections)


def _piece(take: Take, control: Control, settings: Settings, changes: Sequence[str]) -> Piece:
    """A take as notes, and its report."""
    assert control.tempo is not None
    song = words_to_song(take.words).until(control.end)
    report = Report(
        settings=replace(settings, takes=1, rank=False, seed=take.seed),
        tempo=control.tempo,
        duration=float(control.grid.seconds(control.end)),
        bars=len(take.plan.bars),
        notes={
            name: int((song.notes["instrument"] == label).sum())
            for name, label in INSTRUMENT_CLASS.items()
        },
        bars_controlled=sum(bar.density is not None for bar in take.plan.bars),
        visual_beats=len(take.plan.beats),
        control_error=control_error(song, take.plan),
        reconciled=tuple(changes),
        form=take.form,
    )
    return Piece(take, song, control, report)


def ranked(pieces: Sequence[Piece], plan: Plan, model: CMT, style: Style) -> list[Piece]:
    """Pieces from the best, and what says so.

    First comes synchrony, in steps of `HEARD`; of equals what the critic and the model prefer.
    The matching score, equation 16, is against all that the video asks for.
    """
    ranks = [
        Rank(
            place=0,
            synchrony=heard(piece),
            critic=critic.log_odds(piece.song),
            matching_score=score(piece.take.words, plan).value,
            log_likelihood=log_likelihood(model, piece.take.words, style),
        )
        for piece in pieces
    ]
    best = sorted(zip(ranks, pieces, strict=True), key=lambda entry: merits(entry[0]), reverse=True)
    return [
        replace(piece, report=replace(piece.report, rank=replace(rank, place=place)))
        for place, (rank, piece) in enumerate(best, start=1)
    ]


def merits(rank: Rank) -> tuple[float, float]:
    """What takes are ordered by, the most first; what cannot be told is the least."""
    synchrony = 0.0 if math.isnan(rank.synchrony) else rank.synchrony
    liked = -math.inf if math.isnan(rank.critic) else rank.critic
    return round(synchrony / HEARD), liked + LIKELY * rank.log_likelihood


def heard(piece: Piece) -> float:
    """Share of the visual beats that stand out, as a piece is played; NaN where there are none.

    It is those that are met by one of the loudest onsets, of which there are as many: who is loud
    everywhere meets few.
    """
    control, notes, played = piece.control, piece.song.notes, piece.played
    delays, velocities = (
        (played.delays, played.velocities.astype(float))
        if played
        else (np.zeros(len(notes)), np.ones(len(notes)))
    )
    seen = control.times[control.beats]
    loud = accents(control.grid.seconds(notes["tick"] + delays), velocities, len(seen))
    return synchrony(seen.tolist(), loud.tolist()).within_near
