"""Controlled decoding: a small state machine per song, the model's steps batched over songs.

At each word a loop says which classes are allowed, the engine samples among them, and the loop
takes the result. `ExactLoop` lets the model choose freely among the words that can still
satisfy the plan; `OriginalLoop` is the published program, for comparison.
Source: paper section 4.3, Algorithm 1; original: model.py, inference_from_scratch.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax
from tqdm import tqdm

from cmt.encoding import Word, data_words, initial_tokens, model_words
from cmt.fast import FastCMT
from cmt.harmony import HEARD, SOUNDING, Harmony, of_pitches
from cmt.keys import PITCH_CLASSES, Key, find_key
from cmt.model import CMT, losses
from cmt.plan import MIN_STRENGTH, BarPlan, make_plan, thinned
from cmt.recall import Cache
from cmt.sampling import sample
from cmt.vocabulary import (
    BAR,
    EOS,
    FIELD,
    FIELDS,
    INSTRUMENT_CLASS,
    INSTRUMENTS,
    MAX_DURATION,
    METRICAL,
    MODEL_COLUMN,
    NOTE,
    TICKS_PER_BAR,
)

Mask = NDArray[np.bool_]
# What the model's heads say of a song's next word: field name → probability of each class.
Heads = Mapping[str, NDArray[np.float64]]
Progress = Callable[[int, int], None]

# The original's order of drawing: each attribute may depend on those before it.
ORDER = ("type", "beat", "pitch", "duration", "instr_type", "strength", "density")
NOTHING = dict.fromkeys(ORDER, 0)  # a word without attributes
FLOOR = 0.01  # share of a probability that a correction leaves at least
LAST_TIME_CLASS = FIELD["p_beat"].size - 1
DRUMS, BASS = INSTRUMENT_CLASS["Drums"], INSTRUMENT_CLASS["Bass"]


@dataclass(frozen=True)
class Style:
    """What is asked of a whole piece, besides its rhythm.

    Attributes:
        genre: a name of GENRES; None is any.
        instruments: names of those that play, each at least once where the rhythm has room;
            None lets the model choose among all.
        beat_instruments: names of those that may play the simu-note on a visual beat; None is
            all that play.
        key: whose scale the pitched instruments keep to; None is whatever comes.
        ending: whether the last bar resolves: the pitched instruments of the bar before meet on
            its downbeat in the tonic chord, held to the end, and keep to that chord.
    """

    genre: str | None = None
    instruments: tuple[str, ...] | None = None
    beat_instruments: tuple[str, ...] | None = None
    key: Key | None = None
    ending: bool = True

    @property
    def playing(self) -> tuple[str, ...]:
        """Names of the instruments that may play."""
        return self.instruments or tuple(INSTRUMENT_CLASS)

    @property
    def on_beats(self) -> frozenset[int]:
        """Classes of the instruments that may play a visual beat's simu-note."""
        names = self.beat_instruments or self.playing
        return frozenset(INSTRUMENT_CLASS[name] for name in names)

    @property
    def max_strength(self) -> int:
        """Notes that a visual beat can have."""
        return max(INSTRUMENTS[label - 1].max_strength for label in self.on_beats)


@dataclass(frozen=True)
class Sampling:
    """Temperature and nucleus of one attribute; see `cmt.sampling.sample`."""

    temperature: float = 1.0
    nucleus: float | None = None


class Loop(Protocol):
    """One song in the making."""

    order: ClassVar[tuple[str, ...]]  # in which the attributes are drawn, the type first
    sampling: ClassVar[Mapping[str, Sampling]]
    recalls: ClassVar[bool]  # whether what the song has said so far is looked up
    controlled: float  # share of the bars whose density is imposed
    n_beat: int

    def first(self) -> Word:
        """The first word."""

    def allowed(self, name: str, word: Word) -> Mask:
        """Classes that field `name` may have given the fields drawn before."""

    def given(self, name: str, word: Word, heads: Heads) -> NDArray[np.float64]:
        """The probabilities of field `name` given the fields drawn before; if `recalls`."""

    def take(self, word: Word) -> Word | None:
        """Replace or complete the word drawn; None ends the song without it."""

    @property
    def tick(self) -> int:
        """How far the song is."""


@functools.cache
def only(name: str, *classes: int) -> Mask:
    """Mask that allows some classes of a field; the same array each time, not to be written to."""
    mask = np.zeros(FIELD[name].size, bool)
    mask[list(classes)] = True
    mask.flags.writeable = False
    return mask


