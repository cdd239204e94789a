"""The bus of a mix: stages that each take and give blocks, and the level all is brought to."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cmt.sound.balance import Balance
from cmt.sound.compressor import glue
from cmt.sound.limiter import limit, make_up
from cmt.sound.loudness import Meter
from cmt.sound.recording import Block, Recording, ahead
from cmt.sound.tone import decide


def master(mix: Recording, balance: Balance) -> None:
    """Put a mix through the bus, in place: its tone, the compressor, level and limiter.

    Args:
        mix: at any level; silence stays silence.
        balance: that has read it.
    """
    if not balance.peaks.any():
        return
    tone = decide(balance)
    blocks: Iterator[Block] = (np.float32(tone.level) * block for block in mix)
    for stage in (*tone.stages, ahead, glue):
        blocks = stage(blocks)
    meter = Meter()
    mix.replace(meter.reading(blocks))
    limit(mix, make_up(meter))
