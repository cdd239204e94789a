"""What a decoding loop is: one song in the making, word by word."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cmt.model.encoding import Word
from cmt.music.vocabulary import DRAWN, FIELD

Mask = NDArray[np.bool_]
Head = NDArray[np.float64]  # what the model says of a field: the probability of each class

NOTHING = dict.fromkeys(DRAWN, 0)  # a word without attributes
PLAYED = ("pitch", "duration", "velocity")  # attributes that notes have, and no other word


@dataclass(frozen=True)
class Sampling:
    """Temperature and nucleus of one attribute; see `cmt.decoding.sampling.sample`."""

    temperature: float = 1.0
    nucleus: float | None = None


class Loop(Protocol):
    """One song in the making."""

    def first(self) -> Word:
        """The first word."""

    def allowed(self, name: str, word: Word) -> Mask:
        """Classes that field `name` may have given the fields drawn before."""

    def take(self, word: Word) -> Word | None:
        """Replace or complete the word drawn; None ends the song without it."""

    @property
    def tick(self) -> int:
        """How far the song is."""


@functools.cache
def only(name: str, *classes: int) -> Mask:
    """Mask that allows some classes of a field; the same array each time, not to be written to."""
    mask = np.zeros(FIELD[name].size, bool)
    mask[list(classes)] = True
    mask.flags.writeable = False
    return mask
