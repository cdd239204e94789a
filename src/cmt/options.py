"""The options of a command line that ask for a rhythm and for music, and what they ask for."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cmt.decoding import GUIDANCE, LOOPS, MOST_GUIDANCE
from cmt.files import DEFAULT_CHECKPOINT, InputError
from cmt.limits import VideoLimits
from cmt.markers import USUAL_RATE
from cmt.moods import MOODS
from cmt.music.keys import MODES, TONICS, Key
from cmt.music.vocabulary import GENRES, INSTRUMENT_CLASS, MAX_TEMPO, MIN_TEMPO
from cmt.script import between

if TYPE_CHECKING:
    from cmt.compose import Settings
    from cmt.decoding.passage import Passage
    from cmt.media.source import Source
    from cmt.model.network import CMT
    from cmt.video.analysis import Analysis

RHYTHMS = ("true", "original")
FLOWS = ("exact", "single", "fast")
PRECISIONS = ("auto", "float32", "bf16", "int8")
MAX_SEED = 2**32 - 1
MOST_DENSITY = 4.0
MAX_FADE = 3600.0  # seconds
MAX_RATE = 1000.0  # frames a second
SAMPLE_RATES = (44_100, 48_000)  # Hz: nothing lies above what these hold
EXACT_ONLY = (
    "mood", "density", "instruments", "beat_instruments", "key", "mode", "chords", "progression",
    "sections", "theme", "again",
)  # fmt: skip


def instruments(text: str) -> tuple[str, ...]:
    """Names of instruments from a list with commas, in any case, in the order of INSTRUMENTS."""
    asked = {name.strip().capitalize() for name in text.split(",")}
    if unknown := asked - set(INSTRUMENT_CLASS):
        known = ",".join(INSTRUMENT_CLASS).lower()
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)!r} is not among {known}")
    return tuple(name for name in INSTRUMENT_CLASS if name in asked)


def read_by(module: str, reader: str) -> Callable[[str], Any]:
    """The type of an option that a function of ours reads; its module is imported when it does."""

    def read(text: str) -> Any:
        try:
            return getattr(import_module(module), reader)(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return read


def progressions(text: str) -> tuple[str, ...]:
    """Moods of `cmt.music.progressions.moods` from a list with commas, in any case."""
    from cmt.music.progressions import moods

    asked = tuple(name.strip().lower() for name in text.split(","))
    for name in asked:
        if name not in moods():
            raise argparse.ArgumentTypeError(f"{name!r} is not among {', '.join(moods())}")
    return asked


def add_overwrite(options: argparse.ArgumentParser) -> None:
    """Add the option that `cmt.outputs.refuse_to_replace` is told."""
    options.add_argument(
        "--overwrite", action="store_true", help="replace files that no earlier run has made, too"
    )


def add_sound(options: argparse.ArgumentParser) -> None:
    """Add the options that `sound` reads."""
    add = options.add_argument_group("the sound").add_argument
    add(
        "--soundfont", type=Path, action="append", default=[], metavar="SF2",
        help="other instruments (.sf2); again for more: each track is played by the first that has"
        " its program",
    )  # fmt: skip
    add(
        "--duck", action=argparse.BooleanOptionalAction, default=True,
        help="with --keep-audio, the music steps back where somebody speaks; default: yes",
    )  # fmt: skip
    seconds = between(0, MAX_FADE)
    add("--fade-in", type=seconds, default=0.0, metavar="SECONDS", help="default 0")
    add("--fade-out", type=seconds, metavar="SECONDS", help="default 1, less of short music")
    add(
        "--sample-rate", type=int, choices=SAMPLE_RATES, default=48_000,
        help="of sound files, Hz; default 48000, which videos always have",
    )  # fmt: skip
    add("--stems", type=Path, metavar="DIR", help="each track as a WAV file, before the bus, too")


def add_markers(options: argparse.ArgumentParser) -> None:
    """Add the options that `markers_at` reads."""
    add = options.add_argument_group("for editors").add_argument
    add(
        "--markers", action="store_true",
        help="scenes, sections and hits, too: NAME.markers.csv and .edl, and hits as markers in the"
        " MIDI file that is made",
    )  # fmt: skip
    add(
        "--fps", type=between(1, MAX_RATE), metavar="RATE",
        help=f"frames a second of the markers' time codes; default: the video's, {USUAL_RATE:g}"
        " where none is known",
    )  # fmt: skip


def markers_at(args: argparse.Namespace, of_video: float | None) -> float | None:
    """Frames a second of the markers that are asked for; None if none are.

    Args:
        args: the command line's.
        of_video: its frames a second, where they are known.
    """
    return (args.fps or of_video or USUAL_RATE) if args.markers else None


def sound(args: argparse.Namespace) -> dict[str, Any]:
    """What the command line asks of `cmt.sound.film.render`."""
    names = ("keep_audio", "duck", "fade_in", "fade_out", "sample_rate", "stems")
    return {"soundfonts": args.soundfont, **{name: getattr(args, name) for name in names}}


def passage(text: str) -> Passage:
    """Bars that are made again, as `cmt.decoding.passage.Passage.of` reads them."""
    from cmt.decoding.passage import Passage

    try:
        return Passage.of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} are no bars; write 9-16 or 9") from error


def seconds(text: str) -> tuple[float, ...]:
    """Seconds from a list with commas."""
    return tuple(map(between(0, inclusive="left"), text.split(",")))


def add_rhythm(options: argparse.ArgumentParser) -> None:
    """Add the options that `watched` reads."""
    add = options.add_argument_group("the rhythm of the video").add_argument
    add(
        "--rhythm", choices=RHYTHMS, default="true",
        help="true: events at the time they are seen, and a grid that meets them (the default);"
        " original: the published analysis",
    )  # fmt: skip
    add(
        "--hit", action=argparse.BooleanOptionalAction, default=None,
        help="bend the tempo a little, so that events are met exactly; default: where there are key"
        " frames, or the events keep to no tempo",
    )  # fmt: skip
    add(
        "--key-frames", type=Path, metavar="FILE",
        help="times that must be met: one a line, or an EDL",
    )  # fmt: skip
    add(
        "--flow", choices=FLOWS,
        help="optical flow of --rhythm original: the original's (exact, the default), speed and"
        " visual beats from one flow in half the time (single), from smaller frames in a quarter"
        " (fast)",
    )  # fmt: skip


def opened(video: Path, args: argparse.Namespace) -> Source:
    """A video, within the limits of the command line.

    Raises:
        InputError: it cannot be read, or is beyond them.
    """
    from cmt.media.source import Source

    return Source(video, VideoLimits(args.max_hours, args.max_pixels))


def check_rhythm(options: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Refuse, by the parser, what goes with the other rhythm."""
    if args.rhythm == "true" and args.flow:
        options.error("--flow goes with --rhythm original")
    if args.rhythm == "original" and (args.hit is not None or args.key_frames):
        options.error("--hit and --key-frames go with --rhythm true")


