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
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from cmt.files import InputError
from cmt.music.midi import DRUM_CHANNEL
from cmt.parallel import in_order
from cmt.sound import riff
from cmt.sound.fonts import reading
from cmt.sound.loudness import SAMPLE_RATE
from cmt.sound.recording import BLOCK
from cmt.sound.segments import CONTROL, EXPRESSION, PART, PROGRAM, STEP, Line, Part

EXPRESSIONS = 127, 64, 32, 16, 8  # all but the first where that is too loud for 16 bits
HIGHEST = 2**15 - 1


def tracks(lines: Sequence[Line], fonts: Sequence[Path], length: int) -> Iterator[NDArray]:
    """Play tracks, each alone and dry, on all cores.

    Args:
        lines: of a score.
        fonts: the SoundFont of each.
        length: samples.

    Yields:
        Float32 (tracks, 2, samples), a second at a time.

    Raises:
        InputError: a SoundFont cannot be read.
    """
    windows = [(first, min(first + PART, length)) for first in range(0, length, PART)]
    softer = [0] * len(lines)  # what was too loud is so again
    with ThreadPoolExecutor(1) as ahead:  # while a window is being heard the next is played
        waiting = [ahead.submit(_window, lines, fonts, softer, *w) for w in windows[:1]]
        for number, (first, last) in enumerate(windows):
            played = waiting.pop().result()
            following = windows[number + 1 :][:1]
            waiting += [ahead.submit(_window, lines, fonts, softer, *w) for w in following]
            for start in range(0, last - first, BLOCK):
                samples = min(BLOCK, last - first - start)
                block = np.zeros((len(lines), 2, samples), np.float32)
                for track, pcm, gain in played:
                    block[track] = pcm[start : start + samples].T
                    block[track] *= np.float32(gain * lines[track].gain / 2**15)
                yield block


def _window(
    lines: Sequence[Line], fonts: Sequence[Path], softer: list[int], first: int, last: int
) -> list[tuple[int, NDArray[np.int16], float]]:
    """Tracks that sound from one sample to another: their numbers, samples, and gains for these.

    How soft each is to be played is read from `softer` and noted there, see `play`.
    """
    parts = {number: part for number, line in enumerate(lines) if (part := line.part(first, last))}
    tasks = [(part, fonts[number], softer[number]) for number, part in parts.items()]
    played = []
    for number, (pcm, soft) in zip(parts, in_order(play, tasks, _lost), strict=True):
        softer[number] = soft
        played.append((number, pcm, (EXPRESSIONS[0] / EXPRESSIONS[soft]) ** 2))
    return played


def play(part: Part, soundfont: Path, softer: int = 0) -> tuple[NDArray[np.int16], int]:
    """Play a part: (samples, 2) of 16 bits, and how soft, so that it has room in these.

    Args:
        part: of a track.
        soundfont: that plays it.
        softer: the loudest of `EXPRESSIONS` that is tried; given back is what it came to.

    Raises:
        InputError: the SoundFont cannot be read.
    """
    for soft in range(softer, len(EXPRESSIONS)):
        pcm = _render(_midi(part, EXPRESSIONS[soft]), soundfont)
        if pcm.min(initial=0) >= -HIGHEST and pcm.max(initial=0) < HIGHEST:
            break
    return pcm[part.skipped : part.skipped + part.samples], soft


def _midi(part: Part, expression: int) -> bytes:
    """A MIDI file of one channel, whose quarters are seconds."""
    import mido

    channel = DRUM_CHANNEL if part.drums else 0
    tick = (
        2  # a step's; its events come a tick before it, as what comes after it waits for the next
    )
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=1_000_000)])
    track.append(mido.Message.from_bytes([CONTROL | channel, EXPRESSION, expression]))
    now = 0
    for step, status, one, two in part.events.tolist():
        data = [one] if status == PROGRAM else [one, two]
        then = max(tick * step - 1, 0)
        track.append(mido.Message.from_bytes([status | channel, *data], then - now))
        now = then
    # The synthesizer stops at the last message.
    end = tick * (-(-(part.skipped + part.samples) // STEP) + 1)
    track.append(mido.Message("note_off", channel=channel, time=max(end - now, 0)))
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


def _lost(part: Part | None, soundfont: Path, softer: int = 0) -> NoReturn:
    raise InputError(f"{soundfont}: crashes the synthesizer; give --soundfont another .sf2 file")
