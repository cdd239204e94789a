"""Visual beats that somebody adds to those of a video, or removes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cmt.control import STRONGEST, Control, placed
from cmt.files import InputError
from cmt.grid import meeting
from cmt.music.vocabulary import BAR, TICKS_PER_BAR

NEAR = 0.15  # seconds between a visual beat and where it is said to be, at most


def edited(control: Control, removed: Sequence[float] = (), added: Sequence[float] = ()) -> Control:
    """What a video asks for without some of its visual beats, and with others.

    Bars and ticks stay: those about a beat that is added are shifted, within a bar, so that one of
    them falls on it, as far as the tempo may bend and the other visual beats stay met.

    Args:
        control: what the video asks for.
        removed: seconds of visual beats.
        added: seconds of others; they are as strong as any.

    Raises:
        InputError: no visual beat is where one is to be removed, or the video is over where one is
            to be added.
    """
    for second in removed:
        control = _without(control, second)
    for second in added:
        control = _with(control, second)
    return control


def _without(control: Control, second: float) -> Control:
    distance = np.where(control.beats, np.abs(control.times - second), np.inf)
    if not distance.min() <= NEAR:
        raise InputError(f"there is no hit at {second:g} s to remove; give one of its seconds")
    left = np.arange(len(distance)) != distance.argmin()
    seconds = None if control.seconds is None else control.seconds[left]
    return replace(control, words=control.words[left], seconds=seconds)


def _with(control: Control, second: float) -> Control:
    end = control.duration or float(control.grid.seconds(control.n_beat))
    if not 0 <= second < end:
        raise InputError(f"no hit can be added at {second:g} s; the video has {end:.2f} s")
    kept = control.words[control.beats, 3].tolist()
    grid, tick = meeting(control.grid, second, kept)
    is_bar = ~control.beats
    words = control.words[:, :4].tolist()
    times = np.where(is_bar, grid.seconds(control.words[:, 3]), control.times).tolist()
    rows = [*zip(words, times, strict=True)]
    rows.append(([tick % TICKS_PER_BAR + 1, 0, STRONGEST, tick], second))
    rows.sort(key=lambda row: (row[0][3], row[0][0] != BAR))
    return replace(
        control,
        words=placed([tuple(word) for word, _ in rows], control.n_beat),
        knots=grid.knots,
        seconds=None if control.seconds is None else np.array([time for _, time in rows]),
    )
