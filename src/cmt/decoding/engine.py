"""The model's steps, batched over songs: what is drawn is read, and the past never again.

Source: paper section 4.3, Algorithm 1; original: model.py, inference_from_scratch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from cmt.control import Control
from cmt.decoding import exact, original
from cmt.decoding.drawing import Drawing, GuidedLoop, Plain, Recalling
from cmt.decoding.guidance import Reader, reader
from cmt.decoding.loop import Loop
from cmt.decoding.recall import Cache
from cmt.decoding.style import Style
from cmt.form import Form, make_form
from cmt.model.encoding import Word, data_words, initial_tokens, model_words
from cmt.model.network import CMT, losses
from cmt.model.products import one_thread
from cmt.music.figures import moves
from cmt.music.keys import Key
from cmt.music.vocabulary import EOS, INSTRUMENT_CLASS, MODEL_COLUMN, TICKS_PER_BAR
from cmt.plan import MIN_STRENGTH, Plan, thinned
from cmt.theme import Theme, with_theme

# Is told the share that is done, 0 … 1; what it raises ends the work.
Progress = Callable[[float], None]


@dataclass(frozen=True)
class Take:
    """One decoded piece.

    Attributes:
        words: (length, columns) rows in the data set's columns, EOS included.
        seed: of this take; it alone gives the same take again.
        plan: what was asked of it.
        form: its sections and chords; None where they were left to the model.
    """

    words: NDArray[np.int64]
    seed: int
    plan: Plan
    form: Form | None = None


@torch.inference_mode()
def generate(
    model: CMT,
    control: Control,
    plan: Plan,
    *,
    songs: int = 1,
    degree: float = 1.0,
    loop: str = "exact",
    min_strength: int = MIN_STRENGTH,
    style: Style = Style(),
    theme: Theme | None = None,
    seed: int = 0,
    precision: str = "float32",
    until: float = math.inf,
    progress: Progress | None = None,
) -> list[Take]:
    """Make music for the rhythm of a video.

    Args:
        model: in evaluation mode.
        control: what the video asks for.
        plan: the same, bar by bar, from `cmt.plan.make_plan`.
        songs: number of takes, decoded as one batch.
        degree: control degree C, 0 … 1 (Algorithm 1).
        loop: one of `cmt.decoding.LOOPS`.
        min_strength: visual beats below it are dropped; of "original", whose plan is its own.
        style: what is asked besides rhythm; of it "original" takes the genre alone, pop by
            default.
        theme: melody of the first section; of "exact".
        seed: of the first take; take k has seed + k, whatever the number of takes.
        precision: of the model's weights, as in `cmt.model.products.product`. Other than in
            float32, the songs of a batch are rounded together, so that a take made again alone may
            differ.
        until: tick; bars that begin there or later are not made.
        progress: see `decode`.
    """
    fast = reader(model, precision, style)
    rngs = [np.random.RandomState(seed + index) for index in range(songs)]
    if loop == "original":
        batch = _original(fast, rngs, control, plan, degree, min_strength, style)
    else:
        batch = _exact(fast, rngs, control, plan, degree, style, theme)
    n_beat = control.n_beat
    decoded = decode(fast, batch.loops, batch.drawing, batch.initial, n_beat, progress, until)
    return [
        Take(data_words(words, n_beat, model.vocabulary), seed + index, asked, form)
        for index, (words, asked, form) in enumerate(
            zip(decoded, batch.plans, batch.forms, strict=True)
        )
    ]


@dataclass(frozen=True)
class _Batch:
    """Songs to be decoded together: their loops, plans, forms, and what they have in common."""

    loops: Sequence[Loop]
    plans: Sequence[Plan]
    forms: Sequence[Form | None]
    drawing: Drawing
    initial: torch.Tensor


def _exact(
    fast: Reader,
    rngs: Sequence[np.random.RandomState],
    control: Control,
    plan: Plan,
    degree: float,
    style: Style,
    theme: Theme | None,
) -> _Batch:
    drawn = [thinned(plan, degree, rng) for rng in rngs]
    planned = [
        with_form(plan, form_of(plan, style, rng, theme), style, theme)
        for plan, rng in zip(drawn, rngs, strict=True)
    ]
    plans, forms = [plan for plan, _ in planned], [form for _, form in planned]
    loops = [
        exact.ExactLoop(plan, control.n_beat, style, form)
        for plan, form in zip(plans, forms, strict=True)
    ]
    drawing, initial = guided(fast, loops, rngs, forms, style)
    return _Batch(loops, plans, forms, drawing, initial)


def guided(
    fast: Reader,
    loops: Sequence[GuidedLoop],
    rngs: Sequence[np.random.RandomState],
    forms: Sequence[Form],
    style: Style,
) -> tuple[Drawing, torch.Tensor]:
    """The drawing of songs whose sections return, and their initial tokens (songs, 7, 3)."""
    cache = Cache(
        fast.model.config.d_model,
        fast.model.vocabulary.drawn,
        [form.returns for form in forms],
        [moves(form.chords, form.key) for form in forms],
        [form.fills for form in forms],
    )
    sampling = exact.SAMPLING if fast.chained else exact.UNCHAINED_SAMPLING
    drawing = Recalling(fast, loops, rngs, cache, sampling)
    return drawing, torch.stack([_told(fast.model, style, form.key) for form in forms])


def with_form(plan: Plan, form: Form, style: Style, theme: Theme | None) -> tuple[Plan, Form]:
    """The plan and the form of a piece with its theme, if it has one."""
    if theme is None:
        return plan, form
    return with_theme(
        plan,
        form,
        theme,
        style.playing,
        ending=style.ending,
        wishes=style.sections,
        chords=bool(style.chords),
    )


def form_of(
    plan: Plan, style: Style, rng: np.random.RandomState, theme: Theme | None = None
) -> Form:
    """The form of a piece, as its style asks for; a theme's key is its, where no other is asked."""
    asked = style.chords or any(wish.chords for wish in style.sections)
    return make_form(
        plan,
        rng,
        key=style.key or (theme.key if theme and not asked else None),
        mode=style.mode,
        chords=style.chords,
        moods=style.progressions,
        ending=style.ending,
        wishes=style.sections,
        playing=[INSTRUMENT_CLASS[name] for name in style.playing],
    )


