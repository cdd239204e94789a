"""The table of control words, and what those of a file must be."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmt.music.vocabulary import BAR, TICKS_PER_BAR
from cmt.untrusted import within

CONTROL_COLUMNS = ("beat", "density", "strength", "i_beat", "n_beat", "p_beat")
MOST_NOTES = 19  # of a visual beat: what the published vocabulary has


def check_words(words: NDArray[Any]) -> None:
    """See that control words are such: their columns in range, every bar there, in order.

    Raises:
        ValueError: they are not; the message tells row, column and value.
    """
    if not len(words) or words[0, CONTROL_COLUMNS.index("n_beat")] < 1:
        raise ValueError("holds no bar")
    is_bar = words[:, 0] == BAR
    bars = np.count_nonzero(is_bar)
    most = int(bars) * TICKS_PER_BAR
    columns = {name: words[:, index] for index, name in enumerate(CONTROL_COLUMNS)}
    highest = {
        "beat": BAR,
        "density": TICKS_PER_BAR + 1,
        "strength": MOST_NOTES,
        "i_beat": most - 1,
        "n_beat": most,
        "p_beat": 200,  # of a short video, whose last bar begins after its end
    }
    for name, high in highest.items():
        within(columns[name], name, int(name in ("beat", "n_beat", "p_beat")), high)
    ticks = words[:, 3].astype(np.int64)
    wrong = [
        (is_bar & (words[:, 1] < 1), "a bar without density"),
        (is_bar & (ticks != (np.cumsum(is_bar) - 1) * TICKS_PER_BAR), "not the next bar"),
        (ticks // TICKS_PER_BAR != np.cumsum(is_bar) - 1, "not in the last bar before it"),
        (~is_bar & (ticks % TICKS_PER_BAR != words[:, 0].astype(np.int64) - 1), "not on its tick"),
        (words[:, 4] != words[0, 4], "of another n_beat"),
    ]
    for rows, reason in wrong:
        if rows.any():
            row = int(np.argmax(rows))
            raise ValueError(f"word {row}, {words[row].tolist()}, is {reason}")
