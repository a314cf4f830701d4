"""What a call of the port costs: round trips of a worker, and operations of the server.

In: the length of a round trip and what the server can do in a second. Out: :class:`Costs`.
The file store's are *counted*: real stores in a folder, told that it is a network mount,
through a file system that counts the calls which an NFS client can't answer by itself, once
with few other workers and once with more; what grows is charged to each other worker. The
Redis store's are microseconds of its server for each script, and for each key in it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from unittest import mock

from backends.file_store import founding, open_store
from backends.file_store.filesystem import FileSystem
from taskgraph.store import RESULT, Identity, Origin, Record, Store

#: Calls that wait for the server of a network mount; others are answered by the client.
WAITING = (
    "create", "open", "pread", "datasync", "sync", "sync_folder", "link", "unlink", "rename",
    "mkdir", "names", "stat", "touch",
)  # fmt: skip
#: Other workers in the two counts.
FEW, MORE = 8, 24


@dataclass(frozen=True, slots=True)
class Line:
    """Operations of one call: ``base``, for each item, and for each other worker."""

    base: float
    each: float = 0.0
    others: float = 0.0

    def of(self, items: int = 0, others: int = 0) -> float:
        """Return the operations of a call on so many items beside so many other workers."""
        return self.base + self.each * items + self.others * others


@dataclass(frozen=True, slots=True)
class Costs:
    """A store as the simulation knows it."""

    name: str
    round_trip: float  #: seconds
    capacity: float  #: operations a second of the server
    serial: bool  #: every operation is a round trip of its own; else a call is one
    coarse_bits: int
    wakes: bool  #: the store wakes whoever waits; else they look every ``poll`` seconds
    claim: Line  #: items: locks asked for
    look: Line  #: with news; items: writers that wrote since the last look
    glance: Line  #: without news
    publish: Line  #: items: records
    release: Line  #: items: locks held
    census: Line  #: a listing of all workers
    poll: float = 0.25

    def delay(self, operations: float) -> float:
        """Return the seconds of waiting for so many operations, without any queue."""
        return self.round_trip * (operations if self.serial else min(1.0, operations))


class Counting(FileSystem):
    """The real disk, counting what a network client would have to ask its server."""

    def __init__(self) -> None:
        self.count = 0
        for name in WAITING:
            setattr(self, name, self._counted(getattr(self, name)))

    def _counted(self, call: Callable[..., object]) -> Callable[..., object]:
        def counted(*args: object) -> object:
            self.count += 1
            return call(*args)

        return counted

    def during(self, call: Callable[[], object]) -> int:
        """Return the operations of one call."""
        before = self.count
        call()
        return self.count - before


def record(key: bytes) -> Record:
    """Return a small result."""
    return Record(key, RESULT, 0, bytes(8), b"", Origin(), 0.0, 0.0, 0.0, 0, 1, b"result")


def name(bucket: int, number: int) -> bytes:
    """Return a key of a bucket."""
    return bytes((bucket,)) + number.to_bytes(31, "big")


class Count:
    """One store with a worker that is counted and others that come and write."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.disk = Counting()
        self.store: Store = open_store(url, create=True, fs=self.disk)
        self.me = self.store.enter(self.identity())
        self.others: list[tuple[Store, str]] = []
        self.serial = 0

    def identity(self) -> Identity:
        """Return who writes: always this process."""
        return Identity("host", "boot", os.getpid(), "birth")

    def keys(self, bucket: int, number: int) -> list[bytes]:
        """Return new keys of a bucket."""
        self.serial += number
        return [name(bucket, self.serial - i) for i in range(number)]

    def grow(self, others: int) -> None:
        """Let there be so many other workers, each with a lock and a segment; all known."""
        while len(self.others) < others:
            store = open_store(self.url)
            self.others.append((store, store.enter(self.identity())))
            store.claim(self.others[-1][1], self.keys(9, 1))
        self.write(others)
        self.store.refresh()

    def write(self, others: int) -> None:
        """Let some other workers publish a result each."""
        for store, worker in self.others[:others]:
            store.publish(worker, [record(key) for key in self.keys(8, 1)])

    def calls(self) -> dict[str, int]:
        """Return the operations of each kind of call, as things are now."""
        found: dict[str, int] = {}
        store, during = self.store, self.disk.during
        for word, size in (("one", 1), ("ten", 10)):
            keys = self.keys(1, size)
            before = self.disk.count
            claim = store.claim(self.me, keys)
            found[f"claim {word}"] = self.disk.count - before
            found["glance"] = during(store.refresh)
            found["publish"] = during(partial(store.publish, self.me, [*map(record, keys)]))
            found[f"release {word}"] = during(partial(store.release, self.me, claim))
        store.refresh()
        for word, size in (("one", 1), ("four", 4)):
            self.write(size)
            found[f"look {word}"] = during(store.refresh)
        found["census"] = during(store.workers)
        return found


def file_store(round_trip: float, capacity: float) -> Costs:
    """Return the costs of the file store on a network mount, counted here and now."""
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(founding, "on_network", return_value=True),
    ):
        count = Count(f"{folder}/store")
        count.store.publish(count.me, [record(key) for key in count.keys(1, 1)])
        count.grow(FEW)
        few = count.calls()
        count.grow(MORE)
        more = count.calls()

    def line(word: str, single: str = "", several: str = "", by: int = 1) -> Line:
        each = (few[f"{word} {several}"] - few[f"{word} {single}"]) / by if several else 0.0
        known = f"{word} {single}".strip()
        others = (more[known] - few[known]) / (MORE - FEW)
        return Line(few[known] - each - others * FEW, each, others)

    return Costs(
        "file store on NFS", round_trip, capacity, serial=True, coarse_bits=8, wakes=False,
        claim=line("claim", "one", "ten", 9), look=line("look", "one", "four", 3),
        glance=line("glance"), publish=line("publish"),
        release=line("release", "one", "ten", 9), census=line("census"),
    )  # fmt: skip


def redis_store(round_trip: float, capacity: float) -> Costs:
    """Return the costs of the Redis store: a script a call; publishing frees the locks.

    The figures are what redis-server 7.0.15 counted (``INFO commandstats``) for calls on 1 to
    1,000 keys and beside 200 workers, in units of 10 us: a capacity of 100,000 is one core.
    """
    return Costs(
        "Redis", round_trip, capacity, serial=False, coarse_bits=0, wakes=True,
        claim=Line(4, 0.2), look=Line(2, 0.1), glance=Line(2), publish=Line(6, 0.4),
        release=Line(0), census=Line(5, 0, 0.1),
    )  # fmt: skip
