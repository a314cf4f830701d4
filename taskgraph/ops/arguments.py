"""A task's arguments by name, and as short text.

Values are compared and shown as a person would type them: ``str`` or ``repr``.
"""

from __future__ import annotations

import inspect
import reprlib
from collections.abc import Collection
from functools import lru_cache
from typing import Any

from taskgraph.signature import CallShape
from taskgraph.task import Task

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 120
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxdict = _SHORT.maxset = 8


class Place:
    """Stands for a value while names are bound: its index in ``Task.values``."""

    __slots__ = ("index",)

    def __init__(self, index: int) -> None:
        self.index = index


def call_of(task: Task) -> Task:
    """Return the call that a task is known by: a compound task runs something else."""
    from taskgraph.compose import Compound

    return task.shape.f.call if isinstance(task.shape.f, Compound) else task


@lru_cache(maxsize=10_000)
def places(shape: CallShape) -> dict[str, Any]:
    """Return what each parameter of a form of call is bound to.

    A :class:`Place`, a tuple of them for ``*args``, or a plain default. Functions
    without a signature have ``#0``, ``#1``, ...
    """
    positional = [Place(index) for index in shape.positional]
    keywords = {name: Place(index) for name, index in shape.keywords}
    try:
        bound = inspect.signature(shape.f).bind(*positional, **keywords)
    except (TypeError, ValueError):  # builtins written in C may have no signature
        return {**{f"#{i}": place for i, place in enumerate(positional)}, **keywords}
    bound.apply_defaults()
    found: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        parameter = bound.signature.parameters[name]
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            found.update(value)
        else:
            found[name] = value
    return found


def argument(task: Task, name: str) -> Any:
    """Return the value of one parameter; its default where the call gives none.

    Raises
    ------
    KeyError
        If the function has no such parameter.
    """
    call = call_of(task)
    return _filled(call, places(call.shape)[name])


def arguments(task: Task) -> dict[str, Any]:
    """Return all parameters with their values, defaults too."""
    call = call_of(task)
    return {name: _filled(call, bound) for name, bound in places(call.shape).items()}


def parameters(task: Task) -> Collection[str]:
    """Return the names of a task's parameters."""
    return places(call_of(task).shape).keys()


def short(value: Any) -> str:
    """Return a value's ``repr`` on one line of bounded length."""
    return " ".join(_SHORT.repr(value).split())


def _filled(task: Task, bound: Any) -> Any:
    if type(bound) is Place:
        return task.values[bound.index]
    if type(bound) is tuple and any(type(part) is Place for part in bound):
        return tuple(_filled(task, part) for part in bound)
    return bound
