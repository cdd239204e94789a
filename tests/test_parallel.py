"""Work on a Dask cluster gives what it gives here, also when workers die."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import dask
import numpy as np
import pytest
from distributed import LocalCluster

import cmt.music.dataset
import midi2numpy_mix
import pianoroll2midi
from cmt.files import InputError
from cmt.music.vocabulary import Vocabulary
from cmt.parallel import cluster, in_order
from test_midi2numpy_mix import CRASHING
from video2npz import video2npz

REFERENCE = Path(__file__).parent / "reference"


@pytest.fixture(scope="module")
def two_workers() -> Iterator[LocalCluster]:
    settings = {
        # A task is given up when it has ended two workers, not four: that saves seconds.
        "distributed.scheduler.allowed-failures": 1,
        # A local cluster drops a worker that was lost and is just not there so long after.
        "distributed.deploy.lost-worker-timeout": "1 hour",
    }
    with (
        dask.config.set(settings),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as local,
    ):
        yield local


def test_files_of_a_killed_worker_are_done_again(
    two_workers: LocalCluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for copy in range(20):
        shutil.copytree(REFERENCE / "midi" / "in", tmp_path / "midi" / f"{copy:02}")
    (tmp_path / "midi" / "19" / "crash.mid").write_bytes(CRASHING)
    arguments = ["--midi_dir", str(tmp_path / "midi"), "--out_name"]
    midi2numpy_mix.main([*arguments, str(tmp_path / "here.npz")])
    here = capsys.readouterr().out

    write: Callable[..., int] = cmt.music.dataset.write_dataset

    def write_and_kill(
        path: Path, songs: Iterator[tuple[np.ndarray, dict]], *how: Vocabulary
    ) -> int:
        def watched() -> Iterator[tuple[np.ndarray, dict]]:
            for index, song in enumerate(songs):
                if index == 3:
                    kill_one_of(two_workers)
                yield song

        return write(path, watched(), *how)

    monkeypatch.setattr(cmt.music.dataset, "write_dataset", write_and_kill)
    there = [*arguments, str(tmp_path / "there.npz"), "--dask", two_workers.scheduler_address]
    midi2numpy_mix.main(there)
    assert (tmp_path / "here.npz").read_bytes() == (tmp_path / "there.npz").read_bytes()
    assert capsys.readouterr().out == here.replace("here.npz", "there.npz")
    assert "crash.mid: damaged MIDI file (" in here
    assert "skipped 1 of" in here


def kill_one_of(cluster: LocalCluster) -> None:
    """Kill a worker; one that is lost already has no process until it is started again."""
    for _ in range(600):
        for worker in cluster.workers.values():
            with suppress(ProcessLookupError):
                if worker.pid:
                    os.kill(worker.pid, signal.SIGKILL)
                    return
        time.sleep(0.1)
    raise AssertionError("no worker lives")


def doubled(number: int, ending: frozenset[int]) -> int:
    if number in ending:
        os._exit(1)
    time.sleep(0.02)
    return 2 * number


def test_a_task_is_not_lost_for_another_that_ends_its_workers(two_workers: LocalCluster) -> None:
    ending = frozenset((2, 5))
    tasks = [(number, ending) for number in range(8)]
    with cluster(two_workers.scheduler_address) as client:
        results = list(in_order(doubled, tasks, lambda *_: -1, client=client))
    assert results == [-1 if number in ending else 2 * number for number in range(8)]


def test_workers_write_what_this_machine_writes(
    two_workers: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    pianoroll2midi.main(["--in_dir", str(REFERENCE / "lpd"), "--out_dir", str(here)])
    monkeypatch.chdir(tmp_path)  # where the workers are not
    shutil.copytree(REFERENCE / "lpd", "lpd")
    scheduler = two_workers.scheduler_address
    pianoroll2midi.main(["--in_dir", "lpd", "--out_dir", "there", "--dask", scheduler])
    names = sorted(path.name for path in here.iterdir())
    assert names == sorted(path.name for path in Path("there").iterdir())
    for name in names:
        assert (here / name).read_bytes() == Path("there", name).read_bytes()


def test_videos_are_spread_and_bad_ones_named(
    two_workers: LocalCluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    make_clip(tmp_path / "a.mp4")
    shutil.copy("a.mp4", "b.mp4")
    Path("bad.mp4").write_text("no video")
    videos = ["a.mp4", "bad.mp4", "b.mp4"]
    video2npz.main([*videos, "--out_dir", "here"])
    capsys.readouterr()
    video2npz.main([*videos, "--out_dir", "there", "--dask", two_workers.scheduler_address])
    captured = capsys.readouterr()
    assert [line.split(":")[0] for line in captured.out.splitlines()] == ["a.mp4", "b.mp4"]
    assert "skipped 1 of 3: bad.mp4" in captured.err
    for name in ("a.json", "b.json"):
        assert Path("here", name).read_bytes() == Path("there", name).read_bytes()
    with np.load("here/a.npz") as here, np.load("there/a.npz") as there:
        np.testing.assert_array_equal(here["input"], there["input"])


def make_clip(path: Path) -> None:
    """A second of stripes that move."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for index in range(10):
            row = 128 + 100 * np.sin((np.arange(64) + 2 * index) / 5)
            picture = np.repeat(row.astype(np.uint8)[None, :, None], 64, 0).repeat(3, 2)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode())


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cmt.parallel.PATIENCE", 0.5)
    for address in ("tcp://127.0.0.1:9", "ftp://nowhere"):
        with pytest.raises(InputError, match=f"{address}: no Dask scheduler"), cluster(address):
            pass


def test_a_cluster_without_workers_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cmt.parallel.PATIENCE", 0.5)
    with (
        LocalCluster(n_workers=0, dashboard_address=None) as local,
        pytest.raises(
            InputError, match="has no workers; start some on each machine: dask worker tcp"
        ),
        cluster(local.scheduler_address),
    ):
        pass


def test_dask_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install -e '\.\[cluster\]'"), cluster("tcp://a:1"):
        pass
