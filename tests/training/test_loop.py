"""Training learns, survives being stopped, and does not depend on how it is spread."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from cmt.files import REPOSITORY
from cmt.model import checkpoint, stored
from cmt.model.network import CMT
from cmt.music.dataset import write_dataset
from conftest import WORDS

TRAIN = [str(REPOSITORY / "src" / "train.py")]
SMALL = "--d_model 16 --n_layers 1 --n_heads 2 --d_ff 16 --precision float32".split()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "songs.npz"
    write_dataset(path, ((w, {"id": str(i), "genre": "rock"}) for i, w in enumerate(WORDS)))
    return path


def command(data: Path, folder: Path, *options: str, name: str = "run") -> list[str]:
    paths = ["-n", name, "-t", str(data), "--exp_dir", str(folder), "--log_dir", str(folder)]
    return [*TRAIN, *paths, *SMALL, "-b", "2", "--val_fraction", "0.2", "--max_len", "90", *options]


def run(arguments: list[str], launcher: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *launcher, *arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=240,
    )


def weights(folder: Path, name: str = "run") -> dict[str, torch.Tensor]:
    model, _ = checkpoint.load(folder / name / stored.LAST)
    return model.state_dict()


def rows(folder: Path, name: str = "run") -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def uninterrupted(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    done = run(command(data, folder, "-e", "4", "-l", "3e-3", "--transpose", "4", "--muon"))
    assert done.returncode == 0, done.stderr
    return folder


def test_the_loss_falls_and_is_recorded(uninterrupted: Path) -> None:
    table = rows(uninterrupted)
    assert [row["attribute"] for row in table[:8]] == [
        *("beat", "type", "density", "pitch", "duration", "instr_type", "strength", "mean")
    ]
    means = [float(row["train_loss"]) for row in table if row["attribute"] == "mean"]
    assert len(means) == 4
    assert means[-1] < 0.9 * means[0]
    best = min(float(row["validation_loss"]) for row in table if row["attribute"] == "mean")
    name = stored.BEST.format(round(100 * best))
    assert (uninterrupted / "run" / name).is_file()
    assert (uninterrupted / "run.png").stat().st_size > 10_000
    text = (uninterrupted / "run.log").read_text()
    assert "sha256" in text
    assert "git" in text


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGTERM])
def test_a_stopped_run_resumes_bit_for_bit(
    stop: signal.Signals, data: Path, uninterrupted: Path, tmp_path: Path
) -> None:
    options = ("-e", "4", "-l", "3e-3", "--transpose", "4", "--muon", "--save_minutes", "0")
    with subprocess.Popen(
        [sys.executable, *command(data, tmp_path, *options)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        last = tmp_path / "run" / stored.LAST
        while not last.is_file() and process.poll() is None:
            time.sleep(0.02)
        time.sleep(0.3)
        process.send_signal(stop)
        status = process.wait()
    _, stopped = checkpoint.load(last)
    assert status == (0 if stop == signal.SIGTERM else -stop)
    assert 0 < stopped["progress"]["step"] < len(rows(uninterrupted)) * 100
    done = run(command(data, tmp_path, *options, "--resume"))
    assert done.returncode == 0, done.stderr
    for name, tensor in weights(uninterrupted).items():
        assert torch.equal(weights(tmp_path)[name], tensor), name
    assert rows(tmp_path) == rows(uninterrupted)


def test_two_ranks_and_micro_batches_give_the_losses_of_one(data: Path, tmp_path: Path) -> None:
    """Batches of 3 leave uneven shares, and an empty one at the end of the epoch."""
    options = ("-e", "2", "-b", "3", "--dropout", "0")
    one = run(command(data, tmp_path, *options, name="one"))
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")
    two = run(command(data, tmp_path, *options, name="two"), torchrun)
    micro = run(command(data, tmp_path, *options, "--micro_batch", "1", name="micro"))
    for done in (one, two, micro):
        assert done.returncode == 0, done.stderr
    losses = [
        [[float(row["train_loss"]), float(row["validation_loss"])] for row in rows(tmp_path, name)]
        for name in ("one", "two", "micro")
    ]
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)
    np.testing.assert_allclose(losses[2], losses[0], rtol=1e-4)


def test_a_loss_that_is_not_finite_stops_the_run(data: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    done = run(command(data, tmp_path, "-e", "3", "-l", "1e30", "--warmup", "1"))
    assert done.returncode == 1
    assert "step" in done.stderr
    assert "not finite" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_cannot_be_written_is_said_first(data: Path, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file where the folder should be")
    done = run(command(data, tmp_path, "-e", "1"))
    assert done.returncode == 1
    assert "cannot be written" in done.stderr


def test_a_run_is_neither_overwritten_nor_resumed_with_other_options(
    data: Path, uninterrupted: Path
) -> None:
    before = (uninterrupted / "run" / stored.LAST).read_bytes()
    again = run(command(data, uninterrupted, "-e", "4"))
    other = run(command(data, uninterrupted, "-e", "5", "--resume", "--max_len", "70", "--muon"))
    adamw = run(command(data, uninterrupted, "-e", "5", "--resume", "--transpose", "4"))
    assert (again.returncode, other.returncode, adamw.returncode) == (1, 1, 1)
    assert "a run of this name exists" in again.stderr
    assert "max_len 90, not 70" in other.stderr
    assert "--muon as it began" in adamw.stderr
    assert (uninterrupted / "run" / stored.LAST).read_bytes() == before


def test_training_goes_on_from_a_checkpoint_of_the_original(
    small_model: CMT, data: Path, tmp_path: Path
) -> None:
    checkpoint.save_original(tmp_path / "original.pt", small_model)
    options = ("-p", str(tmp_path / "original.pt"), "-e", "1", "-l", "0", "--dropout", "0.3")
    done = run(command(data, tmp_path, *options))
    assert done.returncode == 0, done.stderr
    model, _ = checkpoint.load(tmp_path / "run" / stored.LAST)
    assert model.config.dropout == 0.3
    loaded = model.state_dict()
    for name, tensor in small_model.state_dict().items():
        torch.testing.assert_close(loaded[name], tensor)
