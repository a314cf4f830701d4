"""Identities that a user decides: NoHash, CustomHash, and methods of the object.

In place of the walk, an object may say what it is: ``__taskgraph_hash__()`` returns any
value that is hashed instead (or bytes), jug's ``__jug_hash__()`` does the same. What a
task gets at run time may differ too: ``__taskgraph_value__()`` (``__jug_value__``).
Tasks that such an object holds are named by ``__taskgraph_dependencies__()``
(``__jug_dependencies__``). Whoever decides an identity answers for it: two objects of a
class with the same hash are one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from taskgraph.hashing.functions import class_name
from taskgraph.hashing.substitution import gather
from taskgraph.hashing.walk import Encoder, Walk, frame, kind


class NoHash:
    """``f(x, NoHash(cpus))``: an argument that does not count for the key.

    Parameters
    ----------
    obj : object
        What the task gets; may hold tasks, which are dependencies like others.
    """

    __slots__ = ("obj",)

    def __init__(self, obj: Any) -> None:
        self.obj = obj

    def __repr__(self) -> str:
        return f"NoHash({self.obj!r})"


class CustomHash:
    """``f(CustomHash(obj, hash_function))``: an argument with an identity of your own.

    Parameters
    ----------
    obj : object
        What the task gets; may hold tasks.
    hash_function : callable
        Called with ``obj`` when the key is made; returns bytes or any value that can be
        hashed. Equal results are taken to mean equal objects.
    """

    __slots__ = ("hash_function", "obj")

    def __init__(self, obj: Any, hash_function: Callable[[Any], Any]) -> None:
        self.obj = obj
        self.hash_function = hash_function

    def __repr__(self) -> str:
        return f"CustomHash({self.obj!r}, {self.hash_function!r})"


def encode_nohash(obj: NoHash, walk: Walk) -> NoHash:
    """Encode a constant; only the dependencies are looked for."""
    walk.wrapped += 1
    walk.out.append(kind("NoHash"))
    gather(obj.obj, walk.deps)
    return obj


def encode_customhash(obj: CustomHash, walk: Walk) -> CustomHash:
    """Encode what the hash function returns."""
    walk.out.append(kind("CustomHash"))
    _decided(obj, obj.hash_function(obj.obj), walk)
    walk.wrapped += 1
    gather(obj.obj, walk.deps)
    return obj


def _decided(obj: Any, value: Any, walk: Walk) -> None:
    """Encode a value in place of an object; arrays in it are nobody's argument."""
    fragile = len(walk.fragile)
    walk.fixed(obj, (value,))
    del walk.fragile[fragile:]


def _hook(obj: Any, name: str) -> Any:
    cls = type(obj)
    return getattr(cls, f"__taskgraph_{name}__", None) or getattr(cls, f"__jug_{name}__", None)


def has_hook(cls: type, name: str) -> bool:
    """Return whether instances of a class decide themselves about hash or value."""
    return hasattr(cls, f"__taskgraph_{name}__") or hasattr(cls, f"__jug_{name}__")


def encode_decided(obj: Any, walk: Walk) -> Any:
    """Encode what ``__taskgraph_hash__`` or ``__jug_hash__`` returns, under the class."""
    walk.out.append(b"H" + frame(class_name(type(obj))))
    _decided(obj, _hook(obj, "hash")(obj), walk)
    named = _hook(obj, "dependencies")
    if named is not None:
        for dependency in named(obj):
            gather(dependency, walk.deps)
    return obj


def with_value(encoder: Encoder) -> Encoder:
    """Return an encoder that also notes that another value is passed at run time."""

    def encode(obj: Any, walk: Walk) -> Any:
        copy = encoder(obj, walk)
        walk.wrapped += 1
        return copy

    return encode


def hasher_encoder(function: Callable[[Any], Any]) -> Encoder:
    """Return the encoder of a registered hasher."""

    def encode(obj: Any, walk: Walk) -> Any:
        walk.out.append(b"R" + frame(class_name(type(obj))))
        _decided(obj, function(obj), walk)
        return obj

    return encode


def _path_mtime_size(path: Any) -> tuple[Any, float, int]:
    status = Path(path).stat()
    return path, status.st_mtime, status.st_size


def timed_path(path: Any) -> CustomHash:
    """``f(timed_path("x.tif"))``: a path that counts with its mtime and size.

    Touching or changing the file makes another task; the task gets the path as given.
    Prefer :class:`taskgraph.hashing.File`, whose identity is the content.
    """
    return CustomHash(path, _path_mtime_size)
