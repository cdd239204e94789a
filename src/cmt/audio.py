"""Sound: MIDI to samples with a SoundFont, loudness, audio files, music on a video.

Samples are float32 arrays (2, samples) in [−1, 1] at 48 kHz, the rate the synthesizer renders
and one that AAC, MP3 and Opus all take.

The synthesizer is rustysynth (wheel `midirenderer`): it reads a SoundFont's root keys, envelopes
and filters, follows volume, pan, pedal and pitch-bend messages and has reverb.
`symusic.Synthesizer` ignores all of these, the root keys too: with TimGM6mb an A4 of its piano is
heard at 1659 Hz.
"""

from __future__ import annotations

import heapq
import importlib.util
import io
import itertools
import logging
import math
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from av.audio import AudioStream
from av.video import VideoStream

from cmt.files import InputError, replacing
from cmt.midi import load_score

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from symusic.core import ScoreTick

SAMPLE_RATE = 48_000  # Hz
TAIL = 2.0  # s that the last notes may ring
FADE = 1.0  # s at the end
LOUDNESS = -16.0  # LUFS
CEILING = 10 ** (-1 / 20)  # highest peak, −1 dBFS
MAX_LIMITING = 2.0  # a peak is turned down by no more than this: 6 dB

AUDIO_CODECS = {".wav": "pcm_s16le", ".mp3": "libmp3lame", ".m4a": "aac"}
VIDEO_CODECS = {".mp4": "aac", ".mov": "aac", ".mkv": "aac", ".webm": "libopus"}
BIT_RATE = 192_000  # bits/s

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
        (2, samples) float32, `LOUDNESS` where peaks allow it, peaks at most `CEILING`.

    Raises:
        InputError: MIDI or SoundFont cannot be read.
    """
    from symusic.core import ControlChangeTick, TempoTick, TextMetaTick

    score = load_score(midi) if isinstance(midi, str | Path) else midi.copy()
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


def loudness(samples: np.ndarray) -> float:
    """Integrated loudness in LUFS (ITU-R BS.1770-4, its filters for 48 kHz); −inf for silence.

    Args:
        samples: (2, samples).
    """
    from scipy.signal import sosfilt

    high_shelf = [1.53512485958697, -2.69169618940638, 1.19839281085285]
    high_shelf += [1, -1.69065929318241, 0.73248077421585]
    high_pass = [1, -2, 1, 1, -1.99004745483398, 0.99007225036621]
    filters = np.array([high_shelf, high_pass])
    state = np.zeros((2, 2, 2))
    hop = SAMPLE_RATE // 10  # blocks of four hops, three of them shared with the next
    power = []
    for first in range(0, samples.shape[1] - hop + 1, 600 * hop):
        minute = samples[:, first : first + 600 * hop]
        weighted, state = sosfilt(filters, minute[:, : minute.shape[1] // hop * hop], zi=state)
        power.append(np.square(weighted).reshape(2, -1, hop).mean(axis=2).sum(axis=0))
    if not power:
        return -np.inf
    blocks = np.convolve(np.concatenate(power), np.full(4, 1 / 4), "valid")
    for relative_to_mean in (False, True):
        gate = blocks.mean() / 10 if relative_to_mean else 10 ** ((-70 + 0.691) / 10)
        blocks = blocks[blocks > gate]
        if not blocks.size:
            return -np.inf
    return float(-0.691 + 10 * np.log10(blocks.mean()))


def levels(samples: np.ndarray) -> tuple[float, float]:
    """RMS and highest peak in dBFS; −200 for silence."""
    rms = np.linalg.norm(samples) / max(samples.size, 1) ** 0.5
    peak = max(samples.max(initial=0), -samples.min(initial=0))
    return 20 * math.log10(max(rms, 1e-10)), 20 * math.log10(max(peak, 1e-10))


def normalise(samples: np.ndarray) -> np.ndarray:
    """Bring music (2, samples) to `LOUDNESS`, in place; less when that limits peaks too much."""
    level = loudness(samples)
    if np.isfinite(level):
        peak = max(samples.max(), -samples.min())
        samples *= np.float32(min(10 ** ((LOUDNESS - level) / 20), MAX_LIMITING * CEILING / peak))
    return limit(samples)


def limit(samples: np.ndarray) -> np.ndarray:
    """Turn down, in place, what is above `CEILING`, gliding over 21 ms on either side.

    Args:
        samples: (2, samples) float32 at any level.
    """
    from scipy.ndimage import minimum_filter1d, uniform_filter1d

    block, glide = 64, 16  # samples, blocks
    starts = np.arange(0, samples.shape[1], block)
    if not starts.size:
        return samples
    highest = np.maximum.reduceat(samples, starts, axis=1).max(axis=0)
    lowest = np.minimum.reduceat(samples, starts, axis=1).min(axis=0)
    gain = np.minimum(1, CEILING / np.maximum(np.maximum(highest, -lowest), CEILING))
    # The window of the minimum is one block wider on each side than that of the mean, so that
    # interpolated gains stay under what their block needs.
    gain = uniform_filter1d(minimum_filter1d(gain, 2 * glide + 3), 2 * glide + 1)
    for first in range(0, samples.shape[1], SAMPLE_RATE):
        second = samples[:, first : first + SAMPLE_RATE]
        position = np.arange(first, first + second.shape[1])
        second *= np.interp(position, starts + block / 2, gain).astype(np.float32)
    return samples


def write_audio(path: str | Path, samples: np.ndarray) -> None:
    """Write samples (2, samples) as WAV (16 bits), MP3 or M4A (AAC), by the path's suffix.

    Raises:
        InputError: another suffix, or the folder cannot be written.
    """
    codec = _codec(path, AUDIO_CODECS)
    with replacing(path) as temporary, av.open(str(temporary.absolute()), "w") as target:
        stream = _add_sound(target, codec)
        for packet in _encode(stream, samples):
            target.mux(packet)


def video_duration(path: str | Path) -> float:
    """Seconds from the first frame shown to the end of the last.

    Raises:
        InputError: not a video that can be read.
    """
    start, end = _span(path)
    return end - start


def has_sound(path: str | Path) -> bool:
    """Whether a video has a sound of its own.

    Raises:
        InputError: not a video that can be read.
    """
    with _open_video(path) as (source, _):
        return bool(source.streams.audio)


def mix(path: str | Path, music: np.ndarray, balance: float) -> np.ndarray:
    """Lay music under a video's own sound.

    Args:
        path: video file.
        music: (2, samples), from the first frame on.
        balance: gain of the music, 0 … 1; the video's sound keeps its level.

    Returns:
        (2, samples) float32, peaks at most `CEILING`; the music alone, with a warning, if the
        video has no sound.

    Raises:
        InputError: not a video that can be read.
    """
    start, _ = _span(path)
    with _open_video(path) as (source, _):
        if not source.streams.audio:
            log.warning("%s: has no sound of its own to keep", path)
            return music
        sound = source.streams.audio[0]
        mixed = music * np.float32(balance)
        resampler = av.AudioResampler("fltp", "stereo", SAMPLE_RATE)
        position = -math.inf  # sample where the next part is expected
        for packet in source.demux(sound):
            try:
                frames = sound.codec_context.decode(packet)
            except av.FFmpegError:
                continue  # a damaged packet is a gap in the sound
            for part in itertools.chain.from_iterable(map(resampler.resample, frames)):
                stamp = round(((part.time or 0) - start) * SAMPLE_RATE)
                # Time stamps may be rounded to milliseconds; only a real gap moves the sound.
                position = stamp if abs(stamp - position) > SAMPLE_RATE / 20 else position
                _add_at(mixed, part.to_ndarray(), int(position))
                position += part.samples
    return limit(mixed)


def mux(path: str | Path, samples: np.ndarray, out: str | Path) -> None:
    """Write a video with this sound in place of its own; its frames are copied as they are.

    Time stamps, rotation and codec stay; sound starts with the first frame. Other streams
    (subtitles, data) are left out. MP4, MOV and Matroska get AAC, WebM gets Opus.

    Args:
        path: video file.
        samples: (2, samples); cut to the video's length.
        out: .mp4, .mov, .mkv or .webm, not `path` itself.

    Raises:
        InputError: the video cannot be read, or its codec has no place in such a container.
    """
    codec = _codec(out, VIDEO_CODECS)
    if Path(out).resolve() == Path(path).resolve():
        raise InputError(f"{out}: is the video itself; choose another name for the result")
    start, end = _span(path)
    with (
        _open_video(path) as (source, video),
        replacing(out) as temporary,
        av.open(str(temporary.absolute()), "w") as target,
    ):
        try:
            copy = target.add_stream_from_template(video)
            copy.time_base = video.time_base
            sound = _add_sound(target, codec)
            target.start_encoding()
        except (ValueError, av.FFmpegError) as error:
            raise InputError(
                f"{out}: {Path(out).suffix} cannot hold {video.codec_context.name} video; "
                "choose a name that ends in .mkv"
            ) from error
        samples = samples[:, : round((end - start) * SAMPLE_RATE)]
        packets = heapq.merge(
            _copied(source, video, copy), _encode(sound, samples, start), key=_decoding_time
        )
        for packet in packets:
            target.mux(packet)


def _codec(path: str | Path, codecs: dict[str, str]) -> str:
    suffix = Path(path).suffix.lower()
    if suffix not in codecs:
        raise InputError(f"{path}: cannot write {suffix or 'no suffix'}; use {', '.join(codecs)}")
    return codecs[suffix]


@contextmanager
def _open_video(path: str | Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    try:
        # An absolute name, so that "10:30.mp4" is not taken for a protocol; AVI stores decoding
        # times only, the others are to be made from them.
        source = av.open(str(Path(path).absolute()), options={"fflags": "genpts"})
    except av.FFmpegError as error:
        raise InputError(f"{path}: cannot be opened as a video ({error.strerror})") from error
    with source:
        video = source.streams.best("video")
        if not isinstance(video, VideoStream):
            raise InputError(f"{path}: has no pictures; give a video")
        yield source, video


def _span(path: str | Path) -> tuple[float, float]:
    """When the first frame is shown and the last one ends, in seconds of the file's clock."""
    with _open_video(path) as (source, video):
        base, rate = video.time_base or Fraction(1), video.average_rate
        frame = round(1 / (rate * base)) if rate else 0
        try:
            shown = [
                (packet.pts, packet.pts + (packet.duration or frame))
                for packet in source.demux(video)
                if packet.pts is not None and not packet.is_discard
            ]
        except av.FFmpegError as error:
            raise InputError(f"{path}: is damaged ({error.strerror})") from error
    if not shown:
        raise InputError(f"{path}: has no frames; give a video")
    starts, ends = zip(*shown, strict=True)
    return float(min(starts) * base), float(max(ends) * base)


