"""What has no end is refused at once: pipes, to which nobody may write, and devices."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cmt.control import load_control
from cmt.files import InputError
from cmt.key_frames import read_key_frames
from cmt.media.container import opened
from cmt.model.stored import find
from cmt.music.dataset import read_dataset
from cmt.music.midi import load_score
from cmt.rhythm import load_rhythm
from cmt.sound.fonts import choose
from cmt.theme import read_theme

READERS: dict[str, Callable[[Path], object]] = {
    "MIDI": load_score,
    "SoundFont": lambda path: choose([], [path]),
    "control words": load_control,
    "rhythm": load_rhythm,
    "data set": read_dataset,
    "key frames": lambda path: read_key_frames(path, 25),
    "theme": read_theme,
    "checkpoint": find,
    "video": lambda path: opened(path, "a video", "give one").__enter__(),
}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
@pytest.mark.parametrize("reader", READERS)
def test_pipes_and_devices_are_refused(reader: str, tmp_path: Path) -> None:
    pipe = tmp_path / "a file"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero")):
        with pytest.raises(InputError, match=str(path)):
            READERS[reader](path)
