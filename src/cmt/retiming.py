"""What a video asks for at another tempo: seconds stay, ticks are placed anew."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cmt.control import STRONGEST, Control, placed
from cmt.grid import BENT_FROM, MET, Grid, Mark, bent, on_beats
from cmt.music.vocabulary import (
    BAR,
    DEFAULT_TEMPO,
    TICKS_PER_BAR,
    TICKS_PER_BEAT,
    tick_seconds,
)

AT_ONCE = 0.1  # seconds between a scene's bar and its cut, at most
STEP = 2.0  # BPM, between tempi that are tried


def retimed(control: Control, tempo: float | None) -> Control:
    """Place a control anew on the ticks of another tempo (BPM); seconds stay where they are.

    Visual beats go to the nearest new tick; where the ticks were on them, and those of a constant
    tempo are not, it bends to meet them. A bar asks for the mean density of what it covers,
    weighted by time. A control that tells no tempo was made for this one, or `DEFAULT_TEMPO`.
    """
    tempo = tempo or control.tempo or DEFAULT_TEMPO
    if control.tempo is None or control.tempo == tempo:
        return replace(control, tempo=tempo)
    beat, density, strength, i_beat = control.words.T[:4]
    is_bar = beat == BAR
    duration = control.duration or control.n_beat * tick_seconds(control.tempo)
    grid = _grid(control, tempo)
    if control.seconds is None:
        at = i_beat * (tempo / control.tempo)
    else:
        at = grid.ticks(control.seconds)
    n_beat = grid.begun(duration)
    # Old bars on the new ticks; the last one holds to the end.
    starts, asked = at[is_bar], density[is_bar] - 1
    words = []
    for start in range(0, n_beat, TICKS_PER_BAR):
        ends = np.append(starts[1:], np.inf)
        stop = min(start + TICKS_PER_BAR, n_beat)
        covered = np.clip(np.minimum(ends, stop) - np.maximum(starts, start), 0, None)
        mean = float(np.average(asked, weights=covered))
        words.append((BAR, round(mean) + 1, 0, start, float(grid.seconds(start))))
    seen = at * np.nan if control.seconds is None else control.seconds
    for index in np.flatnonzero(~is_bar).tolist():
        new = round(float(at[index]))
        words.append((new % TICKS_PER_BAR + 1, 0, int(strength[index]), new, float(seen[index])))
    words.sort(key=lambda word: (word[3], word[0] != BAR))
    return Control(
        placed([word[:4] for word in words], n_beat),
        tempo,
        control.duration,
        grid.knots,
        None if control.seconds is None else np.array([word[4] for word in words]),
        tuple(sorted({round(float(starts[bar]) / TICKS_PER_BAR) for bar in control.scenes})),
    )


def tempo_within(control: Control, low: float, high: float, octave: float) -> float:
    """A tempo (BPM) for a video from a range: an octave of its own, where it has one.

    Args:
        control: what the video asks for.
        low: BPM.
        high: BPM.
        octave: of the video's tempo, in the range or near. A video whose events keep to no tempo,
            so that its ticks bend to meet them, gets the tempo that has to bend least; of equal
            ones that which is nearest to this.
    """
    bends = control.knots and control.knots[-1].tick > BENT_FROM
    if not bends or control.seconds is None:
        return octave
    marks = marks_of(control)
    tempi = sorted(np.arange(low, high, STEP).tolist(), key=lambda tempo: abs(tempo - octave))
    return min((octave, *tempi), key=lambda tempo: bent(tempo, marks)[1])


def marks_of(control: Control) -> list[Mark]:
    """The visual beats of a control whose seconds are known, as marks at ascending seconds."""
    assert control.seconds is not None
    starts = [control.seconds[~control.beats][bar] for bar in control.scenes]
    return [
        Mark(second, min(strength / STRONGEST, 1), any(abs(second - s) < AT_ONCE for s in starts))
        for second, strength in sorted(
            zip(
                control.seconds[control.beats].tolist(),
                control.words[control.beats, 2].tolist(),
                strict=True,
            )
        )
    ]


def _grid(control: Control, tempo: float) -> Grid:
    """The ticks of a tempo for what a control asks."""
    if control.seconds is None:
        return Grid(tempo)
    strength = control.words[control.beats, 2]
    grid = _agreeing(tempo, control.seconds[control.beats], strength)
    marks = marks_of(control)
    if control.grid.meets(marks) >= MET > grid.meets(marks):
        bending, _ = bent(tempo, marks)
        grid = max(grid, bending, key=lambda each: each.meets(marks))
    return grid


def _agreeing(tempo: float, seconds: NDArray[np.float64], weights: NDArray[np.int64]) -> Grid:
    """The grid of a tempo whose ticks agree best with weighted seconds, and of these its beats."""
    if not weights.any():
        return Grid(tempo)
    length = tick_seconds(tempo)
    phase = np.angle((weights * np.exp(2j * np.pi * seconds / length)).sum()) / (2 * np.pi)
    ticks = np.rint(seconds / length - phase).astype(int) % TICKS_PER_BEAT
    beat = int(np.bincount(ticks, weights, TICKS_PER_BEAT).argmax())
    return on_beats(tempo, float(phase + beat) * length, seconds.tolist())
