"""Several SoundFonts: which of them plays what, and what is said of one that cannot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from symusic.core import ControlChangeTick, NoteTick, ScoreTick, TrackTick

import midi2mp3
from cmt.files import InputError
from cmt.sound import riff
from cmt.sound.fonts import choose
from cmt.sound.segments import lines
from cmt.sound.soundfont import default_soundfont
from cmt.sound.synthesis import synthesise


def drawn(path: Path, presets: list[tuple[int, int]], kind: int = 1) -> Path:
    """A SoundFont that says to have these presets (bank, program), and one sample of a kind."""
    heads = np.zeros(len(presets) + 1, riff.PRESET)
    heads["bank"][:-1], heads["program"][:-1] = np.array(presets).T
    sample = np.zeros(1, riff.SAMPLE)
    sample["kind"] = kind
    body = b"".join(
        name + len(content).to_bytes(4, "little") + content
        for name, content in ((b"phdr", heads.tobytes()), (b"shdr", sample.tobytes()))
    )
    listed = b"LIST" + (len(body) + 4).to_bytes(4, "little") + b"pdta" + body
    path.write_bytes(b"RIFF" + (len(listed) + 4).to_bytes(4, "little") + b"sfbk" + listed)
    return path


def band(*tracks: tuple[int, bool], bank: int = 0) -> ScoreTick:
    """A note for each program, on drums or not; with a bank selected where it is none of drums."""
    score = ScoreTick(480)
    for program, drums in tracks:
        track = TrackTick("", program, drums)
        track.notes.append(NoteTick(0, 480, 60, 80))
        if bank and not drums:
            track.controls.append(ControlChangeTick(0, 0, bank))
        score.tracks.append(track)
    return score


def test_the_first_font_that_has_the_program_plays_it(tmp_path: Path) -> None:
    piano = drawn(tmp_path / "piano.sf2", [(0, 0), (0, 1)])
    band_of_theirs = drawn(tmp_path / "band.sf2", [(0, 0), (0, 33), (8, 48), (128, 0)])
    ours = default_soundfont()
    asked = [piano, band_of_theirs]
    score = band((0, False), (33, False), (48, False), (0, True), (16, True), (114, True))
    # Our font has a power kit (16); a kit that nobody has is played by the first standard kit.
    expected = [piano, band_of_theirs, ours, band_of_theirs, ours, band_of_theirs]
    assert choose(lines(score, {}), asked) == expected
    assert choose(lines(score, {}), asked[::-1])[0] == band_of_theirs
    assert choose(lines(score, {}), []) == [ours] * 6
    varied = band((48, False), (33, False), bank=8)
    assert choose(lines(varied, {}), asked) == [band_of_theirs, band_of_theirs]


def test_a_font_that_lacks_what_is_played_changes_nothing(tmp_path: Path) -> None:
    flute = drawn(tmp_path / "flute.sf2", [(0, 73)])
    score = band((0, False), (0, True))
    with_it, without = (synthesise(score, fonts, duration=1.0).mix for fonts in ([flute], []))
    np.testing.assert_array_equal(with_it[:, :], without[:, :])


def test_a_font_that_cannot_be_read_is_named_whichever_it_is(tmp_path: Path) -> None:
    bad, none = tmp_path / "bad.sf2", tmp_path / "none.sf2"
    bad.write_bytes(b"no SoundFont")
    packed = drawn(tmp_path / "packed.sf3", [(0, 0)], kind=0x11)
    good = default_soundfont()
    for font, cause in (
        (bad, "not a SoundFont 2"),
        (none, "cannot be read"),
        (packed, r"is not read; .*: sf3convert -x packed\.sf3 packed\.sf2"),
    ):
        with pytest.raises(InputError, match=f"{font}: .*{cause}"):
            synthesise(band((0, False)), [good, font], duration=1.0)


def test_the_option_is_given_once_for_each_font(tmp_path: Path) -> None:
    to = ["--input", "a.mid", "--output", "a.mp3"]
    args = midi2mp3.parse([*to, "--soundfont", "b.sf2", "--soundfont", "a.sf2"])
    assert midi2mp3.sound(args)["soundfonts"] == [Path("b.sf2"), Path("a.sf2")]
    assert midi2mp3.parse(to).soundfont == []
    with pytest.raises(InputError, match=r"b\.mp3: would replace b\.mp3, which is read"):
        midi2mp3.main([*to[:3], "b.mp3", "--soundfont", "a.sf2", "--soundfont", "b.mp3"])
