"""``count``: how many tasks a jugfile makes, per function. Asks no store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from taskgraph.session import Session


@dataclass(frozen=True, slots=True)
class Count:
    """Numbers of tasks, functions in order of appearance."""

    functions: tuple[tuple[str, int], ...]
    stopped: bool  #: reading ended at a barrier: there is more to come

    @property
    def total(self) -> int:
        """How many tasks there are."""
        return sum(number for _, number in self.functions)


def count(session: Session, nodes: Iterable[int] | None = None) -> Count:
    """``numbers = count(session)``: tasks per function, of all or of some nodes."""
    tasks = session.graph.tasks
    chosen = tasks if nodes is None else [tasks[node] for node in nodes]
    numbers = Counter(task.shape.name for task in chosen)
    return Count(tuple(numbers.items()), session.stopped)
