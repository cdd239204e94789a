"""Two ways of drawing the next words of a batch of songs, attribute by attribute.

A word's type is drawn first, its other attributes given that (paper section 4.2). Seven numbers
are drawn per word from the song's own generator, so that a song does not depend on the batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cmt.decoding.guidance import Reader
from cmt.decoding.loop import Head, Loop, Mask, Sampling
from cmt.decoding.recall import Cache
from cmt.decoding.sampling import draw, sample
from cmt.model.encoding import Word
from cmt.model.fast import Heads
from cmt.music.vocabulary import BAR

# Of what a loop allows, where nobody else finds any of it possible.
LEAST = 1e-300


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

    def band(self, word: Word) -> Head | None:
        """Weights of the classes of instruments that may play next; None where all are alike."""

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
            drawn = self._attribute(name, words, heads, uniform)
            _put(words, name, drawn)
        self.cache.add(words)
        return words

    def _attribute(
        self, name: str, words: list[Word], heads: Heads, uniform: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        """Draw one attribute of every word: its classes (songs,)."""
        allowed = _allowed(self.loops, name, words)
        forced = _forced(allowed)
        # What words of their types have not, the model knows as well as the loop.
        if forced is not None and not forced.any():
            return forced
        likely = _probabilities(heads.logits(name, words))
        if name == "beat":
            likely = self._played(words, heads, likely)
        given = self._given(name, words, likely)
        drawn = forced
        if drawn is None:
            sampling = self.sampling[name]
            mixed = np.where(allowed, self.cache.mixed(given, name) + LEAST, 0)
            drawn = draw(mixed ** (1 / sampling.temperature), uniform, sampling.nucleus)
        self.cache.narrow(name, drawn, given)
        return drawn

    def _played(
        self, words: list[Word], heads: Heads, beats: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The probabilities (songs, classes) of beats, weighed by who would play on them."""
        for song, (loop, word) in enumerate(zip(self.loops, words, strict=True)):
            if (weights := loop.band(word)) is not None:
                there = [{**word, "beat": beat} for beat in range(1, BAR)]
                instruments = _probabilities(heads.ahead("instr_type", song, there))
                beats[song, 1:BAR] *= instruments @ weights
                beats[song] /= beats[song].sum()
        return beats

    def _given(
        self, name: str, words: list[Word], heads: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The probabilities (songs, classes) from the model as the loops correct them."""
        songs = zip(self.loops, words, heads, strict=True)
        given = np.array([loop.given(name, word, head) for loop, word, head in songs])
        if self.model.chained:
            return given
        if name == "beat":
            self.beats = heads
        songs = zip(self.loops, words, given, strict=True)
        return np.array(
            [
                loop.untangled(name, word, head, beat)
                for (loop, word, head), beat in zip(songs, self.beats, strict=True)
            ]
        )

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with some of the songs."""
        self.loops = [self.loops[row] for row in rows]
        self.rngs = [self.rngs[row] for row in rows]
        self.cache.rows(rows)
        self.beats = self.beats[rows]


def _uniform(rngs: Sequence[np.random.RandomState], order: Sequence[str]) -> NDArray[np.float64]:
    """A number per attribute and song, (attributes, songs)."""
    return np.stack([rng.random_sample(len(order)) for rng in rngs], axis=1)


def _probabilities(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of classes (songs, classes): SciPy's softmax without what its call costs."""
    likely = np.exp(logits - logits.max(-1, keepdims=True))
    return likely / likely.sum(-1, keepdims=True)


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
