"""A desk: one worker in this process, for the debugger and for tasks of a notebook.

A session flows in, counts flow out. The worker is the usual one: same leases, same
records, beside workers elsewhere. Tasks that ask for a process of their own run in this
one too. A thread beats for the owner record while a task, or a person, takes long.
"""

from __future__ import annotations

import resource
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

from taskgraph import codecs
from taskgraph.board import GO, Board
from taskgraph.capture import Capture
from taskgraph.errors import StoreError, UsageError
from taskgraph.isolation import Ran, RunApart
from taskgraph.ops.context import jugfile_label
from taskgraph.ops.select import Selection, select
from taskgraph.orders import Orders
from taskgraph.origins import Origins
from taskgraph.outcome import Outcome
from taskgraph.provenance import identity, machine_resources
from taskgraph.scheduler import BLOCKED, DONE, FAILED, Scheduler
from taskgraph.session import Session
from taskgraph.store import Store
from taskgraph.task import verify_arguments
from taskgraph.timings import Timings
from taskgraph.workbench import Workbench
from taskgraph.worker import Worker


def execute_session(
    session: Session,
    *,
    jobs: int = 1,
    names: Sequence[str] = (),
    pattern: str | None = None,
    max_tasks: int | None = None,
    max_seconds: float | None = None,
    verbose: int = 0,
    clock: Callable[[], float] = time.monotonic,
) -> Outcome:
    """``outcome = execute_session(session)``: run an open session's tasks in this process.

    Parameters
    ----------
    session : Session
        Such as ``taskgraph.session(...)`` gives.
    jobs : int
        Nothing but 1: the functions of a notebook are known to its process alone.
    names, pattern, max_tasks, max_seconds, verbose
        As in ``run_here``.
    clock : callable
        Monotonic seconds.

    Raises
    ------
    UsageError
        If several workers are asked for.
    StoreError
        If the store can't be used.
    """
    if jobs != 1:
        raise UsageError(
            "Tasks of a notebook run in its own process, by one worker. For several, write the "
            f"functions to a file and call execute('file.py', jobs={jobs!r}); got jobs={jobs!r}."
        )
    began = clock()
    session.look()
    orders = Orders(max_tasks=max_tasks, max_seconds=max_seconds, verbose=verbose > 0)
    capture = Capture(sys.stdout if verbose else None)
    selection = Selection(names=tuple(names), pattern=pattern)
    desk = Desk(session, orders, selection, capture=capture)
    before = sys.stdout, sys.stderr
    capture.install()
    try:
        desk.work()
    finally:
        sys.stdout, sys.stderr = before
    return desk.outcome(clock() - began)


class Desk:
    """Where one worker after the other runs what is known of the graph.

    Parameters
    ----------
    session : Session
        What to run.
    orders, selection
        How long, and which tasks.
    timings : callable
        Makes what learns how long tasks take.
    capture : Capture, optional
        What takes in what tasks print, installed by the caller.
    """

    def __init__(
        self,
        session: Session,
        orders: Orders,
        selection: Selection,
        timings: Callable[[], Timings] = Timings,
        capture: Capture | None = None,
    ) -> None:
        self.session, self.orders, self.selection = session, orders, selection
        self.timings, self.capture = timings, capture or Capture()
        self.stream = sys.stderr  #: as it is now, before what tasks print is captured
        self.board = Board(1, machine_resources())
        self.executed = self.code = 0
        self.scheduler: Scheduler | None = None

    def say(self, text: str) -> None:
        """Tell a person."""
        self.stream.write(text + "\n")

    def wait_for(self, nodes: Sequence[int]) -> bool:
        """Run what is known at a barrier; True when these nodes are done then."""
        self.work()
        self.session.look()
        return 0 not in self.session.present(nodes)

    def work(self) -> None:
        """Be a worker until nothing is left, or something failed."""
        session, store = self.session, self.session.store
        if self.board.stop != GO:
            return
        me = identity()
        name = store.enter(me)
        store.refresh()
        self.scheduler = Scheduler(
            session.graph, session.present(), self._selected(), start=secrets.randbelow(256)
        )
        self.scheduler.timings = self.timings()
        path = session.jugfile or Path()
        origins = Origins(session.graph, store, name, me, path, jugfile_label(path, store.url))
        worker = Worker(
            session, self.scheduler, name, board=self.board, slot=0, orders=self.orders,
            origins=origins, capture=self.capture, run_apart=_run_here(session), say=self.say,
        )  # fmt: skip
        try:
            with _beating(store, name):
                self.code = worker.run()
        finally:
            self.executed += worker.runner.executed
            with suppress(StoreError):
                store.leave(name)  # it did, unless it was interrupted

    def outcome(self, seconds: float) -> Outcome:
        """Return what became of the run."""
        total = len(self.session.graph)
        if self.scheduler is None:
            return Outcome(total=total, seconds=seconds)
        count, failed = self.scheduler.count, self.scheduler.count(FAILED)
        stopped = self.session.stopped
        return Outcome(
            executed=self.executed,
            done=count(DONE),
            failed=failed,
            blocked=count(BLOCKED),
            remaining=max(0, self.scheduler.left),
            total=total,
            seconds=seconds,
            stopped_at_barrier=stopped,
            exit_code=1 if failed else 3 if stopped else self.code,
        )

    def _selected(self) -> bytearray | None:
        if not self.selection.names and self.selection.pattern is None:
            return None
        marks = bytearray(len(self.session.graph))
        for node in select(self.session, self.selection):
            marks[node] = 1
        return marks


def _run_here(session: Session) -> RunApart:
    """Return the function that runs in this process what asks for one of its own."""

    def run(node: int, epoch: int, timeout: float | None) -> Ran:
        task = session.graph.tasks[node]
        bench = Workbench(session, 0)
        needs = [session.graph.tasks[source] for source in session.graph.dependencies(node)]
        bench.fetch(needs)
        inputs = bench.digests(needs)
        cpu = time.process_time()
        verify_arguments(task)
        payload, digest = codecs.encode(task.call(bench.value_of))
        verify_arguments(task)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return Ran(payload, digest, inputs, time.process_time() - cpu, peak)

    return run


@contextmanager
def _beating(store: Store, worker: str) -> Iterator[None]:
    """Keep an owner record alive while the debugger waits for a person."""
    over = Event()

    def beat() -> None:
        while not over.wait(min(5.0, store.lease_seconds / 6)):
            with suppress(StoreError):  # the next one may get through, and the worker will tell
                store.beat(worker)

    thread = Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
