"""Reading: which results are there, their heads, their payloads, verified.

Keys flow in; answers flow out, in the order of the keys. Many keys are one string each
way where only epochs are asked for, and pipelines of a bounded size where entries are.
An entry or payload that is damaged is put aside on the server and counts as absent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat

from backends.redis_store import entries
from backends.redis_store.entries import Entry
from backends.redis_store.leases import PART, unpack_epochs
from backends.redis_store.places import Places
from backends.redis_store.server import Server
from backends.redis_store.tombstones import Graveyard
from backends.redis_store.wire import Argument
from taskgraph.errors import ResultCorrupt
from taskgraph.store import Head, Key, Origin, Record

#: Entries asked for by one command.
_FEW = 1000
#: Scripts in one pipeline: the answers of that many parts are in memory at once.
_WINDOW = 32
_NOTHING = Origin()


class Shelf:
    """``shelf.present(keys, floors)``, ``shelf.load(keys, floors)``."""

    def __init__(self, server: Server, places: Places, graveyard: Graveyard) -> None:
        self._server, self._places, self._graveyard = server, places, graveyard
        self._origins: dict[bytes, Origin] = {}

    # -- epochs ------------------------------------------------------------------------
    def present(self, keys: Sequence[Key], floors: Sequence[int] | None) -> bytearray:
        """Return 1 for each key with a live result, else 0."""
        heads, answer = self._server.names.heads, bytearray()
        starts = range(0, len(keys), PART)
        for window in range(0, len(starts), _WINDOW):
            parts = [keys[at : at + PART] for at in starts[window : window + _WINDOW]]
            replies = self._server.run_all(
                [("present", [heads], [b"".join(part)]) for part in parts]
            )
            for part, packed in zip(parts, replies, strict=True):
                at = len(answer)
                answer += _alive(packed, len(part), floors and floors[at : at + len(part)])
        return answer

    # -- entries -----------------------------------------------------------------------
    def raw(self, hash_: str, keys: Sequence[Key]) -> list[bytes | None]:
        """Return the fields of a hash."""
        if not keys:
            return []
        commands: list[Sequence[Argument]] = [
            ("HMGET", hash_, *keys[at : at + _FEW]) for at in range(0, len(keys), _FEW)
        ]
        return [field for reply in self._server.link.pipeline(commands) for field in reply]

    def heads(self, keys: Sequence[Key], floors: Sequence[int] | None) -> list[Head | None]:
        """Return the heads of the live results."""
        found = self.raw(self._server.names.heads, keys)
        self._learn(entries.origin_of(data) for data in found if data)
        origins, pairs = self._origins, zip(keys, found, _with(floors), strict=False)
        heads: list[Head | None] = []
        for key, data, floor in pairs:
            head = _head(key, data, origins) if data else None
            heads.append(head if head is not None and head.epoch >= floor else None)
        return heads

    def load(self, keys: Sequence[Key], floors: Sequence[int] | None) -> list[Record | None]:
        """Return the live results."""
        found = self.raw(self._server.names.heads, keys)
        self._learn(entries.origin_of(data) for data in found if data)
        return [
            self._load(key, data, floor) if data else None
            for key, data, floor in zip(keys, found, _with(floors), strict=False)
        ]

    def _load(self, key: Key, data: bytes, floor: int) -> Record | None:
        """Return a live record whole; look once more when its entry was replaced meanwhile."""
        while True:
            try:
                entry = entries.read(key, data)
                if entry.epoch < floor:
                    return None
                payload = self._places.load(key, entry)
            except ResultCorrupt:
                payload = None
            if payload is not None:
                return entry.to_record(key, self._origins.get(entry.origin, _NOTHING), payload)
            again = self._server.link.call("HGET", self._server.names.heads, key)
            if again is None:
                return None
            if again == data:
                self.put_aside(key, data)
                return None
            data = again
            self._learn([entries.origin_of(data)])

    def put_aside(self, key: Key, data: bytes, *, failures: bool = False) -> None:
        """Move a damaged entry out of the way, if it is still there."""
        names = self._server.names
        hash_ = names.fails if failures else names.heads
        size = 0 if failures or len(data) < 16 else int.from_bytes(data[8:16], "big")
        hashes = [hash_, names.quarantine, names.sizes]
        self._server.run("quarantine", hashes, [key, data, size])

    # -- failures ----------------------------------------------------------------------
    def failures(self, keys: Sequence[Key], floors: Sequence[int] | None) -> list[list[Record]]:
        """Return the live failure and death records of each key, oldest first."""
        found = self.raw(self._server.names.fails, keys)
        killed = self._graveyard.known.failures
        frames = [entries.frames(data) if data else [] for data in found]
        self._learn(entries.origin_of(frame) for some in frames for frame in some)
        return [
            self._failures(key, some, max(floor, killed.get(key, 0)))
            for key, some, floor in zip(keys, frames, _with(floors), strict=False)
        ]

    def _failures(self, key: Key, frames: Sequence[bytes], floor: int) -> list[Record]:
        records = []
        for frame in frames:
            try:
                entry = entries.read(key, frame)
            except ResultCorrupt:  # named, and put aside, by a check
                continue
            if entry.epoch >= floor:
                records.append(self._record(key, entry))
        return records

    def _record(self, key: Key, entry: Entry) -> Record:
        return entry.to_record(key, self._origins.get(entry.origin, _NOTHING), bytes(entry.payload))

    # -- origins -----------------------------------------------------------------------
    def _learn(self, digests: Iterable[bytes]) -> None:
        """Read the origins that are not known yet."""
        lacking = list({digest for digest in digests if digest not in self._origins})
        if not lacking:
            return
        for digest, data in zip(
            lacking, self.raw(self._server.names.origins, lacking), strict=True
        ):
            if data is not None:
                self._origins[digest] = entries.read_origin(data)


def _head(key: Key, data: bytes, origins: dict[bytes, Origin]) -> Head | None:
    try:
        return entries.read_head(key, data, origins)
    except ResultCorrupt:  # put aside when it is loaded, or by a check
        return None


def _with(floors: Sequence[int] | None) -> Iterable[int]:
    return repeat(0) if floors is None else floors


def _alive(packed: bytes, count: int, floors: Sequence[int] | None) -> bytes | bytearray:
    """Return 1 for each packed epoch that is not below its floor (and is there at all)."""
    if not packed:
        return bytes(count)
    if packed.find(b"\xff") < 0 and not (floors and any(floors)):
        return b"\x01" * count
    epochs = unpack_epochs(packed)
    if floors is None:
        return bytearray([epoch >= 0 for epoch in epochs])
    return bytearray([e >= 0 and e >= floor for e, floor in zip(epochs, floors, strict=True)])
