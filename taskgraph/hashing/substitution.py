"""Putting results where tasks stood: the way back of the copy that a walk made.

Only what the walk may meet a task in is entered: list, tuple, dict, set, frozenset,
namedtuple, dataclass, and the wrappers. What holds no task comes back as it is, the same
object; what does is rebuilt around the results, and the copy stays as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from taskgraph.errors import TaskError

ValueOf = Callable[[Any], Any]
Rebuilder = Callable[[Any, ValueOf], Any]


class _Rebuilders(dict[type, "Rebuilder | None"]):
    """Exact type -> function that rebuilds; ``None``: holds no tasks."""

    def __missing__(self, cls: type) -> Rebuilder | None:
        rebuilder = self[cls] = _find(cls)
        return rebuilder


def substitute(copy: Any, value_of: ValueOf) -> Any:
    """``args = substitute(copy, value_of)``: return it with dependencies replaced.

    Parameters
    ----------
    copy : object
        What ``walk.take`` returned.
    value_of : callable
        Called with each dependency; returns its value.

    Returns
    -------
    object
        A new structure, or the same object when nothing was replaced.
    """
    rebuild = REBUILDERS[type(copy)]
    return copy if rebuild is None else rebuild(copy, value_of)


class _Collector:
    """Stands in for ``value_of`` where dependencies are only looked for."""

    def __init__(self, found: list[Any]) -> None:
        self.found = found

    def __call__(self, dependency: Any) -> Any:
        self.found.append(dependency)
        return dependency


def gather(obj: Any, found: list[Any]) -> None:
    """Append the dependencies in a structure to ``found``; nothing is encoded."""
    substitute(obj, _Collector(found))


def call_value_of(obj: Any, value_of: ValueOf) -> Any:
    """Replace a dependency."""
    return value_of(obj)


def _changed(new: list[Any], old: Any) -> bool:
    return any(a is not b for a, b in zip(new, old, strict=True))


def _list(obj: list[Any], value_of: ValueOf) -> list[Any]:
    new = [substitute(item, value_of) for item in obj]
    return new if _changed(new, obj) else obj


def _tuple(obj: tuple[Any, ...], value_of: ValueOf) -> tuple[Any, ...]:
    new = [substitute(item, value_of) for item in obj]
    return tuple(new) if _changed(new, obj) else obj


def _namedtuple(obj: Any, value_of: ValueOf) -> Any:
    new = [substitute(item, value_of) for item in obj]
    return tuple.__new__(type(obj), new) if _changed(new, obj) else obj


def _unhashable(obj: Any, error: TypeError) -> TaskError:
    return TaskError(
        f"The result of a task in a {type(obj).__name__} must be hashable to take its place "
        f"there. Return a tuple instead of a list, or pass the task in a list. Got: {error}."
    )


def _dict(obj: dict[Any, Any], value_of: ValueOf) -> dict[Any, Any]:
    keys = [substitute(key, value_of) for key in obj]
    values = [substitute(value, value_of) for value in obj.values()]
    if not _changed(keys, obj) and not _changed(values, obj.values()):
        return obj
    try:
        return dict(zip(keys, values, strict=True))
    except TypeError as error:
        raise _unhashable(obj, error) from error


def _set(obj: Any, value_of: ValueOf) -> Any:
    new = [substitute(item, value_of) for item in obj]
    if not _changed(new, obj):
        return obj
    try:
        return type(obj)(new)
    except TypeError as error:
        raise _unhashable(obj, error) from error


def _dataclass(obj: Any, value_of: ValueOf) -> Any:
    from taskgraph.hashing.records import attributes, rebuild_dataclass

    held = dict(attributes(obj))
    new = {name: substitute(value, value_of) for name, value in held.items()}
    if all(new[name] is value for name, value in held.items()):
        return obj
    return rebuild_dataclass(obj, new)


def _wrapper(obj: Any, value_of: ValueOf) -> Any:
    return substitute(obj.obj, value_of)


def _own_value(obj: Any, value_of: ValueOf) -> Any:
    if isinstance(value_of, _Collector):
        return obj
    cls = type(obj)
    own = getattr(cls, "__taskgraph_value__", None) or cls.__jug_value__
    return own(obj)


def _find(cls: type) -> Rebuilder | None:
    """Return how instances of a class are rebuilt; the order is that of the encoders."""
    from taskgraph.hashing.records import encode_dataclass, encode_namedtuple, record_encoder
    from taskgraph.hashing.registering import is_dependency
    from taskgraph.hashing.wrappers import CustomHash, NoHash, has_hook

    if is_dependency(cls):
        return call_value_of
    if cls in (NoHash, CustomHash):
        return _wrapper
    if has_hook(cls, "value"):
        return _own_value
    if has_hook(cls, "hash"):
        return None
    encoder = record_encoder(cls)
    if encoder is encode_namedtuple:
        return _namedtuple
    return _dataclass if encoder is encode_dataclass else None


_BUILTIN: dict[type, Rebuilder | None] = {
    list: _list,
    tuple: _tuple,
    dict: _dict,
    set: _set,
    frozenset: _set,
    **dict.fromkeys((type(None), bool, int, float, str, bytes)),
}
REBUILDERS = _Rebuilders(_BUILTIN)
