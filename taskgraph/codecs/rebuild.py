"""The names that our pickles call: part of the format, never to be renamed or moved.

A pickle holds ``taskgraph.codecs.rebuild.array`` and arguments where an array was. On
reading, ``pickling`` puts functions that know the payload's buffers in the place of these
names; nobody calls the ones here, which exist so that the pickler finds them.
"""

from __future__ import annotations

from typing import Any, NoReturn

from taskgraph.errors import CodecError

#: The module that pickles name.
REBUILD = __name__
#: What plain payloads may name besides ``rebuild``: immutable types written in C, whose
#: constructors take no more memory than their arguments.
PLAIN_TYPES = frozenset(
    {
        ("builtins", "complex"),
        ("builtins", "range"),
        ("builtins", "slice"),
        ("collections", "OrderedDict"),
        ("datetime", "date"),
        ("datetime", "datetime"),
        ("datetime", "time"),
        ("datetime", "timedelta"),
        ("datetime", "timezone"),
    }
)


def array(description: str, number: int) -> NoReturn:
    """Stand for a numpy array or scalar whose bytes are buffer ``number``."""
    raise _lost("array")


def dtype(description: str) -> NoReturn:
    """Stand for a numpy dtype."""
    raise _lost("dtype")


def objects(shape: tuple[int, ...], items: list[Any]) -> NoReturn:
    """Stand for a numpy array of Python objects."""
    raise _lost("objects")


def tensor(description: tuple[Any, ...], number: int) -> NoReturn:
    """Stand for a torch tensor whose bytes are buffer ``number``."""
    raise _lost("tensor")


def main(stem: str, name: str) -> NoReturn:
    """Stand for a function or class of the jugfile."""
    raise _lost("main")


def _lost(name: str) -> CodecError:
    return CodecError(
        "A payload must be read by taskgraph.codecs.decode, which has its buffers; "
        f"got the pickle inside it alone (rebuild.{name})."
    )
