"""SoundFont 2 files: presets, instruments and samples, read and written.

Source: E-mu Systems, SoundFont Technical Specification 2.04.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# Generators (section 8.1.2)
START_LOOP, END_LOOP, PAN = 2, 3, 17
HOLD_VOLUME, INSTRUMENT, KEYS, START_LOOP_COARSE = 35, 41, 43, 45
END_LOOP_COARSE, COARSE_TUNE, SAMPLE, MODES, ROOT = 50, 51, 53, 54, 58
PADDING = 46  # zero samples after each
HEADERS = {  # of the hydra's lists
    "phdr": "<20sHHHIII", "pbag": "<HH", "pmod": "<HHhHH", "pgen": "<HH",
    "inst": "<20sH", "ibag": "<HH", "imod": "<HHhHH", "igen": "<HH",
    "shdr": "<20sIIIIIBbHH",
}  # fmt: skip


@dataclass
class Sample:
    """A sound: (n,) int16, its loop in samples from its start, Hz, its key and cents."""

    name: str
    data: NDArray[np.int16]
    loop: tuple[int, int]
    rate: int
    root: int
    cents: int


@dataclass
class Zone:
    """Generators by number, as unsigned 16 bits, and modulators; a sample or an instrument."""

    generators: dict[int, int]
    modulators: list[tuple[int, ...]] = field(default_factory=list)
    sample: Sample | None = None
    instrument: Instrument | None = None

    @property
    def keys(self) -> tuple[int, int]:
        """The lowest and the highest key."""
        low_high = self.generators.get(KEYS, 127 << 8)
        return low_high & 255, low_high >> 8


@dataclass
class Instrument:
    """Zones; one without a sample, the first, holds what the others do not say."""

    name: str
    zones: list[Zone]


@dataclass
class Preset:
    """What a program of a bank plays: 128 is the bank of drum kits."""

    name: str
    bank: int
    program: int
    zones: list[Zone]


def chunks(data: bytes, start: int = 12, end: int | None = None) -> Iterator[tuple[str, int, int]]:
    """Name, start and end of each chunk that is no list."""
    end = len(data) if end is None else end
    while start + 8 <= end:
        name, size = data[start : start + 4], int.from_bytes(data[start + 4 : start + 8], "little")
        if name == b"LIST":
            yield from chunks(data, start + 12, start + 8 + size)
        else:
            yield name.decode("latin1"), start + 8, start + 8 + size
        start += 8 + size + size % 2


def read(path: Path) -> list[Preset]:
    """All presets of a file; what they share is shared."""
    data = path.read_bytes()
    spans = {name: (start, end) for name, start, end in chunks(data)}
    rows = {
        name: list(struct.iter_unpack(form, data[slice(*spans[name])]))
        for name, form in HEADERS.items()
    }
    pool = np.frombuffer(data[slice(*spans["smpl"])], "<i2")
    samples = [
        Sample(_text(name), pool[start:end], (low - start, high - start), rate, root, cents)
        for name, start, end, low, high, rate, root, cents, *_ in rows["shdr"][:-1]
    ]

    def zones(kind: str, first: int, last: int) -> list[Zone]:
        found = []
        for (gen, mod), (next_gen, next_mod) in pairwise(rows[f"{kind}bag"][first : last + 1]):
            generators = dict(rows[f"{kind}gen"][gen:next_gen])
            zone = Zone(generators, rows[f"{kind}mod"][mod:next_mod])
            if kind == "i" and SAMPLE in generators:
                zone.sample = samples[generators.pop(SAMPLE)]
            if kind == "p" and INSTRUMENT in generators:
                zone.instrument = instruments[generators.pop(INSTRUMENT)]
            found.append(zone)
        return found

    instruments = [
        Instrument(_text(name), zones("i", first, last))
        for (name, first), (_, last) in pairwise(rows["inst"])
    ]
    return [
        Preset(_text(here[0]), here[2], here[1], zones("p", here[3], after[3]))
        for here, after in pairwise(rows["phdr"])
    ]


def write(presets: list[Preset], info: dict[str, str]) -> tuple[bytes, list[Sample], bytes]:
    """A file in three parts: what comes before the samples, these in order, what comes after.

    The samples, each with `PADDING` zeros after it, belong between the two.
    """
    instruments = _unique(z.instrument for p in presets for z in p.zones if z.instrument)
    samples = _unique(z.sample for i in instruments for z in i.zones if z.sample)
    rows: dict[str, list[tuple]] = {name: [] for name in HEADERS}
    for preset in sorted(presets, key=lambda preset: (preset.bank, preset.program)):
        head = (preset.name.encode(), preset.program, preset.bank, len(rows["pbag"]), 0, 0, 0)
        rows["phdr"].append(head)
        for zone in preset.zones:
            _add(rows, "p", zone, INSTRUMENT, _place(instruments, zone.instrument))
    for instrument in instruments:
        rows["inst"].append((instrument.name.encode(), len(rows["ibag"])))
        for zone in instrument.zones:
            _add(rows, "i", zone, SAMPLE, _place(samples, zone.sample))
    rows["phdr"].append((b"EOP", 0, 0, len(rows["pbag"]), 0, 0, 0))
    rows["inst"].append((b"EOI", len(rows["ibag"])))
    for kind in "pi":
        rows[f"{kind}bag"].append((len(rows[f"{kind}gen"]), len(rows[f"{kind}mod"])))
        rows[f"{kind}gen"].append((0, 0))
        rows[f"{kind}mod"].append((0, 0, 0, 0, 0))
    start = 0
    for sample in samples:
        end, (low, high) = start + len(sample.data), sample.loop
        where = (start, end, start + low, start + high)
        rows["shdr"].append(
            (sample.name.encode(), *where, sample.rate, sample.root, sample.cents, 0, 1)
        )
        start = end + PADDING
    rows["shdr"].append((b"EOS", 0, 0, 0, 0, 0, 0, 0, 0, 0))

    about = _chunk("ifil", struct.pack("<HH", 2, 1)) + b"".join(
        _chunk(name, text.encode() + bytes(2 - len(text.encode()) % 2))
        for name, text in info.items()
    )
    hydra = b"".join(
        _chunk(name, b"".join(struct.pack(form, *row) for row in rows[name]))
        for name, form in HEADERS.items()
    )
    before, after = _chunk("LIST", b"INFO" + about), _chunk("LIST", b"pdta" + hydra)
    sizes = struct.pack("<I", 2 * start + 12), struct.pack("<I", 2 * start)
    before += b"LIST" + sizes[0] + b"sdtasmpl" + sizes[1]
    size = 4 + len(before) + 2 * start + len(after)
    return b"RIFF" + struct.pack("<I", size) + b"sfbk" + before, samples, after


def _add(rows: dict[str, list[tuple]], kind: str, zone: Zone, last: int, index: int | None) -> None:
    """A zone's bag; its key range comes first and what it plays last, as the format has it."""
    rows[f"{kind}bag"].append((len(rows[f"{kind}gen"]), len(rows[f"{kind}mod"])))
    ranges = sorted(item for item in zone.generators.items() if item[0] in (KEYS, KEYS + 1))
    others = [item for item in zone.generators.items() if item not in ranges]
    rows[f"{kind}gen"] += [*ranges, *others, *([] if index is None else [(last, index)])]
    rows[f"{kind}mod"] += zone.modulators


def _unique(items: Iterator) -> list:
    return list({id(item): item for item in items}.values())


def _place(items: list, item: object) -> int | None:
    return next((n for n, other in enumerate(items) if other is item), None)


def _chunk(name: str, data: bytes) -> bytes:
    return name.encode() + struct.pack("<I", len(data)) + data


def _text(name: bytes) -> str:
    return name.split(b"\0")[0].decode("latin1")
