"""What MIDI channels are set to when a note begins: program, drum kit, volume, pan, pedals.

These belong to the channel, whichever track sets them: a first track often sets up all. Where two
tracks set a channel at one tick, as programs do that write more tracks than there are channels,
each track's notes are played as it says itself.

Drums play on channel 10, and where a channel is made a drum part: by bank select (XG 126 and 127,
GM2 120) or by a system exclusive message (GS, XG).
Source: General MIDI System Level 2, Roland GS and Yamaha XG specifications.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cmt.music import smf
from cmt.music.smf import Events, Other

if TYPE_CHECKING:
    from symusic.core import ScoreTick, TrackTick

CHANNELS = 16  # of a port
DRUM_CHANNEL = 9
BANK, BANK_FINE = 0, 32  # controllers
DRUM_BANKS, MELODIC_BANK = {120, 126, 127}, 121
# Music sets a few thousand controllers for some dozen tracks. They are laid out for every part.
MOST = 10_000_000

# System exclusive messages: their maker's byte, and what comes after the device's number.
GS = bytes.fromhex("41 42 12 40")
GS_RESET, GS_RHYTHM = GS + bytes.fromhex("00 7F"), 0x15
XG_ON, XG_PART, XG_MODE = bytes.fromhex("43 4C 00 00 7E"), bytes.fromhex("43 4C 08"), 0x07
GM_ON, GM_OFF, GM2_ON = (bytes((0x7E, 0x09, how)) for how in (1, 2, 3))
RESETS = (XG_ON, GM_ON, GM_OFF, GM2_ON)


@dataclass(frozen=True)
class Changes:
    """What channels are set to, as it comes in a file.

    Attributes:
        tick: (changes,).
        track: (changes,) which says so.
        place: (changes,) among the messages of the file, from 1 on; 0 before all of its tick.
        channel: (changes,) port and channel.
        value: (changes, 1 or 2), a message's data, or whether drums play.
    """

    tick: NDArray[np.int64]
    track: NDArray[np.int64]
    place: NDArray[np.int64]
    channel: NDArray[np.int64]
    value: NDArray[np.int64]

    def of(self, channel: int) -> Changes:
        """Those of one channel."""
        mine = self.channel == channel
        return Changes(*(column[mine] for column in vars(self).values()))

    def seen_by(self, track: int) -> tuple[NDArray[np.int64], Changes]:
        """In the order that a track's notes see them, and what this order is by.

        By tick; at one tick first what other tracks say.
        """
        key = _order(self.tick, np.where(self.track == track, self.place, 0))
        order = np.argsort(key, kind="stable")
        return key[order], Changes(*(column[order] for column in vars(self).values()))


def _order(tick: NDArray[np.int64], place: NDArray[np.int64]) -> NDArray[np.int64]:
    """By tick, then by place in the file, which has fewer than 2²⁴ messages."""
    return tick << 24 | place


def score_of(events: Events) -> ScoreTick:
    """The music of a file as parts, each with a program of its own and all that its channel is set.

    A part is the notes that one track has on one channel with one program.

    Raises:
        ValueError: the channels are set more often than music does.
    """
    from symusic import core

    score = core.ScoreTick(events.division)
    for other in events.of(smf.TEMPO):
        score.tempos.append(core.TempoTick(other.tick, mspq=int.from_bytes(other.data, "big")))
    for other in events.of(smf.METER):
        score.time_signatures.append(core.TimeSignatureTick(other.tick, *smf.meter_of(other)))
    for other in events.of(smf.KEY):
        score.key_signatures.append(core.KeySignatureTick(other.tick, *smf.key_of(other)))
    for other in events.of(smf.MARKER):
        score.markers.append(core.TextMetaTick(other.tick, other.text))
    names = {other.track: other.text for other in events.of(smf.NAME)}
    first: dict[int, TrackTick] = {}  # part of each track
    for track, part in _parts(events, names):
        first.setdefault(track, part)
        score.tracks.append(part)
    for other in events.of(smf.LYRIC):
        if other.track not in first:
            first[other.track] = core.TrackTick(names.get(other.track, ""), 0, False)
            score.tracks.append(first[other.track])
        first[other.track].lyrics.append(core.TextMetaTick(other.tick, other.text))
    return score


def _parts(events: Events, names: dict[int, str]) -> Iterator[tuple[int, TrackTick]]:
    """Tracks and their parts, by track, channel and program."""
    from symusic import core

    channel = _channels(events)
    kind = events.status & 0xF0
    onset, end = _paired(events, channel)
    programs, drums, controls, bends = (
        _of_kind(events, channel, kind == smf.PROGRAM),
        _drum_changes(events, channel),
        _of_kind(events, channel, kind == smf.CONTROL),
        _of_kind(events, channel, kind == smf.BEND),
    )
    pairs = np.unique(np.stack([events.track[onset], channel[onset]], axis=1), axis=0).tolist()
    _check_amount(pairs, programs, controls, bends)
    for track, on in pairs:
        rows = np.flatnonzero((events.track[onset] == track) & (channel[onset] == on))
        key = _order(events.tick[onset[rows]], onset[rows] + 1)
        program = _at(key, track, programs.of(on), 0)
        is_drum = _at(key, track, drums.of(on), int(on % CHANNELS == DRUM_CHANNEL))
        _, control = controls.of(on).seen_by(track)
        _, bend = bends.of(on).seen_by(track)
        for which in np.unique(is_drum << 7 | program).tolist():
            mine = rows[(is_drum << 7 | program) == which]
            part = core.TrackTick(names.get(track, ""), which & 127, bool(which >> 7))
            start = events.tick[onset[mine]]
            part.notes = core.NoteTickList.from_numpy(
                start.astype(np.int32),
                (events.tick[end[mine]] - start).astype(np.int32),
                *events.data[onset[mine]].T.astype(np.int8),
            )
            # A kit is told by its program; its bank only said that it is one.
            kept = ~np.isin(control.value[:, 0], (BANK, BANK_FINE)) | (not part.is_drum)
            part.controls = core.ControlChangeTickList.from_numpy(
                control.tick[kept].astype(np.int32), *control.value[kept].T.astype(np.uint8)
            )
            part.pitch_bends = core.PitchBendTickList.from_numpy(
                bend.tick.astype(np.int32),
                (bend.value[:, 1] * 128 + bend.value[:, 0] - 8192).astype(np.int32),
            )
            yield track, part


def _channels(events: Events) -> NDArray[np.int64]:
    """Port and channel of the messages: each port that a track may be for has its 16."""
    port = np.zeros(int(events.track.max(initial=0)) + 1, np.int64)
    for track, number in _ports(events).items():
        if track < len(port):
            port[track] = number
    return port[events.track] * CHANNELS + (events.status & 0xF)


def _ports(events: Events) -> dict[int, int]:
    """The port that tracks are for, where they say so."""
    return {other.track: other.data[0] for other in events.of(smf.PORT) if other.data}


def _paired(
    events: Events, channel: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Messages that begin notes and those that end them; the first that sounds ends first.

    Of a pitch that does not sound an end is nothing; a note that is never ended is left out.
    """
    kind = events.status & 0xF0
    message = np.flatnonzero((kind == smf.NOTE_ON) | (kind == smf.NOTE_OFF))
    begins = (kind[message] == smf.NOTE_ON) & (events.data[message, 1] > 0)
    key = (events.track * CHANNELS * 256 + channel) * 128 + events.data[:, 0]
    order = np.argsort(key[message], kind="stable")
    message, begins = message[order], begins[order]
    group = np.cumsum(np.diff(key[message], prepend=-1) != 0)
    # How many sound of a pitch, were it not for ends of none; every group far below the last one.
    floor = -group * (len(message) + 1)
    steps = np.where(begins, 1, -1)
    total = np.cumsum(steps)
    first = np.searchsorted(group, group)
    level = total - (total[first] - steps[first]) + floor
    least = np.minimum.accumulate(np.minimum(level, floor))
    ends = ~begins & (level >= np.append(floor[:1], least[:-1]).clip(None, floor))
    number = np.cumsum(begins), np.cumsum(ends)
    # The n-th end of a group is of its n-th beginning.
    before = tuple(n[first] - taken[first] for n, taken in zip(number, (begins, ends), strict=True))
    nth = [(group * (len(message) + 1) + n - b) for n, b in zip(number, before, strict=True)]
    _, at_begin, at_end = np.intersect1d(nth[0][begins], nth[1][ends], True, return_indices=True)
    onset, end = message[begins][at_begin], message[ends][at_end]
    in_file = np.argsort(onset)
    return onset[in_file], end[in_file]


