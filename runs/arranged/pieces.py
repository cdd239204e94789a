"""From material to a piece: form, players, melody, doublings, entries, returns, ending."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from arranged import bands, variety
from arranged.draft import PITCHED, Draft, Section
from arranged.drums import CRASH, Drummers, Pattern, own_patterns
from arranged.grooves import Groove, Library, play
from arranged.harmony import Chord, Note, enriched
from arranged.tunes import BLOCK_BARS, Block, Material
from cmt.music.keys import Key
from cmt.music.words import Song

FORMS = (
    "IABABE",
    "IAABAE",
    "IABXABE",
    "IAABXABE",
    "IABABXBE",
    "AABABE",
    "IAABBAE",
    "IABXBE",
    "AABXABE",
    "IXABABE",
    "IABAXBE",
)
TEMPI = {  # BPM, lowest and highest
    "rock": (108, 152),
    "metal": (112, 184),
    "pop": (84, 126),
    "country": (92, 150),
    "dance": (112, 132),
    "electronic": (92, 144),
    "ambient": (60, 96),
    "film": (66, 132),
    "latin": (96, 136),
    "blues": (84, 132),
    "folk": (100, 128),
    "jazz": (100, 176),
    "reggae": (76, 104),
}
SLOW = re.compile("ballad|slow|lullaby|bald|spiritual|mellow", re.IGNORECASE)
# Who plays the melody, and how likely.
SINGERS = {
    "rock": {"Guitar": 2, "Strings": 7, "Piano": 1},
    "metal": {"Guitar": 2, "Strings": 7, "Piano": 1},
    "country": {"Guitar": 2, "Strings": 7, "Piano": 1},
    "dance": {"Strings": 5, "Piano": 3, "Guitar": 1},
    "electronic": {"Strings": 6, "Piano": 3, "Guitar": 1},
    "ambient": {"Strings": 5, "Piano": 4, "Guitar": 2},
    "film": {"Strings": 5, "Piano": 4, "Guitar": 2},
}
SUNG_BY = {"Strings": 7, "Piano": 2, "Guitar": 2}
OCTAVES = (0, 0, 0, 12)  # above it
CENTRE = {"Piano": 72, "Guitar": 65, "Strings": 75}  # of a melody's pitches
THIN = 0.17  # share of pieces with few onsets between beats
# Who doubles whom.
DOUBLED = (
    ("Guitar", "Piano"),
    ("Piano", "Strings"),
    ("Guitar", "Strings"),
    ("Strings", "Guitar"),
    ("Strings", "Piano"),
)


@dataclass(frozen=True)
class Piece:
    """A finished piece, and what is told of it.

    Attributes:
        song: its notes.
        velocities: (notes,).
        chords: per beat.
        key, bpm, form: of the piece.
        files: grooves, drummers and fills that it was made of.
        layers: names of what was added.
        singer: the instrument of the melody, or nothing.
    """

    song: Song
    velocities: np.ndarray
    chords: list[Chord]
    key: Key
    bpm: int
    form: str
    groove_file: str
    files: list[str]
    layers: list[str]
    singer: str


@dataclass
class Studio:
    """What arrangers work with: grooves, drummers, and a folder for mma's files."""

    library: Library
    drummers: Drummers
    folder: Path
    used: Counter[str]


def arrange(
    rng: random.Random, material: Material, style: str, groove_file: str, studio: Studio
) -> Piece:
    """A piece of some material in a style; without a groove file, the band is ours.

    Raises:
        RuntimeError: mma refused.
    """
    shift = rng.randrange(-6, 6)
    key = replace(material.key, tonic=(material.key.tonic + shift) % 12)
    blocks = [block.moved(shift) for block in material.blocks]
    blocks = [
        replace(block, chords=enriched(rng, block.chords, style, key, block.melody))
        for block in blocks
    ]
    form = rng.choice(FORMS)
    grooves = _Grooves(rng, studio.library, groove_file) if groove_file else None
    draft, plan = _laid_out(rng, style, key, form, blocks, grooves)
    files: list[str] = list(dict.fromkeys(plan)) if grooves else []
    if style in ("film", "ambient"):
        bands.play_film(draft)
    else:
        if grooves:
            bars = [draft.chords[i : i + 4] for i in range(0, len(draft.chords), 4)]
            seed = rng.randrange(1 << 20)
            draft.parts |= play(bars, plan, studio.folder, seed, grooves.swung)
        files += _drums(draft, studio, own=not grooves, swung=bool(grooves and grooves.swung))
        bands.complete(draft, own=not grooves)
    variety.vary(draft)
    if rng.random() < THIN:
        variety.thin(draft)
    singer = _sing(draft)
    if style not in ("film", "ambient"):
        _double(draft)
        draft.enter_one_by_one()
    variety.play(draft)
    draft.return_note_for_note(rng.choice((0.3, 0.8, 0.8, 1)))
    draft.end()
    song, velocities = draft.song()
    low, high = TEMPI[style]
    bpm = round(rng.uniform(low, high) * (0.72 if SLOW.search(groove_file) else 1))
    layers = list(dict.fromkeys(draft.about))
    return Piece(song, velocities, draft.chords, key, bpm, form, groove_file, files, layers, singer)


