"""Passes of the synthesizer: which tracks it plays together, and when it need not play at all.

A second of silence costs it as much as thirty voices that sound, whatever it plays. So tracks that
go the same way afterwards are played as one, as far as its voices suffice from one moment to the
next, and where nothing sounds nothing is played.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cmt.music.midi import DRUM_CHANNEL
from cmt.sound.loudness import SAMPLE_RATE
from cmt.sound.segments import (
    CONTROL,
    FINE,
    GRAIN,
    HELD,
    MAX_FINE,
    NOTE_ON,
    STEP,
    VOLUME,
    Line,
    steps,
)

CHANNELS = [channel for channel in range(16) if channel != DRUM_CHANNEL]
MOST_VOICES = 64  # of one pass: one more ends the softest
# Of our SoundFont: the voices of a note, and the seconds after its end in which they die away.
VOICES = {
    0: (2, 0.8),
    4: (2, 0.3),
    16: (2, 0.4),
    24: (1, 1.2),
    25: (1, 7.5),
    27: (2, 0.5),
    29: (2, 0.3),
    33: (1, 0.3),
    34: (1, 0.3),
    38: (2, 0.5),
    39: (2, 0.3),
    48: (2, 1.1),
    81: (2, 0.4),
    89: (4, 1.8),
}
OTHERS = 4, 7.5  # programs that one of these plays
STROKE = 2  # voices, that last so many seconds whenever it ends: those of cymbals, and of drums
CYMBALS, CYMBAL, DRUM = (46, 49, 51, 52, 53, 55, 57, 59), 4.0, 1.5
ROOM = 1.5  # seconds that the synthesizer's own room sounds on, softly
QUIET = 10 * SAMPLE_RATE  # samples without notes that are worth another pass


@dataclass(frozen=True)
class Pass:
    """What is played at a time.

    Attributes:
        events: (events,) `cmt.sound.segments.EVENT`, ascending, whose status bytes have channels;
            steps count from where the playing begins.
        gain: of its samples, as it is played as loud as 16 bits have room for.
        at: the sample from which on it is heard.
        skipped: samples that are played and thrown away before it.
        samples: that follow these.
    """

    events: NDArray
    gain: float
    at: int
    skipped: int
    samples: int


@dataclass(frozen=True)
class Group:
    """Tracks that go the same way: they share a SoundFont, a low cut and the send to the room.

    Attributes:
        lines: of the tracks.
        font: the SoundFont.
        low_cut: Hz.
        ours: whether that is the SoundFont which comes with us, of which it is known how many
            voices a note has: else each track is played by itself.
    """

    lines: tuple[Line, ...]
    font: Path
    low_cut: float
    ours: bool = True

    @property
    def send(self) -> float:
        """To the room, 0 … 1."""
        return self.lines[0].send

    def passes(self, first: int, last: int) -> list[Pass]:
        """What is played from one sample, a multiple of `GRAIN`, to another."""
        return [
            self._pass(lines, *span)
            for lines in self._together(first, last)
            for span in _spans(np.concatenate([x.sounding(first, last) for x in lines], axis=1))
        ]

    def _together(self, first: int, last: int) -> list[tuple[Line, ...]]:
        """Tracks that are played as one from one sample to another."""
        made: list[tuple[Line, ...]] = []
        for line in self.lines:
            for number, lines in enumerate(made):
                if self.ours and _suffice(both := (*lines, line), first, last):
                    made[number] = both
                    break
            else:
                made.append((line,))
        return made

    def _pass(self, lines: Sequence[Line], first: int, last: int) -> Pass:
        """Tracks from one sample to another."""
        free = iter(CHANNELS)
        channels = [DRUM_CHANNEL if line.drums else next(free) for line in lines]
        heard = [
            (channel, line)
            for channel, line in zip(channels, lines, strict=True)
            if line.sounding(first, last).size
        ]
        begin = min(line.beginning(first, last, self._ringing(line)) for _, line in heard)
        gain = max(line.gain for _, line in heard)
        played = []
        for channel, line in heard:
            # The synthesizer squares volumes.
            events = softened(line.playing(begin, last), np.sqrt(line.gain / gain))
            events["status"] |= channel
            played.append(events)
        events = np.concatenate(played)
        events = events[np.argsort(events["step"], kind="stable")]
        return Pass(events, gain, first, first - begin, last - first)

    def _ringing(self, line: Line) -> float | None:
        """Seconds that notes sound after their ends, if it is known."""
        if not self.ours:
            return None
        _, dying = VOICES.get(line.program, OTHERS)
        return (CYMBAL if line.drums else dying) + ROOM


def grouped(
    lines: Sequence[Line],
    fonts: Sequence[Path],
    low_cuts: Sequence[float],
    *,
    apart: bool,
    ours: bool = True,
) -> list[Group]:
    """Put together what goes the same way.

    Args:
        lines: tracks.
        fonts: the SoundFont of each.
        low_cuts: of each, Hz.
        apart: each track by itself.
        ours: see `Group`.
    """
    alike: dict[tuple[int, Path, float, float], list[Line]] = {}
    for number, (line, font, low_cut) in enumerate(zip(lines, fonts, low_cuts, strict=True)):
        way = number if apart else 0, font, low_cut, line.send
        alike.setdefault(way, []).append(line)
    return [Group(tuple(of), font, low_cut, ours) for (_, font, low_cut, _), of in alike.items()]


def softened(events: NDArray, share: float) -> NDArray:
    """Events with so much of their volumes of 14 bits."""
    events = events.copy()
    controls = events["status"] & 0xF0 == CONTROL
    coarse, fine = (controls & (events["one"] == number) for number in (VOLUME, VOLUME + FINE))
    value = 128 * events["two"][coarse].astype(int) + events["two"][fine]
    value = np.minimum(np.rint(share * value), MAX_FINE).astype(int)
    events["two"][coarse], events["two"][fine] = value // 128, value % 128
    return events


def _suffice(lines: Sequence[Line], first: int, last: int) -> bool:
    """Whether channels and voices suffice for tracks from one sample to another."""
    drums = sum(line.drums for line in lines)
    if drums > 1 or len(lines) - drums > len(CHANNELS):
        return False
    begin, end = first // STEP - steps(HELD), last // STEP
    ends, begins = [], []
    for voices, onsets, silent in map(_voices, lines):
        within = (onsets < end) & (silent > begin)
        begins.append((onsets[within], voices))
        ends.append((silent[within], -voices))
    at = np.concatenate([times for times, _ in (*ends, *begins)])
    change = np.concatenate([np.full(len(times), by) for times, by in (*ends, *begins)])
    sounding = np.cumsum(change[np.argsort(at, kind="stable")])
    return bool(sounding.max(initial=0) <= MOST_VOICES)


def _voices(line: Line) -> tuple[int, NDArray[np.int64], NDArray[np.int64]]:
    """The voices of a note, and in which steps all notes begin and have died away."""
    if line.drums:
        strokes = line.events[line.events["status"] == NOTE_ON]
        lasting = np.where(np.isin(strokes["one"], CYMBALS), steps(CYMBAL), steps(DRUM))
        return STROKE, strokes["step"], strokes["step"] + lasting
    voices, ringing = VOICES.get(line.program, OTHERS)
    return voices, line.onsets, line.ends + steps(ringing)


def _spans(notes: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Where notes (2, notes) sound, in samples; from multiples of `GRAIN` on."""
    if not notes.size:
        return []
    begins, ends = notes[:, np.argsort(notes[0], kind="stable")]
    begins, ends = begins // GRAIN * GRAIN, np.maximum.accumulate(ends)
    apart = begins[1:] > ends[:-1] + QUIET
    firsts, lasts = begins[np.append(True, apart)], ends[np.append(apart, True)]
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))
