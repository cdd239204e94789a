"""MIDI files ⇄ notes: equal to the original's, and whole again after a round trip."""

import json
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from symusic.core import ControlChangeTick, NoteTick, ScoreTick, TempoTick, TrackTick

from cmt.files import InputError
from cmt.music.midi import instrument_of, load_score, read_midi, write_midi
from cmt.music.vocabulary import INSTRUMENTS, MIN_NOTES
from cmt.music.words import NOTE_DTYPE, Song, song_to_words, words_to_song

REFERENCE = Path(__file__).parents[1] / "reference" / "midi"
IDS = [about["id"] for about in json.loads((REFERENCE / "ref_metadata.json").read_text())]
BAD = json.loads((REFERENCE / "bad_results.json").read_text())
CASES = json.loads((REFERENCE / "numpy2midi_cases.json").read_text())

# Files that hold no music that could be used, and what is said of them.
UNUSABLE = {
    "all_tracks_le20.mid": "no track has 21 notes",
    "garbage.mid": "not a MIDI file",
    "hanging_notes.mid": "no notes that both start and end",
    "no_tracks.mid": "no notes",
    "track_without_notes.mid": "no notes",
    "type2.mid": "type 2",
    "zero_bytes.mid": "empty file",
}


def unplayed(song: Song) -> np.ndarray:
    """Its notes without how loud they are."""
    return song.notes[list(NOTE_DTYPE.names or ())]


def save(path: Path, tracks: list[tuple[str, int, bool]], notes: int = 30, **first: int) -> Path:
    """A MIDI file at 24 ticks per quarter whose tracks play sixteenths of their own pitch."""
    score = ScoreTick(24)
    for index, (name, program, is_drum) in enumerate(tracks):
        track = TrackTick(name, program, is_drum)
        for note in range(first.get(name, notes)):
            track.notes.append(NoteTick(6 * note, 6, 40 + index, 64))
        score.tracks.append(track)
    score.dump_midi(path)
    return path


@pytest.mark.parametrize("index", range(len(IDS)), ids=IDS)
def test_words_of_a_midi_file_equal_the_originals(index: int) -> None:
    midi = read_midi(REFERENCE / "in" / f"{IDS[index]}.mid", min_notes=MIN_NOTES)
    words = song_to_words(midi.song)
    with np.load(REFERENCE / "ref_midi2numpy.npz") as file:
        length = file["de_len"][index]
        np.testing.assert_array_equal(words[:-1], file["x"][index, : length - 1])
        np.testing.assert_array_equal(words[1:], file["y"][index, : length - 1])
    metadata = json.loads((REFERENCE / "ref_metadata.json").read_text())
    assert midi.instruments == metadata[index]["instruments"]
    assert midi.by_name


@pytest.mark.parametrize("path", sorted((REFERENCE / "bad").iterdir()), ids=lambda path: path.name)
def test_difficult_files_are_read_or_refused_with_the_cause(path: Path) -> None:
    if path.name in UNUSABLE:
        with pytest.raises(InputError, match=f"{path.name}.*{UNUSABLE[path.name]}"):
            read_midi(path, min_notes=MIN_NOTES)
        return
    words = song_to_words(read_midi(path, min_notes=MIN_NOTES).song)
    recorded = BAD[path.name]
    if not isinstance(recorded, str):  # where the original did not die
        assert len(words) == recorded["de_len"]
        assert words[0, 8] == recorded["n_beat"]
        np.testing.assert_array_equal(words.max(0), recorded["max"])
        np.testing.assert_array_equal(words[: len(recorded["first"])], recorded["first"])


@pytest.mark.parametrize(
    ("program", "is_drum", "name"),
    [
        (0, True, "Drums"),
        (33, True, "Drums"),
        (0, False, "Piano"),
        (7, False, "Piano"),
        (8, False, "Strings"),
        (24, False, "Guitar"),
        (31, False, "Guitar"),
        (32, False, "Bass"),
        (39, False, "Bass"),
        (40, False, "Strings"),
        (127, False, "Strings"),
    ],
)
def test_general_midi_programs_merge_as_in_lpd_5(program: int, is_drum: bool, name: str) -> None:
    assert instrument_of(program, is_drum) == name


