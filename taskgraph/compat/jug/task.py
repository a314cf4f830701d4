"""jug.task: tasks, with the methods that jug's tasks have.

jug's tasks know their store; ours do not. The methods below ask the active session and
are lent to the classes when this module is imported, for scripts written for jug.
``hash()`` stays our own key.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from taskgraph.compose import CachedFunction, iteratetask, return_tuple
from taskgraph.errors import TaskFailed
from taskgraph.session import CURRENT, current, tasks_in, value
from taskgraph.task import Task, TaskGenerator, Tasklet

__all__ = [
    "CachedFunction",
    "Task",
    "TaskGenerator",
    "Tasklet",
    "describe",
    "iteratetask",
    "recursive_dependencies",
    "return_tuple",
    "topological_sort",
    "value",
]


def __getattr__(name: str) -> Any:
    if name == "alltasks":  # jug's global list: here the tasks of the active session
        session = CURRENT.get()
        return list(session.graph.tasks) if session is not None else []
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def topological_sort(tasks: list[Task]) -> None:
    """Sort tasks in place, each after those that it depends on."""
    known = {task.key: task for task in tasks}
    ordered: dict[bytes, Task] = {}
    for task in tasks:
        stack = [task]
        while stack:
            top = stack[-1]
            needs = [known[one.key] for one in top.dependencies() if one.key in known]
            missing = [one for one in needs if one.key not in ordered and top.key not in ordered]
            if missing:
                stack.extend(missing)
            else:
                ordered.setdefault(stack.pop().key, top)
    tasks[:] = ordered.values()


def recursive_dependencies(t: Any, max_level: int | None = -1) -> Iterator[Task]:
    """Yield all tasks that a task depends on, each once; at most so many levels up."""
    seen: set[bytes] = set()
    level = _direct(t)
    depth = 0
    while level and (max_level is None or max_level < 0 or depth < max_level):
        fresh = [one for one in level if one.key not in seen and not seen.add(one.key)]  # type: ignore[func-returns-value]
        yield from fresh
        level = [above for one in fresh for above in one.dependencies()]
        depth += 1


def _direct(t: Any) -> list[Task]:
    return t.dependencies() if isinstance(t, Task) else list(t.tasks)


def describe(t: Any) -> Any:
    """``text = describe(task)``: the computation as nested dicts and lists.

    Each task is a dict with its ``name``, ``args``, ``kwargs`` and, where its result is
    stored, ``meta``.
    """
    if isinstance(t, Task):
        return _describe_task(t)
    if isinstance(t, Tasklet):
        return {"name": "tasklet", "operation": repr(t.f), "base": describe(t.base)}
    if isinstance(t, list | tuple):
        return type(t)([describe(item) for item in t])
    if isinstance(t, dict):
        return {key: describe(item) for key, item in t.items()}
    return t


def _describe_task(task: Task) -> dict[str, Any]:
    described: dict[str, Any] = {"name": task.name}
    if task.args:
        described["args"] = [describe(item) for item in task.args]
    if task.kwargs:
        described["kwargs"] = {key: describe(item) for key, item in task.kwargs.items()}
    session = CURRENT.get()
    head = session.store.heads([task.key])[0] if session is not None else None
    if head is not None:
        from time import ctime

        described["meta"] = {"computed": True, "completed": ctime(head.started + head.seconds)}
    return described


# -- what jug's tasks can do ----------------------------------------------------------


def _can_load(self: Any, store: Any = None) -> bool:
    """Return whether the result is stored."""
    session, tasks = current(), tasks_in(self)
    session.look()
    session.graph.adopt(tasks)
    return 0 not in session.present([session.graph.node(task) for task in tasks])


def _can_run(self: Task) -> bool:
    """Return whether the results of all dependencies are stored."""
    return all(_can_load(task) for task in self.dependencies())


def _run(self: Task, force: object = None, save: bool = True, debug_mode: bool = False) -> Any:
    """Run the task here, store its result, and return it."""
    from taskgraph.ops.run import run

    session = current()
    session.graph.adopt([self])  # it may have been made while nobody recorded
    try:
        return run(session, session.graph.node(self), publish=save).value
    except TaskFailed as error:
        if isinstance(error.__cause__, Exception):
            raise error.__cause__ from None
        raise


def _invalidate(self: Task) -> None:
    """Make the stored result, and all computed from it, count no more."""
    from taskgraph.ops.invalidate import strike

    session = current()
    session.graph.adopt([self])
    strike(session, [session.graph.node(self)], "jug's Task.invalidate")


def _nothing(self: Any) -> None:
    """Do nothing: results are not kept in tasks."""


def _is_loaded(self: Any) -> bool:
    """Return False: results are not kept in tasks."""
    return False


def _load(self: Any) -> None:
    """Raise NotReady or ResultCorrupt when the result can't be loaded."""
    value(self)


_own_tasklet_value = Tasklet.value


def _tasklet_value(self: Tasklet, value_of: Any = None) -> Any:
    """Return the value, by ``value_of`` or from the active session's store."""
    return value(self) if value_of is None else _own_tasklet_value(self, value_of)


def _lend() -> None:
    """Give our classes jug's methods."""
    common = {
        "can_load": _can_load,
        "load": _load,
        "unload": _nothing,
        "unload_recursive": _nothing,
        "is_loaded": _is_loaded,
    }
    for name, method in common.items():
        setattr(Task, name, method)
        setattr(Tasklet, name, method)
    for name, method in {"can_run": _can_run, "run": _run, "invalidate": _invalidate}.items():
        setattr(Task, name, method)
    setattr(Task, "value", value)  # noqa: B010  mypy knows no such method
    setattr(Task, "result", property(value))  # noqa: B010
    setattr(Tasklet, "value", _tasklet_value)  # noqa: B010


_lend()
