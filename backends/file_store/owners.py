"""Owner records: one file a worker, whose time of change is the worker's heartbeat.

An identity flows in, a worker's id flows out; later a worker's id flows in and a verdict
flows out. Locks (``locks.py``) are hard links to the owner file: its content names the
worker under every name, and one ``utime`` renews them all. This room knows no keys but
the one a worker runs, and decides nothing about a lock.

``o.<worker>`` is the record; ``o.<worker>.1`` and so on are further files with the same
content, made when a file can't take more links (ext4: 65 000). Only the first one beats,
and the record is there as long as the first one is. Names are never used twice.

A sign of life is any change of the file's times: a beat, a note of what runs, or a lock
linked or unlinked (which changes the time of the inode).

Three clocks and what they may say. A heartbeat is compared with *itself*, looks apart, on
the observer's own clock (:meth:`Owners.silent`). Its age is the difference to a file just
touched on the same mount, the server's clock with itself (:meth:`Owners.infos`). The
wall clock of a host is never asked.
"""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Callable, Iterable, Iterator

from backends.file_store.filesystem import FileSystem, store_error
from backends.file_store.layout import Layout, buckets_in, keys_in, owners_in
from backends.file_store.liveness import Processes, Pulses, Value
from backends.file_store.own import Heart, Own
from backends.file_store.ownerfile import NOTE, identity_of, note_of, owner_of, pack_owner
from taskgraph.errors import StoreError
from taskgraph.store import Identity, Key, WorkerInfo

#: A read of an owner file or lock: more than any identity takes.
_ENOUGH = 16384
#: From this lease time on the store is taken to lie on a network mount.
NETWORK_LEASE = 60.0


