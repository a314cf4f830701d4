"""The inputs of tasks: results in a worker's memory while someone still needs them.

A result that this worker made stays here until its dependents in the graph have run,
within a budget of bytes; anything else is loaded from the store, in bulk, just before
it is needed. What flows out is safe to change in place: the last user of a result gets
the object itself, others get a copy, large stored arrays are mapped copy-on-write.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from taskgraph import codecs
from taskgraph.errors import StoreError
from taskgraph.session import Session, as_buffer
from taskgraph.store import Key, Payload, Record, payload_size
from taskgraph.task import Task

_UNCHANGEABLE = frozenset((int, float, str, bytes, bool, type(None), complex))
#: From this size on a stored result is mapped again for each user instead of copied.
_LARGE = 1 << 16


class InputGone(Exception):
    """An input vanished between the claim and the run, by an invalidate: not a failure."""


class Kept(NamedTuple):
    """A result in memory."""

    value: Any
    payload: Payload
    digest: bytes
    size: int


class Workbench:
    """Results at hand, over a session.

    Parameters
    ----------
    session : Session
        Graph and store.
    budget : float
        Bytes of results to keep at most, beyond those not published yet.
    """

    def __init__(self, session: Session, budget: float) -> None:
        self.session = session
        self.budget = budget
        self.size = 0
        self._kept: dict[Key, Kept] = {}
        self._users: dict[Key, int] = {}
        self._loaded: dict[Key, Record] = {}
        self._mapped: set[Key] = set()  #: large loaded records whose map was handed out

    def keep(self, key: Key, kept: Kept, users: int) -> None:
        """Keep a result for so many users to come."""
        self._kept[key] = kept
        self._users[key] = users
        self.size += kept.size

    def used(self, dependencies: Sequence[Task]) -> None:
        """Take note that a task has run: its inputs have one user less."""
        for dependency in dependencies:
            left = self._users.get(dependency.key)
            if left is not None:
                if left <= 1:
                    self.drop(dependency.key)
                else:
                    self._users[dependency.key] = left - 1

    def drop(self, key: Key) -> None:
        """Forget a result."""
        kept = self._kept.pop(key, None)
        if kept is not None:
            self.size -= kept.size
            del self._users[key]

    def shrink(self) -> None:
        """Forget the oldest results beyond the budget; all must have been published."""
        for key in list(self._kept):
            if self.size <= self.budget:
                break
            self.drop(key)

    def clear(self) -> None:
        """Forget everything: a tombstone may have killed any of it."""
        self._kept.clear()
        self._users.clear()
        self.size = 0
        self.unload()

    # -- giving inputs to a task ---------------------------------------------------
    def fetch(self, dependencies: Sequence[Task]) -> None:
        """Load what is not at hand, in one call to the store."""
        wanted = {
            task.key: task
            for task in dependencies
            if task.key not in self._kept and task.key not in self._loaded
        }
        if wanted:
            records = self.session.load(list(wanted.values()))
            for key, record in zip(wanted, records, strict=True):
                if record is not None:
                    self._loaded[key] = record

    def unload(self) -> None:
        """Let go of what was loaded."""
        self._loaded.clear()
        self._mapped.clear()

    def digests(self, dependencies: Sequence[Task]) -> bytes:
        """Return the packed ids of the copies that a task is given.

        Raises
        ------
        InputGone
            If one is not there any more.
        """
        parts: list[bytes] = []
        for task in dependencies:
            key = task.key
            entry: Kept | Record | None = self._kept.get(key) or self._loaded.get(key)
            if entry is None:
                raise InputGone(key.hex())
            parts += (key[:8], entry.digest)
        return b"".join(parts)

    def value_of(self, dependency: Any) -> Any:
        """Return the value of a task, or of something derived from tasks."""
        if type(dependency) is not Task:
            return dependency.value(self.value_of)
        key = dependency.key
        kept = self._kept.get(key)
        if kept is None:
            return self._from_store(dependency)
        if type(kept.value) in _UNCHANGEABLE or self._users[key] <= 1:
            return kept.value
        return codecs.decode(_copied(kept.payload))

    def _from_store(self, task: Task) -> Any:
        key = task.key
        record = self._loaded.get(key)
        if record is not None and key in self._mapped:
            record = self._again(task)
        if record is None:
            raise InputGone(key.hex())
        if payload_size(record.payload) >= _LARGE:
            self._mapped.add(key)
        return codecs.decode(as_buffer(record))

    def _again(self, task: Task) -> Record | None:
        try:
            (record,) = self.session.load([task])
        except StoreError as error:  # a store that is away is no failure of the task
            raise InputGone(f"{task.key.hex()}: {error}") from error
        return record


def _copied(payload: Payload) -> bytearray:
    if isinstance(payload, bytes | bytearray | memoryview):
        return bytearray(payload)
    return bytearray().join(payload)


ValueOf = Callable[[Any], Any]