def _of_kind(events: Events, channel: NDArray[np.int64], which: NDArray[np.bool_]) -> Changes:
    """The messages of one kind."""
    place = np.flatnonzero(which)
    data = events.data[place]
    return Changes(events.tick[place], events.track[place], place + 1, channel[place], data)


def _check_amount(pairs: list[list[int]], *all_changes: Changes) -> None:
    """A ValueError where laying out all changes for every part would take too much memory."""
    size = 0
    for changes in all_changes:
        channel, count = np.unique(changes.channel, return_counts=True)
        counts = dict(zip(channel.tolist(), count.tolist(), strict=True))
        size += sum(counts.get(on, 0) for _, on in pairs)
    if size > MOST:
        raise ValueError("damaged MIDI file (its channels are set millions of times)")


def _at(key: NDArray[np.int64], track: int, changes: Changes, default: int) -> NDArray[np.int64]:
    """What a channel is set to at notes of a track, given by their order."""
    places, changes = changes.seen_by(track)
    index = np.searchsorted(places, key, side="right") - 1
    return np.append(changes.value[:, 0], default)[index]


def _drum_changes(events: Events, channel: NDArray[np.int64]) -> Changes:
    """Where channels become drum parts (1), or no longer are (0)."""
    banks = np.flatnonzero(((events.status & 0xF0) == smf.CONTROL) & (events.data[:, 0] == BANK))
    ports = _ports(events)
    said: list[tuple[int, int, int, Other | int]] = [
        (int(events.tick[at]), int(events.track[at]), int(at) + 1, int(at)) for at in banks
    ]
    said += [(other.tick, other.track, 0, other) for other in events.of(smf.SYSTEM)]
    rows: list[tuple[int, int, int, int, int]] = []
    is_gs = False
    for tick, track, place, what in sorted(said, key=lambda row: row[:3]):
        if isinstance(what, Other):
            message = what.data[:1] + what.data[2:]
            is_gs = message.startswith(GS) or (is_gs and not message.startswith(RESETS))
            first = ports.get(track, 0) * CHANNELS
            parts = _drum_parts(message)
            rows += [(tick, track, place, first + part, drums) for part, drums in parts]
        elif not is_gs:  # whose banks are variations of sounds
            on, bank = int(channel[what]), int(events.data[what, 1])
            stays = on % CHANNELS == DRUM_CHANNEL and bank != MELODIC_BANK
            rows.append((tick, track, place, on, int(bank in DRUM_BANKS or stays)))
    ticks, of, at, channels, values = np.array(rows, np.int64).reshape(-1, 5).T
    return Changes(ticks, of, at, channels, values[:, None])


def _drum_parts(message: bytes) -> list[tuple[int, int]]:
    """The channels that a system message sets, and whether to drums."""
    if message.startswith((GS_RESET, *RESETS)):
        return [(part, int(part == DRUM_CHANNEL)) for part in range(CHANNELS)]
    if len(message) < 7:
        return []
    if message.startswith(GS) and message[4] >> 4 == 1 and message[5] == GS_RHYTHM:
        block = message[4] & 0xF  # of which the first is channel 10
        channel = DRUM_CHANNEL if block == 0 else block - (block <= DRUM_CHANNEL)
        return [(channel, int(message[6] > 0))]
    if message.startswith(XG_PART) and message[3] < CHANNELS and message[4] == XG_MODE:
        return [(message[3], int(message[5] > 0))]
    return []
