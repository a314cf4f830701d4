"""``status``: how far a jugfile has come, as a table with a row per function.

A session flows in, counts, times, workers and an ETA flow out. Times, sizes and staleness
are read from the heads of results: of all up to :data:`SAMPLE`, beyond that of a sample
spread evenly over each function, because a million heads cost more than the rest of
the command; such rows say that they are estimated. ``stale`` itself counts exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

from taskgraph.ops.context import now, open_session
from taskgraph.ops.snapshot import read_snapshot
from taskgraph.ops.stale import Judge, heads_of
from taskgraph.ops.states import BLOCKED, DONE, FAILED, READY, RUNNING, STATES, WAITING, states
from taskgraph.session import Session
from taskgraph.signature import CallShape
from taskgraph.store import Head, WorkerInfo

#: So many heads are read for one table.
SAMPLE = 20_000

__all__ = [
    "BLOCKED",
    "DONE",
    "FAILED",
    "READY",
    "RUNNING",
    "STATES",
    "WAITING",
    "Row",
    "Status",
    "Worker",
    "quick_status",
    "states",
    "status",
    "status_of",
]


@dataclass(frozen=True, slots=True)
class Row:
    """Counts of one function, or of all."""

    name: str
    waiting: int = 0
    ready: int = 0
    running: int = 0
    done: int = 0
    failed: int = 0
    blocked: int = 0
    stale: int = 0
    mean_seconds: float | None = None  #: of its results; ``None`` without any
    bytes: int = 0  #: of its results
    estimated: bool = False  #: stale, mean_seconds and bytes come from a sample

    @property
    def total(self) -> int:
        """How many tasks there are."""
        return self.done + self.left + self.failed + self.blocked

    @property
    def left(self) -> int:
        """How many tasks may still run without anybody's help."""
        return self.waiting + self.ready + self.running


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker as the table shows it."""

    worker: str
    host: str
    pid: int
    alive: bool
    silent_for: float  #: seconds since its last heartbeat
    holds: int  #: tasks of this jugfile it has leases on
    running: str  #: function it was last seen running, ``""`` when unknown


@dataclass(frozen=True, slots=True)
class Status:
    """How far a jugfile has come."""

    jugfile: str
    store: str
    rows: tuple[Row, ...]
    totals: Row
    eta: float | None  #: seconds left for the live workers; ``None`` when unknown
    workers: tuple[Worker, ...]
    stopped: bool  #: reading ended at a barrier: there is more to come
    age: float | None = None  #: seconds since the graph snapshot was written, if one was used

    @property
    def exit_code(self) -> int:
        """0 when all is done, 1 when a task failed, 3 when work is left."""
        if self.totals.failed:
            return 1
        return 3 if self.stopped or self.totals.done < self.totals.total else 0


def status(jugfile: Path, store: str | None = None, argv: Sequence[str] = ()) -> Status:
    """``report = status(Path("jugfile.py"))``: read the jugfile and ask its store.

    Raises
    ------
    JugfileError, StoreError
        If one of the two can't be used.
    """
    return status_of(open_session(jugfile, store, argv))


def status_of(session: Session) -> Status:
    """Return the status of a jugfile that has been read."""
    session.look()
    infos = session.store.workers()
    state = states(session, infos)
    rows = _rows(session, state)
    alive = sum(info.alive for info in infos)
    return Status(
        jugfile=str(session.jugfile or ""),
        store=session.store.url,
        rows=tuple(rows),
        totals=_totals(rows),
        eta=_eta(rows, alive),
        workers=tuple(_worker(session, state, info) for info in infos),
        stopped=session.stopped,
    )


def quick_status(
    jugfile: Path, store: str | None = None, *, clock: Callable[[], float] = now
) -> Status:
    """Return the status by the graph snapshot: the jugfile is not read.

    Raises
    ------
    UsageError
        If no worker has written a snapshot yet.
    """
    from dataclasses import replace

    empty = open_session(jugfile, store, read=False)
    session, written = read_snapshot(empty)
    return replace(status_of(session), age=max(0.0, clock() - written))


def groups(session: Session) -> dict[str, list[int]]:
    """Return the nodes of each function, in the order in which functions appear."""
    by_shape: dict[CallShape, list[int]] = {}
    last: CallShape | None = None
    nodes: list[int] = []
    for node, shape in enumerate(map(attrgetter("shape"), session.graph.tasks)):
        if shape is not last:
            last, nodes = shape, by_shape.setdefault(shape, [])
        nodes.append(node)
    found: dict[str, list[int]] = {}
    for shape, nodes in by_shape.items():
        if shape.name in found:  # one function called in several forms
            nodes = sorted(found[shape.name] + nodes)
        found[shape.name] = nodes
    return found


def _rows(session: Session, state: bytearray) -> list[Row]:
    judge = Judge(session)
    functions = groups(session)
    share = max(100, SAMPLE // max(1, len(functions)))
    all_done = state.count(DONE) == len(state)
    known = None if all_done else state
    return [_row(session, judge, name, nodes, known, share) for name, nodes in functions.items()]


def _row(
    session: Session,
    judge: Judge,
    name: str,
    nodes: list[int],
    state: bytearray | None,
    share: int,
) -> Row:
    """Count one function's states (``None``: all done) and look at ``share`` of its heads."""
    done = nodes
    counts: dict[str, Any] = {"done": len(nodes)}
    if state is not None:
        mine = bytes([state[node] for node in nodes])
        counts = {word: mine.count(number) for number, word in enumerate(STATES)}
        done = [node for node in nodes if state[node] == DONE]
    sample = done[:: -(-len(done) // share)] if len(done) > share else done
    heads = [head for _, head in heads_of(session, sample)]
    scale = len(done) / len(heads) if heads else 0.0
    return Row(
        name=name,
        **counts,
        stale=round(scale * sum(judge.stale(name, head) for head in heads)),
        mean_seconds=_mean(heads),
        bytes=round(scale * sum(head.size for head in heads)),
        estimated=len(sample) < len(done),
    )


def _mean(heads: Sequence[Head]) -> float | None:
    return sum(head.seconds for head in heads) / len(heads) if heads else None


def _totals(rows: Sequence[Row]) -> Row:
    """Add up the rows; the mean is over all results."""
    done = sum(row.done for row in rows)
    seconds = sum(row.done * (row.mean_seconds or 0.0) for row in rows)
    return Row(
        name="total",
        waiting=sum(row.waiting for row in rows),
        ready=sum(row.ready for row in rows),
        running=sum(row.running for row in rows),
        done=done,
        failed=sum(row.failed for row in rows),
        blocked=sum(row.blocked for row in rows),
        stale=sum(row.stale for row in rows),
        mean_seconds=seconds / done if done else None,
        bytes=sum(row.bytes for row in rows),
        estimated=any(row.estimated for row in rows),
    )


def _eta(rows: Sequence[Row], workers: int) -> float | None:
    """Return remaining work in seconds over the live workers.

    A function without any result yet is taken to be as slow as the mean of the others.
    """
    mean = _totals(rows).mean_seconds
    if not workers or mean is None:
        return None
    work = sum(row.left * (mean if row.mean_seconds is None else row.mean_seconds) for row in rows)
    return work / workers


def _worker(session: Session, state: bytearray, info: WorkerInfo) -> Worker:
    index = session.graph.index
    holds = sum(key in index for key in info.keys)
    if info.buckets:
        buckets = set(info.buckets)
        holds += sum(
            state[node] == RUNNING and key[0] in buckets for node, key in enumerate(index.keys())
        )
    node = index.get(info.running)
    return Worker(
        worker=info.worker,
        host=info.identity.host,
        pid=info.identity.pid,
        alive=info.alive,
        silent_for=info.silent_for,
        holds=holds,
        running="" if node is None else session.graph.name(node),
    )
