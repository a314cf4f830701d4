"""What failed tasks mean to a worker: try again, leave it to another host, or give up.

Failure and death records flow in from the store and from the worker itself; verdicts
flow out. The rule of when a failure is final is shared with ``status`` (``failures``).
"""

from __future__ import annotations

import enum
import errno
import traceback
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

from taskgraph.errors import CodecError, HashError
from taskgraph.failures import DIED, ERROR, TIMEOUT, UNPICKLABLE, FailureReport, failed_for_good
from taskgraph.isolation import ChildDied, ChildFailed, ChildTimeout
from taskgraph.origins import Origins
from taskgraph.outbox import Outbox
from taskgraph.scheduler import DONE, Scheduler
from taskgraph.session import Session
from taskgraph.store import DEATH, FAILURE, Record, WorkerInfo
from taskgraph.task import Task

#: The failure is the machine's: another host tries before it counts.
HOST = "host"
_HOST_ERRNOS = frozenset((errno.ENOSPC, errno.EIO, errno.ESTALE, errno.EDQUOT))


class Verdict(enum.Enum):
    """What becomes of a task with failure records."""

    NONE = 0  #: it has none
    AGAIN = 1  #: try it again, after a delay
    ELSEWHERE = 2  #: not on this host
    FINAL = 3


class Attempts:
    """The live failure records of a graph's nodes, as far as a worker has met them."""

    def __init__(self, session: Session, scheduler: Scheduler, origins: Origins) -> None:
        self._session = session
        self._scheduler = scheduler
        self._origins = origins
        self._records: dict[int, list[Record]] = {}
        self._said: set[Hashable] = set()
        self._blamed: set[tuple[str, bytes]] = set()

    def __bool__(self) -> bool:
        return bool(self._records)

    def clear(self) -> None:
        """Forget what was read; it is read anew."""
        self._records.clear()

    def load(self, nodes: Sequence[int]) -> list[int]:
        """Read the records of nodes; return the nodes that have any."""
        if not nodes:
            return []
        floors = self._session.floors()
        keys = [self._scheduler.keys[node] for node in nodes]
        found = self._session.store.failures(keys, floors and [floors[node] for node in nodes])
        met = {node: records for node, records in zip(nodes, found, strict=True) if records}
        self._records.update(met)
        return list(met)

    def add(self, node: int, record: Record) -> None:
        """Take in a failure of this worker."""
        self._records.setdefault(node, []).append(record)

    def number(self, node: int) -> int:
        """Return the number of the attempt that runs now, from 1."""
        records = self._records.get(node, ())
        return min(255, 1 + sum(record.kind == FAILURE for record in records))

    def deaths(self, node: int) -> int:
        """Return how many workers have died of a node."""
        records = self._records.get(node, ())
        return len({record.origin.worker for record in records if record.kind == DEATH})

    def verdict(self, node: int, hosts: Callable[[], set[str]]) -> tuple[Verdict, float]:
        """Return what becomes of a node, and the seconds to wait before a new try.

        ``hosts()``, those with live workers, is asked only after trouble of a machine.
        """
        records = self._records.get(node, [])
        if not records:
            return Verdict.NONE, 0.0
        task = self._session.graph.tasks[node]
        code = self._origins.of(task).fingerprint
        counted = [r for r in records if not code or r.origin.fingerprint in ("", code)]
        if not failed_for_good(records, task, code):
            tries = sum(record.kind == FAILURE for record in counted)
            return Verdict.AGAIN, task.options.retry_delay * 2 ** (tries - 1) if tries else 0.0
        reports = [FailureReport.of(record) for record in counted]
        if all(report.kind == HOST for report in reports):
            tried = {report.host for report in reports}
            if self._origins.host not in tried:
                return Verdict.AGAIN, 0.0
            if hosts() - tried:
                return Verdict.ELSEWHERE, 0.0
        return Verdict.FINAL, 0.0

    def report(self, task: Task, error: BaseException, tail: str) -> FailureReport:
        """Return what the store keeps of a failure."""
        if isinstance(error, ChildFailed):
            return error.report
        kind, final = kind_of(error), isinstance(error, CodecError | HashError)
        if isinstance(error, ChildTimeout | ChildDied):
            tail = error.tail or tail
        return FailureReport(
            exception=type(error).__name__,
            message=words_of(error),
            traceback=trimmed_traceback(error),
            log=tail,
            host=self._origins.host,
            kind=kind,
            final=final,
            fingerprint=self._origins.of(task).fingerprint,
        )

    def say_once(self, token: Hashable) -> bool:
        """Return True the first time a token is given."""
        new = token not in self._said
        self._said.add(token)
        return new

    def all_host_trouble(self) -> bool:
        """Tell whether every failure met was this machine's."""
        reports = [FailureReport.of(r) for records in self._records.values() for r in records]
        return bool(reports) and all(report.kind == HOST for report in reports)

    def blame_dead(
        self, infos: Iterable[WorkerInfo], outbox: Outbox, epoch: int, now: float, offset: float
    ) -> list[int]:
        """Record the deaths of workers whose supervisor died too; return the nodes to judge."""
        index = self._session.graph.index
        blamed = []
        for info in infos:
            token = (info.worker, info.running)
            if info.alive or not info.running or token in self._blamed:
                continue
            self._blamed.add(token)
            node = index.get(info.running)
            if node is None or self._scheduler.state[node] == DONE:
                continue
            self.load([node])
            known = self._records.get(node, ())
            if any(r.kind == DEATH and r.origin.worker == info.worker for r in known):
                continue
            task = self._session.graph.tasks[node]
            origin = self._origins.of_dead(task, info.worker, info.identity.host)
            report = FailureReport(
                exception="WorkerDied",
                message=f"worker {info.worker[:8]} on {info.identity.host} vanished with its supervisor",
                host=info.identity.host,
                kind=DIED,
            )
            record = death_record(task.key, epoch, origin, now + offset, report)
            self.add(node, record)
            outbox.add(record, 0, now)
            blamed.append(node)
        return blamed


def death_record(key: bytes, epoch: int, origin: Any, when: float, report: FailureReport) -> Record:
    """Return the record of a death."""
    return Record(
        key, DEATH, epoch, bytes(8), b"", origin, when, 0.0, 0.0, 0, 1, report.to_bytes()
    )  # fmt: skip


def kind_of(error: BaseException) -> str:
    """Return the kind of a failure, for its report."""
    if isinstance(error, ChildTimeout):
        return TIMEOUT
    if isinstance(error, ChildDied):
        return ERROR
    if isinstance(error, CodecError):
        return UNPICKLABLE
    if isinstance(error, ImportError | MemoryError):
        return HOST
    if isinstance(error, OSError) and error.errno in _HOST_ERRNOS:
        return HOST
    if isinstance(error, RuntimeError) and "CUDA" in str(error):
        return HOST
    return ERROR


def words_of(error: BaseException) -> str:
    """Return an exception's message, at most 20,000 characters, whatever its class does."""
    try:
        return str(error)[:20000]
    except Exception as other:  # noqa: BLE001  # a stranger's __str__ may raise anything
        return f"({type(error).__name__} can't be shown: {type(other).__name__})"


def trimmed_traceback(error: BaseException) -> str:
    """Return the traceback without the frames of taskgraph itself above the task."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        if "taskgraph" not in trace.tb_frame.f_globals.get("__name__", "").split(".")[0]:
            break
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace))[-20000:]
