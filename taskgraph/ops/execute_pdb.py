"""``execute --pdb``: one worker in this process, and a debugger at the first failure.

No supervisor, no template and no fork, so that the debugger has the terminal and the
frames. The worker is the usual one: same leases, same records. Tasks that ask for a
process of their own run in this one too. A thread beats for the owner record while a
person thinks.
"""

from __future__ import annotations

import resource
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from taskgraph import codecs, events
from taskgraph.board import FINISH, GO, Board
from taskgraph.capture import Capture
from taskgraph.errors import JugfileError
from taskgraph.isolation import Ran, RunApart
from taskgraph.jugfile import check_jugfile, read_jugfile
from taskgraph.ops.context import jugfile_label, store_url
from taskgraph.ops.execute import machine_resources
from taskgraph.ops.select import Selection, select
from taskgraph.orders import Orders
from taskgraph.origins import Origins
from taskgraph.outcome import Outcome
from taskgraph.provenance import identity
from taskgraph.registry import open_store
from taskgraph.scheduler import BLOCKED, DONE, FAILED, Scheduler, Timings
from taskgraph.session import Session
from taskgraph.store import Store
from taskgraph.task import Task, verify_arguments
from taskgraph.workbench import Workbench
from taskgraph.worker import Worker


class Untimed(Timings):
    """Learns nothing, so that tasks are taken one by one and nothing runs after a failure."""

    def add(self, name: str, seconds: float, size: int, count: int = 1) -> None:
        """Take in nothing."""


class StopAtFailure(events.Listener):
    """Has the worker stop after its first failure."""

    def __init__(self, board: Board) -> None:
        self.board = board

    def task_failed(self, task: Task, error: BaseException) -> None:
        """Raise the stop flag."""
        self.board.stop = FINISH


def run_with_debugger(
    jugfile: Path | str,
    store: str | None = None,
    *,
    argv: Sequence[str] = (),
    names: Sequence[str] = (),
    pattern: str | None = None,
    prepare: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = time.monotonic,
) -> Outcome:
    """``outcome = run_with_debugger("jugfile.py")``: run all tasks up to the first failure.

    Parameters
    ----------
    jugfile, store, argv, names, pattern
        As in ``run_here``.
    prepare : callable
        Called before the jugfile is read.
    clock : callable
        Monotonic seconds.

    Raises
    ------
    TaskGraphError
        If it could not run at all.
    """
    began = clock()
    path = check_jugfile(Path(jugfile))
    session = Session(open_store(store_url(path, store), create=True))
    session.jugfile, session.writes = path, True
    orders = Orders(verbose=True, pdb=True)
    desk = _Desk(session, orders, Selection(names=tuple(names), pattern=pattern))
    session.wait_for = desk.wait_for
    try:
        prepare()
        try:
            read_jugfile(path, session, argv)
        except JugfileError as error:
            if error.__cause__ is not None:
                orders.post_mortem(error.__cause__)
            raise
        desk.work()
    finally:
        session.store.close()
    return desk.outcome(clock() - began)


class _Desk:
    """Where one worker after the other runs what is known of the graph."""

    def __init__(self, session: Session, orders: Orders, selection: Selection) -> None:
        self.session, self.orders, self.selection = session, orders, selection
        self.board = Board(1, machine_resources())
        self.executed = self.code = 0
        self.scheduler: Scheduler | None = None

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
        self.scheduler.timings = Untimed()
        path = session.jugfile or Path()
        origins = Origins(session.graph, store, name, me, path, jugfile_label(path, store.url))
        worker = Worker(
            session, self.scheduler, name, board=self.board, slot=0, orders=self.orders,
            origins=origins, capture=Capture(), run_apart=_run_here(session), say=_say,
        )  # fmt: skip
        stopper = StopAtFailure(self.board)
        events.add_listener(stopper)
        try:
            with _beating(store, name):
                self.code = worker.run()
        finally:
            events.remove_listener(stopper)
            self.executed += worker.runner.executed

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


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


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
            store.beat(worker)

    thread = Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
