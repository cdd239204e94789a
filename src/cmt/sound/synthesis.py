"""MIDI to samples with a SoundFont.

The synthesizer is rustysynth (wheel `midirenderer`): it reads a SoundFont's root keys, envelopes
and filters, follows volume, pan, pedal and pitch-bend messages and has reverb.
`symusic.Synthesizer` ignores all of these, the root keys too: with TimGM6mb an A4 of its piano is
heard at 1659 Hz.
"""

from __future__ import annotations

import importlib.util
import io
import logging
import math
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cmt.files import InputError
from cmt.music.midi import MAX_MINUTES, load_score
from cmt.sound.loudness import SAMPLE_RATE, normalise

if TYPE_CHECKING:
    from symusic.core import ScoreTick

TAIL = 2.0  # s that the last notes may ring
FADE = 1.0  # s at the end

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Channel:
    """How one of the five tracks sits in the mix: MIDI controllers 7, 10 and 91, 0 … 127."""

    volume: int
    pan: int
    reverb: int


# At equal velocities TimGM6mb's five programs differ by 12 LU. Over a dozen pieces these volumes
# bring drums, bass and piano level, with guitar 2 and strings 3 LU behind them.
MIX = {
    "Drums": Channel(volume=127, pan=64, reverb=30),
    "Piano": Channel(volume=109, pan=48, reverb=40),
    "Guitar": Channel(volume=76, pan=84, reverb=40),
    "Bass": Channel(volume=103, pan=64, reverb=15),
    "Strings": Channel(volume=53, pan=54, reverb=60),
}


def default_soundfont() -> Path:
    """TimGM6mb, a small General MIDI SoundFont (GPL-2) from the pretty_midi package."""
    package = importlib.util.find_spec("pretty_midi")
    assert package is not None and package.origin is not None
    return Path(package.origin).with_name("TimGM6mb.sf2")


def synthesise(
    midi: str | Path | ScoreTick,
    soundfont: str | Path | None = None,
    tempo: float | None = None,
    duration: float | None = None,
) -> np.ndarray:
    """Play a MIDI file: loudness normalised, with a fade at the end.

    Any General MIDI file is played as it asks to be. A file whose tracks are all named after the
    five instruments is mixed by `MIX`. Program 114, which the drum track carries, is no drum kit:
    the synthesizer falls back to the standard kit.

    Args:
        midi: path, or a score in ticks.
        soundfont: SoundFont 2 file; `default_soundfont` if None.
        tempo: BPM of the whole piece in place of the file's tempos.
        duration: seconds to cut or pad to; by default the last note's end and `TAIL`.

    Returns:
        (2, samples) float32, loudness and peaks as `normalise` has them.

    Raises:
        InputError: MIDI or SoundFont cannot be read.
    """
    from symusic.core import ControlChangeTick, TempoTick, TextMetaTick

    if isinstance(midi, str | Path):
        score = load_score(midi, MAX_MINUTES if duration is None else math.inf)
    else:
        score = midi.copy()
    if tempo is not None:
        score.tempos.clear()
        score.tempos.append(TempoTick(0, tempo))
    tracks = [track for track in score.tracks if len(track.notes)]
    if all(track.name in MIX for track in tracks):
        for track in tracks:
            channel = MIX[track.name]
            settings = {7: channel.volume, 10: channel.pan, 91: channel.reverb}
            for number, value in settings.items():
                track.controls.append(ControlChangeTick(0, number, value))

    timed: Any = score.to("second")
    end = max((note.end for track in timed.tracks for note in track.notes), default=0)
    seconds = end + TAIL if duration is None else duration
    length = round(seconds * SAMPLE_RATE)
    if not tracks:
        log.warning("%s: no notes; the sound is silence", midi)
        return np.zeros((2, length), np.float32)

    # The synthesizer stops at the last message: a later one lets the notes ring. It is put where
    # it is late enough at the fastest tempo, 120 BPM until the first.
    fastest = max([120, *(tempo.qpm for tempo in score.tempos)])
    beats = (max(seconds - end, 0) + 0.1) * fastest / 60
    score.markers.append(TextMetaTick(score.end() + round(beats * score.ticks_per_quarter), "end"))
    samples = _render(score, tracks, Path(soundfont or default_soundfont()))[:, :length]
    fade = min(round(FADE * SAMPLE_RATE), length // 4)
    samples[:, length - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    return normalise(samples)


def _render(score: ScoreTick, tracks: list, soundfont: Path) -> np.ndarray:
    """The sum of the tracks, (2, samples); not more than MIDI's channels or 16 bits at a time."""
    import midirenderer
    from symusic.core import TrackTickList

    score = score.copy()
    score.tracks = TrackTickList(tracks)
    if len(tracks) <= 15:
        try:
            wav = midirenderer.render_wave_from(soundfont.read_bytes(), score.dumps_midi())
        except OSError as error:
            raise InputError(
                f"{soundfont}: cannot be read ({error.strerror}); give --soundfont a .sf2 file"
            ) from error
        except RuntimeError as error:
            raise InputError(
                f"{soundfont}: not a SoundFont 2 ({error}); give --soundfont a .sf2 file"
            ) from error
        with wave.open(io.BytesIO(wav)) as file:
            pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        clipped = pcm.max() == 2**15 - 1 or pcm.min() == -(2**15)
        if not clipped or len(tracks) == 1:
            return pcm.reshape(-1, 2).T / np.float32(2**15)
    half = len(tracks) // 2
    return _render(score, tracks[:half], soundfont) + _render(score, tracks[half:], soundfont)