class ExactLoop:
    """Decoding that satisfies a plan exactly and is free in everything else.

    A bar word announces its density; beat words then count it down. What is allowed next:
    after a beat word of strength s, exactly s notes of its instrument, all of different pitch;
    then another instrument on the same tick; a later tick, as long as the onsets that are left
    and the visual beats ahead still fit; the next bar, or the end, when no onset is left. The
    first simu-note on a visual beat has its strength.

    Args:
        plan: per bar what is asked, from `make_plan`.
        n_beat: ticks in the song.
        style: what is asked of the whole piece.
    """

    # Who plays comes before what is played.
    order: ClassVar[tuple[str, ...]] = (
        "type",
        "beat",
        "instr_type",
        "pitch",
        "duration",
        "strength",
        "density",
    )
    recalls: ClassVar[bool] = True
    # The model's own distributions, without the original's temperatures: masks already vary what
    # is drawn. Unlikely tails are cut only where a wrong choice is heard; most of all of the beat,
    # as an onset drawn too late forces the bar's other onsets into what is left of it. Chords are
    # made somewhat fuller, as a piece that goes on from its own grows thinner than real music.
    sampling: ClassVar[Mapping[str, Sampling]] = {
        "type": Sampling(),
        "beat": Sampling(nucleus=0.72),
        "instr_type": Sampling(),
        "pitch": Sampling(),
        "duration": Sampling(nucleus=0.92),
        "strength": Sampling(temperature=1.3),
        "density": Sampling(),
    }

    def __init__(self, plan: Sequence[BarPlan], n_beat: int, style: Style = Style()) -> None:
        self.plan = plan
        self.n_beat = n_beat
        self.style = style
        self.playing = frozenset(INSTRUMENT_CLASS[name] for name in style.playing)
        # Instruments that were asked for and have not been heard.
        self.missing = set(self.playing) if style.instruments else set()
        self.controlled = sum(bar.density is not None for bar in plan) / len(plan)
        # The last bar that is not asked to be silent.
        self.closing = max((i for i, bar in enumerate(plan) if bar.density != 0), default=-1)
        self.heard: set[int] = set()  # pitched instruments in this bar
        self.due: set[int] = set()  # those that have yet to join the final chord
        self.pitch_classes = np.zeros(PITCH_CLASSES)  # ticks that each has sounded
        self.harmony = Harmony()
        self.final_key: Key | None = None  # of the last bar, once it has begun
        self.bar = 0
        self.position = -1  # tick in the bar; −1 before its first onset
        self.left = plan[0].density or 0  # onset positions still to come in this bar
        self.used: set[int] = set()  # instruments at this tick
        self.instrument = 0  # of the simu-note being written
        self.notes_left = 0
        self.pitches: set[int] = set()

    @property
    def tick(self) -> int:
        """How far the song is."""
        return self.bar * TICKS_PER_BAR + max(self.position, 0)

    def first(self) -> Word:
        """The first bar word."""
        return self._timed({**NOTHING, "type": METRICAL, "beat": BAR, "density": self.left + 1})

    def allowed(self, name: str, word: Word) -> Mask:
        """Classes that can still satisfy the plan."""
        if name == "type":
            return self._types()
        if word["type"] == EOS:
            return only(name, 0)
        if word["type"] == NOTE:
            return self._note(name)
        if name == "beat":
            return only(name, *self._beats())
        if name in ("pitch", "duration"):
            return only(name, 0)
        if word["beat"] == BAR:
            return self._bar_density() if name == "density" else only(name, 0)
        return self._simu_note(name, word)

    def _types(self) -> Mask:
        if self.notes_left:
            return only("type", NOTE)
        beats = self._beats()
        types = [METRICAL] if beats else []
        # Whoever must still be heard joins the last onset, if there is one.
        waiting = (self.missing | self.due) - self.used if self.position >= 0 else ()
        if self.bar == len(self.plan) - 1 and not self.left and not waiting:
            types.append(EOS)
        return only("type", *types)

    def _beats(self) -> list[int]:
        """Beat classes: this tick again, a later one, the next bar."""
        ahead = [tick for tick in self.plan[self.bar].strengths if tick > self.position]
        others = self.playing - self.used
        waiting = others & (self.missing | self.due)
        same = self.position >= 0 and (bool(waiting) or max(others, default=0) > self.instrument)
        if same and self.due:
            return [self.position + 1]
        beats = [self.position + 1] if same else []
        if self.left:
            # Onsets that are not visual beats must leave room for those that are.
            latest = self.plan[self.bar].ticks - self.left
            if ahead:
                latest = min(latest, min(ahead))
            later = [
                tick + 1
                for tick in range(self.position + 1, latest + 1)
                if tick in ahead or self.left > len(ahead)
            ]
            if self.final_key and self.position < 0 and 1 in later:
                return [1]
            beats += later
        elif self.bar < len(self.plan) - 1:
            beats.append(BAR)
        return beats

    def _note(self, name: str) -> Mask:
        if name == "instr_type":
            return only(name, self.instrument)
        if name not in ("pitch", "duration"):
            return only(name, 0)
        mask = np.ones(FIELD[name].size, bool)
        mask[0] = False
        pitched = self.instrument != DRUMS
        if name == "duration":
            mask[1] = False  # a note of no length
            if pitched and self.final_key and self.position == 0:
                mask[: min(self.plan[self.bar].ticks, MAX_DURATION) + 1] = False
            return mask
        mask[list(self.pitches)] = False
        if pitched and (classes := self._pitch_classes()):
            mask[1:] &= np.isin(np.arange(mask.size - 1) % PITCH_CLASSES, classes)
        return mask

    def _pitch_classes(self) -> list[int] | None:
        """Pitch classes that pitched instruments may play; None is all."""
        if self.final_key:
            chord = self.final_key.chord
            # The chord stands on its root.
            return chord[:1] if self.instrument == BASS and self.position == 0 else chord
        return self.style.key.scale if self.style.key else None

    def _bar_density(self) -> Mask:
        bar = self.plan[self.bar + 1]
        if bar.density is not None:
            return only("density", bar.density + 1)
        # Real music leaves hardly any bar empty.
        fewest = max(len(bar.strengths), 1)
        return only("density", *range(fewest + 1, bar.ticks + 2))

    def _simu_note(self, name: str, word: Word) -> Mask:
        """Attributes of a beat word."""
        tick = word["beat"] - 1
        fresh = tick != self.position
        if name == "density":
            return only(name, self.left - fresh + 1)
        asked = self.plan[self.bar].strengths.get(tick) if fresh else None
        if name == "strength":
            most = INSTRUMENTS[word["instr_type"] - 1].max_strength
            return only(name, asked) if asked else only(name, *range(1, most + 1))
        return only(name, *self._instruments(fresh, asked))

    def _instruments(self, fresh: bool, asked: int | None) -> set[int]:
        """Instruments of a beat word: those due first, the missing ones from the middle on."""
        labels = set(self.playing if fresh else self.playing - self.used)
        if asked is not None:
            labels = {
                label
                for label in labels & self.style.on_beats
                if INSTRUMENTS[label - 1].max_strength >= asked
            }
        if labels & self.due:
            return labels & self.due
        late = 2 * self.tick >= self.n_beat or self.bar == len(self.plan) - 1
        if late and labels & self.missing:
            return labels & self.missing
        if not fresh:  # in the order of songs' words, where that leaves any
            return {label for label in labels if label > self.instrument} or labels
        return labels

    def given(self, name: str, word: Word, heads: Heads) -> NDArray[np.float64]:
        """The head of a field, corrected by what is known.

        A pitch by the harmony of the bar. And the heads are independent given the type: where
        another simu-note on this tick was possible, of a later instrument, and something else was
        drawn, the instrument's head still has the probability of that in it, and the density's,
        that no onset is left.
        """
        head = heads[name]
        if name == "pitch" and word["type"] == NOTE and self.instrument != DRUMS:
            weights = np.exp((SOUNDING, HEARD) @ self.harmony.features(self.tick))
            corrected: NDArray[np.float64] = head * of_pitches(weights, len(head))
            return corrected / corrected.sum()
        if name not in ("instr_type", "density") or word["type"] != METRICAL:
            return head
        if self.position < 0 or word["beat"] == self.position + 1:
            return head
        labels = np.arange(len(head))
        classes = labels > self.instrument if name == "instr_type" else labels == 1
        mass = head[classes].sum() or 1.0
        left = max(1 - heads["beat"][self.position + 1] / mass, FLOOR)
        corrected = np.where(classes, head * left, head)
        return corrected / corrected.sum()

    def take(self, word: Word) -> Word:
        """Move on by the word drawn."""
        if word["type"] == NOTE:
            self.notes_left -= 1
            self.pitches.add(word["pitch"])
            if self.instrument != DRUMS:
                pitch, duration = word["pitch"] - 1, word["duration"] - 1
                self.pitch_classes[pitch % PITCH_CLASSES] += duration
                self.harmony.add(pitch, self.tick, duration)
        elif word["beat"] == BAR:
            self.bar += 1
            self.position = -1
            self.left = word["density"] - 1
            if self.style.ending and self.bar == self.closing:
                self.final_key = self.style.key or find_key(self.pitch_classes)
                if self._beats() == [1]:
                    self.due = set(self.heard)
            self.heard = set()
        elif word["type"] == METRICAL:
            if word["beat"] - 1 != self.position:
                self.position = word["beat"] - 1
                self.left -= 1
                self.used = set()
            self.instrument = word["instr_type"]
            self.used.add(self.instrument)
            self.missing.discard(self.instrument)
            self.due.discard(self.instrument)
            if self.instrument != DRUMS:
                self.heard.add(self.instrument)
            self.notes_left = word["strength"]
            self.pitches = set()
        return self._timed(word)

    def _timed(self, word: Word) -> Word:
        """Add the place in the song, rounded as in training; an EOS has none."""
        if word["type"] == EOS:
            return {**word, "p_beat": FIELD["p_beat"].offset, "i_beat": 0}
        share = 100 * self.tick // self.n_beat
        return {**word, "p_beat": share + FIELD["p_beat"].offset, "i_beat": self.tick}


