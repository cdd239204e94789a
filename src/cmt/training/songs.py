"""Songs of the npz data set as training batches: splits, crops, augmentation, batches by length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cmt.model.encoding import initial_tokens, model_words
from cmt.music.keys import PITCH_CLASSES, Key, find_key
from cmt.music.vocabulary import (
    BAR,
    COLUMNS,
    DRUMS,
    INITIAL_TOKENS,
    INSTRUMENTS,
    NOTE,
    PUBLISHED,
    TICKS_PER_BAR,
    Vocabulary,
)
from cmt.training.config import Augmentation

TYPE, BEAT, DENSITY, PITCH, DURATION, INSTRUMENT = (
    COLUMNS.index(name) for name in ("type", "beat", "density", "pitch", "duration", "instr_type")
)
I_BEAT, N_BEAT, P_BEAT = (COLUMNS.index(name) for name in ("i_beat", "n_beat", "p_beat"))
# Batches are cut from pools of this many batches sorted by length: large enough that songs of
# a batch are of like length, small enough that batches differ from epoch to epoch.
POOL = 64
MIN_EXCERPT = 4  # bars


@dataclass(frozen=True)
class Batch:
    """Songs of like length, padded at the end.

    Attributes:
        words: (batch, length, fields) classes in the order of the vocabulary.
        targets: (batch, length, fields), the next words.
        mask: (batch, length) bool, true for real words.
        initial: (batch, 7, 3) initial tokens.
    """

    words: Tensor
    targets: Tensor
    mask: Tensor
    initial: Tensor

    def micro_batches(self, size: int) -> Iterator[Batch]:
        """Consecutive songs, `size` at a time; one empty batch where there are none."""
        for start in range(0, max(1, len(self.mask)), size):
            rows = slice(start, start + size)
            yield Batch(self.words[rows], self.targets[rows], self.mask[rows], self.initial[rows])

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device, classes as int64."""
        return Batch(
            self.words.to(device, torch.int64, non_blocking=True),
            self.targets.to(device, torch.int64, non_blocking=True),
            self.mask.to(device, non_blocking=True),
            self.initial.to(device, non_blocking=True),
        )

    def pin_memory(self) -> Batch:
        """The same batch in page-locked memory, from which a GPU copies faster."""
        return Batch(
            self.words.pin_memory(),
            self.targets.pin_memory(),
            self.mask.pin_memory(),
            self.initial.pin_memory(),
        )


