"""What pieces are arranged of (runs/arranged): musical facts that need no mma."""

from __future__ import annotations

import random

import numpy as np
import pytest

from arranged import bands, basses, layers, variety
from arranged.draft import Draft, Section
from arranged.drums import own_patterns
from arranged.grooves import Library, read_grooves
from arranged.harmony import Chord, Note, enriched, spans, voicing
from arranged.layers import Layer
from arranged.melodies import RHYTHMS, melody
from arranged.tunes import Block
from cmt.music.keys import Key
from cmt.music.vocabulary import INSTRUMENT_CLASS, INSTRUMENTS, TICKS_PER_BAR
from cmt.music.words import song_to_words, words_to_song

A_MINOR = Key(9, "minor")
LOOP = [Chord.named(name) for name in "Am F C G".split() * 2 for _ in range(4)]
FORM = "IABABE"


def draft(style: str, seed: int = 0) -> Draft:
    """A piece of Am F C G without notes: an intro, eight bars a section, an ending."""
    rng = random.Random(seed)
    tune = melody(rng, LOOP, A_MINOR, "song")
    sections = [
        Section(kind, 8 * index, 8, tune if kind in "AB" else []) for index, kind in enumerate(FORM)
    ]
    return Draft(rng, style, A_MINOR, LOOP * len(FORM), sections)


def test_chords_are_named_and_found() -> None:
    assert str(Chord.named("Bbm7")) == "Bbm7"
    assert Chord.named("F#").root == 6
    assert Chord.of([64, 67, 72, 48]) == Chord.named("C")
    assert Chord.of([57, 60, 64]) == Chord.named("Am")
    assert Chord.named("Am").moved(3) == Chord.named("Cm")
    with pytest.raises(ValueError, match="'H'"):
        Chord.named("H")


def test_voices_lead_to_the_nearest_chord() -> None:
    c = voicing(Chord.named("C"), None, 55, 76)
    f = voicing(Chord.named("F"), c, 55, 76)
    assert {p % 12 for p in f} == {5, 9, 0}
    assert sum(abs(a - b) for a, b in zip(c, f, strict=True)) <= 4


def test_spans_end_at_bars_and_changes() -> None:
    chords = [Chord.named(name) for name in ("C", "C", "C", "C", "C", "C", "G", "G")]
    assert [(s.tick, s.duration) for s in spans(chords)] == [(0, 16), (16, 8), (24, 8)]


def test_colour_leaves_the_melody_its_chords() -> None:
    held = [Note(0, 16, 60), Note(16, 16, 60)]
    for seed in range(40):
        row = enriched(random.Random(seed), [Chord.named("C")] * 8, "pop", Key(0), held)
        assert all((60 - 1) % 12 not in chord.tones or 0 in chord.tones for chord in row)


def test_a_tune_in_minor_keeps_its_shape() -> None:
    block = Block([Chord.named("G")] * 32, [Note(0, 4, 67), Note(4, 4, 71), Note(8, 8, 74)])
    minor = block.in_minor(Key(7))
    assert minor.chords[0] == Chord.named("Gm")
    assert [note.pitch for note in minor.melody] == [67, 70, 74]


