"""A blackboard in shared memory between a supervisor, its template and its workers.

Made by the supervisor before it forks anything. Each worker writes its own slot, with
plain stores and no locks; the supervisor reads all of them: who is there, what runs,
how much is done. What only one of them is to do is settled in a nameless file to which
all append. Nothing here survives the supervisor, and no result passes through.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import struct
import sys
import weakref
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import NamedTuple

from taskgraph.errors import UsageError

SLOT = 256
_HEAD = 64
_KEY = 48
_COUNTS = struct.Struct("<7Q")  # executed, failed here, total, done, failed, blocked, left
_COUNTS_AT = 88
_THREADS_AT = 144
_AMOUNTS_AT = 160
_MOST_RESOURCES = (SLOT - _AMOUNTS_AT) // 8

#: Values of the stop flag: go on; claim no more; stop now.
GO, FINISH, STOP = 0, 1, 2
#: States of a slot.
EMPTY, STARTING, WORKING, IDLE, ENDED = range(5)


class Counts(NamedTuple):
    """What a worker has done, and the whole graph as it last saw it."""

    executed: int = 0
    failed_here: int = 0
    total: int = 0
    done: int = 0
    failed: int = 0
    blocked: int = 0
    left: int = 0


class Board:
    """``Board(slots, resources)``: resources is the budget that all slots share."""

    def __init__(self, slots: int, resources: Mapping[str, float] | None = None) -> None:
        self.slots = slots
        self.budget = dict(resources or {})
        self.names = sorted(self.budget)
        if len(self.names) > _MOST_RESOURCES:
            raise UsageError(
                f"There can be at most {_MOST_RESOURCES} kinds of resources, the machine's memory "
                f"and GPUs among them; got {', '.join(self.names)}."
            )
        self._map = mmap.mmap(-1, _HEAD + SLOT * slots)
        self._ledger = _nameless_file()
        weakref.finalize(self, os.close, self._ledger).atexit = False

    # -- the stop flag ----------------------------------------------------------
    @property
    def stop(self) -> int:
        """GO, FINISH or STOP."""
        return self._map[0]

    @stop.setter
    def stop(self, value: int) -> None:
        self._map[0] = value

    # -- what one of all is to do ---------------------------------------------------
    def is_first(self, what: str) -> bool:
        """Tell whether no process of this run has asked for ``what`` before.

        Each appends a line of its own and then looks whose line is the first: appending is
        one step, so of two that ask at once exactly one is. Where the file fails, all are.
        """
        word, mine = blake2b(what.encode(), digest_size=8).digest(), os.urandom(8)
        with contextlib.suppress(OSError):
            os.write(self._ledger, word + mine)
            book = os.pread(self._ledger, os.fstat(self._ledger).st_size, 0)
            lines = (book[at : at + 16] for at in range(0, len(book), 16))
            return next(line for line in lines if line.startswith(word)) == word + mine
        return True

    # -- a worker's own slot ------------------------------------------------------
    def clear(self, slot: int) -> None:
        """Wipe a slot for its next worker."""
        at = self._at(slot)
        self._map[at : at + SLOT] = bytes(SLOT)

    def sign(self, slot: int, pid: int, worker: str) -> None:
        """Write who works at this slot."""
        at = self._at(slot)
        struct.pack_into("<q", self._map, at + 8, pid)
        self._map[at + 16 : at + 48] = worker.encode()[:32].ljust(32, b"\0")
        self._map[at] = WORKING

    def set_state(self, slot: int, state: int) -> None:
        """Write what the worker is doing."""
        self._map[self._at(slot)] = state

    def running(self, slot: int, key: bytes) -> None:
        """Write which task is being run (32 bytes, or empty for none)."""
        at = self._at(slot) + _KEY
        self._map[at : at + 32] = key or bytes(32)

    def write_counts(self, slot: int, counts: Counts) -> None:
        """Write the worker's counts."""
        _COUNTS.pack_into(self._map, self._at(slot) + _COUNTS_AT, *counts)

    def write_threads(self, slot: int, count: int) -> None:
        """Write how many threads the worker's share of the cores is."""
        struct.pack_into("<Q", self._map, self._at(slot) + _THREADS_AT, count)

    # -- reading ------------------------------------------------------------------
    def state(self, slot: int) -> int:
        """Return what the worker at a slot is doing."""
        return self._map[self._at(slot)]

    def pid(self, slot: int) -> int:
        """Return the worker's process id, 0 before it signed."""
        return int(struct.unpack_from("<q", self._map, self._at(slot) + 8)[0])

    def worker(self, slot: int) -> str:
        """Return the worker's id in the store, empty before it signed."""
        at = self._at(slot) + 16
        return bytes(self._map[at : at + 32]).rstrip(b"\0").decode()

    def key(self, slot: int) -> bytes:
        """Return the key of the task that is being run, empty for none."""
        at = self._at(slot) + _KEY
        return bytes(self._map[at : at + 32]).replace(bytes(32), b"")

    def counts(self, slot: int) -> Counts:
        """Return the worker's counts."""
        return Counts(*_COUNTS.unpack_from(self._map, self._at(slot) + _COUNTS_AT))

    def threads(self, slot: int) -> int:
        """Return how many threads the worker's share of the cores is."""
        return int(struct.unpack_from("<Q", self._map, self._at(slot) + _THREADS_AT)[0])

    # -- resources ------------------------------------------------------------------
    def lacks(self, need: Mapping[str, float]) -> list[str]:
        """Return the names of resources that the whole budget can't give."""
        return [name for name, amount in need.items() if amount > self.budget.get(name, 0.0)]

    def reserve(self, slot: int, need: Mapping[str, float]) -> bool:
        """Take resources for a slot if they are free now.

        Each writes its wish first and then adds up all wishes, so of two that ask at once
        at least one sees both and steps back: the budget is never exceeded by tasks that
        started. Both may step back; they ask again.
        """
        self._write_amounts(slot, [need.get(name, 0.0) for name in self.names])
        for place, name in enumerate(self.names):
            amounts = [self._amounts(other)[place] for other in range(self.slots)]
            if sum(amounts) > self.budget[name] + 1e-9:
                self.free(slot)
                return False
        return True

    def free(self, slot: int) -> None:
        """Give back all resources of a slot."""
        self._write_amounts(slot, [0.0] * len(self.names))

    def _amounts(self, slot: int) -> Sequence[float]:
        return struct.unpack_from(f"<{len(self.names)}d", self._map, self._at(slot) + _AMOUNTS_AT)

    def _write_amounts(self, slot: int, amounts: Sequence[float]) -> None:
        struct.pack_into(f"<{len(amounts)}d", self._map, self._at(slot) + _AMOUNTS_AT, *amounts)

    def _at(self, slot: int) -> int:
        return _HEAD + SLOT * slot


def _nameless_file() -> int:
    """Return the number of an empty file for appending, that forked processes share."""
    if sys.platform == "linux":
        number = os.memfd_create("board")
    else:
        import tempfile

        with tempfile.TemporaryFile() as file:
            number = os.dup(file.fileno())
    fcntl.fcntl(number, fcntl.F_SETFL, os.O_APPEND)
    return number
