"""jug.hooks.register: jug's hook names, called through taskgraph's listeners.

Hooks run in each worker, for the tasks that it runs. A hook that raises ``SystemExit``
stops its worker in good order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from taskgraph.events import Listener, add_listener, remove_listener
from taskgraph.task import Task

__all__ = ["jug_hook", "register_hook", "register_hook_once", "reset_all_hooks"]

#: Not jug's: a worker begins, and is told how many tasks those before it at its slot ran.
BEGUN = "execute.begun"
KNOWN = (
    "execute.task-loadable",
    "execute.task-pre-execute",
    "execute.task-executed1",
    "execute.finished_pre_status",
    "execute.finished_post_status",
    BEGUN,
)

_hooks: dict[str, list[Callable[..., Any]]] = {}
_registered: set[tuple[str, Any]] = set()


class _JugHooks(Listener):
    """Passes events on to jug's hooks."""

    def begun(self, before: int) -> None:
        jug_hook(BEGUN, (before,))

    def task_loadable(self, task: Task) -> None:
        jug_hook("execute.task-loadable", (task,))

    def task_started(self, task: Task) -> None:
        jug_hook("execute.task-pre-execute", (task,))

    def task_done(self, task: Task, seconds: float) -> None:
        jug_hook("execute.task-executed1", (task,))

    def finished(self, executed: int, failed: int) -> None:
        jug_hook("execute.finished_pre_status")
        jug_hook("execute.finished_post_status")


_LISTENER = _JugHooks()


def jug_hook(
    name: str, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
) -> list[Any]:
    """Call all functions of a hook and return what they return."""
    return [f(*args, **(kwargs or {})) for f in _hooks.get(name, ())]


def register_hook(name: str, f: Callable[..., Any] | None = None) -> Any:
    """``register_hook("execute.task-executed1", f)``; without ``f`` a decorator.

    Raises
    ------
    ValueError
        jug has no hook of that name.
    """
    if name not in KNOWN:
        raise ValueError(f"A hook is one of {', '.join(KNOWN)}; got {name!r}.")
    if f is None:
        return partial(register_hook, name)
    _hooks.setdefault(name, []).append(f)
    add_listener(_LISTENER)
    return None


def register_hook_once(name: str, code: Any, f: Callable[..., Any]) -> None:
    """As register_hook, but only the first time for each ``(name, code)``."""
    if (name, code) not in _registered:
        register_hook(name, f)
        _registered.add((name, code))


def reset_all_hooks() -> None:
    """Forget all hooks."""
    _hooks.clear()
    _registered.clear()
    remove_listener(_LISTENER)
