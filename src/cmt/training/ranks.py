"""Ranks of one training run: one process per GPU, on one machine or many.

A rank reads its place from torchrun's environment variables; `launch` sets the same variables
for the GPUs of one machine. Without them there is a single rank and no process group.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Ranks:
    """This process's place in the run.

    Attributes:
        rank: 0 … world − 1; rank 0 writes files.
        world: number of processes.
        device: where this rank computes.
    """

    rank: int
    world: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this is the rank that writes and prints."""
        return self.rank == 0

    def sum(self, values: Tensor) -> Tensor:
        """Sum over all ranks of a tensor on `device`, in place."""
        if self.world > 1:
            dist.all_reduce(values)
        return values


@contextmanager
def joined(device: torch.device) -> Iterator[Ranks]:
    """Join the process group of the environment: NCCL on GPUs, gloo on CPUs.

    Args:
        device: of a single rank; several ranks on GPUs take the one that LOCAL_RANK names.
    """
    if "WORLD_SIZE" not in os.environ:
        yield Ranks(rank=0, world=1, device=device)
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size(), device)
    finally:
        # A distributed model that is not yet collected holds the group, whose threads, still there
        # when Python ends, would abort the process.
        gc.collect()
        dist.destroy_process_group()


def launch(work: Callable[..., None], gpus: Sequence[int], *args: Any) -> None:
    """Call work(*args) in one new process per GPU, as torchrun would, and wait for all.

    SIGTERM is passed on to them.

    Args:
        work: importable function; it joins the group by `joined`.
        gpus: CUDA device numbers.
        args: picklable arguments.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, gpus))
    context = torch.multiprocessing.spawn(
        _rank, args=(len(gpus), port, work, args), nprocs=len(gpus), join=False
    )
    assert context is not None

    def forward(number: int, frame: object) -> None:
        for process in context.processes:
            process.terminate()

    signal.signal(signal.SIGTERM, forward)
    while not context.join():
        pass


def _rank(
    rank: int, world: int, port: int, work: Callable[..., None], args: tuple[Any, ...]
) -> None:
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE=str(world),
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
    )
    work(*args)