class OriginalLoop:
    """The published decoding loop, quirk for quirk, without its crashes.

    Whenever the model draws a beat at or past the next visual beat, beat words for three fixed
    instruments are forced there, one per drawn word; when it draws a bar, the plan's density
    replaces the drawn one with probability C. The song ends with the plan.

    Where it differs, the original would have crashed or never ended: the first word may be a
    note, notes have a pitch and a duration, time classes stay within the vocabulary, an EOS
    ends the song, and after `PATIENCE` words without progress the plan goes on.

    Args:
        control: (words, 6) control words.
        degree: control degree C, 0 … 1.
        rng: the song's random numbers; the loop draws its decisions from it.
        min_strength: visual beats below it are dropped.
    """

    PATIENCE = 500
    BEAT_INSTRUMENTS = tuple(INSTRUMENT_CLASS[name] for name in ("Drums", "Piano", "Guitar"))

    order: ClassVar[tuple[str, ...]] = ORDER
    recalls: ClassVar[bool] = False
    sampling: ClassVar[Mapping[str, Sampling]] = {
        **dict.fromkeys(ORDER, Sampling(nucleus=0.9)),
        "beat": Sampling(temperature=1.2),
        "duration": Sampling(temperature=2.0, nucleus=0.9),
    }

    def __init__(
        self,
        control: NDArray[np.int64],
        degree: float,
        rng: np.random.RandomState,
        min_strength: int = MIN_STRENGTH,
    ) -> None:
        kept = (control[:, 0] == BAR) | (control[:, 2] >= min_strength)
        self.plan = control[kept].tolist()
        self.n_beat = int(control[0, 4])
        self.degree = self.controlled = degree
        self.rng = rng
        self.row = 1  # of the plan, the next to reach
        self.track = 0  # which of BEAT_INSTRUMENTS is next on this visual beat
        self.density = 0  # of the beat words of this visual beat
        self.waited = 0
        self.bar = 0
        self.time_class = 1
        self.tick = 0

    def first(self) -> Word:
        """The first bar word."""
        word = {**NOTHING, "type": METRICAL, "beat": BAR}
        return {**word, "density": self.plan[0][1], "p_beat": 1, "i_beat": 0}

    def allowed(self, name: str, word: Word) -> Mask:
        """Everything, but a note needs a pitch and a duration."""
        mask = np.ones(FIELD[name].size, bool)
        if name in ("pitch", "duration") and word["type"] == NOTE:
            mask[0] = False
        return mask

    def given(self, name: str, word: Word, heads: Heads) -> NDArray[np.float64]:
        """The head as it is."""
        return heads[name]

    def take(self, word: Word) -> Word | None:
        """Replace the word where the plan says so."""
        if self.row >= len(self.plan) or word["type"] == EOS:
            return None
        self.waited += 1
        impatient = self.waited > self.PATIENCE
        beat, density, strength = self.plan[self.row][:3]
        if beat == BAR and (word["beat"] == BAR or impatient):
            if self.rng.random_sample() < self.degree or impatient:
                word = {
                    **NOTHING,
                    "type": METRICAL,
                    "beat": BAR,
                    "density": min(density, FIELD["density"].size - 1),
                }
            self._reached()
        elif beat < BAR and (word["beat"] >= beat or impatient):
            if self.track == 0:
                self.density = 1 if word["beat"] == BAR else word["density"]
                self.rng.random_sample()  # drawn and not used by the original
            word = {
                **NOTHING,
                "type": METRICAL,
                "beat": beat,
                "density": self.density,
                "instr_type": self.BEAT_INSTRUMENTS[self.track],
                "strength": min(strength, FIELD["strength"].size - 1),
            }
            self.track = (self.track + 1) % len(self.BEAT_INSTRUMENTS)
            if self.track == 0:
                self._reached()
        if word["type"] == METRICAL:
            self.bar += word["beat"] == BAR
            position = 0 if word["beat"] == BAR else word["beat"] - 1
            self.tick = self.bar * TICKS_PER_BAR + position
            self.time_class = max(0, round(self.tick / self.n_beat * 100) + 1)
        elif word["instr_type"] == 0:
            word = {**word, "instr_type": INSTRUMENT_CLASS["Drums"]}
        if self.time_class > LAST_TIME_CLASS:
            return None
        return {**word, "p_beat": self.time_class, "i_beat": self.tick}

    def _reached(self) -> None:
        self.row += 1
        self.waited = 0


