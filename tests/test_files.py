"""Files are whole or absent, whatever the system says while they are written."""

from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from cmt.control import Control, save_control
from cmt.files import InputError, replacing_all, unused_name, write_together
from cmt.model import checkpoint
from cmt.model.network import CMT
from cmt.music.midi import write_midi
from cmt.outputs import check_outputs, only_run, refuse_to_replace, sweep
from cmt.sound.encoding import write_audio
from conftest import random_song


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file may grow beyond so many bytes: what a full disk says, at any byte that one likes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


WORDS = np.array([(17, 1 + bar % 3, 0, 16 * bar, 16 * 400, 1) for bar in range(400)])
WRITERS: dict[str, Callable[[Path, CMT], object]] = {
    "a.mid": lambda path, model: write_midi(random_song(0), path, 120),
    "a.npz": lambda path, model: save_control(path, Control(WORDS, 120.0, 800.0)),
    "a.pt": lambda path, model: checkpoint.save(path, model),
    "a.wav": lambda path, model: write_audio(path, np.zeros((2, 48_000), np.float32)),
    "a.m4a": lambda path, model: write_audio(path, np.zeros((2, 48_000), np.float32)),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_that_finds_no_room_is_told_and_leaves_the_older_one(
    name: str, tmp_path: Path, small_model: CMT
) -> None:
    path = tmp_path / name
    WRITERS[name](path, small_model)
    size = path.stat().st_size
    path.write_bytes(b"older")
    for limit in (size - 1, size // 2, 1):
        with (
            pytest.raises(InputError, match=rf"^{path}: the file becomes too large"),
            largest_file(limit),
        ):
            WRITERS[name](path, small_model)
    assert path.read_bytes() == b"older" and names(tmp_path) == [name]


def test_what_the_system_refuses_is_told_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    before = names(tmp_path)
    for path, said in (
        (tmp_path / "folder", "is a folder; choose another name"),
        (tmp_path / "file" / "a.mid", "its folder is a file"),
        (tmp_path / f"{300 * 'a'}.mid", "the name is too long"),
        (Path("/proc/a.mid"), "cannot be written"),
        (Path("/dev/full"), "the disk is full; make room or choose another folder"),
    ):
        with pytest.raises(InputError) as caught:
            write_together({path: b"content"})
        assert str(caught.value).startswith(f"{path}: ") and said in str(caught.value)
    write_together({Path(os.devnull): b"content"})
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)
    assert names(tmp_path) == before


def test_a_pipe_whose_reader_has_gone_is_told_in_a_line(tmp_path: Path) -> None:
    pipe = tmp_path / "a.wav"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["head", "-c", "1", str(pipe)], stdout=subprocess.DEVNULL)
    with pytest.raises(InputError, match=r"a\.wav: its reader has gone; choose a file$"):
        write_audio(pipe, np.zeros((2, 480_000), np.float32))
    reader.wait()
    assert names(tmp_path) == ["a.wav"]


def test_odd_names_are_written(tmp_path: Path) -> None:
    odd = [f"{251 * 'n'}.mid", "-o.mid", "a\nb.mid", os.fsdecode(b"\xff\xfe.mid"), "é.mid", ".mid"]
    for name in odd:
        write_midi(random_song(0, notes=3), tmp_path / name, 120)
    assert names(tmp_path) == sorted(odd)


def test_files_that_belong_together_appear_together(tmp_path: Path) -> None:
    first, second = tmp_path / "a.mid", tmp_path / "a.mid.json"
    write_together({first: b"1", second: b"1"})
    with pytest.raises(RuntimeError), replacing_all([first, second]) as (new, _):
        new.write_bytes(b"2")
        raise RuntimeError
    assert first.read_bytes() == second.read_bytes() == b"1"
    second.unlink()
    second.mkdir()
    with pytest.raises(InputError, match="is a folder"):
        write_together({first: b"2", second: b"2"})
    assert first.read_bytes() == b"1" and names(tmp_path) == ["a.mid", "a.mid.json"]


