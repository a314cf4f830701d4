"""``migrate``: a store copied to another place or backend, through the port alone.

Two open stores flow in; all that the first one holds is in the second afterwards, and what
was copied flows out. Neither backend is known here, nor any jugfile.

The order: the tombstones (``ledger.py`` tells how their numbers are translated), then
results, failures and documents, in parts of bounded size. Each part is read back from the
target and compared by a digest of its bytes; at the end the heads of all live results are
compared, those of earlier runs too. Stopped anywhere, the target is a store that can be
used, which merely lacks something: what is there is right, and a second run copies the rest.

What has been computed in the target since an earlier run stays. A result that the source
has killed by a tombstone of its own is not copied; one that is dead by an ancestor is,
with an epoch by which it is as dead there. Of two copies of one result the one goes that
the source would answer with. What is not copied: locks and workers, failures that `retry`
has set aside, what lies in quarantine.

With workers in the source (``live``) the copy is that of a moment for each part: what they
publish later is taken over by a run after they have ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import sha256

from taskgraph.errors import UsageError
from taskgraph.ops.context import CHUNK, visitor
from taskgraph.ops.ledger import PREFIX, Ledger
from taskgraph.signed import refuse_unsigned
from taskgraph.store import Head, Key, Payload, Record, Store, largest_result
from taskgraph.tenants import moved_label

#: Records loaded or published at a time, and the bytes of payload that end a part early.
PART, PART_BYTES = 1000, 64 << 20

Progress = Callable[[int, int], object]


@dataclass(frozen=True, slots=True)
class Migrated:
    """What one run has copied, and what is not in the target as it should be."""

    source: str
    target: str
    results: int
    bytes: int  #: of their payloads
    already: int  #: results that were there
    own: int  #: of these: computed in the target, which keeps its own
    failures: int
    documents: int
    tombstones: int
    verified: int  #: live results compared at the end
    damaged: tuple[str, ...]  #: hashes of results that the source can't read
    too_large: tuple[str, ...]  #: hashes of results above what the target takes
    wrong: tuple[str, ...]  #: what the target does not give back as it was written

    @property
    def exit_code(self) -> int:
        """0 when all is in the target, 1 when something is not."""
        return 1 if self.damaged or self.too_large or self.wrong else 0


def refuse_live(source: Store) -> None:
    """Raise UsageError when workers are alive in a store."""
    alive = [info.identity.host for info in source.workers() if info.alive]
    if alive:
        raise UsageError(
            "A store is copied while nobody works in it: stop its workers, or copy beside them "
            "with --live, and once more when they have ended, for what they publish meanwhile; "
            f"got {len(alive)} live workers, the first on {alive[0]}."
        )


def migrate(
    source: Store, target: Store, *, live: bool = False, progress: Progress | None = None
) -> Migrated:
    """``done = migrate(open_store(old), open_store(new, create=True))``: copy and verify.

    Parameters
    ----------
    source, target : Store
        Two stores, of any backends. The target is empty, or was begun by such a copy.
    live : bool
        Copy although workers are alive in the source.
    progress : callable, optional
        Called with the results looked at and the results in all.

    Raises
    ------
    UsageError
        If both are one store, workers are alive in the source, or the target holds
        something else.
    ConfigError
        If results of the source are signed, and there is no key.
    StoreError
        If one of the two fails; what was copied stays, and a second run goes on.
    """
    if source.id == target.id:
        raise UsageError(
            f"A store is copied to another one: name a new place; got {source.url} twice."
        )
    refuse_unsigned(source)  # signatures hold for one store: they can't be copied unopened
    if not live:
        refuse_live(source)
    source.refresh()
    target.refresh()
    with visitor(target) as worker:
        copy = _Copy(source, target, worker, progress or (lambda done, total: None))
        return copy.run()


@dataclass(slots=True)
class _Count:
    results: int = 0
    bytes: int = 0
    already: int = 0
    failures: int = 0
    documents: int = 0
    damaged: list[str] = field(default_factory=list)
    too_large: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


class _Copy:
    """One run."""

    def __init__(self, source: Store, target: Store, worker: str, progress: Progress) -> None:
        self._source, self._target, self._worker = source, target, worker
        self._progress = progress
        self._ledger = Ledger(source, target)
        self._count = _Count()
        self._absent: set[Key] = set()  # what is told already
        self._own: set[Key] = set()
        self._label = cache(lambda label: moved_label(label, source.url, target.url))

    def run(self) -> Migrated:
        tombstones = self._ledger.replay()
        keys = self._source.keys()
        for done, heads in self._alive(keys):
            self._results(heads)
            self._progress(done, len(keys))
        self._failures()
        self._documents()
        verified = sum(self._verify(heads) for _, heads in self._alive(keys))
        count = self._count
        return Migrated(
            self._source.url,
            self._target.url,
            count.results,
            count.bytes,
            count.already,
            len(self._own),
            count.failures,
            count.documents,
            tombstones,
            verified,
            tuple(count.damaged),
            tuple(count.too_large),
            tuple(dict.fromkeys(count.wrong)),
        )

    # -- results -----------------------------------------------------------------
    def _alive(self, keys: Sequence[Key]) -> Iterator[tuple[int, list[Head]]]:
        """Give how many keys were looked at, and the heads that no tombstone of theirs kills."""
        killed = self._source.tombstones().results
        for start in range(0, len(keys), CHUNK):
            part = keys[start : start + CHUNK]
            heads = self._source.heads(part, [killed.get(key, 0) for key in part])
            yield start + len(part), [head for head in heads if head is not None]

    def _there(self, heads: Sequence[Head]) -> list[Head | None]:
        floors = [self._ledger.epoch(head.epoch) for head in heads]
        return self._target.heads([head.key for head in heads], floors)

    def _results(self, heads: list[Head]) -> None:
        missing = []
        for head, there in zip(heads, self._there(heads), strict=True):
            if there is None:
                missing.append(head)
                continue
            self._count.already += 1
            if (there.digest, there.size) != (head.digest, head.size):
                self._own.add(head.key)
        largest = largest_result(self._target)
        large = [head.key for head in missing if head.size > largest]
        self._absent.update(large)
        self._count.too_large += [key.hex() for key in large]
        missing = [head for head in missing if head.size <= largest]
        for part in _parts(missing):
            self._copy([head.key for head in part])

    def _copy(self, keys: list[Key]) -> None:
        records = self._load(keys)
        lost = [key for key, record in zip(keys, records, strict=True) if record is None]
        self._absent.update(lost)
        self._count.damaged += [key.hex() for key in lost]
        sent = [self._translated(record) for record in records if record is not None]
        self._target.publish(self._worker, sent)
        self._target.beat(self._worker)
        self._count.results += len(sent)
        self._count.bytes += sum(record.size for record in sent)
        floors = [record.epoch for record in sent]
        back = self._target.load([record.key for record in sent], floors)
        for record, other in zip(sent, back, strict=True):
            if other is None or _sum(record) != _sum(other):
                self._count.wrong.append(record.key.hex())
                self._absent.add(record.key)

    def _load(self, keys: list[Key]) -> list[Record | None]:
        records = self._source.load(keys)
        if None in records:  # below a damaged copy, which is put aside now, a sound one may lie
            again = iter(
                self._source.load([k for k, r in zip(keys, records, strict=True) if not r])
            )
            records = [record or next(again) for record in records]
        return records

    def _translated(self, record: Record) -> Record:
        origin = record.origin
        label = self._label(origin.jugfile)
        if label != origin.jugfile:
            origin = replace(origin, jugfile=label)
        return record._replace(epoch=self._ledger.epoch(record.epoch), origin=origin)

    def _verify(self, heads: list[Head]) -> int:
        """Compare the heads of live results with the target's; return how many are right."""
        right = 0
        for head, there in zip(heads, self._there(heads), strict=True):
            if head.key in self._absent:
                continue
            same = there is not None and (there.digest, there.size) == (head.digest, head.size)
            if same or (there is not None and head.key in self._own):
                right += 1
            else:
                self._count.wrong.append(head.key.hex())
        return right

    # -- failures and documents --------------------------------------------------
    def _failures(self) -> None:
        keys = self._source.failed_keys()
        killed = self._target.tombstones().failures
        for start in range(0, len(keys), PART):
            part = keys[start : start + PART]
            there = {_mark(r) for records in self._target.failures(part) for r in records}
            wanted = [
                self._translated(r) for records in self._source.failures(part) for r in records
            ]
            fresh = [r for r in wanted if r.epoch >= killed.get(r.key, 0) and _mark(r) not in there]
            self._target.publish(self._worker, fresh)
            self._count.failures += len(fresh)
            there = {_mark(r) for records in self._target.failures(part) for r in records}
            self._count.wrong += [r.key.hex() for r in fresh if _mark(r) not in there]

    def _documents(self) -> None:
        try:
            for name in self._source.list_documents():
                data = None if name.startswith(PREFIX) else self._source.get_document(name)
                if data is not None:
                    self._document(name, data)
        finally:
            self._ledger.save()

    def _document(self, name: str, data: bytes) -> None:
        there = self._target.get_document(name)
        copied = self._ledger.documents
        if there == data:
            return
        if there is not None and copied.get(name) != _short(there):
            return  # written in the target since: it stays
        self._target.put_document(name, data)
        copied[name] = _short(data)
        self._count.documents += 1
        if self._target.get_document(name) != data:
            self._count.wrong.append(f"document {name}")


def _parts(heads: list[Head]) -> Iterator[list[Head]]:
    part: list[Head] = []
    size = 0
    for head in heads:
        if part and (len(part) == PART or size + head.size > PART_BYTES):
            yield part
            part, size = [], 0
        part.append(head)
        size += head.size
    if part:
        yield part


def _sum(record: Record) -> tuple[bytes, int, bytes, bytes]:
    """Return what must be the same after a copy."""
    return record.digest, record.size, record.inputs, _digest(record.payload)


def _digest(payload: Payload) -> bytes:
    parts = [payload] if isinstance(payload, bytes | bytearray | memoryview) else payload
    total = sha256()
    for part in parts:
        total.update(memoryview(part).cast("B"))
    return total.digest()


def _mark(record: Record) -> tuple[object, ...]:
    """Return what tells a failure from any other."""
    worker = record.origin.worker
    return record.key, record.kind, record.attempt, record.started, worker, _digest(record.payload)


def _short(data: bytes) -> str:
    return sha256(data).hexdigest()[:16]
