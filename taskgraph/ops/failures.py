"""``failures``: what went wrong, grouped by exception.

A session flows in, groups of failed tasks with their last report flow out. Tasks that
will be tried again by themselves are listed too, and marked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from taskgraph.failures import FailureReport
from taskgraph.ops.attempts import attempts, final_nodes
from taskgraph.session import Session
from taskgraph.store import DEATH, Record


@dataclass(frozen=True, slots=True)
class FailedTask:
    """One task that raised, died or ran out of time."""

    node: int
    name: str
    hash: str
    attempts: int
    final: bool  #: not tried again before a ``retry`` or a change of its code
    started: float  #: of the last attempt, seconds since 1970 on the worker's clock
    seconds: float
    worker: str
    report: FailureReport


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Failed tasks that ended in one kind of exception."""

    exception: str
    message: str  #: of the first one
    tasks: tuple[FailedTask, ...]

    @property
    def functions(self) -> tuple[str, ...]:
        """The functions that failed, each once."""
        return tuple(dict.fromkeys(task.name for task in self.tasks))


@dataclass(frozen=True, slots=True)
class Failures:
    """All live failures of a jugfile, the most frequent exception first."""

    groups: tuple[FailureGroup, ...]

    @property
    def count(self) -> int:
        """How many tasks failed."""
        return sum(len(group.tasks) for group in self.groups)


def failures(session: Session, nodes: Iterable[int] | None = None) -> Failures:
    """``found = failures(session)``: failed tasks, grouped by exception.

    Parameters
    ----------
    session : Session
        A jugfile that has been read.
    nodes : iterable of int, optional
        Look only at these.
    """
    session.look()
    tried = attempts(session, session.present())
    if nodes is not None:
        wanted = set(nodes)
        tried = {node: records for node, records in tried.items() if node in wanted}
    final = set(final_nodes(session, tried))
    found: dict[str, list[FailedTask]] = {}
    for node in sorted(tried):
        task = failed_task(session, node, tried[node], node in final)
        found.setdefault(task.report.exception or task.report.kind, []).append(task)
    groups = [
        FailureGroup(exception, tasks[0].report.message, tuple(tasks))
        for exception, tasks in found.items()
    ]
    return Failures(tuple(sorted(groups, key=lambda group: -len(group.tasks))))


def failed_task(session: Session, node: int, records: list[Record], final: bool) -> FailedTask:
    """Return one task's failure by its last record."""
    last = records[-1]
    task = session.graph.tasks[node]
    report = FailureReport.of(last)
    if last.kind == DEATH and not report.exception:
        report = FailureReport(exception="death", host=last.origin.host, kind="death")
    return FailedTask(
        node=node,
        name=task.shape.name,
        hash=task.hash(),
        attempts=len(records),
        final=final,
        started=last.started,
        seconds=last.seconds,
        worker=last.origin.worker,
        report=report,
    )
