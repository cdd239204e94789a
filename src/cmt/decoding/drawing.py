"""Two ways of drawing the next words of a batch of songs, attribute by attribute.

A word's type is drawn first, its other attributes given that (paper section 4.2). Seven numbers
are drawn per word from the song's own generator, so that a song does not depend on the batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from torch import Tensor

from cmt.decoding.guidance import Reader
from cmt.decoding.loop import Head, Loop, Mask, Sampling
from cmt.decoding.recall import Cache
from cmt.decoding.sampling import sample
from cmt.model.encoding import Word


class Drawing(Protocol):
    """What draws the words of the songs that are not yet at their end."""

    def draw(self, hidden: Tensor) -> list[Word]:
        """One word per song from hidden states (songs, d_model)."""

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with some of the songs."""


class GuidedLoop(Loop, Protocol):
    """A loop that corrects what the model says by what it knows."""

    def given(self, name: str, word: Word, head: Head) -> Head:
        """The probabilities of field `name`, given the fields drawn before."""

    def untangled(self, name: str, word: Word, head: Head, beat: Head) -> Head:
        """The same of heads that know the type alone, given what they said of the beat."""


class Plain:
    """Draw what the model says, as the published program does.

    Args:
        model: says what may come next.
        loops: one per song.
        rngs: one per song.
        order: in which the attributes are drawn, the type first.
        sampling: of each attribute.
    """

    def __init__(
        self,
        model: Reader,
        loops: Sequence[Loop],
        rngs: Sequence[np.random.RandomState],
        order: tuple[str, ...],
        sampling: Mapping[str, Sampling],
    ) -> None:
        self.model = model
        self.loops = list(loops)
        self.rngs = list(rngs)
        self.order = order
        self.sampling = sampling

    def draw(self, hidden: Tensor) -> list[Word]:
        """One word per song from hidden states (songs, d_model)."""
        heads = self.model.heads(hidden)
        words: list[Word] = [{} for _ in self.loops]
        for name, uniform in zip(self.order, _uniform(self.rngs, self.order), strict=True):
            allowed = _allowed(self.loops, name, words)
            drawn = _forced(allowed)
            if drawn is None:
                drawn = _sample(heads.logits(name, words), uniform, self.sampling[name], allowed)
            _put(words, name, drawn)
        return words

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with some of the songs."""
        self.loops = [self.loops[row] for row in rows]
        self.rngs = [self.rngs[row] for row in rows]


class Recalling:
    """Draw from a mixture of what the model says, corrected by the loop, and the song's past.

    Args:
        model: says what may come next.
        loops: one per song.
        rngs: one per song.
        cache: of these songs; it knows the order in which the attributes are drawn.
        sampling: of each attribute.
    """

    def __init__(
        self,
        model: Reader,
        loops: Sequence[GuidedLoop],
        rngs: Sequence[np.random.RandomState],
        cache: Cache,
        sampling: Mapping[str, Sampling],
    ) -> None:
        self.model = model
        self.loops = list(loops)
        self.rngs = list(rngs)
        self.cache = cache
        self.sampling = sampling
        # What the model says of the words' beats, (songs, classes).
        self.beats: NDArray[np.float64] = np.zeros((len(self.loops), 0))

    def draw(self, hidden: Tensor) -> list[Word]:
        """One word per song from hidden states (songs, d_model)."""
        heads = self.model.heads(hidden)
        words: list[Word] = [{} for _ in self.loops]
        self.cache.attend(hidden.float().cpu().numpy())
        order = self.cache.order
        for name, uniform in zip(order, _uniform(self.rngs, order), strict=True):
            self._attribute(name, words, softmax(heads.logits(name, words), axis=-1), uniform)
        self.cache.add(words)
        return words

    def _attribute(
        self, name: str, words: list[Word], heads: NDArray[np.float64], uniform: NDArray[np.float64]
    ) -> None:
        """Draw one attribute of every word, of probabilities (songs, classes) from the model."""
        allowed = _allowed(self.loops, name, words)
        if name == "beat":
            self.beats = heads
        songs = zip(self.loops, words, heads, self.beats, strict=True)
        if self.model.chained:
            given = np.array([loop.given(name, word, head) for loop, word, head, _ in songs])
        else:
            given = np.array(
                [
                    loop.untangled(name, word, loop.given(name, word, head), beat)
                    for loop, word, head, beat in songs
                ]
            )
        drawn = _forced(allowed)
        if drawn is None:
            with np.errstate(divide="ignore"):
                values = np.log(self.cache.mixed(given, name))
            drawn = _sample(values, uniform, self.sampling[name], allowed)
        self.cache.narrow(name, drawn, given)
        _put(words, name, drawn)

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with some of the songs."""
        self.loops = [self.loops[row] for row in rows]
        self.rngs = [self.rngs[row] for row in rows]
        self.cache.rows(rows)
        self.beats = self.beats[rows]


def _uniform(rngs: Sequence[np.random.RandomState], order: Sequence[str]) -> NDArray[np.float64]:
    """A number per attribute and song, (attributes, songs)."""
    return np.stack([rng.random_sample(len(order)) for rng in rngs], axis=1)


def _allowed(loops: Sequence[Loop], name: str, words: Sequence[Word]) -> Mask:
    """What each song allows of a field, (songs, classes)."""
    return np.array([loop.allowed(name, word) for loop, word in zip(loops, words, strict=True)])


def _forced(allowed: Mask) -> NDArray[np.int64] | None:
    """The classes (songs,) where no song has a choice; each has one class at least."""
    return allowed.argmax(-1) if np.count_nonzero(allowed) == len(allowed) else None


def _sample(
    values: NDArray[np.float64], uniform: NDArray[np.float64], sampling: Sampling, allowed: Mask
) -> NDArray[np.int64]:
    """Classes (songs,) from logits (songs, classes)."""
    return sample(values, uniform, sampling.temperature, sampling.nucleus, allowed)


def _put(words: Sequence[Word], name: str, drawn: NDArray[np.int64]) -> None:
    for word, value in zip(words, drawn.tolist(), strict=True):
        word[name] = value
