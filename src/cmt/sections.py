"""What somebody wishes for single sections, and how that is written.

As JSON: `[{"bar": 1, "energy": 0.6, "instruments": ["Piano", "Strings"], "chords": "Am F C G"}]`;
as a line: `1:energy=0.6,instruments=piano+strings 9:energy=1.4,chords=Am_F_C_G 17:rest`. Bars count
from 1 there, and from 0 in the program.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from cmt.music.chords import ChordLoop, read_loops, write_loops
from cmt.music.vocabulary import INSTRUMENT_CLASS
from cmt.untrusted import items, naming, read_json, text

MOST_ENERGY = 4.0
MOST_BARS = 1_000_000
LONGEST_CHORDS = 100_000  # characters: of a chord in each half bar of an hour
LABEL = re.compile(r"[A-Z][0-9]*")  # as those that forms give


@dataclass(frozen=True)
class SectionWish:
    """What is wished for the bars from one on, up to those of the next wish.

    Attributes:
        bar: the first, from 0.
        energy: by which the density that the video asks for is multiplied, 0 … 4; of 0 the bars
            are silent.
        instruments: names of those that may play; None is all that the piece has.
        chords: bar by bar; they repeat. None leaves them to the form.
        label: of the section, "A", "B" …; one that was there before returns. None leaves it to the
            form.
    """

    bar: int
    energy: float = 1.0
    instruments: tuple[str, ...] | None = None
    chords: ChordLoop | None = None
    label: str | None = None

    @property
    def rests(self) -> bool:
        """Whether nobody plays."""
        return self.energy == 0

    @property
    def playing(self) -> frozenset[int] | None:
        """Classes of the instruments that may play; None is all that the piece has."""
        if self.instruments is None:
            return None
        return frozenset(INSTRUMENT_CLASS[name] for name in self.instruments)


def wish_of(sections: Sequence[SectionWish], bar: int) -> SectionWish:
    """The wish that is in force in a bar, from 0; one without wishes before the first.

    Args:
        sections: by bar.
        bar: from 0.
    """
    return next((wish for wish in reversed(sections) if wish.bar <= bar), SectionWish(0))


def read_sections(text: str) -> tuple[SectionWish, ...]:
    """Wishes from a line, or from the JSON file that it names, by bar.

    Raises:
        ValueError: it is neither, or two wishes begin at one bar.
        InputError: the file cannot be read.
    """
    if text.lower().endswith(".json"):
        return _read_file(Path(text))
    return from_json([_read_wish(part) for part in text.split()])


def _read_file(path: Path) -> tuple[SectionWish, ...]:
    example = '[{"bar": 1, "energy": 0.6}, {"bar": 9, "chords": "Am F C G"}]'
    with naming(path, "no sections", f"write {example}"):
        return from_json(read_json(path))


def _read_wish(text: str) -> dict[str, Any]:
    """A wish such as "9:energy=1.4,chords=Am_F_C,G", as JSON has it."""
    bar, _, wishes = text.partition(":")
    entry: dict[str, Any] = {"bar": int(bar) if bar.isdecimal() else bar}
    for wish in re.split(r",(?=[a-z]+(?:=|$))", wishes) if wishes else ():
        name, equals, value = wish.partition("=")
        if wish == "rest":
            entry["energy"] = 0
        elif not equals:
            raise ValueError(f"{text!r}: write 9:energy=1.4,instruments=piano+strings, or 9:rest")
        elif name == "instruments":
            entry[name] = value.split("+")
        elif name == "chords":
            entry[name] = value.replace("_", " ")
        elif name == "energy":
            entry[name] = _number(value)
        else:
            entry[name] = value
    return entry


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:  # as it is, to be refused with its bar
        return text


def from_json(content: object) -> tuple[SectionWish, ...]:
    """Wishes, by bar, from what JSON says of them.

    Raises:
        ValueError: it is none of that.
    """
    if not isinstance(content, Sequence) or isinstance(content, str):
        raise ValueError("sections are a list")
    wishes = sorted((_wish(entry) for entry in content), key=lambda wish: wish.bar)
    bars = [wish.bar for wish in wishes]
    if twice := [bar for bar, after in pairwise(bars) if bar == after]:
        raise ValueError(f"two sections begin at bar {twice[0] + 1}")
    return tuple(wishes)


def _wish(entry: object) -> SectionWish:
    known = {"bar", "energy", "instruments", "chords", "label"}
    if not isinstance(entry, Mapping) or not set(entry) <= known:
        raise ValueError(f"{reprlib.repr(entry)} is no section; it has {', '.join(sorted(known))}")
    bar, energy, label = entry.get("bar"), entry.get("energy", 1.0), entry.get("label")
    if not isinstance(bar, int) or isinstance(bar, bool) or not 1 <= bar <= MOST_BARS:
        raise ValueError(f"{reprlib.repr(bar)} is no bar; they count from 1")
    if not isinstance(energy, int | float) or not 0 <= energy <= MOST_ENERGY:
        raise ValueError(f"bar {bar}: energy is 0 to {MOST_ENERGY:g}, not {reprlib.repr(energy)}")
    if label is not None and not (isinstance(label, str) and LABEL.fullmatch(label)):
        raise ValueError(f"bar {bar}: a label is A, B … Z, A2 …, not {label!r}")
    chords = entry.get("chords")
    loops = read_loops(text(chords, "chords", LONGEST_CHORDS)) if chords else (None,)
    if len(loops) > 1:
        raise ValueError(f"bar {bar}: the chords of one section have no ';'")
    return SectionWish(
        bar - 1, float(energy), _instruments(bar, entry.get("instruments")), loops[0], label
    )


def _instruments(bar: int, names: Sequence[str] | None) -> tuple[str, ...] | None:
    """Names in the order of INSTRUMENTS, from some in any case."""
    if names is None:
        return None
    asked = {str(name).capitalize() for name in items(names, f"bar {bar}: instruments")}
    if not asked or (unknown := asked - set(INSTRUMENT_CLASS)):
        known = ", ".join(INSTRUMENT_CLASS).lower()
        said = ", ".join(sorted(unknown)).lower() if asked else "none"
        raise ValueError(f"bar {bar}: instruments are of {known}, not {said}")
    return tuple(name for name in INSTRUMENT_CLASS if name in asked)


def to_json(sections: Sequence[SectionWish]) -> list[dict[str, Any]]:
    """What `from_json` reads; what is not wished is left out."""
    return [
        {
            name: value
            for name, value in (
                ("bar", wish.bar + 1),
                ("energy", wish.energy if wish.energy != 1 else None),
                ("instruments", wish.instruments and list(wish.instruments)),
                ("chords", write_loops([wish.chords]) if wish.chords else None),
                ("label", wish.label),
            )
            if value is not None
        }
        for wish in sections
    ]
