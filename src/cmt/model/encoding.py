"""Words ⇄ what the model reads and draws: rows of the data set, classes, initial tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmt.music.keys import KEYS, Key
from cmt.music.vocabulary import (
    EOS,
    GENRES,
    INITIAL_TOKENS,
    INSTRUMENTS,
    PUBLISHED,
    Vocabulary,
)

# A word of the model while it is drawn: field name → class.
Word = dict[str, int]


def model_words(words: NDArray[Any], vocabulary: Vocabulary = PUBLISHED) -> NDArray[np.int32]:
    """Data set rows (length, columns) → model classes (length, fields) of a vocabulary.

    The rows may have columns that the vocabulary has not; of columns that they lack nothing is
    known, which is class 0. Values beyond a field's vocabulary (a
    chord of 20 notes or more) become its last class; the tick is not a class and stays as it is.
    """
    out = np.zeros((len(words), len(vocabulary.fields)), np.int32)
    for column, field in enumerate(vocabulary.fields):
        if field.column >= words.shape[1]:
            continue
        values = words[:, field.column].astype(np.int32) + field.offset
        out[:, column] = np.minimum(values, field.size - 1) if field.width else values
    return out


def data_words(
    words: Sequence[Word], n_beat: int, vocabulary: Vocabulary = PUBLISHED
) -> NDArray[np.int64]:
    """Words of the model as rows of the data set (length, columns), with an EOS at the end."""
    columns = vocabulary.columns
    rows = np.zeros((len(words) + (words[-1]["type"] != EOS), len(columns)), np.int64)
    for row, word in zip(rows, words, strict=False):
        for field in vocabulary.fields:
            row[field.column] = word[field.name] - field.offset
        row[columns.index("n_beat")] = n_beat if word["type"] != EOS else 0
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
