"""Songs become batches without loss, mixing or waste."""

from __future__ import annotations

import numpy as np
import pytest

from cmt.files import InputError
from cmt.model.encoding import model_words
from cmt.music.keys import KEYS, Key
from cmt.music.vocabulary import BAR, COLUMNS, GENRES
from cmt.music.words import NOTE_DTYPE, Song, song_to_words, words_to_song
from cmt.training.config import Augmentation
from cmt.training.held_out import split
from cmt.training.songs import (
    Songs,
    as_piece,
    batches,
    collate,
    crops,
    excerpt,
    padding_share,
    transposed,
    without_track,
)
from conftest import WORDS, random_song


@pytest.mark.parametrize("seed", range(5))
def test_an_excerpt_is_the_piece_of_its_bars(seed: int) -> None:
    song = random_song(3)
    words = song_to_words(song)
    words = as_piece(words[slice(*excerpt(words, np.random.default_rng(seed)))])
    last = words[-1]
    assert last[COLUMNS.index("beat")] == BAR
    length = int(last[COLUMNS.index("i_beat")])
    assert 4 * 16 <= length < 12 * 16
    starts = []
    for start in range(0, 12 * 16 - length, 16):
        ticks = song.notes["tick"]
        notes = song.notes[(ticks >= start) & (ticks < start + length)].copy()
        notes["tick"] -= start
        piece = song_to_words(Song(notes, length))
        if np.array_equal(piece[:-2], words[:-1]):  # but for a last bar word and the EOS
            starts.append(start)
    assert len(starts) == 1


@pytest.mark.parametrize("max_len", [90, 120, 10_000])
def test_crops_cover_each_next_word_once_and_begin_at_bars(max_len: int) -> None:
    words = WORDS[3]
    targets: list[int] = []
    for start, stop in crops(words, max_len):
        assert stop - start - 1 <= max_len
        assert words[start, COLUMNS.index("beat")] == BAR
        targets += range(start + 1, stop)
    assert targets == list(range(1, len(words)))


def test_transposition_moves_all_but_drums() -> None:
    before = words_to_song(WORDS[0]).notes
    after = words_to_song(transposed(WORDS[0], 3)).notes
    drums = before["instrument"] == 1
    np.testing.assert_array_equal(after["pitch"] - before["pitch"], np.where(drums, 0, 3))
    assert transposed(WORDS[0], 100) is WORDS[0]


@pytest.mark.parametrize("instrument", [1, 4])
def test_a_dropped_track_leaves_the_words_of_the_others(instrument: int) -> None:
    song = random_song(2, notes=180)
    rest = song.notes[song.notes["instrument"] != instrument]
    expected = song_to_words(Song(rest, song.length))
    np.testing.assert_array_equal(without_track(WORDS[2], instrument), expected)


def test_items_depend_on_seed_epoch_and_index_alone() -> None:
    augmentation = Augmentation(transpose=6, drop_track=0.5, unconditioned=0.5)
    first, again = (Songs(WORDS, ["rock"] * 8, 100, augmentation, seed=3) for _ in range(2))
    _ = again[5]
    np.testing.assert_array_equal(first[2][0], again[2][0])
    first.epoch = 1
    assert any(
        len(first[i][0]) != len(again[i][0]) or (first[i][0] != again[i][0]).any()
        for i in range(len(first))
    )


def test_lengths_are_those_of_the_epoch_s_excerpts() -> None:
    songs = Songs(WORDS, [None] * 8, 10_000, Augmentation(excerpts=0.7), seed=3)
    for songs.epoch in range(3):
        assert songs.lengths.tolist() == [len(songs[i][0]) - 1 for i in range(len(songs))]
    whole = [len(words) - 1 for words in WORDS]
    assert 1 <= sum(length == all_ for length, all_ in zip(songs.lengths, whole, strict=True)) < 8


@pytest.mark.parametrize("shift", [0, 3])
def test_the_key_told_is_that_of_the_words_as_they_are_read(shift: int) -> None:
    scale = [60, 62, 64, 65, 67, 69, 71, 72, 67, 64, 60]
    notes = np.array([(4 * i, p, 4, 2) for i, p in enumerate(scale)], NOTE_DTYPE)
    words = transposed(song_to_words(Song(notes, 48)), shift)
    told = Songs([words], ["rock"], 10_000, keys=True)[0][1]
    assert told[1].tolist() == [0, KEYS.index(Key(shift)) + 1, 0]
    assert told[0, 0] == GENRES.index("rock") + 1
    assert not Songs([words], ["rock"], 10_000)[0][1][1].any()


def test_genre_and_key_are_left_open_each_by_itself() -> None:
    augmentation = Augmentation(unconditioned=0, untold=0.5)
    songs = Songs(WORDS * 10, ["rock"] * 80, 10_000, augmentation, keys=True)
    told = {
        (bool(tokens[0, 0]), bool(tokens[1, 1])) for _, tokens in map(songs.__getitem__, range(80))
    }
    assert told == {(a, b) for a in (True, False) for b in (True, False)}


def test_clusters_are_never_split() -> None:
    metadata = [{"cluster": str(i // 3)} for i in range(60)] + [{} for _ in range(20)]
    training, validation = split(metadata, 0.3, seed=1)
    assert sorted(training + validation) == list(range(80))
    assert len(validation) == pytest.approx(24, abs=3)
    clusters = [{metadata[i].get("cluster", i) for i in part} for part in (training, validation)]
    assert not clusters[0] & clusters[1]
    with pytest.raises(InputError, match="val_fraction"):
        split(metadata, 1.0, seed=1)


def test_songs_named_held_out_are_the_validation_and_near_copies_are_left_out() -> None:
    metadata = [{"cluster": str(i // 2), "held_out": "1" if i in (3, 8) else ""} for i in range(12)]
    assert split(metadata, 0.3, seed=1) == ([0, 1, 4, 5, 6, 7, 10, 11], [3, 8])
    assert len(split(metadata, 0.0, seed=1)[0]) == 12
    with pytest.raises(InputError, match="held out"):
        split(metadata[2:4], 0.3, seed=1)


def test_batches_hold_every_item_once_and_little_padding() -> None:
    lengths = np.random.default_rng(0).integers(100, 5000, 3000)
    groups = batches(lengths, 8, (0, 1))
    assert sorted(np.concatenate(groups).tolist()) == list(range(3000))
    assert padding_share(lengths, groups) < 0.05
    assert [g.tolist() for g in groups] != [g.tolist() for g in batches(lengths, 8, (0, 2))]


def test_collate_shifts_by_one_and_masks_padding() -> None:
    songs = Songs(WORDS, [None] * 8, 10_000)
    batch = collate([songs[0], songs[4]])
    short = len(WORDS[0]) - 1
    assert batch.mask.sum(1).tolist() == [short, len(WORDS[4]) - 1]
    np.testing.assert_array_equal(batch.words[0, :short], model_words(WORDS[0])[:-1])
    np.testing.assert_array_equal(batch.targets[0, :short], model_words(WORDS[0])[1:])
    assert not batch.mask[0, short:].any()
    assert len(collate([]).mask) == 0