def test_unnamed_tracks_merge_by_program(tmp_path: Path) -> None:
    tracks = [("Flute", 73, False), ("Lead", 30, False), ("Choir", 52, False), ("Kit", 0, True)]
    path = save(tmp_path / "gm.mid", tracks, notes=12, Lead=25, Kit=20)
    midi = read_midi(path, min_notes=MIN_NOTES)
    assert not midi.by_name
    # Flute and choir are too short alone but not together; the drums stay too short.
    assert midi.instruments == ["Strings", "Guitar"]
    first = midi.song.notes[midi.song.notes["tick"] == 0]
    assert first[["pitch", "instrument"]].tolist() == [(40, 5), (42, 5), (41, 3)]


def test_names_count_in_any_case_but_strictly_only_as_they_are(tmp_path: Path) -> None:
    path = save(tmp_path / "lower.mid", [("drums ", 0, False), ("BASS", 0, False)])
    midi = read_midi(path)
    assert midi.by_name
    assert midi.instruments == ["Drums", "Bass"]
    with pytest.raises(InputError, match=r"lower\.mid: track 'drums ' is none of .*--strict-names"):
        read_midi(path, strict_names=True)


def test_strict_names_drop_short_tracks_first() -> None:
    path = REFERENCE / "bad" / "unknown_name_le20.mid"
    assert read_midi(path, strict_names=True, min_notes=21).instruments == ["Piano"]
    with pytest.raises(InputError, match="'Vocals'"):
        read_midi(path, strict_names=True, min_notes=20)


def test_tempo_is_the_mean_over_the_music(tmp_path: Path) -> None:
    score = ScoreTick(24)
    track = TrackTick("Piano", 0, False)
    track.notes.append(NoteTick(0, 24 * 8, 60, 64))
    score.tracks.append(track)
    # 4 beats of the default 120 BPM (2 s), 4 of 60 BPM (4 s), and one change after the music.
    for time, tempo in ((24 * 4, 60), (24 * 20, 200)):
        score.tempos.append(TempoTick(time, tempo))
    score.dump_midi(tmp_path / "tempo.mid")
    midi = read_midi(tmp_path / "tempo.mid")
    assert midi.tempo == pytest.approx(8 / (6 / 60))
    assert midi.song.length == 20 * 4


def test_length_counts_controls_after_the_last_note(tmp_path: Path) -> None:
    score = ScoreTick(24)
    track = TrackTick("Piano", 0, False)
    track.notes.append(NoteTick(0, 6, 60, 64))
    track.controls.append(ControlChangeTick(240, 64, 0))
    score.tracks.append(track)
    score.dump_midi(tmp_path / "tail.mid")
    assert read_midi(tmp_path / "tail.mid").song.length == 40


def test_text_after_the_last_track_is_ignored_but_a_cut_track_is_not(tmp_path: Path) -> None:
    data = (REFERENCE / "in" / f"{IDS[0]}.mid").read_bytes()
    path = tmp_path / "file.mid"
    path.write_bytes(data + b"downloaded from a page")
    expected = read_midi(REFERENCE / "in" / f"{IDS[0]}.mid").song
    np.testing.assert_array_equal(read_midi(path).song.notes, expected.notes)
    path.write_bytes(data[:-40])
    with pytest.raises(InputError, match=r"file\.mid: damaged MIDI file \(a track is cut off\)"):
        read_midi(path)


@pytest.mark.parametrize("division", [0, 0xE700, 0xE628])
def test_time_that_is_neither_in_beats_nor_in_frames_is_refused(
    tmp_path: Path, division: int
) -> None:
    data = bytearray((REFERENCE / "in" / f"{IDS[0]}.mid").read_bytes())
    data[12:14] = division.to_bytes(2, "big")
    (tmp_path / "smpte.mid").write_bytes(data)
    with pytest.raises(InputError, match=r"smpte\.mid: time is not in ticks"):
        read_midi(tmp_path / "smpte.mid")


