"""What each track of a score does, in parts that joined sound as the whole.

A part begins so early that all that still sounds at its first sample was struck within it; what
comes before that sample is played and thrown away. So neither an hour of music nor the notes that
sound on from one part to the next have to be held in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cmt.music.vocabulary import DEFAULT_TEMPO
from cmt.sound.loudness import SAMPLE_RATE

if TYPE_CHECKING:
    from symusic.core import ScoreTick, TrackTick

STEP = 64  # samples: the synthesizer begins and changes notes at multiples of this
GRAIN = 120_000  # samples, 2.5 s: the period of the synthesizer's chorus, and a multiple of STEP
PART = 48 * GRAIN  # samples: two minutes
RINGING = 8.0  # seconds that a note may sound after its end
HELD = 30.0  # seconds: what is held for longer is struck anew at the beginning of a part

NOTE_OFF, NOTE_ON, CONTROL, PROGRAM, BEND = 0x80, 0x90, 0xB0, 0xC0, 0xE0  # MIDI's status bytes
BANK, VOLUME, PAN, EXPRESSION, PEDAL, REVERB, CHORUS = (
    0,
    7,
    10,
    11,
    64,
    91,
    93,
)  # MIDI's controllers
FINE = 32  # this much above a controller is the one of its lower seven bits
MAX_FINE = 2**14 - 1
# Parameters and what is entered for them: their order matters, not only what comes last.
ENTRIES = (6, 38, 96, 97, 98, 99, 100, 101)
DEFAULTS = {VOLUME: 100, EXPRESSION: 127, REVERB: 40}

EVENT = np.dtype([("step", np.int64), ("status", np.uint8), ("one", np.uint8), ("two", np.uint8)])


@dataclass(frozen=True)
class Line:
    """All that one track of a score does.

    Attributes:
        name: of the track.
        program: of General MIDI.
        bank: of variations of programs, that is chosen when the first note begins.
        drums: whether it goes to the drum channel.
        send: to the room, 0 … 1.
        gain: of its samples; `events` play it as loud as 16 bits have room for.
        events: (events,) `EVENT`, ascending.
        onsets: (notes,) steps.
        released: (notes,) steps.
        ends: (notes,) steps, too: those after which they fade, the pedal counted in.
    """

    name: str
    program: int
    bank: int
    drums: bool
    send: float
    gain: float
    events: NDArray
    onsets: NDArray[np.int64]
    released: NDArray[np.int64]
    ends: NDArray[np.int64]

    def sounding(self, first: int, last: int) -> NDArray[np.int64]:
        """When notes sound, from one sample to another: (2, notes) samples, begins and ends."""
        begins, ends = self.onsets * STEP, (self.ends + steps(RINGING)) * STEP
        within = (begins < last) & (ends > first)
        return np.stack([np.maximum(begins[within], first), np.minimum(ends[within], last)])

    def beginning(self, first: int, last: int, ringing: float | None = None) -> int:
        """From which sample on it must be played to be heard from one sample to another.

        Args:
            first: a multiple of `GRAIN`, as what is given back is.
            last: sample after the last.
            ringing: seconds that its notes sound after their ends; `RINGING` unless it is known.
        """
        begin, end = first // STEP, -(-last // STEP)
        silent = self.ends + steps(RINGING if ringing is None else ringing)
        sounding = (self.onsets < end) & (silent > begin)
        earliest = max(int(self.onsets[sounding].min(initial=begin)), begin - steps(HELD), 0)
        return min(first, earliest * STEP // GRAIN * GRAIN)

    def playing(self, first: int, last: int) -> NDArray:
        """Its events from one sample to another: `EVENT`, whose steps count from the first.

        What was set before is set at its beginning, and what was held is struck.
        """
        begin, end = first // STEP, -(-last // STEP)
        events = self.events[self.events["step"] < end]
        late = events["step"] >= begin
        events = np.concatenate([_settings(events[~late]), _held(events[~late]), events[late]])
        events["step"] = np.maximum(events["step"] - begin, 0)
        return events


def lines(score: ScoreTick, settings: Mapping[str, Mapping[int, int]]) -> list[Line]:
    """The tracks of a score that have notes, in its order.

    Args:
        score: in ticks.
        settings: by names of tracks, values of controllers that these do not set themselves.
    """
    clock = Clock(score)
    tracks = (track for track in score.tracks if len(track.notes))
    return [_line(track, clock, settings.get(track.name, {})) for track in tracks]


def steps(seconds: float) -> int:
    """The synthesizer's steps in so many seconds."""
    return round(seconds * SAMPLE_RATE / STEP)


class Clock:
    """When the ticks of a score are: symusic's own seconds have single precision."""

    def __init__(self, score: ScoreTick) -> None:
        tempos = score.tempos.numpy()
        order = np.argsort(tempos["time"], kind="stable")
        self.ticks = np.concatenate([[0], tempos["time"][order]])
        beats = np.concatenate([[60 / DEFAULT_TEMPO], tempos["mspq"][order] / 1e6])
        self.lengths = beats / score.ticks_per_quarter
        self.starts = np.concatenate([[0], np.cumsum(np.diff(self.ticks) * self.lengths[:-1])])

    def seconds(self, ticks: NDArray) -> NDArray[np.float64]:
        """Seconds from tick 0 on."""
        change = np.searchsorted(self.ticks, ticks, side="right") - 1
        return self.starts[change] + (ticks - self.ticks[change]) * self.lengths[change]

    def steps(self, ticks: NDArray) -> NDArray[np.int64]:
        """The synthesizer's nearest steps."""
        return np.rint(self.seconds(ticks) * SAMPLE_RATE / STEP).astype(np.int64)


