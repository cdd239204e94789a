"""Whose turn it is: two workers, one for what is soon done and one for what takes long.

A visitor has one thing done at a time. What will take long goes to a worker of its own, which gives
way to the other: so nobody waits for somebody else's film, only for others who want little. Whoever
has many videos has no more turns than those from another address who have one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cmt.web.sessions import Session, Work, remove
from cmt.web.words import CRASHED, STAGES, WAITING

LONG = 60.0  # seconds of work, about, that go to the second worker
PATIENCE = 0.5  # seconds that a worker has to stop by itself
FAREWELL = 3.0  # seconds that it has to end in order
MEEK = 10  # by which the second worker is nicer than the first
LINE = 1 << 24  # bytes of a worker's message at most

log = logging.getLogger(__name__)


def command(ckpt: Path, max_minutes: float) -> list[str]:
    """What starts a worker."""
    return [sys.executable, "-m", "cmt.web.worker", str(ckpt), str(max_minutes)]


@dataclass(eq=False)
class Job:
    """Something to do for a visitor.

    Attributes:
        session: whose.
        order: for the worker: its `kind`, and what that needs.
        done: called with the result, once what was made is in the session's folder.
        new: folder of what is made.
        stopped: whether it is no longer wanted.
    """

    session: Session
    order: dict[str, Any]
    done: Callable[[Any], None]
    new: Path | None = None
    stopped: bool = False


class Died(Exception):
    """The worker's process has ended."""


class Worker:
    """A child process, started when it is first needed and again where it was ended."""

    def __init__(self, command: Sequence[str], niceness: int) -> None:
        self._command = command
        self._niceness = niceness
        self._pace: float | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._starting = asyncio.Lock()

    async def start(self) -> asyncio.subprocess.Process:
        """The process, ready for orders."""
        async with self._starting:
            return await self._started()

    async def _started(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            pace = [] if self._pace is None else [str(self._pace)]
            sources = [str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")]
            self._process = await asyncio.create_subprocess_exec(
                *self._command, *pace,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=LINE,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sources))},
                start_new_session=True,
            )  # fmt: skip
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, self._process.pid, self._niceness)
        return self._process

    async def do(
        self, order: dict[str, Any], tell: Callable[[dict[str, Any]], None]
    ) -> dict[str, Any]:
        """The worker's last word on an order; what it says before goes to `tell`.

        Raises:
            Died: it has ended, as where there was not enough memory.
        """
        process = await self.start()
        assert process.stdin and process.stdout
        self._say(order)
        while line := await process.stdout.readline():
            message = json.loads(line)
            if "share" not in message:
                self._pace = message.get("pace") or self._pace
                return message
            tell(message)
        await process.wait()
        raise Died(f"the worker ended with {process.returncode}")

    def ask_to_stop(self) -> None:
        """Let it end its work at the next report."""
        self._say({"stop": True})

    def kill(self) -> None:
        """End the process."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def end(self) -> None:
        """Let the process end, and wait until it is gone."""
        if self._process is None:
            return
        if self._process.stdin:
            self._process.stdin.close()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._process.wait(), FAREWELL)
        self.kill()
        await self._process.wait()

    def _say(self, message: dict[str, Any]) -> None:
        if self._process and self._process.stdin:
            with contextlib.suppress(OSError):
                self._process.stdin.write(f"{json.dumps(message)}\n".encode())


class Lane:
    """Jobs that wait for one worker; each address has one done in turn."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self._waiting: list[Job] = []  # as they came
        self._served: dict[str, int] = {}  # which job was the last of an address
        self._number_served = 0
        self._job: Job | None = None
        self._more = asyncio.Event()

    def add(self, job: Job) -> None:
        """Put a job at the end."""
        self._waiting.append(job)
        self._more.set()
        self._number()

    def stop(self, session: Session) -> None:
        """End what is done or waits for a visitor."""
        self._waiting = [job for job in self._waiting if job.session is not session]
        job = self._job
        if job and job.session is session and not job.stopped:
            job.stopped = True
            self.worker.ask_to_stop()
            asyncio.get_running_loop().call_later(PATIENCE, self._end, job)
        self._number()

    def _end(self, job: Job) -> None:
        """Kill the worker if it is still at a job that is not wanted."""
        if self._job is job:
            self.worker.kill()

    def _number(self) -> None:
        """Tell those who wait their place."""
        at_work = self._job is not None
        for place, job in enumerate(self._turns(), start=int(at_work)):
            if job.session.work and job.session.work.place != place:
                job.session.work.place = place
                job.session.changed()

    def _turns(self) -> list[Job]:
        """The jobs that wait, each time one of the address that has waited longest for a turn."""
        served, left, turns = dict(self._served), list(self._waiting), list[Job]()
        while left:
            job = min(left, key=lambda job: served.get(job.session.address, 0))
            left.remove(job)
            turns.append(job)
            served[job.session.address] = self._number_served + len(turns)
        return turns

    async def run(self) -> None:
        """Do job after job, until cancelled."""
        while True:
            while not self._waiting:
                self._served.clear()
                self._more.clear()
                await self._more.wait()
            self._job = self._turns()[0]
            self._waiting.remove(self._job)
            self._number_served += 1
            self._served[self._job.session.address] = self._number_served
            self._number()
            try:
                await self._do(self._job)
            finally:
                self._job = None

    async def _do(self, job: Job) -> None:
        session = job.session
        job.new = session.new_folder()
        began = time.monotonic()

        def tell(message: dict[str, Any]) -> None:
            if not job.stopped:
                session.work = Work(message["stage"], message["doing"], message["share"], 0, began)
                session.changed()

        try:
            outcome = await self.worker.do({**job.order, "new": str(job.new)}, tell)
        except Died as error:
            outcome = {"crash": str(error)}
        if not job.stopped:
            session.work = None
            self._conclude(job, outcome)
            session.changed()
        remove(job.new)

    def _conclude(self, job: Job, outcome: dict[str, Any]) -> None:
        """Take in what was made, or say what went wrong."""
        assert job.new
        if "done" in outcome:
            job.session.take_in(job.new)
            job.done(outcome["done"])
        elif "error" in outcome:
            job.session.error = outcome["error"]
        elif "crash" in outcome:
            log.error("the page's worker: %s", outcome["crash"])
            job.session.error = {"field": None, "message": CRASHED}


class Queue:
    """All that is to be done.

    Args:
        command: of a worker.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._lanes = [Lane(Worker(command, niceness)) for niceness in (0, MEEK)]
        self._running: list[asyncio.Task[Any]] = []

    def add(
        self,
        session: Session,
        order: dict[str, Any],
        seconds: float,
        done: Callable[[Any], None] = lambda result: None,
    ) -> None:
        """Have something done for a visitor, in place of what is done for them now.

        Args:
            session: the visitor's.
            order: see `Job`.
            seconds: that it takes, about.
            done: see `Job`.
        """
        self.stop(session)
        session.error = None
        session.work = Work(STAGES[order["kind"]], WAITING)
        self._lanes[seconds > LONG].add(Job(session, order, done))
        session.changed()

    def stop(self, session: Session) -> None:
        """End what is done or waits for a visitor."""
        for lane in self._lanes:
            lane.stop(session)
        if session.work:
            session.work = None
            session.changed()

    def start(self) -> None:
        """Begin to work."""
        first = self._lanes[0].worker.start()  # so that the first visitor need not wait for it
        self._running = [asyncio.create_task(lane.run()) for lane in self._lanes]
        self._running.append(asyncio.create_task(first))

    async def end(self) -> None:
        """End all work."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        for lane in self._lanes:
            await lane.worker.end()
