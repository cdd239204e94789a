"""Music as found becomes music that the words can say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import mido
import numpy as np
import pytest

from cmt.music import cleaning
from cmt.music.midi import from_score, load_score
from cmt.music.words import NOTE_DTYPE, Song, song_to_words

if TYPE_CHECKING:
    from symusic.core import ScoreTick

BAR = 16


def song(*notes: tuple[int, int, int, int], length: int | None = None) -> Song:
    """A song of (tick, pitch, duration, instrument)."""
    array = np.array(sorted(notes), NOTE_DTYPE)
    return Song(array, length or int((array["tick"] + array["duration"]).max()))


def notes_of(song: Song) -> list[tuple[int, ...]]:
    return sorted(song.notes.tolist())


def midi_file(path: Path, onsets: list[int], meters: list[tuple[int, int, int]]) -> Path:
    """Notes at `onsets`, meters (tick, numerator, denominator); 48 ticks per quarter."""
    events = [
        (t, mido.MetaMessage("time_signature", numerator=n, denominator=d)) for t, n, d in meters
    ]
    for onset in onsets:
        events.append((onset, mido.Message("note_on", note=60, velocity=80)))
        events.append((onset + 6, mido.Message("note_off", note=60)))
    track, now = mido.MidiTrack(), 0
    for time, message in sorted(events, key=lambda event: event[0]):
        track.append(message.copy(time=time - now))
        now = time
    mido.MidiFile(ticks_per_beat=48, tracks=[track]).save(path)
    return path


def grid_of(score: ScoreTick | None, path: Path) -> list[int]:
    assert score is not None
    return from_score(score, path).song.notes["tick"].tolist()


def test_triplets_are_off_the_grid_and_a_players_liberties_are_not(tmp_path: Path) -> None:
    straight = load_score(midi_file(tmp_path / "a.mid", [0, 14, 24, 34, 48], []))
    triplets = load_score(midi_file(tmp_path / "b.mid", [0, 16, 32, 48, 64, 80], []))
    assert cleaning.off_grid(cleaning.onsets(straight)) == 0
    assert cleaning.off_grid(cleaning.onsets(triplets)) == pytest.approx(4 / 6)
    assert cleaning.on_grid(straight) is straight
    assert cleaning.on_grid(triplets) is None


@pytest.mark.parametrize("pair", [48, 24])
def test_swung_pairs_become_even(tmp_path: Path, pair: int) -> None:
    onsets = [pair * place for place in range(32)]
    late = [onset + 2 * pair // 3 for onset in onsets]
    path = midi_file(tmp_path / "a.mid", onsets + late, [(0, 4, 4)])
    score = cleaning.on_grid(load_score(path))
    assert grid_of(score, path) == list(range(0, 32 * pair // 12, pair // 24))
    assert score is not None and [str(meter.numerator) for meter in score.time_signatures] == ["4"]


def test_music_at_a_tempo_of_its_own_gets_that_tempo(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    bar = np.sort(rng.choice(16, 9, replace=False))
    ticks = np.concatenate([bar + 16 * n for n in range(16)])
    ticks -= ticks[0]
    # A sixteenth of 11 MIDI ticks where the file's has 12, at its 120 BPM.
    path = midi_file(tmp_path / "a.mid", (30 + 11 * ticks).tolist(), [(0, 3, 4)])
    score = cleaning.on_grid(load_score(path))
    assert grid_of(score, path) == ticks.tolist()
    assert score is not None
    assert from_score(score, path).tempo == pytest.approx(120 * 12 / 11, rel=1e-3)
    assert cleaning.four_four(score, 160) == [(0, 160)]


def test_music_without_a_tempo_or_in_bars_of_three_is_not_put_on_the_grid(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    free = np.cumsum(rng.uniform(5, 20, 300)).astype(int).tolist()
    assert cleaning.on_grid(load_score(midi_file(tmp_path / "a.mid", free, []))) is None
    bar = np.sort(rng.choice(12, 7, replace=False))
    waltz = np.concatenate([11 * (bar + 12 * n) for n in range(16)]).tolist()
    assert cleaning.on_grid(load_score(midi_file(tmp_path / "b.mid", waltz, []))) is None


def test_stretches_of_four_four_are_found_between_other_meters(tmp_path: Path) -> None:
    bar = 4 * 48
    meters = [(0, 1, 4), (48, 4, 4), (48 + 2 * bar, 2, 2), (48 + 4 * bar, 3, 4), (624 + 576, 4, 4)]
    path = midi_file(tmp_path / "a.mid", [0], meters)
    stretches = cleaning.four_four(load_score(path), length=150)
    assert stretches == [(4, 4 + 4 * BAR), (100, 150)]


def test_a_file_without_meters_is_in_four_four(tmp_path: Path) -> None:
    path = midi_file(tmp_path / "a.mid", [0], [])
    assert cleaning.four_four(load_score(path), length=70) == [(0, 70)]


def test_a_crop_drops_silent_bars_and_ends_its_notes() -> None:
    whole = song((3, 60, 4, 2), (40, 62, 40, 2), (70, 64, 4, 2))
    cut = cleaning.crop(whole, 8, 64)
    assert notes_of(cut) == [(0, 62, 24, 2)]
    assert cut.length == 24
    assert cleaning.crop(whole, 8, 30).length == 0


def test_a_count_in_is_dropped_and_a_drum_intro_stays() -> None:
    clicks = [(4 * beat, 76, 1, 1) for beat in range(4)]
    music = (BAR + 2, 60, 4, 2)
    assert notes_of(cleaning.without_count_in(song(*clicks, music))) == [(2, 60, 4, 2)]
    kick = (0, 36, 1, 1)
    assert len(cleaning.without_count_in(song(kick, *clicks, music)).notes) == 6


def test_doubled_notes_sound_once_and_struck_again_end() -> None:
    doubled = song((0, 60, 2, 2), (0, 60, 8, 2), (4, 60, 4, 2), (0, 60, 8, 3), (4, 61, 4, 2))
    assert notes_of(cleaning.without_doubles(doubled)) == [
        (0, 60, 4, 2),
        (0, 60, 8, 3),
        (4, 60, 4, 2),
        (4, 61, 4, 2),
    ]
    clean = cleaning.without_doubles(doubled)
    assert notes_of(cleaning.without_doubles(clean)) == notes_of(clean)


def test_a_long_song_becomes_pieces_cut_at_bars_that_lose_no_onset() -> None:
    whole = song(*((4 * beat, 60, 4, 2) for beat in range(4 * 30)))
    parts = cleaning.pieces(whole, max_words=100)
    assert max(len(song_to_words(part)) for part in parts) <= 100
    assert sum(len(part.notes) for part in parts) == len(whole.notes)
    assert all(part.notes["tick"][0] == 0 for part in parts)
    assert [notes_of(part) for part in cleaning.pieces(whole, 1000)] == [notes_of(whole)]


def test_near_copies_share_bar_prints_wherever_the_bars_are() -> None:
    tune = [(t, 60 + t, 2, 2) for t in range(0, 16, 2)]
    late = [(t + BAR, *rest) for t, *rest in tune]
    other = [(t, pitch + 1, *rest) for t, pitch, *rest in tune]
    assert cleaning.bar_prints(song(*tune)) == cleaning.bar_prints(song(*late))
    assert not cleaning.bar_prints(song(*tune)) & cleaning.bar_prints(song(*other))
