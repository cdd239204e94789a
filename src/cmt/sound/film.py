"""Music on a video, and the whole step: MIDI and a video → sound and film.

Samples are as in `cmt.sound.loudness`: float32 (2, samples) at 48 kHz.
"""

from __future__ import annotations

import heapq
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import av

from cmt.files import InputError, replacing, write_together
from cmt.limits import MAX_MINUTES
from cmt.markers import contents, paths
from cmt.media.pictures import Way, copied, encoded, find_way
from cmt.media.pictures import options as writing
from cmt.media.source import Source, VideoFile, source_of
from cmt.music.midi import names_of_parts
from cmt.outputs import check_outputs, identity
from cmt.sound.encoding import (
    AUDIO_CODECS,
    FLOAT,
    VIDEO_CODECS,
    Codec,
    add_sound,
    codec_of,
    encode,
    write_audio,
)
from cmt.sound.loudness import SAMPLE_RATE, Samples, blocks, levels
from cmt.sound.recording import Recording, cut
from cmt.sound.synthesis import Music, stem_names, synthesise
from cmt.sound.underscore import mix

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
    video: VideoFile | None = None
    keep_audio: float | None = None
    duck: bool = True
    sample_rate: int = SAMPLE_RATE

    @cached_property
    def mixed(self) -> Recording:
        """What is heard with the pictures."""
        if self.video is None or self.keep_audio is None:
            return self.music.mix
        return mix(self.video, self.music.mix, self.keep_audio, self.duck)

    def write(self, path: Path, pictures: VideoFile | None = None) -> Written:
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

    def write_all(self, paths: Sequence[Path]) -> Iterator[Written]:
        """Write several files at once, see `write`; encoders are slow, and use one core each.

        Yields:
            Each file, in order; those, too, that others fail beside.

        Raises:
            InputError: as `write`, of the first that fails, once the others are told.
        """
        if any(path.suffix.lower() in VIDEO_CODECS for path in paths):
            _ = self.mixed  # once, before threads ask for it
        with ThreadPoolExecutor(len(paths)) as threads:
            writing = [threads.submit(self.write, path) for path in paths]
            yield from (each.result() for each in writing if each.exception() is None)
        for each in writing:
            each.result()

    def write_stems(self, folder: Path) -> Iterator[Written]:
        """Write each track as TRACK.wav, 32 bits; see `cmt.sound.synthesis.Music`.

        Yields:
            Each file as soon as it is written.

        Raises:
            InputError: the folder cannot be written to.
        """
        for name, stem in self.music.stems.items():
            path = _stem(folder, name)
            write_audio(path, stem, codec=FLOAT)
            yield Written(path, stem.shape[1] / SAMPLE_RATE, *levels(stem))


def _stem(folder: Path, name: str) -> Path:
    return folder / f"{name}.wav"


def stem_files(midi: Path, folder: Path) -> list[Path]:
    """What `Soundtrack.write_stems` writes for a MIDI file.

    Raises:
        InputError: the file cannot be read.
    """
    return [_stem(folder, name) for name in stem_names(names_of_parts(midi))]


def soundtrack(
    midi: Path,
    video: VideoFile | None = None,
    *,
    soundfonts: Sequence[Path] = (),
    tempo: float | None = None,
    keep_audio: float | None = None,
    duck: bool = True,
    fade_in: float = 0.0,
    fade_out: float | None = None,
    sample_rate: int = SAMPLE_RATE,
    stems: bool = False,
    max_minutes: float = MAX_MINUTES,
) -> Soundtrack:
    """Play a MIDI file, as long as the video if there is one.

    Args:
        midi: the file.
        video: what the music is for.
        soundfonts: see `cmt.sound.synthesis.synthesise`.
        tempo: BPM, in place of the file's tempos.
        keep_audio: see `Soundtrack`.
        duck: see `Soundtrack`.
        fade_in: seconds, see `synthesise`, as for the next.
        fade_out: seconds.
        sample_rate: Hz, of sound files.
        stems: whether the tracks are kept one by one, too.
        max_minutes: see `synthesise`.

    Raises:
        InputError: MIDI, video or SoundFont cannot be read.
    """
    duration = None if video is None else video_duration(video)
    music = synthesise(
        midi,
        soundfonts,
        tempo,
        duration,
        fade_in=fade_in,
        fade_out=fade_out,
        stems=stems,
        max_minutes=max_minutes,
    )
    return Soundtrack(music, video, keep_audio, duck, sample_rate)


