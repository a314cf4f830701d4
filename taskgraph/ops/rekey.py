"""``rekey``: results carried over a renamed or moved function.

An old and a new function name flow in; copies of records under new keys flow out. The
function's name is part of its tasks' keys, and their keys are part of the keys of all
that depends on them, so everything downstream has other keys than before.

How: the present jugfile makes tasks with the *new* name. For each task of the renamed
function, and each task downstream of one, in topological order, the key is computed
that it had under the old name: the same walk over the same arguments, in which

* the function's old name stands at the beginning of the preimage,
* each dependency appears under the old key that was computed for it just before,
* the function itself, where it is an argument (of a mapped chunk), has its old name.

For this the encoders of those few types are wrapped while the walk runs. To be sure,
the walk is first made without any replacement: where that does not give the task's
present key, the old one can't be trusted either, and the task is listed as refused.

A live record under the old key is then published under the new one, with its epoch, so
that what an invalidate killed under either name stays dead. The old records stay where
they are; ``cleanup`` removes them. Code that was blessed under the old name is blessed
under the new one, and so is the present code if it differs in nothing but the name. What
this does not do: follow a change of arguments.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from types import FunctionType
from typing import Any

from taskgraph.compose import Mapped, MappedSlice, NoLoad
from taskgraph.errors import UnknownTask
from taskgraph.hashing import ENCODERS, Walk
from taskgraph.hashing.walk import MANY, frame
from taskgraph.ops.arguments import call_of
from taskgraph.ops.code import carry_accepted, shapes
from taskgraph.ops.context import visitor
from taskgraph.session import Session
from taskgraph.signature import call_shape
from taskgraph.store import INPUT_SIZE, Key, Record
from taskgraph.task import Task, TaskGenerator, Tasklet

#: Records read and published at a time.
BATCH = 200

#: Types whose encoding names a dependency or the function itself.
_NAMING = (Task, Tasklet, NoLoad, Mapped, MappedSlice, FunctionType, TaskGenerator)


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """What was carried over."""

    old: str
    new: str
    copied: int  #: results published under new keys, or that would be
    already: int  #: tasks that have a result under the new key
    missing: int  #: tasks without a result under the old key either
    refused: tuple[str, ...]  #: hashes of tasks whose key can't be computed again
    dry_run: bool


class OldKeys:
    """Computes the keys that tasks had when a function was called ``old``."""

    def __init__(self, old: str, new: str) -> None:
        self.old, self.new = old, new
        self.known: dict[Key, Key] = {}  #: present key -> old key, where they differ

    def add(self, task: Task) -> bool:
        """Compute a task's old key; False when its present key can't be reproduced."""
        call = call_of(task)
        if self._key(call, call.shape.name, lambda _, data: data) != task.key:
            return False
        name = self.old if call.shape.name == self.new else call.shape.name
        self.known[task.key] = self._key(call, name, self._translate)
        return True

    def _key(self, call: Task, name: str, translate: Callable[[Any, bytes], bytes]) -> Key:
        shape = call.shape
        keywords = tuple(word for word, _ in shape.keywords)
        prefix = call_shape(shape.f, name, shape.options, len(shape.positional), keywords).prefix
        walk = Walk()
        with _wrapped(translate):
            for value in call.values:
                walk.take(value)
        return sha256(prefix + b"".join(walk.out)).digest()

    def _translate(self, obj: Any, data: bytes) -> bytes:
        """Return an encoding as it was under the old name."""
        if isinstance(obj, FunctionType | TaskGenerator):
            return data.replace(frame(self.new), frame(self.old))
        if isinstance(obj, Mapped | MappedSlice):
            view: Mapped | MappedSlice = self._view(obj)
            return view.encoding
        for task in [obj] if isinstance(obj, Task) else obj.tasks:
            # 32 random bytes: they occur in the encoding only where they are meant.
            data = data.replace(task.key, self.known.get(task.key, task.key))
        return data

    def _view(self, view: Any) -> Any:
        """Return a map's view over stand-ins that have the old keys."""
        if isinstance(view, MappedSlice):
            return MappedSlice(self._view(view.base), view.places)
        blocks = [self._stand_in(block) for block in view.blocks]
        return Mapped(blocks, view.block_size, view.length)

    def _stand_in(self, task: Task) -> Task:
        fake = Task.__new__(Task)
        fake.shape, fake.kept = task.shape, task.values
        fake.key = self.known.get(task.key, task.key)
        return fake


