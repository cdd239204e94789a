"""Fit the weights of `cmt.decoding`, of harmony and recall: how music agrees with itself.

    runs/fit_decoding.py exp/default dataset/default.npz

Prints the fitted weights, and the loss per word (nats) on songs that were fitted and on those that
are held out: of the model alone, with harmony and recall as they are, and as fitted. Minutes on
one core.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from cmt.decoding import harmony, recall
from cmt.decoding.harmony import Harmony, of_pitches
from cmt.model import checkpoint
from cmt.model.encoding import initial_tokens, model_words
from cmt.model.network import CMT
from cmt.music.dataset import Dataset, read_dataset
from cmt.music.vocabulary import (
    BAR,
    DRUMS,
    FIELD,
    INITIAL_TOKENS,
    MODEL_COLUMN,
    NOTE,
    TICKS_PER_BAR,
)
from cmt.script import between, parser, run_script
from cmt.training.held_out import split

WORDS = 1400  # of each song, so that all pairs of them fit in memory
STEPS, RATE = 60, 0.15


@dataclass(frozen=True)
class Pairs:
    """Of each word of a song (rows) and each before it (columns), what the weights depend on.

    Attributes:
        rest: (words,) log-probability that the model gives to each word, but for its pitch.
        pitch: (words, classes) what it gives to each pitch, logarithms.
        target: (words, 1) each word's class of the pitch field.
        harmony: (words, 2, classes), the features of `cmt.decoding.harmony`; 0 where there is no
            pitch, or a drum's.
        cosine, runs, same_place, lags: (words, words), see `cmt.decoding.recall`; lags by index of
            LAGS, the last for the same bar.
        equal: (words, words), whether it is the same word.
        past: (words, words), whether it comes before.
    """

    rest: Tensor
    pitch: Tensor
    target: Tensor
    harmony: Tensor
    cosine: Tensor
    runs: Tensor
    same_place: Tensor
    lags: Tensor
    equal: Tensor
    past: Tensor


@torch.no_grad()
def pairs(model: CMT, data: Dataset, song: int) -> Pairs:
    """What the weights of a song's words depend on."""
    about = data.metadata[song]
    rows = model_words(data.words[song][: WORDS + 1], model.vocabulary)
    words = torch.from_numpy(rows).long().unsqueeze(0)
    read, following = words[:, :-1], words[0, 1:]
    model.reserve(int(words[..., MODEL_COLUMN["i_beat"]].max()) + 1)
    initial = torch.from_numpy(initial_tokens(about.get("genre"), about["instruments"]))
    hidden = model.hidden(read, initial.unsqueeze(0))[0, INITIAL_TOKENS:]
    logits = model.logits(hidden, following)
    rest = torch.zeros(len(hidden))
    for field in model.vocabulary.predicted:
        if field.name != "pitch":
            rest += said(logits[field.name], following[:, [MODEL_COLUMN[field.name]]])

    def same(names: Sequence[str]) -> Tensor:
        values = following[:, [MODEL_COLUMN[name] for name in names]]
        return (values.unsqueeze(1) == values).all(-1)

    past = torch.ones(len(hidden), len(hidden)).tril(-1).bool()
    agree = same(recall.AGREEING)
    runs = torch.zeros(len(hidden), len(hidden))
    for row in range(1, len(hidden)):
        runs[row, 1:row] = (runs[row - 1, : row - 1] + 1) * agree[row - 1, : row - 1]
    tick = read[0, :, MODEL_COLUMN["i_beat"]]
    is_bar = read[0, :, MODEL_COLUMN["beat"]] == BAR
    place = torch.where(is_bar, recall.BEFORE_BAR, tick % TICKS_PER_BAR)
    bar = tick // TICKS_PER_BAR
    ago = (bar.unsqueeze(1) - bar).clamp(min=0)
    lags = torch.zeros_like(ago)
    for index, divisor in enumerate(sorted(recall.LAGS)):
        lags[ago % divisor == 0] = index
    lags[ago == 0] = len(recall.LAGS)
    state = F.layer_norm(hidden, hidden.shape[-1:]) / hidden.shape[-1] ** 0.5
    return Pairs(
        rest,
        logits["pitch"].log_softmax(-1),
        following[:, [MODEL_COLUMN["pitch"]]],
        features(following.numpy()),
        state @ state.T,
        runs.clamp(max=recall.LONGEST_RUN),
        place.unsqueeze(1) == place,
        lags,
        same([field.name for field in model.vocabulary.predicted]) & past,
        past,
    )