def _original(
    fast: Reader,
    rngs: Sequence[np.random.RandomState],
    control: Control,
    plan: Plan,
    degree: float,
    min_strength: int,
    style: Style,
) -> _Batch:
    loops = [original.OriginalLoop(control, degree, rng, min_strength) for rng in rngs]
    drawn = fast.model.vocabulary.drawn
    order = drawn if fast.chained else tuple(dict.fromkeys((*original.ORDER, *drawn)))
    drawing = Plain(fast, loops, rngs, order, original.SAMPLING)
    told = torch.from_numpy(initial_tokens(style.genre or "pop", style.playing))
    initial = told.expand(len(rngs), -1, -1)
    return _Batch(loops, [plan] * len(rngs), [None] * len(rngs), drawing, initial)


def _told(model: CMT, style: Style, key: Key | None) -> torch.Tensor:
    """The initial tokens (7, 3): style and key, as far as the model knows of such things."""
    known = key if model.config.has_keys else None
    return torch.from_numpy(initial_tokens(style.genre, style.playing, known))


@torch.inference_mode()
def decode(
    fast: Reader,
    loops: Sequence[Loop],
    drawing: Drawing,
    initial: torch.Tensor,
    n_beat: int,
    progress: Progress | None = None,
    until: float = math.inf,
) -> list[list[Word]]:
    """Decode songs together, one word per song at each step.

    Args:
        fast: the model.
        loops: one per song.
        drawing: of the same loops.
        initial: (songs, 7, 3) initial tokens.
        n_beat: ticks in each song.
        progress: is told how far the slowest song is.
        until: tick at which songs are left that have not ended.

    Returns:
        Per song its words.
    """
    device = fast.model.device
    # The original's rounding lets a song go on for half a percent after its last tick.
    fast.model.reserve(math.ceil(1.01 * n_beat) + TICKS_PER_BAR)
    fields = fast.model.vocabulary.fields
    songs = [[loop.first()] for loop in loops]
    active = list(range(len(loops)))
    end = min(n_beat, until)
    with one_thread(), tqdm(total=end, unit="tick", disable=None) as bar:
        state = fast.start(initial.to(device))
        while active:
            rows = [[songs[song][-1][field.name] for field in fields] for song in active]
            words = drawing.draw(fast.step(torch.tensor(rows, device=device), state))
            going_on = []
            for row, (song, word) in enumerate(zip(active, words, strict=True)):
                taken = loops[song].take(word)
                if taken is not None and loops[song].tick < until:
                    songs[song].append(taken)
                    if taken["type"] != EOS:
                        going_on.append(row)
            if len(going_on) < len(active):
                kept = torch.tensor(going_on, dtype=torch.int64, device=device)
                state = fast.kept(state, kept)
                drawing.keep(going_on)
                active = [active[row] for row in going_on]
            done = min((loops[song].tick for song in active), default=end)
            bar.update(max(0, done - bar.n))
            if progress:
                progress(min(done / end, 1))
    return songs


@torch.inference_mode()
def log_likelihood(
    model: CMT, words: NDArray[np.int64], style: Style = Style(), since: int = 1
) -> float:
    """How likely the model finds a piece: mean over words and attributes, in nats, ≤ 0.

    The negative of the training loss, so that pieces of different length compare.

    Args:
        model: in evaluation mode.
        words: (length, columns) rows in the data set's columns, EOS included.
        style: whose genre and instruments the model is told.
        since: row of the first word that counts; those before it are given.
    """
    classes = torch.from_numpy(model_words(words, model.vocabulary))
    rows = classes.to(model.device, torch.int64).unsqueeze(0)
    model.reserve(int(rows[..., MODEL_COLUMN["i_beat"]].max()) + 1)
    initial = _told(model, style, style.key).to(model.device)
    inputs, targets = rows[:, :-1], rows[:, 1:]
    logits = model(inputs, initial.unsqueeze(0), targets)
    mask = torch.ones(targets.shape[:2], device=model.device)
    mask[:, : max(since - 1, 0)] = 0
    return -float(torch.stack(list(losses(logits, targets, mask).values())).mean())
