"""What is fuzzed: seeds of ours for each reader, and what is done with what is read."""

from __future__ import annotations

import io
import json
import math
import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import mutations
import numpy as np

if TYPE_CHECKING:
    from cmt.model.network import CMT

TESTS = Path(__file__).resolve().parents[1]
REFERENCE = TESTS / "reference"


@dataclass(frozen=True)
class Target:
    """A reader.

    Attributes:
        suffix: of its files.
        seeds: makes files that it reads.
        mutate: damages one.
        run: reads a file and uses what it holds; only an `InputError` may be raised.
    """

    suffix: str
    seeds: Callable[[], list[bytes]]
    mutate: Callable[[random.Random, bytes], bytes]
    run: Callable[[Path], None]


def midi_files() -> list[bytes]:
    return [p.read_bytes() for p in sorted((REFERENCE / "midi").rglob("*.mid"))]


def run_midi(path: Path) -> None:
    import midi2numpy_mix
    from cmt.files import InputError
    from cmt.music.midi import read_midi

    encoded = midi2numpy_mix.encode(path, False, 1)
    if isinstance(encoded, str):
        raise InputError(encoded)
    tempo = read_midi(path).tempo
    assert math.isfinite(tempo) and tempo > 0


def short_midi_files() -> list[bytes]:
    return [data for data in midi_files() if len(data) < 1500]


def run_sound(path: Path) -> None:
    from cmt.sound.synthesis import synthesise

    for block in synthesise(path, duration=2.0).mix:
        assert np.isfinite(block).all()


def data_sets() -> list[bytes]:
    with np.load(REFERENCE / "midi" / "ref_midi2numpy.npz") as file:
        arrays = {name: file[name][:2, :600] for name in ("x", "decoder_mask")}
    about = [{"id": "a", "genre": "pop", "instruments": ["Piano"]}, {"id": "b", "repeats": "2"}]
    files = []
    for metadata in (np.array(json.dumps(about)), np.array(about, object)):
        content = io.BytesIO()
        np.savez_compressed(content, metadata=metadata, **arrays)
        files.append(content.getvalue())
    return files


def run_data_set(path: Path) -> None:
    from cmt.music.dataset import read_dataset
    from cmt.music.vocabulary import FIELDS
    from cmt.music.words import words_to_song
    from cmt.training.config import Augmentation
    from cmt.training.songs import Songs

    data = read_dataset(path)
    songs = Songs(data.words, [about.get("genre") for about in data.metadata], 200, Augmentation())
    for index in range(min(len(songs), 20)):
        words, _ = songs[index]
        for column, field in enumerate(FIELDS):
            assert words[:, column].min() >= 0
            assert not field.width or words[:, column].max() < field.size
    for words in data.words:
        words_to_song(words)


def controls() -> list[bytes]:
    from cmt.control import Control, to_npz
    from cmt.rhythm import Curves, VideoRhythm, VisualBeat

    rhythm = VideoRhythm(3.8, 110.0, (VisualBeat(0.5, 0, 4, 0.9),), (1.0, 2.0))
    curves = Curves(25.0, np.ones(94), np.ones(95))
    bare = io.BytesIO()
    np.savez(bare, input=Control.of(rhythm).words)
    return [to_npz(Control.of(rhythm), curves), bare.getvalue()]


def run_control(path: Path) -> None:
    from cmt.control import load_control, load_curves
    from cmt.plan import make_plan
    from cmt.retiming import retimed

    control = load_control(path)
    load_curves(path)
    for tempo in (None, 90.0):
        make_plan(retimed(control, tempo))


def rhythms() -> list[bytes]:
    return [(REFERENCE / "video" / f"{name}.json").read_bytes() for name in ("bikes", "vlog")]


def run_rhythm(path: Path) -> None:
    from cmt.control import Control
    from cmt.plan import make_plan
    from cmt.rhythm import load_rhythm

    make_plan(Control.of(load_rhythm(path)))


def small_model() -> CMT:
    import torch

    from cmt.model.config import CMTConfig
    from cmt.model.network import CMT

    torch.set_num_threads(1)
    return CMT(CMTConfig(d_model=16, n_layers=1, n_heads=2, d_ff=16)).eval()


def checkpoints() -> list[bytes]:
    import torch

    from cmt.model import checkpoint

    model = small_model()
    with tempfile.TemporaryDirectory() as folder:
        ours, original = Path(folder) / "a.pt", Path(folder) / "b.pt"
        checkpoint.save(ours, model, torch.bfloat16, step=1)
        checkpoint.save_original(original, model)
        return [ours.read_bytes(), original.read_bytes()]


def run_checkpoint(path: Path) -> None:
    import torch

    from cmt.model import checkpoint

    model, _ = checkpoint.load(path)
    assert all(torch.isfinite(weight).all() for weight in model.state_dict().values())


def rolls() -> list[bytes]:
    return [p.read_bytes() for p in sorted((REFERENCE / "lpd").rglob("*.npz"))]


def run_roll(path: Path) -> None:
    import pianoroll2midi
    from cmt.files import InputError

    if reason := pianoroll2midi.convert(path, path.with_name("out.mid")):
        raise InputError(reason)


def sound_fonts() -> list[bytes]:
    from cmt.sound.soundfont import default_soundfont

    return [default_soundfont().read_bytes()]


