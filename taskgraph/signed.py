"""A store whose every record and document is signed: ``store = signed(store, ring)``.

A store and keys flow in, the same store flows out, through which nothing passes unsigned.
What is published gets a signature over its key, kind, epoch, digest, inputs, origin and
payload, bound to the store's id; what is loaded loses it again, or does not come out. So
nobody else (runner, session, import, rekey) handles signatures, and none can forget to.
Backends see longer payloads.

A result that was not signed for its place counts as damaged. A handle that may make a
store (``execute``) puts a copy aside among the documents, removes it, and looks once more:
a sound copy may lie below. Other handles leave it where it is. A failure is passed over.

Signed documents lie under ``signed/``, beside what others call by the same name: workers
with and without a key never spoil each other's.

What it does not give
    * ``present``, ``heads`` and ``keys`` are answered from what is not verified: a forged
      record counts as done until it is loaded. ``check`` loads everything.
    * Times, memory and attempt numbers of records are not signed: stores round them.
    * An old record that was signed for this key and store is as good as ever.
    * Locks, owner records and tombstones are not signed.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, cast

from taskgraph.codecs import signing
from taskgraph.codecs.signing import Keyring, SignatureRefused
from taskgraph.codecs.wire import SIGNED_HEAD
from taskgraph.errors import ConfigError, StoreError
from taskgraph.store import Head, Key, Origin, Payload, Problem, Record, Store

#: Tells writers without a key that results here are signed.
MARKER = "signed"
PREFIX, ASIDE = "signed/", "refused/"
#: Looks below a refused record; a stranger who writes on gets no more of them.
ROUNDS = 5
#: Bytes of the largest payload that is put aside, and records loaded at a time by a check.
ASIDE_BYTES, CHUNK = 16 << 20, 200

_RECORD, _DOCUMENT = b"taskgraph record 1", b"taskgraph document 1"
_ALTERED = (
    "heads",
    "load",
    "failures",
    "publish",
    "check",
    "put_document",
    "get_document",
    "list_documents",
)
_SAME = (
    "url", "id", "lease_seconds", "coarse_bits", "refresh", "tombstones", "present",
    "failed_keys", "keys", "enter", "beat", "running", "leave", "claim", "release", "workers",
    "wait", "invalidate", "forget", "pack", "usage", "close",
)  # fmt: skip
_log = logging.getLogger("taskgraph.signed")


def guarded(store: Store, *, create: bool) -> Store:
    """Return a store as this process must use it: signed, when it has a key.

    Parameters
    ----------
    store : Store
        As a backend opened it.
    create : bool
        Whether it is opened to be written: what is refused is then put aside, and a store
        of signed results is no place for a process without a key.

    Raises
    ------
    ConfigError
        If the key file can't be used, or there is none and results here are signed.
    """
    ring = signing.keyring()
    if ring is None:
        if create:
            refuse_unsigned(store)
        return store
    if create and store.get_document(MARKER) is None:
        store.put_document(MARKER, b"results are signed\n")
    return signed(store, ring, removes=create)


def refuse_unsigned(store: Store) -> None:
    """Raise ConfigError before results are published unsigned where others sign theirs."""
    if signing.keyring() is None and store.get_document(MARKER):
        raise ConfigError(
            f"Results in this store are signed, and workers with a key refuse others: set "
            f"{signing.VARIABLE} to the file with the key. Got no key for {store.url}."
        )


def signed(store: Store, ring: Keyring, *, removes: bool = True) -> Store:
    """Return the store with signatures.

    Parameters
    ----------
    store : Store
        Where signed records lie.
    ring : Keyring
        Keys that sign and verify.
    removes : bool
        Put results that are refused aside, so that they are computed again.
    """
    return cast("Store", _Signed(store, ring, removes))


class _Signed:
    def __init__(self, inner: Store, ring: Keyring, removes: bool) -> None:
        self._inner, self._ring, self._removes = inner, ring, removes
        self._warned = False
        for name in dir(inner):  # what a backend offers beyond the port too
            if name in _SAME or not (name.startswith("_") or name in _ALTERED):
                setattr(self, name, getattr(inner, name))

    # -- records -----------------------------------------------------------------
    def publish(self, worker: str, records: Sequence[Record]) -> None:
        """Sign and publish."""
        seal = self._ring.seal
        self._inner.publish(
            worker,
            [r._replace(payload=seal(_RECORD, self._facts(r), r.payload)) for r in records],
        )

    def load(self, keys: Sequence[Key], floors: Sequence[int] | None = None) -> list[Record | None]:
        """Return the live results that are signed; see the module for the others."""
        found: list[Record | None] = [None] * len(keys)
        places: Sequence[int] = range(len(keys))
        for _ in range(ROUNDS):
            least = None if floors is None else [floors[place] for place in places]
            records = self._inner.load([keys[place] for place in places], least)
            refused: list[tuple[int, Record]] = []
            for place, record in zip(places, records, strict=True):
                if record is not None:
                    found[place] = opened = self._opened(record)
                    if opened is None:
                        refused.append((place, record))
            if not refused or not (self._removes and self._put_aside([r for _, r in refused])):
                break
            places = [place for place, _ in refused]
        return found

    def heads(self, keys: Sequence[Key], floors: Sequence[int] | None = None) -> list[Head | None]:
        """Return heads, not verified; their sizes without signatures."""
        found = self._inner.heads(keys, floors)
        return [
            None if head is None else head._replace(size=max(0, head.size - SIGNED_HEAD))
            for head in found
        ]

    def failures(
        self, keys: Sequence[Key], floors: Sequence[int] | None = None
    ) -> list[list[Record]]:
        """Return the live failures that are signed."""
        return [
            [opened for record in records if (opened := self._opened(record)) is not None]
            for records in self._inner.failures(keys, floors)
        ]

    def check(self, *, fix: bool = True) -> list[Problem]:
        """Verify what the store itself can, then the signature of every result."""
        problems = self._inner.check(fix=fix)
        keys = self._inner.keys()
        for start in range(0, len(keys), CHUNK):
            for record in self._inner.load(keys[start : start + CHUNK]):
                if record is not None and self._opened(record) is None:
                    gone = fix and self._put_aside([record])
                    problems.append(Problem("signature", record.key.hex(), record.key, gone))
        return problems

    def _opened(self, record: Record) -> Record | None:
        """Return a record with its bare payload; ``None``, with a warning, when it is refused."""
        try:
            payload = self._ring.open(_RECORD, self._facts(record), record.payload)
        except SignatureRefused as error:
            if not self._warned:  # one stranger may have written a million
                _log.warning("%s counts as absent: %s", record.key.hex()[:12], error)
            self._warned = True
            return None
        return record._replace(payload=payload)

    def _put_aside(self, records: Sequence[Record]) -> bool:
        """Remove results that were refused, keeping a copy of each; False when none went."""
        for record in records:
            if record.size <= ASIDE_BYTES:
                name = f"{ASIDE}{record.key.hex()}/{record.epoch}-{record.digest.hex()}"
                with suppress(StoreError):
                    self._inner.put_document(name, _joined(record.payload))
        _log.warning("%d results without a valid signature were put aside", len(records))
        return self._inner.forget([_head(record) for record in records]) > 0

    def _facts(self, record: Record) -> bytes:
        key, _, _, digest, inputs, origin, *_ = record
        numbers = f"{record.kind} {record.epoch} {len(digest)} {len(inputs)} {self._inner.id}\0"
        return b"".join((key, numbers.encode(), digest, inputs, _origin(origin)))

    # -- documents ---------------------------------------------------------------
    def put_document(self, name: str, data: bytes) -> None:
        """Sign and store a document."""
        sealed = self._ring.seal(_DOCUMENT, self._place(name), bytes(data))
        self._inner.put_document(PREFIX + name, _joined(sealed))

    def get_document(self, name: str) -> bytes | None:
        """Return a signed document; one that is refused is ``None``, with a warning."""
        data = self._inner.get_document(PREFIX + name)
        if data is None:
            return None
        try:
            return bytes(self._ring.open(_DOCUMENT, self._place(name), data))
        except SignatureRefused as error:
            _log.warning("document %r counts as absent: %s", name, error)
            return None

    def list_documents(self, prefix: str = "") -> list[str]:
        """Return the names of signed documents."""
        names = self._inner.list_documents(PREFIX + prefix)
        return [name.removeprefix(PREFIX) for name in names]

    def _place(self, name: str) -> bytes:
        return self._inner.id.encode() + b"\0" + name.encode("utf-8", "surrogateescape")


@lru_cache(maxsize=256)
def _origin(origin: Origin) -> bytes:
    """Return an origin as bytes that say how long they are."""
    parts: list[Any] = [getattr(origin, name) for name in Origin.__slots__]
    text = json.dumps(parts).encode()
    return len(text).to_bytes(8, "little") + text


def _head(record: Record) -> Head:
    return Head(
        record.key, record.epoch, record.digest, record.size, record.seconds, record.started,
        record.origin,
    )  # fmt: skip


def _joined(payload: Payload) -> bytes:
    if isinstance(payload, bytes | bytearray | memoryview):
        return bytes(payload)
    return b"".join(payload)
