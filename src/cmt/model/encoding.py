"""Words ⇄ what the model reads and draws: rows of the data set, classes, initial tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmt.music.keys import KEYS, Key
from cmt.music.vocabulary import COLUMNS, EOS, FIELDS, GENRES, INITIAL_TOKENS, INSTRUMENTS

# A word of the model while it is drawn: field name → class.
Word = dict[str, int]


def model_words(words: NDArray[Any]) -> NDArray[np.int32]:
    """Data set rows (length, 10) → model classes (length, 9) in the order of FIELDS.

    Values beyond a field's vocabulary (a chord of 20 notes or more) become its last class; the
    tick is not a class and stays as it is.
    """
    out = np.empty((len(words), len(FIELDS)), np.int32)
    for column, field in enumerate(FIELDS):
        values = words[:, field.column].astype(np.int32) + field.offset
        out[:, column] = np.minimum(values, field.size - 1) if field.width else values
    return out


def data_words(words: Sequence[Word], n_beat: int) -> NDArray[np.int64]:
    """Words of the model as rows of the data set (length, 10), with an EOS at the end."""
    rows = np.zeros((len(words) + (words[-1]["type"] != EOS), len(COLUMNS)), np.int64)
    for row, word in zip(rows, words, strict=False):
        for field in FIELDS:
            row[field.column] = word[field.name] - field.offset
        row[COLUMNS.index("n_beat")] = n_beat if word["type"] != EOS else 0
    return rows


def initial_tokens(
    genre: str | None, instruments: Sequence[str] | None, key: Key | None = None
) -> NDArray[np.int64]:
    """Initial tokens (7, 3) of (genre, key, instrument) classes.

    One token for the genre, one for the key, one per instrument: its class where it plays, 0 where
    it is absent.

    Args:
        genre: one of GENRES; None or an unknown name is "any", class 0.
        instruments: names of those that play; None leaves them open, which is told to the model
            by all five classes being 0.
        key: of the piece; None is "any", class 0, which is all that the published model knows.
    """
    tokens = np.zeros((INITIAL_TOKENS, 3), np.int64)
    if genre in GENRES:
        tokens[0, 0] = GENRES.index(genre) + 1
    if key is not None:
        tokens[1, 1] = KEYS.index(key) + 1
    for index, instrument in enumerate(INSTRUMENTS):
        if instruments is not None and instrument.name in instruments:
            tokens[INITIAL_TOKENS - len(INSTRUMENTS) + index, 2] = index + 1
    return tokens