def _add_sound(target: OutputContainer, codec: str) -> AudioStream:
    stream = target.add_stream(codec, rate=SAMPLE_RATE, layout="stereo")
    assert isinstance(stream, AudioStream)
    stream.bit_rate = BIT_RATE
    return stream


def _encode(stream: AudioStream, samples: np.ndarray, start: float = 0.0) -> Iterator[av.Packet]:
    """Packets of the samples, a second at a time; the first is heard at `start` seconds."""
    offset = round(start * SAMPLE_RATE)
    for first in range(0, samples.shape[1], SAMPLE_RATE):
        second = np.ascontiguousarray(samples[:, first : first + SAMPLE_RATE])
        frame = av.AudioFrame.from_ndarray(second, format="fltp", layout="stereo")
        frame.sample_rate = SAMPLE_RATE
        frame.time_base = Fraction(1, SAMPLE_RATE)
        frame.pts = offset + first
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _copied(source: InputContainer, stream: VideoStream, copy: VideoStream) -> Iterator[av.Packet]:
    for packet in source.demux(stream):
        if packet.size:  # the last one only ends the stream
            packet.stream = copy
            yield packet


def _decoding_time(packet: av.Packet) -> float:
    ticks = packet.pts if packet.dts is None else packet.dts
    return (ticks or 0) * float(packet.time_base or 0)


def _add_at(samples: np.ndarray, sound: np.ndarray, first: int) -> None:
    """Add sound (2, n) from sample `first` on, in place; what lies outside is dropped."""
    skipped = max(0, -first)
    part = samples[:, first + skipped : max(0, first + sound.shape[1])]
    part += sound[:, skipped : skipped + part.shape[1]]
