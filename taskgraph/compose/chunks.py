"""Map and reduce over sequences, several calls to a task.

A function and a sequence (whose items may be tasks) flow in; tasks that each make a few
calls flow out, with a view of their results that looks like the sequence. The grouping
is part of each task's identity: another ``map_step`` is other tasks.

The names of the chunk tasks are fixed and follow jug's, as do their arguments, so that
results of jug can be carried over.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from hashlib import sha256
from typing import Any, overload

from taskgraph.compose.commands import identity
from taskgraph.errors import TaskError
from taskgraph.hashing import Walk, register_dependency
from taskgraph.task import Task, TaskGenerator, Tasklet, roots

Function = Callable[..., Any]


def _raw(f: Any) -> Any:
    return f.f if isinstance(f, TaskGenerator) else f


def _jug_map(mapper: Function | None, es: Sequence[Any]) -> list[Any]:
    """Make the calls of one chunk."""
    call = _raw(mapper)
    return list(es) if call is None else [call(e) for e in es]


def _jug_map_curry(mapper: Function, es: Sequence[Any]) -> list[Any]:
    """Make the calls of one chunk, each with several arguments."""
    call = _raw(mapper)
    return [call(*e) for e in es]


def _jug_map_reduce(reducer: Function, mapper: Function | None, inputs: Sequence[Any]) -> Any:
    """Make the calls of one chunk and reduce their results to one."""
    return functools.reduce(_raw(reducer), _jug_map(mapper, inputs))


def _jug_reduce(reducer: Function, inputs: Sequence[Any]) -> Any:
    """Reduce the values of one chunk to one."""
    return functools.reduce(_raw(reducer), inputs)


def _chunk_task(f: Function, calls: int, works: Any, *args: Any) -> Task:
    """Return the task of a chunk; it runs as ``works``, whose calls it makes, asks for."""
    task: Task = _chunk_generator(f, calls, works if isinstance(works, TaskGenerator) else None)(
        *args
    )
    return task


@functools.lru_cache(maxsize=256)
def _chunk_generator(f: Function, calls: int, works: TaskGenerator | None) -> Any:
    options: dict[str, Any] = {}
    if works is not None:
        options = asdict(works.options) | {"version": None}
        if works.options.timeout is not None:  # a timeout is meant for one call
            options["timeout"] = works.options.timeout * calls
    return TaskGenerator(f, **(options | {"name": f"taskgraph.compose.{f.__name__}"}))


def _chunks(sequence: Any, step: int) -> Iterator[Any]:
    if step < 1:
        raise TaskError(f"A chunk makes at least one call: map_step and reduce_step; got {step!r}.")
    for start in range(0, len(sequence), step):
        yield sequence[start : start + step]


def mapreduce(
    reducer: Function,
    mapper: Function | None,
    inputs: Sequence[Any],
    map_step: int = 4,
    reduce_step: int = 8,
) -> Task:
    """``total = mapreduce(add, measure, images)``: ``reduce(add, map(measure, images))``.

    Parameters
    ----------
    reducer : callable
        Takes two values, returns one; must be associative, since values are reduced in
        groups, in order.
    mapper : callable or None
        Called with each item; ``None``: the items are reduced as they are.
    inputs : sequence
        The items; tasks among them are loaded first.
    map_step, reduce_step : int
        Calls per task.

    Returns
    -------
    Task
        For no inputs a task whose result is an empty list.
    """
    works = reducer if mapper is None else mapper
    level = [
        _chunk_task(_jug_map_reduce, len(chunk), works, reducer, mapper, chunk)
        for chunk in _chunks(inputs, map_step)
    ]
    if len(level) > 1 and reduce_step < 2:
        raise TaskError(f"Reducing joins at least two values: reduce_step; got {reduce_step!r}.")
    while len(level) > 1:
        level = [
            _chunk_task(_jug_reduce, len(chunk), reducer, reducer, chunk)
            for chunk in _chunks(level, reduce_step)
        ]
    task: Task = level[0] if level else identity([])
    return task


def reduce(reducer: Function, inputs: Sequence[Any], reduce_step: int = 8) -> Task:
    """``total = reduce(add, tasks)``: ``functools.reduce``, in groups. See mapreduce."""
    return mapreduce(reducer, None, inputs, reduce_step=reduce_step)


def map(mapper: Function, sequence: Sequence[Any], map_step: int = 4) -> Any:
    """``values = map(measure, images)``: one value for each item, several calls to a task.

    Parameters
    ----------
    mapper : callable
        Called with each item.
    sequence : sequence
        The items; may hold tasks, or be what ``map`` returned.
    map_step : int
        Calls per task.

    Returns
    -------
    list of Task, or Mapped
        For ``map_step=1`` a list of tasks, else a view with length, index and slices that
        can be an argument of a task.
    """
    if map_step == 1:
        return [Task(mapper, item) for item in sequence]
    blocks = [
        _chunk_task(_jug_map, len(chunk), mapper, mapper, chunk)
        for chunk in _chunks(sequence, map_step)
    ]
    return Mapped(blocks, map_step, len(sequence))


def currymap(mapper: Function, sequence: Sequence[Any], map_step: int = 4) -> list[Any]:
    """``values = currymap(f, [(1, 2), (3, 4)])``: as map, each item unpacked to arguments.

    Returns
    -------
    list of Task or of Tasklet
        One for each item.
    """
    if map_step == 1:
        return [Task(mapper, *item) for item in sequence]
    found: list[Any] = []
    for chunk in _chunks(sequence, map_step):
        task = _chunk_task(_jug_map_curry, len(chunk), mapper, mapper, chunk)
        found.extend(task[place] for place in range(len(chunk)))
    return found


class Mapped(Sequence[Any]):
    """The results of ``map``, seen as one sequence; each item is a tasklet.

    Attributes
    ----------
    blocks : list of Task
        Each returns a list of ``block_size`` values, the last one perhaps fewer.
    """

    def __init__(self, blocks: list[Task], block_size: int, length: int) -> None:
        self.blocks = blocks
        self.block_size = block_size
        self.length = length
        self.tasks = roots(blocks)
        keys = b"".join(block.key for block in blocks)
        self.encoding = b"kM" + sha256(b"%d:%d:%b" % (block_size, length, keys)).digest()

    def __len__(self) -> int:
        return self.length

    @overload
    def __getitem__(self, index: int) -> Tasklet: ...
    @overload
    def __getitem__(self, index: slice) -> MappedSlice: ...
    def __getitem__(self, index: int | slice) -> Tasklet | MappedSlice:
        if isinstance(index, slice):
            return MappedSlice(self, range(self.length)[index])
        place = range(self.length)[index]
        return self.blocks[place // self.block_size][place % self.block_size]

    def value(self, value_of: Callable[[Any], Any]) -> list[Any]:
        """Return the values in a list."""
        return [item for block in self.blocks for item in value_of(block)]

    def __repr__(self) -> str:
        return f"<map of {self.length} items in {len(self.blocks)} tasks>"


class MappedSlice(Sequence[Any]):
    """Part of what ``map`` returned; depends on the blocks it touches alone."""

    def __init__(self, base: Mapped, places: range) -> None:
        self.base = base
        self.places = places
        numbers = sorted({place // base.block_size for place in places})
        self.tasks = roots([base.blocks[number] for number in numbers])
        bounds = b"%d:%d:%d" % (places.start, places.stop, places.step)
        self.encoding = b"kS" + sha256(base.encoding + bounds).digest()

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, index: int) -> Tasklet: ...
    @overload
    def __getitem__(self, index: slice) -> MappedSlice: ...
    def __getitem__(self, index: int | slice) -> Tasklet | MappedSlice:
        if isinstance(index, slice):
            return MappedSlice(self.base, self.places[index])
        return self.base[self.places[index]]

    def value(self, value_of: Callable[[Any], Any]) -> list[Any]:
        """Return the values in a list."""
        size = self.base.block_size
        return [value_of(self.base.blocks[place // size])[place % size] for place in self.places]

    def __repr__(self) -> str:
        return f"<{len(self)} items of {self.base!r}>"


def _encode_view(view: Mapped | MappedSlice, walk: Walk) -> Mapped | MappedSlice:
    walk.out.append(view.encoding)
    walk.deps.append(view)
    return view


register_dependency(Mapped, _encode_view)
register_dependency(MappedSlice, _encode_view)
