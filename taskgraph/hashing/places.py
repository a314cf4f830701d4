"""Where in a value the trouble lies: ``x[2]['a']``. Runs only after an error.

Walks keep no path, which would cost every key. When one fails, the value is walked again
part by part: the first part that fails alone is entered, until no part of it does.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

from taskgraph.errors import HashError, TaskError
from taskgraph.hashing.walk import MAX_DEPTH, Walk, shorten, too_deep

Trouble = HashError | TaskError | RecursionError


def located(error: Trouble, name: str, obj: Any) -> HashError | TaskError:
    """``raise located(error, "argument x", x) from error``: return it with the place.

    Parameters
    ----------
    error : HashError, TaskError or RecursionError
        What the walk of ``obj`` raised.
    name : str
        What to call ``obj``; the path within it is appended.
    obj : object
        The value that was walked.

    Returns
    -------
    HashError or TaskError
        Of the same class, its text ending with the place.
    """
    path, culprit = _descend(obj)
    if culprit is not None and not isinstance(culprit, RecursionError):
        error = culprit
    if isinstance(error, RecursionError):
        error = too_deep(obj)
    if len(path) > 120:
        path = f"{path[:60]} ... {path[-40:]}"
    return type(error)(f"{error} Found in {name}{path}.")


def _descend(obj: Any) -> tuple[str, Trouble | None]:
    path, error = "", _trouble(obj)
    trail = [obj]
    while error is not None and len(trail) <= 2 * MAX_DEPTH:
        for label, part in _parts(trail[-1]):
            trouble = _trouble(part)
            if trouble is None or (label[0] == "." and _rule(trouble) != _rule(error)):
                continue
            path, error = path + label, trouble
            if any(part is earlier for earlier in trail):
                return path, _cycle(part)
            trail.append(part)
            break
        else:
            break
    return path, error


def _trouble(obj: Any) -> Trouble | None:
    """Return what the walk of a value raises; holding tasks is no trouble here."""
    try:
        Walk().take(obj)
    except (HashError, TaskError, RecursionError) as error:
        return error
    return None


def _rule(error: Trouble) -> str:
    """Return an error's text without the value got.

    An attribute may be in trouble that its object does not share: left out of the state.
    """
    return str(error).partition(" Got ")[0]


def _cycle(obj: Any) -> HashError:
    return HashError(
        "A value that contains itself has no stable identity. Break the cycle, or give its "
        f"class a __taskgraph_hash__ method. Got {shorten(obj)}."
    )


def _parts(obj: Any) -> Iterator[tuple[str, Any]]:
    """Yield a label and each part of a value that may be entered."""
    if isinstance(obj, list | tuple) and hasattr(obj, "_fields"):
        yield from ((f".{name}", part) for name, part in zip(obj._fields, obj, strict=True))
    elif isinstance(obj, dict):
        yield from ((f", its key {shorten(key)}", key) for key in obj)
        yield from ((f"[{shorten(key)}]", part) for key, part in obj.items())
    elif isinstance(obj, set | frozenset):
        yield from ((", its item", part) for part in obj)
    elif isinstance(obj, list | tuple) or type(obj).__name__ == "deque":
        yield from ((f"[{place}]", part) for place, part in enumerate(obj))
    elif hasattr(obj, "dtype"):
        if getattr(obj.dtype, "hasobject", False) and hasattr(obj, "ravel"):
            yield from ((f".flat[{place}]", part) for place, part in enumerate(obj.ravel()))
    elif type(obj).__name__ == "partial":
        yield ".func", obj.func
        yield ".args", obj.args
        yield ".keywords", obj.keywords
    elif not isinstance(obj, type | ModuleType | FunctionType):
        yield from _attributes(obj)


def _attributes(obj: Any) -> Iterator[tuple[str, Any]]:
    names = list(getattr(obj, "__dict__", ()))
    for base in type(obj).__mro__:
        slots = base.__dict__.get("__slots__", ())
        names += (slots,) if isinstance(slots, str) else slots
    for name in dict.fromkeys(names):
        if hasattr(obj, name) and not name.startswith("__"):
            yield f".{name}", getattr(obj, name)