class _Grooves:
    """A file's grooves, by what they are used for in a piece."""

    def __init__(self, rng: random.Random, library: Library, file: str) -> None:
        free = library.least_used(file)
        chosen = free if len(free) <= 2 else [free[0], rng.choice(free[1:])]
        self.mains = sorted(chosen, key=lambda groove: groove.notes)
        self.verse, self.chorus = self.mains[0], self.mains[-1]
        roles = library.by_file[file]
        self.intros, self.fills, self.ends = roles["intro"], roles["fill"], roles["end"]
        self.swung = any(groove.swung for groove in self.mains)
        library.count(file, self.mains)


def _laid_out(
    rng: random.Random,
    style: str,
    key: Key,
    form: str,
    blocks: Sequence[Block],
    grooves: _Grooves | None,
) -> tuple[Draft, list[str]]:
    """The piece's sections and chords, and the groove of each bar (empty names without)."""
    first, second = blocks[0], blocks[1] if len(blocks) > 1 else blocks[0]
    home = Chord(key.tonic, "m" if key.mode == "minor" else "")
    chords: list[Chord] = []
    sections: list[Section] = []
    plan: list[str] = []
    for index, kind in enumerate(form):
        notes: list[Note] = []
        extra: list[Groove] = []
        if kind == "I":
            bars = rng.choice((2, 4, 4))
            row = first.chords[-bars * 4 :] if rng.random() < 0.5 else first.chords[: bars * 4]
            extra = grooves.intros if grooves and rng.random() < 0.4 else []
        elif kind == "E":
            bars = rng.choice((1, 2))
            row = [home] * 4 * bars
            extra = grooves.ends if grooves and rng.random() < 0.5 else []
        else:
            block = second if kind == "B" else first
            bars, row = BLOCK_BARS, block.chords
            notes = block.melody if kind != "X" else []
        names = [""] * bars
        if grooves:
            again = index > 0 and form[index - 1] == kind
            names = _section_grooves(rng, grooves, kind, bars, again, extra)
        sections.append(Section(kind, len(chords) // 4, bars, notes, bool(extra)))
        chords += row
        plan += names
    return Draft(rng, style, key, chords, sections), plan


def _section_grooves(
    rng: random.Random,
    grooves: _Grooves,
    kind: str,
    bars: int,
    again: bool,
    extra: Sequence[Groove],
) -> list[str]:
    """The groove of each bar of a section: its own, or a main one and a fill."""
    if extra:
        return [rng.choice(extra).name] * bars
    if kind in "IE":
        return [(grooves.chorus if kind == "E" else grooves.verse).name] * bars
    main = grooves.chorus if kind == "B" or (again and rng.random() < 0.5) else grooves.verse
    if kind == "X":
        main = rng.choice(grooves.mains)
    names = [main.name] * bars
    if grooves.fills and rng.random() < 0.6:
        names[-1] = rng.choice(grooves.fills).name
    elif len(grooves.mains) > 1 and rng.random() < 0.2:
        names[bars // 2 :] = [rng.choice(grooves.mains).name] * (bars - bars // 2)
    return names


def _drums(draft: Draft, studio: Studio, own: bool, swung: bool) -> list[str]:
    """The drums: of the groove, of our own patterns, or a drummer's; their files."""
    rng, style = draft.rng, draft.style
    beats = studio.drummers.beats_for(style) if not swung else []
    x = rng.random()
    takes_own = own and x < (0.95 if style in ("metal", "electronic", "dance") else 0.6)
    if takes_own or (not own and x < 0.2 and style not in ("latin", "jazz", "reggae", "folk")):
        bands.loop(draft, own_patterns(rng, style))
    elif beats and (own or x < 0.45):
        return _drummer(draft, studio, beats)
    elif not draft.parts["Drums"] and style not in ("folk", "jazz"):
        bands.loop(draft, own_patterns(rng, style))
    elif rng.random() < 0.65:
        _looped(draft)
    return _fills(draft, studio)


def _drummer(draft: Draft, studio: Studio, beats: Sequence[Pattern]) -> list[str]:
    """A drummer plays through the whole piece, from some fourth bar of what was recorded on."""
    rng = draft.rng
    keyed = sorted(beats, key=lambda beat: studio.used[beat.source] + rng.random())
    beat = rng.choice(keyed[:6])
    studio.used[beat.source] += 1
    bars = draft.length // 16
    room = beat.bars - bars
    start = rng.randrange(0, room + 1, 4) if room >= 4 else 0
    draft.parts["Drums"] = [n for bar in range(bars) for n in beat.at(bar, bar + start)]
    draft.about.append("drummer")
    return [beat.source]


def _looped(draft: Draft) -> None:
    """The groove's drums as a loop of some bars in each section, as sequencers have them."""
    size = draft.rng.choice((1, 2, 2, 4))
    drums = Pattern(draft.length // 16, draft.parts["Drums"], "groove")
    first: dict[str, int] = {}
    notes: list[Note] = []
    for section in draft.sections:
        skipped = section.bars > size + 1 and section.kind != "I"  # a crash of the first bar's
        first.setdefault(section.kind, section.start + skipped)
        is_as_played = section.is_own or section.kind == "E"
        for bar in range(section.start, section.start + section.bars):
            source = bar if is_as_played else first[section.kind] + (bar - section.start) % size
            notes += drums.at(bar, source)
    draft.parts["Drums"] = notes
    draft.about.append("drums loop")


def _fills(draft: Draft, studio: Studio) -> list[str]:
    """A drummer's fill at the end of a section, and a crash after it; their files."""
    rng, drums = draft.rng, draft.parts["Drums"]
    if not drums:
        return []
    fills = rng.sample(studio.drummers.fills_for(draft.style), 3)
    used = []
    for section in draft.sections[:-1]:
        if section.is_own or rng.random() > 0.75:
            if rng.random() < 0.5:
                drums.append(Note(section.stop, 1, CRASH, 106))
            continue
        fill, bar = rng.choice(fills), section.start + section.bars - 1
        cut = bar * 16 + rng.choice((4, 8, 8, 8, 12, 12))
        drums[:] = [n for n in drums if not cut <= n.tick < bar * 16 + 16]
        drums += [n for n in fill.at(bar, 0) if n.tick >= cut]
        if rng.random() < 0.8:
            drums.append(Note(section.stop, 1, CRASH, 106))
        used.append(fill.source)
    return list(dict.fromkeys(used))


def _sing(draft: Draft) -> str:
    """Give the melody to an instrument or two; the first one's name."""
    rng = draft.rng
    if not any(section.melody for section in draft.sections):
        return ""
    table = SINGERS.get(draft.style, SUNG_BY)
    weights = [
        weight * (1.6 if len(draft.parts[name]) < 40 else 1) for name, weight in table.items()
    ]
    first = rng.choices(list(table), weights)[0]
    second = rng.choices(list(table), weights)[0] if rng.random() < 0.6 else first
    doubling, harmony = rng.random() < 0.5, rng.random() < 0.25
    other_again = rng.random() < 0.3
    seen: Counter[str] = Counter()
    for section in draft.sections:
        if not section.melody:
            continue
        seen[section.kind] += 1
        is_second = section.kind == "B" or (seen[section.kind] > 1 and other_again)
        singers = [second if is_second else first]
        if doubling and (section.kind == "B" or other_again):
            singers = list(dict.fromkeys((first, second)))
        for name in singers:
            draft.leads[name] += _sung(draft, section, name, harmony and section.kind == "B")
    return first


def _sung(draft: Draft, section: Section, name: str, harmony: bool) -> list[Note]:
    """A section's melody in an instrument's octave, with chord tones below it or without."""
    middle = float(np.median([note.pitch for note in section.melody]))
    up = 12 * round((CENTRE[name] - middle) / 12)
    # The same octave wherever the section comes.
    up += random.Random(f"{draft.length} {section.kind} {middle}").choice(OCTAVES)
    notes = []
    for note in section.melody:
        tick = section.first + note.tick
        if not 0 <= tick < draft.length:
            continue
        notes.append(note._replace(tick=tick, pitch=note.pitch + up))
        if harmony and note.duration >= 2:
            tones = draft.chords[tick // 4].tones
            pitch = note.pitch + up
            below = [p for p in range(pitch - 9, pitch - 2) if p % 12 in tones]
            if below:
                notes.append(Note(tick, note.duration, below[-1], note.velocity - 10))
    return notes


def _double(draft: Draft) -> None:
    """Unisons: the bass doubled by another, one part or its top by another."""
    rng, parts = draft.rng, draft.parts
    if rng.random() < 0.45:
        name, up = rng.choice(("Piano", "Guitar", "Strings")), rng.choice((0, 12, 12))
        if len(parts[name]) > 8:
            notes = [n._replace(pitch=n.pitch + up, velocity=80) for n in parts["Bass"]]
            where = bands.plays(rng.choice(("B", "AB", "BEX")))
            draft.add(name, notes, where, "doubles bass")
    for source, name in rng.sample(DOUBLED, rng.choice((1, 1, 2, 2))):
        notes = list(parts[source])
        if rng.random() < 0.5:
            top: dict[int, Note] = {}
            for note in notes:
                if note.tick not in top or note.pitch > top[note.tick].pitch:
                    top[note.tick] = note
            notes = list(top.values())
        if len(notes) > 8 and name in PITCHED:
            where = bands.plays(rng.choice(("B", "B", "AB", "X")))
            draft.add(name, notes, where, f"with {source.lower()}")
