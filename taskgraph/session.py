"""One graph and one store, together: where a jugfile is read and values are asked for.

Tasks made while a session is active are recorded in its graph; ``value``, ``bvalue``
and ``barrier`` ask its store. There is no global graph: the active session is a
context variable, and two sessions never see each other's tasks.

A barrier that is not met calls the session's ``wait_for``, if it has one (the template
waits there while its workers run what is known); otherwise reading stops.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar, Token
from pathlib import Path
from types import ModuleType
from typing import Any

from taskgraph import codecs
from taskgraph.errors import BarrierStop, NotReady, ResultCorrupt, TaskError
from taskgraph.graph import Graph
from taskgraph.hashing import substitute
from taskgraph.store import Key, Record, Store
from taskgraph.task import RECORDER, Recorder, Task, Tasklet, roots

#: The active session, if any.
CURRENT: ContextVar[Session | None] = ContextVar("taskgraph_session", default=None)

#: Marks an ancestor list in ``Origin.extra`` (the inner tasks of a compound task).
ANCESTORS = "ancestors"


class Session:
    """A graph that grows, over a store.

    Parameters
    ----------
    store : Store
        Where results live.
    wait_for : callable, optional
        ``wait_for(nodes) -> bool``: called at a barrier whose nodes are not all done;
        True when they are done now, False to stop reading.
    lean : bool
        The graph keeps no arguments: for commands that show keys and states alone.
    """

    def __init__(
        self,
        store: Store,
        wait_for: Callable[[Sequence[int]], bool] | None = None,
        lean: bool = False,
    ) -> None:
        self.graph = Graph(lean)
        self.store = store
        self.wait_for = wait_for
        self.interactive = False  #: no jugfile: nothing can be read again later
        self.stopped = False  #: reading ended at a barrier
        self.opaque: list[int] = []  #: nodes whose inner tasks are known only to their frames
        self.inner: dict[int, Sequence[Key]] = {}  #: of opaque nodes: what their frames named
        self.jugfile: Path | None = None  #: what was read into the graph
        self.module: ModuleType | None = None  #: the jugfile as a module
        self.writes = False  #: reading the jugfile may leave notes in the store
        self.say: Callable[[str], object] = _say  #: shows the user a line
        self.pause: Callable[[], object] = lambda: None  #: called before waiting at a barrier
        self._floors: tuple[object, array[int] | None] = (None, None)
        self._tokens: list[tuple[Token[Session | None], Token[Recorder | None]]] = []

    # -- being the active one ----------------------------------------------------
    def __enter__(self) -> Session:
        self._tokens.append((CURRENT.set(self), RECORDER.set(self.graph)))
        return self

    def __exit__(self, *exc: object) -> None:
        current, recorder = self._tokens.pop()
        CURRENT.reset(current)
        RECORDER.reset(recorder)

    # -- looking -----------------------------------------------------------------
    def look(self) -> None:
        """Ask the store what is new, tombstones first of all."""
        self.store.refresh()

    def floors(self) -> array[int] | None:
        """Return each node's floor; ``None``: all are 0."""
        tombstones = self.store.tombstones()
        # What an opaque node's record names may change while the epoch stays: a record that
        # began before the tombstone may be published after it.
        hidden = self._hidden(tombstones.results) if self.opaque else None
        state = (tombstones.epoch, len(self.graph), hidden)
        if self._floors[0] != state:
            self._floors = (state, self.graph.floors(tombstones.results, hidden))
        return self._floors[1]

    def _hidden(self, tombstones: Any) -> dict[int, int]:
        """Return the floors that compound tasks get from their stored ancestors."""
        if not tombstones:
            return {}
        keys = [self.graph.tasks[node].key for node in self.opaque]
        found = {}
        for node, head in zip(self.opaque, self.store.heads(keys), strict=True):
            if head is not None:  # else its frame went, and what was made of it must stay dead
                named = dict(head.origin.extra).get(ANCESTORS, "")
                self.inner[node] = [bytes.fromhex(key) for key in named.split()]
            numbers = [tombstones.get(key, 0) for key in self.inner.get(node, ())]
            found[node] = max(numbers, default=0)
        return found

    def present(self, nodes: Sequence[int] | None = None) -> bytearray:
        """Return 1 for each node (default: all, in order) that has a live result."""
        floors = self.floors()
        if nodes is None:
            return self.store.present(self.graph.keys(), floors)
        keys = list(map(self.graph.key, nodes))
        return self.store.present(keys, floors and [floors[node] for node in nodes])

    def load(self, tasks: Sequence[Task]) -> list[Record | None]:
        """Return the live records of tasks, in bulk."""
        index = self.graph.index
        self.graph.adopt(task for task in tasks if task.key not in index)
        floors = self.floors()
        keys = [task.key for task in tasks]
        return self.store.load(keys, floors and [floors[index[key]] for key in keys])

    # -- values ------------------------------------------------------------------
    def value(self, obj: Any) -> Any:
        """Return ``obj`` with each task in it replaced by its result.

        Raises
        ------
        NotReady
            If a result does not exist.
        ResultCorrupt
            If a result was there but is damaged; it has been put aside.
        """
        tasks = tasks_in(obj)
        self.look()
        results = self._results(tasks)

        def value_of(dependency: Any) -> Any:
            if isinstance(dependency, Task):
                return results[dependency.key]
            return dependency.value(value_of)

        return substitute(obj, value_of)

    def _results(self, tasks: Sequence[Task]) -> dict[Key, Any]:
        known = self.present([self._node(task) for task in tasks])
        missing = [task for task, there in zip(tasks, known, strict=True) if not there]
        if missing:
            raise NotReady(
                f"A value must be computed before it is asked for: {len(missing)} of "
                f"{len(tasks)} tasks have no result yet, the first is {missing[0]!r}. "
                "Run `taskgraph execute`, or use bvalue() to wait for it in a jugfile."
            )
        results = {}
        for task, record in zip(tasks, self.load(tasks), strict=True):
            if record is None:
                raise ResultCorrupt(
                    f"The stored result of {task!r} is damaged and was put aside. "
                    "Run `taskgraph execute` to compute it again, and `taskgraph fsck` to look "
                    "for more damage."
                )
            results[task.key] = codecs.decode(as_buffer(record))
        return results

    def _node(self, task: Task) -> int:
        if task.key not in self.graph.index:
            self.graph.adopt([task])
        return self.graph.index[task.key]

    # -- barriers ----------------------------------------------------------------
    def need(self, nodes: Sequence[int]) -> None:
        """Go on when these nodes are done, wait where that is possible, else stop reading."""
        self.look()
        if 0 not in self.present(nodes):
            return
        self.pause()
        if self.wait_for is not None and self.wait_for(nodes):
            return
        if self.interactive:
            raise NotReady(
                "Where no jugfile is read, nothing waits at a barrier: some of these tasks have "
                "no result yet. Run them first, with taskgraph.ops.execute() or `taskgraph "
                "execute`, then ask for value()."
            )
        self.stopped = True
        raise BarrierStop


