"""MIDI files as people have them: what is wrong is left out with a word, or refused in a line."""

import logging
import struct
from pathlib import Path

import pytest

from cmt.files import InputError
from cmt.music.midi import load_score, read_midi

HEADER = b"MThd" + struct.pack(">IHHH", 6, 0, 1, 24)
NOTE = b"\0\x90\x3c\x50\x18\x80\x3c\0"
END = b"\0\xff\x2f\0"


def midi(events: bytes, header: bytes = HEADER) -> bytes:
    return header + b"MTrk" + struct.pack(">I", len(events)) + events


def read(tmp_path: Path, content: bytes, max_minutes: float = 20) -> list[tuple[int, int, int]]:
    """Tick, pitch and duration of the notes of a file, on its own ticks."""
    (tmp_path / "a.mid").write_bytes(content)
    score = load_score(tmp_path / "a.mid", max_minutes)
    return [(n.time, n.pitch, n.duration) for track in score.tracks for n in track.notes]


@pytest.mark.parametrize(
    "content",
    [
        midi(NOTE + END),
        midi(NOTE),  # no end
        midi(NOTE + END + b"what comes after it"),
        midi(NOTE + END, b"MThd" + struct.pack(">IHHHH", 8, 0, 1, 24, 7)),
        b"RIFF\0\0\0\0RMIDdata\0\0\0\0" + midi(NOTE + END) + b"\0",
        b"\0\4tune" + bytes(122) + midi(NOTE + END) + bytes(40),  # MacBinary
        HEADER + b"XFIH\0\0\0\2ab" + midi(NOTE + END, b""),  # another chunk
        midi(b"\0\xff\x7f\3abc" + b"\0\xf0\3\1\2\xf7" + b"\0\xf7\1\1" + NOTE + END),
        midi(b"\0\xff\x51\3\0\0\0" + NOTE + END),  # beats of no time
        midi(b"\0\xff\x51\2\0\1" + NOTE + END),
        midi(b"\0\xff\x58\4\0\x02\x18\x08" + NOTE + END),  # bars of no beats
        midi(b"\0\xff\x59\2\x0b\2" + NOTE + END),
    ],
)
def test_a_note_is_read_whatever_is_around_it(content: bytes, tmp_path: Path) -> None:
    assert read(tmp_path, content) == [(0, 60, 24)]
    assert read_midi(tmp_path / "a.mid").tempo == 120


def test_running_status_and_long_numbers_are_read(tmp_path: Path) -> None:
    assert read(tmp_path, midi(b"\0\x90\x3c\x50\x18\x3c\0\x81\x00\x40\x50\x18\x40\0")) == [
        (0, 60, 24),
        (24 + 128, 64, 24),
    ]


def test_what_no_music_has_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        read(tmp_path, midi(b"\0\xff\x51\3\0\0\0\0\xff\x58\4\0\0\0\0" + NOTE))
    assert [record.getMessage().split(": ")[1] for record in caplog.records] == [
        "a tempo that no music has is ignored",
        "a time signature that no music has is ignored",
    ]


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        (NOTE[:-1], "track 1 ends within an event"),
        (NOTE + b"\0\xff\x03\x7fname", "track 1 ends within an event"),
        (b"\0\x92\x8e\xed" + NOTE, "track 1 has no message at 4"),
        (b"\0\x3c\x50" + NOTE, "track 1 has no event at 1"),
        (b"\0\xf8" + NOTE, "track 1 has no event at 2"),
        (b"\xff\xff\xff\xff\xff" + NOTE, "a number of more than four bytes"),
        (b"\xff\xff\xff\x7f\x90\x3c\x50" * 9, "it is millions of bars long"),
    ],
)
def test_what_cannot_be_told_apart_is_refused(events: bytes, reason: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"a\.mid: damaged MIDI file \({reason}\)"):
        read(tmp_path, midi(events))


def test_music_of_a_day_is_refused_unless_asked_for(tmp_path: Path) -> None:
    day = midi(NOTE + b"\x81\xfd\x90\x00\x90\x3c\x50\x18\x80\x3c\0")
    with pytest.raises(InputError, match=r"a\.mid: lasts 1,440 minutes, more than 20.*raise"):
        read(tmp_path, day)
    assert len(read(tmp_path, day, max_minutes=1441)) == 2
    # A tempo that is slow enough makes a day of less.
    slow = b"\0\xff\x51\3\xff\xff\xff" + NOTE + b"\xb0\x00" + NOTE[1:]
    with pytest.raises(InputError, match="lasts"):
        read(tmp_path, midi(slow))


@pytest.mark.parametrize(
    ("division", "second"), [(0xE728, 1000), (0xE804, 96), (0xE264, 3000), (0xE364, 2997)]
)
def test_time_in_frames_is_read_in_seconds(division: int, second: int, tmp_path: Path) -> None:
    """25 frames of 40 ticks, 24 of 4, 30 of 100, 29.97 of 100: a note from 1 s to 2 s, whatever
    the file's tempo.
    """
    length = bytes([0x80 | second >> 7, second & 0x7F])
    note = length + b"\x90\x3c\x50" + length + b"\x80\x3c\0"
    header = b"MThd" + struct.pack(">IHHH", 6, 0, 1, division)
    (start, pitch, lasts), *_ = read(tmp_path, midi(b"\0\xff\x51\3\0\1\0" + note + END, header))
    assert (start / 1920, pitch, lasts / 1920) == (1, 60, 1)
    song = read_midi(tmp_path / "a.mid")
    assert song.tempo == 120 and song.song.notes[["tick", "duration"]].tolist() == [(8, 8)]


def test_time_in_frames_has_an_end(tmp_path: Path) -> None:
    header = b"MThd" + struct.pack(">IHHH", 6, 0, 1, 0xE801)
    with pytest.raises(InputError, match=r"a\.mid: damaged .* millions of bars"):
        read(tmp_path, midi(b"\xff\xff\xff\x7f\x90\x3c\x50\x18\x80\x3c\0", header))
