"""Standard MIDI files: bytes → events. Nothing in them is trusted.

Read in Python, not by a native library: of damaged files one in a thousand crashes those. What no
music has (a tempo of 0, a meter of no beats) is left out and told; what cannot be told apart any
more (a track that is cut off, a message of bytes that are none) is refused.
Source: the Standard MIDI Files 1.0 specification.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from cmt.music.vocabulary import DEFAULT_TEMPO

MAX_BYTES = 8 << 20  # of a file: events take 15 times that in memory; music has thousands of bytes
HEADER, TRACK = b"MThd", b"MTrk"
SEARCHED = 1 << 12  # bytes in which a header is looked for: RIFF, MacBinary, a mail stand before it
LAST_TICK = 2**31 - 1  # of the types that ticks are held in
FASTEST = 2_000.0  # BPM; at a faster tempo there is no music
# Time in frames: frames a second by what a file says of them, and ticks of a quarter note that it
# is read in, which are a half of a millisecond.
FRAMES = {24: 24.0, 25: 25.0, 29: 30_000 / 1001, 30: 30.0}
IN_FRAMES = 960
NO_TIME = "time is not in ticks per quarter note, nor in frames; save it in beats"

# What a status byte begins, by its upper half.
NOTE_OFF, NOTE_ON, CONTROL, PROGRAM, PRESSURE, BEND = 0x80, 0x90, 0xB0, 0xC0, 0xD0, 0xE0
SYSTEM, ESCAPE, META = 0xF0, 0xF7, 0xFF
# Kinds of meta events.
NAME, LYRIC, MARKER, PORT, END = 0x03, 0x05, 0x06, 0x21, 0x2F
TEMPO, METER, KEY = 0x51, 0x58, 0x59
KEPT = {NAME, LYRIC, MARKER, PORT, TEMPO, METER, KEY}
LONGEST = 1 << 12  # bytes of a text or a system message that are kept


@dataclass(frozen=True)
class Other:
    """An event that is no channel message; `kind` is a meta event's, or `SYSTEM`."""

    tick: int
    track: int
    kind: int
    data: bytes

    @property
    def text(self) -> str:
        """What a text event says."""
        try:
            return self.data.decode()
        except UnicodeDecodeError:
            return self.data.decode("latin-1")


@dataclass(frozen=True)
class Events:
    """The events of a file, by track, then as they come.

    Attributes:
        division: ticks of a quarter note, 1 … 32767.
        tick: (messages,) of the channel messages, 0 … LAST_TICK.
        track: (messages,) counted from 0.
        status: (messages,) 0x80 … 0xEF.
        data: (messages, 2) 0 … 127; the second is 0 where a message has one.
        others: meta events that are known, their values checked, and system messages.
        ignored: what was left out as no music has it, by name.
    """

    division: int
    tick: NDArray[np.int64]
    track: NDArray[np.int64]
    status: NDArray[np.int64]
    data: NDArray[np.int64]
    others: list[Other]
    ignored: set[str] = field(default_factory=set)

    def of(self, kind: int) -> Iterator[Other]:
        """The other events of a kind."""
        return (other for other in self.others if other.kind == kind)

    @property
    def seconds(self) -> float:
        """How long the file lasts, to its last message."""
        changes = sorted((other.tick, tempo_of(other)) for other in self.of(TEMPO))
        end = int(self.tick.max(initial=0))
        total, now, tempo = 0.0, 0, DEFAULT_TEMPO
        for tick, changed in [*changes, (end, DEFAULT_TEMPO)]:
            total += (min(tick, end) - now) / self.division * 60 / tempo
            now, tempo = min(tick, end), changed
        return total


def parse(data: bytes) -> Events:
    """Read a MIDI file of type 0 or 1.

    One whose time is in frames has no beats: it is read as music at `DEFAULT_TEMPO`.

    Raises:
        ValueError: it is none, or is damaged; the message says how.
    """
    start = data.find(HEADER, 0, SEARCHED)
    if start < 0 or len(data) < start + 14:
        raise ValueError("not a MIDI file" if data else "empty file")
    data = data[start:]
    kind, _, division = (int.from_bytes(data[at : at + 2], "big") for at in (8, 10, 12))
    if kind == 2:
        raise ValueError("MIDI type 2 (independent patterns); save it as type 1")
    if division == 0:
        raise ValueError(NO_TIME)
    messages: list[list[int]] = []
    others: list[Other] = []
    for track, body in enumerate(_tracks(data)):
        messages.append(_read_track(body, track, others))
    packed = np.array([message for track in messages for message in track], np.int64)
    tick = packed >> 24
    if division & 0x8000:
        division, tick, others = _out_of_frames(division, tick, others)
    ignored: set[str] = set()
    return Events(
        division,
        tick,
        np.repeat(np.arange(len(messages)), [len(track) for track in messages]),
        packed >> 16 & 0xFF,
        np.stack([packed >> 8 & 0x7F, packed & 0x7F], axis=1),
        [other for other in others if not _is_wrong(other, ignored)],
        ignored,
    )


