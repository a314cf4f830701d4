"""``log``: what a task printed.

For a failed task that is the tail kept in its failure record; otherwise the log of the
worker that made the result, if the store has it as a document (``log/<worker>``).
"""

from __future__ import annotations

from dataclasses import dataclass

from taskgraph.failures import FailureReport
from taskgraph.ops.attempts import attempts
from taskgraph.session import Session


@dataclass(frozen=True, slots=True)
class Log:
    """What one task printed."""

    name: str
    hash: str
    text: str
    source: str  #: "failure", "worker <id>" or "" when nothing was kept


def log(session: Session, node: int) -> Log:
    """``said = log(session, node)``: the log of one task, or of the worker that ran it."""
    session.look()
    task = session.graph.tasks[node]
    text, source = _find(session, node)
    return Log(task.shape.name, task.hash(), text, source)


def _find(session: Session, node: int) -> tuple[str, str]:
    tried = attempts(session, session.present()).get(node)
    if tried:
        return FailureReport.of(tried[-1]).log, "failure"
    floors = session.floors()
    own = None if floors is None else [floors[node]]
    head = session.store.heads([session.graph.tasks[node].key], own)[0]
    worker = head.origin.worker if head is not None else ""
    data = session.store.get_document(f"log/{worker}") if worker else None
    if data is None:
        return "", ""
    return data.decode("utf-8", "replace"), f"worker {worker}"