class Owners:
    """``worker = owners.enter(identity)``; ``owners.silent(other)``.

    Parameters
    ----------
    fs : FileSystem
        All calls to the disk.
    layout : Layout
        Where things are.
    lease_seconds : float
        Silence that makes a worker stale.
    clock : callable
        Seconds of the observer, never going back.
    processes : Processes, optional
        This host's process table.
    token : callable
        Makes a worker's id: 32 letters, never the same twice.
    """

    def __init__(
        self,
        fs: FileSystem,
        layout: Layout,
        lease_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        *,
        processes: Processes | None = None,
        token: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self.fs = fs
        self.layout = layout
        self.lease_seconds = lease_seconds
        self._processes = Processes() if processes is None else processes
        self._pulses = Pulses(lease_seconds, clock)
        self._token = token
        self._own: dict[str, Own] = {}
        self._hearts: dict[str, Heart] = {}
        self._identities: dict[str, Identity] = {}

    # -- a worker's own ----------------------------------------------------------
    def enter(self, identity: Identity) -> str:
        """Write an owner record, whole or not at all, and return the worker's id."""
        worker = self._token()
        content = pack_owner(worker, identity)
        path = self.layout.owner(worker)
        with self.told():
            self._write(path, content)
        self._own[worker] = Own(content, path)
        return worker

    def running(self, worker: str, key: Key) -> None:
        """Note which key a worker runs; ``b""`` for none. One write, no sync on a local disk.

        Without an owner record nothing is noted: :meth:`beat` tells the worker.
        """
        with self.told(), contextlib.suppress(FileNotFoundError):
            own = self._own.get(worker)
            if own is None:
                self._note_for(worker, key)
                return
            if own.notes < 0:
                own.notes = self.fs.open(self.layout.owner(worker), os.O_RDWR)
            self._note(own.notes, key)

    def _note_for(self, worker: str, key: Key) -> None:
        """Note what a worker of another process ran, most likely dead: its time stays as it was."""
        descriptor = self.fs.open(self.layout.owner(worker), os.O_RDWR)
        try:
            before = self.fs.fstat(descriptor).st_mtime_ns
            self._note(descriptor, key)
            with contextlib.suppress(PermissionError):  # another user's: only they set its time
                self.fs.touch(descriptor, before)
        finally:
            self.fs.let_go(descriptor)

    def _note(self, descriptor: int, key: Key) -> None:
        self.fs.pwrite(descriptor, f"{key.hex():{NOTE}}".encode(), 0)
        if self.lease_seconds > NETWORK_LEASE:
            self.fs.datasync(descriptor)  # others would not see it before the task is over

    def leave(self, worker: str) -> None:
        """Unlink the worker's locks, then its owner files. Any process may, once it is dead."""
        with self.told():
            own = self._own.pop(worker, None)
            heart = self._hearts.pop(worker, None)
            for descriptor in (own.notes if own else -1, heart.descriptor if heart else -1):
                if descriptor >= 0:
                    self.fs.let_go(descriptor)
            if own and own.sure:
                files = [*own.held.values(), *(f"o.{worker}.{n + 1}" for n in range(own.rotations))]
            else:
                files = [
                    name
                    for name in self.names()
                    if self.holder(name) == worker and name != f"o.{worker}"
                ]
            self.unlink(worker, files)
            self.fs.discard(self.layout.owner(worker))
        self._pulses.forget(worker)

    def unlink(self, worker: str, files: Iterable[str]) -> None:
        """Remove names that a worker linked.

        While its record is there, nobody else may have removed them or made them anew, and
        no name is looked at. Once it is gone the worker was taken for dead and tidied away:
        a name may be another's by now.
        """
        trusted = self.has_record(worker)
        for name in files:
            if trusted or self.holder(name) == worker:
                self.fs.discard(self.layout.lock(name))

    def own(self, worker: str) -> Own:
        """Return what this process keeps about a worker, also one that entered elsewhere.

        Raises
        ------
        StoreError
            There is no owner record.
        """
        own = self._own.get(worker) or self._open_own(worker)
        if own is None:
            raise no_record(worker)
        return own

    def held(self, worker: str) -> dict[str, str]:
        """Return the locks that a worker of this process holds: lock name -> name linked."""
        return self._own[worker].held if worker in self._own else {}

    def _open_own(self, worker: str) -> Own | None:
        path = self.layout.owner(worker)
        try:
            content = self.fs.read_file(path)
        except FileNotFoundError:
            return None
        own = self._own[worker] = Own(content, path, sure=False)
        return own

    def rotate(self, worker: str) -> None:
        """Give a worker a further owner file: its present one can't take more links."""
        own = self.own(worker)
        own.rotations += 1
        own.source = f"{self.layout.owner(worker)}.{own.rotations}"
        self._write(own.source, own.content)

    # -- a supervisor's ----------------------------------------------------------
    def beat(self, worker: str) -> bool:
        """Renew an owner record, unless its process is stopped; False when the record is gone."""
        with self.told():
            heart = self._hearts.get(worker) or self._open_heart(worker)
            if heart is None or not self._named(worker, heart):
                return False
            if self._processes.may_beat(heart.identity):
                self.fs.touch(heart.descriptor)
        return True

    def _open_heart(self, worker: str) -> Heart | None:
        try:
            descriptor = self.fs.open(self.layout.owner(worker))
        except FileNotFoundError:
            return None
        content = b""
        try:
            content = self.fs.pread(descriptor, _ENOUGH, 0)
        finally:
            if owner_of(content) != worker:
                self.fs.let_go(descriptor)
        if owner_of(content) != worker:
            return None
        heart = self._hearts[worker] = Heart(descriptor, identity_of(content))
        return heart

    def _named(self, worker: str, heart: Heart) -> bool:
        # After an unlink the descriptor still beats, but nobody finds the record any more.
        seen = self._seen(self.layout.owner(worker))
        here = self.fs.fstat(heart.descriptor)
        if seen is not None and (seen.st_ino, seen.st_dev) == (here.st_ino, here.st_dev):
            return True
        self.fs.let_go(self._hearts.pop(worker).descriptor)
        return False

    # -- an observer's -----------------------------------------------------------
    def silent(self, worker: str) -> bool:
        """Look at a worker: proven dead, or its heartbeat unchanged for the lease time."""
        with self.told():
            return self._stale(worker, 1.0)

    def silent_file(self, name: str) -> bool:
        """Look at a lock that names no worker (its maker died writing it): judged by its own time."""
        with self.told():
            seen = self._seen(self.layout.lock(name))
            return seen is None or self._pulses.stale(name, _value(seen))

    def gone_for_good(self, worker: str, now: int | None = None) -> bool:
        """Look at a worker: silent, and its last heartbeat two lease times old for the server too.

        Two witnesses, because what follows can't be undone: a server clock that was set
        forward makes every heartbeat look old.
        """
        with self.told():
            if not self._stale(worker, 1.0):
                return False
            seen = self._seen(self.layout.owner(worker))
            now = self.server_time() if now is None else now
            return seen is None or (now is not None and self.old(seen.st_mtime_ns, now))

    def old(self, mtime_ns: int, now: int) -> bool:
        """Return whether a time of change is two lease times before the server's ``now`` (ns)."""
        return now - mtime_ns >= 2e9 * self.lease_seconds

    def has_record(self, worker: str) -> bool:
        """Return whether a worker has an owner record."""
        return self._seen(self.layout.owner(worker)) is not None

    def infos(self) -> list[WorkerInfo]:
        """Look at all workers with an owner record."""
        with self.told():
            listing = self._listing()
            linked = {
                inode: name.split(".")[1]
                for name, inode in listing.items()
                if inode and name[:2] == "o."
            }
            held: dict[str, list[str]] = {}
            for name, inode in listing.items():
                if name[:2] in ("k.", "b."):
                    worker = linked.get(inode) or self.holder(name)
                    held.setdefault(worker, []).append(name)
            now = self.server_time()
            found = [self._info(worker, now, held) for worker in owners_in(listing)]
        return [info for info in found if info is not None]

    def recorded(self) -> set[str]:
        """List the workers with an owner record, dead or alive."""
        with self.told():
            return set(owners_in(self.names()))

    def _listing(self) -> dict[str, int]:
        """List the folder with inodes: a lock has that of its owner file, so it needs no look.

        Where a file system says too little by its listings, 0 stands for an inode.
        """
        if not self.layout.links or self.lease_seconds > NETWORK_LEASE:
            return dict.fromkeys(self.names(), 0)
        return self.fs.inodes(self.layout.locks)

    def names(self) -> list[str]:
        """List the folder of owners and locks anew."""
        return self.fs.names(self.layout.locks)

    def holder(self, name: str) -> str:
        """Return the worker that a lock or owner file names; "" when there is none."""
        try:
            return owner_of(self.fs.again(lambda: self.fs.read_file(self.layout.lock(name))))
        except FileNotFoundError:
            return ""

    def _stale(self, worker: str, leases: float) -> bool:
        seen = self._seen(self.layout.owner(worker), worker)
        if seen is None:
            return True
        stale = self._pulses.stale(worker, _value(seen), leases)
        return stale or self._processes.gone(self._identities[worker])

    def _seen(self, path: str, worker: str = "") -> os.stat_result | None:
        # Opened by name each time: only that makes a network client ask its server.
        try:
            return self.fs.again(lambda: self._look(path, worker))
        except FileNotFoundError:
            return None

    def _look(self, path: str, worker: str) -> os.stat_result:
        descriptor = self.fs.open(path)
        try:
            if worker and worker not in self._identities:
                self._identities[worker] = identity_of(self.fs.pread(descriptor, _ENOUGH, 0))
            return self.fs.fstat(descriptor)
        finally:
            self.fs.let_go(descriptor)

    def _info(self, worker: str, now: int | None, held: dict[str, list[str]]) -> WorkerInfo | None:
        path = self.layout.owner(worker)
        try:
            seen, content = self.fs.again(lambda: self._whole(path))
        except FileNotFoundError:
            return None
        if worker not in self._identities:
            self._identities[worker] = identity_of(content)
        moved = self._pulses.moved(worker, _value(seen))
        silent = self._pulses.look(worker, _value(seen))
        age = silent if now is None else max(0.0, (now - seen.st_mtime_ns) / 1e9)
        identity = self._identities[worker]
        locks = held.get(worker, [])
        return WorkerInfo(
            worker,
            identity,
            age < self.lease_seconds and (moved or not self._processes.gone(identity)),
            age,
            keys_in(locks),
            buckets_in(locks),
            note_of(content),
        )

    def _whole(self, path: str) -> tuple[os.stat_result, bytes]:
        descriptor = self.fs.open(path)
        try:
            return self.fs.fstat(descriptor), self.fs.pread(descriptor, _ENOUGH, 0)
        finally:
            self.fs.let_go(descriptor)

    # -- files -------------------------------------------------------------------
    def _write(self, path: str, content: bytes) -> None:
        temp = self.layout.lock(f"t.{self._token()}")
        self.fs.write_file(temp, content, self.layout.file_mode)
        if self.layout.links:
            self.fs.give(temp, path)
            self.fs.discard(temp)
        else:
            self.fs.move(temp, path)  # replaces nothing: no other process makes this name

    def server_time(self) -> int | None:
        """Return the server's present in ns by a file touched now; ``None`` where one can't be made."""
        probe = self.layout.lock(f"t.{self._token()}")
        try:
            descriptor = self.fs.create(probe, self.layout.file_mode)
        except OSError:
            return None  # a store opened for reading: observed silence has to do
        try:
            self.fs.touch(descriptor)
            return self.fs.fstat(descriptor).st_mtime_ns
        finally:
            self.fs.let_go(descriptor)
            self.fs.discard(probe)

    @contextlib.contextmanager
    def told(self) -> Iterator[None]:
        """Turn an operating system's error into the store's."""
        try:
            yield
        except OSError as error:
            raise store_error(error, self.layout.root) from error


def no_record(worker: str) -> StoreError:
    """Return the error for a worker without an owner record."""
    return StoreError(
        f"only a worker with an owner record can lock: call enter() again, got {worker!r}"
    )


def _value(seen: os.stat_result) -> Value:
    # Linking and unlinking a lock changes the owner file's ctime: whoever takes or drops a
    # lock has shown itself alive by the same call, whenever its next beat is due.
    return seen.st_mtime_ns, seen.st_ctime_ns
