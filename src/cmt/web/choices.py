"""What a visitor has to choose from."""

from __future__ import annotations

from typing import Any

from cmt.moods import MOODS
from cmt.music.keys import KEYS
from cmt.music.vocabulary import GENRES, INSTRUMENT_CLASS, MAX_TEMPO, MIN_TEMPO
from cmt.sound.timbres import BANDS, PROGRAMS, band
from cmt.web.settings import MAX_SEED, MAX_TAKES, PREVIEW


def choices() -> dict[str, Any]:
    """What there is to choose from, as JSON has it."""
    return {
        "max_takes": MAX_TAKES,
        "max_seed": MAX_SEED,
        "tempo": [MIN_TEMPO, MAX_TEMPO],
        "preview_s": PREVIEW,
        "moods": [{"name": name, "about": mood.about} for name, mood in MOODS.items()],
        "sections": True,
        "again": True,
        "theme": True,
        "genres": list(GENRES),
        "instruments": list(INSTRUMENT_CLASS),
        "keys": list(map(str, KEYS)),
        "timbres": {track: list(names) for track, names in PROGRAMS.items()},
        # Who plays of whom nothing is asked: by style, else by mood.
        "bands": {
            "any": band(),
            "genres": {name: band(name) for name in BANDS},
            "moods": {name: band(None, mood.timbres) for name, mood in MOODS.items()},
        },
        "duck": True,
    }
