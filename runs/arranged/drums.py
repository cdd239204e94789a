"""Drum parts: patterns of our own, drummers and fills of the Groove MIDI Dataset, loops."""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from arranged.harmony import Note
from cmt.files import InputError
from cmt.music.midi import load_score

KICK, SNARE, CLAP, CLOSED, PEDAL, OPEN, CRASH, RIDE = 36, 38, 39, 42, 44, 46, 49, 51
SHAKER, TAMBOURINE, LOW_TOM, MID_TOM, HIGH_TOM, COWBELL = 70, 54, 45, 47, 50, 56
# The data set's kit in General MIDI's sounds.
SOUND_OF = {22: 42, 26: 46, 40: 38, 58: 43, 39: 38, 54: 42, 56: 51}
MIN_VELOCITY = 26  # of a drummer's note; what is softer is the neighbour that was brushed
# Which drummers suit a style.
DRUMMERS = {
    "rock": ("rock", "punk"),
    "metal": ("rock", "punk"),
    "pop": ("pop", "rock", "soul", "funk"),
    "country": ("country", "rock"),
    "latin": ("latin",),
    "dance": ("dance", "funk"),
    "blues": ("blues", "soul"),
    "electronic": ("hiphop", "dance"),
    "reggae": ("reggae", "rock"),
}
FILLERS = ("rock", "pop", "funk", "soul")  # drummers whose fills suit any style

# Patterns of a bar: x a stroke, X an accent, o a soft one, . none. Kicks by style.
KICKS = {
    "dance": ("X...X...X...X...", "X...X...X...X..x", "X...X...X...X.x.", "X...X..xX...X..."),
    "electronic": (
        "X...X...X...X...",
        "X.....x..x......",
        "X..x......x.....",
        "X.x.......x..x..",
        "X......x..x.....",
        "X..x..x...x.....",
        "X.........x.....",
        "X..x....x..x....",
    ),
    "metal": (
        "X.x.x.x.X.x.x.x.",
        "XxxxXxxxXxxxXxxx",
        "X.xxX.xxX.xxX.xx",
        "X.......X.x.....",
        "X..x..x.X..x..x.",
        "X.xx....X.xx..x.",
        "X..xX...X..xX...",
        "X.x...x.X.x...xx",
    ),
    "rock": (
        "X.......X.......",
        "X.......X.x.....",
        "X.x.......x.....",
        "X.....x.X.......",
        "X..x....X..x....",
        "X.....x.X.x.....",
        "X.......x.x...x.",
        "X.x.....X.x.....",
    ),
    "pop": (
        "X.......X.......",
        "X......xX.......",
        "X.....x...x.....",
        "X..x....X.......",
        "X.......x..x....",
        "X.....xxX.......",
        "X.....x.x.....x.",
        "X...X...X...X...",
    ),
    "country": ("X.......X.......", "X...x...X...x...", "X.......X.....x.", "X.....x.X......."),
    "film": ("X...............", "X.......x.......", "X..x..x.........", "X.....x.X.....x."),
}
BACKBEATS = {
    "dance": ("....X.......X...", "....X.......X..o", "............X..."),
    "electronic": (
        "....X.......X...",
        "........X.......",
        "....X..o.o..X...",
        "....X.....o.X.o.",
        "....X..x....X...",
    ),
    "metal": (
        "....X.......X...",
        "........X.......",
        "..X...X...X...X.",
        "X.X.X.X.X.X.X.X.",
        "....X.......X.x.",
    ),
    "rock": ("....X.......X...", "....X.......X..o", "....X..o....X...", "....X...x...X..."),
    "pop": ("....X.......X...", "....X..o.o..X...", "....X.......X.o.", "........X......."),
    "country": (
        "....X.......X...",
        "o.o.X.o.o.o.X.o.",
        "ooooXoooooooXooo",
        "o.ooX.ooo.ooX.oo",
        "..x...x...x...x.",
    ),
    "film": ("........X.......", "....x.......x...", "............X..."),
}
CYMBALS = (
    "x.x.x.x.x.x.x.x.",
    "X.o.X.o.X.o.X.o.",
    "xoxoxoxoxoxoxoxo",
    "x...x...x...x...",
    "..x...x...x...x.",
    "x.xxx.xxx.xxx.xx",
    "X.x.X.xxX.x.X.x.",
    "x..xx..xx..xx..x",
    "x.x.x.xxx.x.xxx.",
    "xxx.xxx.xxx.xxx.",
    "X.ooX.ooX.ooX.oo",
    "x.x.x.x.x.x.x.xx",
)
FAST_CYMBALS = (2, 5, 9, 10)  # of CYMBALS, for slower or electronic music
SLOW_CYMBALS = (0, 1, 3, 3, 6, 11)
EXTRAS = (
    "x.o.x.o.x.o.x.o.",
    "oxoxoxoxoxoxoxox",
    "....x.......x...",
    "..x...x...x...x.",
    "x..x..x.x..x..x.",
)
STRENGTH = {"X": 108, "x": 90, "o": 52}
TOMS = (
    "X..x..x.X..x..x.",
    "X.xxX.xxX.x.X.x.",
    "X...x...X.x.x...",
    "X..x..X...x.X.x.",
    "X.....x.X...x.x.",
)


