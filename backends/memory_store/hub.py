"""What all handles of one memory store share, and what may be done under its mutex.

Records, lock names and workers flow in; best copies and verdicts flow out. The caller
holds ``hub.changed``: nothing here locks. It knows no handle and keeps no clock.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from taskgraph.store import (
    DIGEST_SIZE,
    INPUT_SIZE,
    RESULT,
    Head,
    Identity,
    Key,
    Record,
    payload_size,
)

#: How a copy of a result is named beside its key; the greatest is the one to use.
Copy = tuple[int, bytes]


@dataclass(slots=True)
class Owner:
    """One worker: who it is, when it last gave a sign of life, what it runs."""

    identity: Identity
    beaten: float
    running: Key = b""


@dataclass(slots=True)
class Hub:
    """What all handles share. ``changed`` is the mutex of everything in here."""

    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    changed: threading.Condition = field(default_factory=threading.Condition)
    results: dict[Key, dict[Copy, Record]] = field(default_factory=dict)
    failures: dict[Key, list[Record]] = field(default_factory=dict)
    log: list[tuple[bool, Key]] = field(default_factory=list)  #: (is a result, key)
    epoch: int = 0
    killed_results: dict[Key, int] = field(default_factory=dict)
    killed_failures: dict[Key, int] = field(default_factory=dict)
    owners: dict[str, Owner] = field(default_factory=dict)
    locks: dict[str, str] = field(default_factory=dict)  #: lock name -> worker
    documents: dict[str, bytes] = field(default_factory=dict)

    def best(self, key: Key, floor: int) -> Record | None:
        """Return the result to use: greatest epoch, then greatest digest, if not dead."""
        copies = self.results.get(key)
        if not copies:
            return None
        best = max(copies)
        return copies[best] if best[0] >= floor else None

    def add(self, record: Record) -> None:
        """Keep a record."""
        if record.kind == RESULT:
            self.results.setdefault(record.key, {})[record.epoch, record.digest] = record
        elif record not in self.failures.setdefault(record.key, []):
            self.failures[record.key].append(record)  # a repeated publish is no second failure
        self.log.append((record.kind == RESULT, record.key))

    def drop(self, key: Key, copy: Copy) -> bool:
        """Remove one copy of a result; False when it was not there."""
        copies = self.results.get(key, {})
        found = copies.pop(copy, None) is not None
        if found and not copies:
            del self.results[key]
        return found

    def take(self, worker: str, name: str, silent: Callable[[str], bool]) -> bool:
        """Lock a name unless an owner that is not silent is in the way."""
        rivals = [n for n in self.overlapping(name) if self.locks[n] != worker]
        if not all(silent(self.locks[n]) for n in rivals):
            return False
        # Under one mutex a stale lock may simply change hands; see
        # backends/file_store/locks.py for what it takes where there is none.
        for rival in rivals:
            del self.locks[rival]
        self.locks[name] = worker
        return True

    def overlapping(self, name: str) -> list[str]:
        """Return the locks that exclude a name: itself, its bucket, or its bucket's keys."""
        bucket = "b." + name[2:4]
        if name == bucket:
            return [n for n in self.locks if n[2:4] == name[2:4]]
        return [n for n in (name, bucket) if n in self.locks]


def lock_name(coarse: bool) -> Callable[[Key], str]:
    """Return the function from a key to the name of its lock, or of its bucket's."""
    if coarse:
        return lambda key: "b." + key[:1].hex()
    return lambda key: "k." + key.hex()


def with_floors(keys: Sequence[Key], floors: Sequence[int] | None) -> Iterable[tuple[Key, int]]:
    """Pair keys with their floors; without floors all are 0."""
    return zip(keys, [0] * len(keys) if floors is None else floors, strict=True)


def head_of(record: Record) -> Head:
    """Return a record's head."""
    return Head(
        record.key,
        record.epoch,
        record.digest,
        payload_size(record.payload),
        record.seconds,
        record.started,
        record.origin,
    )


def joined(record: Record) -> bytes:
    """Return the payload as one ``bytes``: the caller may reuse its buffers."""
    payload = record.payload
    parts = [payload] if isinstance(payload, bytes | bytearray | memoryview) else payload
    return b"".join(parts)


def made_elsewhere(
    record: Record, digests: dict[bytes, set[bytes]], killed: dict[bytes, int]
) -> bool:
    """Tell whether a record names an input copy that is not here although its key is.

    An input invalidated since makes the record dead, not wrong; one that is here in no
    copy (cleaned up) says nothing.
    """
    for at in range(0, len(record.inputs), INPUT_SIZE):
        key = bytes(record.inputs[at : at + DIGEST_SIZE])
        digest = bytes(record.inputs[at + DIGEST_SIZE : at + INPUT_SIZE])
        if record.epoch >= killed.get(key, 0) and digest not in digests.get(key, {digest}):
            return True
    return False