def watched(video: Source, args: argparse.Namespace, resolution: int = 1) -> Analysis:
    """The rhythm of a video as the command line asks for it, under a progress bar.

    Raises:
        InputError: the video or the key frames cannot be read.
    """
    from cmt.key_frames import read_key_frames
    from cmt.video import analysis
    from cmt.video.flow import FlowMethod
    from cmt.video.frames import VideoFrames

    frames = VideoFrames(video)
    if args.rhythm == "original":
        flow: FlowMethod = args.flow or "exact"
        return analysis.analyse_as_published(frames, flow, resolution, analysis.progress_bar)
    keys = read_key_frames(args.key_frames, frames.fps) if args.key_frames else []
    return analysis.analyse(frames, hit=args.hit, key_frames=keys, watch=analysis.progress_bar)


def add_composition(options: argparse.ArgumentParser) -> None:
    """Add the options that `settings` and `load_model` read."""
    add = options.add_argument
    add(
        "-c", "--ckpt", "--checkpoint", type=Path, default=DEFAULT_CHECKPOINT,
        help="checkpoint of the model, or its folder",
    )  # fmt: skip
    gpu = between(0, kind=int)
    add("-g", "--gpus", type=gpu, metavar="GPU", help="its number; default: one if there is one")
    add(
        "-C", "--C", type=between(0, 1), default=1.0, metavar="DEGREE",
        help="control degree, 0 (free) to 1 (as the video says)",
    )  # fmt: skip
    add("--control", dest="loop", choices=LOOPS, default="exact", help="decoding loop")
    add(
        "--min_strength", type=between(1, kind=int), default=2, metavar="NOTES",
        help="weaker visual beats are left to the model; default 2",
    )  # fmt: skip
    add(
        "--precision", choices=PRECISIONS, default="auto",
        help="of the model's weights; default auto: what is clearly the fastest here, which the"
        " report names; float32: so that a seed gives the same music everywhere",
    )  # fmt: skip
    add(
        "--seed", type=between(0, MAX_SEED, int), default=0, metavar="N",
        help="another number, another piece; several files go on from it, take by take",
    )  # fmt: skip
    options.set_defaults(again=())
    _add_piece(options)
    _add_sections(options)


