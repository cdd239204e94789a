"""What a visitor asks of the music, out of the page's JSON; each error names its field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cmt.files import InputError
from cmt.limits import MOST_HOURS
from cmt.moods import MOODS
from cmt.music.chords import ChordLoop, read_loops
from cmt.music.keys import KEYS, Key
from cmt.music.vocabulary import GENRES, INSTRUMENT_CLASS, MAX_TEMPO, MIN_TEMPO
from cmt.options import PRECISIONS
from cmt.script import MOST
from cmt.sections import SectionWish
from cmt.sound.timbres import PROGRAMS
from cmt.theme import Theme, theme_of

MAX_TAKES = 6
MAX_SEED = 2**32 - 2 * MAX_TAKES
MAX_BAR = 10**6
LAST = 3600 * MOST_HOURS  # second that may be told
MAX_ADDED = 1000  # hits; each moves the bars about it
MAX_CHANGES = 500  # in turn; a take that is changed has one more than the one that it was
PREVIEW = 15.0  # seconds
USUAL = 0.5  # energy of which nothing is asked


class FieldError(InputError):
    """A value that cannot be; the message is a sentence.

    Attributes:
        field: of the form.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class Hit:
    """A moment that a visitor added: second, and how strong, 0 … 1."""

    second: float
    strength: float


@dataclass(frozen=True)
class Parts:
    """What is asked of parts of a piece.

    Attributes:
        sections: what is wished for single ones, by bar.
        starts: seconds at which they begin; the nearest bar is then meant. None leaves it at the
            bar that is told.
        kept: numbers of the hits that the music is to meet; None is all.
        added: others that it is to meet.
    """

    sections: tuple[SectionWish, ...] = ()
    starts: tuple[float | None, ...] = ()
    kept: frozenset[int] | None = None
    added: tuple[Hit, ...] = ()


@dataclass(frozen=True)
class Again:
    """A passage that is made again: its first and last bar, from 0, and a seed."""

    first: int
    last: int
    seed: int


@dataclass(frozen=True)
class Change:
    """What is asked of parts of a take from now on, but for bars that are kept, and a seed."""

    parts: Parts
    seed: int
    kept: frozenset[int]


@dataclass(frozen=True)
class Asked:
    """What is asked of takes.

    Attributes:
        mood: a name of MOODS; None is any.
        density: by which the densities that the video asks for are multiplied; None is the mood's.
        parts: what is asked of sections, and which hits are met.
        genre: a name of GENRES; None is any.
        follow: control degree C, 0 … 1.
        instruments: that play; None leaves it to the model.
        tempo: BPM; None is the video's.
        key: None leaves it to the model.
        chords: of the sections; none are drawn.
        takes: how many.
        seed: of the first.
        theme: melody of the first section.
        timbres: by track, of `cmt.sound.timbres`; style and mood choose the others.
        keep_audio: gain of the music, 0 … 1, over the video's own sound; None leaves that out.
        duck: whether the music steps back where somebody speaks in that.
        precision: of the model's weights in which it was made before; None was not, or is any.
        preview: whether only the beginning is asked for.
        changes: what is then made again, or changed, in turn.
        locked: from which second to which what is made stays where more is made again.
    """

    mood: str | None
    density: float | None
    parts: Parts
    genre: str | None
    follow: float
    instruments: tuple[str, ...] | None
    tempo: float | None
    key: Key | None
    chords: tuple[ChordLoop, ...]
    takes: int
    seed: int
    theme: Theme | None
    timbres: Mapping[str, str]
    keep_audio: float | None
    duck: bool
    precision: str | None
    preview: bool
    changes: tuple[Again | Change, ...]
    locked: tuple[tuple[float, float], ...]

    @property
    def latest(self) -> Parts:
        """What is asked of parts in the end."""
        return next(
            (each.parts for each in reversed(self.changes) if isinstance(each, Change)), self.parts
        )