def _out_of_frames(
    division: int, tick: NDArray[np.int64], others: list[Other]
) -> tuple[int, NDArray[np.int64], list[Other]]:
    """Time in frames as time in beats: ticks of a quarter note, those of messages, other events.

    What a file says of its tempo is left out: its seconds are what counts.
    """
    frames, per_frame = FRAMES.get(256 - (division >> 8)), division & 0xFF
    if not frames or not per_frame:
        raise ValueError(NO_TIME)
    ratio = IN_FRAMES * DEFAULT_TEMPO / 60 / (frames * per_frame)
    if max([*tick, *(other.tick for other in others)], default=0) * ratio > LAST_TICK:
        raise ValueError("damaged MIDI file (it is millions of bars long)")
    moved = [
        replace(other, tick=round(other.tick * ratio)) for other in others if other.kind != TEMPO
    ]
    return IN_FRAMES, np.rint(tick * ratio).astype(np.int64), moved


def _tracks(data: bytes) -> Iterator[bytes]:
    """The bodies of the track chunks; what may follow the last one is left out."""
    at = 8 + int.from_bytes(data[4:8], "big")
    if at < 14:
        raise ValueError("damaged MIDI file (its header is cut off)")
    while at + 8 <= len(data):
        end = at + 8 + int.from_bytes(data[at + 4 : at + 8], "big")
        is_track = data[at : at + 4] == TRACK
        if end > len(data):
            if is_track:
                raise ValueError("damaged MIDI file (a track is cut off)")
            return
        if is_track:
            yield data[at + 8 : end]
        at = end


def _read_track(body: bytes, track: int, others: list[Other]) -> list[int]:
    """The channel messages of a track, each packed as tick << 24 | status << 16 | its two bytes.

    `others` gets its other events.
    """
    messages: list[int] = []
    try:
        _read_events(body, track, messages, others)
    except IndexError:
        raise ValueError(f"damaged MIDI file (track {track + 1} ends within an event)") from None
    return messages


def _read_events(body: bytes, track: int, messages: list[int], others: list[Other]) -> None:
    """Append the events of a track, up to its end; an IndexError where the end is within one."""
    at = tick = running = 0
    size = len(body)
    while at < size:
        if body[at] < 128:  # most are short
            tick += body[at]
            at += 1
        else:
            delta, at = _quantity(body, at)
            tick += delta
            if tick > LAST_TICK:
                raise ValueError("damaged MIDI file (it is millions of bars long)")
        status = body[at]
        if status >= 128:
            at += 1
        else:
            status = running
        if 128 <= status < SYSTEM:
            running = status
            two = not PROGRAM <= status < BEND
            first, second = body[at], body[at + 1] if two else 0
            at += 1 + two
            if (first | second) > 127:
                raise ValueError(f"damaged MIDI file (track {track + 1} has no message at {at})")
            messages.append(tick << 24 | status << 16 | first << 8 | second)
        elif status in (META, SYSTEM, ESCAPE):
            kind = status
            if status == META:
                kind = body[at]
                at += 1
            length, at = _quantity(body, at)
            if at + length > size:
                raise IndexError
            if kind == END and status == META:
                return
            if status == SYSTEM or (status == META and kind in KEPT):
                others.append(Other(tick, track, kind, body[at : at + min(length, LONGEST)]))
            at += length
        else:
            raise ValueError(f"damaged MIDI file (track {track + 1} has no event at {at})")


def _quantity(body: bytes, at: int) -> tuple[int, int]:
    """A number of up to four bytes of seven bits each, and where it ends."""
    value = 0
    for index in range(at, at + 4):
        value = value << 7 | body[index] & 127
        if body[index] < 128:
            return value, index + 1
    raise ValueError("damaged MIDI file (a number of more than four bytes)")


def _is_wrong(other: Other, ignored: set[str]) -> bool:
    """Whether a meta event has a value that no music has; `ignored` then gets its name."""
    data, name = other.data, None
    if other.kind == TEMPO and (len(data) != 3 or tempo_of(other) > FASTEST):
        name = "tempo"
    elif other.kind == METER and (len(data) < 2 or data[0] == 0 or data[1] > 7):
        name = "time signature"
    elif other.kind == KEY and (len(data) != 2 or not -7 <= _signed(data[0]) <= 7 or data[1] > 1):
        return True  # nothing goes by it, and files are often wrong here
    if name:
        ignored.add(name)
    return name is not None


def tempo_of(other: Other) -> float:
    """BPM of a tempo event; infinite where it says that beats last no time."""
    beat = int.from_bytes(other.data, "big")  # microseconds
    return 60e6 / beat if beat else float("inf")


def meter_of(other: Other) -> tuple[int, int]:
    """Numerator and denominator of a time signature."""
    return other.data[0], 1 << other.data[1]


def key_of(other: Other) -> tuple[int, int]:
    """Sharps, or flats below 0, of a key signature; and 1 for minor."""
    return _signed(other.data[0]), other.data[1]


def _signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte
