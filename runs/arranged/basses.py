"""Bass lines."""

from __future__ import annotations

import random
from collections.abc import Sequence

from arranged.harmony import Note, Span, nearest, scale_at
from arranged.layers import Sheet
from arranged.rhythms import alternating, lengths, rhythmic, velocity

LOWEST, HIGHEST = 28, 59
OFFBEATS = (2, 3, 6, 7, 10, 11, 14)
# Onsets in a bar, ticks.
PLAIN = ((0, 8), (0, 6, 8, 14), (0, 3, 8, 11), (0, 6, 8), (0, 8, 14), (0, 4, 8, 12), (0, 10))
MOVING = ((0, 4, 6, 8, 12, 14), (0, 6, 8, 10, 12), (0, 3, 6, 10, 14), (0, 6, 7, 10, 14))
DANCED = (
    (2, 6, 10, 14),
    (2, 3, 6, 7, 10, 11, 14, 15),
    (0, 2, 4, 6, 8, 10, 12, 14),
    (0, 3, 6, 8, 11, 14),
    (0, 3, 6, 10, 12, 14),
    tuple(range(16)),
    (2, 3, 6, 10, 11, 14),
)


def root_of(root: int, lowest: int = LOWEST) -> int:
    """The bass's pitch of a pitch class, from `lowest` on."""
    return lowest + (root - lowest) % 12


def long_notes(rng: random.Random, sheet: Sheet) -> list[Note]:
    """Roots held under their chords."""
    up = rng.choice((0, 0, 12))
    notes = []
    for span in sheet.spans:
        root = root_of(span.chord.root, sheet.lowest)
        pitch = root + up if root + up <= 45 else root
        notes.append(Note(span.tick, span.duration, pitch, velocity(span.tick, 78)))
    return notes


