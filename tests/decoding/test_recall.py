"""The bar that a bar returns to is recalled: what followed a state like the present one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from cmt.decoding.recall import FOCUS, LONGEST_RUN, RETURN, RUN, SAME_PLACE, Cache
from cmt.music.chords import Chord
from cmt.music.figures import moves
from cmt.music.keys import Key
from cmt.music.vocabulary import BAR, INSTRUMENT_CLASS

ORDER = ("type", "beat", "instr_type", "pitch")
WORD = dict.fromkeys(ORDER, 0)
NEXT_BAR = {**WORD, "type": 1, "beat": BAR}


def states(*rows: list[float]) -> np.ndarray:
    return np.array(rows, np.float32)


def nothing_known(songs: int = 1, classes: int = 5) -> np.ndarray:
    """What a model that knows nothing says."""
    return np.full((songs, classes), 1 / classes)


A, B = [1.0, -1.0, 1.0, -1.0], [1.0, 1.0, -1.0, -1.0]  # at right angles


def put(cache: Cache, state: list[float], word: dict[str, int]) -> None:
    cache.attend(states(state))
    cache.add([{**WORD, **word}])


def filled(
    pairs: Sequence[tuple[list[float], dict[str, int]]], returns: Sequence[int | None] = (None, 0)
) -> Cache:
    """A cache at the start of the second bar, the first one of these words."""
    cache = Cache(4, ORDER, [returns])
    for state, word in (*pairs, (B, NEXT_BAR)):
        put(cache, state, word)
    return cache


def mixture(cache: Cache, state: list[float], **drawn: int) -> np.ndarray:
    """Probabilities of five pitches, of which the model knows nothing, given what is drawn."""
    cache.attend(states(state))
    for name, value in drawn.items():
        cache.narrow(name, np.array([value]), nothing_known())
    return cache.mixed(nothing_known(), "pitch")[0]


def test_what_followed_a_like_state_is_likely() -> None:
    cache = filled([(A, {"type": 2, "pitch": 3}), (B, {"type": 2, "pitch": 1})])
    here = math.exp(RETURN + SAME_PLACE)
    # The bar word, of no pitch, followed B as well.
    weights = np.array([here, *[here * math.exp(-FOCUS)] * 2, 1])
    first, second, bar, model = (weights / weights.sum()).tolist()
    expected = np.full(5, model / 5)
    expected[[3, 1, 0]] += first, second, bar
    np.testing.assert_allclose(mixture(cache, A), expected, rtol=1e-6)
    # Scale and offset of a state do not count.
    np.testing.assert_allclose(mixture(cache, [3 * x + 1 for x in A]), expected, rtol=1e-5)


def test_a_passage_that_has_begun_to_return_goes_on() -> None:
    bar = [(A, {"type": 2, "pitch": pitch}) for pitch in (3, 1, 2, 1, 4)]
    cache = filled(bar)
    for pitch in (3, 1):
        put(cache, A, {"type": 2, "pitch": pitch})
    # Two words before the 2 are the last two; one word before the 4 is.
    assert cache.runs[0].tolist() == [0, 0, 2, 0, 1, 0]
    cache.attend(states(A))
    assert float(cache.weights[0, 2] - cache.weights[0, 4]) == pytest.approx(RUN, abs=1e-5)
    for _ in range(LONGEST_RUN):
        cache.runs += 1
    cache.attend(states(A))
    assert float(cache.weights[0, 2] - cache.weights[0, 4]) == 0


@pytest.mark.parametrize(
    ("returns", "expected"),
    [([None, None, 0], [1]), ([None, None, 1], [2]), ([None], []), ([None, None, None], [])],
)
def test_nothing_but_the_bar_that_this_one_returns_to_is_recalled(
    returns: list[int | None], expected: list[int]
) -> None:
    cache = Cache(4, ORDER, [returns])
    for pitch in (1, 2):
        put(cache, A, {"type": 2, "pitch": pitch})
        put(cache, A, NEXT_BAR)
    cache.attend(states(A))
    assert cache.words[0, :, ORDER.index("pitch")].tolist() == [*expected, 0][: 2 * len(expected)]
    if not expected:
        np.testing.assert_allclose(mixture(cache, A), nothing_known()[0])


def test_another_place_in_the_bar_counts_less() -> None:
    cache = filled([(A, {"type": 1, "beat": 1}), (A, {"type": 1, "beat": 5})])
    cache.attend(states(A))  # before the bar, as what led to its first word was
    weights = cache.weights[0]
    assert float(weights[0] - weights[1]) == pytest.approx(SAME_PLACE, abs=1e-5)
    put(cache, A, {"type": 1, "beat": 1, "instr_type": 3})
    cache.attend(states(A))  # at tick 0, as what led to its second was
    assert float(cache.weights[0, 1] - cache.weights[0, 0]) == pytest.approx(SAME_PLACE, abs=1e-5)


def test_a_model_that_would_not_have_drawn_it_loses_weight() -> None:
    cache = filled([(A, {"type": 2, "pitch": 3})])
    cache.attend(states(A))
    cache.narrow("type", np.array([2]), np.array([[0.0, 0.5, 0.5]]))
    likely = cache.mixed(nothing_known(), "pitch")[0]
    cache.attend(states(A))
    cache.narrow("type", np.array([2]), np.array([[0.0, 0.9, 0.1]]))
    unlikely = cache.mixed(nothing_known(), "pitch")[0]
    # Odds of the word recalled against the model's own pitch are five times as great.
    odds = [(p[3] - p[0]) / p[0] for p in (unlikely, likely)]
    assert odds[0] == pytest.approx(5 * odds[1])


def test_words_that_contradict_what_is_drawn_do_not_count() -> None:
    cache = filled([(A, {"type": 1, "pitch": 3}), (B, {"type": 2, "pitch": 1})])
    assert mixture(cache, A, type=2).argmax() == 1
    np.testing.assert_allclose(mixture(cache, A, type=0), nothing_known()[0])


def test_songs_are_apart() -> None:
    cache = Cache(4, ORDER, [[None, 0], [None, 0], [None]])
    cache.attend(states(A, A, A))
    cache.add([{**WORD, "type": 2, "pitch": pitch} for pitch in (3, 1, 2)])
    cache.attend(states(B, B, B))
    cache.add([NEXT_BAR, NEXT_BAR, NEXT_BAR])
    cache.attend(states(A, A, A))
    mixed = cache.mixed(nothing_known(3), "pitch")
    assert mixed[:2].argmax(-1).tolist() == [3, 1]
    np.testing.assert_allclose(mixed[2], nothing_known()[0])
    cache.rows([1])
    cache.attend(states(A))
    assert cache.mixed(nothing_known(), "pitch").argmax(-1).tolist() == [1]
    cache.add([{**WORD, "type": 2, "pitch": 1}])
    assert cache.runs.tolist() == [[0, 1]]


@pytest.mark.parametrize(("instrument", "pitch"), [("Bass", 42), ("Drums", 40)])
def test_a_figure_goes_on_over_another_chord(instrument: str, pitch: int) -> None:
    """Of notes over A, then over B; drums stay."""
    chords = [Chord(9), Chord(9), Chord(11, "m"), Chord(11, "m")]
    cache = Cache(4, ORDER, [[None, 0]], [moves(chords, Key(9))])
    player = {**WORD, "instr_type": INSTRUMENT_CLASS[instrument]}
    beat, note = {**player, "type": 1, "beat": 1}, {**player, "type": 2, "pitch": 40}
    for word in (beat, note, NEXT_BAR, beat):
        put(cache, A, word)
    cache.attend(states(A))
    for name in ("type", "beat", "instr_type"):
        cache.narrow(name, np.array([note[name]]), nothing_known())
    mixed = cache.mixed(nothing_known(classes=60), "pitch")
    assert int(mixed.argmax()) == pitch
    cache.add([{**note, "pitch": pitch}])
    assert cache.runs[0, 2] > cache.runs[0, 1]  # the figure returns


def test_where_drummers_fill_when_they_strike_is_recalled_but_not_what() -> None:
    """In the second beat of the bar that returns; in the first one all of it is."""
    drums, piano = INSTRUMENT_CLASS["Drums"], INSTRUMENT_CLASS["Piano"]
    bar = []
    for beat, instrument in ((1, drums), (5, drums), (5, piano)):
        bar.append({"type": 1, "beat": beat, "instr_type": instrument})
        bar.append({"type": 2, "instr_type": instrument, "pitch": 40})
    cache = Cache(4, ORDER, [(None, 0)], fills=[{5}])
    for word in (*bar, NEXT_BAR):
        put(cache, A, word)
    recalled = [tuple(word.tolist()) for word in cache.words[0]]
    expected = [tuple({**WORD, **word}.values()) for word in (*bar, NEXT_BAR)]
    assert recalled == [*expected[:3], *expected[4:]]
