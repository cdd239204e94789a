"""Words become what the model reads, and what it draws becomes words."""

from __future__ import annotations

import numpy as np

from cmt.model.encoding import data_words, initial_tokens, model_words
from cmt.music.vocabulary import COLUMNS, FIELDS
from conftest import WORDS


def test_model_words_are_columns_of_the_field_table() -> None:
    got = model_words(WORDS[0])
    for column, field in enumerate(FIELDS):
        np.testing.assert_array_equal(got[:, column], WORDS[0][:, field.column] + field.offset)


def test_a_chord_of_25_is_clipped_for_the_model() -> None:
    words = WORDS[0].copy()
    words[1, COLUMNS.index("strength")] = 25
    assert model_words(words)[1].max() < 129
    assert model_words(words)[1, 6] == 19


def test_words_drawn_are_the_rows_that_the_model_read() -> None:
    words = WORDS[1]
    drawn = [
        dict(zip([field.name for field in FIELDS], row, strict=True))
        for row in model_words(words[:-1]).tolist()
    ]
    n_beat = int(words[0, COLUMNS.index("n_beat")])
    np.testing.assert_array_equal(data_words(drawn, n_beat), words)


def test_initial_tokens_name_genre_and_present_instruments() -> None:
    assert initial_tokens("rock", ["Drums", "Bass"]).tolist() == [
        [6, 0, 0],
        [0, 0, 0],
        [0, 0, 1],
        [0, 0, 0],
        [0, 0, 0],
        [0, 0, 4],
        [0, 0, 0],
    ]
    assert not initial_tokens("N/A", None).any()
