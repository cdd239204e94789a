"""A piece while it is being arranged: its sections, its parts, and what is done to them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from arranged.basses import HIGHEST, LOWEST, root_of
from arranged.drums import CRASH, KICK
from arranged.harmony import Chord, Note, voicing
from arranged.layers import Sheet
from cmt.music.keys import Key
from cmt.music.vocabulary import INSTRUMENT_CLASS, INSTRUMENTS, TICKS_PER_BAR
from cmt.music.words import NOTE_DTYPE, Song

PITCHED = ("Piano", "Guitar", "Bass", "Strings")
# Notes at one tick that a part may have: as the words hold, and hands can play.
MOST = {instrument.name: instrument.max_strength for instrument in INSTRUMENTS} | {"Bass": 1}
RANGE = {"Piano": (28, 100), "Guitar": (38, 88), "Bass": (LOWEST - 4, HIGHEST), "Strings": (36, 98)}


@dataclass(frozen=True)
class Section:
    """A stretch of a piece.

    Attributes:
        kind: I intro, A, B, X (no melody), E ending.
        start: first bar.
        bars: how many.
        melody: notes from the section's first tick on.
        is_own: an intro or ending that the groove has.
    """

    kind: str
    start: int
    bars: int
    melody: list[Note]
    is_own: bool = False

    @property
    def first(self) -> int:
        """Its first tick."""
        return self.start * TICKS_PER_BAR

    @property
    def stop(self) -> int:
        """The tick after its last."""
        return (self.start + self.bars) * TICKS_PER_BAR

    def has(self, note: Note) -> bool:
        """Whether a note begins in it."""
        return self.first <= note.tick < self.stop


@dataclass
class Draft:
    """A piece in the making.

    Attributes:
        rng: of all choices.
        style: what it sounds like.
        key: of the piece.
        chords: per beat.
        sections: in order.
        parts: notes by instrument, without the melody's.
        leads: notes of the melody by the instrument that plays it.
        lowest: of the bass's roots; drawn.
        about: names of the layers and files it was made of, in order of use.
    """

    rng: random.Random
    style: str
    key: Key
    chords: list[Chord]
    sections: list[Section]
    parts: dict[str, list[Note]] = field(default_factory=dict)
    leads: dict[str, list[Note]] = field(default_factory=dict)
    about: list[str] = field(default_factory=list)
    lowest: int = LOWEST

    def __post_init__(self) -> None:
        for name in INSTRUMENT_CLASS:
            self.parts.setdefault(name, [])
            self.leads.setdefault(name, [])
        self.lowest = self.rng.choice((28, 28, 31, 33, 36))

    @property
    def length(self) -> int:
        """Ticks."""
        return self.sections[-1].stop

    @property
    def melody(self) -> list[Note]:
        """The melody of all sections."""
        return [
            note._replace(tick=note.tick + section.first)
            for section in self.sections
            for note in section.melody
        ]

    def sheet(self) -> Sheet:
        """What players read."""
        kick = frozenset(n.tick for n in self.parts["Drums"] if n.pitch in (KICK, KICK - 1))
        return Sheet(self.chords, self.key, self.melody, kick, self.lowest)

    def add(
        self,
        name: str,
        notes: Iterable[Note],
        where: Callable[[Section], bool] = lambda section: True,
        label: str = "",
    ) -> None:
        """Give an instrument the notes that begin in some sections."""
        inside = [section for section in self.sections if where(section)]
        self.parts[name] += [n for n in notes if any(section.has(n) for section in inside)]
        if label:
            self.about.append(f"{name.lower()} {label}")

    def silence(self, name: str, section: Section) -> None:
        """Take an instrument's notes out of a section, the melody's left."""
        self.parts[name] = [note for note in self.parts[name] if not section.has(note)]

    # What is done to a piece at the end ----------------------------------------------------

    def enter_one_by_one(self) -> None:
        """Some instruments wait: through the intro, or for a section in which others play."""
        playing = [name for name in INSTRUMENT_CLASS if self.parts[name]]
        for section in self.sections:
            if section.kind == "I" and not section.is_own:
                size = self.rng.choice((1, 2, 3)) if len(playing) > 3 else min(2, len(playing))
                stay = self.rng.sample(playing, size)
                for name in playing:
                    if name not in stay:
                        self.silence(name, section)
            elif section.kind in "AX" and len(playing) >= 4 and self.rng.random() < 0.4:
                rest = [name for name in playing if name not in ("Bass", "Drums")]
                self.silence(self.rng.choice(rest), section)

    def return_note_for_note(self, chance: float) -> None:
        """Sections that come again repeat their first time, but for their last bar."""
        first: dict[str, Section] = {}
        for section in self.sections:
            old = first.setdefault(section.kind, section)
            if old is section or section.kind in "IE" or self.rng.random() >= chance:
                continue
            size = min(section.bars, old.bars) - 1
            by, stop = section.first - old.first, section.first + size * TICKS_PER_BAR
            for notes in (*self.parts.values(), *self.leads.values()):
                kept = [n for n in notes if not section.first <= n.tick < stop]
                again = [n._replace(tick=n.tick + by) for n in notes if old.has(n)]
                notes[:] = kept + [n for n in again if n.tick < stop]
            self.about.append("repeat")

    def end(self) -> None:
        """All meet on the tonic in the last bar."""
        section = self.sections[-1]
        if section.kind != "E" or section.is_own:
            return
        start = section.stop - TICKS_PER_BAR
        short = self.rng.random() < 0.25
        home = Chord(self.key.tonic, "m" if self.key.mode == "minor" else "")
        for name, notes in self.parts.items():
            played = bool(notes)
            notes[:] = [note for note in notes if note.tick < start]
            if not played:
                continue
            if name == "Drums":
                notes += [Note(start, 1, KICK, 108), Note(start, 1, CRASH, 108)]
                continue
            low, top = (50, 74) if name != "Guitar" else (45, 66)
            pitches = [root_of(self.key.tonic)] if name == "Bass" else voicing(home, None, low, top)
            notes += [Note(start, 2 if short else 14, pitch, 92) for pitch in pitches]

    def song(self) -> tuple[Song, np.ndarray]:
        """The notes on the words' grid, and their velocities (notes,)."""
        rows = []
        for name, label in INSTRUMENT_CLASS.items():
            played = _playable(name, [*self.parts[name], *self.leads[name]], self.length)
            rows += [(n.tick, n.pitch, n.duration, label, n.velocity) for n in played]
        rows.sort(key=lambda row: (row[0], row[3], row[1]))
        notes = np.array([row[:4] for row in rows], NOTE_DTYPE)
        return Song(notes, self.length), np.array([row[4] for row in rows], np.int64)


