"""What players do with a part that repeats: bars differ, notes sound longer or shorter."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from arranged.draft import PITCHED, Draft
from arranged.harmony import Note, nearest
from cmt.music.vocabulary import TICKS_PER_BAR

PHRASES = (4, 4, 8)  # bars after which a part's changes come again
# How likely a bar of four is played otherwise than the pattern has it.
CHANGED = (0.3, 0.75, 0.5, 0.9)
VARIED = {"Piano": 0.7, "Guitar": 0.3, "Bass": 0.55, "Strings": 0.95}  # share of parts
# How likely the notes of a part are held in a manner of `played`, and those of a melody.
MANNERS = {
    "Piano": {"written": 20, "short": 8, "legato": 10, "held": 32, "uneven": 30},
    "Guitar": {"written": 25, "short": 25, "legato": 10, "held": 15, "uneven": 25},
    "Bass": {"written": 20, "short": 2, "legato": 40, "held": 0, "uneven": 38},
    "Strings": {"written": 15, "short": 4, "legato": 16, "held": 35, "uneven": 30},
}
SINGING = {"written": 35, "short": 3, "legato": 22, "held": 0, "uneven": 40}
BETWEEN = 0.35  # share of the places between beats that a thin piece keeps
LONGEST = 16  # ticks of a note


@dataclass(frozen=True)
class Onset:
    """The notes of a part at a tick."""

    tick: int
    notes: list[Note]

    @property
    def place(self) -> int:
        """Tick in its bar."""
        return self.tick % TICKS_PER_BAR


# What a player does with the onsets of one bar; ticks are of the piece.
Change = Callable[[list[Onset]], list[Onset]]


def vary(draft: Draft) -> None:
    """Play most parts with changes that come again with the phrases of a section's kind."""
    for name in PITCHED:
        if not draft.parts[name] or draft.rng.random() >= VARIED[name]:
            continue
        most = draft.rng.choice((2, 2, 3) if name == "Strings" else (1, 1, 2, 3))
        phrase = draft.rng.choice(PHRASES)
        changes: dict[tuple[str, int], list[Change]] = {}
        bars = _bars(draft.parts[name])
        notes: list[Note] = []
        for section in draft.sections:
            for bar in range(section.start, section.start + section.bars):
                onsets = bars.get(bar, [])
                place = section.kind, (bar - section.start) % phrase
                if onsets and place not in changes and section.kind != "E":
                    changes[place] = _drawn(
                        draft.rng, onsets, draft.key.scale, CHANGED[place[1] % 4], most
                    )
                for change in changes.get(place, []):
                    onsets = change(onsets)
                notes += [note for onset in onsets for note in onset.notes]
        draft.parts[name] = notes
        draft.about.append(f"{name.lower()} varied")


