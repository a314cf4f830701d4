"""The store that forgets: a dict and a mutex, the reference of the whole port.

Records, locks and tombstones of one process flow in and out of a :class:`Hub`;
every :class:`MemoryStore` is one handle on it and remembers only how far it has
looked. Where the port leaves a choice, this file is the shortest honest answer:
read it before writing a store. It knows no file, no codec and no task.

Nothing here survives the process. Liveness is the heartbeat alone: whoever shares a
dict with you shares your fate, so no process table is asked.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence

from backends.memory_store.hub import (
    Hub,
    Owner,
    head_of,
    joined,
    lock_name,
    made_elsewhere,
    with_floors,
)
from taskgraph.errors import StoreError
from taskgraph.store import (
    DIGEST_SIZE,
    KILL_RESULTS,
    Claim,
    Head,
    Identity,
    Key,
    News,
    Problem,
    Record,
    Tombstones,
    Usage,
    WorkerInfo,
    payload_size,
)


class MemoryStore:
    """``store = MemoryStore()``: a store of this process; ``store.handle()``: another view.

    Parameters
    ----------
    hub : Hub, optional
        What to look at; a new and empty one by default.
    clock : callable
        Seconds, never going back.
    lease_seconds : float
        An owner silent for longer is stale.
    """

    url = "memory:"
    coarse_bits = 8

    def __init__(
        self,
        hub: Hub | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        lease_seconds: float = 30.0,
    ) -> None:
        self._hub = Hub() if hub is None else hub
        self._clock = clock
        self.lease_seconds = lease_seconds
        self.id = self._hub.id
        self._read = 0
        self._known = Tombstones(0, {}, {})
        self._told = 0

    def handle(self) -> MemoryStore:
        """Return another handle on the same records, as another process would have one."""
        return MemoryStore(self._hub, clock=self._clock, lease_seconds=self.lease_seconds)

    # -- looking ---------------------------------------------------------------
    def refresh(self) -> News:
        """Report what came since the last refresh and take in the tombstones."""
        hub = self._hub
        with hub.changed:
            fresh, self._read = hub.log[self._read :], len(hub.log)
            self._learn()
        news = self._told != self._known.epoch
        self._told = self._known.epoch
        return News({k for ok, k in fresh if ok}, {k for ok, k in fresh if not ok}, news)

    def tombstones(self) -> Tombstones:
        """Return the tombstones known since the last refresh, claim or own invalidate."""
        return self._known

    def present(self, keys: Sequence[Key], floors: Sequence[int] | None = None) -> bytearray:
        """Return 1 for each key with a live result."""
        return bytearray(record is not None for record in self.load(keys, floors))

    def heads(self, keys: Sequence[Key], floors: Sequence[int] | None = None) -> list[Head | None]:
        """Return the heads of the live results."""
        return [record and head_of(record) for record in self.load(keys, floors)]

    def load(self, keys: Sequence[Key], floors: Sequence[int] | None = None) -> list[Record | None]:
        """Return the live results; each payload is one ``bytes``."""
        with self._hub.changed:
            return [self._hub.best(key, floor) for key, floor in with_floors(keys, floors)]

    def failures(
        self, keys: Sequence[Key], floors: Sequence[int] | None = None
    ) -> list[list[Record]]:
        """Return the live failure and death records, oldest first."""
        with self._hub.changed:
            killed = self._hub.killed_failures
            return [
                [
                    r
                    for r in self._hub.failures.get(key, ())
                    if r.epoch >= max(floor, killed.get(key, 0))
                ]
                for key, floor in with_floors(keys, floors)
            ]

    def failed_keys(self) -> list[Key]:
        """Return all keys with any failure or death record."""
        with self._hub.changed:
            return list(self._hub.failures)

    def keys(self) -> list[Key]:
        """Return every key with a result, dead or alive."""
        with self._hub.changed:
            return list(self._hub.results)

    # -- working ---------------------------------------------------------------
    def enter(self, identity: Identity) -> str:
        """Create an owner record and return the worker's id."""
        worker = uuid.uuid4().hex
        with self._hub.changed:
            self._hub.owners[worker] = Owner(identity, self._clock())
        return worker

    def beat(self, worker: str) -> bool:
        """Renew the owner record; False when it is gone."""
        with self._hub.changed:
            owner = self._hub.owners.get(worker)
            if owner is not None:
                owner.beaten = self._clock()
            return owner is not None

    def running(self, worker: str, key: Key) -> None:
        """Note what the worker runs; ``b""`` is nothing."""
        with self._hub.changed:
            if worker in self._hub.owners:
                self._hub.owners[worker].running = key

    def leave(self, worker: str) -> None:
        """Free all of the worker's locks and remove its owner record."""
        hub = self._hub
        with hub.changed:
            hub.owners.pop(worker, None)
            for name in [name for name, owner in hub.locks.items() if owner == worker]:
                del hub.locks[name]
            hub.changed.notify_all()

    def claim(
        self, worker: str, keys: Sequence[Key], *, coarse: bool = False, most: int | None = None
    ) -> Claim:
        """Lock what can be locked, then read the epoch.

        Raises
        ------
        StoreError
            The worker has no owner record.
        """
        with self._hub.changed:
            if worker not in self._hub.owners:
                raise StoreError(
                    f"only a worker that entered can claim: call enter() again, got {worker!r}"
                )
            name_of = lock_name(coarse)
            got: dict[str, bool] = {}
            for name in dict.fromkeys(map(name_of, keys)):
                if most is not None and sum(got.values()) >= most:
                    break
                got[name] = self._hub.take(worker, name, self._silent)
            self._learn()
            return Claim(
                self._hub.epoch,
                [key for key in keys if got.get(name_of(key))],
                [key for key in keys if got.get(name_of(key)) is False],
                [name for name, mine in got.items() if mine],
            )

    def publish(self, worker: str, records: Sequence[Record]) -> None:
        """Keep the records and wake whoever waits. Anybody may publish: keys are content."""
        with self._hub.changed:
            for record in records:
                self._hub.add(record._replace(payload=joined(record)))
            self._hub.changed.notify_all()

    def release(self, worker: str, claim: Claim, keys: Sequence[Key] | None = None) -> None:
        """Free the claim's locks that hold none of its other keys; only the worker's own."""
        gone = set(claim.keys if keys is None else keys)
        claim.keys[:] = [key for key in claim.keys if key not in gone]
        kept = {
            name for key in claim.keys for name in (lock_name(True)(key), lock_name(False)(key))
        }
        with self._hub.changed:
            for name in claim.names:
                if name not in kept and self._hub.locks.get(name) == worker:
                    del self._hub.locks[name]
            self._hub.changed.notify_all()
        claim.names[:] = [name for name in claim.names if name in kept]

    def workers(self) -> list[WorkerInfo]:
        """Return every worker with an owner record, dead or alive."""
        with self._hub.changed:
            return [self._info(worker, owner) for worker, owner in self._hub.owners.items()]

    def wait(self, seconds: float) -> bool:
        """Block until there is something that ``refresh`` has not told, at most ``seconds``."""
        with self._hub.changed:
            return self._hub.changed.wait_for(self._unread, seconds)

    # -- looking after ---------------------------------------------------------
    def invalidate(self, keys: Sequence[Key], kind: int = KILL_RESULTS, note: str = "") -> int:
        """Write one tombstone over these roots and return its number."""
        hub = self._hub
        with hub.changed:
            hub.epoch += 1
            killed = hub.killed_results if kind == KILL_RESULTS else hub.killed_failures
            killed.update(dict.fromkeys(keys, hub.epoch))
            self._learn()
            hub.changed.notify_all()
            return hub.epoch

    def forget(self, heads: Sequence[Head]) -> int:
        """Remove exactly these results; return how many were there."""
        with self._hub.changed:
            return sum(self._hub.drop(head.key, (head.epoch, head.digest)) for head in heads)

    def pack(self, progress: object = None) -> Usage:
        """Drop what no reader can want: results and failures dead by their own key."""
        hub = self._hub
        with hub.changed:
            dead = [
                (key, copy)
                for key, copies in hub.results.items()
                for copy in copies
                if copy[0] < hub.killed_results.get(key, 0) or copy < max(copies)
            ]
            for key, copy in dead:
                self._hub.drop(key, copy)
            alive = {
                k: [r for r in rs if r.epoch >= hub.killed_failures.get(k, 0)]
                for k, rs in hub.failures.items()
            }
            hub.failures = {key: records for key, records in alive.items() if records}
        return self.usage()

    def check(self, *, fix: bool = True) -> list[Problem]:
        """Name results made from another copy of an input than any that is here."""
        with self._hub.changed:
            digests: dict[bytes, set[bytes]] = {}
            killed = {key[:DIGEST_SIZE]: number for key, number in self._hub.killed_results.items()}
            for key, copies in self._hub.results.items():
                digests[key[:DIGEST_SIZE]] = {digest for _, digest in copies}
            return [
                Problem("input of another copy", record.key.hex(), record.key, fixed=False)
                for copies in self._hub.results.values()
                for record in copies.values()
                if made_elsewhere(record, digests, killed)
            ]

    def usage(self) -> Usage:
        """Return how much the store holds; a dict has no files."""
        with self._hub.changed:
            sizes = [
                payload_size(r.payload)
                for copies in self._hub.results.values()
                for r in copies.values()
            ]
            return Usage(len(self._hub.results), sum(sizes), 0)

    def put_document(self, name: str, data: bytes) -> None:
        """Store a small named document."""
        with self._hub.changed:
            self._hub.documents[name] = bytes(data)

    def get_document(self, name: str) -> bytes | None:
        """Return a document, or ``None``."""
        with self._hub.changed:
            return self._hub.documents.get(name)

    def list_documents(self, prefix: str = "") -> list[str]:
        """Return the names of the documents that begin with ``prefix``, sorted."""
        with self._hub.changed:
            return sorted(name for name in self._hub.documents if name.startswith(prefix))

    def close(self) -> None:
        """Do nothing: there is nothing to let go of, and locks stay."""

    # -- under the mutex -------------------------------------------------------
    def _learn(self) -> None:
        hub = self._hub
        if self._known.epoch != hub.epoch:
            self._known = Tombstones(hub.epoch, dict(hub.killed_results), dict(hub.killed_failures))

    def _unread(self) -> bool:
        return self._read < len(self._hub.log) or self._told != self._hub.epoch

    def _silent(self, worker: str) -> bool:
        owner = self._hub.owners.get(worker)
        return owner is None or self._clock() - owner.beaten >= self.lease_seconds

    def _info(self, worker: str, owner: Owner) -> WorkerInfo:
        held = [name for name, holder in self._hub.locks.items() if holder == worker]
        return WorkerInfo(
            worker,
            owner.identity,
            not self._silent(worker),
            self._clock() - owner.beaten,
            tuple(bytes.fromhex(name[2:]) for name in held if name.startswith("k.")),
            tuple(int(name[2:], 16) for name in held if name.startswith("b.")),
            owner.running,
        )