def repeated(rng: random.Random, sheet: Sheet, rhythms: Sequence[Sequence[int]]) -> list[Note]:
    """Roots on a rhythm, an octave, a fifth or a step at some places of it, always the same."""
    pattern = rng.choice(rhythms)
    patterns = alternating(rng, pattern)
    up = [rng.choice((0, 0, 0, 2, -2, 7, 12)) if onset % 8 else 0 for onset in range(16)]
    if rng.random() < 0.3:
        up = [12 if onset % 4 == 2 else 0 for onset in range(16)]
    elif rng.random() < 0.3:
        up = [0] * 16
    sounding = lengths(rng, 16)
    runs = rng.random() < 0.5
    notes = []
    for number, span in enumerate(sheet.spans):
        root = root_of(span.chord.root, sheet.lowest)
        following = sheet.spans[(number + 1) % len(sheet.spans)].chord
        played = rhythmic(span, patterns[span.bar // 16 % 4], sounding)
        for index, tick, duration in played:
            pitch = _stepped(sheet, span, root, up[tick % 16])
            is_last = (index, tick, duration) == played[-1] and tick % 16 >= 10
            if runs and is_last and following != span.chord:
                pitch = _approach(sheet, root_of(following.root, sheet.lowest), root)
            notes.append(Note(tick, duration, pitch, velocity(tick, 88)))
    return notes


def plain(rng: random.Random, sheet: Sheet) -> list[Note]:
    """Roots on a simple rhythm."""
    return repeated(rng, sheet, PLAIN)


def danced(rng: random.Random, sheet: Sheet) -> list[Note]:
    """Roots between the beats, or in eighths and sixteenths."""
    return repeated(rng, sheet, DANCED)


def walking(rng: random.Random, sheet: Sheet) -> list[Note]:
    """Root and fifth in turn, with steps of the scale into the next chord."""
    notes: list[Note] = []
    runs = rng.random() < 0.6
    for number, span in enumerate(sheet.spans):
        root = root_of(span.chord.root, sheet.lowest)
        fifth = root + 7 if root < sheet.lowest + 6 else root - 5
        following = sheet.spans[(number + 1) % len(sheet.spans)].chord
        beats = [
            (span.tick + 8 * i, root if i % 2 == 0 else fifth) for i in range(span.duration // 8)
        ]
        beats = beats or [(span.tick, root)]
        notes += [Note(tick, 6, pitch, velocity(tick, 86)) for tick, pitch in beats]
        if runs and following != span.chord and span.duration >= 8:
            last = _approach(sheet, root_of(following.root, sheet.lowest), root)
            notes.append(Note(span.stop - 4, 4, last, velocity(span.stop - 4, 82)))
    return notes


def with_kick(rng: random.Random, sheet: Sheet) -> list[Note]:
    """On the kick's notes, in eighths, or on a rhythm of its own; steps lead into new chords.

    Every second eight bars have another rhythm.
    """
    manner = rng.choice(("kick", "kick", "kick", "eighths", "own", "mixed"))
    extra = [sorted(rng.sample(OFFBEATS, rng.randint(0, 3))) for _ in range(2)]
    own = [sorted({0, *rng.sample(range(3, 15), rng.randint(2, 5))}) for _ in range(2)]
    octave = rng.random() < 0.25
    ending = rng.choice((None, (12, 14), (10, 12, 14), (14,)))
    sounding = lengths(rng, 16)
    ornaments = {
        x: rng.choice((2, 2, -2, 7, 12)) for x in range(1, 16) if x % 4 and rng.random() < 0.2
    }
    notes: list[Note] = []
    for number, span in enumerate(sheet.spans):
        bar, half = span.bar // 16, span.bar // 128 % 2
        on_kick = [x for x in range(16) if span.bar + x in sheet.kick]
        eighths = list(range(0, 16, 2))
        pattern = {
            "kick": on_kick + extra[half],
            "eighths": eighths,
            "own": own[half],
            "mixed": on_kick + extra[0] if half == 0 else eighths,
        }[manner]
        if bar % 4 == 3 and ending:
            pattern = [*(x for x in pattern if x < 12), *ending]
        onsets = sorted({*pattern, span.tick - span.bar})
        root = root_of(span.chord.root, sheet.lowest)
        following = sheet.spans[(number + 1) % len(sheet.spans)].chord
        played = rhythmic(span, onsets, [sounding[onset] for onset in onsets])
        for index, tick, duration in played:
            up = ornaments.get(tick % 16, 0) if tick != span.tick else 0
            pitch = _stepped(sheet, span, root, up)
            if octave and tick % 4 == 2:
                pitch = root + 12
            is_last = (index, tick, duration) == played[-1] and tick != span.tick
            if is_last and following != span.chord and ending:
                pitch = _approach(sheet, root_of(following.root, sheet.lowest), root)
            notes.append(Note(tick, duration, pitch, velocity(tick, 90)))
    return notes


def melodic(rng: random.Random, sheet: Sheet) -> list[Note]:
    """A line of its own: the root first, then tones and steps of the scale that lie near."""
    patterns = alternating(rng, rng.choice((*PLAIN, *MOVING)))
    # Of each place of the bar: a tone of the chord, or a step from the note before.
    manners = [rng.choice(("root", "fifth", "third", "up", "down")) for _ in range(16)]
    sounding = lengths(rng, 16)
    notes: list[Note] = []
    pitch = root_of(sheet.spans[0].chord.root, sheet.lowest)
    for span in sheet.spans:
        scale = scale_at(sheet.key, span.chord)
        tones = span.chord.tones
        classes = {"root": tones[:1], "third": tones[1:2], "fifth": tones[2:3] or tones[:1]}
        for _, tick, duration in rhythmic(span, patterns[span.bar // 16 % 4], sounding):
            manner = manners[tick % 16] if tick != span.tick else "root"
            step = {"up": 2, "down": -2}.get(manner, 0)
            allowed = classes.get(manner) or [tone for tone in scale if tone != pitch % 12]
            middle = pitch + step + (sheet.lowest + 8 - pitch) // 6
            pitch = nearest(middle, allowed, LOWEST - 2, HIGHEST)
            notes.append(Note(tick, duration, pitch, velocity(tick, 86)))
    return notes


def _stepped(sheet: Sheet, span: Span, root: int, up: int) -> int:
    """So many semitones above the root; a step is one of the scale."""
    if abs(up) != 2:
        return root + up
    classes = [tone for tone in scale_at(sheet.key, span.chord) if tone != root % 12]
    return nearest(root + up, classes, LOWEST - 2, HIGHEST)


def _approach(sheet: Sheet, target: int, root: int) -> int:
    """A step of the scale beside the next root, on the side that one comes from."""
    side = target - 2 if root <= target else target + 2
    classes = [tone for tone in sheet.key.scale if tone != target % 12]
    return nearest(side, classes, LOWEST - 2, HIGHEST)
