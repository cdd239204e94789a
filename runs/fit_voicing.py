"""Fit the weights of `cmt.decoding.voicing`: which notes suit which chords.

    runs/fit_voicing.py exp/default dataset/default.npz > src/cmt/decoding/voicing.csv

Writes the table, and to the terminal the weights beside it and the loss per pitched note (nats) on
songs that were fitted and on those that are held out: of the model alone, and with chords,
which are found in the songs. Minutes on one core.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cmt.decoding import voicing
from cmt.decoding.voicing import KINDS, ROLES, Voicing
from cmt.form import Form
from cmt.model import checkpoint
from cmt.model.encoding import initial_tokens, model_words
from cmt.model.network import CMT
from cmt.music.chords import find_chords
from cmt.music.dataset import read_dataset
from cmt.music.keys import PITCH_CLASSES, find_key
from cmt.music.vocabulary import DRUMS, FIELD, INITIAL_TOKENS, MODEL_COLUMN, NOTE
from cmt.music.words import Song, words_to_song
from cmt.script import between, parser, run_script
from cmt.training.held_out import split

WORDS = 1400  # of each song
STEPS, RATE = 80, 0.15
RIDGE = 5.0  # notes' worth of doubt about a weight that differs from 0 by a nat
COLUMNS = ("who", "quality", *map(str, range(PITCH_CLASSES)))


@dataclass(frozen=True)
class Notes:
    """Pitched notes, and what their weights depend on.

    Attributes:
        pitch: (notes, classes) logarithms of what the model gives to each pitch.
        target: (notes, 1) each note's class of the pitch field.
        role, kind, root: (notes,) of the player and the chord, as in `cmt.decoding.voicing`.
        outside: (notes, 12), whether a pitch class is in neither the chord nor the key.
    """

    pitch: Tensor
    target: Tensor
    role: Tensor
    kind: Tensor
    root: Tensor
    outside: Tensor


def form_of(song: Song) -> Form | None:
    """The key and the chords of a song; None where it has no pitches."""
    chords = find_chords(song)
    first = next((chord for chord in chords if chord is not None), None)
    weights = np.bincount(
        song.pitched["pitch"] % PITCH_CLASSES, song.pitched["duration"], PITCH_CLASSES
    ).astype(np.float64)
    key = find_key(weights)
    if first is None or key is None:
        return None
    return Form(key, (), tuple(chord or first for chord in chords))


@torch.no_grad()
def notes(model: CMT, words: np.ndarray, genre: str | None, instruments: list[str]) -> Notes | None:
    """Of a song's words its pitched notes; None where it has none."""
    form = form_of(words_to_song(words))
    if form is None:
        return None
    rows = torch.from_numpy(model_words(words[: WORDS + 1], model.vocabulary)).long().unsqueeze(0)
    read, following = rows[:, :-1], rows[0, 1:]
    model.reserve(int(rows[..., MODEL_COLUMN["i_beat"]].max()) + 1)
    key = form.key if model.config.has_keys else None
    initial = torch.from_numpy(initial_tokens(genre, instruments, key)).unsqueeze(0)
    hidden = model.hidden(read, initial)[0, INITIAL_TOKENS:]
    types = following[:, MODEL_COLUMN["type"]]
    places = (types == NOTE) & (following[:, MODEL_COLUMN["instr_type"]] != DRUMS)
    logits = model.logits(hidden[places], following[places])["pitch"]
    chords = Voicing(form)
    about, outside = [], []
    for row in following[places].tolist():
        instrument, tick = (row[MODEL_COLUMN[name]] for name in ("instr_type", "i_beat"))
        chord = form.chord(tick)
        about.append((chords.role(instrument, tick), voicing.kind(chord), chord.root))
        outside.append(chords.outside(tick))
        chords.add(instrument, tick)
    if not about:
        return None
    role, kind, root = torch.tensor(about).unbind(-1)
    return Notes(
        logits.log_softmax(-1),
        following[places][:, [MODEL_COLUMN["pitch"]]],
        role,
        kind,
        root,
        torch.from_numpy(np.array(outside, np.float32)),
    )


