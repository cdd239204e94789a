"""Recalling the bar that a bar returns to: words of it, and what points at them.

A section that returns has the words of the one that it returns to, varied. The model copies what
it has read in the last bars by itself, but not what is further away: linear attention sums that
into a state of constant size, in which single words blur. So the words of bars that others return
to are kept, with the hidden states that led to them, and in a bar that returns the next word comes
either from the model or is one of that bar's: a mixture over whole words, so that the attributes of
a recalled word fit each other. The weight of a word grows with

- how much the state that led to it resembles the present one,
- how many words before it are those just written: a passage that has begun to return goes on,
- its place in the bar being the present one.

Where chords are known a note is recalled by its degree above the root of its chord: a figure goes
on over another chord, as `cmt.music.figures` moves it.

Sources: Grave, Joulin & Usunier, "Improving Neural Language Models with a Continuous Cache",
ICLR 2017 (the cache); Merity et al., "Pointer Sentinel Mixture Models", ICLR 2017 (the mixture).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cmt.music.chords import HALF_BAR, HALVES
from cmt.music.figures import Moves
from cmt.music.keys import PITCH_CLASSES
from cmt.music.vocabulary import BAR, BEATS_PER_BAR, DRUMS, PITCHES, TICKS_PER_BEAT

# Logarithms of weights; that of the model is 0. Not fitted, as the form of songs is not known: with
# these 84 in 100 notes of a bar come back where the video leaves it its rhythm.
RETURN = 4.0
FOCUS = 8.0  # of the cosine between states, less 1
RUN = 0.9  # of each word that agrees with the last ones written
LONGEST_RUN = 10  # words; longer ones count as this
SAME_PLACE = 1.42

# Words agree if these do: density and strength, which a video sets, and duration may differ.
AGREEING = ("type", "beat", "instr_type", "pitch")
BEFORE_BAR = -1  # place in the bar of what follows a bar word
NEW = -1  # what a bar returns to that returns to none
TINY = 1e-12  # added to a probability whose logarithm is taken
STAYING = Moves(np.zeros(1, np.int16), np.zeros((1, 1, PITCH_CLASSES), np.int16))


@dataclass(frozen=True)
class Kept:
    """A word that may be recalled.

    Attributes:
        state: (width,) that led to it, of mean 0 and length 1.
        values: its attributes, in their order.
        place: in the bar, in ticks, of what came before it.
        chord: index of the chord there.
    """

    state: NDArray[np.float32]
    values: tuple[int, ...]
    place: int
    chord: int


class Cache:
    """Words of several songs that may be recalled.

    For each word: `attend`, then `mixed` and `narrow` attribute by attribute, then `add`.
    In NumPy, as sampling is.

    Args:
        width: of the hidden states.
        order: the words' attributes as they are drawn.
        returns: per song the bar that each bar returns to, None where it is new; the last one's
            value goes on.
        moves: per song how notes move from chord to chord; None recalls pitches as they were.
        fills: per song the beats in which drummers fill, and nothing of them is recalled.
    """

    def __init__(
        self,
        width: int,
        order: tuple[str, ...],
        returns: Sequence[Sequence[int | None]],
        moves: Sequence[Moves] | None = None,
        fills: Sequence[Collection[int]] | None = None,
    ) -> None:
        songs = len(returns)
        self.width = width
        self.order = order
        self.returns = _padded([[NEW if bar is None else bar for bar in song] for song in returns])
        # The chord of each half bar, as an index, and how notes move from one to another.
        known = moves or [STAYING] * songs
        self.which = _padded([song.which.tolist() for song in known])
        kinds = max(len(song.shifts) for song in known)
        self.shifts = np.zeros((songs, kinds, kinds, PITCH_CLASSES), np.int16)
        for row, song in zip(self.shifts, known, strict=True):
            row[: len(song.shifts), : len(song.shifts)] = song.shifts
        self.fills = fills or [()] * songs
        self.kept: list[dict[int, list[Kept]]] = [
            {bar: [] for bar in set(row.tolist()) - {NEW}} for row in self.returns
        ]
        self.bar: NDArray[np.int64] = np.zeros((songs, 1), np.int64)
        self.place: NDArray[np.int64] = np.full((songs, 1), BEFORE_BAR)
        self.chord = _at(self.which, 0 * self.bar)  # the present one
        self.state = np.zeros((songs, width), np.float32)  # the present one
        self.own: NDArray[np.floating] = np.zeros((songs, 1))  # logarithm of the model's weight
        self._open()

    def rows(self, rows: Sequence[int]) -> None:
        """Keep some songs of the batch."""
        for name in (
            "returns", "which", "shifts", "bar", "place", "chord", "state", "own",
            "states", "words", "places", "runs", "then", "pitches",
        ):  # fmt: skip
            setattr(self, name, getattr(self, name)[rows])
        self.kept = [self.kept[row] for row in rows]
        self.fills = [self.fills[row] for row in rows]

    def attend(self, hidden: NDArray[np.float32]) -> None:
        """Weigh the words that may be recalled for states (songs, width) that lead to the next."""
        # Of mean 0 and length 1, so that their product is a cosine.
        centred = hidden - hidden.mean(-1, keepdims=True)
        self.state = centred / np.linalg.norm(centred, axis=-1, keepdims=True)
        cosine = (self.states @ self.state[:, :, None])[:, :, 0]
        weights = (
            RETURN
            + FOCUS * (cosine - 1)
            + RUN * np.minimum(self.runs, LONGEST_RUN)
            + SAME_PLACE * (self.places == self.place)
        )
        self.weights = np.where(self.words[:, :, 0] > 0, weights, -np.inf)
        self.own = np.zeros_like(self.own)

    def mixed(self, model: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        """Mix the model's probabilities (songs, classes) of an attribute with those recalled.

        Returns:
            (songs, classes) probabilities; a song of which no word agrees has the model's.
        """
        largest = np.maximum(self.own, self.weights.max(-1, keepdims=True, initial=-np.inf))
        recalled = np.exp(self.weights - largest)
        own = np.exp(self.own - largest)
        total = own + recalled.sum(-1, keepdims=True)
        mixture = model * (own / total)
        recalled /= total
        for song, column in enumerate(self._column(name)):
            mixture[song] += np.bincount(column, recalled[song], model.shape[-1])
        return mixture

    def narrow(self, name: str, drawn: NDArray[np.int64], model: NDArray[np.float64]) -> None:
        """Attend from now on only to words whose attribute is what was drawn (songs,).

        The model, which gives its classes the probabilities `model` (songs, classes), loses
        weight as far as it would not have drawn it. Class 0, that a word of its type has no such
        attribute, is known to everybody.
        """
        np.copyto(self.weights, -np.inf, where=self._column(name) != drawn[:, None])
        likely = np.where(drawn > 0, model[np.arange(len(drawn)), drawn], 1)
        self.own = self.own + np.log(likely + TINY)[:, None]

    def add(self, words: Sequence[Mapping[str, int]]) -> None:
        """Hear the words that were drawn, one per song."""
        for song, word in enumerate(words):
            if (bar := int(self.bar[song, 0])) in self.kept[song]:
                values = tuple(word[name] for name in self.order)
                here = int(self.place[song, 0]), int(self.chord[song, 0])
                self.kept[song][bar].append(Kept(self.state[song], values, *here))
        agree = self.words[:, :, 0] > 0
        for name in AGREEING:
            agree &= self._column(name) == [[word[name]] for word in words]
        # What led to the word after one that agrees is a longer run.
        runs = (self.runs + 1) * agree
        self.runs[:, 1:] = runs[:, :-1]
        self.runs[:, :1] = 0
        beat = np.array([[word["beat"]] for word in words])
        self.bar = self.bar + (beat == BAR)
        place = np.where(beat == BAR, BEFORE_BAR, beat - 1)
        self.place = np.where(beat > 0, place, self.place)
        half = self.bar * HALVES + np.maximum(self.place, 0) // HALF_BAR
        before, self.chord = self.chord, _at(self.which, half)
        if (beat == BAR).any():
            self._open()
        elif not np.array_equal(before, self.chord):
            self.pitches = self._transposed()

    def _open(self) -> None:
        """Lay open the words of the bars that the present ones return to."""
        returns = _at(self.returns, self.bar)[:, 0].tolist()
        bars = zip(self.kept, returns, self.bar[:, 0].tolist(), self.fills, strict=True)
        pages = [
            [word for word in kept.get(there, []) if not self._filled(word, here, fills)]
            for kept, there, here, fills in bars
        ]
        shape = len(pages), max(map(len, pages))
        self.states = np.zeros((*shape, self.width), np.float32)
        self.words = np.zeros((*shape, len(self.order)), np.int16)
        self.places, self.runs, self.then = np.zeros((3, *shape), np.int32)
        for song, page in enumerate(pages):
            for slot, kept in enumerate(page):
                self.states[song, slot] = kept.state
                self.words[song, slot] = kept.values
                self.places[song, slot], self.then[song, slot] = kept.place, kept.chord
        self.weights = np.full(shape, -np.inf)  # logarithms; −∞ rules a word out
        self.pitches = self._transposed()

    def _filled(self, kept: Kept, bar: int, fills: Collection[int]) -> bool:
        """Whether a word is a drum sound where they fill in a bar; when they strike may return."""
        word = dict(zip(self.order, kept.values, strict=True))
        beat = bar * BEATS_PER_BAR + kept.place // TICKS_PER_BEAT
        return word["pitch"] > 0 and word["instr_type"] == DRUMS and beat in fills

    def _transposed(self) -> NDArray[np.int16]:
        """Pitches (songs, words) of pitched notes as they are over the present chord."""
        pitch, instrument = (self.words[:, :, self.order.index(n)] for n in ("pitch", "instr_type"))
        songs = np.arange(len(pitch))[:, None]
        up = self.shifts[songs, self.then, self.chord, (pitch - 1) % PITCH_CLASSES]
        moved = np.clip(pitch + up, 1, PITCHES)
        return np.where((pitch > 0) & (instrument != DRUMS), moved, pitch).astype(np.int16)

    def _column(self, name: str) -> NDArray[np.int16]:
        """An attribute of the words laid open, (songs, words)."""
        return self.pitches if name == "pitch" else self.words[:, :, self.order.index(name)]


def _padded(rows: Sequence[Sequence[int]]) -> NDArray[np.int16]:
    """Rows of one length (songs, bars or half bars); the last value of each goes on."""
    longest = max(map(len, rows))
    return np.array([[*row, *[row[-1]] * (longest - len(row))] for row in rows], np.int16)


def _at(rows: NDArray[np.int16], place: NDArray[np.int64]) -> NDArray[np.int16]:
    """Of each song's row the value at its place (songs, 1), the last one beyond its end."""
    return np.take_along_axis(rows, np.minimum(place, rows.shape[1] - 1), axis=1)
