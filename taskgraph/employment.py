"""Puts a worker together in a forked child, or an isolated task; hands back exit codes."""

from __future__ import annotations

import os
import resource
import secrets
import signal
import socket
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from taskgraph import codecs, isolation, processes
from taskgraph.attempts import Attempts
from taskgraph.capture import Capture
from taskgraph.errors import StoreError, TaskError
from taskgraph.failures import FailureReport
from taskgraph.isolation import Ran
from taskgraph.origins import Origins
from taskgraph.provenance import identity
from taskgraph.scheduler import Scheduler
from taskgraph.session import CURRENT, Session
from taskgraph.task import RECORDER, Task, verify_arguments
from taskgraph.workbench import Workbench
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


def employ(
    job: Job, session: Session, scheduler: Scheduler, slot: int, line: socket.socket
) -> int:
    """Be a worker; return its exit code."""
    store = session.store
    CURRENT.set(session)
    RECORDER.set(Refusal())
    echo = sys.stderr
    me = identity()
    name = store.enter(me)
    job.board.sign(slot, os.getpid(), name)
    capture = Capture(echo if job.orders.verbose else None)

    def say(text: str) -> None:
        echo.write(f"\r\033[K{text}\n" if echo.isatty() else f"{text}\n")
        echo.flush()

    scheduler.start = secrets.randbelow(256)
    origins = Origins(session.graph, store, name, me, job.jugfile, job.jugfile_name)
    apart = isolation.Line(line, capture.write)
    worker = Worker(
        session, scheduler, name, board=job.board, slot=slot, orders=job.orders,
        origins=origins, capture=capture, run_apart=apart.run, say=say,
    )  # fmt: skip
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
        return 4
    if worker.reason:
        say(f"worker {name[:8]} stops: {worker.reason}")
        if code == 1 and worker.reason.startswith("the first five"):
            return 1
    return code


def run_isolated(job: Job, session: Session, node: int, fds: Sequence[int]) -> None:
    """Be an isolated task: load its inputs, run it, write the result to the worker."""
    store = session.store
    task = session.graph.tasks[node]
    CURRENT.set(session)
    RECORDER.set(Refusal())
    processes.ignore_interrupts()

    def work() -> Ran:
        session.look()
        bench = Workbench(session, 0)
        needs = [session.graph.tasks[source] for source in session.graph.dependencies(node)]
        bench.fetch(needs)
        inputs = bench.digests(needs)
        cpu = time.process_time()
        verify_arguments(task)
        value = task.call(bench.value_of)
        verify_arguments(task)
        payload, digest = codecs.encode(value)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return Ran(payload, digest, inputs, time.process_time() - cpu, peak)

    def report(error: BaseException) -> FailureReport:
        sys.stdout.flush()
        scheduler = Scheduler(session.graph, bytearray(len(session.graph)))
        origins = Origins(session.graph, store, "", identity(), job.jugfile, job.jugfile_name)
        tail = os.pread(1, 8192, max(0, os.fstat(1).st_size - 8192)).decode("utf-8", "replace")
        return Attempts(session, scheduler, origins).report(task, error, tail)

    isolation.serve(fds, work, report)
