"""jug's hash of one of our tasks: the name under which jug 2.7 stored its result.

A task flows in, forty hexadecimal letters flow out, the same that jug computes for the
same jugfile. The algorithm is jug's, with its weakness: containers are written without
their end, so that different arguments can have one hash. ``import_jug`` looks for that.

jug pickles what it does not know (protocol 4), so a hash of such objects holds for one
version of Python and of the object's library. Where jug would pickle an object of its
own, the same bytes are made here, without jug being installed. Results of tasks are
never looked at.

Remembers hashes of tasks by key; knows neither stores nor sessions.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from taskgraph.compose import Compound, CompoundTaskGenerator, Mapped, MappedSlice, NoLoad
from taskgraph.errors import HashError
from taskgraph.hashing import CustomHash, NoHash, timed_path
from taskgraph.task import GetItem, Task, TaskGenerator, Tasklet

#: Our ready-made tasks, and what jug calls its own.
NAMES = {
    "taskgraph.compose.identity": "identity",
    "taskgraph.compose.execute_command": "jug.utils.jug_execute",
    "taskgraph.compose._jug_map": "jug.mapreduce._jug_map",
    "taskgraph.compose._jug_map_curry": "jug.mapreduce._jug_map_curry",
    "taskgraph.compose._jug_map_reduce": "jug.mapreduce._jug_map_reduce",
    "taskgraph.compose._jug_reduce": "jug.mapreduce._jug_reduce",
    "jug.utils.glob_sort": "jug.utils.glob_sort",
    "jug.io._do_write_task_out": "jug.io._do_write_task_out",
}

#: Chunk tasks to which jug hands the function in place of its task generator.
_UNWRAPPED = ("taskgraph.compose._jug_map", "taskgraph.compose._jug_map_curry")


class JugHasher:
    """Computes jug's hashes of tasks, each once; chains of any length need no recursion."""

    def __init__(self) -> None:
        self._known: dict[bytes, bytes | HashError] = {}

    def task(self, task: Task) -> bytes:
        """``name = hasher.task(task)``: return jug's hash of a task, 40 bytes of hex.

        Raises
        ------
        HashError
            jug could not have hashed the call.
        """
        for one in self._unknown(task):
            try:
                self._known[one.key] = self._compute(one)
            except (HashError, pickle.PicklingError, TypeError, AttributeError) as error:
                self._known[one.key] = HashError(f"jug has no hash for {one!r}: {error}")
        found = self._known[task.key]
        if isinstance(found, HashError):
            raise found
        return found

    def _unknown(self, task: Task) -> Iterator[Task]:
        """Yield the tasks above a task that were not hashed yet, dependencies first."""
        stack = [task]
        while stack:
            top = stack[-1]
            if top.key in self._known:
                stack.pop()
                continue
            missing = [one for one in _call(top).dependencies() if one.key not in self._known]
            if missing:
                stack.extend(missing)
            else:
                yield stack.pop()

    def _compute(self, task: Task) -> bytes:
        call = _call(task)
        args, kwargs = call.args, call.kwargs
        if call.name in _UNWRAPPED and isinstance(args[0], TaskGenerator):
            args = (_Hashed(self.one(args[0])), *args[1:])
        return self._task(jug_name(call), args, kwargs)

    def _task(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
        pairs = [("name", name.encode()), ("args", args), ("kwargs", kwargs)]
        digest = hashlib.sha1(usedforsecurity=False)
        self.update(digest, pairs)
        return digest.hexdigest().encode()

    def one(self, obj: Any) -> bytes:
        """``name = hasher.one(obj)``: jug's ``hash_one``."""
        digest = hashlib.sha1(usedforsecurity=False)
        self.update(digest, [("hash1", obj)])
        return digest.hexdigest().encode()

    def update(self, digest: Any, pairs: Iterable[tuple[Any, Any]]) -> None:
        """Feed named objects into a hash object, as jug's ``hash_update`` does."""
        for name, obj in pairs:
            digest.update(pickle.dumps(name, protocol=4))
            feed = _FEEDS.get(type(obj))
            own = None if feed is not None else _own_hash(obj)
            if feed is not None:
                feed(self, digest, obj)
            elif own is not None:
                digest.update(own())
            elif type(obj).__module__ == "numpy" and type(obj).__qualname__ == "ndarray":
                self._array(digest, obj)
            else:
                digest.update(dumps(obj))

    def _array(self, digest: Any, array: Any) -> None:
        digest.update(b"np.ndarray")
        digest.update(pickle.dumps(array.dtype, protocol=4))
        digest.update(pickle.dumps(array.shape, protocol=4))
        if array.dtype.hasobject:
            self.update(digest, enumerate(array.ravel().tolist()))
        elif array.flags.c_contiguous:
            digest.update(array.data)
        else:
            digest.update(array.tobytes(order="C"))

    def _tasklet(self, digest: Any, base: Any, f: Any) -> None:
        inner = hashlib.sha1(usedforsecurity=False)
        inner.update(b"Tasklet")
        self.update(inner, [("base", base), ("f", f)])
        digest.update(inner.hexdigest().encode())


class _Hashed:
    """Something whose hash is known already."""

    def __init__(self, own: bytes) -> None:
        self.own = own


def _call(task: Task) -> Task:
    """Return the task as the user wrote it: of a compound task the call, not the inner."""
    compound = task.shape.f
    return compound.call if isinstance(compound, Compound) else task


def jug_name(task: Task) -> str:
    """Return what jug calls a task: module and name of the function."""
    if task.name in NAMES:
        return NAMES[task.name]
    function = task.f
    module, name = getattr(function, "__module__", None), getattr(function, "__name__", None)
    return f"{module}.{name}" if module and name else task.name


def _own_hash(obj: Any) -> Callable[[], bytes] | None:
    found = getattr(obj, "__jug_hash__", None)
    return found if callable(found) else None


def _feed_task(hasher: JugHasher, digest: Any, task: Task) -> None:
    digest.update(hasher.task(task))


def _feed_tasklet(hasher: JugHasher, digest: Any, tasklet: Tasklet) -> None:
    f: Any = tasklet.f
    if isinstance(f, GetItem):
        f = _Hashed(hasher.one(("jug.task._getitem", f.index)))
    elif getattr(f, "__name__", "") == "<lambda>":
        from taskgraph.compat.jug_lambdas import lambda_key

        f = lambda_key(f, hasher)
    hasher._tasklet(digest, tasklet.base, f)


def _feed_noload(hasher: JugHasher, digest: Any, wrapper: NoLoad) -> None:
    hasher._tasklet(digest, wrapper.base, "NoLoad")


def _feed_mapped(hasher: JugHasher, digest: Any, view: Mapped) -> None:
    digest.update(_mapped(hasher, view))


def _mapped(hasher: JugHasher, view: Mapped) -> bytes:
    described = {"type": "map-access", "len": view.length}
    return hasher.one(described | {"blocks": view.blocks, "block_size": view.block_size})


def _feed_slice(hasher: JugHasher, digest: Any, view: MappedSlice) -> None:
    places = view.places
    described = {"type": "map-access-slice", "base": view.base, "start": places.start}
    digest.update(hasher.one(described | {"stop": places.stop, "stride": places.step}))


def _feed_custom(hasher: JugHasher, digest: Any, custom: CustomHash) -> None:
    value = custom.hash_function(custom.obj)
    if custom.hash_function is timed_path("").hash_function:
        path, mtime, size = value
        value = hasher.one((path, int(mtime), size))  # jug drops the fraction
    if not isinstance(value, bytes):
        raise HashError(f"jug takes bytes from a hash function alone; got {value!r}.")
    digest.update(value)


def _feed_nohash(hasher: JugHasher, digest: Any, wrapper: NoHash) -> None:
    digest.update(b"nohash")


def _feed_hashed(hasher: JugHasher, digest: Any, known: _Hashed) -> None:
    digest.update(known.own)


def _feed_sequence(hasher: JugHasher, digest: Any, obj: Any) -> None:
    digest.update(repr(type(obj)).encode())
    hasher.update(digest, enumerate(obj))


def _feed_set(hasher: JugHasher, digest: Any, obj: Any) -> None:
    digest.update(b"set" if type(obj) is set else b"frozenset")
    hasher.update(digest, enumerate(sorted(hasher.one(item) for item in obj)))


def _feed_dict(hasher: JugHasher, digest: Any, obj: dict[Any, Any]) -> None:
    digest.update(b"dict")
    pairs = [(hasher.one(key), value) for key, value in obj.items()]
    hasher.update(digest, sorted(pairs, key=lambda pair: pair[0]))


_FEEDS: dict[type, Callable[[JugHasher, Any, Any], None]] = {
    Task: _feed_task,
    Tasklet: _feed_tasklet,
    NoLoad: _feed_noload,
    Mapped: _feed_mapped,
    MappedSlice: _feed_slice,
    CustomHash: _feed_custom,
    NoHash: _feed_nohash,
    _Hashed: _feed_hashed,
    list: _feed_sequence,
    tuple: _feed_sequence,
    set: _feed_set,
    frozenset: _feed_set,
    dict: _feed_dict,
}


def dumps(obj: Any) -> bytes:
    """Return the pickle that jug would make of an object."""
    if isinstance(obj, TaskGenerator | CompoundTaskGenerator | partial):
        from taskgraph.compat.jug_pickle import dumps_as_jug

        return dumps_as_jug(obj)
    return pickle.dumps(obj, protocol=4)