@dataclass(frozen=True)
class Take:
    """One generated piece.

    Attributes:
        words: (length, 10) rows in the data set's columns, EOS included.
        seed: of this take; it alone gives the same take again.
        plan: per bar what was asked of it.
    """

    words: NDArray[np.int64]
    seed: int
    plan: list[BarPlan]


def generate(
    model: CMT,
    control: NDArray[np.int64],
    *,
    songs: int = 1,
    degree: float = 1.0,
    mode: str = "exact",
    min_strength: int = MIN_STRENGTH,
    style: Style = Style(),
    seed: int = 0,
    precision: str = "float32",
    progress: Progress | None = None,
) -> list[Take]:
    """Make music for control words.

    Args:
        model: in evaluation mode.
        control: (words, 6) control words, the first of them a bar word.
        songs: number of takes, decoded as one batch.
        degree: control degree C, 0 … 1 (Algorithm 1).
        mode: "exact" or "original".
        min_strength: visual beats below it are dropped.
        style: what is asked besides rhythm; of it "original" takes the genre alone, pop by
            default.
        seed: of the first take; take k has seed + k, whatever the number of takes.
        precision: of the model's weights, as in `cmt.fast.product`. Other than in float32, the
            songs of a batch are rounded together, so that a take made again alone may differ.
        progress: see `decode`.
    """
    rngs = [np.random.RandomState(seed + index) for index in range(songs)]
    plan, _ = make_plan(control, min_strength, style.max_strength)
    n_beat = int(control[0, 4])
    loops: list[Loop]
    initial = initial_tokens(style.genre, style.playing)
    if mode == "original":
        initial = initial_tokens(style.genre or "pop", style.playing)
        plans = [plan] * songs
        loops = [OriginalLoop(control, degree, rng, min_strength) for rng in rngs]
    else:
        plans = [thinned(plan, degree, rng) for rng in rngs]
        loops = [ExactLoop(plan, n_beat, style) for plan in plans]
    decoded = decode(model, loops, rngs, torch.from_numpy(initial), precision, progress)
    return [
        Take(data_words(words, n_beat), seed + index, plan)
        for index, (words, plan) in enumerate(zip(decoded, plans, strict=True))
    ]


