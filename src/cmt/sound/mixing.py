"""Tracks to a mix: how loud each is, where, without what lies below it, and in which room.

Volume, pan and room are MIDI's own controllers 7, 10 and 91, so that other programs hear a file
as we do. What a file itself says of these goes before what is said here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from cmt.music.midi import instrument_of
from cmt.sound.filtering import Filter
from cmt.sound.loudness import SAMPLE_RATE
from cmt.sound.passes import Group
from cmt.sound.segments import PAN, REVERB, VOLUME, Line


@dataclass(frozen=True)
class Channel:
    """How a track sits in the mix.

    Attributes:
        volume: MIDI controller 7, 0 … 127: 40 dB a decade.
        pan: MIDI controller 10, 0 (left) … 127.
        reverb: MIDI controller 91, 0 … 127: the send to the room.
        low_cut: Hz, below which other tracks have the room.
    """

    volume: int
    pan: int
    reverb: int
    low_cut: float

    @property
    def controllers(self) -> dict[int, int]:
        """MIDI controllers and their values."""
        return {VOLUME: self.volume, PAN: self.pan, REVERB: self.reverb}


# Drums, bass and what they carry stay in the middle; the others make room for each other. Tracks of
# one low cut and send are played as one, see `cmt.sound.passes`.
MIX = {
    "Drums": Channel(volume=88, pan=64, reverb=24, low_cut=35),
    "Piano": Channel(volume=80, pan=44, reverb=46, low_cut=120),
    "Guitar": Channel(volume=59, pan=88, reverb=46, low_cut=120),
    "Bass": Channel(volume=98, pan=64, reverb=24, low_cut=35),
    "Strings": Channel(volume=46, pan=50, reverb=46, low_cut=120),
}
# dB by which the programs of our SoundFont are given more than that, so that each is as loud as
# any other of its track: medians over six takes.
TRIMS = {
    "Drums": {0: 0.9, 114: 0.9, 16: -4.0, 24: -3.0, 40: 0.0},
    "Piano": {0: -4.6, 4: -8.9, 16: -4.4},
    "Guitar": {24: -2.7, 25: -0.8, 27: -1.7, 29: -4.7, 81: -3.2},
    "Bass": {33: 0.8, 34: 1.3, 38: -1.1, 39: -6.5},
    "Strings": {48: 1.9, 81: -0.9, 89: 7.0},
}
# dB by which what a style is known by steps forward, and what it has in the background steps back.
LEADS = {
    "Drums": {16: 1.5, 24: 2.0, 40: -4.0},
    "Piano": {16: -2.0},
    "Guitar": {25: 4.5, 29: 5.0, 81: 3.0},
    "Bass": {33: -1.0, 38: 3.5, 39: 3.5},
    "Strings": {81: 2.0, 89: 2.0},
}

ROOM_SECONDS = 0.9  # until the room is 60 dB down
ROOM_LENGTH = 1.0  # s
PREDELAY = 0.012  # s
BRIGHT, DULL = 9000.0, 2500.0  # Hz: what the room gives back at first, and in the end
ROOM_LOW_CUT = 220.0  # Hz
ROOM_LEVEL = 10 ** (-6 / 20)  # of what comes back at a full send
ROOM_SEED = 16


def settings(tracks: Sequence[tuple[str, int]]) -> dict[str, dict[int, int]]:
    """What tracks do where they do not say it; nothing unless all are of `MIX`.

    Args:
        tracks: their names and programs.
    """
    if any(name not in MIX for name, _ in tracks):
        return {}
    return {name: _trimmed(name, program).controllers for name, program in tracks}


def _trimmed(name: str, program: int) -> Channel:
    """A track's channel, at the volume that its program wants."""
    channel = MIX[name]
    gain = TRIMS[name].get(program, 0.0) + LEADS[name].get(program, 0.0)
    volume = channel.volume * 10 ** (gain / 40)
    return replace(channel, volume=min(round(volume), 127))


