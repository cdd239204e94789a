"""What pieces are made of: folk tunes with chords, and chord progressions."""

from __future__ import annotations

import csv
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from arranged.harmony import Chord, Note
from arranged.melodies import melody
from cmt.files import InputError
from cmt.music.keys import MODES, Key
from cmt.music.midi import load_score

if TYPE_CHECKING:
    from symusic.core import ScoreTick

BLOCK_BARS = 8
BLOCK = BLOCK_BARS * 16  # ticks
VAMP = 0.3  # share of blocks
MAX_BLOCKS = 3  # of a tune
MIN_CHORDS, MIN_NOTES = 6, 24  # of a tune
MIN_BLOCK_NOTES = 12
SAME = 0.7  # of its notes, for a block to be one that was had already
MIN_CHORD_TONES = 0.6  # share of melody notes on strong beats
DENSE = 6.2  # melody notes a bar of a reel, which most styles want at half its speed
HALF_TIME = ("rock", "pop", "metal", "dance", "electronic", "ambient", "film")
# How likely a melody's manner is in a style; other styles sing.
MANNERS = {
    "metal": ("hook", "song", "pushed", "long"),
    "dance": ("hook", "pushed", "pushed", "song"),
    "electronic": ("hook", "pushed", "long", "flow"),
    "ambient": ("long",),
    "film": ("long", "long", "song", "hook"),
    "latin": ("pushed", "pushed", "song"),
    "jazz": ("flow", "pushed", "song"),
}
SUNG = ("song", "song", "pushed", "hook", "long", "flow")