@torch.inference_mode()
def log_likelihood(model: CMT, words: NDArray[np.int64], style: Style = Style()) -> float:
    """How likely the model finds a piece: mean over words and attributes, in nats, ≤ 0.

    The negative of the training loss, so that pieces of different length compare.

    Args:
        model: in evaluation mode.
        words: (length, 10) rows in the data set's columns, EOS included.
        style: whose genre and instruments the model is told.
    """
    device = model.device
    rows = torch.from_numpy(model_words(words)).to(device, torch.int64).unsqueeze(0)
    model.reserve(int(rows[..., MODEL_COLUMN["i_beat"]].max()) + 1)
    initial = torch.from_numpy(initial_tokens(style.genre, style.playing)).to(device).unsqueeze(0)
    inputs, targets = rows[:, :-1], rows[:, 1:]
    logits = model(inputs, initial, targets[..., MODEL_COLUMN["type"]])
    mask = torch.ones(targets.shape[:2], device=device)
    return -float(torch.stack(list(losses(logits, targets, mask).values())).mean())


@torch.inference_mode()
def decode(
    model: CMT,
    loops: Sequence[Loop],
    rngs: Sequence[np.random.RandomState],
    initial: torch.Tensor,
    precision: str = "float32",
    progress: Progress | None = None,
) -> list[list[Word]]:
    """Decode songs together: each step reads one word per song and never the past again.

    Args:
        model: in evaluation mode.
        loops: one per song.
        rngs: one per song; seven numbers are drawn per word, in the loops' order.
        initial: (7, 3) initial tokens of all songs.
        precision: of the model's weights, as in `cmt.fast.product`.
        progress: is told the ticks that are done and those of a song; what it raises ends the work.

    Returns:
        Per song its words.
    """
    device = model.device
    # The original's rounding lets a song go on for half a percent after its last tick.
    model.reserve(math.ceil(1.01 * loops[0].n_beat) + TICKS_PER_BAR)
    songs = [[loop.first()] for loop in loops]
    active = list(range(len(loops)))
    decoder = FastCMT(model, precision)
    state = decoder.start(initial.to(device).expand(len(loops), -1, -1))
    cache = None
    if loops[0].recalls:
        controlled = [loop.controlled for loop in loops]
        cache = Cache(controlled, model.config.d_model, loops[0].order)
    with tqdm(total=loops[0].n_beat, unit="tick", disable=None) as bar:
        while active:
            rows = [[songs[song][-1][field.name] for field in FIELDS] for song in active]
            hidden = decoder.step(torch.tensor(rows, device=device), state)
            words = _draw(
                decoder,
                hidden,
                [loops[song] for song in active],
                [rngs[song] for song in active],
                cache,
            )
            if cache:
                cache.add(words)
            going_on = []
            for index, (song, word) in enumerate(zip(active, words, strict=True)):
                taken = loops[song].take(word)
                if taken is not None:
                    songs[song].append(taken)
                    if taken["type"] != EOS:
                        going_on.append(index)
            if len(going_on) < len(active):
                kept = torch.tensor(going_on, dtype=torch.int64, device=device)
                state = [layer.rows(kept) for layer in state]
                if cache:
                    cache.rows(going_on)
                active = [active[index] for index in going_on]
            if active:
                done = min(loops[song].tick for song in active)
                bar.update(max(0, done - bar.n))
                if progress:
                    progress(done, loops[0].n_beat)
    return songs


