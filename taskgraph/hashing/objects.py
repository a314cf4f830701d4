"""Any other picklable object, through its reduce protocol.

What ``__reduce_ex__(4)`` (or ``copyreg.dispatch_table``) says is walked like a value:
the callable by name, then arguments, state, items. Pickle's own bytes would not do: its
memo makes equal objects differ when their parts are shared or interned differently.

Reduce describes how to make the object again, not what it is worth. Whatever hides an
address, a counter or the order of a set in there would get a new key in every process.
So the outermost object is compared with a pickled copy of itself; a difference is an
error. This finds what changes with a copy, not what changes with the process.

The object itself is kept by reference, not copied, and a task in it is an error.
"""

from __future__ import annotations

import copyreg
import pickle
from collections import OrderedDict
from typing import Any

from taskgraph.errors import HashError
from taskgraph.hashing.functions import class_name, name_bytes
from taskgraph.hashing.names import main_stem
from taskgraph.hashing.walk import Walk, shorten

#: What reducing and pickling raise, in the wild, for objects that can't be.
UNPICKLABLE = (
    pickle.PickleError,
    TypeError,
    AttributeError,
    ValueError,
    LookupError,
    ImportError,
    OSError,
    RuntimeError,
    AssertionError,
)

_REMEDIES = (
    ("io.", "Pass its path, or taskgraph.File(path) when the content is what counts"),
    ("socket.", "Open the connection inside the task"),
    ("_thread.", "Create the lock inside the task"),
    ("builtins.module", "Pass the function that is needed, or the module's name"),
    ("builtins.dict_", "Pass a list of it: list(x)"),
    ("builtins.memoryview", "Pass bytes(x)"),
    ("polars.lazyframe", "Pass frame.collect()"),
    ("", "Give its class a __taskgraph_hash__ method, use register_hasher, or wrap it in NoHash"),
)


def encode_object(obj: Any, walk: Walk) -> Any:
    """Encode an object through its reduce protocol and compare it with a pickled copy."""
    start = len(walk.out)
    walk.inside += 1
    _walk_reduced(obj, walk)
    walk.inside -= 1
    if not walk.inside:
        _compare_with_copy(obj, walk.out[start:])
    return obj


def refused(obj: Any, reason: str = "") -> HashError:
    """Return the error for an object that has no identity, with the remedy for its type."""
    cls = type(obj)
    name = f"{cls.__module__.lstrip('_')}.{cls.__qualname__}"
    names = (name, f"{cls.__module__}.{cls.__qualname__}")
    remedy = next(text for start, text in _REMEDIES if any(n.startswith(start) for n in names))
    why = f" ({reason})" if reason else ""
    return HashError(
        f"A {cls.__qualname__} has no stable identity{why}. {remedy}. Got {shorten(obj)}."
    )


def refuse(obj: Any, walk: Walk) -> Any:
    """Refuse a value of a type that never has an identity."""
    raise refused(obj)


def refuse_iterator(obj: Any, walk: Walk) -> Any:
    """Refuse an iterator or generator: reading it once uses it up."""
    raise HashError(
        f"A {type(obj).__qualname__} is used up by the first who reads it, so it has no stable "
        f"identity. Pass a list of it: list(x). Got {shorten(obj)}."
    )


def _reduce(obj: Any) -> Any:
    reducer = copyreg.dispatch_table.get(type(obj))
    try:
        return reducer(obj) if reducer is not None else obj.__reduce_ex__(4)
    except UNPICKLABLE as error:
        raise refused(obj, str(error)) from error


def _walk_reduced(obj: Any, walk: Walk) -> None:
    class_name(type(obj))  # refuses classes made inside functions
    reduced = _reduce(obj)
    if isinstance(reduced, str):
        module = getattr(obj, "__module__", None) or type(obj).__module__
        module = main_stem() if module == "__main__" else module
        walk.out.append(name_bytes(f"{module}.{reduced}"))
        return
    function, args, state, items, pairs, setter = (*reduced, None, None, None, None)[:6]
    if isinstance(obj, set | frozenset):  # its items come as a list in the order of hashes
        args = [frozenset(part) if type(part) is list else part for part in args]
    if pairs is not None:
        pairs = list(pairs) if isinstance(obj, OrderedDict) else dict(pairs)
    items = None if items is None else list(items)
    walk.out.append(b"o")
    walk.fixed(obj, (function, tuple(args), state, items, pairs, setter))


def _compare_with_copy(obj: Any, pieces: list[bytes]) -> None:
    try:
        # bytes made one call earlier, from an object of this process
        copy = pickle.loads(pickle.dumps(obj, protocol=4))
    except UNPICKLABLE as error:
        raise refused(obj, f"it can't be pickled: {error}") from error
    other = Walk()
    other.inside = 1
    if type(copy) is type(obj):
        _walk_reduced(copy, other)
    if b"".join(other.out) != b"".join(pieces):
        raise refused(obj, "a pickled copy of it differs from it")
