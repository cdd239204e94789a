"""How a song is played: how loud each note, and how near to its tick.

Dynamics follow the film: bars are quiet where its picture is still and loud where it is fast, with
crescendo and decrescendo between. Within them phrases rise and fall, metre and the line on top are
brought out, drummers strike as drummers do (drumming.csv, fitted by runs/fit_drumming.py), and what
falls on a visual beat stands out. Where the model says how loud notes are, its word takes the place
of metre and drummers: it has heard players. In real files bars explain 40 % of the variance of
velocities, pitch and metre little; so it is here.
"""

from __future__ import annotations

import csv
import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cmt.form import Form
from cmt.grid import Grid
from cmt.music.vocabulary import DRUMS, INSTRUMENT_CLASS, TICKS_PER_BAR, TICKS_PER_BEAT, VOICES
from cmt.music.words import Song
from cmt.plan import Plan

DRUMMING = Path(__file__).with_name("drumming.csv")
BASS = INSTRUMENT_CLASS["Bass"]
# How much a tick weighs in 4/4.
LEVELS = ("bar", "backbeat", "beat", "eighth", "sixteenth")

SOFTEST, LOUDEST = 20, 127  # velocities
FORTE = 84  # velocity where the picture is fastest, but for all else
RANGE = 12.0  # dB from a picture that is still to the fastest
PHRASE, ARC = 4, 3.0  # bars of a phrase, and dB that its middle is louder than its ends
ACCENT, PER_NOTE = 1.58, 0.03  # velocity on a visual beat: times that, and more for each note asked
METRE = np.array([1.05, 1.02, 1.03, 1.0, 0.95])  # of pitched notes, by LEVELS
MELODY, ACCOMPANIMENT = 1.08, 0.95
HEIGHT = 0.03  # share by which an octave higher in a track is louder
# Pitches in the middle of what each plays, the same in every song, so that a bar is played as it is
# whatever the others are.
MIDDLES = {"Piano": 60, "Guitar": 60, "Bass": 38, "Strings": 62}
# And what velocity each usually has in the music that the default model learned from.
USUAL = {"Drums": 84, "Piano": 78, "Guitar": 80, "Bass": 90, "Strings": 78}
UNEVEN = 0.1  # standard deviation of what players do not control, as a share
LATENESS, LATEST = 0.0025, 0.008  # seconds: of a simu-note, the usual and the most


@dataclass(frozen=True)
class Performance:
    """How the notes of a song are played, in its order.

    Attributes:
        velocities: (notes,) 1 … 127.
        delays: (notes,) ticks, 0 … 1, by which each begins after its tick.
    """

    velocities: NDArray[np.int64]
    delays: NDArray[np.float64]


def perform(
    song: Song, plan: Plan, form: Form | None, grid: Grid, seed: int, humanize: bool = True
) -> Performance:
    """Play a song as a film wants it.

    Args:
        song: the notes.
        plan: what the film asks: densities tell how fast its picture is.
        form: its sections begin phrases; without one, phrases begin with the song.
        grid: the second of each tick.
        seed: of what is uneven.
        humanize: whether anything is; else like notes in like places are played alike, in time.
    """
    notes = song.notes
    accents = np.array([plan.beats.get(tick, 0) for tick in notes["tick"].tolist()], np.int64)
    decibels = pace(plan, notes["tick"]) + arcs(form, notes["tick"])
    # A hit in a quiet scene is a hit.
    decibels = np.where(accents > 0, np.maximum(decibels, decibels / 2), decibels)
    velocities = FORTE * 10 ** (decibels / 40)  # so SoundFonts understand them
    velocities *= np.where(accents > 0, ACCENT + PER_NOTE * accents, 1) * touch(song)
    delays: NDArray[np.float64] = np.zeros(len(notes))
    if humanize:
        free = accents == 0
        velocities *= 1 + free * UNEVEN * _chance(notes["tick"], seed, 0)
        delays = free * _delays(song, grid, seed)
    rounded = np.clip(np.rint(velocities), SOFTEST, LOUDEST).astype(np.int64)
    return Performance(rounded, delays)


