"""What is fitted is what decodes: the weights of harmony and recall mean the same in both."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import torch
from scipy.special import softmax

from cmt.decoding import harmony
from cmt.decoding.harmony import Harmony
from cmt.decoding.recall import Cache
from cmt.model.encoding import initial_tokens, model_words
from cmt.model.network import CMT
from cmt.music.dataset import Dataset
from cmt.music.vocabulary import (
    FIELDS,
    INITIAL_TOKENS,
    INSTRUMENT_CLASS,
    INSTRUMENTS,
    NOTE,
    PUBLISHED,
)
from cmt.music.words import NOTE_DTYPE, Song, song_to_words

SCRIPT = Path(__file__).parents[1] / "runs" / "fit_decoding.py"


def repeating_song() -> Song:
    """Six bars of all instruments and few pitches, every other one the same."""
    rng = np.random.default_rng(0)
    two_bars = {  # (tick, instrument, pitch) → duration
        (int(tick), int(rng.integers(1, 6)), int(rng.integers(60, 66))): int(rng.integers(1, 24))
        for tick in rng.integers(0, 32, 24)
    }
    notes = [
        (tick + 32 * again, pitch, duration, instrument)
        for again in range(3)
        for (tick, instrument, pitch), duration in sorted(two_bars.items())
    ]
    return Song(np.array(notes, NOTE_DTYPE), 96)


@torch.no_grad()
def decoded_losses(model: CMT, words: np.ndarray) -> list[float]:
    """Of each word after the first, as `cmt.decoding` draws it: attribute by attribute.

    What words of its type have not is not drawn.
    """
    rows = torch.from_numpy(model_words(words)).long().unsqueeze(0)
    initial = torch.from_numpy(initial_tokens(None, [i.name for i in INSTRUMENTS])).unsqueeze(0)
    hidden = model.hidden(rows[:, :-1], initial)[0, INITIAL_TOKENS:]
    cache, present, result = Cache([0], model.config.d_model, PUBLISHED.drawn), Harmony(), []
    for state, row in zip(hidden, rows[0, 1:].tolist(), strict=True):
        word = dict(zip([field.name for field in FIELDS], row, strict=True))
        logits = model.attribute_logits(state, torch.tensor(word["type"]))
        logits["type"] = model.type_logits(state)
        pitched = word["type"] == NOTE and word["instr_type"] != INSTRUMENT_CLASS["Drums"]
        cache.attend(state.numpy()[None])
        loss = 0.0
        for name in filter(word.__getitem__, PUBLISHED.drawn):
            given = softmax(logits[name].double().numpy())
            if name == "pitch" and pitched:
                features = present.features(word["i_beat"])
                weights = np.exp((harmony.SOUNDING, harmony.HEARD) @ features)
                given = given * harmony.of_pitches(weights, len(given))
                given /= given.sum()
            loss -= np.log(cache.mixed(given[None], name)[0, word[name]])
            cache.narrow(name, np.array([word[name]]), given[None])
        cache.add([word])
        if pitched:
            present.add(word["pitch"] - 1, word["i_beat"], word["duration"] - 1)
        result.append(loss)
    return result


def test_what_is_fitted_is_the_likelihood_of_what_is_drawn(small_model: CMT) -> None:
    script = runpy.run_path(str(SCRIPT))
    words = song_to_words(repeating_song())
    about = {"instruments": [instrument.name for instrument in INSTRUMENTS]}
    pairs = script["pairs"](small_model, Dataset([words], [about]), 0)
    fitted = script["losses"](pairs, script["present_weights"]())
    drawn = decoded_losses(small_model, words)
    # The last word, which ends the song, has a type alone, of class 0.
    np.testing.assert_allclose(fitted.numpy()[:-1], drawn[:-1], rtol=1e-3)
