"""A theme: a melody that a piece has where its first section begins, out of a MIDI file or hummed.

Its notes are given to one instrument, at the ticks that they have there, and the model
writes the rest around them; where the first section returns they return. The key is that of the
melody, unless another is asked for, to which it is then moved.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from cmt.files import InputError, plain
from cmt.form import INTRO, LONGEST, Form
from cmt.media.sound_file import read_sound
from cmt.music import singing, smf
from cmt.music.chords import HALVES, Chord
from cmt.music.keys import MODES, PITCH_CLASSES, Key, find_key
from cmt.music.midi import read_midi
from cmt.music.pitch import RATE
from cmt.music.vocabulary import (
    DRUMS,
    INSTRUMENT_CLASS,
    INSTRUMENT_OF,
    MAX_DURATION,
    PITCHES,
    TICKS_PER_BAR,
)
from cmt.plan import BarPlan, Plan
from cmt.sections import SectionWish, wish_of
from cmt.untrusted import entries, items, one_of, whole

MOST_TICKS = LONGEST * TICKS_PER_BAR  # of a section
LEADS = ("Piano", "Guitar", "Strings")  # who has a melody that nobody else is given for
# Of the chords under a melody: what a tick on none of their tones costs, what the bar's first note
# is worth beside its length, and how much rather those on some degrees are taken, semitones above
# the tonic.
STRANGE, FIRST = 0.7, 3.0
DEGREES = {0: 1.5, 7: 1.0, 5: 1.0}
MOST_SECONDS = 120.0  # of what is hummed
MIDI_NAMES = (".mid", ".midi", ".kar", ".rmi")


@dataclass(frozen=True)
class Theme:
    """A melody.

    Attributes:
        notes: tick, pitch and ticks that it lasts of each, one after the other; the first begins in
            bar 0, the last within `MOST_TICKS`.
        instrument: that plays them.
    """

    notes: tuple[tuple[int, int, int], ...]
    instrument: str = LEADS[0]

    @cached_property
    def key(self) -> Key:
        """The key that it is in."""
        weights = np.zeros(PITCH_CLASSES)
        for _, pitch, length in self.notes:
            weights[pitch % PITCH_CLASSES] += length
        return find_key(weights, melodic=True) or Key(self.notes[0][1] % PITCH_CLASSES)

    def to(self, key: Key) -> Theme:
        """The same in a key, moved by half an octave at most; of another mode, in its relative."""
        tonic = key.tonic
        if key.mode != self.key.mode:
            tonic += 3 if key.mode == "minor" else -3
        up = (tonic - self.key.tonic + 5) % PITCH_CLASSES - 5
        pitches = [pitch + up for _, pitch, _ in self.notes]
        up += PITCH_CLASSES * ((min(pitches) < 0) - (max(pitches) >= PITCHES))
        moved = tuple((tick, pitch + up, length) for tick, pitch, length in self.notes)
        return replace(self, notes=moved)

    def bar(self, bar: int) -> dict[int, tuple[int, int]]:
        """Pitch and length of the notes that begin in one of its bars, by tick in the bar."""
        start = bar * TICKS_PER_BAR
        return {
            tick - start: (pitch, length)
            for tick, pitch, length in self.notes
            if start <= tick < start + TICKS_PER_BAR
        }


def theme_of(content: object) -> Theme | None:
    """The theme that JSON has: `notes`, [[tick, pitch, ticks], …], and `instrument`; None is none.

    Raises:
        ValueError, KeyError: it is no theme.
    """
    if content is None:
        return None
    given = entries(content, "theme")
    rows: list[tuple[int, int, int]] = []
    free = 0
    for row in items(given["notes"], "notes"):
        tick, pitch, length = items(row, "note")
        tick = whole(tick, "tick of a note", free, MOST_TICKS - 1)
        length = whole(length, "length of a note", 1, MAX_DURATION)
        rows.append((tick, whole(pitch, "pitch", 0, PITCHES - 1), length))
        free = tick + length
    if not rows:
        raise ValueError("a theme without notes")
    pitched = [name for name, label in INSTRUMENT_CLASS.items() if label != DRUMS]
    return Theme(tuple(rows), one_of(given["instrument"], "instrument", pitched))


def read_theme(path: str | Path) -> Theme:
    """The melody of a MIDI file, or of a sound in which one voice hums, sings or whistles it.

    What is longer than a section is left out.

    Raises:
        InputError: the file cannot be read, is neither, or no melody is found in it.
    """
    path = Path(path)
    melody, instrument = _written(path) if is_midi(path) else (_hummed(path), LEADS[0])
    return Theme(tuple(note for note in melody if note[0] < MOST_TICKS), instrument)


def is_midi(path: Path) -> bool:
    """Whether a file is a MIDI file: by what is in it; by its name, where that tells nothing.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with plain(path).open("rb") as file:
            head = file.read(smf.SEARCHED)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    return smf.HEADER in head or path.suffix.lower() in MIDI_NAMES


def _hummed(path: Path) -> list[tuple[int, int, int]]:
    """Tick, pitch and length of the notes that a voice has."""
    try:
        return singing.melody(read_sound(path, RATE, MOST_SECONDS))
    except ValueError as error:
        raise InputError(
            f"{path}: {error}; hum, sing or whistle a tune alone, near the microphone"
        ) from error


