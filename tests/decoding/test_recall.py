"""The cache recalls what followed a state like the present one, and nothing else."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cmt.decoding import recall
from cmt.decoding.recall import FOCUS, RETURN, RUN, SAME_BAR, SAME_PLACE, SENTINEL, Cache
from cmt.music.chords import Chord
from cmt.music.figures import moves
from cmt.music.keys import Key
from cmt.music.vocabulary import BAR, INSTRUMENT_CLASS

ORDER = ("type", "beat", "instr_type", "pitch")
WORD = dict.fromkeys(ORDER, 0)


def states(*rows: list[float]) -> np.ndarray:
    return np.array(rows, np.float32)


def nothing_known(songs: int = 1, classes: int = 5) -> np.ndarray:
    """What a model that knows nothing says."""
    return np.full((songs, classes), 1 / classes)


A, B = [1.0, -1.0, 1.0, -1.0], [1.0, 1.0, -1.0, -1.0]  # at right angles


def filled(pairs: list[tuple[list[float], dict[str, int]]]) -> Cache:
    cache = Cache([0], 4, ORDER)
    for state, word in pairs:
        cache.attend(states(state))
        cache.add([{**WORD, **word}])
    return cache


def mixture(cache: Cache, state: list[float], **drawn: int) -> np.ndarray:
    """Probabilities of five pitches, of which the model knows nothing, given what is drawn."""
    cache.attend(states(state))
    for name, value in drawn.items():
        cache.narrow(name, np.array([value]), nothing_known())
    return cache.mixed(nothing_known(), "pitch")[0]


def test_what_followed_a_like_state_is_likely() -> None:
    cache = filled([(A, {"type": 2, "pitch": 3}), (B, {"type": 2, "pitch": 1})])
    here = math.exp(SAME_PLACE + SAME_BAR)
    weights = np.array([here, here * math.exp(-FOCUS), math.exp(SENTINEL)])
    first, second, model = (weights / weights.sum()).tolist()
    expected = np.full(5, model / 5)
    expected[3] += first
    expected[1] += second
    np.testing.assert_allclose(mixture(cache, A), expected, rtol=1e-6)
    # Scale and offset of a state do not count.
    np.testing.assert_allclose(mixture(cache, [3 * x + 1 for x in A]), expected, rtol=1e-5)


def test_a_passage_that_has_begun_to_return_goes_on() -> None:
    notes = [3, 1, 2, 1, 4, 3, 1]
    cache = filled([(A, {"type": 2, "pitch": pitch}) for pitch in notes])
    # Two words before the 2 are the last two; one word before the 4 is.
    assert cache.runs[0, : len(notes)].tolist() == [0, 0, 2, 0, 1, 0, 0]
    probability = mixture(cache, A)
    assert float(probability[2] / probability[4]) > 1
    cache.attend(states(A))
    assert float(cache.weights[0, 2] - cache.weights[0, 4]) == pytest.approx(RUN, abs=1e-5)


def test_music_repeats_after_even_numbers_of_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recall, "RUN", 0.0)
    cache = Cache([0], 4, ORDER)
    for bar in range(9):
        cache.attend(states(A))
        cache.add([{**WORD, "type": 2, "pitch": bar}])
        cache.attend(states(B))
        cache.add([{**WORD, "type": 1, "beat": BAR}])
    cache.attend(states(A))  # at the start of the tenth
    weights = cache.weights[0, 0::2].tolist()  # of notes nine bars ago … one
    ago = dict(zip(range(9, 0, -1), weights, strict=True))
    assert ago[8] > ago[4] > ago[2] == ago[6] > ago[1] == ago[3] == ago[9]


def test_the_bar_that_this_one_returns_to_is_recalled_first() -> None:
    weights = []
    for returns in ([None, None, 0], [None, None, 1], [None]):
        cache = Cache([0], 4, ORDER, returns=[returns])
        for _ in range(2):
            cache.attend(states(A))
            cache.add([{**WORD, "type": 2, "pitch": 1}])
            cache.attend(states(A))
            cache.add([{**WORD, "type": 1, "beat": BAR}])
        cache.attend(states(A))
        weights.append(cache.weights[0])
    first, second, none = weights
    np.testing.assert_allclose(first - none, [RETURN, RETURN, 0, 0])
    np.testing.assert_allclose(second - none, [0, 0, RETURN, RETURN])


def test_where_bars_are_imposed_the_cache_pulls_harder() -> None:
    cache = Cache([0, 0.5, 1], 4, ORDER)
    cache.attend(states(A, A, A))
    cache.add([{**WORD, "type": 1, "beat": BAR}] * 3)
    cache.attend(states(A, A, A))
    free, half, imposed = cache.weights[:, 0] - cache.own[:, 0]
    assert half == pytest.approx((free + imposed) / 2)
    assert imposed - free == pytest.approx(SENTINEL - recall.STEERED_SENTINEL)


def test_another_place_in_the_bar_counts_less() -> None:
    cache = Cache([0], 4, ORDER)
    for beat in (1, 5):
        cache.attend(states(A))
        cache.add([{**WORD, "type": 1, "beat": beat}])
    cache.attend(states(A))  # at tick 4; the words were led to from before the bar and tick 0
    assert float(cache.weights[0, 0]) == pytest.approx(SAME_BAR, abs=1e-5)
    cache.add([{**WORD, "type": 2}])
    cache.attend(states(A))  # still there
    assert float(cache.weights[0, 2]) == pytest.approx(SAME_BAR + SAME_PLACE, abs=1e-5)


def test_a_model_that_would_not_have_drawn_it_loses_weight() -> None:
    cache = filled([(A, {"type": 2, "pitch": 3})])
    cache.attend(states(A))
    cache.narrow("type", np.array([2]), np.array([[0.0, 0.5, 0.5]]))
    likely = cache.mixed(nothing_known(), "pitch")[0]
    cache.attend(states(A))
    cache.narrow("type", np.array([2]), np.array([[0.0, 0.9, 0.1]]))
    unlikely = cache.mixed(nothing_known(), "pitch")[0]
    # Odds of the word in the cache against the model's own pitch are five times as great.
    odds = [(p[3] - p[0]) / p[0] for p in (unlikely, likely)]
    assert odds[0] == pytest.approx(5 * odds[1])


def test_words_that_contradict_what_is_drawn_do_not_count() -> None:
    cache = filled([(A, {"type": 1, "pitch": 3}), (B, {"type": 2, "pitch": 1})])
    assert mixture(cache, A, type=2).argmax() == 1
    uniform = nothing_known()[0]
    np.testing.assert_allclose(mixture(cache, A, type=0), uniform)


def test_an_empty_cache_leaves_the_model_alone() -> None:
    uniform = nothing_known()[0]
    np.testing.assert_allclose(mixture(filled([]), A, type=1), uniform)


def test_the_oldest_words_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recall, "SPAN", 3)
    cache = filled([(A, {"type": 2, "pitch": pitch}) for pitch in (3, 1, 2, 1)])
    assert cache.words["pitch"][0].tolist() == [1, 1, 2]
    assert mixture(cache, A)[3] == mixture(cache, A)[0]
    assert cache.runs[0].tolist() == [0, 0, 1]


def test_songs_are_apart() -> None:
    cache = Cache([0, 0], 4, ORDER)
    cache.attend(states(A, A))
    cache.add([{**WORD, "type": 2, "pitch": 3}, {**WORD, "type": 2, "pitch": 1}])
    cache.attend(states(A, A))
    assert cache.mixed(nothing_known(2), "pitch").argmax(-1).tolist() == [3, 1]
    cache.rows([1])
    cache.attend(states(A))
    assert cache.mixed(nothing_known(), "pitch").argmax(-1).tolist() == [1]


@pytest.mark.parametrize(("instrument", "pitch"), [("Bass", 42), ("Drums", 40)])
def test_a_figure_goes_on_over_another_chord(instrument: str, pitch: int) -> None:
    """Of notes over A, then over B; drums stay."""
    chords = [Chord(9), Chord(9), Chord(11, "m"), Chord(11, "m")]
    cache = Cache([0], 4, ORDER, moves=[moves(chords, Key(9))])
    player = {**WORD, "instr_type": INSTRUMENT_CLASS[instrument]}
    beat, note = {**player, "type": 1, "beat": 1}, {**player, "type": 2, "pitch": 40}
    for word in (beat, note, {**WORD, "type": 1, "beat": BAR}, beat):
        cache.attend(states(A))
        cache.add([word])
    cache.attend(states(A))
    for name in ("type", "beat", "instr_type"):
        cache.narrow(name, np.array([note[name]]), nothing_known())
    mixed = cache.mixed(nothing_known(classes=60), "pitch")
    assert int(mixed.argmax()) == pitch
    cache.add([{**note, "pitch": pitch}])
    assert cache.runs[0, 2] > cache.runs[0, 1]  # the figure returns
