"""``sleep_until``: wait until all is done, or until it can't be any more.

A jugfile and a store flow in; how it ended flows out. Waiting is the store's ``wait``, so
news from a worker ends it at once. A jugfile that stopped at a barrier is read again
when all that is known is done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from taskgraph.jugfile import read_jugfile
from taskgraph.ops.context import open_session
from taskgraph.ops.snapshot import read_snapshot
from taskgraph.ops.states import DONE, FAILED, READY, RUNNING, WAITING, states
from taskgraph.session import Session

#: Seconds between looks while nothing is heard: a death makes no noise.
LOOK_EVERY = 5.0


@dataclass(frozen=True, slots=True)
class Slept:
    """How the waiting ended."""

    done: int
    total: int
    failed: int
    reason: str  #: "done", "failed", "time" (out of it)

    @property
    def exit_code(self) -> int:
        """0 when all is done, 1 when it can't be, 3 when time ran out."""
        return {"done": 0, "failed": 1}.get(self.reason, 3)


def sleep_until(
    jugfile: Path,
    store: str | None = None,
    argv: Sequence[str] = (),
    *,
    quick: bool = False,
    timeout: float | None = None,
    clock: Callable[[], float] = monotonic,
    told: Callable[[Slept], None] = lambda slept: None,
) -> Slept:
    """``end = sleep_until(Path("jugfile.py"))``: wait for the end of a run.

    Parameters
    ----------
    quick : bool
        Go by the graph snapshot instead of reading the jugfile.
    timeout : float, optional
        Seconds after which to give up.
    clock : callable
        Seconds that never go back.
    told : callable
        Gets the state at each look.
    """
    session = open_session(jugfile, store, argv, read=not quick)
    if quick:
        session, _ = read_snapshot(session)

    def again(before: Session) -> Session:
        return read_snapshot(before)[0] if quick else _read_on(before, argv)

    return wait_for(session, again, timeout=timeout, clock=clock, told=told)


def wait_for(
    session: Session,
    again: Callable[[Session], Session],
    *,
    timeout: float | None = None,
    clock: Callable[[], float] = monotonic,
    told: Callable[[Slept], None] = lambda slept: None,
) -> Slept:
    """Wait for the end of a session's graph; ``again(session)`` reads on behind a barrier."""
    end = None if timeout is None else clock() + timeout
    while True:
        session.look()
        slept = judge(session)
        told(slept)
        if slept.reason == "done" and session.stopped:
            session = again(session)
            if not session.stopped or len(session.graph) > slept.total:
                continue
        elif slept.reason in ("done", "failed"):
            return slept
        left = LOOK_EVERY if end is None else min(LOOK_EVERY, end - clock())
        if left <= 0:
            return Slept(slept.done, slept.total, slept.failed, "time")
        session.store.wait(left)


def judge(session: Session) -> Slept:
    """Return how things stand; the reason is "" while the end is still open.

    The graph can't finish when something failed for good and nothing else goes on: no
    task could still run, or nobody lives to run it.
    """
    workers = session.store.workers()
    state = states(session, workers)
    done, failed = state.count(DONE), state.count(FAILED)
    reason = ""
    if done == len(state):
        reason = "done"
    elif failed:
        open_ones = sum(state.count(kind) for kind in (WAITING, READY, RUNNING))
        if not open_ones or not any(worker.alive for worker in workers):
            reason = "failed"
    return Slept(done, len(state), failed, reason)


def _read_on(session: Session, argv: Sequence[str]) -> Session:
    """Read the jugfile again, over the same store."""
    fresh = Session(session.store)
    fresh.jugfile = session.jugfile
    if session.jugfile is not None:
        fresh.module = read_jugfile(session.jugfile, fresh, argv)
    return fresh