def run_sound_font(path: Path) -> None:
    from cmt.sound.synthesis import synthesise

    synthesise(REFERENCE / "midi" / "bad" / "type0.mid", [path], duration=1.0)


def films() -> list[bytes]:
    """Twelve pictures with a tone, in containers and codecs of several families."""
    import av

    kinds = [
        ("mp4", "libx264", "aac"), ("mov", "mpeg4", "pcm_s16le"), ("mkv", "libx264", "pcm_s16le"),
        ("avi", "mpeg4", "mp2"), ("webm", "libvpx", "libopus"), ("mpegts", "mpeg2video", "mp2"),
        ("flv", "flv", "aac"), ("gif", "gif", None),
    ]  # fmt: skip
    films = []
    for kind, pictures, sound in kinds:
        content = io.BytesIO()
        with av.open(content, "w", "matroska" if kind == "mkv" else kind) as target:
            stream = target.add_stream(pictures, rate=25)
            stream.width, stream.height = 64, 36
            stream.pix_fmt = "rgb8" if kind == "gif" else "yuv420p"
            voice = target.add_stream(sound, rate=48_000, layout="stereo") if sound else None
            for index in range(12):
                picture = np.full((36, 64, 3), 20 * index, np.uint8)
                picture[5:15, index : index + 10] = 255
                target.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
            target.mux(stream.encode(None))
            if voice:
                tone = np.zeros((1, 2 * 24_000), np.int16)
                frame = av.AudioFrame.from_ndarray(tone, "s16", "stereo")
                frame.sample_rate = 48_000
                target.mux([*voice.encode(frame), *voice.encode(None)])
        films.append(content.getvalue())
    return films


def run_film(path: Path) -> None:
    from cmt.media.own_sound import own_sound
    from cmt.media.source import source_of
    from cmt.sound.film import mux, why_encoded
    from cmt.video.frames import VideoFrames

    frames = VideoFrames(path)
    times = [time for time, _ in frames.timed(36)]
    assert times == sorted(times) and times[0] == 0
    frames.thumbnails([0.0, frames.duration / 2], 36)
    source = source_of(path)
    for _, part in own_sound(source, 48_000):
        assert part.shape[0] == 2
    if frames.duration < 60:  # the sound of an hour takes its time, and is no one's fault
        out = path.with_name("out.mp4")
        why_encoded(path, out)
        mux(path, np.zeros((2, round(48_000 * frames.duration)), np.float32), out)


def reports() -> list[bytes]:
    from cmt import results
    from cmt.compose import Settings, compose
    from cmt.control import load_control
    from cmt.decoding.style import Style
    from cmt.music.chords import read_loops
    from cmt.music.keys import Key
    from cmt.sections import read_sections

    with tempfile.TemporaryDirectory() as folder:
        npz, midi = Path(folder) / "a.npz", Path(folder) / "a.mid"
        npz.write_bytes(controls()[0])
        style = Style(
            genre="rock", instruments=("Drums", "Piano"), beat_instruments=("Drums",),
            key=Key.named("D minor"), chords=read_loops("Am F;C G"),
            sections=read_sections("1:energy=0.6,instruments=piano 2:rest"),
        )  # fmt: skip
        asked = Settings(style=style, tempo=100.0, density=1.5, added=(1.0,), removed=(0.5,))
        (piece,) = compose(small_model(), load_control(npz), asked)
        results.write(piece, midi, results.Sources("a.npz", "0" * 64, "exp/default", "1" * 64))
        report = json.loads(midi.with_name("a.mid.json").read_text())
    return [json.dumps(report | {"again": [{"bars": "1-2", "seed": 3}]}).encode()]


def run_report(path: Path) -> None:
    import evaluate
    from cmt.results import read_settings

    evaluate.control_errors(path)
    read_settings(path)


def key_frames() -> list[bytes]:
    edl = (
        b"TITLE: a\nFCM: DROP FRAME\n001  AX V C  00:00:00:00 00:00:02:00 01:00:00:00 01:00:02:00\n"
    )
    edl += b"002  AX AA/V C  00:00:00:00 00:00:02:00 01:00:02;00 01:00:04;00\n"
    return [b"1\n2.5  # a cut\n1:02.5\n0:01:02.5\n00:01:02:12\n", edl]


def run_key_frames(path: Path) -> None:
    from cmt.key_frames import read_key_frames
    from cmt.limits import MOST_HOURS

    times = read_key_frames(path, 30.0)
    assert times == sorted(times) and times[0] >= 0 and times[-1] <= 3600 * MOST_HOURS


TARGETS = {
    "midi": Target(".mid", midi_files, mutations.midi, run_midi),
    "sound": Target(".mid", short_midi_files, mutations.midi, run_sound),
    "dataset": Target(".npz", data_sets, mutations.archive, run_data_set),
    "control": Target(".npz", controls, mutations.archive, run_control),
    "json": Target(".json", rhythms, mutations.json_text, run_rhythm),
    "checkpoint": Target(".pt", checkpoints, mutations.stored, run_checkpoint),
    "lpd": Target(".npz", rolls, mutations.archive, run_roll),
    "sf2": Target(".sf2", sound_fonts, mutations.riff, run_sound_font),
    "video": Target(".mp4", films, mutations.film, run_film),
    "report": Target(".mid.json", reports, mutations.json_text, run_report),
    "keys": Target(".edl", key_frames, mutations.damaged, run_key_frames),
}