def _draw(
    decoder: FastCMT,
    hidden: torch.Tensor,
    loops: Sequence[Loop],
    rngs: Sequence[np.random.RandomState],
    cache: Cache | None,
) -> list[Word]:
    """Draw one word per song from hidden states (batch, d_model), attribute by attribute."""
    uniform = np.stack([rng.random_sample(len(ORDER)) for rng in rngs], axis=1)
    logits = decoder.logits(hidden).cpu().numpy().astype(np.float64)
    of_song = logits[:, 0]  # given the song's type, once it is drawn
    heads: list[Heads] = [{} for _ in loops]
    words: list[Word] = [{} for _ in loops]
    if cache:
        cache.attend(hidden.float().cpu().numpy())
        heads = _heads(of_song, {"type": decoder.columns["type"]})
    for index, name in enumerate(loops[0].order):
        masks = np.array(
            [loop.allowed(name, word) for loop, word in zip(loops, words, strict=True)]
        )
        if cache:
            given = np.array(
                [
                    loop.given(name, word, head)
                    for loop, word, head in zip(loops, words, heads, strict=True)
                ]
            )
        if np.count_nonzero(masks) == len(masks):  # each has one at least
            drawn = masks.argmax(-1)
        else:
            sampling = loops[0].sampling[name]
            values = of_song[:, decoder.columns[name]]
            if cache:
                with np.errstate(divide="ignore"):
                    values = np.log(cache.mixed(given, name))
            drawn = sample(values, uniform[index], sampling.temperature, sampling.nucleus, masks)
        if cache:
            cache.narrow(name, drawn, given)
        for word, value in zip(words, drawn.tolist(), strict=True):
            word[name] = value
        if name == "type":
            of_song = logits[np.arange(len(loops)), drawn]
            if cache:
                heads = _heads(of_song, decoder.columns)
    return words


def _heads(logits: NDArray[np.float64], columns: Mapping[str, slice]) -> list[Heads]:
    """Per song the probabilities of some fields from its logits (songs, all classes)."""
    fields = {name: softmax(logits[:, place], axis=-1) for name, place in columns.items()}
    return [{name: field[song] for name, field in fields.items()} for song in range(len(logits))]
