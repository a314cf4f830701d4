"""Pickles that hold objects of jug's, made without jug: for hashes alone, never to be read.

An object of ours flows in, the bytes flow out that jug's pickle of its own object has.
"""

from __future__ import annotations

import io
import pickle
from functools import partial
from types import FunctionType
from typing import Any

from taskgraph.compose import CompoundTaskGenerator
from taskgraph.compose.parts import _get_check
from taskgraph.task import TaskGenerator


class _Generator:
    """Stands for jug's TaskGenerator, which pickles as the place of its function."""

    def __init__(self, place: tuple[str, str]) -> None:
        self.place = place

    def __getstate__(self) -> tuple[str, str]:
        return self.place


class _Pickler(pickle._Pickler):
    """Python's own pickler, with other names for our things."""

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream, protocol=4)
        self._stand_ins: dict[int, Any] = {}

    def reducer_override(self, obj: Any) -> Any:
        """Return how a partial is written; looking at its attributes had made them a dict."""
        if type(obj) is partial:
            state = (obj.func, obj.args, obj.keywords, vars(obj) or None)
            return partial, (obj.func,), state
        return NotImplemented

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        """Write an object; a task generator as jug's, a compound one as a function."""
        if isinstance(obj, TaskGenerator):
            place = (obj.f.__module__, obj.f.__name__)
            obj = self._stand_ins.setdefault(id(obj), _Generator(place))
        elif isinstance(obj, CompoundTaskGenerator):
            self.place(obj, obj.f.__module__, obj.f.__qualname__)
            return
        super().save(obj, save_persistent_id)  # type: ignore[misc]

    def save_global(self, obj: Any, name: str | None = None) -> None:
        """Write a global by its place; jug's places are not looked up."""
        if obj is _Generator:
            self.place(obj, "jug.task", "TaskGenerator")
        elif obj is _get_check:
            self.place(obj, "jug.task", "_get_check")
        else:
            super().save_global(obj, name)  # type: ignore[misc]

    def place(self, obj: Any, module: str, name: str) -> None:
        """Write the place of a global, or a reference to where it was written before."""
        known = self.memo.get(id(obj))  # type: ignore[attr-defined]
        if known is not None:
            self.write(self.get(known[0]))  # type: ignore[attr-defined]
            return
        super().save(module)  # type: ignore[misc]
        super().save(name)  # type: ignore[misc]
        self.write(pickle.STACK_GLOBAL)  # type: ignore[attr-defined]
        self.memoize(obj)  # type: ignore[attr-defined]


def _save_global(pickler: Any, obj: Any) -> None:
    pickler.save_global(obj)


# The parent's table names its own save_global for classes and functions.
_Pickler.dispatch = {**_Pickler.dispatch, type: _save_global, FunctionType: _save_global}


def dumps_as_jug(obj: Any) -> bytes:
    """``raw = dumps_as_jug(generator)``: the pickle (protocol 4) that jug makes of its own.

    Raises
    ------
    pickle.PicklingError
        jug could not have pickled it.
    """
    stream = io.BytesIO()
    _Pickler(stream).dump(obj)
    return stream.getvalue()
