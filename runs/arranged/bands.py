"""Which layers a style's players choose from, and how they are put into sections."""

from __future__ import annotations

from collections.abc import Callable

from arranged import basses, layers
from arranged.draft import PITCHED, Draft, Section
from arranged.drums import Pattern, own_patterns, tom_pattern
from arranged.harmony import Note
from arranged.layers import Layer

Players = dict[str, tuple[float, tuple[Layer, ...]]]

# Per style and instrument: how likely it plays, and what.
PLAYERS: dict[str, Players] = {
    "metal": {
        "Bass": (1, (basses.with_kick,)),
        "Guitar": (1, (layers.power, layers.power, layers.muted)),
        "Strings": (
            0.7,
            (layers.pad, layers.pad, layers.line, layers.counter, layers.ostinato),
        ),
        "Piano": (0.25, (layers.arpeggio, layers.pad, layers.sparkle)),
    },
    "dance": {
        "Bass": (1, (basses.danced, basses.danced, basses.with_kick, basses.melodic)),
        "Strings": (
            1,
            (layers.stabs, layers.arpeggio, layers.pad, layers.pad, layers.line, layers.counter),
        ),
        "Piano": (0.65, (layers.stabs, layers.keys, layers.wide, layers.pad)),
        "Guitar": (0.4, (layers.strum, layers.muted, layers.counter)),
    },
    "electronic": {
        "Bass": (1, (basses.danced, basses.with_kick, basses.plain)),
        "Strings": (1, (layers.arpeggio, layers.pad, layers.stabs, layers.ostinato, layers.high)),
        "Piano": (0.55, (layers.sparkle, layers.keys, layers.arpeggio, layers.pad)),
        "Guitar": (0.35, (layers.muted, layers.sparkle, layers.arpeggio, layers.counter)),
    },
    "rock": {
        "Bass": (1, (basses.with_kick, basses.with_kick, basses.melodic)),
        "Guitar": (1, (layers.power, layers.strum, layers.arpeggio, layers.muted, layers.muted)),
        "Piano": (0.5, (layers.keys, layers.hands, layers.pad, layers.line, layers.wide)),
        "Strings": (0.6, (layers.pad, layers.pad, layers.line, layers.counter, layers.high)),
    },
    "pop": {
        "Bass": (1, (basses.with_kick, basses.with_kick, basses.plain, basses.melodic)),
        "Guitar": (
            0.8,
            (layers.strum, layers.arpeggio, layers.arpeggio, layers.picked, layers.muted),
        ),
        "Piano": (0.8, (layers.keys, layers.hands, layers.pad, layers.wide, layers.counter)),
        "Strings": (0.75, (layers.pad, layers.pad, layers.line, layers.counter, layers.high)),
    },
    "country": {
        "Bass": (1, (basses.walking, basses.walking, basses.melodic)),
        "Guitar": (1, (layers.picked, layers.strum, layers.strum)),
        "Piano": (0.4, (layers.keys, layers.hands, layers.pad)),
        "Strings": (0.5, (layers.line, layers.counter, layers.pad)),
    },
}
# Styles whose grooves' basses may give way to one of ours, and how often.
OWN_BASS = {"rock": 0.7, "pop": 0.7, "country": 0.4, "dance": 0.6, "electronic": 0.6, "blues": 0.25}
OWN_GUITAR = 0.5  # how often a groove's guitar gives way, in any style

# Textures of film music: instrument, layers to choose from, and from which intensity on they play.
FILM: dict[str, tuple[tuple[str, tuple[Layer, ...], int], ...]] = {
    "arpeggio": (
        ("Piano", (layers.arpeggio, layers.wide), 1),
        ("Strings", (layers.pad, layers.line), 2),
        ("Bass", (basses.long_notes,), 2),
        ("Guitar", (layers.sparkle, layers.muted), 3),
    ),
    "ostinato": (
        ("Strings", (layers.ostinato,), 1),
        ("Bass", (basses.long_notes, basses.plain), 2),
        ("Piano", (layers.sparkle, layers.keys), 3),
        ("Strings", (layers.line,), 3),
    ),
    "piano": (
        ("Piano", (layers.hands, layers.hands, layers.wide), 1),
        ("Bass", (basses.long_notes,), 2),
        ("Strings", (layers.pad, layers.line, layers.counter), 3),
    ),
    "chorale": (
        ("Strings", (layers.pad,), 1),
        ("Bass", (basses.long_notes,), 2),
        ("Piano", (layers.arpeggio, layers.sparkle), 2),
        ("Strings", (layers.counter,), 3),
    ),
    "guitar": (
        ("Guitar", (layers.picked, layers.arpeggio, layers.muted), 1),
        ("Bass", (basses.long_notes, basses.plain), 2),
        ("Strings", (layers.pad, layers.line), 2),
        ("Piano", (layers.sparkle, layers.keys), 3),
    ),
    "hybrid": (
        ("Bass", (basses.danced, basses.plain), 1),
        ("Strings", (layers.ostinato, layers.arpeggio), 2),
        ("Piano", (layers.sparkle, layers.stabs, layers.arpeggio), 2),
        ("Guitar", (layers.power, layers.muted), 3),
        ("Strings", (layers.pad,), 3),
    ),
    "ambient": (
        ("Strings", (layers.pad, layers.line), 1),
        ("Piano", (layers.sparkle, layers.wide), 2),
        ("Bass", (basses.long_notes,), 2),
        ("Guitar", (layers.sparkle, layers.arpeggio), 3),
        ("Strings", (layers.high,), 3),
    ),
}
DRUMMED = {"arpeggio": 0.3, "ostinato": 0.6, "hybrid": 0.85, "guitar": 0.3, "piano": 0.15}
INTENSITY = {"I": 1, "A": 2, "B": 3, "X": 2, "E": 2}