def test_a_pair_of_which_one_cannot_be_renamed_is_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / name for name in ("a", "b", "c")]
    paths[0].write_bytes(b"1")
    rename = Path.replace

    def refuse(new: Path, target: Path) -> Path:
        if target == paths[2]:
            raise PermissionError(1, "Operation not permitted")
        return rename(new, target)

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(InputError, match="Operation not permitted"):
        write_together(dict.fromkeys(paths, b"2"))
    assert paths[0].read_bytes() == b"1" and names(tmp_path) == ["a"]


def test_links_are_followed_and_permissions_kept(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link, target = tmp_path / "link.json", tmp_path / "there" / "file.json"
    link.symlink_to(target)
    write_together({link: b"1"})
    target.chmod(0o640)
    write_together({link: b"2"})
    assert link.is_symlink() and target.read_bytes() == b"2"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


KILLED = """
import os, signal, sys
from pathlib import Path
from cmt.files import replacing
from cmt.outputs import only_run
path = Path(sys.argv[1])
with only_run(path), replacing(path.with_suffix(".mid")) as new:
    new.write_bytes(b"half")
    print("written", flush=True)
    signal.pause()
"""


def test_what_a_killed_run_leaves_is_swept_once_it_is_dead(tmp_path: Path) -> None:
    unlike = tmp_path / ".cmt-notes.txt"
    unlike.touch()
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / "clip")], stdout=subprocess.PIPE
    ) as other:
        assert other.stdout and other.stdout.readline() == b"written\n"
        sweep(tmp_path)
        assert len(names(tmp_path)) == 3  # a lock, half a file, and what is not ours
        with (
            pytest.raises(InputError, match="clip: another run writes"),
            only_run(tmp_path / "clip"),
        ):
            pass
        with only_run(tmp_path / "another"):
            pass
        other.send_signal(signal.SIGKILL)
    check_outputs([tmp_path / "other.mid"])
    assert names(tmp_path) == [unlike.name]
    with only_run(tmp_path / "clip"):
        pass
    assert names(tmp_path) == [unlike.name]


def test_outputs_are_checked_before_the_work(tmp_path: Path) -> None:
    video, link, hard = (tmp_path / name for name in ("clip.mp4", "link.mp4", "hard.mp4"))
    video.write_bytes(b"pictures")
    link.symlink_to(video)
    os.link(video, hard)
    for output in (video, link, hard, tmp_path / "new" / ".." / "clip.mp4"):
        with pytest.raises(InputError, match=r"would replace .*clip\.mp4, which is read"):
            check_outputs([output], [video])
    new = tmp_path / "new" / "folders" / "a.mid"
    check_outputs([new, Path(os.devnull)], [video])
    for outputs, said in (
        ([new, new], "asked for twice"),
        ([tmp_path], "is a folder"),
        ([video / "a.mid"], "its folder is a file"),
        ([tmp_path / "new" / (300 * "a") / "a.mid"], "too long"),
        ([Path("/proc/new/a.mid")], "cannot be written"),
    ):
        with pytest.raises(InputError, match=said):
            check_outputs(outputs)
    assert names(tmp_path) == ["clip.mp4", "hard.mp4", "link.mp4"]


def test_what_no_run_has_made_is_not_replaced_unasked(tmp_path: Path) -> None:
    song, mark = tmp_path / "clip.mp3", tmp_path / "clip.mid.json"
    refuse_to_replace([song], mark, overwrite=False)
    song.touch()
    with pytest.raises(InputError, match="not known to be of an earlier run"):
        refuse_to_replace([song], mark, overwrite=False)
    refuse_to_replace([song], mark, overwrite=True)
    mark.touch()
    refuse_to_replace([song], mark, overwrite=False)


def test_names_are_new_on_file_systems_that_do_not_tell_case_apart() -> None:
    names: set[str] = set()
    stems = ["Piano", "piano", "PIANO", "piano-2", "Caf\u00e9", "Cafe\u0301"]
    made = [unused_name(stem, names) for stem in stems]
    assert made == ["Piano", "piano-2", "PIANO-3", "piano-2-2", "Caf\u00e9", "Cafe\u0301-2"]
