"""What a visitor asks of the music, out of the page's JSON; each error names its field."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cmt.files import InputError
from cmt.moods import MOODS
from cmt.music.chords import ChordLoop, read_loops
from cmt.music.keys import KEYS, Key
from cmt.music.vocabulary import GENRES, INSTRUMENT_CLASS, MAX_TEMPO, MIN_TEMPO
from cmt.sections import SectionWish

MAX_TAKES = 6
MAX_SEED = 2**32 - 2 * MAX_TAKES
MAX_BAR = 10**6
PREVIEW = 15.0  # seconds
USUAL = 0.5  # energy of which nothing is asked
ABOUT = {
    "calm": "slow and sparse, in major",
    "happy": "bright and lively, in major",
    "tense": "busy and dark, in minor",
    "sad": "slow and sparse, in minor",
    "epic": "dense and broad, in minor",
    "playful": "quick and light, in major",
}


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
class Asked:
    """What is asked of takes.

    Attributes:
        mood: a name of MOODS; None is any.
        density: by which the densities that the video asks for are multiplied; None is the mood's.
        sections: what is wished for single ones, by bar.
        genre: a name of GENRES; None is any.
        follow: control degree C, 0 … 1.
        instruments: that play; None leaves it to the model.
        tempo: BPM; None is the video's.
        key: None leaves it to the model.
        chords: of the sections; none are drawn.
        takes: how many.
        seed: of the first.
        keep_audio: gain of the music, 0 … 1, over the video's own sound; None leaves that out.
        duck: whether the music steps back where somebody speaks in that.
        kept: numbers of the hits that the music is to meet; None is all.
        added: others that it is to meet.
        preview: whether only the beginning is asked for.
        passages: first and last bar, from 0, and seed of what is then made again, in turn.
    """

    mood: str | None
    density: float | None
    sections: tuple[SectionWish, ...]
    genre: str | None
    follow: float
    instruments: tuple[str, ...] | None
    tempo: float | None
    key: Key | None
    chords: tuple[ChordLoop, ...]
    takes: int
    seed: int
    keep_audio: float | None
    duck: bool
    kept: frozenset[int] | None
    added: tuple[Hit, ...]
    preview: bool
    passages: tuple[tuple[int, int, int], ...]


def choices() -> dict[str, Any]:
    """What there is to choose from, as JSON has it."""
    return {
        "max_takes": MAX_TAKES,
        "max_seed": MAX_SEED,
        "tempo": [MIN_TEMPO, MAX_TEMPO],
        "preview_s": PREVIEW,
        "moods": [{"name": name, "about": about} for name, about in ABOUT.items()],
        "sections": True,
        "again": True,
        "genres": list(GENRES),
        "instruments": list(INSTRUMENT_CLASS),
        "keys": list(map(str, KEYS)),
        "timbres": {},
        "duck": True,
    }


def read(content: Any) -> Asked:
    """Check what a visitor asks for; what is missing, or null, is the default.

    Raises:
        FieldError: naming the field that is wrong.
    """
    if not isinstance(content, dict):
        raise FieldError("settings", "These are no settings: give the JSON that the page wrote.")
    kept, added = _hits(content.get("hits"))
    balance = number(content, "balance", 0, 1, 0.5)
    mood = _one_of(content, "mood", tuple(MOODS))
    return Asked(
        mood=mood,
        density=_density(number(content, "energy", 0, 1, USUAL), mood),
        sections=_sections(content.get("sections")),
        genre=_one_of(content, "genre", GENRES),
        follow=number(content, "follow", 0, 1, 1.0),
        instruments=_instruments(content.get("instruments"), "instruments"),
        tempo=_tempo(content),
        key=_key(content),
        chords=_chords(content.get("chords"), "chords"),
        takes=int(number(content, "takes", 1, MAX_TAKES, 2)),
        seed=int(number(content, "seed", 0, MAX_SEED, 0)),
        keep_audio=balance if content.get("keep_audio") else None,
        duck=content.get("duck") is not False,
        kept=kept,
        added=added,
        preview=bool(content.get("preview")),
        passages=_passages(content.get("passages")),
    )


def again(given: Mapping[str, Any], body: Any, of: int) -> dict[str, Any]:
    """What to ask for, so that a take has another passage and is else the same.

    Args:
        given: what it was made from.
        body: `from_bar`, from 0, `to_bar`, the first that stays, and `seed`.
        of: number of the take.

    Raises:
        FieldError: naming the field that is wrong.
    """
    if not isinstance(body, dict):
        raise FieldError("from_bar", "Select the passage first.")
    passage = {name: body.get(name) for name in ("from_bar", "to_bar", "seed")}
    content = {**given, "passages": [*given.get("passages", []), passage], "of": of}
    read(content)
    return content


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
    if not fits or not low <= value <= high or math.isnan(value):
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


def _key(content: Mapping[str, Any]) -> Key | None:
    name = _one_of(content, "key", [str(key) for key in KEYS])
    return next((key for key in KEYS if str(key) == name), None)


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


def _sections(value: Any) -> tuple[SectionWish, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise FieldError("sections", "The sections are not a list.")
    wishes = []
    for index, entry in enumerate(value):
        place = f"sections.{index}"
        chords = _chords(entry.get("chords"), f"{place}.chords")
        if len(chords) > 1:
            raise FieldError(f"{place}.chords", "The chords of one section have no ';'.")
        wishes.append(
            SectionWish(
                bar=int(number(entry, "bar", 0, math.inf, 0, f"{place}.bar")),
                energy=number(entry, "energy", 0, 2, 1.0, f"{place}.energy"),
                instruments=_instruments(entry.get("instruments"), f"{place}.instruments"),
                chords=chords[0] if chords else None,
            )
        )
    wishes.sort(key=lambda wish: wish.bar)
    if len({wish.bar for wish in wishes}) < len(wishes):
        raise FieldError("sections", "Two sections begin at the same bar.")
    return tuple(wishes)


def _passages(value: Any) -> tuple[tuple[int, int, int], ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise FieldError("settings", "The passages are not a list.")
    passages = []
    for entry in value:
        first = int(number(entry, "from_bar", 0, MAX_BAR, 0))
        after = int(number(entry, "to_bar", first + 1, MAX_BAR, first + 1))
        passages.append((first, after - 1, int(number(entry, "seed", 0, MAX_SEED, 0))))
    return tuple(passages)


def _hits(value: Any) -> tuple[frozenset[int] | None, tuple[Hit, ...]]:
    if value is None:
        return None, ()
    if not isinstance(value, list):
        raise FieldError("hits", "The hits are not a list.")
    kept = [each for each in value if isinstance(each, int)]
    added = [each for each in value if isinstance(each, dict)]
    if len(kept) + len(added) < len(value):
        raise FieldError("hits", "A hit is its number, or a second and a strength.")
    return frozenset(kept), tuple(
        Hit(
            number(each, "second", 0, math.inf, 0, "hits"),
            number(each, "strength", 0, 1, 0.7, "hits"),
        )
        for each in added
    )
