"""Passes of the synthesizer: which tracks it plays together, and when it need not play at all.

A second of silence costs it as much as some ten notes that sound, as it reckons a room and a chorus
that are not used. So tracks that go the same way afterwards are played as one, as far as its voices
suffice, and where nothing sounds nothing is played.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cmt.music.midi import DRUM_CHANNEL
from cmt.sound.loudness import SAMPLE_RATE
from cmt.sound.segments import CONTROL, FINE, GRAIN, MAX_FINE, STEP, VOLUME, Line

CHANNELS = [channel for channel in range(16) if channel != DRUM_CHANNEL]
# Notes that one pass has voices for, 64 of them: of our SoundFont's those that sound or ended less
# than `FALLING` before. Tracks of ten takes were as by themselves up to 49, and not from 51 on.
NOTES, FALLING = 40, 1.0  # s
QUIET = 10 * SAMPLE_RATE  # samples without notes that are worth another pass


@dataclass(frozen=True)
class Pass:
    """What is played at a time.

    Attributes:
        events: (events,) `cmt.sound.segments.EVENT`, ascending, whose status bytes have channels;
            steps count from where the playing begins.
        at: the sample from which on it is heard.
        skipped: samples that are played and thrown away before it.
        samples: that follow these.
    """

    events: NDArray
    at: int
    skipped: int
    samples: int


@dataclass(frozen=True)
class Group:
    """Tracks that are played as one: they share a SoundFont, a low cut and the send to the room.

    Attributes:
        lines: of the tracks, one of drums at most.
        font: the SoundFont.
        low_cut: Hz.
    """

    lines: tuple[Line, ...]
    font: Path
    low_cut: float

    @property
    def send(self) -> float:
        """To the room, 0 … 1."""
        return self.lines[0].send

    @property
    def gain(self) -> float:
        """Of its samples, as it is played as loud as 16 bits have room for."""
        return max(line.gain for line in self.lines)

    def passes(self, first: int, last: int) -> list[Pass]:
        """What is played from one sample, a multiple of `GRAIN`, to another."""
        notes = np.concatenate([line.sounding(first, last) for line in self.lines], axis=1)
        return [self._pass(*span) for span in _spans(notes)]

    def _pass(self, first: int, last: int) -> Pass:
        heard = [
            (channel, line)
            for channel, line in zip(self._channels(), self.lines, strict=True)
            if line.sounding(first, last).size
        ]
        begin = min(line.beginning(first, last) for _, line in heard)
        played = []
        for channel, line in heard:
            # The synthesizer squares volumes.
            events = softened(line.playing(begin, last), np.sqrt(line.gain / self.gain))
            events["status"] |= channel
            played.append(events)
        events = np.concatenate(played)
        events = events[np.argsort(events["step"], kind="stable")]
        return Pass(events, first, first - begin, last - first)

    def _channels(self) -> list[int]:
        free = iter(CHANNELS)
        return [DRUM_CHANNEL if line.drums else next(free) for line in self.lines]


def grouped(
    lines: Sequence[Line], fonts: Sequence[Path], low_cuts: Sequence[float], *, apart: bool
) -> list[Group]:
    """Put together what can be played as one, with the SoundFont that comes with us.

    Args:
        lines: tracks.
        fonts: the SoundFont of each.
        low_cuts: of each, Hz.
        apart: each track by itself: for stems, and where notes may have more voices.
    """
    made: list[Group] = []
    for line, font, low_cut in zip(lines, fonts, low_cuts, strict=True):
        for number, group in enumerate(made):
            alike = (group.font, group.low_cut, group.send) == (font, low_cut, line.send)
            if alike and not apart and _suffice(both := (*group.lines, line)):
                made[number] = Group(both, font, low_cut)
                break
        else:
            made.append(Group((line,), font, low_cut))
    return made


def softened(events: NDArray, share: float) -> NDArray:
    """Events with so much of their volumes of 14 bits."""
    events = events.copy()
    controls = events["status"] & 0xF0 == CONTROL
    coarse, fine = (controls & (events["one"] == number) for number in (VOLUME, VOLUME + FINE))
    value = 128 * events["two"][coarse].astype(int) + events["two"][fine]
    value = np.minimum(np.rint(share * value), MAX_FINE).astype(int)
    events["two"][coarse], events["two"][fine] = value // 128, value % 128
    return events


def _suffice(lines: Sequence[Line]) -> bool:
    """Whether channels and voices suffice for tracks."""
    drums = sum(line.drums for line in lines)
    if drums > 1 or len(lines) - drums > len(CHANNELS):
        return False
    onsets = np.sort(np.concatenate([line.onsets for line in lines]))
    ends = np.sort(np.concatenate([line.ends for line in lines]))
    silent = ends + round(FALLING * SAMPLE_RATE / STEP)
    sounding = np.arange(1, len(onsets) + 1) - np.searchsorted(silent, onsets, side="right")
    return bool(sounding.max() <= NOTES)


def _spans(notes: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Where notes (2, notes) sound, in samples; from multiples of `GRAIN` on."""
    if not notes.size:
        return []
    begins, ends = notes[:, np.argsort(notes[0], kind="stable")]
    begins, ends = begins // GRAIN * GRAIN, np.maximum.accumulate(ends)
    apart = begins[1:] > ends[:-1] + QUIET
    firsts, lasts = begins[np.append(True, apart)], ends[np.append(apart, True)]
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))
