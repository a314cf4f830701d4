"""Where digests of input files lie in a store: one document, and leases on files.

Digests by path flow in and are merged into the document ``digests``; the document flows
out as a mapping. A lease on a file is a lock on a key made from its path, held by an
owner record of its own; the document has such a lock too, so that of two workers that
save at once neither loses what the other adds. All of it is a convenience: what is lost
here is read again. Made for one thread at a time, but for :meth:`Shelf.beat`.

Layout of the document: 8 bytes of magic, then JSON under zlib: path -> [inode, size,
mtime, ctime, digest in hex]; times in nanoseconds. One entry a path, the newest.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

from taskgraph.provenance import identity
from taskgraph.store import Claim, Identity, Key, Store, WorkerInfo

DOCUMENT = "digests"
MAGIC = b"TGFILES1"
#: Locks of digests all lie in one bucket: a worker that locks buckets is hindered in one only.
_BUCKET = b"\xff"


class Entry(NamedTuple):
    """What is known of one file; times in nanoseconds since 1970."""

    ino: int
    size: int
    mtime_ns: int
    ctime_ns: int
    digest: bytes


def pack(entries: Mapping[str, Entry]) -> bytes:
    """Return the document that holds these entries."""
    rows = {path: [*entry[:4], entry.digest.hex()] for path, entry in entries.items()}
    return MAGIC + zlib.compress(json.dumps(rows, separators=(",", ":")).encode(), 1)


def unpack(document: bytes | None) -> dict[str, Entry] | None:
    """Return the entries of a document; ``None`` when it is damaged or of another version."""
    if document is None:
        return {}
    if document[: len(MAGIC)] != MAGIC:
        return None
    try:
        rows = json.loads(zlib.decompress(document[len(MAGIC) :]))
        return {
            path: Entry(ino, size, mtime, ctime, bytes.fromhex(digest))
            for path, (ino, size, mtime, ctime, digest) in rows.items()
        }
    except (ValueError, TypeError, AttributeError, zlib.error):
        return None


def lock_of(path: str) -> Key:
    """Return the key by which a file (an absolute path) is leased."""
    return (
        _BUCKET + hashlib.sha256(b"digest\0" + path.encode("utf-8", "surrogateescape")).digest()[1:]
    )


class Shelf:
    """``shelf = Shelf(store)``: the digests in a store.

    Parameters
    ----------
    store : Store
        Where they lie.
    who : callable
        Returns who leases; asked when something is leased or saved.
    """

    def __init__(self, store: Store, who: Callable[[], Identity] = identity) -> None:
        self._store, self._who = store, who
        self._worker = ""
        self._claims: list[Claim] = []
        self._raw: bytes | None = None
        self._entries: dict[str, Entry] = {}

    def load(self) -> dict[str, Entry]:
        """Return what is saved by now; not to be changed."""
        raw = self._store.get_document(DOCUMENT)
        if raw != self._raw:
            self._raw, self._entries = raw, unpack(raw) or {}
        return self._entries

    def add(self, new: Mapping[str, Entry], *, force: bool = False) -> bool:
        """Merge entries into the document; False when another worker is writing it.

        With ``force`` it is written all the same: at worst what the other adds is lost.
        """
        claim = self._store.claim(self._enter(), [_DOCUMENT_LOCK])
        if not claim.keys and not force:
            return False
        try:
            entries = {**self.load(), **new}
            raw = pack(entries)
            self._store.put_document(DOCUMENT, raw)
            self._raw, self._entries = raw, entries
        finally:
            self._store.release(self._worker, claim)
        return True

    # -- leases --------------------------------------------------------------------------
    def lease(self, path: str) -> bool:
        """Lease a file; False when another worker holds it."""
        claim = self._store.claim(self._enter(), [lock_of(path)])
        if claim.keys:
            self._claims.append(claim)
        return bool(claim.keys)

    def holder(self, path: str) -> WorkerInfo | None:
        """Return who holds a file, ``None`` when nobody does any more."""
        key = lock_of(path)
        for info in self._store.workers():
            if info.worker != self._worker and (key in info.keys or key[0] in info.buckets):
                return info
        return None

    def beat(self) -> None:
        """Show that whoever holds these leases is at work."""
        if self._worker:
            self._store.beat(self._worker)

    def let_go(self) -> None:
        """Give back all leases and the owner record."""
        claims, self._claims = self._claims, []
        worker, self._worker = self._worker, ""
        for claim in claims:
            self._store.release(worker, claim)
        if worker:
            self._store.leave(worker)

    def _enter(self) -> str:
        if not self._worker:
            self._worker = self._store.enter(self._who())
        return self._worker


_DOCUMENT_LOCK = lock_of("")