@dataclass(frozen=True)
class Block:
    """Eight bars: their chords per beat, and a melody, whose upbeat may begin below tick 0."""

    chords: list[Chord]
    melody: list[Note]

    def moved(self, semitones: int) -> Block:
        """The block transposed."""
        notes = [note._replace(pitch=note.pitch + semitones) for note in self.melody]
        return Block([chord.moved(semitones) for chord in self.chords], notes)

    def half_time(self) -> Block:
        """Its first half, twice as long."""
        notes = [
            note._replace(tick=2 * note.tick, duration=2 * note.duration)
            for note in self.melody
            if note.tick < BLOCK // 2
        ]
        return Block([c for c in self.chords[: len(self.chords) // 2] for _ in (0, 1)], notes)

    def in_minor(self, key: Key) -> Block:
        """The block of a major key, in the minor key of the same tonic."""
        steps = {a: b - a for a, b in zip(MODES["major"].scale, MODES["minor"].scale, strict=True)}

        def lowered(pitch: int) -> int:
            return pitch + steps.get((pitch - key.tonic) % 12, 0)

        chords = []
        for chord in self.chords:
            root = lowered(chord.root)
            above = [root + (lowered(tone) - root) % 12 for tone in chord.tones[1:3]]
            chords.append(Chord.of([root, *above]))
        return Block(chords, [note._replace(pitch=lowered(note.pitch)) for note in self.melody])


@dataclass(frozen=True)
class Material:
    """What a piece is made of.

    Attributes:
        name: for the piece's file.
        blocks: one to three.
        key: of the blocks.
        cluster: pieces of the same one are near-copies.
        origin, licence: for the credits.
        melody: "tune", a manner of `melodies`, or "none".
    """

    name: str
    blocks: list[Block]
    key: Key
    cluster: str
    origin: str
    licence: str
    melody: str = "tune"


def read_tunes(folder: Path) -> list[Material]:
    """The tunes of Nottingham's collection (free.csv and its files) that are in four."""
    with (folder / "free.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["source"] == "nottingham"]
    tunes = []
    for row in rows:
        if row["origin_path"].count("/") != 1:
            continue
        try:
            found = _tune(load_score(folder / row["path"]))
        except InputError:
            continue
        if found:
            blocks, key = found
            cluster = f"nottingham {row['neardup_cluster'] or row['path']}"
            licence = f"{row['licence']} (collection, tunes traditional)"
            name = Path(row["path"]).stem
            tunes.append(Material(name, blocks, key, cluster, row["origin_path"], licence))
    return tunes


def _tune(score: ScoreTick) -> tuple[list[Block], Key] | None:
    """Blocks and key of a tune of one melody and one track of chords, if it can be used."""
    meters = {(s.numerator, s.denominator) for s in score.time_signatures}
    if not meters or not meters <= {(4, 4), (2, 4), (2, 2)} or len(score.tracks) < 2:
        return None
    notes, chords = _melody_of(score), _chords_of(score)
    if len(chords) < MIN_CHORDS or len(notes) < MIN_NOTES:
        return None
    start = _first_bar(notes, chords, 8 if meters == {(2, 4)} else 16)
    if start is None:
        return None
    notes = [note._replace(tick=note.tick - start) for note in notes]
    named = {tick - start: chord for tick, (chord, _) in chords.items()}
    blocks = list(_blocks(notes, named))[:MAX_BLOCKS]
    fits = [
        note.pitch % 12 in block.chords[note.tick // 4].tones
        for block in blocks
        for note in block.melody
        if 0 <= note.tick < BLOCK and note.tick % 8 == 0
    ]
    if not fits or np.mean(fits) < MIN_CHORD_TONES:
        return None
    return blocks, _key_of(score)


def _melody_of(score: ScoreTick) -> list[Note]:
    scale = 4 / score.tpq
    return sorted(
        Note(round(n.time * scale), max(1, round(n.duration * scale)), n.pitch, 92)
        for n in score.tracks[0].notes
    )


def _chords_of(score: ScoreTick) -> dict[int, tuple[Chord, int]]:
    """Chords and their durations by tick, where three notes or more sound together."""
    scale = 4 / score.tpq
    together: dict[int, list[tuple[int, int]]] = {}
    for n in score.tracks[-1].notes:
        sounding = together.setdefault(round(n.time * scale), [])
        sounding.append((n.pitch, round(n.duration * scale)))
    return {
        tick: (Chord.of(pitch for pitch, _ in notes), notes[0][1])
        for tick, notes in sorted(together.items())
        if len(notes) >= 3
    }


def _key_of(score: ScoreTick) -> Key:
    if not score.key_signatures:
        return Key(0)
    fifths, minor = score.key_signatures[0].key, bool(score.key_signatures[0].tonality)
    return Key((fifths * 7 + 9 * minor) % 12, "minor" if minor else "major")


def _first_bar(notes: Sequence[Note], chords: dict[int, tuple[Chord, int]], bar: int) -> int | None:
    """Tick of the first bar line, after an upbeat, by where chords begin; None if they differ."""
    phases = Counter({tick % bar: 0 for tick in chords})
    for tick, (_, duration) in chords.items():
        phases[tick % bar] += duration
    phase = max(phases, key=lambda p: (phases[p], -p))
    if phases[phase] < 0.5 * phases.total():
        return None
    if bar == 8:  # two bars of 2/4 are one of ours: from the first chord's
        phase = min(tick for tick in chords if tick % 8 == phase) % 16
    has_upbeat = any(note.tick < phase for note in notes)
    return phase - 16 if phase > 8 or (phase and not has_upbeat) else phase


def _blocks(notes: Sequence[Note], chords: dict[int, Chord]) -> Iterator[Block]:
    """Eight bars at a time, those left out that come again."""
    bars = max(note.tick for note in notes) // 16 + 1
    row, chord = [], chords[min(chords)]
    for beat in range(bars * 4):
        for tick in range(beat * 4, beat * 4 + 4):
            chord = chords.get(tick, chord)
        row.append(chord)
    seen: list[set[tuple[int, int]]] = []
    for bar in range(0, bars - BLOCK_BARS + 1, BLOCK_BARS):
        start = bar * 16
        mine = [note for note in notes if start - 2 <= note.tick < start + BLOCK]
        mine = [note._replace(tick=note.tick - start) for note in mine]
        about = {(note.tick, note.pitch) for note in mine if 0 <= note.tick < BLOCK - 32}
        is_new = all(len(about & old) <= SAME * len(about | old) for old in seen)
        if is_new and len(mine) >= MIN_BLOCK_NOTES:
            seen.append(about)
            yield Block(row[bar * 4 : (bar + BLOCK_BARS) * 4], mine)


@dataclass(frozen=True)
class Progression:
    """A chord progression, about C.

    Attributes:
        name: its id.
        mode: "major" or "minor".
        is_modal: whether it leaves both.
        moods: words for it.
        chords: in order, of equal length.
    """

    name: str
    mode: str
    is_modal: bool
    moods: frozenset[str]
    chords: list[Chord]
    origin: str
    licence: str


def read_progressions(path: Path) -> list[Progression]:
    """The progressions of a table, cadences left out."""
    result = []
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            if "Cadence" in row["mood"]:
                continue
            chords = [Chord.named(name) for name in row["chords"].split()]
            has_minor_tonic = any(c.root == 0 and c.quality.startswith("m") for c in chords)
            is_minor = row["mode"] == "minor" or (row["mode"] == "modal" and has_minor_tonic)
            result.append(
                Progression(
                    row["id"],
                    "minor" if is_minor else "major",
                    row["mode"] == "modal",
                    frozenset(row["mood"].split()),
                    chords,
                    row["origin"],
                    row["licence"],
                )
            )
    return result


def from_tune(rng: random.Random, tune: Material, style: str, minor: float) -> Material:
    """A tune for a style: a dense one at half its speed, a major one in minor now and then."""
    blocks, key, name = tune.blocks, tune.key, tune.name
    density = np.mean([len(block.melody) / BLOCK_BARS for block in blocks])
    if density > DENSE and rng.random() < (0.6 if style in HALF_TIME else 0.15):
        blocks = [block.half_time() for block in blocks]
    if key.mode == "major" and rng.random() < minor:
        blocks, key = [block.in_minor(key) for block in blocks], Key(key.tonic, "minor")
        name += "-minor"
    return replace(tune, name=name, blocks=blocks, key=key)


def from_progressions(
    rng: random.Random, progressions: Sequence[Progression], first: Progression, style: str
) -> Material:
    """Blocks over a progression and another of its mode and mood, with melodies or without."""
    same = [p for p in progressions if p.mode == first.mode and p is not first]
    second = rng.choice([p for p in same if p.moods & first.moods] or same)
    manner = rng.choice(MANNERS.get(style, SUNG)) if rng.random() < 0.92 else "none"
    key = Key(0, first.mode)
    blocks = []
    for progression in (first, second):
        count = len(progression.chords)
        slow = 8 if count <= 4 and rng.random() < (0.9 if style == "ambient" else 0.4) else 4
        quick = 0.25 if count <= 4 else 0.5
        per = 2 if style != "ambient" and rng.random() < quick else slow
        stays = rng.random() < VAMP  # between two chords
        used = progression.chords[:2] if stays else progression.chords
        row = [chord for chord in used for _ in range(per)]
        row = (row * 32)[: BLOCK_BARS * 4]
        notes = melody(rng, row, key, manner) if manner != "none" else []
        blocks.append(Block(row, notes))
    return Material(
        f"{first.name}-{second.name}",
        blocks,
        key,
        f"progression {first.name}",
        first.origin,
        first.licence,
        manner,
    )
