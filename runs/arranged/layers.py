"""Parts of our own over chords: pads, arpeggios, chords on a rhythm, riffs, counter-lines.

Every layer plays the whole piece; who plays when is decided in `pieces`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from arranged.harmony import Chord, Note, Span, nearest, scale_at, spans, voicing
from arranged.rhythms import (
    COUNTER_CELLS,
    GUITAR_RHYTHMS,
    ORDERS,
    OSTINATI,
    PIANO_RHYTHMS,
    RIFF_RHYTHMS,
    STAB_RHYTHMS,
    alternating,
    lengths,
    rhythmic,
    velocity,
)
from cmt.music.keys import Key


@dataclass(frozen=True)
class Sheet:
    """What all players of a piece read.

    Attributes:
        chords: per beat.
        key: of the piece.
        melody: notes of the whole piece.
        kick: ticks at which the bass drum is hit.
        lowest: pitch that the bass's roots are not below.
        spans: the chords' stays.
    """

    chords: Sequence[Chord]
    key: Key
    melody: Sequence[Note] = ()
    kick: frozenset[int] = frozenset()
    lowest: int = 28
    spans: list[Span] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "spans", spans(self.chords))


Layer = Callable[[random.Random, Sheet], list[Note]]


def pad(rng: random.Random, sheet: Sheet) -> list[Note]:
    """Chords held; a tone that stays is held on, for a bar or longer."""
    low, high = rng.choice(((55, 76), (60, 81), (52, 72)))
    size = rng.choice((3, 4, 4, 3, 2))
    notes: list[Note] = []
    tied = rng.random() < 0.4  # over the bar line, too
    last: list[int] | None = None
    for span in sheet.spans:
        last = voicing(span.chord, last, low, high, size)
        for pitch in last:
            held = [
                i
                for i in range(max(0, len(notes) - 8), len(notes))
                if notes[i].pitch == pitch
                and notes[i].tick + notes[i].duration == span.tick
                and (tied or span.tick % 16)
            ]
            if held:
                old = notes[held[0]]
                notes[held[0]] = old._replace(duration=old.duration + span.duration)
            else:
                notes.append(Note(span.tick, span.duration, pitch, velocity(span.tick, 60)))
    return notes


def line(rng: random.Random, sheet: Sheet) -> list[Note]:
    """One or two voices in long notes, moving least."""
    low, high = rng.choice(((60, 79), (67, 84), (55, 74)))
    two, moving, last = rng.random() < 0.5, rng.random() < 0.75, None
    cut = rng.choice((8, 8, 12, 6, 10, 14))
    notes: list[Note] = []
    for span in sheet.spans:
        last = voicing(span.chord, last, low, high)
        halves = moving and span.duration >= 16 and span.bar // 16 % 2
        cuts = [(0, cut, -1), (cut, 16 - cut, -2)] if halves else []
        steps = [(span.tick + start, length, voice) for start, length, voice in cuts]
        for tick, duration, voice in steps or [(span.tick, span.duration, -1)]:
            notes.append(Note(tick, duration, last[voice], velocity(tick, 66)))
        if two:
            notes.append(Note(span.tick, span.duration, last[0], velocity(span.tick, 62)))
    return notes


def pulse(rng: random.Random, sheet: Sheet) -> list[Note]:
    """Chords on every beat, detached or not."""
    return _chords(rng, sheet, (0, 4, 8, 12), (55, 76), 3)


def arpeggio(rng: random.Random, sheet: Sheet) -> list[Note]:
    """A chord's notes one by one, in eighths or sixteenths."""
    low, high = rng.choice(((48, 69), (55, 76), (60, 81)))
    step = rng.choice((2, 2, 2, 1))
    order = rng.choice(ORDERS)
    length = rng.choice((step, step, step * 2, 1))
    holes = rng.choice(((), (), (0,), (6,), (14,), (4, 12)))
    notes: list[Note] = []
    last = None
    for span in sheet.spans:
        last = voicing(span.chord, last, low, high)
        tones = [*last, last[0] + 12]
        for index, tick in enumerate(range(span.tick, span.stop, step)):
            if tick % 16 not in holes:
                pitch = tones[order[index % len(order)] % len(tones)]
                notes.append(Note(tick, length, pitch, velocity(tick, 68)))
    return notes