@pytest.mark.parametrize("name", [n for n, r in CASES["results"].items() if isinstance(r, dict)])
def test_recorded_words_written_and_read_again(name: str, tmp_path: Path) -> None:
    song = words_to_song(np.array(CASES["cases"][name]))
    write_midi(song, tmp_path / "song.mid", tempo=120)
    expected = CASES["results"][name]["reread"]
    if not expected:
        with pytest.raises(InputError, match="no notes"):
            read_midi(tmp_path / "song.mid")
        return
    notes = unplayed(read_midi(tmp_path / "song.mid").song).tolist()
    assert sorted(expected) == sorted(
        [INSTRUMENTS[instrument - 1].name, tick, pitch, duration]
        for tick, pitch, duration, instrument in notes
    )


# One note per pitch: MIDI cannot say which of two notes of one pitch ends.
songs = st.builds(
    lambda notes, rest: Song(
        np.array(sorted((t, p, d, i) for (p, i), (t, d) in notes.items()), NOTE_DTYPE),
        max(t + d for t, d in notes.values()) + rest,
    ),
    st.dictionaries(
        st.tuples(st.integers(0, 127), st.integers(1, 5)),
        st.tuples(st.integers(0, 100), st.integers(0, 40)),
        min_size=1,
        max_size=30,
    ),
    st.integers(0, 30),
)


@settings(deadline=None)
@given(song=songs, tempo=st.floats(30, 240))
def test_a_written_song_reads_the_same(
    song: Song, tempo: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "written.mid"
    write_midi(song, path, tempo)
    midi = read_midi(path)
    assert sorted(unplayed(midi.song).tolist()) == sorted(song.notes.tolist())
    assert midi.song.length == song.length
    if song.length > song.notes["tick"].min():
        assert midi.tempo == pytest.approx(tempo, rel=1e-5)


def test_a_tempo_map_and_markers_are_written(tmp_path: Path) -> None:
    path = tmp_path / "song.mid"
    song = Song(np.array([(20, 60, 4, 2)], NOTE_DTYPE), 32)
    write_midi(song, path, [(0, 60.0), (16, 120.0)], [(0, "scene 1"), (16, "scene 2")])
    file = mido.MidiFile(path)
    assert file.length == pytest.approx(4 + 2)
    markers = [message.text for message in file.tracks[0] if message.type == "marker"]
    assert markers == ["scene 1", "scene 2"]
    timed = load_score(path).to("second")
    onsets = [note.time for track in timed.tracks for note in track.notes]
    assert onsets == [pytest.approx(4 + 0.5)]


def test_written_files_have_five_named_tracks_and_end_together(tmp_path: Path) -> None:
    notes = [(0, 60, 8, 2), (2, 36, 1, 1), (15, 60, 8, 2), (20, 62, 4, 2)]
    path = tmp_path / "song.mid"
    write_midi(Song(np.array(notes, NOTE_DTYPE), 32).until(18), path, tempo=97.3)
    file = mido.MidiFile(path)
    assert file.ticks_per_beat == 4
    assert file.length == pytest.approx(18 / 4 * 60 / 97.3, rel=1e-5)
    conductor, *tracks = file.tracks
    assert mido.tempo2bpm(conductor[0].tempo) == pytest.approx(97.3, rel=1e-5)
    assert [track.name for track in tracks] == ["Drums", "Piano", "Guitar", "Bass", "Strings"]
    programs = [
        (message.program, message.channel == 9)
        for track in tracks
        for message in track
        if message.type == "program_change"
    ]
    assert programs == [(114, True), (0, False), (24, False), (33, False), (41, False)]
    assert {sum(message.time for message in track) for track in file.tracks} == {18}
    # The note at tick 15 is cut at the end, the one at 20 is gone.
    song = read_midi(path).song
    assert unplayed(song).tolist() == [(0, 60, 8, 2), (2, 36, 1, 1), (15, 60, 3, 2)]
    velocities = {m.velocity for track in tracks for m in track if m.type == "note_on"}
    assert velocities == {80}


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.mid", tmp_path):
        with pytest.raises(InputError, match=f"{path.name}: cannot be read"):
            read_midi(path)
