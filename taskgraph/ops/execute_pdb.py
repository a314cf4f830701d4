"""``execute --pdb``: one worker in this process, and a debugger at the first failure.

No supervisor, no template and no fork, so that the debugger has the terminal and the
frames; tasks are taken one by one, so that nothing runs after a failure.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from taskgraph import events
from taskgraph.board import FINISH, Board
from taskgraph.errors import JugfileError
from taskgraph.jugfile import check_jugfile, read_jugfile
from taskgraph.ops.context import store_url
from taskgraph.ops.desk import Desk
from taskgraph.ops.select import Selection
from taskgraph.orders import Orders
from taskgraph.outcome import Outcome
from taskgraph.registry import open_store
from taskgraph.session import Session
from taskgraph.task import Task
from taskgraph.timings import Timings


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
    desk = Desk(session, orders, Selection(names=tuple(names), pattern=pattern), Untimed)
    session.wait_for = desk.wait_for
    stopper = StopAtFailure(desk.board)
    events.add_listener(stopper)
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
        events.remove_listener(stopper)
        session.store.close()
    return desk.outcome(clock() - began)