EVERYWHERE, CHORUS = "IABXE", "BEX"
SOME = (EVERYWHERE, CHORUS, "AB", "B", "BX")
# How often an instrument has a second part.
SECOND = {"Strings": 0.6, "Piano": 0.45, "Guitar": 0.25}


def plays(kinds: str) -> Callable[[Section], bool]:
    """Whether a section is of one of some kinds."""
    return lambda section: section.kind in kinds


def add_riff(draft: Draft) -> None:
    """Metal's guitar and bass, in unison; a chorus may have power chords in place of it."""
    guitar, bass = layers.riff(draft.rng, draft.sheet())
    chorus = draft.rng.random() < 0.4
    where = plays("IAXE") if chorus else plays(EVERYWHERE)
    draft.parts["Guitar"], draft.parts["Bass"] = [], []
    draft.add("Guitar", guitar, where, "riff")
    draft.add("Bass", bass, where)
    if chorus:
        draft.add("Guitar", layers.power(draft.rng, draft.sheet()), plays("B"), "power")
        draft.add("Bass", basses.with_kick(draft.rng, draft.sheet()), plays("B"))


def complete(draft: Draft, own: bool) -> None:
    """Layers for the instruments that have no part yet; `own`: the whole band is ours."""
    rng, sheet = draft.rng, draft.sheet()
    players = PLAYERS.get(draft.style, PLAYERS["pop"])
    if draft.style == "metal" and rng.random() < 0.8:
        add_riff(draft)
    if not own and rng.random() < OWN_BASS.get(draft.style, 0):
        draft.parts["Bass"] = []
    if not own and rng.random() < OWN_GUITAR:
        draft.parts["Guitar"] = []
    for name in sorted(players, key=PITCHED.index):
        chance, choices = players[name]
        if len(draft.parts[name]) >= 8 or rng.random() > chance * (1 if own else 0.9):
            continue
        draft.parts[name] = []
        verse = rng.choice(choices)
        where = plays(rng.choice((EVERYWHERE, EVERYWHERE, CHORUS, "AB", "ABX")))
        if name == "Bass" or (own and name == "Guitar"):
            where = plays(EVERYWHERE)
        chorus = rng.choice(choices) if rng.random() < 0.4 else verse
        if chorus is verse:
            draft.add(name, verse(rng, sheet), where, verse.__name__)
        else:
            draft.add(name, verse(rng, sheet), plays("IAXE"), verse.__name__)
            draft.add(name, chorus(rng, sheet), plays("B"), chorus.__name__)
    for name, chance in SECOND.items():  # a track of a song is often two players
        if name in players and draft.parts[name] and rng.random() < chance:
            other = rng.choice(players[name][1])
            draft.add(name, other(rng, sheet), plays(rng.choice(SOME)), other.__name__)
    if "strings counter" not in draft.about and rng.random() < 0.4:
        draft.add("Strings", layers.counter(rng, sheet), plays(rng.choice(SOME)), "counter")


def play_film(draft: Draft) -> None:
    """A texture of film music, which grows with the sections' intensity."""
    rng, sheet = draft.rng, draft.sheet()
    kind = "ambient" if draft.style == "ambient" else rng.choice(sorted(FILM.keys() - {"ambient"}))
    draft.about.append(f"texture {kind}")
    for name, choices, level in FILM[kind]:
        layer = rng.choice(choices)
        kinds = "".join(k for k, intensity in INTENSITY.items() if intensity >= level)
        draft.add(name, layer(rng, sheet), plays(kinds), layer.__name__)
    if rng.random() < DRUMMED.get(kind, 0):
        patterns = own_patterns(rng, "film")
        if rng.random() < 0.3:
            patterns = dict.fromkeys(patterns, tom_pattern(rng))
        loop(draft, patterns, rng.choice(("B", "BX", "ABX")))


def loop(draft: Draft, patterns: dict[str, Pattern], kinds: str = EVERYWHERE) -> None:
    """Drums from patterns by kind of section."""
    names = {"B": "chorus", "X": draft.rng.choice(("break", "verse", "chorus"))}
    drums: list[Note] = []
    for section in draft.sections:
        pattern = patterns[names.get(section.kind, "verse")]
        for bar in range(section.bars if section.kind in kinds else 0):
            drums += pattern.at(section.start + bar, bar)
    draft.parts["Drums"] = drums
    draft.about.append("drums " + next(iter(patterns.values())).source)