def _line(track: TrackTick, clock: Clock, settings: Mapping[int, int]) -> Line:
    notes, controls, bends = track.notes.numpy(), track.controls.numpy(), track.pitch_bends.numpy()
    onsets, ends = clock.steps(notes["time"]), clock.steps(notes["time"] + notes["duration"])
    ends = np.maximum(ends, onsets + 1)
    at, number, value = clock.steps(controls["time"]), controls["number"], controls["value"]
    first = {**DEFAULTS, **settings}
    at = np.concatenate([np.zeros(len(first), int), at])
    number = np.concatenate([[*first], number]).astype(np.int64)
    value = np.concatenate([[*first.values()], value]).astype(np.int64)
    volume, gain = _loudest(at, number, value, int(onsets.min()))
    ours = np.isin(number, [VOLUME, VOLUME + FINE, EXPRESSION, EXPRESSION + FINE, REVERB, CHORUS])
    wheel = bends["value"] + 2**13
    events = np.concatenate(
        [
            _events([0, 0], CONTROL, [REVERB, CHORUS], 0),
            volume,
            _events(at[~ours], CONTROL, number[~ours], value[~ours]),
            _events([0], PROGRAM, track.program, 0),  # after the bank, which is a controller
            _events(clock.steps(bends["time"]), BEND, wheel % 128, wheel // 128),
            _events(ends, NOTE_OFF, notes["pitch"], 0),
            _events(onsets, NOTE_ON, notes["pitch"], notes["velocity"]),
        ]
    )
    # At one step all keep this order: settings, ends of notes, onsets.
    events = events[np.argsort(events["step"], kind="stable")]
    return Line(
        track.name,
        track.program,
        _latest(at[number == BANK], value[number == BANK], int(onsets.min())),
        track.is_drum,
        send=float(value[number == REVERB][-1]) / 127,
        gain=gain,
        events=events,
        onsets=onsets,
        released=ends,
        ends=_lifted(ends, at[number == PEDAL], value[number == PEDAL] >= 64),
    )


def _latest(at: NDArray, value: NDArray, step: int) -> int:
    """What a controller is set to at a step, 0 if it is not."""
    order = np.argsort(at, kind="stable")
    count = np.searchsorted(at[order], step, side="right")
    return int(value[order][count - 1]) if count else 0


def _events(steps: object, status: int, one: object, two: object) -> NDArray:
    steps = np.asarray(steps)
    events = np.zeros(len(steps), EVENT)
    events["step"], events["status"], events["one"], events["two"] = steps, status, one, two
    return events


def _loudest(at: NDArray, number: NDArray, value: NDArray, onset: int) -> tuple[NDArray, float]:
    """Volume times expression as a volume of 14 bits, raised to the highest, and what that gave.

    The synthesizer writes 16 bits: what is played softly would have few of them.
    """
    matters = np.isin(number, [VOLUME, EXPRESSION])
    at, number, value = at[matters], number[matters], value[matters]
    order = np.argsort(at, kind="stable")
    at, number, value = at[order], number[order], value[order]
    share = np.ones(len(at))
    for controller in (VOLUME, EXPRESSION):
        known = np.where(number == controller, np.arange(len(at)), 0)
        latest = np.maximum.accumulate(known)
        share *= np.where(number[latest] == controller, value[latest], DEFAULTS[controller]) / 127
    last = np.append(at[1:] != at[:-1], True)  # of those at one step
    at, share = at[last], share[last]
    loudest = share[max(np.searchsorted(at, onset, side="right") - 1, 0) :].max() or 1.0
    fine = np.minimum(np.rint(share / loudest * MAX_FINE), MAX_FINE).astype(np.int64)
    coarse = _events(at, CONTROL, VOLUME, fine // 128)
    return np.concatenate([coarse, _events(at, CONTROL, VOLUME + FINE, fine % 128)]), loudest**2


def _lifted(ends: NDArray, at: NDArray, down: NDArray) -> NDArray[np.int64]:
    """When notes end that a pedal may hold: at the first step where it is up."""
    order = np.argsort(at, kind="stable")
    at, down = at[order], down[order]
    up = np.append(at[~down], np.iinfo(np.int64).max // 2)
    state = np.searchsorted(at, ends, side="right") - 1
    held = (state >= 0) & down[np.maximum(state, 0)] if len(at) else np.zeros(len(ends), bool)
    return np.where(held, up[np.searchsorted(up, ends)], ends)


def _settings(events: NDArray) -> NDArray:
    """Those events that still matter later: the last of each kind, and all entries."""
    controls = events["status"] == CONTROL
    entries = controls & np.isin(events["one"], ENTRIES)
    kind = events["status"].astype(int) * 128 + np.where(controls, events["one"], 0)
    others = np.flatnonzero(~entries & ~np.isin(events["status"], [NOTE_ON, NOTE_OFF]))
    _, newest = np.unique(kind[others][::-1], return_index=True)
    kept = np.concatenate([np.flatnonzero(entries), others[::-1][newest]])
    return events[np.sort(kept)]


def _held(events: NDArray) -> NDArray:
    """The onsets of notes that have no end yet."""
    notes = events[np.isin(events["status"], [NOTE_ON, NOTE_OFF])]
    _, newest = np.unique(notes["one"][::-1], return_index=True)
    latest = notes[::-1][np.sort(newest)]
    return latest[latest["status"] == NOTE_ON]