def _say(text: str) -> None:
    sys.stderr.write(f"taskgraph: {text}\n")


def as_buffer(record: Record) -> bytes | bytearray | memoryview:
    """Return a record's payload as one buffer."""
    payload = record.payload
    if isinstance(payload, bytes | bytearray | memoryview):
        return payload
    return b"".join(payload)


def tasks_in(obj: Any) -> list[Task]:
    """Return the tasks inside lists, tuples, dicts, sets, dataclasses and namedtuples."""
    met: list[Any] = []

    def note(dependency: Any) -> Any:
        met.append(dependency)
        return dependency

    substitute(obj, note)
    return roots(met)


def current() -> Session:
    """Return the active session; raise TaskError when there is none."""
    active = CURRENT.get()
    if active is None:
        raise TaskError(
            "This needs a session (a graph and a store), and none is active. Run the file with "
            "`taskgraph execute` or `taskgraph shell`, or begin with "
            "`taskgraph.session('results.taskgraph')`."
        )
    return active


def value(obj: Any) -> Any:
    """``x = value(obj)``: ``obj`` with each task, tasklet or wrapper replaced by its value.

    Raises
    ------
    NotReady
        If a result does not exist yet.
    """
    return current().value(obj)


def bvalue(obj: Any) -> Any:
    """``x = bvalue(obj)``: wait for the tasks in ``obj`` while the jugfile is read, then value.

    In commands that do not run tasks (``status`` and so on) reading stops here when a
    result does not exist yet.
    """
    session = current()
    session.need([session._node(task) for task in tasks_in(obj)])
    return session.value(obj)


def barrier() -> None:
    """Wait until every task made so far is done; where nothing runs, stop reading here."""
    session = current()
    session.need(range(len(session.graph)))


def is_running() -> bool:
    """Return True while a session is active: under ``taskgraph``, not plain ``python``."""
    return CURRENT.get() is not None


def nodes_of(session: Session, tasks: Iterable[Task | Tasklet]) -> list[int]:
    """Return the nodes of tasks and of the tasks behind tasklets."""
    return [session.graph.node(task) for task in roots(list(tasks))]
