"""Timbres: which General MIDI program plays each of the five tracks; of genres, who plays."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# Of each track: names of timbres, the usual one first, and their programs; of drums their kits.
PROGRAMS = {
    "Drums": {"standard": 0, "power": 16, "electronic": 24, "brush": 40},
    "Piano": {"grand": 0, "electric": 4, "organ": 16},
    "Guitar": {"clean": 27, "nylon": 24, "steel": 25, "overdriven": 29, "synth": 81},
    "Bass": {"finger": 33, "pick": 34, "synth": 38, "deep": 39},
    "Strings": {"ensemble": 48, "pad": 89, "lead": 81},
}
USUAL = {track: next(iter(names)) for track, names in PROGRAMS.items()}
BANDS = {
    "country": {"Guitar": "steel", "Drums": "brush"},
    "dance": {"Drums": "electronic", "Piano": "electric", "Bass": "deep", "Strings": "pad"},
    "electronic": {
        "Drums": "electronic",
        "Piano": "electric",
        "Guitar": "synth",
        "Bass": "synth",
        "Strings": "pad",
    },
    "metal": {"Drums": "power", "Guitar": "overdriven", "Bass": "pick", "Piano": "organ"},
    "pop": {"Guitar": "steel"},
    "rock": {"Drums": "power", "Guitar": "overdriven", "Bass": "pick", "Piano": "organ"},
}


def band(
    genre: str | None = None,
    mood: Mapping[str, str] = MappingProxyType({}),
    asked: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, str]:
    """The timbre of each track: what is asked, or as the genre has it, or the mood, or usual.

    Args:
        genre: one of `cmt.music.vocabulary.GENRES`.
        mood: names of timbres by track, of one of `cmt.moods.MOODS`.
        asked: others.
    """
    return USUAL | dict(BANDS.get(genre or "", mood)) | dict(asked)


def programs(timbres: Mapping[str, str]) -> dict[str, int]:
    """The program of each track, 0 … 127, of its timbre."""
    return {track: PROGRAMS[track][name] for track, name in timbres.items()}


def read_timbres(text: str) -> dict[str, str]:
    """Timbres from a text such as "strings=pad,piano=organ", in any case.

    Raises:
        ValueError: there is no such track, or no such timbre of it.
    """
    found = {}
    for part in text.replace(",", " ").split():
        track, _, name = part.partition("=")
        track, name = track.strip().capitalize(), name.strip().lower()
        if name not in PROGRAMS.get(track, {}):
            known = " ".join(f"{t.lower()}={'|'.join(names)}" for t, names in PROGRAMS.items())
            raise ValueError(f"{part!r} is not among {known}")
        found[track] = name
    return found