def _playable(name: str, notes: Iterable[Note], length: int) -> list[Note]:
    """What an instrument can play of it: one of each note at a time, in range, so many at once.

    Of too many notes the outer ones stay; a bass is of one voice, its lowest.
    """
    best: dict[tuple[int, int], Note] = {}
    for note in notes:
        pitch = note.pitch if name == "Drums" else _in_range(note.pitch, *RANGE[name])
        if not 0 <= note.tick < length:
            continue
        duration = max(1, min(note.duration, length - note.tick))
        new = Note(note.tick, duration, pitch, max(1, min(127, note.velocity)))
        old = best.get((new.tick, pitch))
        if old is None or (new.duration, new.velocity) > (old.duration, old.velocity):
            best[new.tick, pitch] = new
    by_tick: dict[int, list[Note]] = {}
    for note in sorted(best.values()):
        by_tick.setdefault(note.tick, []).append(note)
    kept: list[Note] = []
    following: dict[int, int] = {}  # pitch, or any of a bass → tick of its next onset
    for tick in sorted(by_tick, reverse=True):
        chord = sorted(by_tick[tick], key=lambda note: note.pitch)
        while len(chord) > MOST[name]:
            del chord[1 if name != "Bass" and len(chord) > 2 else -1]
        for note in chord:
            voice = 0 if name == "Bass" else note.pitch
            duration = min(note.duration, following.get(voice, length) - tick)
            kept.append(note._replace(duration=max(1, duration)))
        following.update((0 if name == "Bass" else note.pitch, tick) for note in chord)
    return kept[::-1]


def _in_range(pitch: int, low: int, high: int) -> int:
    """The pitch, by octaves, within a range."""
    while pitch < low:
        pitch += 12
    while pitch > high:
        pitch -= 12
    return pitch