def wide(rng: random.Random, sheet: Sheet) -> list[Note]:
    """A chord over two or three octaves, from its root upwards, or up and down."""
    bottom, step = rng.choice((36, 40, 43, 48)), rng.choice((2, 2, 1))
    ways = ((0, 2, 3, 4, 5, 4, 3, 2), (0, 2, 3, 5), (0, 2, 3, 4), (0, 2, 4, 3, 5, 3, 4, 2))
    order = rng.choice(ways)
    length = rng.choice((step, step * 2, step * 4))
    notes = []
    for span in sheet.spans:
        root = nearest(bottom + 5, [span.chord.root], bottom, bottom + 12)
        tones = [p for p in range(root, root + 37) if p % 12 in span.chord.tones]
        for index, tick in enumerate(range(span.tick, span.stop, step)):
            pitch = tones[min(order[index % len(order)], len(tones) - 1)]
            duration = max(length, 8 if tick % 16 == 0 else 1)
            notes.append(Note(tick, min(duration, span.stop - tick), pitch, velocity(tick, 70)))
    return notes


def ostinato(rng: random.Random, sheet: Sheet) -> list[Note]:
    """Short repeated notes of one or two tones, as strings of film music have them."""
    pattern = rng.choice(OSTINATI)
    tops = {rng.choice(pattern) for _ in range(rng.choice((0, 1, 2, 3)))}
    low = rng.choice((48, 52, 55, 60))
    size = rng.choice((1, 2, 2))
    sounding = lengths(rng, len(pattern)) if rng.random() < 0.4 else [0.1] * len(pattern)
    notes: list[Note] = []
    last = None
    for span in sheet.spans:
        last = voicing(span.chord, last, low, low + 20)
        for index, tick, duration in rhythmic(span, pattern, sounding):
            accented = pattern[index] in tops
            played = [last[-1]] if accented else last[:size]
            notes += [Note(tick, duration, p, velocity(tick, 72 + 8 * accented)) for p in played]
    return notes


def stabs(rng: random.Random, sheet: Sheet) -> list[Note]:
    """Short chords on a syncopated rhythm."""
    return _chords(rng, sheet, rng.choice(STAB_RHYTHMS), (58, 80), rng.choice((2, 3, 3)))


def keys(rng: random.Random, sheet: Sheet) -> list[Note]:
    """Chords of a piano on a rhythm, some of them without their lowest note."""
    return _chords(rng, sheet, rng.choice(PIANO_RHYTHMS), (52, 74), 3, vary=0.5)


def strum(rng: random.Random, sheet: Sheet) -> list[Note]:
    """Chords of a guitar on a rhythm."""
    size = rng.choice((2, 3, 3, 4, 5))
    return _chords(rng, sheet, rng.choice(GUITAR_RHYTHMS), (45, 67), size, vary=0.2)


def _chords(
    rng: random.Random,
    sheet: Sheet,
    pattern: Sequence[int],
    between: tuple[int, int],
    size: int,
    vary: float = 0.0,
) -> list[Note]:
    patterns = alternating(rng, pattern)
    sounding = lengths(rng, 16)
    thinned = {i for i in range(1, len(pattern)) if i % 2 and rng.random() < vary}
    # Every so many bars the voicing is taken higher.
    turned = rng.choice((0, 1, 1, 2)) if vary >= 0.5 else 0
    pushed = 14 in pattern and rng.random() < 0.3  # the last chord is already the next bar's
    notes: list[Note] = []
    rocking = rng.random() < vary  # every second chord is taken higher
    last = None
    for number, span in enumerate(sheet.spans):
        last = voicing(span.chord, last, *between, size)
        following = sheet.spans[(number + 1) % len(sheet.spans)].chord
        bar = span.bar // 16
        shape = [*last[1:], last[0] + 12] if turned and bar // turned % 2 else last
        for index, tick, duration in rhythmic(span, patterns[bar % 4], sounding):
            played = shape[1:] if index in thinned and len(shape) > 2 else shape
            if rocking and index % 2:
                played = [*played[1:], played[0] + 12]
            if pushed and tick % 16 == 14:
                played = voicing(following, last, *between, size)
            notes += [Note(tick, duration, p, velocity(tick, 74)) for p in played]
    return notes


