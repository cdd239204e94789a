"""Form: the sections of a piece, and the chords of each half bar, before any note is drawn.

Sections are those that somebody wishes; else they follow the scenes of the video; where it has
none, or one is long, they are phrases of four or eight bars, as songs have them. A section returns
to an earlier one of the same label, and has its chords; another label brings another progression of
the same key.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count, pairwise
from types import MappingProxyType

import numpy as np

from cmt.music.chords import HALF_BAR, HALVES, Chord, ChordLoop, key_of
from cmt.music.keys import PITCH_CLASSES, Key
from cmt.music.progressions import dominant, draw_loop
from cmt.music.vocabulary import TICKS_PER_BAR, TICKS_PER_BEAT
from cmt.plan import EVERYBODY, Plan
from cmt.sections import SectionWish, wish_of
from cmt.texture import Texture, draw_fills, draw_textures

SHORT_PIECE = 24  # bars; phrases of shorter pieces have four bars, of others eight
FRAMED_PIECE = (
    40  # bars that a piece without scenes has at least if an intro and an ending frame it
)
FRAME = 4  # bars of either
LONGEST = 16  # bars of a section
# What a section costs: one of so many bars that is no phrase; others, with FURTHER for each bar by
# which they differ from a phrase; a scene that begins inside; a border where no scene begins.
LENGTH_COSTS = {1: 4.0, 2: 2.5, 3: 1.6, 4: 0.3, 8: 0.3, 12: 0.8, 16: 0.8}
EVEN, ODD, FURTHER = 0.6, 0.8, 0.1
INSIDE, OUTSIDE = 1.5, 0.2
# Without scenes, the labels of four sections; A is the theme, the others are drawn. Of four bars
# one comes twice: most bars of songs have the chords of the one four bars before.
PATTERNS = ("AABA", "ABAB", "AABB", "ABAC", "AABC")
SHORT_PATTERNS = ("AABA", "AABB", "AAAB")
PARTS_OF_THEME = 4  # so many times four sections have the same theme
AGAIN = 0.6  # probability that a section that need not be new is an earlier one
MINOR = 0.3  # share of pieces in minor, if nothing is asked
CADENCE = 0.6  # probability that a section leads on by the dominant
INTRO, ENDING = "intro", "ending"
THIN = {INTRO: 2, ENDING: 1}  # instruments that rest in them


@dataclass(frozen=True)
class Section:
    """Some bars that belong together.

    Attributes:
        label: "A", "B" … in order of appearance; INTRO or ENDING.
        start: its first bar.
        bars: in it.
        returns: index of the first section of this label; None where this is it.
        varied: whether it is shorter or longer than the one that it returns to.
    """

    label: str
    start: int
    bars: int
    returns: int | None = None
    varied: bool = False

    def __str__(self) -> str:
        return self.label + "'" * self.varied


@dataclass(frozen=True)
class Form:
    """Sections and chords of a piece.

    Attributes:
        key: of all of it.
        sections: without gaps.
        chords: of each half bar, (2 · bars).
        asked: bars whose chords, or their mood, were asked for.
        textures: of each section, one for each label; none says nothing.
        fills: beats of the piece in which drummers fill, before borders.
    """

    key: Key
    sections: tuple[Section, ...]
    chords: tuple[Chord, ...]
    asked: frozenset[int] = frozenset()
    textures: tuple[Texture, ...] = ()
    fills: frozenset[int] = frozenset()

    @cached_property
    def returns(self) -> tuple[int | None, ...]:
        """Of each bar, the index of the bar that it returns to; None where it is new.

        A section that is longer than the one that it returns to begins that again.
        """
        result: list[int | None] = []
        for section in self.sections:
            if section.returns is None:
                result += [None] * section.bars
            else:
                first = self.sections[section.returns]
                result += [first.start + bar % first.bars for bar in range(section.bars)]
        return tuple(result)

    def until(self, bars: int) -> Form:
        """That of its first bars."""
        sections = tuple(
            replace(each, bars=min(each.bars, bars - each.start))
            for each in self.sections
            if each.start < bars
        )
        return replace(self, sections=sections, chords=self.chords[: HALVES * bars])

    @property
    def borders(self) -> frozenset[int]:
        """Ticks at which another label begins, the first one's left out."""
        pairs = zip(self.sections, self.sections[1:], strict=False)
        return frozenset(
            after.start * TICKS_PER_BAR for before, after in pairs if before.label != after.label
        )

    def chord(self, tick: int) -> Chord:
        """The chord at a tick of the song; the last one goes on."""
        return self.chords[min(tick // HALF_BAR, len(self.chords) - 1)]

    def section(self, bar: int) -> Section:
        """The section of a bar."""
        return next(each for each in reversed(self.sections) if each.start <= bar)

    def texture(self, bar: int) -> Texture:
        """That of a bar's section."""
        return self.textures[self.sections.index(self.section(bar))]

    def fills_at(self, tick: int) -> bool:
        """Whether drummers fill at a tick of the song."""
        return tick // TICKS_PER_BEAT in self.fills

    @cached_property
    def home(self) -> range:
        """The bars in which the theme is heard first."""
        theme = _theme(self.sections)
        first = next(each for each in self.sections if each.label == theme)
        return range(first.start, first.start + first.bars)


def make_form(
    plan: Plan,
    rng: np.random.RandomState,
    *,
    key: Key | None = None,
    mode: str | None = None,
    chords: Sequence[ChordLoop] = (),
    moods: Collection[str] = (),
    ending: bool = True,
    wishes: Sequence[SectionWish] = (),
    playing: Collection[int] = EVERYBODY,
) -> Form:
    """Decide the form of a piece.

    Args:
        plan: how many bars it has, and its scenes.
        rng: of the piece.
        key: None draws one, or finds that of the chords asked for; in one that is given, what is
            drawn begins on the tonic.
        mode: of the key drawn; None draws that, too.
        chords: of the sections A, B …, again from the first if there are more labels; none draws
            progressions.
        moods: of `cmt.music.progressions.moods`, of the progressions drawn; none is any.
        ending: whether the last bar that is not silent is the tonic's.
        wishes: for single sections, by bar: where they begin, their labels and chords.
        playing: classes of the instruments of the piece.
    """
    sections = _sections(plan, rng, wishes)
    asked = [*chords, *(wish.chords for wish in wishes if wish.chords)]
    home = key is not None
    if key is None and asked:
        key = key_of([chord for loop in asked for bar in loop for chord in bar])
    elif key is None:
        drawn = "minor" if rng.random_sample() < MINOR else "major"
        key = Key(int(rng.randint(PITCH_CLASSES)), mode or drawn)
    bars = _section_chords(sections, rng, key, chords, moods, wishes, home)
    if ending and plan.last_bar is not None:
        tonic = Chord(key.tonic, "m" if key.mode == "minor" else "")
        bars[plan.last_bar :] = [(tonic, tonic)] * (len(bars) - plan.last_bar)
        if plan.last_bar and not (chords or wish_of(wishes, plan.last_bar - 1).chords):
            bars[plan.last_bar - 1] = (bars[plan.last_bar - 1][0], dominant(key))
    named = tuple(chord for bar in bars for chord in bar)
    heard = (bar for bar in range(len(bars)) if chords or moods or wish_of(wishes, bar).chords)
    form = Form(key, tuple(sections), named, frozenset(heard))
    labels = [each.label for each in sections]
    return replace(
        form,
        textures=draw_textures(labels, _theme(sections), rng, playing, THIN),
        fills=draw_fills(plan.borders | form.borders, rng),
    )


def _theme(sections: Sequence[Section]) -> str:
    """The label of the first section that is no intro, if there is one."""
    return next((each.label for each in sections if each.label != INTRO), sections[0].label)


def _sections(
    plan: Plan, rng: np.random.RandomState, wishes: Sequence[SectionWish]
) -> list[Section]:
    """The sections of a piece, labelled."""
    bars = len(plan.bars)
    if wishes:
        starts = sorted({0, *(wish.bar for wish in wishes if wish.bar < bars)})
        borders = _divided(starts, bars, plan.scenes)
        given = {wish.bar: wish.label for wish in wishes if wish.label}
        labels = _labels_of_scenes(borders[:-1], starts, rng, given)
    elif len(plan.scenes) > 1:
        borders = _borders(0, bars, plan.scenes)
        labels = _labels_of_scenes(borders[:-1], plan.scenes, rng)
    elif bars >= FRAMED_PIECE:
        borders = [0, *_borders(FRAME, bars - FRAME), bars]
        labels = [INTRO, *_labels(len(borders) - 3, rng), ENDING]
    else:
        borders = _borders(0, bars)
        patterns = SHORT_PATTERNS if bars < SHORT_PIECE else PATTERNS
        labels = _labels(len(borders) - 1, rng, patterns)
    sections: list[Section] = []
    first: dict[str, int] = {}
    for index, (label, start, end) in enumerate(zip(labels, borders, borders[1:], strict=False)):
        returns = first.get(label)
        varied = returns is not None and sections[returns].bars != end - start
        sections.append(Section(label, start, end - start, returns, varied))
        first.setdefault(label, index)
    return sections


def _divided(starts: Sequence[int], bars: int, scenes: Sequence[int]) -> list[int]:
    """First bars of sections that somebody wishes, and of the parts of those that are too long."""
    result = [0]
    for start, end in pairwise((*starts, bars)):
        inside = [bar for bar in scenes if start < bar < end]
        result += [end] if end - start <= LONGEST else _borders(start, end, inside)[1:]
    return result


def _borders(first: int, last: int, scenes: Sequence[int] = ()) -> list[int]:
    """The best first bars of sections from bar `first` up to bar `last`, that included."""
    known = set(scenes)
    costs, came_from = [0.0], [0]
    phrase = 4 if last - first < SHORT_PIECE else 8
    for end in range(first + 1, last + 1):
        # Of equal ones the shortest last section, so that what is irregular comes last.
        best = min(
            (round(costs[start - first] + _cost(start, end, phrase, known), 6), -start)
            for start in range(max(first, end - LONGEST), end)
        )
        at_scene = not known or end in known or end == last
        costs.append(best[0] + (0 if at_scene else OUTSIDE))
        came_from.append(-best[1])
    borders = [last]
    while borders[-1] > first:
        borders.append(came_from[borders[-1] - first])
    return borders[::-1]


def _cost(start: int, end: int, phrase: int, scenes: set[int]) -> float:
    """What a section costs that begins and ends at these bars."""
    bars = end - start
    inside = sum(bar in scenes for bar in range(start + 1, end))
    if bars == phrase:
        length = 0.0
    else:
        odd = (ODD if bars % 2 else EVEN) + FURTHER * abs(bars - phrase)
        length = LENGTH_COSTS.get(bars, odd)
    return length + INSIDE * inside


def _labels(
    sections: int, rng: np.random.RandomState, patterns: Sequence[str] = PATTERNS
) -> list[str]:
    """Labels of sections without scenes: a theme that returns, others that return or are new."""
    result: list[str] = []
    others: list[str] = []
    used = 0
    theme = ""
    for part in range(-(-sections // 4)):
        if part % PARTS_OF_THEME == 0:
            theme, used = _letter(used), used + 1
        drawn = {"A": theme}
        for letter in patterns[rng.randint(len(patterns))]:
            if letter not in drawn:
                earlier = [label for label in others if label not in drawn.values()]
                if earlier and rng.random_sample() < AGAIN:
                    drawn[letter] = earlier[rng.randint(len(earlier))]
                else:
                    drawn[letter], used = _letter(used), used + 1
                    others.append(drawn[letter])
            result.append(drawn[letter])
    return result[:sections]


def _labels_of_scenes(
    starts: Sequence[int],
    scenes: Sequence[int],
    rng: np.random.RandomState,
    given: Mapping[int, str] = MappingProxyType({}),
) -> list[str]:
    """Labels of sections: those given to first bars; another at each scene, one or two in it."""
    result = [given.get(starts[0], _letter(0))]
    for start in starts[1:]:
        earlier = sorted(set(result) - {result[-1]})
        twice = result[-2:] == result[-1:] * 2
        if start in given:
            result.append(given[start])
        elif start not in scenes and not twice and rng.random_sample() < AGAIN:
            result.append(result[-1])
        elif earlier and rng.random_sample() < AGAIN:
            result.append(earlier[rng.randint(len(earlier))])
        else:
            taken = {*result, *given.values()}
            result.append(next(label for label in map(_letter, count()) if label not in taken))
    return result


def _letter(index: int) -> str:
    """A, B … Z, A2, B2 …"""
    again, letter = divmod(index, 26)
    return chr(ord("A") + letter) + (str(again + 1) if again else "")


def _section_chords(
    sections: Sequence[Section],
    rng: np.random.RandomState,
    key: Key,
    asked: Sequence[ChordLoop],
    moods: Collection[str],
    wishes: Sequence[SectionWish],
    home: bool,
) -> list[tuple[Chord, Chord]]:
    """The chords of each bar: those wished; of a section that returns those that it had.

    Those drawn begin on the tonic where it is to be heard as `home`.
    """
    theme = _theme(sections)
    loops: dict[str, ChordLoop] = {}
    bars: list[tuple[Chord, Chord]] = []
    for section in sections:
        wish = wish_of(wishes, section.start)
        if wish.chords:
            since = section.start - wish.bar
            bars += [wish.chords[(since + bar) % len(wish.chords)] for bar in range(section.bars)]
            continue
        if section.returns is not None:
            first = sections[section.returns]
            held = bars[first.start : first.start + first.bars]
            bars += [held[bar % first.bars] for bar in range(section.bars)]
            continue
        # An intro and an ending have the chords of the theme.
        framing = section.label in (INTRO, ENDING)
        label = theme if framing else section.label
        if label not in loops:
            drawn = len(loops)
            others = list(loops.values())
            loops[label] = (
                asked[drawn % len(asked)] if asked else draw_loop(rng, key, moods, others, home)
            )
        loop = loops[label]
        held = [loop[bar % len(loop)] for bar in range(section.bars)]
        if not asked and section.bars >= 4 and rng.random_sample() < CADENCE:
            held[-1] = (held[-1][0], dominant(key))
        bars += held
    return bars
