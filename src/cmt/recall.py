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

Sources: Grave, Joulin & Usunier, "Improving Neural Language Models with a Continuous Cache",
ICLR 2017 (the cache); Merity et al., "Pointer Sentinel Mixture Models", ICLR 2017 (the mixture).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from cmt.vocabulary import BAR

SPAN = 2048  # words that are kept, some thirty bars
LONGEST_RUN = 32  # words; longer ones count as this

# Logarithms of weights, fitted by likelihood to 24 songs of the training set; see README.
SENTINEL = 0.8  # of the model
FOCUS = 19.4  # of the cosine between states, less 1
RUN = 0.18  # of each word that agrees with the last ones written
SAME_PLACE = 1.1
LAGS = {1: -1.0, 2: -0.5, 4: 0.1, 8: 0.7}  # of bars ago, by the largest of these that divides it
SAME_BAR = 1.7

# Words agree if these do: density and strength, which a video sets, and duration may differ.
AGREEING = ("type", "beat", "instr_type", "pitch")
BEFORE_BAR = -1  # place in the bar of what follows a bar word


class Cache:
    """The last `SPAN` words of several songs and the states that led to them.

    For each word: `attend`, then `mixed` and `narrow` attribute by attribute, then `add`.

    Args:
        songs: in the batch.
        width: of the hidden states.
        order: the words' attributes as they are drawn.
        device: where the states are.
    """

    def __init__(
        self, songs: int, width: int, order: tuple[str, ...], device: torch.device
    ) -> None:
        self.order = order
        self.states = torch.zeros(songs, SPAN, width, device=device)
        self.words = torch.zeros(songs, SPAN, len(order), dtype=torch.int64, device=device)
        # Of what led to each word: its bar and its place in it, in ticks; words of the run before.
        self.bars, self.places, self.runs = torch.zeros(
            3, songs, SPAN, dtype=torch.int64, device=device
        )
        self.bar, self.place = torch.zeros(2, songs, 1, dtype=torch.int64, device=device)
        self.place += BEFORE_BAR
        self.count = 0  # words added
        self.state = self.states[:, 0]  # the present one
        self.weights = self.states[:, :0, 0].double()  # logarithms; −∞ rules a word out
        self.own = self.weights.new_zeros(songs)  # logarithm of the model's weight
        self.model: dict[str, Tensor] = {}  # its distribution of each attribute
        self.lags = torch.tensor(
            [SAME_BAR] + [_lag_weight(bars) for bars in range(1, SPAN + 1)],
            dtype=torch.float64,
            device=device,
        )

    def rows(self, rows: Tensor) -> None:
        """Keep some songs of the batch."""
        for name in ("states", "words", "bars", "places", "runs", "bar", "place"):
            setattr(self, name, getattr(self, name)[rows])

    def attend(self, hidden: Tensor) -> None:
        """Weigh the words in the cache for states (songs, width) that lead to the next words."""
        # Of mean 0 and length 1, so that their product is a cosine.
        width = hidden.shape[-1]
        self.state = F.layer_norm(hidden.float(), (width,)) / width**0.5
        kept = slice(min(self.count, SPAN))
        cosine = (self.states[:, kept] @ self.state.unsqueeze(-1)).squeeze(-1).double()
        self.weights = (
            FOCUS * (cosine - 1)
            + RUN * self.runs[:, kept].clamp(max=LONGEST_RUN)
            + SAME_PLACE * (self.places[:, kept] == self.place)
            + self.lags[self.bar - self.bars[:, kept]]
        )
        self.own = self.weights.new_full((len(hidden),), SENTINEL)
        self.model = {}

    def mixed(self, logits: Tensor, name: str) -> Tensor:
        """Mix the model's logits (songs, classes) with what the cache says of an attribute.

        Returns:
            Logarithms of the mixture, in float64; a song in whose cache no word agrees has the
            model's distribution.
        """
        model = logits.double().softmax(-1)
        self.model[name] = model
        everything = torch.cat([self.own.unsqueeze(-1), self.weights], dim=-1).softmax(-1)
        mixture = everything[:, :1] * model
        return mixture.scatter_add_(-1, self._column(name), everything[:, 1:]).log()

    def narrow(self, name: str, drawn: Tensor) -> None:
        """Attend from now on only to words whose attribute is what was drawn (songs,).

        The model loses weight as far as it would not have drawn it.
        """
        drawn = drawn.unsqueeze(-1)
        self.weights = self.weights.masked_fill(self._column(name) != drawn, -torch.inf)
        if name in self.model:
            self.own = self.own + self.model[name].gather(-1, drawn).squeeze(-1).log()

    def add(self, words: Sequence[Mapping[str, int]]) -> None:
        """Keep the words that were drawn, one per song, in place of the oldest."""
        device = self.words.device
        values = torch.tensor(
            [[word[name] for name in self.order] for word in words], device=device
        )
        agreeing = [self.order.index(name) for name in AGREEING]
        agree = (self.words[..., agreeing] == values[:, None, agreeing]).all(-1)
        slot = self.count % SPAN
        self.states[:, slot] = self.state
        self.words[:, slot] = values
        self.bars[:, slot] = self.bar[:, 0]
        self.places[:, slot] = self.place[:, 0]
        self.count += 1
        # What led to the word after one that agrees is a longer run. A slot without a word has
        # type 0, which only the last word of a song has.
        self.runs = ((self.runs + 1) * agree).roll(1, -1)
        beat = torch.tensor([[word["beat"]] for word in words], device=device)
        self.bar = self.bar + (beat == BAR)
        place = torch.where(beat == BAR, BEFORE_BAR, beat - 1)
        self.place = torch.where(beat > 0, place, self.place)

    def _column(self, name: str) -> Tensor:
        return self.words[:, : self.count, self.order.index(name)]


def _lag_weight(bars: int) -> float:
    return LAGS[max(divisor for divisor in LAGS if bars % divisor == 0)]
