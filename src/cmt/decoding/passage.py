"""Again from here to there: other bars in the place of some, the rest note for note.

The bars before are read, not drawn, by the same loop that made them, so that density, visual beats,
chords and what may be recalled are as they were; the bars after stay. Of several such passages that
one is taken after which the model finds the kept bars likeliest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from cmt.decoding.engine import Progress, Take, decode, guided, log_likelihood
from cmt.decoding.exact import ExactLoop
from cmt.decoding.guidance import reader
from cmt.decoding.loop import Head, Mask, only
from cmt.decoding.style import Style
from cmt.files import InputError
from cmt.model.encoding import Word, data_words, model_words
from cmt.model.network import CMT
from cmt.music.vocabulary import BAR, COLUMNS, METRICAL, Vocabulary

TYPE, BEAT = COLUMNS.index("type"), COLUMNS.index("beat")
CANDIDATES = 4  # passages among which the continuation chooses


@dataclass(frozen=True)
class Passage:
    """Bars that are made again.

    Attributes:
        first: index of the first, from 0.
        last: index of the last.
        seed: another number, another passage.
    """

    first: int
    last: int
    seed: int = 0

    @classmethod
    def of(cls, bars: str, seed: int = 0) -> Passage:
        """Read "9-16", or "9" for a single bar; they count from 1.

        Raises:
            ValueError: there are no such bars, or is no such seed.
        """
        first, _, last = bars.partition("-")
        passage = cls(int(first) - 1, int(last or first) - 1, seed)
        if not 0 <= passage.first <= passage.last or not 0 <= seed < 2**32:
            raise ValueError(f"{bars!r} of seed {seed} are no bars")
        return passage

    def __str__(self) -> str:
        """Bars as people count them."""
        return f"{self.first + 1}-{self.last + 1}"


class PassageLoop:
    """A song whose beginning is known and whose end is left out.

    Args:
        loop: one song in the making, at its first word.
        known: the words after the first up to the passage, as far as they are known: field → class.
        last: bar after which the song ends.
    """

    def __init__(self, loop: ExactLoop, known: Sequence[Word], last: int) -> None:
        self.loop = loop
        self.known = known
        self.last = last
        self.read = 0

    @property
    def tick(self) -> int:
        """How far the song is."""
        return self.loop.tick

    def first(self) -> Word:
        """The first bar word."""
        return self.loop.first()

    def allowed(self, name: str, word: Word) -> Mask:
        """The class that is known, else what the loop allows."""
        known = self.known[self.read] if self.read < len(self.known) else {}
        return only(name, known[name]) if name in known else self.loop.allowed(name, word)

    def given(self, name: str, word: Word, head: Head) -> Head:
        """As the loop corrects it."""
        return self.loop.given(name, word, head)

    def band(self, word: Word) -> Head | None:
        """As the loop says."""
        return self.loop.band(word)

    def untangled(self, name: str, word: Word, head: Head, beat: Head) -> Head:
        """As the loop corrects it."""
        return self.loop.untangled(name, word, head, beat)

    def take(self, word: Word) -> Word | None:
        """Move on; the bar word after the passage ends the song."""
        self.read += 1
        taken = self.loop.take(word)
        return None if self.loop.bar > self.last else taken


@torch.inference_mode()
def again(
    model: CMT,
    take: Take,
    passage: Passage,
    *,
    style: Style = Style(),
    precision: str = "float32",
    progress: Progress | None = None,
) -> Take:
    """The take with other bars in a passage, under the same plan, form and chords.

    Words outside it are the same, so notes before it that last into it go on there.

    Args:
        model: in evaluation mode.
        take: of the loop "exact".
        passage: bars of it.
        style: with which the take was made.
        precision: of the model's weights, as in `cmt.model.products.product`.
        progress: see `cmt.decoding.engine.decode`.

    Raises:
        InputError: the take has not so many bars, or is of another loop.
    """
    words = take.words
    if passage.last >= (bars := len(take.plan.bars)):
        raise InputError(f"bars {passage}: the piece has {bars}; give bars from 1 to {bars}")
    form = take.form
    if form is None:
        raise InputError(f"bars {passage}: only a take of --control exact has another in part")
    n_beat = int(words[0, COLUMNS.index("n_beat")])
    start, stop = (_row_of(words, bar) for bar in (passage.first, passage.last + 1))
    known = _known(words[:start], model.vocabulary)
    loops = [
        PassageLoop(ExactLoop(take.plan, n_beat, style, form), known, passage.last)
        for _ in range(CANDIDATES)
    ]
    rngs = [np.random.RandomState([passage.seed, index]) for index in range(CANDIDATES)]
    fast = reader(model, precision, style)
    drawing, initial = guided(fast, loops, rngs, [form] * CANDIDATES, style)
    decoded = decode(fast, loops, drawing, initial, n_beat, progress)
    passages = [data_words(song, n_beat, model.vocabulary)[start : len(song)] for song in decoded]
    joined = [np.concatenate([words[:start], drawn, words[stop:]]) for drawn in passages]
    # Where nothing comes after it, the passage itself is to be likely.
    kept = [start + (len(drawn) if stop < len(words) else 0) for drawn in passages]
    likelihoods = [
        log_likelihood(model, candidate, style, since)
        for candidate, since in zip(joined, kept, strict=True)
    ]
    return replace(take, words=joined[int(np.argmax(likelihoods))])


def _row_of(words: NDArray[np.int64], bar: int) -> int:
    """The row of a bar's word; past the last bar, the number of rows."""
    is_bar = (words[:, TYPE] == METRICAL) & (words[:, BEAT] == BAR)
    return int(np.append(np.flatnonzero(is_bar), len(words))[bar])


def _known(words: NDArray[np.int64], vocabulary: Vocabulary) -> list[Word]:
    """What is known of the words after a song's first, of which these are kept.

    After them comes a bar, of any density.
    """
    if not len(words):
        return []
    rows = model_words(words[1:], vocabulary).tolist()
    names = [field.name for field in vocabulary.fields]
    kept = [dict(zip(names, row, strict=True)) for row in rows]
    return [*kept, {"type": METRICAL, "beat": BAR}]
