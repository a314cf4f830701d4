"""Puts a worker together in a forked child, or an isolated task; hands back exit codes."""

from __future__ import annotations

import contextlib
import os
import resource
import secrets
import signal
import socket
import sys
import time
from collections.abc import Sequence
from functools import partial
from threading import Event
from typing import TYPE_CHECKING

from taskgraph import codecs, isolation, processes
from taskgraph.attempts import Attempts
from taskgraph.board import ENDED
from taskgraph.capture import Capture
from taskgraph.errors import StoreError, TaskError
from taskgraph.failures import FailureReport
from taskgraph.isolation import Ran
from taskgraph.origins import Origins
from taskgraph.outbox import Patience
from taskgraph.provenance import identity
from taskgraph.scheduler import Scheduler
from taskgraph.session import CURRENT, Session
from taskgraph.store import Identity, WorkerInfo
from taskgraph.task import RECORDER, Task, verify_arguments
from taskgraph.workbench import InputGone, Workbench
from taskgraph.worker import Worker

if TYPE_CHECKING:
    from taskgraph.template import Job


class Refusal:
    """Stands where a graph would record tasks, while a task runs."""

    def __init__(self) -> None:
        self.running = ""

    def record(self, task: Task, dependencies: Sequence[Task]) -> None:
        """Refuse."""
        raise TaskError(
            f"A task can't be made inside a running task: {task.name} was called as a task. "
            "Call the plain function (its .f), or use CompoundTask to build a sub-graph while "
            "the jugfile is read."
        )


class Onlooker(Session):
    """The session that a running task finds: the worker's, seen as the worker last saw it.

    A task that asks for a ``value`` must not take in news of the store: the worker would
    never hear them, and a tombstone among them would let it stamp new epochs on old inputs.
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session.store)
        self.__dict__.update(session.__dict__)

    def look(self) -> None:
        """Do nothing."""


def employ(job: Job, session: Session, scheduler: Scheduler, slot: int, line: socket.socket) -> int:
    """Be a worker; return its exit code."""
    store, board = session.store, job.board
    echo = sys.stderr
    me = identity()

    def say(text: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # a terminal that went away
            echo.write(f"\r\033[K{text}\n" if echo.isatty() else f"{text}\n")
            echo.flush()

    def enter() -> str:
        name = store.enter(me)
        board.sign(slot, os.getpid(), name)
        return name

    processes.close_input()
    patience = Patience(time.monotonic, Event().wait, say, job.orders.store_patience)
    try:
        name = patience.insist(enter, "a worker can't begin yet")
    except StoreError as error:
        say(f"taskgraph: error: {error}")
        board.set_state(slot, ENDED)
        return 4
    CURRENT.set(Onlooker(session))
    RECORDER.set(Refusal())
    capture = Capture(echo if job.orders.verbose else None)
    scheduler.start = secrets.randbelow(256)
    origins = Origins(session.graph, store, name, me, job.jugfile, job.jugfile_name)
    apart = isolation.Line(line, capture.write)
    worker = Worker(
        session, scheduler, name, board=board, slot=slot, orders=job.orders,
        origins=origins, capture=capture, run_apart=apart.run, say=say, enter=enter,
    )  # fmt: skip
    worker.vigil.on_census = partial(share_cores, job, slot, me)
    processes.ignore_interrupts()
    processes.on_signals(
        (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2),
        lambda number: setattr(worker, "reason", f"got {signal.Signals(number).name}"),
    )
    capture.install()
    try:
        code = worker.run()
    except StoreError as error:
        say(f"taskgraph: error: {error}")
        code = 4
    if worker.reason:
        say(f"worker {worker.name[:8]} stops: {worker.reason}")
    board.set_state(slot, ENDED)  # else it did not end by itself: a task ended the process
    return code


def share_cores(job: Job, slot: int, me: Identity, alive: Sequence[WorkerInfo]) -> None:
    """Take this worker's share of the cores, and leave its number for isolated tasks."""
    count = job.threads.share([info.identity for info in alive], me)
    job.board.write_threads(slot, count)
    job.threads.give(count)


def run_isolated(job: Job, session: Session, node: int, fds: Sequence[int]) -> None:
    """Be an isolated task: load its inputs, run it, write the result to the worker."""
    store = session.store
    task = session.graph.tasks[node]
    CURRENT.set(session)
    RECORDER.set(Refusal())
    processes.close_input()
    processes.ignore_interrupts()

    def work() -> Ran:
        bench = Workbench(session, 0)
        needs = [session.graph.tasks[source] for source in session.graph.dependencies(node)]
        try:
            session.look()
            bench.fetch(needs)
        except StoreError as error:  # a store that is away is no failure of the task
            raise InputGone(str(error)) from error
        inputs = bench.digests(needs)
        cpu = time.process_time()
        verify_arguments(task)
        value = task.call(bench.value_of)
        verify_arguments(task)
        payload, digest = codecs.encode(value)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return Ran(payload, digest, inputs, time.process_time() - cpu, peak)

    def report(error: BaseException) -> FailureReport:
        scheduler = Scheduler(session.graph, bytearray(len(session.graph)))
        origins = Origins(session.graph, store, "", identity(), job.jugfile, job.jugfile_name)
        return Attempts(session, scheduler, origins).report(task, error, "")

    isolation.serve(fds, work, report)