def said(logits: Tensor, target: Tensor) -> Tensor:
    """Log-probability (words,) of classes (words, 1), from logits (words, classes).

    Class 0, that words of this type have no such attribute, is known to the loop.
    """
    return torch.where(target > 0, logits.log_softmax(-1).gather(-1, target), 0)[:, 0]


def features(words: NDArray[np.int64]) -> Tensor:
    """Of words (words, fields) the features of harmony that each is written under, by pitch."""
    type_, pitch, duration, instrument, tick = (
        words[:, MODEL_COLUMN[name]]
        for name in ("type", "pitch", "duration", "instr_type", "i_beat")
    )
    present = Harmony()
    result = np.zeros((len(words), 2, FIELD["pitch"].size), np.float32)
    for word in np.flatnonzero((type_ == NOTE) & (instrument != DRUMS)):
        result[word] = of_pitches(present.features(tick[word]), FIELD["pitch"].size)
        present.add(pitch[word] - 1, tick[word], duration[word] - 1)
    return torch.from_numpy(result)


def own(song: Pairs, weights: dict[str, Tensor]) -> Tensor:
    """Log-probability (words,) of each word under the model, corrected by harmony."""
    agreement = torch.stack([weights["SOUNDING"], weights["HEARD"]]) @ song.harmony
    return song.rest + said(song.pitch + agreement, song.target)


def losses(song: Pairs, weights: dict[str, Tensor]) -> Tensor:
    """Negative log-likelihood of each word (words,) under the mixture of model and cache."""
    score = (
        weights["FOCUS"] * (song.cosine - 1)
        + weights["RUN"] * song.runs
        + weights["SAME_PLACE"] * song.same_place
        + weights["LAGS"][song.lags]
    )
    sentinel = weights["SENTINEL"].expand(len(score))
    total = torch.logaddexp(sentinel, score.masked_fill(~song.past, -torch.inf).logsumexp(-1))
    equal = score.masked_fill(~song.equal, -torch.inf).logsumexp(-1)
    return total - torch.logaddexp(sentinel + own(song, weights), equal)


def present_weights() -> dict[str, Tensor]:
    """The weights of `cmt.decoding` as they are, of songs without control."""
    lags = [*(recall.LAGS[divisor] for divisor in sorted(recall.LAGS)), recall.SAME_BAR]
    return {
        "SOUNDING": torch.tensor(harmony.SOUNDING),
        "HEARD": torch.tensor(harmony.HEARD),
        "SENTINEL": torch.tensor(recall.SENTINEL),
        "FOCUS": torch.tensor(recall.FOCUS),
        "RUN": torch.tensor(recall.RUN),
        "SAME_PLACE": torch.tensor(recall.SAME_PLACE),
        "LAGS": torch.tensor(lags),
    }


def main(argv: list[str] | None = None) -> None:
    """Fit, and print the weights."""
    options = parser(__doc__)
    options.add_argument("checkpoint", type=Path)
    options.add_argument(
        "data", type=Path, help="npz that the model was trained on, with songs held out"
    )
    options.add_argument(
        "--seed", type=between(0, kind=int), default=0, help="of the choice of songs"
    )
    args = options.parse_args(argv)
    model, _ = checkpoint.load(args.checkpoint)
    data = read_dataset(args.data)
    # What the model has learned by heart it need not recall: fitted to songs that it has not.
    _, held_out = split(data.metadata, 0.05, args.seed)
    chosen, held_out = held_out[::2], held_out[1::2]
    fitted, others = ([pairs(model, data, song) for song in songs] for songs in (chosen, held_out))

    weights = present_weights()
    for value in weights.values():
        value.requires_grad_()
    present = {name: value.detach().clone() for name, value in weights.items()}
    none = {name: torch.zeros_like(value) for name, value in present.items()}
    optimizer = torch.optim.Adam(weights.values(), lr=RATE)
    for _ in range(STEPS):
        for song in fitted:
            (losses(song, weights).mean() / len(fitted)).backward()
        optimizer.step()
        optimizer.zero_grad()
    with torch.no_grad():
        for name, songs in (("fitted", fitted), ("held out", others)):
            alone, agreeing = (
                -torch.cat([own(song, each) for song in songs]).mean() for each in (none, present)
            )
            recalling, fit = (
                torch.cat([losses(song, each) for song in songs]).mean()
                for each in (present, weights)
            )
            print(
                f"{name:9} {len(songs):3} songs: model {alone:.3f}, with harmony {agreeing:.3f},"
                f" and recall {recalling:.3f}, fitted {fit:.3f}"
            )
    for name, value in weights.items():
        print(name, np.round(value.detach().numpy(), 2).tolist())
    print("LAGS are of", sorted(recall.LAGS), "bars, and of the same bar")


if __name__ == "__main__":
    sys.exit(run_script(main))
