"""Recalling earlier bars: a cache of the words of a song, and what points at them.

Linear attention sums the past into a state of constant size, in which single words blur. The
cache keeps the last words of a song with the hidden states that led to them, and the next word
comes either from the model or is one of them again: a mixture over whole words, so that the
attributes of a recalled word fit each other, which the model draws independently given the type.
The weight of a word in the cache grows with

- how much the state that led to it resembles the present one,
- how many words before it are those just written: a passage that has begun to return goes on,
- its place in the bar being the present one, and how many bars ago that was: music repeats itself
  after even numbers of bars, best after four or eight.

Where chords are known a note is recalled by its degree above the root of its chord: a figure goes
on over another chord, as `cmt.music.figures` moves it.

Sources: Grave, Joulin & Usunier, "Improving Neural Language Models with a Continuous Cache",
ICLR 2017 (the cache); Merity et al., "Pointer Sentinel Mixture Models", ICLR 2017 (the mixture).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cmt.music.chords import HALF_BAR, HALVES
from cmt.music.figures import Moves
from cmt.music.keys import PITCH_CLASSES
from cmt.music.vocabulary import BAR, DRUMS, PITCHES

SPAN = 2048  # words that are kept, some thirty bars
LONGEST_RUN = 10  # words; longer ones count as this, or a piece would loop for ever

# Logarithms of weights, as they are likeliest on songs that the model has not learned from
# (runs/fit_decoding.py): they are worth a fifth of a nat a word there.
SENTINEL = 2.6  # of the model
# Its weight where a video controls all bars: the rhythm imposed breaks up what would return.
STEERED_SENTINEL = 1.5
FOCUS = 24.0  # of the cosine between states, less 1
# Of each word that agrees with the last ones written. By likelihood it is 0.06; but what is
# recalled leads to what is recalled next, and with so little it is patched from many bars.
RUN = 0.2
SAME_PLACE = 1.42
LAGS = {1: 1.15, 2: 1.9, 4: 2.92, 8: 3.83}  # of bars ago, by the largest of these that divides it
SAME_BAR = 1.67
# Of the bar that the form says this one returns to. Not fitted: the form of songs is not known.
RETURN = 2.0

# Words agree if these do: density and strength, which a video sets, and duration may differ.
AGREEING = ("type", "beat", "instr_type", "pitch")
BEFORE_BAR = -1  # place in the bar of what follows a bar word
NEW = -1  # what a bar returns to that returns to none
TINY = 1e-12  # added to a probability whose logarithm is taken
STAYING = Moves(np.zeros(1, np.int16), np.zeros((1, 1, PITCH_CLASSES), np.int16))


class Cache:
    """The last `SPAN` words of several songs and the states that led to them.

    For each word: `attend`, then `mixed` and `narrow` attribute by attribute, then `add`.
    In NumPy, as sampling is.

    Args:
        controlled: per song the share of its bars whose density is imposed, 0 … 1.
        width: of the hidden states.
        order: the words' attributes as they are drawn.
        moves: per song how notes move from chord to chord; None recalls pitches as they were.
        returns: per song the bar that each bar returns to, None where it is new; None knows of no
            form.
    """

    def __init__(
        self,
        controlled: Sequence[float],
        width: int,
        order: tuple[str, ...],
        moves: Sequence[Moves] | None = None,
        returns: Sequence[Sequence[int | None]] | None = None,
    ) -> None:
        songs = len(controlled)
        steered = np.array(controlled, np.float32)[:, None]
        self.sentinel = SENTINEL + steered * (STEERED_SENTINEL - SENTINEL)
        lags = [SAME_BAR, *(_lag_weight(bars) for bars in range(1, SPAN + 1))]
        self.lags = np.array(lags, np.float32)
        self.order = order
        self.states = np.zeros((songs, SPAN, width), np.float32)
        self.words: dict[str, NDArray[np.int16]] = {
            name: np.zeros((songs, SPAN), np.int16) for name in order
        }
        # The chord of each half bar, as an index; how notes move from one to another; and of each
        # word the chord of its time, and its pitch over the present one.
        known = moves or [STAYING] * songs
        self.which = _padded([song.which.tolist() for song in known])
        kinds = max(len(song.shifts) for song in known)
        self.shifts = np.zeros((songs, kinds, kinds, PITCH_CLASSES), np.int16)
        for row, song in zip(self.shifts, known, strict=True):
            row[: len(song.shifts), : len(song.shifts)] = song.shifts
        self.then, self.pitches = np.zeros((2, songs, SPAN), np.int16)
        new = [
            [NEW if bar is None else bar for bar in song] for song in returns or [[None]] * songs
        ]
        self.returns = _padded(new)
        # Of what led to each word: its bar and its place in it, in ticks; words of the run before.
        self.bars, self.places, self.runs = np.zeros((3, songs, SPAN), np.int32)
        self.bar: NDArray[np.int64] = np.zeros((songs, 1), np.int64)
        self.place: NDArray[np.int64] = np.full((songs, 1), BEFORE_BAR)
        self.chord = self._chord()  # the present one
        self.count = 0  # words added
        self.state = self.states[:, 0]  # the present one
        self.weights = np.zeros((songs, 0), np.float32)  # logarithms; −∞ rules a word out
        self.own: NDArray[np.floating] = self.sentinel  # logarithm of the model's weight

    def rows(self, rows: Sequence[int]) -> None:
        """Keep some songs of the batch."""
        for name in (
            "states", "bars", "places", "runs", "bar", "place", "which", "shifts", "then",
            "chord", "pitches", "returns", "sentinel",
        ):  # fmt: skip
            setattr(self, name, getattr(self, name)[rows])
        self.words = {name: values[rows] for name, values in self.words.items()}

    def attend(self, hidden: NDArray[np.float32]) -> None:
        """Weigh the words in the cache for states (songs, width) that lead to the next words."""
        # Of mean 0 and length 1, so that their product is a cosine.
        centred = hidden - hidden.mean(-1, keepdims=True)
        self.state = centred / np.linalg.norm(centred, axis=-1, keepdims=True)
        kept = slice(min(self.count, SPAN))
        cosine = (self.states[:, kept] @ self.state[:, :, None])[:, :, 0]
        self.weights = (
            FOCUS * (cosine - 1)
            + RUN * np.minimum(self.runs[:, kept], LONGEST_RUN)
            + SAME_PLACE * (self.places[:, kept] == self.place)
            + self.lags[self.bar - self.bars[:, kept]]
            + RETURN * (self.bars[:, kept] == _at(self.returns, self.bar))
        )
        self.own = self.sentinel

    def mixed(self, model: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        """Mix the model's probabilities (songs, classes) of an attribute with the cache's.

        Returns:
            (songs, classes) probabilities; a song in whose cache no word agrees has the model's.
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
        """Keep the words that were drawn, one per song, in place of the oldest."""
        values = {name: np.array([[word[name]] for word in words]) for name in self.order}
        agree = self.pitches == values["pitch"]
        for name in AGREEING:
            if name != "pitch":
                agree &= self.words[name] == values[name]
        # What led to the word after one that agrees is a longer run. A slot without a word has
        # type 0, which only the last word of a song has.
        runs = (self.runs + 1) * agree
        self.runs[:, 1:], self.runs[:, 0] = runs[:, :-1], runs[:, -1]
        slot = slice(self.count % SPAN, self.count % SPAN + 1)
        self.states[:, slot] = self.state[:, None]
        for name in self.order:
            self.words[name][:, slot] = values[name]
        self.bars[:, slot], self.places[:, slot] = self.bar, self.place
        self.then[:, slot], self.pitches[:, slot] = self.chord, values["pitch"]
        self.count += 1
        beat = values["beat"]
        self.bar = self.bar + (beat == BAR)
        place = np.where(beat == BAR, BEFORE_BAR, beat - 1)
        self.place = np.where(beat > 0, place, self.place)
        before, self.chord = self.chord, self._chord()
        if not np.array_equal(before, self.chord):
            self.pitches = self._transposed()

    def _chord(self) -> NDArray[np.int16]:
        """The present one, (songs, 1)."""
        return _at(self.which, self.bar * HALVES + np.maximum(self.place, 0) // HALF_BAR)

    def _transposed(self) -> NDArray[np.int16]:
        """Pitches (songs, words) of pitched notes as they are over the present chord."""
        pitch, instrument = self.words["pitch"], self.words["instr_type"]
        songs = np.arange(len(pitch))[:, None]
        up = self.shifts[songs, self.then, self.chord, (pitch - 1) % PITCH_CLASSES]
        moved = np.clip(pitch + up, 1, PITCHES)
        return np.where((pitch > 0) & (instrument != DRUMS), moved, pitch).astype(np.int16)

    def _column(self, name: str) -> NDArray[np.int16]:
        words = self.pitches if name == "pitch" else self.words[name]
        return words[:, : self.count]


def _padded(rows: Sequence[Sequence[int]]) -> NDArray[np.int16]:
    """Rows of one length (songs, bars or half bars); the last value of each goes on."""
    longest = max(map(len, rows))
    return np.array([[*row, *[row[-1]] * (longest - len(row))] for row in rows], np.int16)


def _at(rows: NDArray[np.int16], place: NDArray[np.int64]) -> NDArray[np.int16]:
    """Of each song's row the value at its place (songs, 1), the last one beyond its end."""
    return np.take_along_axis(rows, np.minimum(place, rows.shape[1] - 1), axis=1)


def _lag_weight(bars: int) -> float:
    return LAGS[max(divisor for divisor in LAGS if bars % divisor == 0)]
