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

import mutations
import numpy as np

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


def checkpoints() -> list[bytes]:
    import torch

    from cmt.model import checkpoint
    from cmt.model.config import CMTConfig
    from cmt.model.network import CMT

    torch.set_num_threads(1)
    model = CMT(CMTConfig(d_model=16, n_layers=1, n_heads=2, d_ff=16))
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


TARGETS = {
    "midi": Target(".mid", midi_files, mutations.midi, run_midi),
    "sound": Target(".mid", short_midi_files, mutations.midi, run_sound),
    "dataset": Target(".npz", data_sets, mutations.archive, run_data_set),
    "control": Target(".npz", controls, mutations.archive, run_control),
    "json": Target(".json", rhythms, mutations.json_text, run_rhythm),
    "checkpoint": Target(".pt", checkpoints, mutations.stored, run_checkpoint),
    "lpd": Target(".npz", rolls, mutations.archive, run_roll),
    "sf2": Target(".sf2", sound_fonts, mutations.riff, run_sound_font),
}
