"""Filters of a SoundFont that are opened.

The synthesizer leaves out a filter that begins above half its rate; any other is more than half of
what a voice costs it. A SoundFont has one in every zone, at 20 kHz where it says nothing, and
FluidR3's grand, strings and nylon guitar have theirs at 10 to 12 kHz, which dulls what is struck.

Source: SoundFont technical specification 2.04, sections 7 and 8.1.
"""

from __future__ import annotations

import struct
from itertools import pairwise

import numpy as np

GENERATOR = np.dtype([("kind", "<u2"), ("amount", "<i2")])
BAG = np.dtype([("generators", "<u2"), ("modulators", "<u2")])
INSTRUMENT = np.dtype([("name", "S20"), ("zones", "<u2")])
CUTOFF, SAMPLE = 8, 53  # generators
USUAL = 13_500  # cents of a cutoff, 19.9 kHz
LOWEST = 12_300  # 10 kHz: those below it shape a sound
OPEN = 20_000


def opened(lists: bytes) -> bytes:
    """The lists of a SoundFont (its chunk "pdta") with open filters.

    Args:
        lists: this chunk, with its head, of a sound file.
    """
    chunks, rest = {}, lists[12:]
    while rest:
        name, size = struct.unpack("<4sI", rest[:8])
        chunks[name], rest = rest[8 : 8 + size], rest[8 + size :]
    instruments = np.frombuffer(chunks[b"inst"], INSTRUMENT)
    bags = np.frombuffer(chunks[b"ibag"], BAG).copy()
    first_of = bags["generators"].tolist()
    generators = np.frombuffer(chunks[b"igen"], GENERATOR).tolist()
    made: list[tuple[int, int]] = []
    for first, last in pairwise(instruments["zones"].tolist()):
        usual = USUAL
        for zone in range(first, last):
            own = generators[first_of[zone] : first_of[zone + 1]]
            cutoff = dict(own).get(CUTOFF, usual)
            if SAMPLE not in dict(own):  # what the instrument's other zones do not say
                usual = cutoff
            elif cutoff >= LOWEST:
                own = [(kind, amount) for kind, amount in own if kind != CUTOFF]
                own.insert(-1, (CUTOFF, OPEN))  # the sample is the last
            bags["generators"][zone] = len(made)
            made += own
    bags["generators"][-1] = len(made)
    chunks[b"ibag"] = bags.tobytes()
    chunks[b"igen"] = np.array([*made, (0, 0)], GENERATOR).tobytes()
    written = b"".join(struct.pack("<4sI", n, len(of)) + of for n, of in chunks.items())
    return struct.pack("<4sI4s", b"LIST", len(written) + 4, b"pdta") + written
