"""Sound in files: codecs by suffix, samples to packets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.audio import AudioStream
from av.container import OutputContainer

from cmt.files import InputError, replacing
from cmt.sound.loudness import SAMPLE_RATE, Samples, blocks
from cmt.sound.recording import Block, resampled

BIT_RATE = 256_000  # bits/s, at which what a coder leaves out for lack of bits need not be left out


@dataclass(frozen=True)
class Codec:
    """How sound is encoded: FFmpeg's encoder, and its options."""

    name: str
    options: tuple[tuple[str, str], ...] = ()


# Noise in place of what is high, and one channel for both, make another wave of it: single peaks
# are a decibel higher, as with the slower coder, which takes more than twice the time.
AAC = Codec("aac", (("aac_coder", "fast"), ("aac_pns", "0"), ("aac_is", "0")))
# LAME's quality 7 errs by less than 3 does at this rate, in half the time.
MP3 = Codec("libmp3lame", (("compression_level", "7"),))
FLOAT, FLAC = Codec("pcm_f32le"), Codec("flac")
AUDIO_CODECS = {".wav": Codec("pcm_s16le"), ".mp3": MP3, ".m4a": AAC}
VIDEO_CODECS = {".mp4": AAC, ".mov": AAC, ".mkv": AAC, ".webm": Codec("libopus")}


def write_audio(
    path: str | Path, samples: Samples, rate: int = SAMPLE_RATE, codec: Codec | None = None
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
    codec = codec or codec_of(path, AUDIO_CODECS)
    with replacing(path) as temporary, av.open(str(temporary.absolute()), "w") as target:
        stream = add_sound(target, codec, rate)
        for packet in encode(stream, resampled(blocks(samples), rate)):
            target.mux(packet)


def codec_of(path: str | Path, codecs: Mapping[str, Codec]) -> Codec:
    """That of a file's suffix.

    Raises:
        InputError: there is none.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in codecs:
        raise InputError(f"{path}: cannot write {suffix or 'no suffix'}; use {', '.join(codecs)}")
    return codecs[suffix]


def add_sound(target: OutputContainer, codec: Codec, rate: int = SAMPLE_RATE) -> AudioStream:
    """A stream of sound, of two channels, in a file that is written."""
    stream = target.add_stream(codec.name, rate=rate, options=dict(codec.options), layout="stereo")
    assert isinstance(stream, AudioStream)
    stream.bit_rate = BIT_RATE
    return stream


def encode(stream: AudioStream, sound: Iterable[Block]) -> Iterator[av.Packet]:
    """Packets of blocks at the stream's rate."""
    first = 0
    for block in sound:
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
        frame.sample_rate = stream.rate
        frame.time_base = Fraction(1, stream.rate)
        frame.pts = first
        first += block.shape[1]
        yield from stream.encode(frame)
    yield from stream.encode(None)