def _add_piece(options: argparse.ArgumentParser) -> None:
    add = options.add_argument_group("the whole piece").add_argument
    add(
        "--mood", choices=MOODS,
        help="mode, tempo, density and progressions of a mood, where nothing else is asked",
    )  # fmt: skip
    add(
        "--density", type=between(0, MOST_DENSITY, inclusive="right"), metavar="FACTOR",
        help="so many times as many onsets as the video asks for",
    )  # fmt: skip
    tempo = between(MIN_TEMPO, MAX_TEMPO)
    add("--tempo", type=tempo, metavar="BPM", help="default: the video's, 120 if unknown")
    add("--genre", choices=[*GENRES, "any"], default="any")
    led = "how far the genre leads; 1: as far as the model itself (default: %(default)s)"
    add("--guidance", type=between(0, MOST_GUIDANCE), default=GUIDANCE, metavar="FACTOR", help=led)
    names = ",".join(INSTRUMENT_CLASS).lower()
    add("--instruments", type=instruments, metavar="LIST", help=f"these play; from {names}")
    add("--beat_instruments", type=instruments, metavar="LIST", help="of these, on visual beats")
    add("--key", choices=TONICS, metavar="TONIC", help="keep to a key: C, C#, Db, D … Bb, B")
    add("--mode", choices=MODES, help="of --key, or, without that, of the key drawn")
    add(
        "--chords", type=read_by("cmt.music.chords", "read_loops"), metavar="LIST",
        help='one a bar, which repeat: "Am F C G"; "C,G" is a bar of two, ";" begins the chords of'
        " another section; default: a progression is drawn for each section",
    )  # fmt: skip
    add(
        "--progression", type=progressions, default=(), metavar="LIST",
        help="draw progressions of these moods: hopeful, dark, joyful, sad, mysterious …",
    )  # fmt: skip
    add(
        "--ending", action=argparse.BooleanOptionalAction, default=True,
        help="a final chord on the last downbeat; default: yes",
    )  # fmt: skip
    add(
        "--timbre", type=read_by("cmt.sound.timbres", "read_timbres"), default={},
        metavar="TRACK=NAME,…",
        help="who plays: strings=pad, piano=organ and the like; default: as genre or mood have it",
    )  # fmt: skip
    add(
        "--humanize", action=argparse.BooleanOptionalAction, default=True,
        help="notes a little uneven, as people play, but never at visual beats; default: yes",
    )  # fmt: skip


