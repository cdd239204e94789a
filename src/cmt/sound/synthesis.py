"""A MIDI file → its music as it is heard: played, mixed, and through the bus."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cmt.files import unused_name
from cmt.limits import MAX_MINUTES
from cmt.markers import Marker, of_texts
from cmt.music.midi import load_score
from cmt.sound import bus, mixing, synthesizer
from cmt.sound.balance import Balance
from cmt.sound.fonts import choose
from cmt.sound.limiter import CEILING
from cmt.sound.loudness import SAMPLE_RATE, loudness
from cmt.sound.passes import grouped
from cmt.sound.recording import Block, Recording, silence
from cmt.sound.segments import STEP, Clock, lines

if TYPE_CHECKING:
    from symusic.core import ScoreTick

TAIL = 2.0  # s that the last notes may ring
FADE = 1.0  # s at the end
LONGEST_FADE = 1 / 4  # share of the music, of a fade that nobody asked for
LONGEST_NAME = 60  # characters, of a track's file
_UNSAFE = re.compile(r"[^\w '&+(),.#-]")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Music:
    """What a MIDI file sounds like.

    Attributes:
        mix: as it is heard.
        stems: each track by its name of `stem_names`, if they were asked for: their sum is the mix
            before the bus, and as loud as after it where that lets none of them clip.
        markers: of the file, those within the sound.
    """

    mix: Recording
    stems: dict[str, Recording]
    markers: list[Marker]


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
    markers = _markers(score, length / SAMPLE_RATE)
    if not playing:
        log.warning("%s: no notes; the sound is silence", midi)
        return Music(Recording(silence(length)), {}, markers)
    if fade_out is None:
        fade_out = min(FADE, LONGEST_FADE * length / SAMPLE_RATE)

    fonts = choose(playing, [Path(font) for font in soundfonts])
    cuts = [mixing.cut_below(line) for line in playing]
    groups = grouped(playing, fonts, cuts, apart=stems, ours=not soundfonts)
    blocks = mixing.in_room(synthesizer.play_all(groups, length), groups, apart=stems)
    blocks = mixing.faded(blocks, length, fade_in, fade_out)
    apart = {name: Recording() for name in stem_names(name for name, _ in tracks)} if stems else {}
    mix = _mastered(blocks, list(apart.values()))
    if not any(block.any() for block in mix):
        log.warning("%s: its notes are too soft to be heard; the sound is silence", midi)
    return Music(mix, apart, markers)


def _mastered(blocks: Iterator[NDArray[np.float32]], stems: list[Recording]) -> Recording:
    """The mix of blocks (tracks, 2, samples) as it leaves the bus; stems get their tracks."""
    balance = Balance()
    mix = Recording(balance.reading(_summed(blocks, stems)))
    before = loudness(mix) if stems else 0.0
    bus.master(mix, balance)
    if stems:
        _level(stems, loudness(mix) - before)
    return mix


def _level(stems: Sequence[Recording], decibels: float) -> None:
    """Make stems louder, all by the same, but by no more than any of them has room for."""
    peak = max(float(np.abs(block).max(initial=0)) for stem in stems for block in stem)
    if peak == 0 or not math.isfinite(decibels):
        return
    gain = np.float32(min(10 ** (decibels / 20), CEILING / peak))
    for stem in stems:
        stem.replace(block * gain for block in stem)


def _summed(blocks: Iterator[NDArray[np.float32]], stems: list[Recording]) -> Iterator[Block]:
    """Sums of blocks (tracks, 2, samples), each of which goes to its stem, if there are any."""
    for block in blocks:
        for track, stem in zip(block, stems, strict=False):
            stem.append(track)
        yield block.sum(axis=0)


def stem_names(names: Iterable[str]) -> list[str]:
    """Names of files: of tracks, numbered where two have the same, without what files have not."""
    used: set[str] = set()
    safe = (_UNSAFE.sub("_", name)[:LONGEST_NAME].strip(" .") for name in names)
    return [unused_name(name or "track", used) for name in safe]


def _markers(score: ScoreTick, duration: float) -> list[Marker]:
    ticks = np.array([marker.time for marker in score.markers], int)
    texts = (marker.text for marker in score.markers)
    timed = zip(ticks.tolist(), Clock(score).seconds(ticks).tolist(), texts, strict=True)
    return of_texts(sorted(marker for marker in timed if marker[1] < duration))
