"""A MIDI file → its music as it is heard: played, mixed, and through the bus."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cmt.music.midi import load_score
from cmt.music.vocabulary import MAX_MINUTES
from cmt.sound import bus, mixing, synthesizer
from cmt.sound.fonts import choose
from cmt.sound.loudness import SAMPLE_RATE, Meter
from cmt.sound.recording import Block, Recording, silence
from cmt.sound.segments import STEP, lines

if TYPE_CHECKING:
    from symusic.core import ScoreTick

TAIL = 2.0  # s that the last notes may ring
FADE = 1.0  # s at the end
LONGEST_FADE = 1 / 4  # share of the music, of a fade that nobody asked for

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Music:
    """What a MIDI file sounds like.

    Attributes:
        mix: as it is heard.
        stems: each track by a name, if they were asked for: their sum is the mix before the bus.
    """

    mix: Recording
    stems: dict[str, Recording]


def synthesise(
    midi: str | Path | ScoreTick,
    soundfonts: Sequence[str | Path] = (),
    tempo: float | None = None,
    duration: float | None = None,
    *,
    fade_in: float = 0.0,
    fade_out: float | None = None,
    stems: bool = False,
    max_minutes: float = MAX_MINUTES,
) -> Music:
    """Play a MIDI file.

    Any General MIDI file is played as it asks to be; where the tracks are all named after the five
    instruments, `cmt.sound.mixing.MIX` says what they do not. Program 114, which the original's
    drum track carries, is no drum kit: the synthesizer falls back to the standard kit.

    Args:
        midi: path, or a score in ticks.
        soundfonts: SoundFont 2 files in order of preference, see `cmt.sound.fonts.choose`.
        tempo: BPM of the whole piece in place of the file's tempos.
        duration: seconds to cut or pad to; by default the last note's end and `TAIL`.
        fade_in: seconds.
        fade_out: seconds; by default `FADE`, less of short music.
        stems: whether the tracks are given one by one, too.
        max_minutes: how long the file may last where no duration is asked for.

    Raises:
        InputError: MIDI or SoundFont cannot be read.
    """
    from symusic.core import TempoTick

    if isinstance(midi, str | Path):
        score = load_score(midi, max_minutes if duration is None else math.inf)
    else:
        score = midi.copy()
    if tempo is not None:
        score.tempos.clear()
        score.tempos.append(TempoTick(0, tempo))
    tracks = [(track.name, track.program) for track in score.tracks if len(track.notes)]
    playing = lines(score, mixing.settings(tracks))
    end = max((int(line.released.max()) for line in playing), default=0) * STEP / SAMPLE_RATE
    length = round((end + TAIL if duration is None else duration) * SAMPLE_RATE)
    if not playing:
        log.warning("%s: no notes; the sound is silence", midi)
        return Music(Recording(silence(length)), {})
    if fade_out is None:
        fade_out = min(FADE, LONGEST_FADE * length / SAMPLE_RATE)

    fonts = choose(playing, [Path(font) for font in soundfonts])
    dry = synthesizer.tracks(playing, fonts, length)
    blocks = mixing.in_room(dry, playing, apart=stems)
    blocks = mixing.faded(blocks, length, fade_in, fade_out)
    apart = {name: Recording() for name in _unique([name for name, _ in tracks])} if stems else {}
    meter = Meter()
    mix = Recording(meter.reading(_summed(blocks, list(apart.values()))))
    if not meter.peaks.any():
        log.warning("%s: its notes are too soft to be heard; the sound is silence", midi)
    bus.master(mix, meter)
    return Music(mix, apart)


def _summed(blocks: Iterator[NDArray[np.float32]], stems: list[Recording]) -> Iterator[Block]:
    """Sums of blocks (tracks, 2, samples), each of which goes to its stem, if there are any."""
    for block in blocks:
        for track, stem in zip(block, stems, strict=False):
            stem.append(track)
        yield block.sum(axis=0)


def _unique(names: list[str]) -> list[str]:
    """Names of files: of tracks, numbered where two have the same or none."""
    from cmt.files import unused_name

    used: set[str] = set()
    return [unused_name(name or "track", used) for name in names]
