"""Sound files, music on a video, and the whole step: MIDI and a video → sound and film.

Samples are as in `cmt.sound.loudness`: float32 (2, samples) at 48 kHz.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from av.audio import AudioStream
from av.video import VideoStream

from cmt.files import InputError, replacing
from cmt.sound.bus import limit
from cmt.sound.ducking import FRAME, ducking
from cmt.sound.loudness import SAMPLE_RATE, Samples, blocks, decibels, levels, loudness
from cmt.sound.recording import Block, Recording, cut, enveloped, resampled, silence
from cmt.sound.synthesis import Music, synthesise

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer

AUDIO_CODECS = {".wav": "pcm_s16le", ".mp3": "libmp3lame", ".m4a": "aac"}
VIDEO_CODECS = {".mp4": "aac", ".mov": "aac", ".mkv": "aac", ".webm": "libopus"}
BIT_RATE = 192_000  # bits/s

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Written:
    """A file that was written: seconds of its sound, RMS and highest peak in dBFS."""

    path: Path
    seconds: float
    rms: float
    peak: float

    def __str__(self) -> str:
        """On one line."""
        return (
            f"{self.path}: {self.seconds:.2f} s, RMS {self.rms:.1f} dBFS, peak {self.peak:.1f} dBFS"
        )


@dataclass(frozen=True)
class Soundtrack:
    """Music for a video, or for none; `soundtrack` makes it.

    Attributes:
        music: what a MIDI file sounds like.
        video: gives pictures, and the sound to keep.
        keep_audio: gain of the music, 0 … 1, over the video's own sound; None leaves that out.
        duck: whether the music steps back where somebody speaks in that.
        sample_rate: Hz, of sound files.
    """

    music: Music
    video: Path | None = None
    keep_audio: float | None = None
    duck: bool = True
    sample_rate: int = SAMPLE_RATE

    @cached_property
    def mixed(self) -> Recording:
        """What is heard with the pictures."""
        if self.video is None or self.keep_audio is None:
            return self.music.mix
        return mix(self.video, self.music.mix, self.keep_audio, self.duck)

    def write(self, path: Path, pictures: Path | None = None) -> Written:
        """Write the music alone (.wav, .mp3, .m4a), or a video with it, by the path's suffix.

        Args:
            path: the file.
            pictures: another video than `video` to take these from.

        Raises:
            InputError: see `write_audio`, `mix` and `mux`.
        """
        pictures, sound = pictures or self.video, self.music.mix
        if pictures is None or path.suffix.lower() in AUDIO_CODECS:
            write_audio(path, sound, self.sample_rate)
        else:
            sound = self.mixed
            mux(pictures, sound, path)
        return Written(path, sound.shape[1] / SAMPLE_RATE, *levels(sound))

    def write_stems(self, folder: Path) -> Iterator[Written]:
        """Write each track as TRACK.wav, 32 bits: their sum is the mix before the bus.

        Yields:
            Each file as soon as it is written.

        Raises:
            InputError: the folder cannot be written to.
        """
        for name, stem in self.music.stems.items():
            path = folder / f"{name}.wav"
            write_audio(path, stem, codec="pcm_f32le")
            yield Written(path, stem.shape[1] / SAMPLE_RATE, *levels(stem))


def soundtrack(
    midi: Path,
    video: Path | None = None,
    *,
    soundfont: Path | None = None,
    tempo: float | None = None,
    keep_audio: float | None = None,
    duck: bool = True,
    fade_in: float = 0.0,
    fade_out: float | None = None,
    sample_rate: int = SAMPLE_RATE,
    stems: bool = False,
) -> Soundtrack:
    """Play a MIDI file, as long as the video if there is one.

    Args:
        midi: the file.
        video: what the music is for.
        soundfont: see `cmt.sound.synthesis.synthesise`.
        tempo: BPM, in place of the file's tempos.
        keep_audio: see `Soundtrack`.
        duck: see `Soundtrack`.
        fade_in: seconds, see `synthesise`, as for the next.
        fade_out: seconds.
        sample_rate: Hz, of sound files.
        stems: whether the tracks are kept one by one, too.

    Raises:
        InputError: MIDI, video or SoundFont cannot be read.
    """
    duration = None if video is None else video_duration(video)
    music = synthesise(
        midi, soundfont, tempo, duration, fade_in=fade_in, fade_out=fade_out, stems=stems
    )
    return Soundtrack(music, video, keep_audio, duck, sample_rate)


def render(
    midi: Path,
    outputs: Sequence[Path],
    video: Path | None = None,
    *,
    stems: Path | None = None,
    **options: Any,
) -> Iterator[Written]:
    """Synthesise once, then write every output; see `soundtrack` and `Soundtrack.write`.

    Args:
        midi: the file.
        outputs: sounds, and videos if there is one.
        video: what the music is for.
        stems: a folder that gets each track, see `Soundtrack.write_stems`.
        options: of `soundtrack`.

    Yields:
        Each file as soon as it is written.

    Raises:
        InputError: an output that cannot be, before anything is done; and as those two.
    """
    for output in outputs:
        check_output(output, video)
    played = soundtrack(midi, video, stems=stems is not None, **options)
    for output in outputs:
        yield played.write(output)
    if stems is not None:
        yield from played.write_stems(stems)


def check_output(path: Path, video: Path | None) -> None:
    """See that a sound or a video of this name can be written.

    Raises:
        InputError: the suffix is unknown, or a video's and there is none to take pictures from.
    """
    suffix = path.suffix.lower()
    if suffix in VIDEO_CODECS and video is None:
        raise InputError(f"{path}: is a video without pictures; give them with --video")
    if suffix not in AUDIO_CODECS | VIDEO_CODECS:
        kinds = " ".join(AUDIO_CODECS | VIDEO_CODECS)
        raise InputError(f"{path}: has an unknown suffix; use one of {kinds}")


def write_audio(
    path: str | Path, samples: Samples, rate: int = SAMPLE_RATE, codec: str | None = None
) -> None:
    """Write samples (2, n) as WAV (16 bits), MP3 or M4A (AAC), by the path's suffix.

    Args:
        path: the file.
        samples: at `SAMPLE_RATE`.
        rate: Hz, of the file.
        codec: another than that of the suffix.

    Raises:
        InputError: another suffix, or the folder cannot be written.
    """
    codec = codec or _codec(path, AUDIO_CODECS)
    with replacing(path) as temporary, av.open(str(temporary.absolute()), "w") as target:
        stream = _add_sound(target, codec, rate)
        for packet in _encode(stream, resampled(blocks(samples), rate)):
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


def mix(path: str | Path, music: Samples, balance: float, duck: bool = True) -> Recording:
    """Lay music under a video's own sound.

    Args:
        path: video file.
        music: (2, samples), from the first frame on.
        balance: gain of the music, 0 … 1; the video's sound keeps its level.
        duck: whether the music steps back where somebody speaks in that sound.

    Returns:
        As many samples, true peaks at most `cmt.sound.bus.CEILING`; the music alone, with a
        warning, if the video has no sound.

    Raises:
        InputError: not a video that can be read.
    """
    if not has_sound(path):
        log.warning("%s: has no sound of its own to keep", path)
        return Recording(blocks(music))
    own = Recording(silence(music.shape[1]))
    for first, part in _own_sound(path):
        own.put(first, part)
    stepped = ducking(own, loudness(music) + decibels(balance)) if duck else np.ones(1)
    laid_under = enveloped(blocks(music), balance * stepped, FRAME)
    mixed = Recording(voice + part for voice, part in zip(own, laid_under, strict=True))
    limit(mixed)
    return mixed


def _own_sound(path: str | Path) -> Iterator[tuple[int, np.ndarray]]:
    """A video's own sound in parts: the sample from the first frame on, and (2, samples)."""
    start, _ = _span(path)
    with _open_video(path) as (source, _):
        sound = source.streams.audio[0]
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
                yield int(position), part.to_ndarray()
                position += part.samples


def mux(path: str | Path, samples: Samples, out: str | Path) -> None:
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
        heard = cut(blocks(samples), round((end - start) * SAMPLE_RATE))
        packets = heapq.merge(
            _copied(source, video, copy), _encode(sound, heard, start), key=_decoding_time
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


def _add_sound(target: OutputContainer, codec: str, rate: int = SAMPLE_RATE) -> AudioStream:
    stream = target.add_stream(codec, rate=rate, layout="stereo")
    assert isinstance(stream, AudioStream)
    stream.bit_rate = BIT_RATE
    return stream


def _encode(stream: AudioStream, sound: Iterable[Block], start: float = 0.0) -> Iterator[av.Packet]:
    """Packets of blocks at the stream's rate; the first sample is heard at `start` seconds."""
    first = round(start * stream.rate)
    for block in sound:
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
        frame.sample_rate = stream.rate
        frame.time_base = Fraction(1, stream.rate)
        frame.pts = first
        first += block.shape[1]
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