@contextmanager
def _wrapped(translate: Callable[[Any, bytes], bytes]) -> Iterator[None]:
    """Let ``translate(object, encoding)`` change how dependencies and functions are encoded."""
    before: dict[type, Callable[[Any, Walk], Any]] = {cls: ENCODERS[cls] for cls in _NAMING}

    def wrap(encoder: Callable[[Any, Walk], Any]) -> Callable[[Any, Walk], Any]:
        def encode(obj: Any, walk: Walk) -> Any:
            start = len(walk.out)
            kept = encoder(obj, walk)
            walk.out[start:] = [translate(obj, b"".join(walk.out[start:]))]
            return kept

        return encode

    many = MANY.copy()
    MANY.clear()  # lists of tasks go one by one through the wrapped encoder
    ENCODERS.update({cls: wrap(encoder) for cls, encoder in before.items()})
    try:
        yield
    finally:
        ENCODERS.update(before)
        MANY.update(many)


def rekey(session: Session, old: str, new: str, *, dry_run: bool = False) -> Rekeyed:
    """``report = rekey(session, "jugfile.segment", "tools.segment")``: carry results over.

    Parameters
    ----------
    session : Session
        The jugfile as it is now, with the new name.
    old, new : str
        Full names of the function, before and now.
    dry_run : bool
        Copy nothing.

    Raises
    ------
    UnknownTask
        If the jugfile has no task of the function ``new``.
    """
    nodes = _affected(session, new)
    session.look()
    keys = OldKeys(old, new)
    tasks = session.graph.tasks
    refused = [node for node in nodes if not keys.add(tasks[node])]
    good = [node for node in nodes if tasks[node].key in keys.known]
    present = session.present(good)
    absent = [node for node, there in zip(good, present, strict=True) if not there]
    if not dry_run:
        carry_accepted(session, old, new)
    copied = _copy(session, keys, absent, dry_run)
    return Rekeyed(
        old=old,
        new=new,
        copied=copied,
        already=sum(present),
        missing=len(absent) - copied,
        refused=tuple(tasks[node].hash() for node in refused),
        dry_run=dry_run,
    )


def _affected(session: Session, new: str) -> list[int]:
    """Return the nodes of the renamed function and all downstream, in order."""
    graph = session.graph
    named = [node for node, task in enumerate(graph.tasks) if task.shape.name == new]
    users = [node for node, task in enumerate(graph.tasks) if _passes(task, new)]
    if not named and not users:
        raise UnknownTask(
            "rekey needs the jugfile as it is now: the function with its new name. It makes tasks "
            f"of {', '.join(shapes(session)) or 'no function'}; got the new name {new!r}."
        )
    return [node for node, hit in enumerate(graph.downstream([*named, *users])) if hit]


def _passes(task: Task, new: str) -> bool:
    """Tell whether the function itself is an argument."""
    return any(
        type(value) in (FunctionType, TaskGenerator)
        and new in (f"{value.__module__}.{value.__qualname__}", getattr(value, "name", ""))
        for value in task.values
    )


def _copy(session: Session, keys: OldKeys, nodes: list[int], dry_run: bool) -> int:
    """Publish the live old records of these nodes under their new keys."""
    floors = _old_floors(session, keys.known)
    short = {was[:8]: now[:8] for now, was in keys.known.items()}
    tasks = session.graph.tasks
    copied = 0
    with visitor(session.store, enter=not dry_run) as worker:
        for start in range(0, len(nodes), BATCH):
            part = nodes[start : start + BATCH]
            old = [keys.known[tasks[node].key] for node in part]
            heads = session.store.heads(old, [floors[node] for node in part])
            found = [place for place, head in enumerate(heads) if head is not None]
            copied += len(found)
            if dry_run or not found:
                continue
            records = session.store.load(
                [old[place] for place in found], [floors[part[place]] for place in found]
            )
            session.store.publish(
                worker,
                [
                    _renamed(record, tasks[part[place]], keys, short)
                    for place, record in zip(found, records, strict=True)
                    if record is not None
                ],
            )
    return copied


def _renamed(record: Record, task: Task, keys: OldKeys, short: Mapping[bytes, bytes]) -> Record:
    """Return a record under the task's present key; its inputs get their present keys."""
    cut = range(0, len(record.inputs), INPUT_SIZE)
    entries = (record.inputs[at : at + INPUT_SIZE] for at in cut)
    inputs = b"".join(short.get(entry[:8], entry[:8]) + entry[8:] for entry in entries)
    name = keys.new if record.origin.function == keys.old else record.origin.function
    origin = replace(record.origin, function=name)
    return record._replace(key=task.key, inputs=inputs, origin=origin)


def _old_floors(session: Session, known: Mapping[Key, Key]) -> array[int]:
    """Return the floor of each node under its old key: tombstones named old keys then."""
    killed = session.store.tombstones().results
    graph = session.graph
    floors = array("q", bytes(8 * len(graph)))
    if killed:
        for node, key in enumerate(graph.index):
            above = [floors[source] for source in graph.dependencies(node)]
            floors[node] = max([killed.get(known.get(key, key), 0), killed.get(key, 0), *above])
    return floors
