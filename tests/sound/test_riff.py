"""SoundFonts that are none: in one line, and no process of ours ends."""

from pathlib import Path

import pytest

from cmt.sound import riff
from cmt.sound.soundfont import default_soundfont


def test_a_soundfont_is_one() -> None:
    riff.read(default_soundfont())


@pytest.mark.parametrize("tag", [b"LIST", b"phdr", b"smpl", b"shdr", b"pgen"])
def test_a_chunk_larger_than_its_file_is_refused(tag: bytes, tmp_path: Path) -> None:
    data = bytearray(default_soundfont().read_bytes())
    at = data.rfind(tag) + 4
    data[at : at + 4] = (2**31).to_bytes(4, "little")
    with pytest.raises(ValueError, match=f"its chunk '{tag.decode()}' declares 2,147,483,648"):
        riff.check(bytes(data))


@pytest.mark.parametrize("data", [b"", b"RIFF", b"RIFF\4\0\0\0WAVE", b"OggS" * 9])
def test_what_is_no_soundfont_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no RIFF file of the kind sfbk"):
        riff.check(data)