def joined(songs: Iterable[Notes]) -> Notes:
    """The notes of several songs."""
    fields = list(Notes.__annotations__)
    songs = list(songs)
    return Notes(*(torch.cat([getattr(song, name) for song in songs]) for name in fields))


def loss(songs: Notes, weights: dict[str, Tensor]) -> Tensor:
    """Negative log-likelihood of each note (notes,)."""
    above = (torch.arange(PITCH_CLASSES) - songs.root.unsqueeze(1)) % PITCH_CLASSES
    agreement = weights["TABLE"][songs.role, songs.kind].gather(-1, above)
    agreement = agreement + weights["OUTSIDE"] * songs.outside
    classes = (torch.arange(FIELD["pitch"].size) - 1) % PITCH_CLASSES  # as `of_pitches` has them
    logits = songs.pitch + agreement[:, classes]
    return -logits.log_softmax(-1).gather(-1, songs.target)[:, 0]


def present_weights() -> dict[str, Tensor]:
    """The weights of `cmt.decoding` as they are."""
    return {
        "OUTSIDE": torch.tensor(voicing.OUTSIDE),
        "TABLE": torch.from_numpy(voicing.table().astype(np.float32)),
    }


def fit(songs: Notes, start: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights, fitted."""
    weights = {name: value.clone().requires_grad_() for name, value in start.items()}
    optimizer = torch.optim.Adam(list(weights.values()), lr=RATE)
    for _ in range(STEPS):
        doubt = RIDGE / 2 * (weights["TABLE"] ** 2).sum() / len(songs.target)
        (loss(songs, weights).mean() + doubt).backward()
        optimizer.step()
        optimizer.zero_grad()
    return {name: value.detach() for name, value in weights.items()}


def main(argv: list[str] | None = None) -> None:
    """Fit, and write the table."""
    options = parser(__doc__)
    options.add_argument("checkpoint", type=Path)
    options.add_argument("data", type=Path, help="npz that holds out songs of the training")
    options.add_argument(
        "--seed", type=between(0, kind=int), default=0, help="of the choice of songs"
    )
    args = options.parse_args(argv)
    model, _ = checkpoint.load(args.checkpoint)
    data = read_dataset(args.data)
    # What the model has learned by heart tells nothing of chords: fitted to songs that it has not.
    _, held_out = split(data.metadata, 0.05, args.seed)
    chosen, held_out = held_out[::2], held_out[1::2]

    def of(songs: Iterable[int]) -> Notes:
        found = (
            notes(model, data.words[song], about.get("genre"), about["instruments"])
            for song, about in ((song, data.metadata[song]) for song in songs)
        )
        return joined(each for each in found if each is not None)

    fitted, others = of(chosen), of(held_out)
    zero = {name: torch.zeros_like(value) for name, value in present_weights().items()}
    weights = fit(fitted, zero)
    tables = {"model": zero, "chords": weights, "as it is": present_weights()}
    for name, songs in (("fitted", fitted), ("held out", others)):
        with torch.no_grad():
            each = {table: loss(songs, values) for table, values in tables.items()}
        for part, roles in (("bass", "Bass"), ("others", "Piano Guitar Strings")):
            mine = torch.tensor([ROLES[role].split(",")[0] in roles for role in songs.role])
            told = ", ".join(f"{table} {value[mine].mean():.3f}" for table, value in each.items())
            print(f"{name:9} {part:7} {int(mine.sum()):6} notes: {told}", file=sys.stderr)
    print("OUTSIDE", round(float(weights["OUTSIDE"]), 2), file=sys.stderr)
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(COLUMNS)
    for role, rows in zip(ROLES, weights["TABLE"].numpy(), strict=True):
        for quality, row in zip(KINDS, rows, strict=True):
            out.writerow([role, quality, *(f"{weight:.2f}" for weight in row)])


if __name__ == "__main__":
    sys.exit(run_script(main))
