"""The files of a piece: MIDI, report, pictures; and its settings back from the report."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cmt.compose import Report, Settings
from cmt.decoding import LOOPS
from cmt.decoding.style import Style
from cmt.files import InputError, replacing
from cmt.music.keys import Key
from cmt.music.midi import write_midi
from cmt.music.vocabulary import GENRES

if TYPE_CHECKING:
    from cmt.compose import Piece
    from cmt.plots import Video


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

    Returns:
        The files, in this order.

    Raises:
        InputError: the folder cannot be written to.
    """
    write_midi(piece.song, midi, piece.grid.tempi)
    report = midi.with_name(f"{midi.name}.json")
    content = {**asdict(sources), **to_json(piece.report), **(extra or {})}
    with replacing(report) as temporary:
        temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")
    drawn = [midi.with_name(f"{midi.name}.{suffix}") for suffix in pictures]
    if drawn:
        from cmt.plots import WIDTH, Music, plot

        music = Music(piece.song, piece.take.plan, piece.grid)
        plot(drawn, video, music, width or WIDTH)
    return [midi, report, *drawn]


def to_json(report: Report) -> dict[str, Any]:
    """A report as JSON has it: settings and style level with what was measured."""
    settings, style = report.settings, report.settings.style
    rank = report.rank
    return {
        "control": settings.loop,
        "degree": settings.degree,
        "min_strength": settings.min_strength,
        "seed": settings.seed,
        "precision": settings.precision,
        "tempo": report.tempo,
        "genre": style.genre,
        "instruments": style.instruments,
        "beat_instruments": style.beat_instruments,
        "key": str(style.key) if style.key else None,
        "ending": style.ending,
        "duration": report.duration,
        "bars": report.bars,
        "notes": report.notes,
        "controlled": {"bars": report.bars_controlled, "visual_beats": report.visual_beats},
        "control_error": asdict(report.control_error),
        "reconciled": report.reconciled,
    } | (
        {
            "rank": rank.place,
            # JSON knows no infinity.
            "matching_score": rank.matching_score if math.isfinite(rank.matching_score) else None,
            "log_likelihood": rank.log_likelihood,
        }
        if rank
        else {}
    )


def read_settings(path: str | Path) -> tuple[Settings, Sources]:
    """The settings that make a piece again, and what it was made from, out of its report.

    Raises:
        InputError: the file cannot be read or is no such report.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        style = Style(
            genre=content["genre"],
            instruments=_names(content["instruments"]),
            beat_instruments=_names(content["beat_instruments"]),
            key=Key.named(content["key"]) if content["key"] else None,
            ending=content["ending"],
        )
        if content["control"] not in LOOPS or content["genre"] not in (*GENRES, None):
            raise ValueError("unknown control or genre")
        settings = Settings(
            loop=content["control"],
            degree=float(content["degree"]),
            min_strength=int(content["min_strength"]),
            tempo=float(content["tempo"]),
            style=style,
            seed=int(content["seed"]),
            precision=content["precision"],
        )
        sources = Sources(**{field.name: content[field.name] for field in fields(Sources)})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: no report of a piece ({error!r}); give the NAME.mid.json beside its NAME.mid"
        ) from error
    return settings, sources


def _names(names: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)