def hands(rng: random.Random, sheet: Sheet) -> list[Note]:
    """A piano of two hands: roots or octaves low, chords or broken ones above."""
    low = rng.choice(((0,), (0, 8), (0, 6, 8), (0, 10), (0, 4, 8, 12)))
    bottom = rng.choice((24, 36, 36))
    octave, fifths = rng.random() < 0.5, rng.random() < 0.3
    above = rng.choice((keys, keys, arpeggio))(rng, sheet)
    notes = [note for note in above if note.pitch > 50]
    for span in sheet.spans:
        root = bottom + span.chord.root
        for index, tick, duration in rhythmic(span, low, [1.0] * len(low)):
            pitch = root + 7 if fifths and index % 2 and 7 in _steps(span.chord) else root
            played = [pitch, pitch + 12] if octave and not index % 2 else [pitch]
            notes += [Note(tick, duration, p, velocity(tick, 72)) for p in played]
    return notes


def _steps(chord: Chord) -> list[int]:
    return [(tone - chord.root) % 12 for tone in chord.tones]


def picked(rng: random.Random, sheet: Sheet) -> list[Note]:
    """A guitar that picks: a bass note on the beat, the strings above between."""
    order = rng.choice(ORDERS)
    alternate = rng.random() < 0.5
    notes: list[Note] = []
    last = None
    for span in sheet.spans:
        last = voicing(span.chord, last, 52, 69)
        tones = [*last, last[0] + 12]
        for index, tick in enumerate(range(span.tick, span.stop, 2)):
            if tick % 8 == 0:
                root = 40 + (span.chord.root - 4) % 12
                low = root + 7 if alternate and tick % 16 == 8 and root < 45 else root
                notes.append(Note(tick, 4, low, velocity(tick, 76)))
                if index:
                    continue
            notes.append(
                Note(tick, 2, tones[order[index % len(order)] % len(tones)], velocity(tick, 68))
            )
    return notes


def muted(rng: random.Random, sheet: Sheet) -> list[Note]:
    """A guitar's motif of two or three tones, the same in every bar."""
    pattern = rng.choice(OSTINATI[:4] + STAB_RHYTHMS[:5])
    tones = [rng.choice((0, 0, 1, 2, 3)) for _ in pattern]
    neighbour = rng.choice((None, rng.randrange(len(pattern))))  # a step off the chord
    sounding = lengths(rng, len(pattern))
    notes: list[Note] = []
    last = None
    for span in sheet.spans:
        last = voicing(span.chord, last, 45, 64)
        heights = [*last, last[0] + 12]
        scale = scale_at(sheet.key, span.chord)
        for index, tick, duration in rhythmic(span, pattern, sounding):
            pitch = heights[tones[index] % len(heights)]
            if index == neighbour:
                pitch = nearest(pitch + 2, [tone for tone in scale if tone != pitch % 12], 40, 84)
            notes.append(Note(tick, duration, pitch, velocity(tick, 76)))
    return notes


def power(rng: random.Random, sheet: Sheet) -> list[Note]:
    """Power chords, held or in eighths."""
    pattern = rng.choice(((0,), (0, 8), (0, 2, 4, 6, 8, 10, 12, 14), (0, 6), (0, 6, 8, 14)))
    sounding = [rng.choice((1.0, 1.0, 0.5))] * len(pattern)
    stack = rng.choice(((0, 7), (0, 7), (0, 7, 12)))
    notes = []
    for span in sheet.spans:
        root = 40 + (span.chord.root - 4) % 12
        for _, tick, duration in rhythmic(span, pattern, sounding):
            notes += [Note(tick, duration, root + up, velocity(tick, 88)) for up in stack]
    return notes


