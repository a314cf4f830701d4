"""Which part of a result can't be pickled: ``path, part = blame(obj, works)``.

An object that failed and a test for its parts flow in; the way to the smallest failing
part flows out, as Python would write it: ``['model'].lock``. Only asked after a failure,
so it may be slow, but never for long: it looks at a bounded number of parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

#: Parts looked at on one level, and levels gone down.
_WIDTH, _DEPTH = 1000, 50


def blame(obj: Any, works: Callable[[Any], bool], *, attributes: bool = True) -> tuple[str, Any]:
    """Return the path to, and the smallest part that, ``works`` says no to.

    Parameters
    ----------
    obj : object
        Known not to work.
    works : callable
        ``works(part) -> bool``.
    attributes : bool
        Whether to look into objects, or into containers alone.
    """
    path = ""
    for _ in range(_DEPTH):
        for step, part in islice(_parts(obj, attributes), _WIDTH):
            if part is not obj and not works(part):
                path, obj = path + step, part
                break
        else:
            return path, obj
    return path, obj


def _parts(obj: Any, attributes: bool) -> Iterator[tuple[str, Any]]:
    """Yield (step, part) for the items of a container, and what else an object holds."""
    if isinstance(obj, dict):
        for key, value in obj.items():
            yield f"[{_short(key)}]", value
            yield f".keys()[{_short(key)}]", key
    elif isinstance(obj, list | tuple):
        for place, value in enumerate(obj):
            yield f"[{place}]", value
    elif isinstance(obj, set | frozenset):
        for value in obj:
            yield f"{{{_short(value)}}}", value
    if attributes:
        yield from _insides(obj)


def _insides(obj: Any) -> Iterator[tuple[str, Any]]:
    """Yield (step, part) for the attributes and the closure of an object."""
    for name, value in _attributes(obj):
        yield f".{name}", value
    code = getattr(obj, "__code__", None)
    for place, cell in enumerate(getattr(obj, "__closure__", None) or ()):
        name = code.co_freevars[place] if code else str(place)
        try:
            yield f".<{name}>", cell.cell_contents
        except ValueError:  # a name that was never given a value
            continue


def _attributes(obj: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(obj, type):
        return
    yield from (getattr(obj, "__dict__", None) or {}).items()
    for cls in type(obj).__mro__:
        slots = cls.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(obj, name):
                yield name, getattr(obj, name)


def _short(obj: Any) -> str:
    text = repr(obj) if isinstance(obj, str | bytes | int | float | tuple) else type(obj).__name__
    return text if len(text) <= 60 else text[:57] + "..."