def in_room(
    blocks: Iterator[NDArray[np.float32]], groups: Sequence[Group], *, apart: bool
) -> Iterator[NDArray[np.float32]]:
    """Cut groups of tracks below, and add what the room gives back.

    Args:
        blocks: float32 (groups, 2, samples), dry.
        groups: of tracks.
        apart: whether each has the room for itself.

    Yields:
        (groups, 2, samples) if `apart`, else their sum, (1, 2, samples).
    """
    sends = np.array([group.send / 2 for group in groups], np.float32)[:, None]  # of both channels
    room = Room(len(groups) if apart else 1)
    for dry in low_cut(blocks, [group.low_cut for group in groups]):
        sent = sends * (dry[:, 0] + dry[:, 1])
        if not apart:
            dry, sent = (sound.sum(axis=0, keepdims=True) for sound in (dry, sent))
        yield dry + room(sent)


def cut_below(line: Line) -> float:
    """Where a track's low cut is, in Hz: that of the track of `MIX` which it is like."""
    place = line.name if line.name in MIX else instrument_of(line.program, line.drums)
    return MIX[place].low_cut


def faded(
    blocks: Iterator[NDArray[np.float32]], length: int, fade_in: float, fade_out: float
) -> Iterator[NDArray[np.float32]]:
    """Fade blocks (…, samples) in and out.

    Args:
        blocks: of the sound.
        length: of all, in samples.
        fade_in: seconds from the first sample on.
        fade_out: seconds up to the last.
    """
    risen, fallen = (max(round(seconds * SAMPLE_RATE), 1) for seconds in (fade_in, fade_out))
    first = 0
    for block in blocks:
        at = np.arange(first, first := first + block.shape[-1])
        if at[0] >= risen and at[-1] <= length - fallen:
            yield block
            continue
        gain = np.minimum((at + 1) / risen, (length - at) / fallen)
        yield block * (np.minimum(gain, 1) ** 2).astype(np.float32)  # ears want it steep at first


def low_cut(
    blocks: Iterator[NDArray[np.float32]], frequencies: Sequence[float]
) -> Iterator[NDArray[np.float32]]:
    """Take from each track (tracks, 2, samples) what lies below its frequency, 12 dB an octave."""
    from scipy.signal import butter

    filters = [
        Filter(butter(2, frequency, "highpass", fs=SAMPLE_RATE, output="sos").astype(np.float32), 2)
        for frequency in frequencies
    ]
    for block in blocks:
        for track, cut in enumerate(filters):
            block[track] = cut(block[track])
        yield block


class Room:
    """A short room that gives back, to the left and right, what one channel sends.

    Args:
        tracks: that it is given at a time, each heard apart.
    """

    def __init__(self, tracks: int) -> None:
        self._tail = np.zeros((tracks, 2, round(ROOM_LENGTH * SAMPLE_RATE) - 1), np.float32)

    def __call__(self, sent: NDArray[np.float32]) -> NDArray[np.float32]:
        """(tracks, samples) to (tracks, 2, samples), with what rings on from before."""
        from scipy.fft import irfft, next_fast_len, rfft

        samples, ringing = sent.shape[1], self._tail.shape[2]
        size = next_fast_len(samples + ringing, real=True)
        heard = irfft(rfft(sent, size)[:, None] * _room_spectrum(size), size)
        heard[..., :ringing] += self._tail
        self._tail = heard[..., samples : samples + ringing]
        return heard[..., :samples]


@cache
def _room_spectrum(size: int) -> NDArray[np.complex64]:
    from scipy.fft import rfft

    return rfft(impulse_response(), size)


@cache
def impulse_response() -> NDArray[np.float32]:
    """The room: noise, other to the left than to the right, that decays and grows dull.

    Noise of an exponential decay is what a diffuse room answers (Moorer, "About this reverberation
    business", 1979).

    Returns:
        (2, samples) float32.
    """
    from scipy.signal import butter, sosfilt

    samples = round(ROOM_LENGTH * SAMPLE_RATE)
    time = np.arange(samples) / SAMPLE_RATE
    noise = np.random.default_rng(ROOM_SEED).normal(size=(2, samples))
    bright, dull = (
        sosfilt(butter(1, [ROOM_LOW_CUT, top], "bandpass", fs=SAMPLE_RATE, output="sos"), noise)
        for top in (BRIGHT, DULL)
    )
    share = np.minimum(time / ROOM_SECONDS, 1)
    response = (bright * (1 - share) + dull * share) * 10 ** (-3 * time / ROOM_SECONDS)
    response *= ROOM_LEVEL / np.sqrt((response**2).sum(axis=1).mean())
    delay = round(PREDELAY * SAMPLE_RATE)
    return np.pad(response, ((0, 0), (delay, 0)))[:, :samples].astype(np.float32)
