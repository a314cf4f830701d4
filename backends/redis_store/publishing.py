"""Publishing: payloads first, then one script that flips the entries.

Records flow in, entries flow to the server. The script keeps an entry of the same or a
later epoch that is there (the first stays), frees the locks by which the worker holds
these keys, adds to the news and wakes those who wait: all of it, or nothing.

After a restart of the server, and until the caller has looked at everything anew, a
record may be made of something that the restart has lost. Such a record is left out:
:meth:`Publisher._with_inputs` looks whether all direct inputs are there, the same copies.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import pack
from typing import Any

from backends.redis_store.entries import (
    ITEM,
    LARGEST_INLINE,
    Place,
    read_head,
    write,
    write_origin,
)
from backends.redis_store.leases import Leases
from backends.redis_store.news import Reader
from backends.redis_store.places import Places
from backends.redis_store.server import RESTARTED, Server
from backends.redis_store.tombstones import gather
from backends.redis_store.wire import Argument
from taskgraph.errors import StoreFull, StoreUnreachable
from taskgraph.store import (
    DIGEST_SIZE,
    INPUT_SIZE,
    RESULT,
    Key,
    Origin,
    Payload,
    Record,
    payload_size,
)

#: Records and bytes of entries that go into one script.
MOST, MOST_BYTES = 5000, 8 << 20
#: Times that one publish may meet a restart, or find its payloads swept away.
_TRIES = 5


class Publisher:
    """``publisher.publish(worker, records)``."""

    def __init__(self, server: Server, payloads: Places, leases: Leases, reader: Reader) -> None:
        self._server, self._payloads = server, payloads
        self._leases, self._reader = leases, reader
        self._origins: dict[int, tuple[Origin, bytes]] = {}  #: by identity, kept alive
        self._sent: set[bytes] = set()
        self._unsure: dict[Key, tuple[Record, Place]] = {}
        server.on_restart.append(self._sent.clear)

    def publish(self, worker: str, records: Sequence[Record]) -> None:
        """Make records visible, in order, in parts of a bounded size."""
        for part in _parts(records):
            self._publish(worker, part)

    def _publish(self, worker: str, records: Sequence[Record]) -> None:
        places = [self._written(record) for record in records]
        self._unsure.clear()
        try:
            for _ in range(_TRIES):
                self._server.settle()
                if self._reader.judged_restarts != self._server.restarts:
                    records, places = self._with_inputs(records, places)
                self._put(records, places)
                reply = self._flip(worker, records, places)
                if reply == b"SWEPT":
                    self._discard(records, places)
                    places = [None] * len(records)
                elif reply != RESTARTED:
                    break
            else:
                raise StoreUnreachable(
                    f"A store needs a server that stays up for a moment; {_TRIES} times one of "
                    f"{self._server.address.shown} restarted, or lost payloads, during a publish."
                )
        except StoreFull:
            self._discard(records, places)
            raise
        except StoreUnreachable:
            pairs = zip(records, places, strict=True)
            self._unsure = {record.key: (record, place) for record, place in pairs if place}
            raise
        self._finish(worker, records, places, reply)

    def _written(self, record: Record) -> Place | None:
        """Return where a payload was put by a call whose outcome is unknown."""
        before = self._unsure.get(record.key)
        return before[1] if before is not None and before[0] is record else None

    # -- the steps ---------------------------------------------------------------------
    def _put(self, records: Sequence[Record], places: list[Place | None]) -> None:
        """Write the payloads that do not fit into entries."""
        for number, record in enumerate(records):
            large = places[number] is None and _size(record.payload) > LARGEST_INLINE
            if large and record.kind == RESULT:
                places[number] = self._payloads.put(record.key, record.epoch, record.payload)

    def _flip(self, worker: str, records: Sequence[Record], places: Sequence[Place | None]) -> Any:
        names, server = self._server.names, self._server
        entries = [
            write(record, self._origin(record.origin), place)
            for record, place in zip(records, places, strict=True)
        ]
        keys = [record.key for record in records]
        items = b"".join([ITEM.pack(record.kind, record.key, record.epoch) for record in records])
        lengths = pack(f">{len(entries)}I", *map(len, entries))
        chunks = [
            name
            for record, place in zip(records, places, strict=True)
            if place is not None
            for name in self._payloads.names(record.key, place)
        ]
        size = sum(_size(record.payload) for record in records if record.kind == RESULT)
        hashes = [names.heads, names.fails, names.locks, names.news, names.sizes, *chunks]
        owner = bytes.fromhex(worker) if worker else bytes(16)
        args: list[Argument] = [
            owner, server.tag, items, self._leases.tokens(worker, keys), lengths,
            b"".join(entries), size,
        ]  # fmt: skip
        return server.try_all([("publish", hashes, args)])[0]

    def _finish(
        self,
        worker: str,
        records: Sequence[Record],
        places: Sequence[Place | None],
        reply: Any,
    ) -> None:
        """Take in what the script said; remove payloads that lost, or were replaced."""
        stayed, gone, last, count = reply
        self._leases.freed(worker, [record.key for record in records if record.kind == RESULT])
        self._reader.published(last, int(count))
        if stayed:
            lost = [place if at == 0x31 else None for place, at in zip(places, stayed, strict=True)]
            self._discard(records, lost)
        if gone:
            self._payloads.drop(gone)

    def _discard(self, records: Sequence[Record], places: Sequence[Place | None]) -> None:
        for record, place in zip(records, places, strict=True):
            if place is not None:
                self._payloads.discard(record.key, record.epoch, place)

    def _origin(self, origin: Origin) -> bytes:
        """Return the digest of an origin, which is on the server."""
        known = self._origins.get(id(origin))
        if known is None or known[0] is not origin or known[1] not in self._sent:
            digest, data = write_origin(origin)
            if digest not in self._sent:
                self._server.link.call("HSET", self._server.names.origins, digest, data)
                self._sent.add(digest)
            if len(self._origins) > 1000:
                self._origins.clear()
            known = self._origins[id(origin)] = (origin, digest)
        return known[1]

    # -- after a restart ---------------------------------------------------------------
    def _with_inputs(
        self, records: Sequence[Record], places: Sequence[Place | None]
    ) -> tuple[list[Record], list[Place | None]]:
        """Return the records whose direct inputs are all there, or are among them."""
        wanted = {prefix for record in records for prefix, _ in split_inputs(record.inputs)}
        there = self._copies(wanted) if wanted else {}
        kept: list[Record] = []
        kept_places: list[Place | None] = []
        for record, place in zip(records, places, strict=True):
            if all(there.get(prefix) == digest for prefix, digest in split_inputs(record.inputs)):
                kept.append(record)
                kept_places.append(place)
                if record.kind == RESULT:
                    there[record.key[:DIGEST_SIZE]] = record.digest
            elif place is not None:
                self._payloads.discard(record.key, record.epoch, place)
        return kept, kept_places

    def _copies(self, wanted: set[bytes]) -> dict[bytes, bytes]:
        """Return prefix -> digest of the results on the server whose keys begin so."""
        names = self._server.names
        keys = {
            key
            for part, _ in gather(self._server, names.heads)
            for key in part
            if key[:DIGEST_SIZE] in wanted
        }
        if not keys:
            return {}
        ordered = list(keys)
        entries = self._server.link.call("HMGET", names.heads, *ordered)
        return {
            key[:DIGEST_SIZE]: read_head(key, entry, {}).digest
            for key, entry in zip(ordered, entries, strict=True)
            if entry is not None
        }


def split_inputs(inputs: bytes) -> list[tuple[bytes, bytes]]:
    """Return (key prefix, digest) of each input."""
    return [
        (inputs[at : at + DIGEST_SIZE], inputs[at + DIGEST_SIZE : at + INPUT_SIZE])
        for at in range(0, len(inputs), INPUT_SIZE)
    ]


def _size(payload: Payload) -> int:
    return len(payload) if type(payload) is bytes else payload_size(payload)


def _parts(records: Sequence[Record]) -> list[Sequence[Record]]:
    """Cut records into parts for one script each; no key twice in a part."""
    parts: list[Sequence[Record]] = []
    begin = size = 0
    distinct = len({record.key for record in records}) == len(records)
    seen: set[Key] = set()
    for place, record in enumerate(records):
        again = not distinct and record.key in seen
        if again or place - begin >= MOST or size > MOST_BYTES:
            parts.append(records[begin:place])
            begin, size = place, 0
            seen.clear()
        if not distinct:
            seen.add(record.key)
        payload = record.payload
        size += len(record.inputs) + 80
        size += min(LARGEST_INLINE, len(payload)) if type(payload) is bytes else LARGEST_INLINE
    if begin < len(records):
        parts.append(records[begin:])
    return parts