def _add_sections(options: argparse.ArgumentParser) -> None:
    add = options.add_argument_group("parts of it").add_argument
    add(
        "--sections", type=read_by("cmt.sections", "read_sections"), default=(), metavar="WISHES",
        help='sections and what is wished for them, "1:energy=0.6,instruments=piano+strings'
        ' 9:energy=1.4,chords=Am_F_C_G 17:rest", or a JSON file; see docs/control.md',
    )  # fmt: skip
    add(
        "--theme", type=Path, metavar="FILE",
        help="the melody of the first section: the highest notes of a MIDI file, or what one voice"
        " hums in a sound file; the rest is written around it, in its key where no other is asked",
    )  # fmt: skip
    add("--add-hits", type=seconds, default=(), metavar="LIST", help="seconds: hit these, too")
    add("--remove-hits", type=seconds, default=(), metavar="LIST", help="seconds: not these")


def check_composition(options: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Refuse, by the parser, what contradicts itself; read the theme, if there is one.

    Raises:
        InputError: the theme cannot be read.
    """
    if isinstance(args.theme, Path):
        from cmt.theme import read_theme

        args.theme = read_theme(args.theme)
    if args.loop == "original":
        for name in EXACT_ONLY:
            if getattr(args, name):
                options.error(f"--{name} goes with --control exact")
    if args.chords and args.progression:
        options.error("--progression: goes without --chords")
    playing = args.instruments or tuple(INSTRUMENT_CLASS)
    if outside := set(args.beat_instruments or ()) - set(playing):
        options.error(f"--beat_instruments: {', '.join(sorted(outside))} not in --instruments")


def check_seed(options: argparse.ArgumentParser, args: argparse.Namespace, takes: int) -> None:
    """See that so many takes have seeds."""
    if args.seed > (most := MAX_SEED - takes):
        options.error(f"--seed: give at most {most}, for {takes} takes")


def settings(
    args: argparse.Namespace, takes: int = 1, rank: bool = False, file: int = 0
) -> Settings:
    """What the command line asks for, for its file number `file`, from 0 on.

    Each file has seeds of its own: pieces of equal length and seed would have the same key, form
    and chords, and begin alike.
    """
    from cmt.compose import Settings
    from cmt.decoding.style import Style

    return Settings(
        takes=takes,
        loop=args.loop,
        degree=args.C,
        min_strength=args.min_strength,
        mood=args.mood,
        tempo=args.tempo,
        density=args.density,
        removed=args.remove_hits,
        added=args.add_hits,
        style=Style(
            genre=None if args.genre == "any" else args.genre,
            guidance=args.guidance,
            instruments=args.instruments,
            beat_instruments=args.beat_instruments,
            key=Key(TONICS[args.key], args.mode or "major") if args.key else None,
            mode=None if args.key else args.mode,
            chords=args.chords or (),
            progressions=args.progression,
            sections=args.sections,
            ending=args.ending,
        ),
        theme=args.theme,
        seed=args.seed + file * takes,
        passages=args.again,
        precision=args.precision,
        rank=rank,
        humanize=args.humanize,
        timbres=args.timbre,
    )


def load_model(args: argparse.Namespace) -> tuple[CMT, str]:
    """The model on its device, and the checksum of its file.

    Raises:
        InputError: there is no such checkpoint or GPU, or the GPU cannot take that precision.
    """
    import torch

    from cmt.files import checksum
    from cmt.model import checkpoint, stored

    cuda = torch.cuda.is_available()
    if args.gpus is not None and not cuda:
        raise InputError(f"-g {args.gpus}: no CUDA device here; leave -g out for the CPU")
    if cuda and (args.gpus or 0) >= (count := torch.cuda.device_count()):
        raise InputError(f"-g {args.gpus}: there are {count} GPUs here, counted from 0")
    if cuda and args.precision == "int8":
        raise InputError("--precision int8 is for CPUs; use bf16 on a GPU")
    model, _ = checkpoint.load(args.ckpt, f"cuda:{args.gpus or 0}" if cuda else "cpu")
    return model, checksum(stored.find(args.ckpt))
