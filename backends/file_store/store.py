"""The file store: the port, composed of its parts.

Records flow in and out as the port says. Each method here is a few lines: it puts parts in
the order that the protocol asks for and turns operating system errors into the store's.
What one part must do is told in the part: ``locks`` and ``owners`` (who works), ``writer``
and ``blobs`` (publishing), ``view`` (reading), ``tombstones`` (invalidating),
``housekeeping`` (packing, checking).

A publish in its order: payload files written and synced; rows appended and synced; a look
whether a packer sealed any of it; the mark; then this process's own index, then the bell. A
claim in its order: locks; the epoch; a full look for results that came meanwhile.

Made for one thread at a time; ``beat`` may come from another. After a fork each process
writes to a segment of its own. A lease does not fence: see the port.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress

from backends.file_store.bell import Bell
from backends.file_store.blobs import LARGE
from backends.file_store.documents import Documents
from backends.file_store.drafts import Draft, drafts
from backends.file_store.filesystem import FileSystem, store_error
from backends.file_store.founding import Charter
from backends.file_store.housekeeping import Housekeeping
from backends.file_store.layout import bucket_lock, key_lock
from backends.file_store.locks import Locks
from backends.file_store.owners import Owners
from backends.file_store.view import View
from backends.file_store.writer import Writer
from taskgraph.store import (
    KILL_RESULTS,
    Claim,
    Finding,
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

#: Bytes of rows that go into one append and one sync.
BATCH = 1 << 29


class FileStore:
    """A store in a folder that any number of processes and hosts may share.

    Parameters
    ----------
    root : str
        Absolute path of a folder with a charter.
    charter : Charter
        What the store was founded with.
    fs : FileSystem
        All calls to the disk.
    clock, sleep : callable
        Seconds, never going back, and a pause of some seconds.
    """

    coarse_bits = 8

    def __init__(
        self,
        root: str,
        charter: Charter,
        fs: FileSystem,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = f"file:{root}"
        self.id = charter.id
        self.lease_seconds = charter.lease_seconds
        self._charter = charter
        self._fs = fs
        self._layout = layout = charter.layout(root)
        self._owners = Owners(fs, layout, charter.lease_seconds, clock)
        self._locks = Locks(fs, layout, self._owners, sleep=sleep, network=charter.network)
        self._bell = Bell(fs, layout, charter.network, clock, sleep)
        network = charter.network
        self._view = View(fs, layout, network, self._owners.silent, self._bell, clock)
        self._house = Housekeeping(fs, layout, charter, self._view, self._owners, self._locks)
        self._documents = Documents(fs, layout)
        self._writers: dict[str, Writer] = {}
        try:
            with self._told():
                self._view.look()
        except BaseException:
            self.close()
            raise

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise store_error(error, self._layout.root) from error

    # -- looking ---------------------------------------------------------------
    def refresh(self) -> News:
        """Look anew; one look at the bell where nothing is new."""
        with self._told():
            self._view.glance()
        return self._view.news()

    def tombstones(self) -> Tombstones:
        """Return the tombstones known since the last refresh or claim."""
        return self._view.graveyard.known

    def present(self, keys: Sequence[Key], floors: Sequence[int] | None = None) -> bytearray:
        """Return 1 for each key with a live result, else 0."""
        with self._told():
            return self._view.present(keys, floors)

    def heads(self, keys: Sequence[Key], floors: Sequence[int] | None = None) -> list[Head | None]:
        """Return the heads of the live results."""
        with self._told():
            return self._view.heads(keys, floors)

    def load(self, keys: Sequence[Key], floors: Sequence[int] | None = None) -> list[Record | None]:
        """Return the live results, verified; large payloads are copy-on-write maps."""
        with self._told():
            return self._view.load(keys, floors)

    def failures(
        self, keys: Sequence[Key], floors: Sequence[int] | None = None
    ) -> list[list[Record]]:
        """Return the live failure and death records of each key, oldest first."""
        with self._told():
            return self._view.failures(keys, floors)

    def failed_keys(self) -> list[Key]:
        """Return all keys with any failure or death record."""
        return list(self._view.index.failed)

    def keys(self) -> list[Key]:
        """Return every key with a result, dead or alive."""
        return list(self._view.index.results)

    # -- working ---------------------------------------------------------------
    def enter(self, identity: Identity) -> str:
        """Create an owner record and return the worker's id."""
        worker = self._owners.enter(identity)
        with self._told():
            self._house.merge(worker, thorough=True)
        return worker

    def beat(self, worker: str) -> bool:
        """Renew the owner record; False when it is gone."""
        return self._owners.beat(worker)

    def running(self, worker: str, key: Key) -> None:
        """Note in the owner record what the worker runs."""
        self._owners.running(worker, key)

    def leave(self, worker: str) -> None:
        """Finish the worker's segment, free its locks, remove its owner record."""
        writer = self._writers.pop(worker, None)
        try:
            with self._told():
                if writer is not None:
                    writer.abandon()
                self._house.merge(worker, thorough=False)
        finally:
            self._owners.leave(worker)

    def claim(
        self, worker: str, keys: Sequence[Key], *, coarse: bool = False, most: int | None = None
    ) -> Claim:
        """Lock what can be locked, then read the epoch, then look for new results."""
        name_of = _bucket_of if coarse else key_lock
        wanted = [name_of(key) for key in keys]
        names = list(dict.fromkeys(wanted))
        taken = dict(zip(names, self._locks.take(worker, names, most), strict=True))
        held = {name for name, got in taken.items() if got}
        try:
            with self._told():
                self._view.look()
        except BaseException:
            self._locks.drop(worker, sorted(held))
            raise
        mine: list[Key] = []
        busy: list[Key] = []
        for key, name in zip(keys, wanted, strict=True):
            if (got := taken[name]) is not None:
                (mine if got else busy).append(key)
        epoch = self._view.graveyard.known.epoch
        return Claim(epoch, mine, busy, [name for name in names if name in held])

    def release(self, worker: str, claim: Claim, keys: Sequence[Key] | None = None) -> None:
        """Free the claim's locks that hold none of its other keys."""
        if keys is None:
            claim.keys.clear()
        else:
            freed = set(keys)
            claim.keys[:] = [key for key in claim.keys if key not in freed]
        kept = {name(key) for key in claim.keys for name in (key_lock, _bucket_of)}
        self._locks.drop(worker, [name for name in claim.names if name not in kept])
        claim.names[:] = [name for name in claim.names if name in kept]

    def publish(self, worker: str, records: Sequence[Record]) -> None:
        """Make records durable, then visible, then wake the others."""
        if not records:
            return
        writer = self._writers.get(worker)
        if writer is None:
            network = self._charter.network
            writer = self._writers[worker] = Writer(self._fs, self._layout, worker, network)
        with self._told():
            while not self._publish(writer, records):
                continue  # a sweeper sealed one of the payload files: they are written anew
            self._bell.ring()

    def _publish(self, writer: Writer, records: Sequence[Record]) -> bool:
        large = [i for i, record in enumerate(records) if _bytes(record) >= LARGE]
        apart = [records[i] for i in large]
        blobs = self._view.blobs
        references = blobs.write(apart) if apart else []
        published = False
        try:
            for batch in _batches(drafts(records, dict(zip(large, references, strict=True)))):
                blocks = writer.append(batch, lambda: blobs.open_ones(apart, references))
                if blocks is None or writer.segment is None:
                    return False
                published = True
                self._view.published(writer.segment, blocks, batch)
        except OSError:
            if not (published or writer.marking):  # else rows that name some of them may be out
                blobs.discard(apart, references)
            raise
        return True

    def workers(self) -> list[WorkerInfo]:
        """Return every worker with an owner record, dead or alive."""
        return self._owners.infos()

    def wait(self, seconds: float) -> bool:
        """Block until there may be news or the time is over."""
        with self._told():
            return self._bell.wait(self._view.stamp, seconds)

    # -- looking after ---------------------------------------------------------
    def invalidate(self, keys: Sequence[Key], kind: int = KILL_RESULTS, note: str = "") -> int:
        """Write one durable tombstone over these roots and return its number."""
        with self._told():
            number = self._view.graveyard.add(keys, kind, {"note": note} if note else {})
            self._bell.ring()
        return number

    def forget(self, heads: Sequence[Head]) -> int:
        """Remove exactly these results for good; return how many."""
        with self._told():
            names, exact = self._house.holding(heads)
            if not exact:
                return 0
            for writer in self._writers.values():
                if writer.segment is not None and writer.segment.name in names:
                    writer.abandon()
            gone = self._house.forget(names, exact)
            self._bell.ring()
        return gone

    def pack(self, progress: object = None) -> Usage:
        """Merge small files and drop what no reader can want.

        ``progress``, if callable, is called with the rows copied and the rows in all.
        """
        with self._told():
            return self._house.pack(progress if callable(progress) else None)

    def check(self, *, fix: bool = True) -> list[Problem]:
        """Verify every checksum and cross reference."""
        with self._told():
            return self._house.check(fix)

    def usage(self) -> Usage:
        """Return how much the store holds: results, and bytes and files of records."""
        with self._told():
            return self._house.usage()

    def diagnose(self) -> list[Finding]:
        """Look at what the store stands on."""
        from backends.file_store.diagnose import Diagnosis

        return Diagnosis(self._fs, self._layout, self._charter, self._owners.infos()).run()

    def put_document(self, name: str, data: bytes) -> None:
        """Store a small named document."""
        with self._told():
            self._documents.put(name, data)

    def get_document(self, name: str) -> bytes | None:
        """Return a document, or ``None``."""
        with self._told():
            return self._documents.get(name)

    def list_documents(self, prefix: str = "") -> list[str]:
        """Return the names of the documents that begin with ``prefix``, sorted."""
        with self._told():
            return self._documents.names(prefix)

    def close(self) -> None:
        """Let go of files. Locks stay."""
        for writer in self._writers.values():
            with suppress(OSError):  # an empty segment that stays is litter
                writer.abandon()
        self._writers.clear()
        self._bell.close()
        self._view.close()


def _bucket_of(key: Key) -> str:
    return bucket_lock(key[0])


def _bytes(record: Record) -> int:
    payload = record.payload
    return len(payload) if type(payload) is bytes else payload_size(payload)


def _batches(blocks: Iterable[Draft]) -> Iterator[list[Draft]]:
    batch: list[Draft] = []
    held = 0
    for block in blocks:
        if batch and held + block.size > BATCH:
            yield batch
            batch, held = [], 0
        batch.append(block)
        held += block.size
    if batch:
        yield batch