@dataclass(frozen=True)
class Pattern:
    """A kit's loop of one or more bars: notes from tick 0 on, and where they came from."""

    bars: int
    notes: list[Note]
    source: str

    def at(self, bar: int, index: int) -> list[Note]:
        """The notes of the loop's bar `index`, moved to a bar of the piece."""
        start = index % self.bars * 16
        return [
            note._replace(tick=note.tick - start + bar * 16)
            for note in self.notes
            if start <= note.tick < start + 16
        ]


def strokes(pattern: str, pitch: int, bar: int = 0) -> list[Note]:
    """The strokes of a bar's pattern on one sound of the kit."""
    return [
        Note(bar * 16 + tick, 1, pitch, STRENGTH[sign] + (tick % 8 == 0) * 4)
        for tick, sign in enumerate(pattern)
        if sign in STRENGTH
    ]


def own_patterns(rng: random.Random, style: str) -> dict[str, Pattern]:
    """A verse's pattern, a chorus's and a break's, of one kit; each of one or two bars.

    The second bar differs by a kick or two, the chorus by its cymbal, the break by half time.
    """
    style = style if style in KICKS else "rock"
    kick, other_kick = rng.sample(KICKS[style], 2)
    back = rng.choice(BACKBEATS[style] if rng.random() < 0.5 else BACKBEATS[style][:1])
    fast = style in ("electronic", "dance", "pop", "film") and rng.random() < 0.4
    cymbals = [CYMBALS[i] for i in (FAST_CYMBALS if fast else SLOW_CYMBALS)]
    if style == "dance" and rng.random() < 0.6:
        cymbals = [CYMBALS[4], CYMBALS[7], CYMBALS[2]]
    hats = rng.choice(cymbals if rng.random() < 0.7 else CYMBALS)
    snare = rng.choice((CLAP, SNARE, SNARE)) if style in ("dance", "electronic") else SNARE
    extra = rng.choice(EXTRAS) if rng.random() < 0.75 else "." * 16
    extra_sound = rng.choice((SHAKER, TAMBOURINE, COWBELL if style == "dance" else SHAKER))
    high = rng.choice((CLOSED, CLOSED, CLOSED, PEDAL if style == "film" else CLOSED))
    loud = rng.choice((OPEN, CLOSED, RIDE, CLOSED, CRASH if style in ("metal", "rock") else RIDE))
    wider = rng.choice([c for c in cymbals if c != hats] or [hats])
    second = _changed(rng, kick) if rng.random() < 0.4 else kick
    fourth = _changed(rng, other_kick) if rng.random() < 0.4 else other_kick

    def pattern(name: str, kicks: Sequence[str], backbeat: str, top: int, tops: str) -> Pattern:
        notes: list[Note] = []
        for bar, kick_bar in enumerate(kicks):
            notes += strokes(kick_bar, KICK, bar) + strokes(backbeat, snare, bar)
            notes += strokes(tops, top, bar)
            if name != "break":
                notes += strokes(extra, extra_sound, bar)
        if top == CLOSED and name == "verse" and rng.random() < 0.35:
            notes = _opened(notes, rng.choice((2, 6, 10, 14)), len(kicks))
        return Pattern(len(kicks), notes, f"own {style}")

    return {
        "verse": pattern("verse", [kick] if second == kick else [kick, second], back, high, hats),
        "chorus": pattern("chorus", [other_kick, fourth], back, loud, wider),
        "break": pattern("break", [kick], "........X.......", high, rng.choice(cymbals)),
    }