@pytest.mark.parametrize("manner", RHYTHMS)
def test_melodies_rest_on_chord_tones_and_go_by_steps(manner: str) -> None:
    notes = melody(random.Random(1), LOOP * 2, A_MINOR, manner)
    assert [n.tick for n in notes] == sorted({n.tick for n in notes})
    ends = [n.tick for n in notes[1:]]
    strong = [
        n for n, end in zip(notes, ends, strict=False) if n.tick % 16 == 0 or end - n.tick >= 16
    ]
    assert len(strong) > 4
    assert all(n.pitch % 12 in (LOOP * 2)[n.tick // 4].tones for n in strong)
    steps = np.abs(np.diff([n.pitch for n in notes]))
    assert np.median(steps) <= 4 and steps.max() <= 12


@pytest.mark.parametrize("line", [basses.long_notes, basses.plain, basses.walking, basses.melodic])
def test_basses_are_on_roots_where_chords_change(line: Layer) -> None:
    sheet = layers.Sheet(LOOP, A_MINOR)
    notes = {n.tick: n.pitch for n in line(random.Random(2), sheet)}
    roots = {span.tick: span.chord.root for span in sheet.spans}
    on_changes = [notes[tick] % 12 == root for tick, root in roots.items() if tick in notes]
    assert np.mean(on_changes) > 0.7
    assert all(basses.LOWEST - 2 <= pitch <= basses.HIGHEST for pitch in notes.values())


@pytest.mark.parametrize("style", ["dance", "metal", "country", "latin"])
def test_drums_are_a_loop_of_few_sounds(style: str) -> None:
    patterns = own_patterns(random.Random(3), style)
    for pattern in patterns.values():
        assert pattern.bars <= 2
        assert 2 <= len({note.pitch for note in pattern.notes}) <= 6
        assert all(0 <= note.tick < pattern.bars * TICKS_PER_BAR for note in pattern.notes)


@pytest.mark.parametrize("style", [*bands.PLAYERS, "film", "ambient"])
def test_sections_return_and_all_can_be_played(style: str) -> None:
    piece = draft(style)
    if style in ("film", "ambient"):
        bands.play_film(piece)
    else:
        bands.loop(piece, own_patterns(piece.rng, style))
        bands.complete(piece, own=True)
    piece.return_note_for_note(1)
    piece.end()
    song, velocities = piece.song()
    notes = song.notes
    assert len(notes) == len(velocities)
    first, again = ({tuple(n) for n in shifted(notes, 8 * section * 16, 7)} for section in (1, 3))
    assert first == again
    for instrument in INSTRUMENTS:
        mine = notes[notes["instrument"] == instrument.label]
        at_once = np.unique(mine["tick"], return_counts=True)[1]
        assert at_once.max(initial=0) <= instrument.max_strength
    bass = notes[notes["instrument"] == INSTRUMENT_CLASS["Bass"]]
    assert (bass["tick"][:-1] + bass["duration"][:-1] <= bass["tick"][1:]).all()
    kept = words_to_song(song_to_words(song)).notes
    assert len(kept) == len(notes)


def rhythms(notes: list[Note], section: Section) -> list[frozenset[int]]:
    """Onsets of each bar of a section, from the bar's first tick on."""
    bars = range(section.start, section.start + section.bars)
    return [frozenset(n.tick - 16 * bar for n in notes if n.tick // 16 == bar) for bar in bars]


def test_parts_vary_as_their_phrases_return() -> None:
    differing = []
    for seed in range(12):
        piece = draft("pop", seed)
        piece.add("Strings", layers.stabs(piece.rng, piece.sheet()))
        plain = rhythms(piece.parts["Strings"], piece.sections[1])
        variety.vary(piece)
        varied = rhythms(piece.parts["Strings"], piece.sections[1])
        assert varied == rhythms(piece.parts["Strings"], piece.sections[3])  # A again
        differing.append(len(set(varied)) > len(set(plain)))
    assert np.mean(differing) > 0.7


def test_a_thin_piece_has_the_same_few_places_in_all_bars() -> None:
    left = []
    for seed in range(12):
        piece = draft("pop", seed)
        piece.add("Piano", [Note(tick, 1, 60) for tick in range(piece.length)])
        variety.thin(piece)
        bars = [bar for section in piece.sections for bar in rhythms(piece.parts["Piano"], section)]
        assert len(set(bars)) == 1
        assert {0, 4, 8, 12} <= bars[0]
        left.append(len(bars[0]))
    assert np.mean(left) < 11


def test_held_notes_end_where_the_chord_does() -> None:
    notes = [Note(0, 2, 60), Note(4, 2, 64), Note(16, 2, 65)]
    ends = [16] * 16 + [32] * 16
    for seed in range(8):
        held = variety.played(random.Random(seed), notes, "held", ends)
        assert {n.tick + n.duration for n in held[:2]} <= {15, 16}
        legato = variety.played(random.Random(seed), notes, "legato", ends)
        assert legato[0].duration in (3, 4)
        assert [n._replace(duration=0) for n in legato] == [n._replace(duration=0) for n in notes]
    assert variety.played(random.Random(0), notes, "written", ends) == notes


def shifted(notes: np.ndarray, start: int, bars: int) -> list[tuple[int, int, int]]:
    """Tick from `start` on, pitch and instrument of the notes in some bars."""
    inside = notes[(notes["tick"] >= start) & (notes["tick"] < start + bars * TICKS_PER_BAR)]
    return [(int(n["tick"]) - start, int(n["pitch"]), int(n["instrument"])) for n in inside]


def test_a_groove_is_used_so_often() -> None:
    library = Library(read_grooves(), per_file=2)
    file = library.files("rock")[0]
    for _ in range(2):
        library.count(file, library.least_used(file)[:1])
    assert file not in library.files("rock")
