"""Compound tasks: a function that builds a sub-graph, remembered by its result alone.

``CompoundTask(f, x)`` has the key of ``f(x)``. While no result is stored under it, ``f``
is called as the jugfile is read; its tasks join the graph, and one more task, with that
key, takes what ``f`` returned and stores its value. Once the result is there, ``f`` is
never called again and its inner tasks are not in the graph: the node is *opaque*.

Then its ancestors are no longer known from the graph, and an invalidate of one of them
must still reach it. So the record of a compound task names the keys of its inner tasks
(:func:`ancestors_of`, which the worker calls when it publishes), and an opaque node is
listed in ``session.opaque``, where floors are computed from these names.

What a compound task does not do: notice that ``f`` would now build other tasks. Its
identity is the name of ``f`` and the arguments, like that of any task.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from taskgraph.errors import GraphOutdated
from taskgraph.graph import Graph
from taskgraph.hashing import Walk
from taskgraph.session import ANCESTORS, CURRENT, Session, bvalue
from taskgraph.signature import CallShape, Options
from taskgraph.store import Key
from taskgraph.task import RECORDER, Task, TaskGenerator, roots


def CachedFunction(f: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """``x = CachedFunction(f, ...)``: the value of the call, while the jugfile is read.

    The call is a task like others: a worker runs it when its result is not stored, and
    reading waits for it as at a barrier.
    """
    return bvalue(Task(f, *args, **kwargs))


class Compound:
    """What stands in a compound task for the function.

    Attributes
    ----------
    call : Task
        The call ``f(*args, **kwargs)``; never recorded, never run.
    f : callable
        The function that builds the sub-graph, for whoever wants to know its code.
    hidden : tuple of bytes, optional
        Keys of inner tasks, as the stored result names them; ``None``: the sub-graph was
        built and is in the graph.
    """

    __slots__ = ("call", "f", "hidden")

    def __init__(self, call: Task, hidden: tuple[Key, ...] | None) -> None:
        self.call = call
        self.f = call.shape.f
        self.hidden = hidden

    def __call__(self, *values: Any, **named: Any) -> Any:
        """Return the value that the sub-graph made."""
        if self.hidden is not None:
            raise GraphOutdated(
                f"The result of compound task {self.call.name} went away after the jugfile was "
                "read, and its inner tasks were not built. Start `taskgraph execute` again."
            )
        return values[0]


def CompoundTask(f: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Task:
    """``task = CompoundTask(f, x)``: the value of the structure of tasks that ``f(x)`` builds.

    Parameters
    ----------
    f : callable
        A function at the top level of a module. It makes tasks and returns one of them, or
        any structure that holds some. Called while the jugfile is read, and only when the
        result is not stored.
    *args, **kwargs
        Its arguments, with which it is identified; tasks among them arrive as tasks.
    """
    call = _unrecorded(f, args, kwargs)
    session = CURRENT.get()
    if session is not None:
        node = session.graph.index.get(call.key)
        if node is not None:
            return session.graph.tasks[node]
        hidden = _stored(session, call)
        if hidden is not None:
            return _opaque(session, call, hidden)
    builder = f.f if isinstance(f, TaskGenerator) else f
    return _built(call, builder(*args, **kwargs))


class CompoundTaskGenerator:
    """``@CompoundTaskGenerator``: calls of the function are compound tasks.

    Options are those of :class:`taskgraph.TaskGenerator`.
    """

    def __new__(cls, f: Callable[..., Any] | None = None, /, **options: Any) -> Any:
        """Return a generator, or with options alone a decorator that makes one."""
        return partial(cls, **options) if f is None else super().__new__(cls)

    def __init__(self, f: Callable[..., Any], /, **options: Any) -> None:
        self.f = f
        self.generator = TaskGenerator(f, **options)
        self.__doc__ = getattr(f, "__doc__", None)
        self.__wrapped__ = f

    def __call__(self, *args: Any, **kwargs: Any) -> Task:
        """Make the compound task of this call."""
        return CompoundTask(self.generator, *args, **kwargs)

    def __taskgraph_hash__(self) -> tuple[str, str, str]:
        """Identity as an argument: the name and version of the function."""
        return ("CompoundTaskGenerator", *self.generator.__taskgraph_hash__()[1:])

    def __repr__(self) -> str:
        return f"<CompoundTaskGenerator {self.generator.name}>"


def _unrecorded(f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Task:
    """Return the task of a call without announcing it."""
    token = RECORDER.set(None)
    try:
        return Task(f, *args, **kwargs)
    finally:
        RECORDER.reset(token)


def _stored(session: Session, call: Task) -> tuple[Key, ...] | None:
    """Return the inner keys that a live result names; ``None``: there is none."""
    session.look()
    head = session.store.heads([call.key])[0]
    if head is None:
        return None
    named = dict(head.origin.extra).get(ANCESTORS, "")
    hidden = tuple(bytes.fromhex(key) for key in named.split())
    killed = session.store.tombstones().results
    if killed:
        above = call.dependencies()
        session.graph.adopt(above)
        floors = session.floors()
        numbers = [killed.get(key, 0) for key in (call.key, *hidden)]
        if floors is not None:
            numbers += [floors[session.graph.node(task)] for task in above]
        if head.epoch < max(numbers):
            return None
    return hidden


def _opaque(session: Session, call: Task, hidden: tuple[Key, ...]) -> Task:
    """Return the task whose result is stored and whose inner tasks are not built."""
    task = _announced(
        call.key,
        replace(call.shape, f=Compound(call, hidden)),
        call.values,
        call.dependencies(),
    )
    node = session.graph.index.get(call.key)
    if node is not None:
        session.opaque.append(node)
        session.inner[node] = hidden
    return task


def _built(call: Task, inner: Any) -> Task:
    """Return the task that stores the value of what the function built."""
    walk = Walk()
    copy = walk.take(inner)
    shape = CallShape(
        f=Compound(call, None),
        name=call.shape.name,
        options=Options(),
        prefix=b"",
        positional=(0,),
        keywords=(),
        straight=True,
        arrange=None,
    )
    # The arguments' tasks count as dependencies too, as they do for the opaque node.
    return _announced(call.key, shape, (copy,), [*roots(walk.deps), *call.dependencies()])


def _announced(
    key: Key, shape: CallShape, values: tuple[Any, ...], dependencies: Iterable[Task]
) -> Task:
    task = Task.__new__(Task)
    task.key = key
    task.shape = shape
    task.kept = values
    recorder = RECORDER.get()
    if recorder is not None:
        recorder.record(task, list({one.key: one for one in dependencies}.values()))
    return task


def ancestors_of(task: Task, graph: Graph) -> list[Key] | None:
    """Return the keys that the record of a compound task must name.

    All its ancestors but those that any reader finds from the arguments; ``None`` when the
    task is no compound task that was built here.
    """
    compound = task.shape.f
    if not isinstance(compound, Compound) or compound.hidden is not None:
        return None
    seen = _above(graph, [graph.node(one) for one in compound.call.dependencies()], set())
    start = graph.node(task)
    found: dict[Key, None] = {}
    for node in sorted(_above(graph, [start], set(seen)) - seen - {start}):
        inner = graph.tasks[node]
        found[inner.key] = None
        if isinstance(inner.shape.f, Compound):
            found.update(dict.fromkeys(inner.shape.f.hidden or ()))
    return list(found)


def record_extra(task: Task, graph: Graph) -> tuple[tuple[str, str], ...]:
    """Return ``Origin.extra`` of a task's record: its ancestors for a compound task."""
    keys = ancestors_of(task, graph)
    return () if keys is None else ((ANCESTORS, " ".join(key.hex() for key in keys)),)


def _above(graph: Graph, nodes: Iterable[int], seen: set[int]) -> set[int]:
    """Return ``seen`` with the nodes and all that they depend on."""
    stack = [node for node in nodes if node not in seen]
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack.extend(graph.dependencies(node))
    return seen