def _bars(notes: Sequence[Note]) -> dict[int, list[Onset]]:
    """Onsets by bar, in order."""
    ticks: dict[int, list[Note]] = {}
    for note in sorted(notes):
        ticks.setdefault(note.tick, []).append(note)
    bars: dict[int, list[Onset]] = {}
    for tick, sounding in ticks.items():
        bars.setdefault(tick // TICKS_PER_BAR, []).append(Onset(tick, sounding))
    return bars


def _drawn(
    rng: random.Random, onsets: Sequence[Onset], scale: Sequence[int], chance: float, most: int
) -> list[Change]:
    """Up to `most` changes that a bar's onsets allow, or none."""
    if rng.random() >= chance:
        return []
    result: list[Change] = []
    for _ in range(rng.randint(1, most)):
        place = rng.choice(onsets).place
        manner = rng.choice(("left", "early", "again", "again", "thin", "moved"))
        if manner == "left" and len(onsets) > 1 and place:
            result.append(_left(place))
        elif manner == "early" and place:
            result.append(_early(place, rng.choice((1, 2, 2))))
        elif manner == "moved" and place:
            result.append(_moved(place, rng.choice((-2, -2, 2, 2, 12)), scale))
        elif manner == "thin":
            result.append(_thin(place))
        else:
            result.append(_again(rng.choice((2, 4, 6, 7, 8, 10, 11, 12, 12, 14, 14, 15))))
    return result


def _left(place: int) -> Change:
    """Leave an onset out, and let the one before go on."""

    def change(onsets: list[Onset]) -> list[Onset]:
        result: list[Onset] = []
        for onset in onsets:
            if onset.place != place or not result:
                result.append(onset)
                continue
            end = onset.tick + onset.notes[0].duration
            last = result[-1]
            result[-1] = Onset(
                last.tick, [note._replace(duration=end - last.tick) for note in last.notes]
            )
        return result

    return change


def _early(place: int, ticks: int) -> Change:
    """Play an onset so many ticks before its place."""

    def moved(onset: Onset) -> Onset:
        if onset.place != place or place < ticks:
            return onset
        tick = onset.tick - ticks
        return Onset(
            tick, [n._replace(tick=tick, duration=n.duration + ticks) for n in onset.notes]
        )

    return lambda onsets: [moved(onset) for onset in onsets]


def _moved(place: int, semitones: int, scale: Sequence[int]) -> Change:
    """Play a single note about so many semitones away, on the scale."""

    def moved(onset: Onset) -> Onset:
        if onset.place != place or len(onset.notes) > 1:
            return onset
        note = onset.notes[0]
        others = [tone for tone in scale if tone != note.pitch % 12 or semitones % 12 == 0]
        pitch = nearest(note.pitch + semitones, others, 0, 128)
        return Onset(onset.tick, [note._replace(pitch=pitch)])

    return lambda onsets: [moved(onset) for onset in onsets]


def _thin(place: int) -> Change:
    """Play the highest note of a chord alone."""

    def thinned(onset: Onset) -> Onset:
        return Onset(onset.tick, [onset.notes[-1]]) if onset.place == place else onset

    return lambda onsets: [thinned(onset) for onset in onsets]


def _again(place: int) -> Change:
    """Strike what sounds at a place once more there."""

    def change(onsets: list[Onset]) -> list[Onset]:
        before = [onset for onset in onsets if onset.place < place]
        if not before or any(onset.place == place for onset in onsets):
            return onsets
        tick = before[-1].tick - before[-1].place + place
        following = min(
            (onset.tick for onset in onsets if onset.tick > tick),
            default=tick - place + TICKS_PER_BAR,
        )
        notes = [n._replace(tick=tick, duration=following - tick) for n in before[-1].notes]
        return sorted([*onsets, Onset(tick, notes)], key=lambda onset: onset.tick)

    return change


def thin(draft: Draft) -> None:
    """Leave each pitched part the beats and some places between, the same in all bars."""
    for part in (draft.parts, draft.leads):
        for name in PITCHED:
            kept = {tick for tick in range(TICKS_PER_BAR) if tick % 4 == 0}
            kept |= {tick for tick in range(TICKS_PER_BAR) if draft.rng.random() < BETWEEN}
            part[name] = [note for note in part[name] if note.tick % TICKS_PER_BAR in kept]
    draft.about.append("thin")


def play(draft: Draft) -> None:
    """Let notes sound as long as players hold them, each part in a manner of its own."""
    ends = [draft.length] * draft.length
    for tick in reversed(range(draft.length - 1)):
        beat, following = tick // 4, (tick + 1) // 4
        if draft.chords[beat] != draft.chords[following]:
            ends[tick] = tick + 1
        else:
            ends[tick] = ends[tick + 1]
    for part in (draft.parts, draft.leads):
        for name in PITCHED:
            manners = MANNERS[name] if part is draft.parts else SINGING
            manner = draft.rng.choices(list(manners), list(manners.values()))[0]
            part[name] = played(draft.rng, part[name], manner, ends)


def played(
    rng: random.Random, notes: Sequence[Note], manner: str, ends: Sequence[int]
) -> list[Note]:
    """Notes as long as a manner has them.

    Args:
        rng: of the piece.
        notes: of a part.
        manner: "written"; "short", a tick; "legato", until the next onset; "held", until the chord
            changes; "uneven", some of them longer or shorter than written.
        ends: per tick of the piece, where its chord ends.
    """
    if manner == "written":
        return list(notes)
    share, apart = rng.choice((0.1, 0.2, 0.3, 0.5)), rng.random() < 0.4
    released = rng.random() < 0.3  # a tick before the time
    onsets = [onset for bar in _bars(notes).values() for onset in bar]
    result: list[Note] = []
    for index, onset in enumerate(onsets):
        following = onsets[index + 1].tick if index + 1 < len(onsets) else onset.tick + LONGEST
        gap = min(following - onset.tick, LONGEST)
        end = ends[onset.tick] if onset.tick < len(ends) else following
        other, duration = rng.random() < share, max(1, round(gap * rng.uniform(0.25, 1.1)))
        for note in onset.notes:
            if manner == "short":
                note = note._replace(duration=1)
            elif manner == "uneven" and other:
                if apart:
                    duration = max(1, round(gap * rng.uniform(0.4, 1.2)))
                note = note._replace(duration=duration)
            elif manner in ("legato", "held"):
                length = gap if manner == "legato" else max(gap, end - onset.tick)
                note = note._replace(duration=max(1, length - released))
            result.append(note)
    return result