class Songs(torch.utils.data.Dataset[tuple[NDArray[np.int32], NDArray[np.int64]]]):
    """Crops and excerpts of songs as (words, initial tokens).

    What is drawn for item i depends on (seed, epoch, i) alone, so that a resumed run sees the
    same music, whatever the number of loading processes.

    Args:
        words: per song the data set's rows (length, columns), EOS included.
        genres: per song a name of GENRES, or anything else for "any".
        max_len: longest crop, in words.
        augmentation: random changes; None for validation.
        seed: of the random changes.
        keys: whether the initial tokens tell the key.
        vocabulary: of the model.
    """

    def __init__(
        self,
        words: Sequence[NDArray[Any]],
        genres: Sequence[str | None],
        max_len: int,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        keys: bool = False,
        vocabulary: Vocabulary = PUBLISHED,
    ) -> None:
        self.words = words
        self.genres = genres
        self.keys = keys
        self.vocabulary = vocabulary
        self.augmentation = augmentation
        self.seed = seed
        self.epoch = 0
        self.crops = [
            (song, start, stop)
            for song, rows in enumerate(words)
            for start, stop in crops(rows, max_len)
        ]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Words to predict of each item in this epoch; tracks that it will lose are counted in."""
        stretches = (self._stretch(index, self._rng(index)) for index in range(len(self)))
        return np.array([stop - start - 1 for _, start, stop, _ in stretches])

    @property
    def ticks(self) -> int:
        """Ticks of the longest song, at most."""
        return max(int(rows[:, I_BEAT].max()) for rows in self.words) + 1

    def __len__(self) -> int:
        """Number of crops."""
        return len(self.crops)

    def __getitem__(self, index: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Words (length, fields) and initial tokens (7, 3) of crop `index`."""
        rng = self._rng(index)
        song, start, stop, alone = self._stretch(index, rng)
        genre: str | None = self.genres[song]
        rows = self.words[song]
        if alone:
            rows = as_piece(rows[start:stop])
        playing = np.unique(rows[rows[:, TYPE] == NOTE, INSTRUMENT]).tolist()
        if not alone:
            rows = rows[start:stop]
        if augmentation := self.augmentation:
            if rng.random() < augmentation.drop_track and len(playing) > 1:
                rows = without_track(rows, playing.pop(rng.integers(len(playing))))
            if limit := augmentation.transpose:
                rows = transposed(rows, int(rng.integers(-limit, limit)))
            if rng.random() < augmentation.unconditioned:
                return model_words(rows, self.vocabulary), initial_tokens(None, None)
        key = key_of(rows) if self.keys else None
        if augmentation:
            genre = None if rng.random() < augmentation.untold else genre
            key = None if rng.random() < augmentation.untold else key
        names = [INSTRUMENTS[value - 1].name for value in playing]
        return model_words(rows, self.vocabulary), initial_tokens(genre, names, key)

    def _rng(self, index: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, self.epoch, index))

    def _stretch(self, index: int, rng: np.random.Generator) -> tuple[int, int, int, bool]:
        """Song, first row and end of an item in this epoch, and whether it is an excerpt."""
        song, start, stop = self.crops[index]
        share = self.augmentation.excerpts if self.augmentation else 0
        if share and rng.random() < share:
            first, end = excerpt(self.words[song][start:stop], rng)
            return song, start + first, start + end, True
        return song, start, stop, False


def crops(words: NDArray[Any], max_len: int) -> Iterator[tuple[int, int]]:
    """Cut a song into pieces of at most `max_len` predicted words that begin at bars.

    Neighbours share a row: the last word to predict of one is the first that the next reads.

    Yields:
        (start, stop) rows; only a bar longer than max_len is cut within.
    """
    bars = np.flatnonzero(words[:, BEAT] == BAR)
    start = 0
    while len(words) - 1 - start > max_len:
        within = bars[(bars > start) & (bars <= start + max_len)]
        end = int(within[-1]) if len(within) else start + max_len
        yield start, end + 1
        start = end
    yield start, len(words)


def transposed(words: NDArray[Any], semitones: int) -> NDArray[Any]:
    """Words with all pitched notes moved, or as they are where a pitch would leave 0 … 127."""
    pitched = (words[:, TYPE] == NOTE) & (words[:, INSTRUMENT] != DRUMS)
    pitches = words[pitched, PITCH] + semitones
    if not len(pitches) or pitches.min() < 1 or pitches.max() > 128:
        return words
    words = words.copy()
    words[pitched, PITCH] = pitches
    return words


def excerpt(words: NDArray[Any], rng: np.random.Generator) -> tuple[int, int]:
    """Choose some bars of a song, to become a piece of their own.

    Videos are shorter than songs, and their music need not begin with an introduction.
    Lengths are spread evenly over their logarithm, from `MIN_EXCERPT` bars to all.

    Args:
        words: (length, 10) rows in the data set's columns, from a bar word on.
        rng: of the choice.

    Returns:
        First row and end; the last row is the bar word after the bars, which is there to be
        predicted. Of a song of `MIN_EXCERPT` bars or fewer all.
    """
    bars = np.flatnonzero(words[:, BEAT] == BAR)
    if len(bars) <= MIN_EXCERPT:
        return 0, len(words)
    length = int(np.exp(rng.uniform(np.log(MIN_EXCERPT), np.log(len(bars)))))
    first = int(rng.integers(len(bars) - length))
    return int(bars[first]), int(bars[first + length]) + 1


