"""The store on a server: the port, composed of its parts.

Records flow in and out as the port says. Each method here is a few lines; what a part must
do is told in the part: ``server`` (connections, restarts), ``leases`` (who works),
``publishing`` and ``places`` (results), ``reading``, ``news`` (looking, waking),
``tombstones`` (invalidating), ``care`` (packing, checking).

Of several results of one key and epoch the first stays: a value that was handed out does
not change. A restart of the server may take back the last second, or what its persistence
leaves out; nothing is then published that is made of what was lost, and the next refresh
says that everything is to be looked at anew. Done for one thread at a time; ``beat`` may
come from another.
"""

from __future__ import annotations

from collections.abc import Sequence

from backends.redis_store import settings
from backends.redis_store.care import Care
from backends.redis_store.disk import Disk
from backends.redis_store.documents import Documents
from backends.redis_store.leases import Leases
from backends.redis_store.news import Reader
from backends.redis_store.places import Places
from backends.redis_store.publishing import Publisher
from backends.redis_store.reading import Shelf
from backends.redis_store.server import Server
from backends.redis_store.tombstones import Graveyard, gather
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
)


class RedisStore:
    """A project on a server that any number of processes and hosts may share.

    Parameters
    ----------
    server : Server
        The server, not connected yet.
    """

    coarse_bits = 0  #: a lock is a field in a batch: there is nothing to save by buckets

    def __init__(self, server: Server) -> None:
        self._server = server
        server.settle()
        self.url = server.address.shown
        self.lease_seconds = server.lease_ms / 1000
        self._graveyard = Graveyard(server)
        self._reader = Reader(server, self._graveyard)
        self._leases = Leases(server)
        places = Places(server, _disk(server))
        self.largest = places.largest
        self._publisher = Publisher(server, places, self._leases, self._reader)
        self._shelf = Shelf(server, places, self._graveyard)
        self._documents = Documents(server)
        self._care = Care(server, self._shelf, self._leases, places, self._graveyard)
        self._reader.look()
        self._reader.news()
        if server.create:
            for line in settings.warnings(server.link):
                server.say(line)

    @property
    def id(self) -> str:
        """Random, made with the project; another one after it was emptied."""
        return self._server.id

    # -- looking ---------------------------------------------------------------
    def refresh(self) -> News:
        """Look anew: one round trip where nothing is new."""
        self._reader.look()
        self._leases.heard(self._reader.results)
        news = self._reader.news()
        if news.tombstones:
            self._leases.seen.clear()
        return news

    def tombstones(self) -> Tombstones:
        """Return the tombstones known since the last refresh or claim."""
        return self._graveyard.known

    def present(self, keys: Sequence[Key], floors: Sequence[int] | None = None) -> bytearray:
        """Return 1 for each key with a live result, else 0.

        What a claim has just seen is not asked for again, once.
        """
        seen = self._leases.seen
        if seen and len(keys) <= len(seen):
            epochs = [seen.get(key) for key in keys]
            seen.clear()  # the answer is that of the claim, and gets no younger
            if None not in epochs:
                floors = [0] * len(keys) if floors is None else floors
                pairs = zip(epochs, floors, strict=True)
                return bytearray(e is not None and e >= max(floor, 0) for e, floor in pairs)
        return self._shelf.present(keys, floors)

    def heads(self, keys: Sequence[Key], floors: Sequence[int] | None = None) -> list[Head | None]:
        """Return the heads of the live results."""
        return self._shelf.heads(keys, floors)

    def load(self, keys: Sequence[Key], floors: Sequence[int] | None = None) -> list[Record | None]:
        """Return the live results, verified."""
        return self._shelf.load(keys, floors)

    def failures(
        self, keys: Sequence[Key], floors: Sequence[int] | None = None
    ) -> list[list[Record]]:
        """Return the live failure and death records of each key, oldest first."""
        return self._shelf.failures(keys, floors)

    def failed_keys(self) -> list[Key]:
        """Return all keys with any failure or death record."""
        return self._keys(self._server.names.fails)

    def keys(self) -> list[Key]:
        """Return every key with a result, dead or alive."""
        return self._keys(self._server.names.heads)

    def _keys(self, hash_: str) -> list[Key]:
        return list({key: None for part, _ in gather(self._server, hash_) for key in part})

    # -- working ---------------------------------------------------------------
    def enter(self, identity: Identity) -> str:
        """Create an owner record and return the worker's id."""
        return self._leases.enter(identity)

    def beat(self, worker: str) -> bool:
        """Renew the owner record; False when it is gone."""
        return self._leases.beat(worker)

    def running(self, worker: str, key: Key) -> None:
        """Note what the worker runs."""
        self._leases.running(worker, key)

    def leave(self, worker: str) -> None:
        """Free all of the worker's locks and remove its owner record."""
        self._leases.leave(worker)

    def claim(
        self, worker: str, keys: Sequence[Key], *, coarse: bool = False, most: int | None = None
    ) -> Claim:
        """Lock what can be locked, read the epoch and the results, in one moment."""
        claim = self._leases.claim(worker, keys, most)
        if claim.epoch != self._graveyard.known.epoch:
            self._reader.look()
        return claim

    def publish(self, worker: str, records: Sequence[Record]) -> None:
        """Make records visible, free their locks, wake the others, in one moment."""
        if records:
            self._publisher.publish(worker, records)

    def release(self, worker: str, claim: Claim, keys: Sequence[Key] | None = None) -> None:
        """Free the claim's locks that publishing has not freed."""
        self._leases.release(worker, claim, keys)

    def workers(self) -> list[WorkerInfo]:
        """Return every worker with an owner record, dead or alive."""
        return self._leases.infos()

    def wait(self, seconds: float) -> bool:
        """Block until there may be news or the time is over."""
        return self._reader.wait(seconds)

    # -- looking after ---------------------------------------------------------
    def invalidate(self, keys: Sequence[Key], kind: int = KILL_RESULTS, note: str = "") -> int:
        """Write one durable tombstone over these roots and return its number."""
        number = self._graveyard.add(keys, kind)
        self._reader.look()
        return number

    def forget(self, heads: Sequence[Head]) -> int:
        """Remove exactly these results for good; return how many."""
        self._leases.seen.clear()
        return self._care.forget(heads)

    def pack(self, progress: object = None) -> Usage:
        """Drop what no reader can want: the dead, orphans, owners long silent."""
        self._care.pack()
        return self.usage()

    def check(self, *, fix: bool = True) -> list[Problem]:
        """Verify every checksum and cross reference."""
        return self._care.check(fix)

    def usage(self) -> Usage:
        """Return how much the store holds."""
        return self._care.usage()

    def diagnose(self) -> list[Finding]:
        """Look at the server's settings, room and clock."""
        return settings.diagnose(self._server.link)

    def put_document(self, name: str, data: bytes) -> None:
        """Store a small named document."""
        self._documents.put(name, data)

    def get_document(self, name: str) -> bytes | None:
        """Return a document, or ``None``."""
        return self._documents.get(name)

    def list_documents(self, prefix: str = "") -> list[str]:
        """Return the names of the documents that begin with ``prefix``, sorted."""
        return self._documents.list(prefix)

    def close(self) -> None:
        """Close the connection. Locks stay."""
        self._server.link.close()


def _disk(server: Server) -> Disk | None:
    """Return the folder of a mixed store."""
    if not server.address.files:
        return None
    return Disk(server.address.files, server.id, create=server.create)
