"""Settings of MIDI channels: whichever track makes them, and whatever makes drums of a channel."""

import io
from pathlib import Path
from typing import Any

import mido
import pytest

from cmt.music.midi import load_score, read_midi

GM_ON, GM2_ON = [0x7E, 0x7F, 9, 1], [0x7E, 0x7F, 9, 3]
GS_RESET = [0x41, 0x10, 0x42, 0x12, 0x40, 0, 0x7F, 0, 0x41]
XG_ON = [0x43, 0x10, 0x4C, 0, 0, 0x7E, 0]


def gs_part(block: int, mode: int) -> list[int]:
    """Use a part for rhythm, or no longer."""
    body = [0x40, 0x10 | block, 0x15, mode]
    return [0x41, 0x10, 0x42, 0x12, *body, -sum(body) % 128]


def xg_part(part: int, mode: int) -> list[int]:
    return [0x43, 0x10, 0x4C, 8, part, 7, mode]


def note(channel: int, pitch: int = 60, time: int = 0) -> list[mido.Message]:
    return [
        mido.Message("note_on", channel=channel, note=pitch, time=time),
        mido.Message("note_off", channel=channel, note=pitch, time=24),
    ]


def program(channel: int, number: int, time: int = 0) -> mido.Message:
    return mido.Message("program_change", channel=channel, program=number, time=time)


def control(channel: int, number: int, value: int) -> mido.Message:
    return mido.Message("control_change", channel=channel, control=number, value=value)


def system(*messages: list[int]) -> list[mido.Message]:
    return [mido.Message("sysex", data=data) for data in messages]


def parts(tmp_path: Path, *tracks: list[Any]) -> list[tuple[int, bool, int]]:
    """Program, whether drums, and notes of the parts of a file of these tracks."""
    file = mido.MidiFile(ticks_per_beat=24, tracks=[mido.MidiTrack(track) for track in tracks])
    file.save(tmp_path / "a.mid")
    score = load_score(tmp_path / "a.mid")
    return [(track.program, track.is_drum, len(track.notes)) for track in score.tracks]


def test_a_first_track_sets_up_the_channels_of_others(tmp_path: Path) -> None:
    setup = [program(0, 48), control(0, 7, 100), control(0, 10, 20)]
    assert parts(tmp_path, setup, note(0)) == [(48, False, 1)]
    (track,) = load_score(tmp_path / "a.mid").tracks
    assert [(c.number, c.value) for c in track.controls] == [(7, 100), (10, 20)]


def test_both_staves_of_a_piano_have_its_program(tmp_path: Path) -> None:
    assert parts(tmp_path, [program(0, 48), *note(0)], note(0)) == [(48, False, 1)] * 2


def test_a_program_holds_until_any_track_changes_it(tmp_path: Path) -> None:
    conductor = [program(0, 30), program(0, 40, time=24)]
    tune = [*note(0), *note(0), program(0, 50), *note(0)]
    assert parts(tmp_path, conductor, tune) == [(30, False, 1), (40, False, 1), (50, False, 1)]


def test_tracks_that_share_a_channel_keep_their_own_programs(tmp_path: Path) -> None:
    # As libraries write more instruments than there are channels.
    tracks = [[program(0, number), *note(0)] for number in (10, 20)]
    assert parts(tmp_path, *tracks) == [(10, False, 1), (20, False, 1)]


def test_ports_have_channels_of_their_own(tmp_path: Path) -> None:
    first = [mido.MetaMessage("midi_port", port=0), program(0, 10), *note(0)]
    second = [mido.MetaMessage("midi_port", port=1), *note(0)]
    assert parts(tmp_path, first, second) == [(10, False, 1), (0, False, 1)]


@pytest.mark.parametrize(
    ("setup", "channel", "drums"),
    [
        ([], 9, True),
        ([control(10, 0, 127), program(10, 8)], 10, True),  # XG drums
        ([control(10, 0, 126)], 10, True),  # XG effects
        ([control(10, 0, 120)], 10, True),  # GM2
        ([control(10, 0, 8)], 10, False),
        ([control(10, 0, 127), control(10, 0, 0)], 10, False),
        ([control(9, 0, 0)], 9, True),
        ([control(9, 0, 121)], 9, False),  # GM2: a melody on channel 10
        (system(gs_part(1, 1)), 0, True),  # GS counts channel 10 as its part 0
        (system(gs_part(10, 2)), 10, True),
        (system(gs_part(0, 0)), 9, False),
        ([*system(GS_RESET), control(10, 0, 127)], 10, False),  # sounds of an MT-32
        ([*system(GS_RESET, gs_part(10, 1)), control(10, 0, 0)], 10, True),
        (system(XG_ON, xg_part(3, 1)), 3, True),
        (system(XG_ON, xg_part(9, 0)), 9, False),
        (system(xg_part(3, 1), GM_ON), 3, False),  # a reset
        (system(gs_part(4, 1), GM2_ON), 3, False),
        (system(XG_ON[:4]), 9, True),  # no whole message
    ],
)
def test_drums_are_known_however_they_are_asked_for(
    setup: list[mido.Message], channel: int, drums: bool, tmp_path: Path
) -> None:
    ((_, is_drum, _),) = parts(tmp_path, setup, note(channel))
    assert is_drum == drums


def test_the_drum_channel_is_drums_whatever_its_track_is_called(tmp_path: Path) -> None:
    named = [
        [mido.MetaMessage("track_name", name="Piano"), *note(0)],
        [mido.MetaMessage("track_name", name="Strings"), *note(9)],
    ]
    parts(tmp_path, *named)
    assert read_midi(tmp_path / "a.mid").song.notes["instrument"].tolist() == [2, 1]
    assert read_midi(tmp_path / "a.mid", strict_names=True).instruments == ["Piano", "Strings"]


def test_ends_belong_to_the_first_note_that_sounds(tmp_path: Path) -> None:
    on, off = (
        lambda time, kind=kind: mido.Message(kind, note=60, time=time)
        for kind in ("note_on", "note_off")
    )
    # An end of nothing, two notes of one pitch, and one that is never ended.
    track = [off(0), on(5), on(5), off(5), off(5), off(0), on(5)]
    assert parts(tmp_path, track) == [(0, False, 2)]
    (part,) = load_score(tmp_path / "a.mid").tracks
    assert [(n.time, n.duration) for n in part.notes] == [(5, 10), (10, 10)]


def test_a_channel_that_is_set_without_end_is_refused(tmp_path: Path) -> None:
    # 1,500 tracks on a channel that is set 10,000 times.
    file = mido.MidiFile(tracks=[mido.MidiTrack([control(0, 1, n % 128) for n in range(10_000)])])
    file.tracks += [mido.MidiTrack(note(0)) for _ in range(1500)]
    content = io.BytesIO()
    file.save(file=content)
    (tmp_path / "a.mid").write_bytes(content.getvalue())
    with pytest.raises(Exception, match=r"a\.mid: damaged MIDI file \(its channels are set"):
        load_score(tmp_path / "a.mid")