def _written(path: Path) -> tuple[list[tuple[int, int, int]], str]:
    """The highest of the pitched notes of a MIDI file, bass aside, and who has most of them.

    Bars that are silent before them are left out.
    """
    song = read_midi(path).song
    notes = song.pitched
    above = notes[notes["instrument"] != INSTRUMENT_CLASS["Bass"]]
    notes = above if len(above) else notes
    if not len(notes):
        raise InputError(f"{path}: has no melody, only drums; give a tune")
    melody = _skyline(notes)
    start = melody[0][0] // TICKS_PER_BAR * TICKS_PER_BAR
    moved = [(tick - start, pitch, length) for tick, pitch, length, _ in melody]
    labels = [label for *_, label in melody]
    instrument = INSTRUMENT_OF[max(set(labels), key=labels.count)].name
    return moved, instrument if instrument in LEADS else LEADS[0]


def _skyline(notes: np.ndarray) -> list[tuple[int, int, int, int]]:
    """The highest notes, each up to the next: tick, pitch, length, instrument.

    A note under one that sounds as long as it, or longer, is none of them.
    """
    melody: list[tuple[int, int, int, int]] = []
    rows = notes[["tick", "pitch", "duration", "instrument"]].tolist()
    for tick, pitch, length, label in sorted(rows, key=lambda note: (note[0], -note[1])):
        if melody:
            before = melody[-1]
            under = pitch < before[1] and tick + length <= before[0] + before[2]
            if tick == before[0] or under:
                continue
            melody[-1] = (*before[:2], min(before[2], tick - before[0]), before[3])
        melody.append((tick, pitch, max(1, min(length, MAX_DURATION)), label))
    return melody


def with_theme(
    plan: Plan,
    form: Form,
    theme: Theme,
    playing: Collection[str],
    *,
    ending: bool,
    wishes: Sequence[SectionWish] = (),
    chords: bool = False,
) -> tuple[Plan, Form]:
    """What a piece is to be that has a theme in its first section, and where that returns.

    A bar's density is at least what theme and visual beats need. Where nobody asks for others the
    bars of the theme get chords that suit it.

    Args:
        plan: of the piece.
        form: of the piece.
        theme: the melody.
        playing: names of the instruments that may play.
        ending: whether the last bar resolves; it then has nothing of the theme.
        wishes: for single sections, by bar.
        chords: whether somebody asks for chords of the whole piece.
    """
    theme = theme.to(form.key)
    names = [name for name in (theme.instrument, *LEADS, "Bass") if name in playing]
    if not names:
        return plan, form
    lead = INSTRUMENT_CLASS[names[0]]
    opening = next(part for part in form.sections if part.label != INTRO)
    inside = range(opening.start, opening.start + opening.bars)
    bars, named = list(plan.bars), list(form.chords)
    rests = [index for index, bar in enumerate(bars) if bar.rests]
    for index, bar in enumerate(bars):
        first = index if index in inside else form.returns[index]
        if first is None or first not in inside or (ending and index >= (plan.last_bar or 0)):
            continue
        sung = theme.bar(first - opening.start)
        if not sung:
            continue
        if not chords and not wish_of(wishes, index).chords:
            chord = chord_under(sung, form.key)
            named[HALVES * index : HALVES * (index + 1)] = [chord] * HALVES
        silence = min(filter(index.__lt__, rests), default=len(bars)) - index
        bars[index] = _with_notes(bar, sung, lead, silence * TICKS_PER_BAR)
    return (
        replace(plan, bars=tuple(bars), lead=lead),
        replace(form, chords=tuple(named)),
    )


def _with_notes(
    bar: BarPlan, sung: Mapping[int, tuple[int, int]], lead: int, silence: int
) -> BarPlan:
    """A bar with notes of the theme; those that last do so until a rest, so many ticks later."""
    if bar.rests or (bar.playing is not None and lead not in bar.playing):
        return bar
    given = {
        tick: (pitch, min(length, silence - tick))
        for tick, (pitch, length) in sung.items()
        if tick < bar.ticks
    }
    density = bar.density
    if density is not None:
        density = max(density, len({*bar.strengths, *given}))
    return replace(bar, density=density, given=given)


def chord_under(sung: Mapping[int, tuple[int, int]], key: Key) -> Chord:
    """The triad of a key that suits a bar of a melody best."""
    first = min(sung)
    weights = np.zeros(PITCH_CLASSES)
    for tick, (pitch, length) in sung.items():
        weights[pitch % PITCH_CLASSES] += length + FIRST * (tick == first)

    def suits(chord: Chord) -> float:
        strange = weights.sum() - weights[chord.tones].sum()
        degree = (chord.root - key.tonic) % PITCH_CLASSES
        return float(weights[chord.tones].sum() - STRANGE * strange + DEGREES.get(degree, 0.0))

    return max(_triads(key), key=suits)


def _triads(key: Key) -> list[Chord]:
    """The major and minor triads of a key; of minor ones with the major dominant."""
    scale = {step % PITCH_CLASSES for step in MODES[key.mode].scale}
    found = [
        Chord((key.tonic + step) % PITCH_CLASSES, quality)
        for step in MODES[key.mode].scale
        for quality, third in (("", 4), ("m", 3))
        if {(step + third) % PITCH_CLASSES, (step + 7) % PITCH_CLASSES} <= scale
    ]
    return [*found, Chord(key.tonic).up(7)] if key.mode == "minor" else found