def riff(rng: random.Random, sheet: Sheet) -> tuple[list[Note], list[Note]]:
    """A riff of power chords and single notes, another rhythm every fourth bar; and its bass."""
    usual, fourth = rng.sample(RIFF_RHYTHMS, 2)
    moving = rng.choice((16, 10, 12, 14))  # from this tick of every second bar on
    pedal = rng.random() < 0.4  # single notes between the accents
    accents = {0, rng.choice((6, 8, 10)), rng.choice((3, 11, 14))}
    longest = rng.choice((1, 2, 4))
    down = rng.choice((12, 12, 0))  # the bass's octave below the guitar's
    guitar, bass = [], []
    for span in sheet.spans:
        bar = span.bar // 16
        root = 40 + (span.chord.root - 4) % 12
        pattern = fourth if bar % 4 == 3 else usual
        for _, tick, duration in rhythmic(span, pattern, [1.0] * len(pattern)):
            place, pitch = tick % 16, root
            if bar % 2 and place >= moving:
                below = [p for p in range(root - 4, root) if p % 12 in sheet.key.scale and p >= 38]
                pitch = max(below, default=root)
            is_accent = place in accents
            duration = min(duration, 4 if is_accent else longest)
            stack = (0,) if pedal and not is_accent else (0, 7, 12) if is_accent else (0, 7)
            guitar += [Note(tick, duration, pitch + up, velocity(tick, 94)) for up in stack]
            bass.append(Note(tick, duration, pitch - down, velocity(tick, 92)))
    return guitar, bass


def counter(rng: random.Random, sheet: Sheet) -> list[Note]:
    """A line in the melody's rests and long notes: steps from chord tone to chord tone."""
    cells = [rng.choice(COUNTER_CELLS) for _ in range(3)]
    steps = [[rng.choice((-2, -2, -1, 1, 2, 2)) for _ in range(6)] for _ in range(2)]
    short = rng.random() < 0.4
    busy: dict[int, int] = {}
    for note in sheet.melody:
        busy[note.tick // 16] = busy.get(note.tick // 16, 0) + 1
    notes = []
    pitch = rng.randint(60, 72)
    for bar in range(len(sheet.chords) // 4):
        is_full = busy.get(bar, 0) >= 6
        cell = ((0,) if bar % 2 else cells[2][:2]) if is_full else cells[bar % 2]
        for index, onset in enumerate(cell):
            chord = sheet.chords[bar * 4 + onset // 4]
            is_tone = index == 0 or onset % 4 == 0
            want = pitch + steps[bar % 2][index] + (2 if pitch < 58 else -2 if pitch > 76 else 0)
            classes = chord.tones if is_tone else scale_at(sheet.key, chord)
            pitch = nearest(want, classes, 52, 82)
            end = cell[index + 1] if index + 1 < len(cell) else 16
            duration = max(1, (end - onset) // 2) if short and index % 2 else end - onset
            tick = bar * 16 + onset
            notes.append(Note(tick, duration, pitch, velocity(tick, 70)))
    return notes


def high(rng: random.Random, sheet: Sheet) -> list[Note]:
    """One high note held over each chord."""
    last, above = None, rng.choice((0, 12))
    notes = []
    for span in sheet.spans:
        last = voicing(span.chord, last, 62, 80)
        notes.append(Note(span.tick, span.duration, last[-1] + above, 56))
    return notes


def sparkle(rng: random.Random, sheet: Sheet) -> list[Note]:
    """A few high notes of the chord, far apart, in a pattern of two bars."""
    onsets = sorted(rng.sample(range(0, 32, 2), rng.choice((2, 3, 4, 5))))
    length, last = rng.choice((2, 4, 8)), None
    voices = [rng.choice((0, 1, 2)) for _ in onsets]
    notes = []
    for bars in range(0, len(sheet.chords) * 4, 32):
        for onset, voice in zip(onsets, voices, strict=True):
            tick = bars + onset
            if tick // 4 < len(sheet.chords):
                last = voicing(sheet.chords[tick // 4], last, 72, 91)
                notes.append(Note(tick, length, last[voice % len(last)], velocity(tick, 58)))
    return notes
