"""What a worker tells whoever wants to hear: a task starts, is done, fails.

A worker flows its tasks through the methods of each :class:`Listener` added in its
process, in the order in which they were added; nothing flows back. Listeners are added
while the jugfile is read, and workers forked afterwards have them too.

A listener that raises ``SystemExit`` asks its worker to stop in good order; what else it
raises is the jugfile's error. What a listener must not do: make tasks, or count on being
told about tasks that other workers run.
"""

from __future__ import annotations

from taskgraph.task import Task


class Listener:
    """Base of listeners; each method does nothing."""

    def begun(self, before: int) -> None:
        """Take notice that this worker begins, and how many tasks those before it at its slot ran."""

    def task_loadable(self, task: Task) -> None:
        """Take notice of a task whose result was there already."""

    def task_started(self, task: Task) -> None:
        """Take notice of a task about to run in this process."""

    def task_done(self, task: Task, seconds: float) -> None:
        """Take notice of a task that returned after so many seconds of wall time."""

    def task_failed(self, task: Task, error: BaseException) -> None:
        """Take notice of a task that raised."""

    def finished(self, executed: int, failed: int) -> None:
        """Take notice that this worker runs no more tasks, and how many it ran."""


#: The listeners of this process; a worker with none skips the calls.
LISTENERS: list[Listener] = []


def add_listener(listener: Listener) -> None:
    """Add a listener; one that was added before is not added again."""
    if all(known is not listener for known in LISTENERS):
        LISTENERS.append(listener)


def remove_listener(listener: Listener) -> None:
    """Remove a listener; one that is not there is no error."""
    LISTENERS[:] = [known for known in LISTENERS if known is not listener]


def listeners() -> tuple[Listener, ...]:
    """Return the listeners of this process, in the order in which they were added."""
    return tuple(LISTENERS)