def read(content: Any) -> Asked:
    """Check what a visitor asks for; what is missing, or null, is the default.

    Raises:
        FieldError: naming the field that is wrong.
    """
    if not isinstance(content, dict):
        raise FieldError("settings", "These are no settings: give the JSON that the page wrote.")
    balance = number(content, "balance", 0, 1, 0.5)
    number(content, "of", 1, MOST, 1, "settings")  # a take's, that another is made from
    mood = mood_of(content.get("mood"))
    return Asked(
        mood=mood,
        density=_density(number(content, "energy", 0, 1, USUAL), mood),
        parts=_parts(content),
        genre=_one_of(content, "genre", GENRES),
        follow=number(content, "follow", 0, 1, 1.0),
        instruments=_instruments(content.get("instruments"), "instruments"),
        tempo=_tempo(content),
        key=_key(content),
        chords=_chords(content.get("chords"), "chords"),
        takes=int(number(content, "takes", 1, MAX_TAKES, 2)),
        seed=int(number(content, "seed", 0, MAX_SEED, 0)),
        theme=_theme(content.get("theme")),
        timbres=_timbres(content.get("timbres")),
        keep_audio=balance if content.get("keep_audio") else None,
        duck=content.get("duck") is not False,
        precision=_one_of(content, "precision", PRECISIONS),
        preview=bool(content.get("preview")),
        changes=() if content.get("preview") else _changes(content.get("passages")),
        locked=_locked(content.get("locked")),
    )


def number(
    content: Mapping[str, Any], name: str, low: float, high: float, usual: float, field: str = ""
) -> float:
    """A number in a range.

    Raises:
        FieldError: it is none, or outside.
    """
    value = content.get(name)
    if value is None:
        return usual
    fits = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not fits or not low <= value <= high:
        raise FieldError(field or name, f"Give a number from {low:g} to {high:g}, please.")
    return float(value)


def _tempo(content: Mapping[str, Any]) -> float | None:
    if content.get("tempo") is None:
        return None
    return number(content, "tempo", MIN_TEMPO, MAX_TEMPO, 0)


def tempo_of(text: str) -> float | None:
    """A tempo (BPM) that is written as text, None where there is none.

    Raises:
        FieldError: it cannot be.
    """
    try:
        return _tempo({"tempo": float(text) if text else None})
    except ValueError as error:
        raise FieldError("tempo", "Give the tempo as a number, please.") from error


def mood_of(name: Any) -> str | None:
    """A mood, None where any will do.

    Raises:
        FieldError: there is none of this name.
    """
    return _one_of({"mood": name}, "mood", tuple(MOODS))


def _one_of(content: Mapping[str, Any], name: str, known: Sequence[str]) -> str | None:
    value = content.get(name)
    if value in (None, "", "any"):
        return None
    if value not in known:
        raise FieldError(name, f"{value!r} is not among {', '.join(known)}.")
    return str(value)


def _instruments(value: Any, field: str) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or set(map(str, value)) - set(INSTRUMENT_CLASS):
        raise FieldError(field, f"Choose among {', '.join(INSTRUMENT_CLASS)}.")
    if not value:
        raise FieldError(field, "Choose at least one instrument.")
    everyone = len(set(value)) == len(INSTRUMENT_CLASS)
    return None if everyone else tuple(name for name in INSTRUMENT_CLASS if name in value)


