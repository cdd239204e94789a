"""One function over many files, on this machine's cores or on a Dask cluster's."""

from __future__ import annotations

import os
import pkgutil
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from cmt.files import InputError

if TYPE_CHECKING:
    from distributed import Client, Future

T = TypeVar("T")
Task = tuple[Any, ...]

DASK_HELP = (
    "do the work on the Dask cluster of this scheduler, such as HOST:8786; its workers"
    " have this project installed, and see the files under the same paths"
)
PATIENCE = 10  # seconds to wait for the scheduler, and for its first worker
CHUNK = 512  # results in memory at most; between chunks some cores wait for the last task


def in_order(
    function: Callable[..., T],
    tasks: Sequence[Task],
    lost: Callable[..., T],
    *,
    jobs: int = -1,
    batch: int = 1,
    client: Client | None = None,
) -> Iterator[T]:
    """Yield function(*task) for each task, in order, computed in worker processes.

    A task can end its process, as a damaged file does that crashes a library. The tasks that
    were under way are then done one by one, and the result of one that ends its process again
    is lost(*task).

    Args:
        function: importable, or of the script that runs.
        tasks: arguments of each call.
        lost: makes the result of a task that cannot be done.
        jobs: processes on this machine, −1 for one per core.
        batch: tasks that are sent together: several where they take milliseconds.
        client: the cluster to use in place of this machine; see `cluster`.
    """
    if client is not None:
        return _there(function, tasks, lost, batch, client)
    return _here(function, tasks, lost, jobs, batch)


def with_parent() -> dict[str, Any]:
    """Arguments of joblib's `Parallel`: its processes end with this one, even if it is killed."""
    return {"initializer": _watch, "initargs": (os.getpid(),)}


def _watch(parent: int) -> None:
    """End this process a second after its parent.

    Without work joblib's processes end by themselves, in minutes; not where their parent was killed
    while it held the lock that they end under.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _here(
    function: Callable[..., T],
    tasks: Sequence[Task],
    lost: Callable[..., T],
    jobs: int,
    batch: int,
) -> Iterator[T]:
    """`in_order` on this machine."""
    from joblib import Parallel, delayed, effective_n_jobs
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    # Never one: joblib would then work in this process, which a crash would end.
    workers = max(effective_n_jobs(jobs), 2)
    ahead = 2 * workers * batch

    def parallel(some: Sequence[Task]) -> Iterator[T]:
        run = Parallel(
            workers,
            return_as="generator",
            pre_dispatch=ahead,
            batch_size=batch,
            **with_parent(),
        )
        return run(delayed(function)(*task) for task in some)

    done = 0
    while done < len(tasks):
        try:
            for result in parallel(tasks[done : done + CHUNK]):
                done += 1
                yield result
        except TerminatedWorkerError:
            for task in tasks[done : done + ahead]:
                done += 1
                try:
                    yield from parallel([task])
                except TerminatedWorkerError:
                    yield lost(*task)


def _there(
    function: Callable[..., T],
    tasks: Sequence[Task],
    lost: Callable[..., T],
    batch: int,
    client: Client,
) -> Iterator[T]:
    """`in_order` on a cluster.

    Not through joblib: its Dask backend waits for ever for a task whose workers die. Where all
    workers are lost, this waits for new ones.
    """
    from distributed import KilledWorker

    batches = (tasks[start : start + batch] for start in range(0, len(tasks), batch))
    under_way: deque[tuple[Sequence[Task], Future]] = deque()
    while True:
        ahead = 4 * max(sum(client.ncores().values()), 1)
        for some in islice(batches, max(ahead - len(under_way), 0)):
            under_way.append((some, client.submit(_each, function, some, pure=False)))
        if not under_way:
            return
        some, future = under_way.popleft()
        try:
            yield from future.result()
        except KilledWorker:
            # Whatever is at a worker when it is lost counts as what may have ended it: a task that
            # is judged is alone.
            for _, other in under_way:
                other.exception()  # waits for its end
            for task in some:
                try:
                    yield from client.submit(_each, function, [task], pure=False).result()
                except KilledWorker:
                    yield lost(*task)


def _each(function: Callable[..., T], tasks: Sequence[Task]) -> list[T]:
    return [function(*task) for task in tasks]


@contextmanager
def cluster(scheduler: str | None) -> Iterator[Client | None]:
    """The Dask cluster of a scheduler, such as HOST:8786; None gives none.

    Tasks of a worker that is lost are done again by another.

    Raises:
        InputError: Dask is not installed; the scheduler cannot be reached, has no workers, has
            one that lacks this project, or is lost.
    """
    if scheduler is None:
        yield None
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise InputError(
            "--dask needs the package distributed; pip install -e '.[cluster]'"
        ) from error
    from concurrent.futures import CancelledError

    try:
        client = Client(scheduler, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{scheduler}: no Dask scheduler answers ({error}); start one with: dask scheduler"
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError as error:
            raise InputError(
                f"{scheduler}: has no workers; start some on each machine: dask worker {scheduler}"
            ) from error
        try:  # a worker would die of a task that it cannot read
            client.run(pkgutil.resolve_name, f"{__name__}:__name__")
        except ImportError as error:
            raise InputError(
                f"{scheduler}: a worker lacks this project ({error}); install it on every machine"
            ) from error
        try:
            yield client
        except (CancelledError, OSError) as error:
            if client.status == "running":
                raise
            raise InputError(f"{scheduler}: the Dask scheduler was lost; start it again") from error
