"""Measures of pieces counted by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cmt.measures.metrics import (
    LONG,
    METRICS,
    MID,
    SHORT,
    bar_similarity,
    bars_of,
    empty_bar_rate,
    excerpt,
    fitness,
    grooving_similarity,
    notes_per_bar,
    pitch_class_entropy,
    polyphony,
    scale_consistency,
    structureness,
)
from cmt.music.words import NOTE_DTYPE, Song, song_to_words, words_to_song

DRUMS, PIANO, GUITAR, BASS = 1, 2, 3, 4


def song(*notes: tuple[int, int, int, int], length: int = 32) -> Song:
    return Song(np.array(list(notes), NOTE_DTYPE), length)


def line(
    pitches: list[int], step: int = 4, start: int = 0, instrument: int = PIANO
) -> list[tuple[int, int, int, int]]:
    """A melody of notes `step` ticks long, one after the other."""
    return [(start + i * step, pitch, step, instrument) for i, pitch in enumerate(pitches)]


def melody(pitches: list[int], step: int = 4) -> Song:
    return song(*line(pitches, step), length=len(pitches) * step)


def test_pitch_class_entropy() -> None:
    octaves = melody([48, 60, 72, 60])
    assert pitch_class_entropy(octaves, 1) == 0
    chromatic = song(*[(i, 60 + i, 1, PIANO) for i in range(12)], length=16)
    assert pitch_class_entropy(chromatic, 1) == pytest.approx(np.log2(12))
    # Two bars of two notes each: one bit each alone, two bits together.
    four = melody([60, 60, 62, 62, 64, 64, 65, 65])
    assert pitch_class_entropy(four, 1) == pytest.approx(1)
    assert pitch_class_entropy(four, 2) == pytest.approx(2)
    assert math.isnan(pitch_class_entropy(four, 4))  # two bars only
    # Empty bars and drums do not count.
    rests = song(*line([60, 62, 60, 62]), (40, 38, 1, DRUMS), length=64)
    assert pitch_class_entropy(rests, 1) == pytest.approx(1)


def test_windows_of_entropy_slide_by_a_bar() -> None:
    # Bars of C, of D, of C, of C: windows of two have 1, 1 and 0 bits.
    piece = melody([60, 62, 60, 60], step=16)
    assert pitch_class_entropy(piece, 2) == pytest.approx(2 / 3)


def test_grooving_similarity() -> None:
    assert grooving_similarity(melody([60, 62, 64, 65] * 3)) == 1
    # Onsets on all even ticks, then on all odd ones.
    disjoint = song(*line([60] * 8, step=2), *line([60] * 8, step=2, start=17))
    assert grooving_similarity(disjoint) == 0
    # Three bars with one position in one of them: two pairs of three differ in 1 of 16.
    one = song((0, 60, 1, PIANO), (16, 60, 1, PIANO), (32, 38, 1, DRUMS), (35, 60, 1, BASS))
    assert grooving_similarity(one) == pytest.approx(1 - 2 / 3 / 16)
    assert math.isnan(grooving_similarity(melody([60])))


def test_grooving_similarity_is_the_mean_over_pairs() -> None:
    rng = np.random.default_rng(0)
    onsets = rng.random((7, 16)) < 0.4
    onsets[-1, -1] = True
    piece = song(*[(int(t), 60, 1, PIANO) for t in np.flatnonzero(onsets)], length=7 * 16)
    pairs = [(onsets[a] ^ onsets[b]).mean() for a in range(7) for b in range(a)]
    assert grooving_similarity(piece) == pytest.approx(1 - np.mean(pairs))


def test_scale_consistency() -> None:
    assert scale_consistency(melody([60, 62, 64, 65, 67, 69, 71])) == 1
    assert scale_consistency(melody([57, 59, 60, 62, 64, 65, 67])) == 1  # a minor
    assert scale_consistency(melody(list(range(60, 72)))) == pytest.approx(7 / 12)
    assert scale_consistency(melody([60, 61, 62, 63])) == pytest.approx(3 / 4)
    assert math.isnan(scale_consistency(song((0, 38, 1, DRUMS))))


def test_bars_notes_and_polyphony() -> None:
    # A chord of three for two beats, one of its notes for two more; a bar of drums; nothing.
    piece = song(
        *((0, pitch, ticks, PIANO) for pitch, ticks in ((60, 16), (64, 8), (67, 8))),
        (0, 60, 16, GUITAR),
        (16, 38, 1, DRUMS),
        length=48,
    )
    assert bars_of(piece) == 3
    assert notes_per_bar(piece) == pytest.approx(5 / 3)
    assert empty_bar_rate(piece) == pytest.approx(1 / 3)
    assert polyphony(piece) == pytest.approx((8 * 3 + 8 * 1) / 16)
    assert math.isnan(polyphony(song((16, 38, 1, DRUMS))))
    # A note that is held over the bar line: the next bar is not empty.
    assert empty_bar_rate(song((8, 60, 9, PIANO), length=48)) == pytest.approx(1 / 3)
    assert bars_of(song((32, 60, 0, PIANO), length=32)) == 3  # as words count them


def test_excerpts_begin_with_the_music() -> None:
    piece = song((20, 60, 40, PIANO), (50, 62, 4, PIANO), length=64)
    cut = excerpt(piece, 2)
    assert cut.length == 32
    assert cut.notes.tolist() == [(4, 60, 28, PIANO)]
    assert excerpt(piece, 9).length == 48
    assert piece.notes["tick"].tolist() == [20, 50]  # unchanged


def test_words_measure_as_their_song_does() -> None:
    rng = np.random.default_rng(1)
    ticks = np.sort(rng.integers(0, 640, 400))
    notes = np.zeros(400, NOTE_DTYPE)
    notes["tick"], notes["pitch"] = ticks, rng.integers(40, 80, 400)
    notes["duration"], notes["instrument"] = rng.integers(0, 50, 400), rng.integers(1, 6, 400)
    piece = Song(notes, 650)
    again = words_to_song(song_to_words(piece))
    assert (again.notes["duration"] != piece.notes["duration"]).any()
    for metric in METRICS:
        assert metric.function(again, 120) == metric.function(piece, 120), metric.name


def test_what_cannot_be_told_is_nan() -> None:
    drums = song(*line([38] * 64, instrument=DRUMS), length=256)
    defined = {"grooving": 1, "empty_bars": 0, "notes_per_bar": 4}
    # Silent bars repeat nothing.
    defined |= {"structure_short": 0, "structure_mid": 0, "structure_long": 0}
    for metric in METRICS:
        value = metric.function(drums, 120)
        assert value == defined[metric.name] if metric.name in defined else math.isnan(value)


# Bars of four beats, each bar unlike the others.
A, B, C, D = [60, 64, 67, 72], [62, 65, 69, 74], [59, 68, 61, 66], [70, 63, 58, 61]


def test_similarity_of_bars() -> None:
    similarity = bar_similarity(melody(A + B + A + B))
    expected = np.full((4, 4), -2.0)
    for first in range(4):
        expected[first, first::2] = expected[first, first::-2] = 1
    np.testing.assert_array_equal(similarity, expected)
    rests = song(*line(A), *line(A, start=16), *line(A, start=32), length=80)
    assert bar_similarity(rests)[3].tolist() == [-2, -2, -2, 1, 0]


def test_only_the_most_similar_pairs_of_bars_count() -> None:
    # 5 of 20 bars: 190 pairs, of which 10 are identical; the rest of the 15 % score below 1.
    rng = np.random.default_rng(0)
    bars = [A if bar % 4 == 0 else rng.integers(48, 72, 4).tolist() for bar in range(20)]
    similarity = bar_similarity(melody([pitch for bar in bars for pitch in bar]))
    pairs = similarity[np.triu_indices(20, 1)]
    assert (pairs == 1).sum() == 10
    assert (pairs >= 0).sum() >= 0.15 * 190
    assert set(pairs[pairs < 0]) == {-2}


def test_exact_repetition_of_k_segments_has_structureness_1_minus_1_over_k() -> None:
    # Bars of 2 s: A B is 4 s, A B C D is 8 s.
    assert structureness(melody((A + B) * 2), 120, 4, 4) == pytest.approx(1 / 2)
    assert structureness(melody((A + B) * 4), 120, 4, 4) == pytest.approx(3 / 4)
    assert structureness(melody((A + B + C + D) * 3), 120, *MID) == pytest.approx(2 / 3)
    # At half the tempo the same segment is 16 s long.
    assert structureness(melody((A + B + C + D) * 3), 60, *LONG) == pytest.approx(2 / 3)


def test_structureness_does_not_depend_on_rounding_of_the_tempo() -> None:
    piece = melody((A + B + C + D) * 4)
    for tempo in (119.99990, 120.00010):
        assert structureness(piece, tempo, 8, 8) == pytest.approx(3 / 4)


def test_segments_that_cannot_come_twice_are_not_told() -> None:
    piece = melody(A + B + C + D + A + B + C)  # 14 s
    assert structureness(piece, 120, *SHORT) > 0
    assert math.isnan(structureness(piece, 120, *MID))


def test_songs_have_more_structure_than_noise() -> None:
    rng = np.random.default_rng(0)

    def section() -> list[int]:
        return rng.integers(55, 75, 4 * 8).tolist()

    a, b = section(), section()
    aaba = melody(a + a + b + a)
    noise = melody(section() + section() + section() + section())
    assert structureness(aaba, 120, 16, 16) == pytest.approx(2 / 3 * 1 / 2 * 2 / (2 / 3 + 1 / 2))
    for low, high in (MID, LONG):
        assert structureness(aaba, 120, low, high) > structureness(noise, 120, low, high) + 0.25


def slow_fitness(similarity: np.ndarray, first: int, length: int) -> float:
    """Fitness of one segment by its definition, cell by cell, with the families spelled out."""
    frames = len(similarity)
    ends: dict[tuple[int, int], tuple[float, int, int]] = {}
    between = (0.0, 0, 0)  # score, cells, covered frames
    for frame in range(frames):
        between = max(between, ends.get((frame - 1, length - 1), between), key=lambda f: f[0])
        for cell in range(length):
            options = []
            if cell == 0:
                options.append((between, 1))
            for back, skip in ((1, 1), (2, 1), (1, 2)):
                if (frame - back, cell - skip) in ends:
                    options.append((ends[frame - back, cell - skip], back))
            if options:
                (score, cells, covered), more = max(options, key=lambda option: option[0][0])
                score += similarity[frame, first + cell]
                ends[frame, cell] = (score, cells + 1, covered + more)
    score, cells, covered = max(ends[frames - 1, length - 1], between, key=lambda f: f[0])
    score, coverage = (score - length) / cells, (covered - length) / frames
    return 2 * score * coverage / (score + coverage) if score > 0 and coverage > 0 else 0


@pytest.mark.parametrize("frames", [1, 2, 5, 9, 14])
def test_fitness_equals_its_slow_definition(frames: int) -> None:
    rng = np.random.default_rng(frames)
    similarity = rng.uniform(-0.5, 1, (frames, frames))
    similarity[rng.random((frames, frames)) < 0.3] = -2
    np.fill_diagonal(similarity, 1)
    for length in range(1, frames + 1):
        expected = [slow_fitness(similarity, s, length) for s in range(frames - length + 1)]
        np.testing.assert_allclose(fitness(similarity, length), expected, atol=1e-12)


def test_fitness_of_a_repetition_at_half_the_speed() -> None:
    # Frames 0 to 2 come again as 3 to 8, each held for two frames; the path steps over one each
    # time. By hand: score 6, 6 cells, 3 + 5 frames covered, of 9.
    features = np.array([0, 1, 2, 0, 0, 1, 1, 2, 2])
    similarity = np.where(features[:, None] == features, 1.0, -2.0)
    score, coverage = (6 - 3) / 6, (8 - 3) / 9
    assert fitness(similarity, 3)[0] == pytest.approx(2 * score * coverage / (score + coverage))


def test_fitness_equals_libfmps() -> None:
    # libfmp 1.3.0, c4.compute_fitness_scape_plot(S)[0], rows of 1, 3 and 5 frames; in others
    # some of its paths enter the segment at the second frame.
    rng = np.random.default_rng(1)
    similarity = rng.uniform(-2, 1, (8, 8)).round(2)
    similarity = np.maximum(similarity, similarity.T)
    np.fill_diagonal(similarity, 1)
    recorded = {
        1: [0.526515, 0.550196, 0.375, 0.562683, 0.425287, 0.518721, 0.399274, 0.484536],
        3: [0.421488, 0.248996, 0.0, 0.370504, 0.211712, 0.272727],
        5: [0.0, 0.0, 0.0, 0.331784],
    }
    for length, expected in recorded.items():
        np.testing.assert_allclose(fitness(similarity, length), expected, atol=1e-6)
