"""How a call binds to a function, worked out once for each form of call.

``call_shape(f, name, options, 2, ("sigma",))`` flows in, a :class:`CallShape` comes
out: the constant beginning of the key's preimage and the order of the values. Two
ways of writing one call (``f(1, 2)``, ``f(1, y=2)``) get equal beginnings and orders.
Defaults are not added, so a new parameter with a default recomputes nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from operator import itemgetter
from typing import Any

from taskgraph.errors import TaskError
from taskgraph.hashing import SCHEME, qualified_name
from taskgraph.units import parse_resources


@dataclass(frozen=True, slots=True)
class Options:
    """What ``@TaskGenerator(...)`` was given; see there."""

    name: str | None = None
    version: str | int | None = None
    retries: int = 0
    retry_delay: float = 1.0
    timeout: float | None = None
    resources: Mapping[str, float] | None = None
    isolate: bool = False
    batch: bool = True

    @property
    def alone(self) -> bool:
        """Whether each task runs in a process of its own."""
        return self.isolate or self.timeout is not None


_KNOWN = frozenset(field.name for field in fields(Options))


def options_from(given: Mapping[str, Any]) -> Options:
    """Return checked options; raise TaskError for an unknown name or a senseless value."""
    unknown = sorted(set(given) - _KNOWN)
    if unknown:
        raise TaskError(
            f"TaskGenerator has no option {unknown[0]!r}; it knows {', '.join(sorted(_KNOWN))}."
        )
    for name in ("retries", "retry_delay", "timeout"):
        number = given.get(name, 0)
        if not isinstance(number, int | float) and not (number is None and name == "timeout"):
            unit = "" if name == "retries" else " of seconds"
            raise TaskError(f"TaskGenerator: {name} is a number{unit}, got {number!r}.")
    options = Options(**{**given, "resources": parse_resources(given.get("resources"))})
    for name, good in (
        ("retries", options.retries >= 0),
        ("retry_delay", options.retry_delay >= 0),
        ("timeout", options.timeout is None or options.timeout > 0),
    ):
        if not good:
            raise TaskError(
                f"TaskGenerator: {name} must not be negative (a timeout also not 0), "
                f"got {given[name]!r}."
            )
    return options


@dataclass(frozen=True, slots=True, eq=False)
class CallShape:
    """One form of call of one function."""

    f: Callable[..., Any]
    name: str
    options: Options
    prefix: bytes  #: the key's preimage up to the first value
    positional: tuple[int, ...]  #: where in ``values`` the positional arguments are
    keywords: tuple[tuple[str, int], ...]  #: and the keyword arguments
    straight: bool  #: values are just the positional arguments, in order
    arrange: Callable[[tuple[Any, ...]], tuple[Any, ...]] | None  #: given order -> canonical
    labels: tuple[str, ...] = ()  #: parameter name of each value, for messages


def call_shape(
    f: Callable[..., Any], name: str, options: Options, count: int, keywords: tuple[str, ...]
) -> CallShape:
    """Return the shape of a call with ``count`` positional and these keyword arguments.

    Raises
    ------
    TaskError
        If the function can't be called so.
    """
    labels = [*_positional_labels(f, name, count, keywords), *keywords]
    order = sorted(range(len(labels)), key=lambda place: labels[place])
    place_of = {source: place for place, source in enumerate(order)}
    straight = not keywords and order == list(range(count))
    prefix = [b"taskgraph task %d\n" % SCHEME, _framed(name), _version(options.version)]
    prefix += [b"%d:" % len(labels), *(_framed(labels[source]) for source in order)]

    return CallShape(
        f=f,
        name=name,
        options=options,
        labels=tuple(labels[source] for source in order),
        prefix=b"".join(prefix),
        positional=tuple(place_of[source] for source in range(count)),
        keywords=tuple((word, place_of[count + i]) for i, word in enumerate(keywords)),
        straight=straight,
        arrange=None if order == list(range(len(labels))) else itemgetter(*order),
    )


def _positional_labels(
    f: Callable[..., Any], name: str, count: int, keywords: tuple[str, ...]
) -> list[str]:
    """Name each positional argument by its parameter, or by its place where it has none."""
    try:
        signature = inspect.signature(f)
    except (TypeError, ValueError):  # builtins written in C may have none
        return [f"#{place:06d}" for place in range(count)]
    try:
        signature.bind(*[None] * count, **dict.fromkeys(keywords))
    except TypeError as error:
        raise TaskError(
            f"{name} can't be called like this: {error}. Its signature is {name}{signature}."
        ) from None
    named = [
        parameter.name
        for parameter in signature.parameters.values()
        if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    ]
    only = sum(
        parameter.kind is inspect.Parameter.POSITIONAL_ONLY
        for parameter in signature.parameters.values()
    )
    labels = [f"#{place:06d}" for place in range(count)]
    labels[only : only + len(named)] = named[: max(0, count - only)]
    return labels


def _framed(text: str) -> bytes:
    data = text.encode("utf-8", "surrogatepass")
    return b"%d:%b" % (len(data), data)


def _version(version: str | int | None) -> bytes:
    return b"-" if version is None else b"v" + _framed(str(version))


def function_name(f: Callable[..., Any]) -> str:
    """Return the module-qualified name that identifies a function."""
    return qualified_name(f)


def check_callable(f: Callable[..., Any]) -> None:
    """Raise TaskError unless ``f`` has a name that another process can find."""
    if not callable(f):
        raise TaskError(f"A task needs a function to call, got {f!r}.")
    name = getattr(f, "__qualname__", "")
    if name.endswith("<lambda>"):
        raise TaskError(
            "A lambda can't be a task: it has no name to be known by in another process. "
            "Write it as a function with def at the top level of the jugfile."
        )
    if "<locals>" in name:
        raise TaskError(
            f"A function inside a function can't be a task: {name} can't be found by its name. "
            "Move it to the top level of the jugfile, or give it a name of its own with "
            "TaskGenerator(name=...)."
        )
    if getattr(f, "__self__", None) is not None and not inspect.isbuiltin(f):
        raise TaskError(
            f"A bound method can't be a task: {name} depends on all of its object. "
            "Pass what it needs to a function at the top level of the jugfile."
        )
