"""The files of a piece: MIDI, report, pictures; and its settings back from the report."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cmt import revision, sections
from cmt.compose import Report, Settings
from cmt.decoding import LOOPS, MOST_GUIDANCE
from cmt.decoding.style import Style
from cmt.files import replacing_all, write_together
from cmt.form import Form
from cmt.markers import HIT, SCENE, Marker, contents
from cmt.moods import MOODS
from cmt.music.chords import HALVES, read_loops, write_loops
from cmt.music.keys import MODES, Key
from cmt.music.midi import load_score, to_midi
from cmt.music.progressions import moods as progression_moods
from cmt.music.vocabulary import (
    GENRES,
    INSTRUMENT_CLASS,
    INSTRUMENT_OF,
    MAX_TEMPO,
    MIN_TEMPO,
    TICKS_PER_BAR,
    TICKS_PER_BEAT,
)
from cmt.options import MAX_SEED, MOST_DENSITY, PRECISIONS
from cmt.script import MOST
from cmt.sound import mixing, timbres
from cmt.texture import Texture
from cmt.theme import theme_of
from cmt.untrusted import entries, items, naming, number, one_of, read_json, seconds, text, whole

if TYPE_CHECKING:
    from cmt.compose import Piece
    from cmt.plots import Video


LONGEST_NAME = 4096  # characters, of a path


@dataclass(frozen=True)
class Sources:
    """What a piece was made from, so that it can be made again.

    Attributes:
        control_file: name of the control npz; None where there was none.
        control_sha256: `cmt.control.Control.checksum`.
        checkpoint: path of the model.
        checkpoint_sha256: `cmt.files.checksum` of that file.
    """

    control_file: str | None
    control_sha256: str
    checkpoint: str
    checkpoint_sha256: str

    def differences(self, other: Sources) -> list[str]:
        """Names of what is not the same in both."""
        pairs = {
            "control words": (self.control_sha256, other.control_sha256),
            "weights": (self.checkpoint_sha256, other.checkpoint_sha256),
        }
        return [what for what, (ours, theirs) in pairs.items() if ours != theirs]


def write(
    piece: Piece,
    midi: Path,
    sources: Sources,
    *,
    extra: Mapping[str, Any] | None = None,
    pictures: Sequence[str] = (),
    video: Video | None = None,
    width: float | None = None,
    markers_at: float | None = None,
) -> list[Path]:
    """Write NAME.mid, the report NAME.mid.json, and pictures NAME.mid.png and the like.

    Args:
        piece: what to write.
        midi: NAME.mid.
        sources: what it was made from.
        extra: of the report.
        pictures: their formats, among `cmt.files.PICTURES`.
        video: drawn above the music.
        width: of the pictures' axes, inches; None is the usual.
        markers_at: frames a second of NAME.markers.csv and NAME.markers.edl; None writes neither,
            and no hits into the MIDI file.

    Returns:
        The files, in this order.

    Raises:
        InputError: the folder cannot be written to.
    """
    report = midi.with_name(f"{midi.name}.json")
    marked: dict[Path, bytes] = {}
    if markers_at is not None:
        marked = contents(moments(piece), midi, markers_at)
    with replacing_all([midi, report, *marked]) as (new_midi, new_report, *new_marked):
        new_midi.write_bytes(as_midi(piece, hits=markers_at is not None))
        for path, content_of_it in zip(new_marked, marked.values(), strict=True):
            path.write_bytes(content_of_it)
        content = {
            **asdict(sources),
            **to_json(piece.report),
            "visual_beats": visual_beats(piece, new_midi),
            **(extra or {}),
        }
        new_report.write_text(json.dumps(content, indent=1), encoding="utf-8")
    drawn = [midi.with_name(f"{midi.name}.{suffix}") for suffix in pictures]
    if drawn:
        from cmt.plots import WIDTH, Music, plot

        music = Music(piece.song, piece.take.plan, piece.control.grid)
        plot(drawn, video, music, width or WIDTH)
    return [midi, report, *marked, *drawn]


def write_music(piece: Piece, midi: Path) -> None:
    """Write a piece as MIDI; see `as_midi`.

    Raises:
        InputError: the folder cannot be written to.
    """
    write_together({midi: as_midi(piece)})


def as_midi(piece: Piece, hits: bool = False) -> bytes:
    """A piece as MIDI, as it is played and mixed, with tempo map, scenes and sections as markers.

    Without scenes, as the original's rhythm has none, it is played as the original plays.

    Args:
        piece: what was made.
        hits: whether visual beats are markers, too.
    """
    control = piece.control
    take, played = piece.take, piece.played
    how: dict[str, Any] = {}
    if played:
        programs = timbres.programs(piece.report.settings.band)
        how = {
            "velocities": played.velocities,
            "delays": played.delays,
            "programs": programs,
            "controllers": mixing.settings([*programs.items()]),
        }
    markers = markers_of(control.scenes, take.form)
    if hits:
        markers = sorted([*markers, *((tick, HIT) for tick in take.plan.beats)])
    return to_midi(piece.song, control.grid.tempi, markers=markers, **how)


def markers_of(scenes: Sequence[int], form: Form | None) -> list[tuple[int, str]]:
    """Markers (tick, text) of the first bars of scenes and of sections: "scene 1: A", "B"."""
    names = {bar: [f"{SCENE}{number}"] for number, bar in enumerate(scenes, start=1)}
    for section in form.sections if form else ():
        names.setdefault(section.start, []).append(str(section))
    return [(bar * TICKS_PER_BAR, ": ".join(names[bar])) for bar in sorted(names)]


def moments(piece: Piece) -> list[Marker]:
    """Scenes, sections and hits of a piece, ascending."""
    scenes = [(bar, "scene", f"{SCENE}{n}") for n, bar in enumerate(piece.control.scenes, start=1)]
    form = piece.take.form
    sections = [(part.start, "section", str(part)) for part in form.sections] if form else []
    placed = [(bar * TICKS_PER_BAR, kind, name) for bar, kind, name in (*scenes, *sections)]
    placed += [(tick, HIT, HIT) for tick in piece.take.plan.beats]
    seconds = piece.control.grid.seconds
    return [
        Marker(tick, float(seconds(tick)), kind, name)
        for tick, kind, name in sorted(placed, key=lambda moment: moment[0])
    ]


def visual_beats(piece: Piece, midi: Path) -> list[dict[str, float | int | None]]:
    """When each visual beat is seen, and when its notes are heard, in seconds.

    Args:
        piece: what was made.
        midi: the same, as it was written: `heard` is told by its own tempo map.

    Returns:
        Per visual beat that was asked for, ascending: `seen`, None where only its tick is known,
        `heard`, and `strength` in notes.
    """
    score = load_score(midi, math.inf)
    timed: Any = score.to("second")
    heard = {
        round(note.time * TICKS_PER_BEAT / score.tpq): timed_note.time
        for track, timed_track in zip(score.tracks, timed.tracks, strict=True)
        for note, timed_note in zip(track.notes, timed_track.notes, strict=True)
    }
    control = piece.control
    seen: dict[int, float] = {}
    if control.seconds is not None:
        for tick, second in zip(control.words[:, 3].tolist(), control.seconds, strict=True):
            seen[tick] = float(second)  # a bar's word comes before its visual beats'
    return [
        {"seen": seen.get(tick), "heard": heard.get(tick), "strength": strength}
        for tick, strength in piece.take.plan.beats.items()
    ]


def to_json(report: Report) -> dict[str, Any]:
    """A report as JSON has it: settings and style level with what was measured."""
    settings, style = report.settings, report.settings.style
    rank = report.rank
    return {
        "control": settings.loop,
        "degree": settings.degree,
        "min_strength": settings.min_strength,
        "theme": asdict(settings.theme) if settings.theme else None,
        "seed": settings.seed,
        "again": list(map(revision.to_json, settings.passages)),
        "precision": settings.precision,
        "humanize": settings.humanize,
        "timbres": settings.timbres,
        "band": settings.band,
        "mood": settings.mood,
        "tempo": report.tempo,
        "density": settings.density,
        "removed_hits": settings.removed,
        "added_hits": settings.added,
        "genre": style.genre,
        "guidance": style.guidance,
        "instruments": style.instruments,
        "beat_instruments": style.beat_instruments,
        "key": str(style.key) if style.key else None,
        "mode": style.mode,
        "chords": write_loops(style.chords) if style.chords else None,
        "progressions": style.progressions,
        "sections": sections.to_json(style.sections),
        "ending": style.ending,
        "duration": report.duration,
        "bars": report.bars,
        "notes": report.notes,
        "controlled": {"bars": report.bars_controlled, "visual_beats": report.visual_beats},
        "control_error": asdict(report.control_error),
        "reconciled": report.reconciled,
        "form": _form(report.form) if report.form else None,
    } | (
        {
            "rank": rank.place,
            "synchrony": _finite(rank.synchrony),
            "critic": _finite(rank.critic),
            "matching_score": _finite(rank.matching_score),
            "log_likelihood": rank.log_likelihood,
        }
        if rank
        else {}
    )


def _finite(value: float) -> float | None:
    """A number as JSON has it, which knows no infinity."""
    return value if math.isfinite(value) else None


def _form(form: Form) -> dict[str, Any]:
    """A form as JSON has it; bars count from 1."""
    bars = tuple(zip(form.chords[::HALVES], form.chords[1::HALVES], strict=True))
    return {
        "key": str(form.key),
        "sections": [
            {
                "name": str(section),
                "bar": section.start + 1,
                "bars": section.bars,
                "chords": write_loops(
                    [bars[section.start : section.start + section.bars]], form.key
                ),
                **_texture(form.texture(section.start)),
            }
            for section in form.sections
        ],
    }


def _texture(texture: Texture) -> dict[str, Any]:
    """Who rests in a section and who has moved, by how many semitones, as far as anybody has."""
    resting = [INSTRUMENT_OF[label].name for label in sorted(texture.resting)]
    register = {INSTRUMENT_OF[label].name: up for label, up in texture.register.items()}
    told = {"resting": resting, "register": register}
    return {name: value for name, value in told.items() if value}


def read_settings(path: str | Path) -> tuple[Settings, Sources]:
    """The settings that make a piece again, and what it was made from, out of its report.

    Raises:
        InputError: the file cannot be read or is no such report.
    """
    with naming(path, "no report of a piece", "give the NAME.mid.json beside its NAME.mid"):
        content = entries(read_json(path), "it")
        return _settings(content), _sources(content)


def _settings(content: Mapping[str, Any]) -> Settings:
    """The settings of a report; older ones lack some.

    Raises:
        KeyError, ValueError: one is not there, or is none that may be asked for.
    """
    density = content.get("density")
    return Settings(
        loop=one_of(content["control"], "control", LOOPS),
        degree=float(number(content["degree"], "degree", 0, 1)),
        min_strength=whole(content["min_strength"], "min_strength", 1, MOST),
        mood=one_of(content.get("mood"), "mood", (*MOODS, None)),
        tempo=float(number(content["tempo"], "tempo", MIN_TEMPO, MAX_TEMPO)),
        density=None if density is None else float(number(density, "density", 1e-6, MOST_DENSITY)),
        removed=seconds(content.get("removed_hits", ()), "removed_hits"),
        added=seconds(content.get("added_hits", ()), "added_hits"),
        style=_style(content),
        theme=theme_of(content.get("theme")),
        seed=whole(content["seed"], "seed", 0, MAX_SEED),
        passages=tuple(map(revision.from_json, items(content.get("again", ()), "again"))),
        precision=one_of(content["precision"], "precision", PRECISIONS),
        humanize=one_of(content.get("humanize", True), "humanize", (True, False)),
        timbres=_timbres(entries(content.get("timbres", {}), "timbres")),
    )


def _style(content: Mapping[str, Any]) -> Style:
    """What a report asks of the whole piece; as `_settings`."""
    key, chords = content["key"], content.get("chords")
    return Style(
        genre=one_of(content["genre"], "genre", (*GENRES, None)),
        guidance=number(content.get("guidance", 1), "guidance", 0, MOST_GUIDANCE),
        instruments=_names(content["instruments"], "instruments"),
        beat_instruments=_names(content["beat_instruments"], "beat_instruments"),
        key=Key.named(text(key, "key", LONGEST_NAME)) if key else None,
        chords=read_loops(text(chords, "chords", sections.LONGEST_CHORDS)) if chords else (),
        mode=one_of(content.get("mode"), "mode", (*MODES, None)),
        progressions=_progressions(content),
        sections=sections.from_json(content.get("sections", [])),
        ending=one_of(content["ending"], "ending", (True, False)),
    )


def _sources(content: Mapping[str, Any]) -> Sources:
    """What a report's piece was made from; as `_settings`."""
    told = {field.name: content[field.name] for field in fields(Sources)}
    for name, value in told.items():
        if not (name == "control_file" and value is None):
            os.fsencode(text(value, name, LONGEST_NAME))  # or a UnicodeEncodeError, of a ValueError
    sources = Sources(**told)
    if (file := sources.control_file) is not None and (file != Path(file).name or file == ".."):
        raise ValueError(f"control_file is {file!r}, no name of a file")
    return sources


def _progressions(content: Mapping[str, Any]) -> tuple[str, ...]:
    """Moods of progressions; reports before 0.2 have one or none."""
    before = content.get("progression")
    asked = items(content.get("progressions", [before] if before else []), "progressions")
    return tuple(one_of(mood, "progressions", progression_moods()) for mood in asked)


def _timbres(asked: Mapping[str, object]) -> dict[str, str]:
    """Timbres by track, as a report has them."""
    named = {track: text(name, f"timbres.{track}", LONGEST_NAME) for track, name in asked.items()}
    return timbres.read_timbres(" ".join(f"{track}={name}" for track, name in named.items()))


def _names(names: object, name: str) -> tuple[str, ...] | None:
    """Names of instruments of a report."""
    if names is None:
        return None
    return tuple(one_of(instrument, name, INSTRUMENT_CLASS) for instrument in items(names, name))
