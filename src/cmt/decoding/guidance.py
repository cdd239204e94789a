"""Towards a genre: what the model says when told the genre, and more so.

Words are drawn from logits u + γ (c - u), where c are those of a model that is told the genre and u
those of the same model that is not, which training left open for a share of its songs.
Sources: Ho & Salimans, "Classifier-Free Diffusion Guidance", 2021; Sanchez et al., "Stay on topic
with Classifier-Free Guidance", ICML 2024 (the same for words).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cmt.decoding.style import Style
from cmt.model.fast import FastCMT, Heads
from cmt.model.network import CMT
from cmt.model.products import one_thread
from cmt.model.recurrence import Memory


class Reader(Protocol):
    """What reads words one by one and says the next."""

    @property
    def model(self) -> CMT:
        """The model."""

    @property
    def chained(self) -> bool:
        """Whether the head of an attribute knows those drawn before it."""

    def start(self, initial: Tensor) -> list[Memory]:
        """What each layer remembers after reading initial tokens (songs, 7, 3)."""

    def step(self, words: Tensor, memories: list[Memory]) -> Tensor:
        """Read a word per song (songs, fields), remember it, return hidden (songs, d_model)."""

    def heads(self, hidden: Tensor) -> Heads:
        """What says the attributes of the next words."""

    def kept(self, memories: Sequence[Memory], rows: Tensor) -> list[Memory]:
        """What is remembered of some of the songs."""


def reader(model: CMT, precision: str, style: Style) -> Reader:
    """What reads for a style: with guidance where a genre is asked for."""
    with one_thread():  # so that weights are rounded alike however many cores there are
        fast = FastCMT(model, precision)
    return fast if style.genre is None or style.guidance == 1 else Guided(fast, style.guidance)


class Guided:
    """A model that is led to the genre it is told; it reads each song twice, in one batch.

    Args:
        fast: the model.
        factor: γ; 1 is the model itself, 0 knows of no genre.
    """

    def __init__(self, fast: FastCMT, factor: float) -> None:
        self.fast = fast
        self.factor = factor
        self.untold = torch.empty(0)  # hidden states of the last words, without the genre

    @property
    def model(self) -> CMT:
        """The model."""
        return self.fast.model

    @property
    def chained(self) -> bool:
        """Whether the head of an attribute knows those drawn before it."""
        return self.fast.chained

    def start(self, initial: Tensor) -> list[Memory]:
        """What each layer remembers after reading initial tokens (songs, 7, 3), told and untold."""
        untold = initial.clone()
        untold[:, 0, 0] = 0
        return self.fast.start(torch.cat([initial, untold]))

    def step(self, words: Tensor, memories: list[Memory]) -> Tensor:
        """Read a word per song (songs, fields), remember it, return hidden (songs, d_model)."""
        told, self.untold = self.fast.step(torch.cat([words, words]), memories).chunk(2)
        return told

    def heads(self, hidden: Tensor) -> Heads:
        """What says the attributes after the words that were read last."""
        both = self.fast.heads(torch.cat([hidden, self.untold]))
        return _GuidedHeads(both, self.factor, len(hidden))

    def kept(self, memories: Sequence[Memory], rows: Tensor) -> list[Memory]:
        """What is remembered of some of the songs."""
        return self.fast.kept(memories, torch.cat([rows, rows + len(self.untold)]))


class _GuidedHeads:
    """Heads of songs told and untold, as one."""

    def __init__(self, both: Heads, factor: float, songs: int) -> None:
        self.both = both
        self.factor = factor
        self.songs = songs

    def logits(self, name: str, words: Sequence[Mapping[str, int]]) -> NDArray[np.float64]:
        """As `Heads` says."""
        return self._guided(*np.split(self.both.logits(name, [*words, *words]), 2))

    def ahead(
        self, name: str, song: int, words: Sequence[Mapping[str, int]]
    ) -> NDArray[np.float64]:
        """As `Heads` says."""
        told, untold = (self.both.ahead(name, row, words) for row in (song, self.songs + song))
        return self._guided(told, untold)

    def _guided(
        self, told: NDArray[np.float64], untold: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        logits: NDArray[np.float64] = untold + self.factor * (told - untold)
        return logits
