"""MIDI → sound, and a video with that sound.

    src/midi2mp3.py --input song.mid --output song.mp3
    src/midi2mp3.py --input song.mid --output song.wav song.m4a --tempo 120
    src/midi2mp3.py --input song.mid --output song.mp3 out.mp4 --video clip.mp4 --keep-audio

Outputs in .wav, .mp3 and .m4a are the sound; those in .mp4, .mov, .mkv and .webm are the video
given by --video with this sound. With --video the sound is as long as the video.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from cmt.files import InputError, run_script


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The script's arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--input", required=True, type=Path, help="MIDI file", metavar="MIDI")
    parser.add_argument("--output", required=True, type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--tempo", type=float, metavar="BPM", help="in place of the file's tempos")
    parser.add_argument(
        "--soundfont", type=Path, metavar="SF2", help="default: TimGM6mb, which pretty_midi brings"
    )
    parser.add_argument("--video", type=Path, help="gives the length, and pictures to videos")
    parser.add_argument(
        "--keep-audio",
        type=float,
        nargs="?",
        const=0.5,
        metavar="BALANCE",
        help="lay the music under the video's own sound, with this gain, 0 to 1 (default 0.5)",
    )
    arguments = parser.parse_args(argv)
    if arguments.tempo is not None and not 4 <= arguments.tempo <= 1000:
        parser.error("--tempo: give 4 to 1000 BPM")
    if arguments.keep_audio is not None and not 0 <= arguments.keep_audio <= 1:
        parser.error("--keep-audio: give a gain of 0 to 1")
    return arguments


def main(argv: list[str] | None = None) -> None:
    """Synthesise once, then write every output."""
    arguments = parse(argv)

    from cmt import audio

    started = time.perf_counter()
    video = arguments.video
    for output in arguments.output:
        suffix = output.suffix.lower()
        if suffix in audio.VIDEO_CODECS and video is None:
            raise InputError(f"{output}: is a video without pictures; give them with --video")
        if suffix not in audio.AUDIO_CODECS | audio.VIDEO_CODECS:
            kinds = " ".join(audio.AUDIO_CODECS | audio.VIDEO_CODECS)
            raise InputError(f"{output}: has an unknown suffix; use one of {kinds}")

    duration = None if video is None else audio.video_duration(video)
    music = audio.synthesise(arguments.input, arguments.soundfont, arguments.tempo, duration)
    for output in arguments.output:
        sound = music
        if output.suffix.lower() in audio.AUDIO_CODECS:
            audio.write_audio(output, sound)
        else:
            if arguments.keep_audio is not None:
                sound = audio.mix(video, music, arguments.keep_audio)
            audio.mux(video, sound, output)
        rms, peak = audio.levels(sound)
        now = time.perf_counter()
        print(
            f"{output}: {sound.shape[1] / audio.SAMPLE_RATE:.2f} s, RMS {rms:.1f} dBFS, "
            f"peak {peak:.1f} dBFS, took {now - started:.1f} s"
        )
        started = now


if __name__ == "__main__":
    sys.exit(run_script(main))