def as_piece(words: NDArray[Any]) -> NDArray[Any]:
    """An excerpt (length, 10) whose ticks and shares of the piece count from its first bar."""
    if words[-1, BEAT] != BAR:  # a whole song
        return words
    words = words.copy()
    words[:, I_BEAT] -= words[0, I_BEAT]
    length = int(words[-1, I_BEAT])
    words[:, N_BEAT] = length
    words[:, P_BEAT] = 100 * words[:, I_BEAT].astype(int) // length
    return words


def key_of(words: NDArray[Any]) -> Key | None:
    """The key of words (length, 10), by how long each pitch class sounds."""
    pitched = words[(words[:, TYPE] == NOTE) & (words[:, INSTRUMENT] != DRUMS)]
    weights = np.bincount(
        (pitched[:, PITCH] - 1) % PITCH_CLASSES, pitched[:, DURATION] - 1, PITCH_CLASSES
    )
    return find_key(weights.astype(np.float64))


def without_track(words: NDArray[Any], instrument: int) -> NDArray[Any]:
    """Words without an instrument's, densities counted anew.

    A bar word at the end, whose bar is not here to be counted, is left out.
    """
    if words[-1, BEAT] == BAR:
        words = words[:-1]
    words = words[words[:, INSTRUMENT] != instrument]
    tick = words[:, I_BEAT]
    bar_word = words[:, BEAT] == BAR
    beat_word = (words[:, BEAT] > 0) & ~bar_word
    onsets = np.unique(tick[beat_word])
    bar_end = (tick // TICKS_PER_BAR + 1) * TICKS_PER_BAR
    left = np.searchsorted(onsets, bar_end) - np.searchsorted(onsets, tick)
    words[:, DENSITY] = np.where(bar_word, left + 1, np.where(beat_word, left, 0))
    return words


def batches(
    lengths: NDArray[np.int64], batch_size: int, seed: int | tuple[int, ...] | None = None
) -> list[NDArray[np.int64]]:
    """Group items of like length, so that little is padded.

    Args:
        lengths: (items,) in words.
        batch_size: items per batch; the last may be smaller.
        seed: of the shuffling; None sorts by length alone.

    Returns:
        Batches of item indices.
    """
    if seed is None:
        order = np.argsort(lengths, kind="stable")
        return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(lengths))
    result = []
    for start in range(0, len(order), POOL * batch_size):
        pool = order[start : start + POOL * batch_size]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        result += [pool[i : i + batch_size] for i in range(0, len(pool), batch_size)]
    return [result[i] for i in rng.permutation(len(result))]


def padding_share(lengths: NDArray[np.int64], groups: Sequence[NDArray[np.int64]]) -> float:
    """Share of padded positions, 0 … 1, in batches of items of these lengths."""
    padded = sum(len(group) * int(lengths[group].max()) for group in groups)
    return 1 - float(lengths.sum()) / padded


def collate(
    items: Sequence[tuple[NDArray[np.int32], NDArray[np.int64]]],
    vocabulary: Vocabulary = PUBLISHED,
) -> Batch:
    """Shift, pad and stack items of `Songs`; no items make a batch of no songs."""
    length = max((len(words) - 1 for words, _ in items), default=1)
    words = np.zeros((len(items), length + 1, len(vocabulary.fields)), np.int32)
    mask = np.zeros((len(items), length), bool)
    initial = np.zeros((len(items), INITIAL_TOKENS, 3), np.int64)
    for row, (song, tokens) in enumerate(items):
        words[row, : len(song)] = song
        mask[row, : len(song) - 1] = True
        initial[row] = tokens
    rows = torch.from_numpy(words)
    return Batch(rows[:, :-1], rows[:, 1:], torch.from_numpy(mask), torch.from_numpy(initial))
