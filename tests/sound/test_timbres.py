"""Who plays: programs by genre and mood in the file, and a SoundFont that has them, in tune."""

from __future__ import annotations

import io
import itertools
import os
import wave
from pathlib import Path

import mido
import numpy as np
import pytest

from cmt.files import InputError
from cmt.moods import MOODS
from cmt.music.midi import read_midi, to_midi
from cmt.music.vocabulary import GENRES, INSTRUMENTS
from cmt.sound import mixing, open_filters, riff, soundfont, timbres
from conftest import random_song


@pytest.fixture(scope="module")
def font() -> bytes:
    return soundfont.default_soundfont().read_bytes()


def played(font: bytes, program: int, pitch: int, channel: int = 0) -> np.ndarray:
    """Two seconds of a note, (samples,), at 48 kHz."""
    import midirenderer

    track = mido.MidiTrack(
        [
            mido.Message("program_change", channel=channel, program=program),
            mido.Message("note_on", channel=channel, note=pitch, velocity=80),
            mido.Message("note_off", channel=channel, note=pitch, time=480 * 4),
        ]
    )
    written = io.BytesIO()
    mido.MidiFile(tracks=[track]).save(file=written)
    with wave.open(io.BytesIO(midirenderer.render_wave_from(font, written.getvalue()))) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        assert file.getframerate() == 48_000
    return pcm.reshape(-1, 2).mean(axis=1)


def test_the_font_is_unpacked_once_and_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CMT_CACHE", str(tmp_path / "cache"))
    path = soundfont.default_soundfont()
    assert path.parent == tmp_path / "cache"
    assert path.read_bytes() == soundfont.unpack()
    assert riff.read(path)
    path.write_bytes(path.read_bytes()[:1000])  # as a killed run of another program leaves it
    assert len(soundfont.default_soundfont().read_bytes()) > 1e7
    assert list(path.parent.iterdir()) == [path]

    monkeypatch.setattr(soundfont.tempfile, "gettempdir", lambda: str(tmp_path / "other"))
    path.unlink()
    for in_its_place in (path.mkdir, lambda: os.mkfifo(path)):
        in_its_place()
        instead = soundfont.default_soundfont()
        assert tmp_path / "other" in instead.parents and soundfont.default_soundfont() == instead
        path.rmdir() if path.is_dir() else path.unlink()
    instead.unlink()
    path.write_bytes(b"")

    damaged = tmp_path / "fluid.zip"
    damaged.write_bytes(soundfont.PACK.read_bytes()[:100_000])
    monkeypatch.setattr(soundfont, "PACK", damaged)
    path.unlink()
    with pytest.raises(InputError, match=r"fluid\.zip: is damaged"):
        soundfont.default_soundfont()


@pytest.mark.parametrize(
    "program",
    sorted({p for track, of in timbres.PROGRAMS.items() if track != "Drums" for p in of.values()}),
)
def test_every_timbre_is_in_tune(font: bytes, program: int) -> None:
    """Of an A3, the partials are at multiples of 220 Hz."""
    sound = played(font, program, 57)
    assert np.abs(sound).max() > 300
    middle = sound[12_000:36_000] * np.hanning(24_000)
    spectrum, size = np.abs(np.fft.rfft(middle, 2**19)), 48_000 / 2**19
    near = [slice(round(n * 213 / size), round(n * 227 / size)) for n in (1, 2, 3, 4)]
    strongest = max(range(4), key=lambda n: spectrum[near[n]].max())
    heard = (near[strongest].start + spectrum[near[strongest]].argmax()) * size
    assert 1200 * np.log2(heard / (220 * (strongest + 1))) == pytest.approx(0, abs=12)


def test_kits_differ_and_have_the_drums_that_music_has(font: bytes) -> None:
    snares = []
    for kit in timbres.PROGRAMS["Drums"].values():
        for drum in (36, 38, 42, 46, 47, 49, 51, 57):
            assert np.abs(played(font, kit, drum, channel=9)).max() > 100, (kit, drum)
        snares.append(played(font, kit, 38, channel=9)[:24_000])
    for one, two in [(0, 1), (0, 2), (1, 2), (0, 3)]:
        assert np.corrcoef(snares[one], snares[two])[0, 1] < 0.9


def test_genre_says_who_plays_and_what_is_asked_goes_before_it(tmp_path: Path) -> None:
    assert set(GENRES) == set(timbres.BANDS)
    of_moods = [timbres.band(None, mood.timbres) for mood in MOODS.values()]
    for band in [*map(timbres.band, GENRES), *of_moods]:
        assert set(timbres.programs(band)) == {instrument.name for instrument in INSTRUMENTS}
    for one, two in itertools.combinations(("rock", "electronic", "country"), 2):
        pairs = zip(timbres.band(one).items(), timbres.band(two).items(), strict=True)
        assert sum(first != second for first, second in pairs) >= 4
    for track, names in timbres.PROGRAMS.items():
        assert set(names.values()) <= set(mixing.TRIMS[track])
    asked = timbres.read_timbres("Strings=ensemble, piano=organ")
    programs = timbres.programs(timbres.band("electronic", MOODS["sad"].timbres, asked))
    assert programs == {"Drums": 24, "Piano": 16, "Guitar": 81, "Bass": 38, "Strings": 48}
    with pytest.raises(ValueError, match=r"'piano=flute' is not among .*piano=grand\|"):
        timbres.read_timbres("piano=flute")

    song = random_song(1)
    path = tmp_path / "song.mid"
    path.write_bytes(to_midi(song, 120, programs=programs))
    found = [
        (message.channel, message.program)
        for track in mido.MidiFile(path).tracks
        for message in track
        if message.type == "program_change"
    ]
    assert found == [(9, 24), (1, 16), (2, 81), (3, 38), (4, 48)]
    read = read_midi(path).song
    np.testing.assert_array_equal(
        np.bincount(read.notes["instrument"]), np.bincount(song.notes["instrument"])
    )


def test_filters_are_open_but_for_those_that_shape_a_sound(font: bytes) -> None:
    """A voice without a filter costs the synthesizer less than half."""
    chunks = dict(riff._chunks(font))
    bags = np.frombuffer(chunks[b"ibag"], open_filters.BAG)["generators"]
    generators = np.frombuffer(chunks[b"igen"], open_filters.GENERATOR)
    zones = [dict(generators[a:b].tolist()) for a, b in itertools.pairwise(bags.tolist())]
    cutoffs = {zone.get(open_filters.CUTOFF) for zone in zones if open_filters.SAMPLE in zone}
    assert open_filters.OPEN in cutoffs and len(cutoffs) > 10
    assert not any(c and open_filters.LOWEST <= c < open_filters.OPEN for c in cutoffs)
    assert {
        [*zone].index(open_filters.SAMPLE) - len(zone)
        for zone in zones
        if open_filters.SAMPLE in zone
    } == {-1}
    power = np.abs(np.fft.rfft(played(font, 0, 60)[:24_000] * np.hanning(24_000))) ** 2
    assert 10 * np.log10(power[4000:].sum() / power.sum()) > -43  # above 8 kHz; −47.5 before
