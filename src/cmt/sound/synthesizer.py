"""Notes to samples with a SoundFont, in processes of their own.

The synthesizer is rustysynth (wheel `midirenderer`): it reads a SoundFont's root keys, envelopes
and filters, and follows volume, pan, pedal and pitch-bend messages. `symusic.Synthesizer` ignores
all of these, the root keys too. A file that crashes it ends its process, not ours.
"""

from __future__ import annotations

import io
import os
import wave
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from cmt.files import InputError
from cmt.parallel import in_order
from cmt.sound import riff
from cmt.sound.fonts import reading
from cmt.sound.loudness import SAMPLE_RATE
from cmt.sound.passes import Group, Pass, softened
from cmt.sound.recording import BLOCK
from cmt.sound.segments import PART, PROGRAM, STEP

# Shares of the volume: where all of it is too loud for 16 bits the next is tried. It is squared.
SHARES = 1, 1 / 2, 1 / 4, 1 / 8, 1 / 16
HIGHEST = 2**15 - 1


def play_all(groups: Sequence[Group], length: int) -> Iterator[NDArray[np.float32]]:
    """Play groups of tracks, dry, on all cores, from now on.

    Args:
        groups: of tracks.
        length: samples.

    Returns:
        Float32 (groups, 2, samples), a second at a time.

    Raises:
        InputError: a SoundFont cannot be read.
    """
    windows = [(first, min(first + PART, length)) for first in range(0, length, PART)]
    softer = [0] * len(groups)  # what was too loud is so again
    ahead = ThreadPoolExecutor(1)  # while a window is being heard the next is played
    coming = [ahead.submit(_window, groups, softer, *window) for window in windows[:1]]

    def blocks() -> Iterator[NDArray[np.float32]]:
        for number, (first, last) in enumerate(windows):
            played = coming.pop().result()
            following = windows[number + 1 :][:1]
            coming.extend(ahead.submit(_window, groups, softer, *w) for w in following)
            for start in range(first, last, BLOCK):
                block = np.zeros((len(groups), 2, min(BLOCK, last - start)), np.float32)
                for sound in played:
                    sound.add(block, start)
                yield block
        ahead.shutdown()

    return blocks()


@dataclass(frozen=True)
class Sound:
    """What a pass sounds like.

    Attributes:
        group: its number.
        at: sample of the music at which it begins.
        pcm: (samples, 2) of 16 bits.
        gain: that makes floating-point samples of these.
    """

    group: int
    at: int
    pcm: NDArray[np.int16]
    gain: float

    def add(self, block: NDArray[np.float32], first: int) -> None:
        """Add what is heard of it to a block (groups, 2, samples) that begins at a sample."""
        begin, end = max(self.at, first), min(self.at + len(self.pcm), first + block.shape[2])
        if begin < end:
            heard = block[self.group, :, begin - first : end - first]
            heard += self.pcm[begin - self.at : end - self.at].T * np.float32(self.gain)


def _window(groups: Sequence[Group], softer: list[int], first: int, last: int) -> list[Sound]:
    """What sounds from one sample to another.

    How soft each group is to be played is read from `softer` and noted there, see `play`.
    """
    tasks = [
        (part, group.font, softer[number], number)
        for number, group in enumerate(groups)
        for part in group.passes(first, last)
    ]
    sounds = []
    played = in_order(play, [task[:3] for task in tasks], _lost)
    for (part, _, _, number), (pcm, soft) in zip(tasks, played, strict=True):
        softer[number] = max(softer[number], soft)
        gain = part.gain / SHARES[soft] ** 2 / 2**15
        sounds.append(Sound(number, part.at, pcm, gain))
    return sounds


def play(part: Pass, soundfont: Path, softer: int = 0) -> tuple[NDArray[np.int16], int]:
    """Play a pass: (samples, 2) of 16 bits, and how soft, so that it has room in these.

    Args:
        part: of a group.
        soundfont: that plays it.
        softer: the loudest of `SHARES` that is tried; given back is what it came to.

    Raises:
        InputError: the SoundFont cannot be read.
    """
    for soft in range(softer, len(SHARES)):
        pcm = _render(_midi(part, SHARES[soft]), soundfont)
        if pcm.min(initial=0) >= -HIGHEST and pcm.max(initial=0) < HIGHEST:
            break
    return pcm[part.skipped : part.skipped + part.samples], soft


def _midi(part: Pass, share: float) -> bytes:
    """A MIDI file of a pass, whose quarters are seconds."""
    import mido

    tick = 2  # a step's; events come one before it, as what comes after it waits for the next
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=1_000_000)])
    now = 0
    for step, status, one, two in softened(part.events, share).tolist():
        data = [one] if status & 0xF0 == PROGRAM else [one, two]
        then = max(tick * step - 1, 0)
        track.append(mido.Message.from_bytes([status, *data], then - now))
        now = then
    # The synthesizer stops at the last message.
    end = tick * (-(-(part.skipped + part.samples) // STEP) + 1)
    track.append(mido.Message("note_off", time=max(end - now, 0)))
    file = mido.MidiFile(ticks_per_beat=tick * SAMPLE_RATE // STEP, tracks=[track])
    written = io.BytesIO()
    file.save(file=written)
    return written.getvalue()


def _render(midi: bytes, soundfont: Path) -> NDArray[np.int16]:
    import midirenderer

    try:
        with reading(soundfont):
            font = riff.read(soundfont)
            with _silenced():
                wav = midirenderer.render_wave_from(font, midi)
    except InputError:
        raise
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # which Rust's binding does not export
            raise
        _lost(None, soundfont)
    with wave.open(io.BytesIO(wav)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, 2)


@contextmanager
def _silenced() -> Iterator[None]:
    """Without what native code says on standard error: a panic tells its place in many lines."""
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def _lost(part: Pass | None, soundfont: Path, softer: int = 0) -> NoReturn:
    raise InputError(f"{soundfont}: crashes the synthesizer; give --soundfont another .sf2 file")
