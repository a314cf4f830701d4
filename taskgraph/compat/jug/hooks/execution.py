"""jug.hooks.execution: how long tasks took, printed at the end by each worker."""

from __future__ import annotations

import sys
from collections import defaultdict

from taskgraph.events import Listener, add_listener
from taskgraph.task import Task

__all__ = ["register_time_tasks"]


class TimeTasks(Listener):
    """Collects seconds by the name of the function."""

    def __init__(self) -> None:
        self.times: dict[str, list[float]] = defaultdict(list)

    def task_done(self, task: Task, seconds: float) -> None:
        """Take notice of a task that returned."""
        self.times[task.name].append(seconds)

    def finished(self, executed: int, failed: int) -> None:
        """Print the means."""
        lines = ["TIMES", "-----", ""]
        for name, seconds in self.times.items():
            mean = sum(seconds) / len(seconds)
            lines.append(f"{name:20} {mean:.2f}s ({len(seconds)} tasks)")
        sys.stdout.write("\n".join(lines) + "\n")


_TIMES = TimeTasks()


def register_time_tasks() -> None:
    """Print, when a worker ends, the mean time of the tasks of each name."""
    add_listener(_TIMES)