def _timbres(value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise FieldError("timbres", "The sounds are not a list.")
    for track, name in value.items():
        if not isinstance(name, str) or name not in PROGRAMS.get(track, ()):
            raise FieldError("timbres", f"{name!r} is no sound that {track!r} has.")
    return dict(value)


def _theme(value: Any) -> Theme | None:
    try:
        return theme_of(value)
    except (ValueError, KeyError) as error:
        raise FieldError("theme", "This is no tune: choose its file again.") from error


def _key(content: Mapping[str, Any]) -> Key | None:
    name = content.get("key")
    if name in (None, "", "any"):
        return None
    try:
        return Key.named(str(name))  # in any spelling
    except ValueError as error:
        raise FieldError("key", f"{name!r} is not among {', '.join(map(str, KEYS))}.") from error


def _chords(value: Any, field: str) -> tuple[ChordLoop, ...]:
    if value is None or value == "":
        return ()
    try:
        return read_loops(str(value))
    except ValueError as error:
        raise FieldError(field, f"{str(error)[:1].upper()}{str(error)[1:]}.") from error


def _density(energy: float, mood: str | None) -> float | None:
    """Half as dense at no energy, twice as dense at the most; None where nothing is asked."""
    if energy == USUAL:
        return None
    return (MOODS[mood].density if mood else 1.0) * 4.0 ** (energy - USUAL)


def _parts(content: Mapping[str, Any]) -> Parts:
    kept, added = _hits(content.get("hits"))
    sections = _sections(content.get("sections"))
    wishes, starts = zip(*sections, strict=True) if sections else ((), ())
    return Parts(wishes, starts, kept, added)


def _sections(value: Any) -> list[tuple[SectionWish, float | None]]:
    """Wishes, by bar, and the seconds at which they are to begin."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise FieldError("sections", "The sections are not a list.")
    sections = [
        (_wish(entry, f"sections.{index}"), _start(entry)) for index, entry in enumerate(value)
    ]
    sections.sort(key=lambda section: section[0].bar)
    if len({wish.bar for wish, _ in sections}) < len(sections):
        raise FieldError("sections", "Two sections begin at the same bar.")
    return sections


def _wish(entry: Mapping[str, Any], place: str) -> SectionWish:
    chords = _chords(entry.get("chords"), f"{place}.chords")
    if len(chords) > 1:
        raise FieldError(f"{place}.chords", "The chords of one section have no ';'.")
    return SectionWish(
        bar=int(number(entry, "bar", 0, MAX_BAR, 0, f"{place}.bar")),
        energy=number(entry, "energy", 0, 2, 1.0, f"{place}.energy"),
        instruments=_instruments(entry.get("instruments"), f"{place}.instruments"),
        chords=chords[0] if chords else None,
    )


def _start(entry: Mapping[str, Any]) -> float | None:
    if entry.get("start") is None:
        return None
    return number(entry, "start", 0, LAST, 0, "sections")


def _changes(value: Any) -> tuple[Again | Change, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise FieldError("settings", "The passages are not a list.")
    if len(value) > MAX_CHANGES:
        raise FieldError(
            "settings", f"A take is changed {MAX_CHANGES} times at most: make a new one."
        )
    changes: list[Again | Change] = []
    for entry in value:
        seed = int(number(entry, "seed", 0, MAX_SEED, 0))
        if "sections" in entry:
            changes.append(Change(_parts(entry), seed, _kept(entry)))
            continue
        first = int(number(entry, "from_bar", 0, MAX_BAR, 0))
        after = int(number(entry, "to_bar", first + 1, MAX_BAR, first + 1))
        changes.append(Again(first, after - 1, seed))
    return tuple(changes)


def _kept(entry: Mapping[str, Any]) -> frozenset[int]:
    kept = entry.get("kept")
    if kept is not None and not isinstance(kept, list):
        raise FieldError("settings", "The bars that are kept are not a list.")
    return frozenset(
        int(number({"bar": bar}, "bar", 0, MAX_BAR, 0, "settings")) for bar in kept or ()
    )


def _locked(value: Any) -> tuple[tuple[float, float], ...]:
    pairs = [] if value is None else value
    if not isinstance(pairs, list) or not all(
        isinstance(pair, list) and len(pair) == 2 for pair in pairs
    ):
        raise FieldError("sections", "What is locked is not a list of beginnings and ends.")
    return tuple(
        (
            number({"from": start}, "from", 0, LAST, 0, "sections"),
            number({"to": end}, "to", 0, LAST, 0, "sections"),
        )
        for start, end in pairs
    )


def _hits(value: Any) -> tuple[frozenset[int] | None, tuple[Hit, ...]]:
    if value is None:
        return None, ()
    if not isinstance(value, list):
        raise FieldError("hits", "The hits are not a list.")
    kept = [each for each in value if isinstance(each, int)]
    added = [each for each in value if isinstance(each, dict)]
    if len(kept) + len(added) < len(value):
        raise FieldError("hits", "A hit is its number, or a second and a strength.")
    if len(added) > MAX_ADDED:
        raise FieldError("hits", f"Add {MAX_ADDED} hits at most.")
    return frozenset(kept), tuple(
        Hit(
            number(each, "second", 0, LAST, 0, "hits"),
            number(each, "strength", 0, 1, 0.7, "hits"),
        )
        for each in added
    )
