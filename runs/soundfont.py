"""Make the SoundFont that comes with us: a part of FluidR3_GM, packed without loss.

    runs/soundfont.py FluidR3_GM.sf2 src/cmt/sound/fluid.zip

FluidR3_GM (Frank Wen, MIT) is in Debian's package fluid-soundfont-gm. Kept are the presets of
`cmt.sound.timbres`, of some fewer keys, which the others are played from; of the drums those that
music has; of each sound what comes before its loop ends, or until it has died away. Where the two
channels of a drum are alike one of them plays both. Any other program plays the nearest that is
kept. Packed are what comes before the samples in the file, the samples as WavPack, and what comes
after.
"""

from __future__ import annotations

import argparse
import io
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

import sf2
from cmt.script import run_script
from cmt.sound.soundfont import AFTER, BEFORE, SAMPLES

KITS = 128  # the bank of drum kits
RATE = 44_100  # Hz, that the packed samples are said to have
KEPT = 8  # samples after a loop that the format asks for
# Roots kept of each program; None keeps all.
ROOTS: dict[int, tuple[int, ...] | None] = {
    0: (34, 42, 50, 58, 62, 70, 74, 84, 94, 104),
    4: (36, 48, 60, 67, 72, 79, 91),
    16: None,
    24: (40, 50, 55, 59, 64, 74, 79),
    25: (40, 50, 55, 59, 64, 74, 79),
    27: None,
    29: (50, 59, 69, 81),
    33: (28, 33, 38, 43, 48),
    34: (33, 43),
    38: None,
    39: None,
    48: (34, 43, 52, 61, 67, 73, 79, 83),
    81: None,
    89: None,
}
DRUMS = (0, 16, 24, 40)
# Programs 0 … 127 in runs of eight, and the kept one that plays them.
FAMILIES = (0, 16, 16, 25, 33, 48, 48, 81, 81, 81, 81, 89, 89, 25, 0, 89)
SINGLE = (
    {4: 4, 5: 4, 24: 24, 27: 27, 28: 27, 26: 27, 29: 29, 30: 29, 31: 29, 34: 34}
    | dict.fromkeys((36, 37, 38), 38)
    | {39: 39, 50: 89, 51: 89}
    | dict.fromkeys(range(8, 16), 4)
)
PLAYED = {
    *range(35, 52),
    54,
    56,
    *range(60, 65),
    *range(67, 71),
    73,
    74,
    75,
    76,
    77,
    80,
    81,
    82,
    85,
}
# Drums that another plays, so many semitones higher.
ALIASES = {57: (49, 2), 52: (49, -2), 55: (49, 5), 53: (51, 3), 59: (51, -1)}
# Seconds of what dies away, and of the end in which it fades: of drums, and of what is struck and
# plucked, which is looped when it is hardly heard any more.
DIES = {KITS: 4.0, 0: 3.8, 4: 3.2, 24: 3.0, 25: 3.0, 27: 3.0, 33: 2.8, 34: 2.8}
FADED = 0.3  # of them
ALIKE = 10 ** (-26 / 20)  # rms of the difference of two channels, of their sum


def thinned(zones: list[sf2.Zone], roots: Iterable[int] | None) -> list[sf2.Zone]:
    """Zones of some roots, which take over the keys of the others."""
    if roots is None:
        return zones

    def root(zone: sf2.Zone) -> int:
        assert zone.sample is not None
        return zone.generators.get(sf2.ROOT, zone.sample.root)

    has = {root(zone) for zone in zones if zone.sample is not None}
    kept = sorted(has & set(roots)) or sorted(has)
    result = []
    for zone in zones:
        if zone.sample is None:
            result.append(zone)
        elif root(zone) in kept:
            place = kept.index(root(zone))
            low = 0 if place == 0 else (kept[place - 1] + kept[place]) // 2 + 1
            high = 127 if place == len(kept) - 1 else (kept[place] + kept[place + 1]) // 2
            generators = {**zone.generators, sf2.KEYS: low | high << 8}
            result.append(replace(zone, generators=generators))
    return result


def with_drums(zones: list[sf2.Zone]) -> list[sf2.Zone]:
    """Zones of a kit's instrument that music plays; some drums are played by others."""
    result = []
    for zone in zones:
        low, high = zone.keys
        if zone.sample is None or (low, high) == (0, 127):
            result.append(zone)
        elif low not in ALIASES and PLAYED & {*range(low, high + 1)}:
            result.append(zone)
            for key, (other, semitones) in ALIASES.items():
                if low <= other <= high:
                    tuned = zone.generators.get(sf2.COARSE_TUNE, 0) + semitones
                    moved = {sf2.KEYS: key | key << 8, sf2.COARSE_TUNE: tuned & 0xFFFF}
                    result.append(replace(zone, generators={**zone.generators, **moved}))
    return result


def shortened(sample: sf2.Sample, looped: bool, dies: float | None) -> sf2.Sample:
    """A sample as long as it is heard: up to its loop's end, or for seconds after which it dies."""
    if dies is None or len(sample.data) <= dies * sample.rate:
        return replace(sample, data=sample.data[: sample.loop[1] + KEPT]) if looped else sample
    data = sample.data[: round(dies * sample.rate)].astype(float)
    fade = round(FADED * len(data))
    data[-fade:] *= np.cos(np.linspace(0, np.pi / 2, fade)) ** 2
    return replace(sample, data=np.rint(data).astype(np.int16), loop=(0, 0))