def pace(plan: Plan, ticks: NDArray[np.integer]) -> NDArray[np.float64]:
    """How loud the speed of the picture makes each tick: −`RANGE` … 0 dB, (ticks,).

    A bar's loudness is that of its middle; it glides from bar to bar, and leaps with the scene.
    """
    bars = np.arange(len(plan.bars))
    known = np.isfinite(plan.densities)
    if not known.any():
        return np.full(len(ticks), -RANGE / 2)
    density = np.interp(bars, bars[known], plan.densities[known])
    loudness = RANGE * (np.clip(density / TICKS_PER_BAR, 0, 1) - 1)
    scenes = np.searchsorted(plan.scenes, bars, side="right")
    bar = np.minimum(ticks // TICKS_PER_BAR, len(bars) - 1)
    decibels = np.empty(len(ticks))
    for scene in np.unique(scenes):
        inside, within = scenes[bar] == scene, scenes == scene
        middles = (bars[within] + 0.5) * TICKS_PER_BAR
        decibels[inside] = np.interp(ticks[inside], middles, loudness[within])
    return decibels


def arcs(form: Form | None, ticks: NDArray[np.integer]) -> NDArray[np.float64]:
    """How much louder each tick is for its place in the phrase: dB around 0, (ticks,)."""
    starts = [section.start for section in form.sections] if form else []
    begins = np.array(starts or [0]) * TICKS_PER_BAR
    since = ticks - begins[np.searchsorted(begins, ticks, side="right") - 1]
    place = since / (PHRASE * TICKS_PER_BAR) % 1
    return ARC * (np.sin(np.pi * place) - 2 / np.pi)


def touch(song: Song) -> NDArray[np.float64]:
    """What players make of the velocity of each note: a factor, (notes,).

    Of a note of which it is known how loud it is, that and the line; else metre, drum, height and
    line. Tracks are balanced elsewhere: each has a mean of about 1. Other notes in one
    bar change nothing in the next.
    """
    notes, velocities = song.notes, song.velocities
    drums = notes["instrument"] == DRUMS
    factor = by_rule(song)
    if velocities is not None:
        for name, usual in USUAL.items():
            mine = (notes["instrument"] == INSTRUMENT_CLASS[name]) & (velocities > 0)
            factor[mine] = velocities[mine] / usual
    factor[~drums] *= np.where(on_top(song)[~drums], MELODY, ACCOMPANIMENT)
    return factor


def by_rule(song: Song) -> NDArray[np.float64]:
    """What metre, drum and height make of the velocity of each note: a factor, (notes,)."""
    notes = song.notes
    level = metric_levels(notes["tick"])
    factor = METRE[level]
    for name, middle in MIDDLES.items():
        mine = notes["instrument"] == INSTRUMENT_CLASS[name]
        factor[mine] *= 1 + HEIGHT * (notes["pitch"][mine] - middle) / 12
    table = drumming()
    for index, pitches in enumerate(VOICES.values()):
        mine = (notes["instrument"] == DRUMS) & np.isin(notes["pitch"], pitches)
        factor[mine] = table[index, level[mine]]
    return factor


def on_top(song: Song) -> NDArray[np.bool_]:
    """Whether each note is the line on top: none of its bar that sounds with it is higher.

    The skyline of Uitdenbogerd and Zobel ("Melodic Matching Techniques for Large Music
    Databases", ACM MM 1999), the bass left out. What rings on from the bar before is background.
    """
    notes = song.notes
    playing = (notes["instrument"] != DRUMS) & (notes["instrument"] != BASS)
    highest = np.zeros(int((notes["tick"] + notes["duration"]).max(initial=0)) + 1, notes.dtype[1])
    for tick, pitch, duration in notes[["tick", "pitch", "duration"]][playing].tolist():
        bar_ends = (tick // TICKS_PER_BAR + 1) * TICKS_PER_BAR
        sounding = highest[tick : min(tick + max(duration, 1), bar_ends)]
        np.maximum(sounding, pitch, out=sounding)
    return playing & (notes["pitch"] >= highest[notes["tick"]])


def metric_levels(ticks: NDArray[np.integer]) -> NDArray[np.int64]:
    """How much ticks weigh in their bars: indices of `LEVELS`, in the same shape."""
    place = np.full(TICKS_PER_BAR, LEVELS.index("sixteenth"))
    place[::2] = LEVELS.index("eighth")
    place[::TICKS_PER_BEAT] = LEVELS.index("beat")
    place[TICKS_PER_BEAT :: 2 * TICKS_PER_BEAT] = LEVELS.index("backbeat")
    place[0] = LEVELS.index("bar")
    return place[np.asarray(ticks) % TICKS_PER_BAR]


@functools.cache
def drumming() -> NDArray[np.float64]:
    """How hard each drum is struck: (`VOICES`, `LEVELS`), 1 is the drum's mean."""
    with DRUMMING.open(encoding="utf-8", newline="") as file:
        rows = {
            row["drum"]: [float(row[level]) for level in LEVELS] for row in csv.DictReader(file)
        }
    return np.array([rows[voice] for voice in VOICES])


def _chance(ticks: NDArray[np.integer], seed: int, kind: int) -> NDArray[np.float64]:
    """Standard normal numbers for things at ticks, ascending, (ticks,).

    Each bar has its own, so that other notes in one change nothing in the next.
    """
    bars, counts = np.unique(ticks // TICKS_PER_BAR, return_counts=True)
    drawn = [
        np.random.RandomState([seed, kind, bar]).standard_normal(count)
        for bar, count in zip(bars.tolist(), counts.tolist(), strict=True)
    ]
    return np.concatenate([np.zeros(0), *drawn])


def _delays(song: Song, grid: Grid, seed: int) -> NDArray[np.float64]:
    """How late each note is, ticks: the notes of a simu-note together.

    None is early: it would begin before the same key is released.
    """
    notes = song.notes
    simu_notes, of_note = np.unique(notes[["tick", "instrument"]], return_inverse=True)
    chance = LATENESS * _chance(simu_notes["tick"], seed, 1)
    late = np.minimum(np.abs(chance), LATEST)[of_note]
    return late / (grid.seconds(notes["tick"] + 1) - grid.seconds(notes["tick"]))
