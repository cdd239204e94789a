"""What a voice sings is drawn, so that its notes are known, and heard again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from cmt.music.pitch import HOP, RATE, pitches
from cmt.music.singing import melody

Notes = list[tuple[int, int, int]]
ROUND: Notes = [(4 * beat, p, 4) for beat, p in enumerate((60, 62, 64, 60, 60, 62, 64, 60))]
ROUND += [(32, 64, 4), (36, 65, 4), (40, 67, 8)]
# Eighths, a dotted quarter, a rest, a sixteenth, all within a twelfth.
SONG: Notes = [(0, 67, 2), (2, 69, 2), (4, 67, 2), (6, 65, 2), (8, 64, 4), (12, 60, 4), (16, 67, 6)]
SONG += [(22, 69, 2), (24, 72, 4), (32, 71, 3), (35, 72, 1), (36, 74, 8)]


def sing(
    notes: Notes,
    bpm: float = 100.0,
    partials: Sequence[float] = (1, 0.5, 0.3, 0.2),
    *,
    off: float = 0.0,
    vibrato: float = 0.0,
    slide: float = 0.0,
    gap: float = 0.05,
    noise: float = 0.0,
    late: float = 0.0,
) -> np.ndarray:
    """A voice at `RATE`.

    Args:
        notes: tick, MIDI pitch, ticks.
        bpm: of them.
        partials: how loud each is.
        off: semitones that all is above its pitch.
        vibrato: semitones that it swings, 5.5 times a second.
        slide: seconds in which it comes from the note before.
        gap: seconds between notes, in which it is silent.
        noise: standard deviation; the voice has about 0.1.
        late: seconds, standard deviation.
    """
    rng = np.random.default_rng(0)
    tick = 15 / bpm
    time = np.arange(round((0.8 + tick * sum(notes[-1][::2])) * RATE)) / RATE
    pitch, loud = np.full_like(time, 60), np.zeros_like(time)
    before = notes[0][1] - 2
    for start, note, ticks in notes:
        begins = 0.4 + start * tick + rng.normal(0, late)
        lasts = ticks * tick - min(gap, ticks * tick / 3)
        since = time - begins
        sounding = (since >= 0) & (since < lasts)
        since = since[sounding]
        coming = np.clip(1 - since / slide, 0, 1) if slide else 0.0
        swing = vibrato * np.sin(2 * np.pi * 5.5 * since) * np.clip(since / 0.2, 0, 1)
        pitch[sounding] = note + off + swing + (before - note) * coming
        loud[sounding] = np.clip(np.minimum(since, lasts - since) / 0.03, 0, 1)
        before = note
    phase = 2 * np.pi * np.cumsum(440 * 2 ** ((pitch - 69) / 12)) / RATE
    waves = sum(part * np.sin((k + 1) * phase) for k, part in enumerate(partials))
    return (0.2 * loud * waves + rng.normal(0, noise, len(time))).astype(np.float32)


@pytest.mark.parametrize("notes", [ROUND, SONG])
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"off": 0.35},
        {"off": -0.3, "vibrato": 0.5},
        {"vibrato": 0.9},
        {"noise": 0.03},
        {"partials": (0.3, 1, 0.3, 0.5)},  # the octave is louder
        {"partials": (1,)},  # a whistle
        {"gap": 0.0},
        {"bpm": 76.0},
        {"bpm": 130.0},
        {"late": 0.02},
    ],
    ids=str,
)
def test_the_notes_that_are_sung_are_heard(notes: Notes, how: dict[str, float]) -> None:
    assert melody(sing(notes, **how)) == notes  # type: ignore[arg-type]


@pytest.mark.parametrize("slide", [0.08, 0.15, 0.2])
def test_sliding_is_no_note(slide: float) -> None:
    assert melody(sing(ROUND, slide=slide, gap=0.0, vibrato=0.2)) == ROUND
    assert melody(sing(ROUND, slide=slide)) == ROUND


@pytest.mark.parametrize(("octaves", "heard"), [(-1, 0), (1, 1), (2, 1)])
def test_a_melody_is_moved_to_the_middle_of_the_keyboard(octaves: int, heard: int) -> None:
    sung, expected = (
        [(tick, pitch + 12 * up, ticks) for tick, pitch, ticks in ROUND] for up in (octaves, heard)
    )
    assert melody(sing(sung)) == expected


def test_equal_notes_are_told_apart_where_the_voice_sinks() -> None:
    samples = sing([(0, 62, 4), (4, 62, 4), (8, 62, 4), (12, 64, 8)], gap=0.0)
    assert [pitch for _, pitch, _ in melody(samples)] == [62, 62, 62, 64]


def test_equal_notes_are_told_apart_where_they_are_struck_but_not_where_the_room_swings() -> None:
    time = np.arange(2 * RATE) / RATE
    tone, higher = (0.3 * np.sin(2 * np.pi * 440 * 2 ** (k / 12) * time) for k in (0, 4))
    since = time % 0.5
    struck = np.concatenate([tone, higher]) * np.tile(np.exp(-2.5 * since), 2)
    notes = melody(struck.astype(np.float32))
    assert [(tick, pitch) for tick, pitch, _ in notes] == [
        (4 * beat, 69 if beat < 4 else 73) for beat in range(8)
    ]
    swinging = 10 ** (3 * np.sin(2 * np.pi * 11 * time) / 20)
    held = np.concatenate([tone * swinging, higher, tone]).astype(np.float32)
    assert [pitch for _, pitch, _ in melody(held)] == [69, 73, 69]


def test_pitch_is_within_a_hundredth_of_a_semitone_and_where_it_is() -> None:
    samples = sing([(0, 69, 8)], gap=0.0)
    pitch, level = pitches(samples)
    heard = np.flatnonzero(~np.isnan(pitch)) * HOP / RATE
    assert 0.37 < heard[0] < 0.43 and 1.57 < heard[-1] < 1.63
    assert np.abs(pitch[60:140] - 69).max() < 0.01
    assert np.ptp(level[60:140]) < 1


SECONDS = 4 * RATE
WHITE = np.random.default_rng(0).normal(0, 0.1, SECONDS)


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (np.zeros(0), "nothing is heard"),
        (np.zeros(SECONDS), "nothing is heard"),
        (WHITE * 1e-3, "nothing is heard"),
        (WHITE, "no melody"),
        (np.cumsum(WHITE) * 0.05, "no melody"),
        (0.1 * np.sin(2 * np.pi * 100 * np.arange(SECONDS) / RATE), "no melody"),  # the mains
        (sing([(0, 69, 4), (4, 71, 4)]), "no melody"),
    ],
    ids=["none", "silence", "nearly", "white", "brown", "mains", "two notes"],
)
def test_what_has_no_melody_is_refused(samples: np.ndarray, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        melody(samples.astype(np.float32))


def test_a_doubtful_note_is_one_of_the_key() -> None:
    scale = [(4 * beat, p, 4) for beat, p in enumerate((60, 62, 64, 65, 67, 69, 67, 65, 64, 60))]
    flat = np.array(scale)
    off = np.where(flat[:, 1] == 69, -0.55, 0.0)  # A, that is sung nearer to G sharp
    clear = np.where(flat[:, 1] == 69, -1.0, 0.0)  # G sharp, that is sung
    for detuned, heard in ((off, 69), (clear, 68)):
        voice = sing([(t, p + d, n) for (t, p, n), d in zip(scale, detuned, strict=True)])  # type: ignore[misc]
        found = [pitch for _, pitch, _ in melody(voice)]
        assert found == [heard if pitch == 69 else pitch for _, pitch, _ in scale]