def render(
    midi: Path,
    outputs: Sequence[Path],
    video: VideoFile | None = None,
    *,
    soundfonts: Sequence[Path] = (),
    stems: Path | None = None,
    markers_at: float | None = None,
    **options: Any,
) -> Iterator[Written]:
    """Synthesise once, then write every output; see `soundtrack` and `Soundtrack.write`.

    Args:
        midi: the file.
        outputs: sounds, and videos if there is one.
        video: what the music is for.
        soundfonts: see `soundtrack`.
        stems: a folder that gets each track, see `Soundtrack.write_stems`.
        markers_at: frames a second of the MIDI file's markers, which are written beside the first
            output, see `cmt.markers.paths`; None writes none.
        options: of `soundtrack`.

    Yields:
        Each file as soon as it is written.

    Raises:
        InputError: an output that cannot be, before anything is done; and as those two.
    """
    for output in outputs:
        check_output(output, video)
    besides = [] if stems is None else stem_files(midi, stems)
    besides += [] if markers_at is None else paths(outputs[0])
    pictures = video.path if isinstance(video, Source) else video
    given = [Path(path) for path in (midi, pictures, *soundfonts) if path]
    check_outputs([*outputs, *besides], given)
    played = soundtrack(midi, video, soundfonts=soundfonts, stems=stems is not None, **options)
    yield from played.write_all(outputs)
    if markers_at is not None:
        write_together(contents(played.music.markers, outputs[0], markers_at))
    if stems is not None:
        yield from played.write_stems(stems)


def check_output(path: Path, video: VideoFile | None) -> None:
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


def video_duration(video: VideoFile) -> float:
    """Seconds from the first frame shown to the end of the last.

    Raises:
        InputError: not a video that can be read.
    """
    return source_of(video).clock.duration


def frame_rate(video: VideoFile) -> float:
    """Frames a second of a video, on average.

    Raises:
        InputError: not a video that can be read.
    """
    return float(source_of(video).rate)


def has_sound(video: VideoFile) -> bool:
    """Whether a video has a sound of its own that can be decoded.

    Raises:
        InputError: not a video that can be read.
    """
    return source_of(video).has_sound


def mux(video: VideoFile, samples: Samples, out: str | Path) -> None:
    """Write a video with this sound in place of its own; its frames are copied as they are.

    Rotation, aspect, codec and its tag, titles and languages stay; where the container cannot hold
    the frames so, they are encoded anew, see `cmt.media.pictures`. Film and sound begin at 0 s with
    the first frame shown. Other streams (subtitles, data) are left out. MP4, MOV and Matroska get
    AAC, WebM gets Opus.

    Args:
        video: gives the pictures.
        samples: (2, samples); cut to the video's length.
        out: .mp4, .mov, .mkv or .webm, not the video itself.

    Raises:
        InputError: the video cannot be read, or the folder not be written to.
    """
    codec = codec_of(out, VIDEO_CODECS)
    source = source_of(video)
    if (key := identity(source.path)) and key == identity(Path(out)):
        raise InputError(f"{out}: is the video itself; choose another name for the result")
    way = find_way(source, Path(out).suffix.lower())
    try:
        _write_film(source, way, samples, Path(out), codec)
    except av.FFmpegError as error:
        reason = error.strerror or error
        if way.encoded or isinstance(error, OSError):
            raise InputError(f"{out}: cannot be written ({reason})") from error
        log.warning("%s: its pictures are encoded anew: a copy fails (%s)", source.path, reason)
        _write_film(source, Way("a copy fails"), samples, Path(out), codec)


def why_encoded(video: VideoFile, out: str | Path) -> str | None:
    """Why a video's frames are to be encoded anew for a film; None where they are copied.

    Raises:
        InputError: the video cannot be read.
    """
    return find_way(source_of(video), Path(out).suffix.lower()).encoded


def _write_film(source: Source, way: Way, samples: Samples, out: Path, codec: Codec) -> None:
    suffix = out.suffix.lower()
    heard = cut(blocks(samples), round(source.clock.duration * SAMPLE_RATE))
    with (
        replacing(out) as temporary,
        av.open(str(temporary.absolute()), "w", options=writing(suffix)) as target,
    ):
        anew = way.encoded is not None
        pictures = encoded(target, source, suffix) if anew else copied(target, source, way)
        sound = add_sound(target, codec)
        for packet in heapq.merge(pictures, encode(sound, heard), key=_decoding_time):
            target.mux(packet)


def _decoding_time(packet: av.Packet) -> float:
    ticks = packet.pts if packet.dts is None else packet.dts
    return (ticks or 0) * float(packet.time_base or 0)
