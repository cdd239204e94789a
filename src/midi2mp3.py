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
from functools import partial
from pathlib import Path

from cmt import limits, markers
from cmt.options import add_markers, add_sound, markers_at, opened, sound
from cmt.script import between, parser, run_script

TEMPOS = (4, 1000)  # BPM; any music may be played


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The script's arguments."""
    options = parser(__doc__)
    add = options.add_argument
    add("--input", required=True, type=Path, help="MIDI file", metavar="MIDI")
    add("--output", required=True, type=Path, nargs="+", metavar="FILE")
    add("--tempo", type=between(*TEMPOS), metavar="BPM", help="in place of the file's tempos")
    add("--video", type=Path, help="gives the length, and pictures to videos")
    add(
        "--keep-audio",
        type=between(0, 1),
        nargs="?",
        const=0.5,
        metavar="BALANCE",
        help="lay the music under the video's own sound, with this gain, 0 to 1 (default 0.5)",
    )
    add_sound(options)
    add_markers(options)
    limits.add_options(options, "--max-minutes", "--max-hours", "--max-pixels")
    return options.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Synthesise once, then write every output."""
    arguments = parse(argv)
    from cmt.sound import film
    from cmt.sound.encoding import VIDEO_CODECS

    for output in arguments.output:
        film.check_output(output, arguments.video)
    video = opened(arguments.video, arguments) if arguments.video else None
    for output in arguments.output:
        is_film = output.suffix.lower() in VIDEO_CODECS
        if video and is_film and (reason := film.why_encoded(video, output)):
            print(f"{output}: its pictures will be encoded anew: {reason}", flush=True)
    at = markers_at(arguments, film.frame_rate(video) if video else None)
    started = time.perf_counter()
    written = film.render(
        arguments.input,
        arguments.output,
        video,
        tempo=arguments.tempo,
        max_minutes=arguments.max_minutes,
        markers_at=at,
        **sound(arguments),
    )
    for file in written:
        now = time.perf_counter()
        print(f"{file}, took {now - started:.1f} s")
        started = now
    if arguments.markers:
        print(*markers.paths(arguments.output[0]), sep="\n")


command = partial(run_script, main)

if __name__ == "__main__":
    sys.exit(command())