def tom_pattern(rng: random.Random) -> Pattern:
    """Drums of film music: low toms and a kick in a pattern of a bar, no cymbals."""
    pattern = rng.choice(TOMS)
    low = strokes(pattern, LOW_TOM)
    high = strokes(_changed(rng, "............x.x."), rng.choice((MID_TOM, HIGH_TOM)))
    kick = strokes(rng.choice(KICKS["film"]), KICK)
    return Pattern(1, low + high + kick, "own toms")


def _changed(rng: random.Random, pattern: str) -> str:
    """The pattern with one stroke more or less, the first beat's left alone."""
    signs = list(pattern)
    place = rng.choice((3, 6, 7, 10, 11, 13, 14, 15))
    signs[place] = "." if signs[place] != "." else "x"
    return "".join(signs)


def _opened(notes: Sequence[Note], tick: int, bars: int) -> list[Note]:
    """The last bar's hi-hat opened at a tick."""
    place = (bars - 1) * 16 + tick
    return [n._replace(pitch=OPEN) if n[0] == place and n[2] == CLOSED else n for n in notes]


@dataclass(frozen=True)
class Drummers:
    """What drummers played: fills of one bar, and beats of a dozen bars and more, by style."""

    fills: dict[str, list[Pattern]]
    beats: dict[str, list[Pattern]]

    def fills_for(self, style: str) -> list[Pattern]:
        """The fills that suit a style."""
        names = dict.fromkeys((*FILLERS, *DRUMMERS.get(style, ())))
        return [fill for name in names for fill in self.fills.get(name, [])]

    def beats_for(self, style: str) -> list[Pattern]:
        """The beats that suit a style."""
        return [beat for name in DRUMMERS.get(style, ()) for beat in self.beats.get(name, [])]


def read_drummers(folder: Path) -> Drummers:
    """The Groove MIDI Dataset's fills and beats in 4/4 that keep to the grid (free.csv)."""
    fills: dict[str, list[Pattern]] = defaultdict(list)
    beats: dict[str, list[Pattern]] = defaultdict(list)
    with (folder / "free.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["source"] == "groove"]
    for row in rows:
        if not row["origin_path"].endswith("_4-4.mid"):
            continue
        _, style, *_, kind, _ = Path(row["origin_path"]).stem.split("_")
        try:
            notes = _played(folder / row["path"])
        except InputError:
            continue
        if not notes:
            continue
        bars = max(note.tick for note in notes) // 16 + 1
        last = (bars - 1) * 16
        if kind == "fill" and bars <= 2 and 6 <= sum(n.tick >= last for n in notes) <= 26:
            fill = [n._replace(tick=n.tick - last) for n in notes if n.tick >= last]
            fills[style.split("-")[0]].append(Pattern(1, fill, row["path"]))
        elif kind == "beat" and bars >= 12 and len(notes) / bars >= 6:
            beats[style.split("-")[0]].append(Pattern(bars, notes, row["path"]))
    return Drummers(dict(fills), dict(beats))


def _played(path: Path) -> list[Note]:
    """A drummer's notes on the grid; none if they are too far from it."""
    score = load_score(path)
    columns = [track.notes.numpy() for track in score.tracks]
    times = np.concatenate([column["time"] for column in columns]) * (4 / score.tpq)
    if not len(times) or np.mean(np.abs(times - np.rint(times)) < 0.3) < 0.8:
        return []
    pitches = np.concatenate([column["pitch"] for column in columns])
    velocities = np.concatenate([column["velocity"] for column in columns])
    loudest: dict[tuple[int, int], int] = {}
    for tick, pitch, velocity in zip(
        np.rint(times).astype(int).tolist(), pitches.tolist(), velocities.tolist(), strict=True
    ):
        place = tick, SOUND_OF.get(pitch, pitch)
        loudest[place] = max(velocity, loudest.get(place, 0))
    return [
        Note(tick, 1, pitch, velocity)
        for (tick, pitch), velocity in sorted(loudest.items())
        if velocity >= MIN_VELOCITY
    ]
