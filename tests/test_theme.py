"""A melody that somebody gives: the piece has it, and the model writes around it."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

import gen_midi_conditional
from cmt import results
from cmt.compose import Piece, Settings, compose
from cmt.control import Control, save_control
from cmt.decoding.passage import Passage
from cmt.decoding.style import Style
from cmt.files import InputError
from cmt.model import checkpoint
from cmt.model.network import CMT
from cmt.music.chords import read_loops
from cmt.music.keys import Key
from cmt.music.midi import read_midi, to_midi
from cmt.music.pitch import RATE
from cmt.music.vocabulary import BAR, DRUMS, INSTRUMENT_CLASS, TICKS_PER_BAR
from cmt.music.words import NOTE_DTYPE, Song
from cmt.revision import Revision
from cmt.sections import SectionWish
from cmt.theme import Theme, chord_under, read_theme, theme_of

PIANO = INSTRUMENT_CLASS["Piano"]
# "Frère Jacques", two bars in C: pitches by tick.
TUNE = Theme(
    tuple((4 * beat, pitch, 4) for beat, pitch in enumerate((60, 62, 64, 60, 60, 62, 64, 60)))
)
# A, another, and A again, which returns.
FORM = (SectionWish(0, label="A"), SectionWish(4, label="B"), SectionWish(6, label="A"))


def control(bars: int = 9) -> Control:
    """Bars of density 3 with a visual beat of strength 4 on the third beat of each."""
    rows = [(BAR, 4, 0, 16 * bar) for bar in range(bars)]
    rows += [(9, 0, 4, 16 * bar + 8) for bar in range(bars)]
    words = np.array([(*row, 16 * bars, 1) for row in sorted(rows, key=lambda row: row[3])])
    return Control(words, 120.0, 2.0 * bars, seconds=words[:, 3] * 0.125, scenes=(0, 4))


def made(model: CMT, **settings: object) -> Piece:
    given = {"theme": TUNE, "seed": 3, "style": Style(sections=FORM), **settings}
    (piece,) = compose(model, control(), Settings(**given))  # type: ignore[arg-type]
    return piece


def led(piece: Piece, bar: int) -> list[tuple[int, int, int]]:
    """Tick in the bar, pitch and length of what the piano plays in it."""
    notes = piece.song.notes
    mine = notes[(notes["instrument"] == PIANO) & (notes["tick"] // TICKS_PER_BAR == bar)]
    return [(tick - bar * TICKS_PER_BAR, *rest) for tick, *rest, _ in mine.tolist()]


def theme_at(bar: int, theme: Theme = TUNE) -> list[tuple[int, int, int]]:
    return [(tick, *note) for tick, note in theme.bar(bar).items()]


@pytest.mark.parametrize("degree", [0.3, 1.0])
def test_a_piece_has_its_theme_where_the_first_section_is(small_model: CMT, degree: float) -> None:
    piece = made(small_model, degree=degree)
    assert piece.take.form and str(piece.take.form.key) == "C major"
    for bar, first in ((0, 0), (1, 1), (6, 0), (7, 1)):
        assert led(piece, bar) == theme_at(first), bar
        onsets = piece.song.notes["tick"][piece.song.notes["tick"] // TICKS_PER_BAR == bar]
        assert set(4 * np.arange(4)) <= set(onsets % TICKS_PER_BAR)
        others = piece.song.notes[piece.song.notes["tick"] // TICKS_PER_BAR == bar]["instrument"]
        assert set(others) - {PIANO, DRUMS}
    assert led(piece, 4) != theme_at(0)
    error = piece.report.control_error
    assert (error.density, error.strength, error.time) == (0, 0, 0)
    assert [str(chord) for chord in piece.take.form.chords[:4]] == ["C"] * 4
    if degree == 1:
        assert {piece.take.plan.densities[bar] for bar in (0, 1, 6, 7)} == {4}


def test_it_stays_when_something_else_is_asked_again(small_model: CMT) -> None:
    rest = (*FORM[:2], SectionWish(5, 0.0), SectionWish(6, 2.0, label="A"))
    piece = made(small_model, passages=(Passage(0, 1, 5), Revision(rest, seed=2)))
    for bar, first in ((0, 0), (1, 1), (6, 0), (7, 1)):
        assert led(piece, bar) == theme_at(first)
    assert not led(piece, 5) and piece.take.plan.densities[6] == 6


@pytest.mark.parametrize(
    ("style", "up"),
    [
        (Style(sections=FORM, key=Key.named("D major")), 2),
        (Style(sections=FORM, key=Key.named("G major")), -5),
        (Style(sections=FORM, key=Key.named("A minor")), 0),
        (Style(sections=FORM, chords=read_loops("F C F Bb")), 5),
    ],
)
def test_it_is_moved_to_the_key_that_is_asked_for(small_model: CMT, style: Style, up: int) -> None:
    piece = made(small_model, style=style)
    moved = Theme(tuple((tick, pitch + up, length) for tick, pitch, length in TUNE.notes))
    assert led(piece, 0) == theme_at(0, moved)


def test_alone_the_lead_plays_more_than_the_theme(small_model: CMT) -> None:
    style = Style(sections=FORM, instruments=("Piano",))
    piece = made(small_model, style=style)
    assert set(theme_at(0)) <= set(led(piece, 0)) and len(led(piece, 0)) > len(theme_at(0))
    assert piece.report.control_error.strength == 0


def written(folder: Path, notes: list[tuple[int, int, int, int]]) -> Path:
    path = folder / "tune.mid"
    song = Song(np.array(sorted(notes), NOTE_DTYPE), max(note[0] + note[2] for note in notes))
    path.write_bytes(to_midi(song, 100))
    return path


def test_the_melody_of_a_file_is_its_highest_notes(tmp_path: Path) -> None:
    guitar, bass = INSTRUMENT_CLASS["Guitar"], INSTRUMENT_CLASS["Bass"]
    notes = [(16 + tick, pitch, 6, guitar) for tick, pitch, _ in TUNE.notes]
    notes += [(16, 40, 16, bass), (20, 50, 4, guitar), (32, 90, 2, DRUMS), (17, 55, 1, guitar)]
    theme = read_theme(written(tmp_path, notes))
    assert theme == Theme((*TUNE.notes[:-1], (28, 60, 6)), "Guitar")
    with pytest.raises(InputError, match=r"tune\.mid: has no melody, only drums"):
        read_theme(written(tmp_path, [(0, 36, 2, DRUMS)]))
    (tmp_path / "tune.mid").write_text("no MIDI")
    with pytest.raises(InputError, match=r"tune\.mid: "):
        read_theme(tmp_path / "tune.mid")
    long = [(16 * bar, 60, 4, PIANO) for bar in range(40)]
    assert len(read_theme(written(tmp_path, long)).notes) == 16


def hummed(folder: Path, name: str = "hum.wav", channels: int = 1, seconds: float = 0.45) -> Path:
    """`TUNE` by a voice that is a quarter of a tone too low, a note each half second."""
    time = np.arange(round(seconds * RATE)) / RATE
    silence = np.zeros(round((0.5 - seconds) * RATE))
    tones = [
        part
        for _, pitch, _ in TUNE.notes
        for part in (0.3 * np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69.4) / 12) * time), silence)
    ]
    samples = np.concatenate([np.zeros(RATE // 2), *tones, np.zeros(RATE // 2)])
    path = folder / name
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.repeat((samples * 2**15).astype("<i2"), channels).tobytes())
    return path


def test_a_theme_may_be_hummed_which_its_content_tells(tmp_path: Path) -> None:
    assert read_theme(hummed(tmp_path)) == TUNE
    assert read_theme(hummed(tmp_path, "stereo", channels=2)) == TUNE
    whole = hummed(tmp_path).read_bytes()
    (tmp_path / "cut.wav").write_bytes(whole[: len(whole) * 2 // 3])
    (tmp_path / "tune").write_bytes(written(tmp_path, [(*TUNE.notes[0], PIANO)]).read_bytes())
    assert read_theme(tmp_path / "cut.wav").notes == TUNE.notes[:6]
    assert read_theme(tmp_path / "tune").notes == TUNE.notes[:1]


def test_sounds_without_a_melody_are_refused_in_a_line(tmp_path: Path) -> None:
    for name, data, said in [
        ("a.wav", b"RIFF and then nothing", "cannot be opened as a sound"),
        ("notes.txt", b"C D E C", "(cannot be opened as|has no sound)"),
        ("list.m3u8", b"#EXTM3U\n#EXTINF:9,\n/etc/passwd\n", "has no sound|cannot be opened"),
        ("tune.mid", b"C D E C", "not a MIDI file"),
    ]:
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match=said) as caught:
            read_theme(tmp_path / name)
        assert str(caught.value).startswith(str(tmp_path / name)) and "\n" not in str(caught.value)
    with wave.open(str(tmp_path / "quiet.wav"), "wb") as file:
        file.setparams((1, 1, 8000, 0, "NONE", ""))
        file.writeframes(bytes([128]) * 8000)
    with pytest.raises(InputError, match=r"quiet\.wav: nothing is heard in it; hum, sing"):
        read_theme(tmp_path / "quiet.wav")
    for rate, said in ((8000, "lasts longer than 120 seconds; cut it"), (50, "nothing is heard")):
        with wave.open(str(tmp_path / "long.wav"), "wb") as file:
            file.setparams((1, 1, rate, 0, "NONE", ""))
            file.writeframes(bytes([90, 160]) * 500_000)
        with pytest.raises(InputError, match=said):
            read_theme(tmp_path / "long.wav")
    with pytest.raises(InputError, match=r"none\.wav: cannot be read \(No such file"):
        read_theme(tmp_path / "none.wav")


def test_chords_suit_the_melody() -> None:
    def under(*pitches: int) -> str:
        sung = {4 * beat: (pitch, 4) for beat, pitch in enumerate(pitches)}
        return str(chord_under(sung, Key.named("C major")))

    assert under(60, 64, 67, 64) == "C"
    assert under(67, 71, 74, 71) == "G"
    assert under(69, 72, 76, 72) == "Am"


def test_the_script_takes_a_theme_and_its_report_has_it(tmp_path: Path, small_model: CMT) -> None:
    tune = written(tmp_path, [(*note, PIANO) for note in TUNE.notes])
    save_control(tmp_path / "clip.npz", control())
    checkpoint.save(tmp_path / "model.pt", small_model)
    clip = ["-f", str(tmp_path / "clip.npz"), "-c", str(tmp_path / "model.pt")]
    gen_midi_conditional.main([*clip, "--theme", str(tune), "--out_dir", str(tmp_path)])
    midi = tmp_path / "clip.mid"
    notes = read_midi(midi).song.notes
    sung = notes[(notes["instrument"] == PIANO) & (notes["tick"] < 32)][["tick", "pitch"]]
    assert sung.tolist() == [(tick, pitch) for tick, pitch, _ in TUNE.notes]
    assert results.read_settings(f"{midi}.json")[0].theme == TUNE
    gen_midi_conditional.main(["--settings", f"{midi}.json", "--out_dir", str(tmp_path / "b")])
    assert (tmp_path / "b" / midi.name).read_bytes() == midi.read_bytes()


@pytest.mark.parametrize(
    ("notes", "instrument"),
    [
        ([], "Piano"), ([(0, 60, 4)], "Drums"), ([(0, 60, 4), (2, 60, 4)], "Piano"),
        ([(0, 200, 4)], "Piano"), ([(0, 60, 99)], "Piano"), ([(-1, 60, 4)], "Piano"),
        ([(10**6, 60, 4)], "Piano"), ([(0, 60)], "Piano"), ([(0, 60, 4)], "Flute"),
        ([(0.5, 60, 4)], "Piano"), (["note"], "Piano"),
    ],
)  # fmt: skip
def test_what_is_no_theme_is_refused(notes: list[tuple[int, ...]], instrument: str) -> None:
    with pytest.raises(ValueError):
        theme_of({"notes": notes, "instrument": instrument})
