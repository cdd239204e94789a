"""The files of a take, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cmt import results
from cmt.files import InputError
from cmt.limits import TooMuch
from cmt.measures.synchrony import NEAR
from cmt.music.midi import read_midi
from cmt.music.vocabulary import TICKS_PER_BAR
from cmt.sound import film
from cmt.sound.encoding import FLAC, write_audio
from cmt.sound.underscore import stepping_back
from cmt.web import words
from cmt.web.sessions import read_json, write_json
from cmt.web.settings import Asked, FieldError
from cmt.web.timeline import bars_of, heard_of, notes_of, sections_of

UNTELLING = " (Invalid data found when processing input)"  # what FFmpeg says of any file

if TYPE_CHECKING:
    from cmt.compose import Piece


def write_take(
    take: Path,
    piece: Piece,
    sources: results.Sources,
    session: Path,
    asked: Asked,
    content: dict[str, Any],
) -> None:
    """Write all that a visitor sees, hears and takes home of a take.

    Args:
        take: an empty folder; the files in it are called `music`, as `cmt.web.downloads` knows.
        piece: what was made.
        sources: of it.
        session: folder of the session, with the video.
        asked: what was asked for.
        content: the same as the page sent it: told in the settings file, it opens there again.

    Raises:
        FieldError: the video can no longer be read.
    """
    made = piece.report.settings
    given = {**content, "seed": made.seed, "takes": 1, "precision": made.precision}
    extra = {"keep_audio": asked.keep_audio, "page": given}
    video = session / "video"
    with about_the_video(video):
        fps = film.frame_rate(video)
    midi, *_ = results.write(piece, take / "music.mid", sources, extra=extra, markers_at=fps)
    stems, ducking = _write_sound(midi, take, video, asked, piece)
    hits, end = read_json(session / "timeline.json")["hits"], piece.report.duration
    heard = heard_of(hits, asked.latest, results.visual_beats(piece, midi), end)
    bars = bars_of(piece.control)
    roll = {
        "notes": notes_of(midi),
        "sections": sections_of(piece.report.form, piece.control.grid, end),
        "bars": bars,
        "heard": heard,
        "ducking": ducking,
    }
    write_json(take / "roll.json", roll)
    of = content.get("of")
    changed = changed_bars(session / "takes" / str(of) / midi.name, midi)
    said = {
        "words": [
            *([] if changed is None else [words.of_change(str(of), changed, [*bars, end])]),
            words.of_hits(heard, NEAR),
            words.of_piece(piece.report),
        ],
        "changed": changed,
        "preview": asked.preview,
        "duration": end,
        "suffix": "mkv" if (take / "music.mkv").exists() else "mp4",
        "settings": given,
        "of": of,
        "research": words.research(piece.report),
        "stems": stems,
    }
    write_json(take / "take.json", said)


def changed_bars(before: Path, after: Path) -> list[int] | None:
    """The bars, from 0, in which other notes begin than before; None where that is not known."""
    if not before.exists():
        return None
    notes = [
        read_midi(path).song.notes[["tick", "pitch", "instrument"]] for path in (before, after)
    ]
    old, new = (set(each.tolist()) for each in notes)
    return sorted({tick // TICKS_PER_BAR for tick, *_ in old ^ new})


def _write_sound(
    midi: Path, take: Path, video: Path, asked: Asked, piece: Piece
) -> tuple[list[str], list[tuple[float, float]] | None]:
    """Write the music, its stems and, but for a preview, the video with it.

    Returns:
        Names of the instruments that have a stem; and how the music steps back under the video's
        own sound, see `stepping_back`, None where there is none.
    """
    with about_the_video(video):
        played = film.soundtrack(
            midi,
            None if asked.preview else video,
            keep_audio=asked.keep_audio,
            duck=asked.duck,
            stems=True,
        )
        played.write(take / "music.mp3")
        heard = [name for name in played.music.stems if piece.report.notes.get(name)]
        for name in heard:
            write_audio(take / "stems" / f"{name}.flac", played.music.stems[name], codec=FLAC)
        if not asked.preview:
            played.write(take / "music.wav")
            _write_film(played, take)
        balance = 1.0 if asked.keep_audio is None else asked.keep_audio
        sounds = film.has_sound(video)
        return heard, stepping_back(video, played.music.mix, balance) if sounds else None


def _write_film(played: film.Soundtrack, take: Path) -> None:
    """Write the video with its music, as MP4 if its codec has a place there."""
    try:
        played.write(take / "music.mp4")
    except InputError:
        played.write(take / "music.mkv")


@contextmanager
def about_the_video(path: Path) -> Iterator[None]:
    """Errors about `path` speak of this video, and are of that field."""
    try:
        yield
    except InputError as error:
        said = error.reason if isinstance(error, TooMuch) else str(error)
        message = said.replace(f"{path}:", "This video").replace(UNTELLING, "")
        raise FieldError("video", f"{message.rstrip('.')}.") from error