def alike(left: sf2.Sample, right: sf2.Sample) -> bool:
    """Whether two channels differ too little to be heard."""
    if len(left.data) != len(right.data) or left.loop != right.loop:
        return False
    one, two = left.data.astype(float), right.data.astype(float)
    return bool(np.linalg.norm(one - two) < ALIKE * np.linalg.norm(one + two))


def chosen(presets: list[sf2.Preset]) -> list[sf2.Preset]:
    """The presets that are kept, of what is kept of them."""
    by_place = {(preset.bank, preset.program): preset for preset in presets}
    edited: dict[int, sf2.Instrument] = {}

    def instrument(
        of: sf2.Instrument, edit: Callable[[list[sf2.Zone]], list[sf2.Zone]]
    ) -> sf2.Instrument:
        return edited.setdefault(id(of), sf2.Instrument(of.name, edit(of.zones)))

    def kept(preset: sf2.Preset, edit: Callable[[list[sf2.Zone]], list[sf2.Zone]]) -> sf2.Preset:
        zones = [
            replace(zone, instrument=zone.instrument and instrument(zone.instrument, edit))
            for zone in preset.zones
        ]
        return replace(preset, zones=zones)

    melodic = {
        program: kept(by_place[0, program], lambda zones, r=roots: thinned(zones, r))  # type: ignore[misc]
        for program, roots in ROOTS.items()
    }
    every = [
        replace(melodic[SINGLE.get(program, FAMILIES[program // 8])], program=program)
        for program in range(128)
    ]
    return [*every, *(kept(by_place[KITS, program], with_drums) for program in DRUMS)]


def played_by(presets: list[sf2.Preset]) -> Iterator[tuple[sf2.Instrument, float | None]]:
    """The instruments of presets, each once, and after how many seconds they die."""
    met = set()
    for preset in presets:
        place = preset.bank or SINGLE.get(preset.program, FAMILIES[preset.program // 8])
        for zone in preset.zones:
            if zone.instrument and id(zone.instrument) not in met:
                met.add(id(zone.instrument))
                yield zone.instrument, DIES.get(place)


def shorten(presets: list[sf2.Preset]) -> None:
    """Cut all samples, and let one channel of two that are alike play both."""
    zones: dict[int, list[sf2.Zone]] = {}
    dies: dict[int, float] = {}
    for instrument, seconds in played_by(presets):
        overall = instrument.zones[0].generators if instrument.zones[0].sample is None else {}
        for zone in instrument.zones:
            if zone.sample is not None:
                zones.setdefault(id(zone.sample), []).append(zone)
                zone.generators.setdefault(sf2.MODES, overall.get(sf2.MODES, 0))
                if seconds is not None:
                    dies[id(zone.sample)] = seconds
    cut = {}
    for key, users in zones.items():
        sample = users[0].sample
        assert sample is not None
        looped = all(zone.generators[sf2.MODES] == 1 for zone in users)
        cut[sample.name] = shortened(sample, looped, dies.get(key))
        if cut[sample.name].loop == (0, 0):
            for zone in users:
                zone.generators[sf2.MODES] = 0
    for name, sample in cut.items():
        left = cut.get(name.replace("(R)", "(L)"), sample)
        if left is not sample and alike(left, sample):
            cut[name] = left
    for users in zones.values():
        for zone in users:
            assert zone.sample is not None
            zone.sample = cut[zone.sample.name]


def wavpack(data: NDArray[np.int16]) -> bytes:
    """Samples (n,) as a WavPack file."""
    written = io.BytesIO()
    with av.open(written, "w", "wv") as target:
        stream = target.add_stream(
            "wavpack", RATE, layout="mono", format="s16p", options={"compression_level": "6"}
        )
        assert isinstance(stream, av.AudioStream)
        frame_size = 2**17
        for first in range(0, len(data), frame_size):
            part = np.ascontiguousarray(data[None, first : first + frame_size])
            frame = av.AudioFrame.from_ndarray(part, "s16p", "mono")
            frame.sample_rate, frame.pts = RATE, first
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return written.getvalue()


def main(argv: list[str] | None = None) -> None:
    """Write the pack."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("font", type=Path)
    options.add_argument("pack", type=Path)
    arguments = options.parse_args(argv)
    presets = chosen(sf2.read(arguments.font))
    shorten(presets)
    info = {
        "isng": "EMU8000",
        "INAM": "A part of Fluid R3 GM",
        "IENG": "Frank Wen",
        "ICOP": "Copyright (c) 2000-2002, 2008 Frank Wen. MIT licence.",
    }
    before, samples, after = sf2.write(presets, info)
    padding = np.zeros(sf2.PADDING, np.int16)
    data = np.concatenate([part for sample in samples for part in (sample.data, padding)])
    with zipfile.ZipFile(arguments.pack, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as pack:
        for name, content in ((BEFORE, before), (AFTER, after)):
            pack.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
        pack.writestr(zipfile.ZipInfo(SAMPLES), wavpack(data), zipfile.ZIP_STORED)
    seconds = {sample.name: len(sample.data) for sample in samples}
    print(
        f"{len(samples)} samples, {2 * sum(seconds.values()) / 1e6:.1f} MB,"
        f" packed {arguments.pack.stat().st_size / 1e6:.2f} MB"
    )


if __name__ == "__main__":
    sys.exit(run_script(main))
