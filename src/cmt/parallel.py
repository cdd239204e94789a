"""One function over many files, on this machine's cores or on a Dask cluster's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from cmt.files import InputError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from distributed import Client
    from joblib._dask import DaskDistributedBackend

T = TypeVar("T")

DASK_HELP = (
    "do the work on the Dask cluster of this scheduler, such as HOST:8786; its workers"
    " have this project installed, and see the files under the same paths"
)
PATIENCE = 10  # seconds to wait for the scheduler, and for its first worker
CHUNK = 512  # results that are in memory at most; between chunks some cores wait for the last task


def in_order(
    function: Callable[..., T],
    tasks: Sequence[tuple[Any, ...]],
    lost: Callable[..., T],
    jobs: int = -1,
    batch: int = 1,
) -> Iterator[T]:
    """Yield function(*task) for each task, in order, computed in worker processes.

    A task can end its process, as a damaged file does that crashes a library. The tasks that
    were under way are then done one by one, and the result of one that ends its process again
    is lost(*task).

    Args:
        function: importable, or of the script that runs.
        tasks: arguments of each call.
        lost: makes the result of a task that cannot be done.
        jobs: processes on this machine, −1 for one per core; a cluster has its own number.
        batch: tasks that are sent together: several where they take milliseconds.
    """
    from joblib import Parallel, delayed, effective_n_jobs
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    # Never one: joblib would then work in this process, which a crash would end.
    workers = max(effective_n_jobs(jobs), 2)
    ahead = 2 * workers * batch

    def parallel(some: Sequence[tuple[Any, ...]]) -> Iterator[T]:
        run = Parallel(workers, return_as="generator", pre_dispatch=ahead, batch_size=batch)
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


@contextmanager
def cluster(scheduler: str | None) -> Iterator[None]:
    """Within this context joblib computes on the Dask cluster of `scheduler`, if there is one.

    Tasks of a worker that is lost are done again by another.

    Raises:
        InputError: Dask is not installed; the scheduler cannot be reached, has no workers, or is
            lost; a worker cannot import what it needs.
    """
    if scheduler is None:
        yield
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise InputError(
            "--dask needs the package distributed; pip install -e '.[cluster]'"
        ) from error
    from concurrent.futures import CancelledError

    from joblib import parallel_config

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
        try:
            with parallel_config(backend=_backend(client)):
                yield
        except CancelledError as error:
            raise InputError(f"{scheduler}: the Dask scheduler was lost; start it again") from error


def _backend(client: Client) -> DaskDistributedBackend:
    """The backend of joblib for Dask, but for two things that it lacks."""
    from distributed import KilledWorker
    from joblib._dask import DaskDistributedBackend
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    class Backend(DaskDistributedBackend):
        def effective_n_jobs(self, n_jobs: int) -> int:
            # joblib takes one job for a reason to work in this process. Where all workers are
            # lost, work waits for new ones.
            return max(super().effective_n_jobs(n_jobs), 2)

        def submit(self, func: Any, callback: Callable[[object], None]) -> Future:
            # joblib waits for ever for a task that fails outside of its function.
            def failed(future: Future) -> None:
                error = future.exception()
                if isinstance(error, KilledWorker):
                    callback(TerminatedWorkerError(str(error)))
                elif isinstance(error, ImportError):
                    callback(InputError(f"a Dask worker lacks this project ({error}); install it"))
                elif error is not None:
                    callback(error)

            future = super().submit(func, callback)
            future.add_done_callback(failed)
            return future

    return Backend(client=client, wait_for_workers_timeout=0)
