"""Owners and locks: who works, what each holds, until when.

Identities and keys flow in, claims flow out. An owner is a field with a deadline on the
server's clock; a lock is a field that names its owner and one acquisition. A lock is stale
when its owner is gone or past the deadline. Nothing is ever freed but by owner *and*
acquisition: who was taken for dead and resumes finds another's lock, and leaves it.

Fields with deadlines rather than keys that expire: every script can then name all keys
that it touches, one script can judge a hundred owners, and a restart that brings back an
old state brings back deadlines too, which are not believed for one lease time.

A restart may have lost locks that this handle holds, and brought back some that it has
freed. :meth:`Leases.reconcile` puts that right; without it, a freed lock of a living
owner would stay for ever.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from struct import Struct

from backends.redis_store.server import Server
from backends.redis_store.wire import Argument
from taskgraph.errors import StoreError
from taskgraph.store import Claim, Identity, Key, WorkerInfo

#: Keys that one script works on.
PART = 10_000
#: Seconds that a heartbeat waits for an answer: who beats has other things to do.
BEAT_SECONDS = 3.0
_LOCK = Struct(">32s16s")
#: What the script says of a key: locked, held by a live worker, not needed.
_LOCKED, _BUSY, _SPARE = b"012"


class Leases:
    """``worker = leases.enter(identity); claim = leases.claim(worker, keys)``."""

    def __init__(self, server: Server) -> None:
        self._server = server
        #: Of each worker that has claimed here and not left: what it holds, also nothing.
        self._held: dict[str, dict[Key, bytes]] = defaultdict(dict)
        #: What the last claim saw: key -> epoch of its result, -1 for none.
        self.seen: dict[Key, int] = {}
        server.on_restart.append(self.reconcile)
        server.on_fork.append(self._held.clear)
        server.on_fork.append(self.seen.clear)

    # -- owners ------------------------------------------------------------------------
    def enter(self, identity: Identity) -> str:
        """Create an owner record and return the worker's id."""
        names, owner = self._server.names, uuid.uuid4()
        data = json.dumps(asdict(identity), separators=(",", ":")).encode()
        args: list[Argument] = [owner.bytes, self._server.lease_ms, data]
        self._server.run("enter", [names.owners], args)
        return owner.hex

    def beat(self, worker: str) -> bool:
        """Renew the owner's deadline; False when it is gone."""
        owner = bytes.fromhex(worker)
        args: list[Argument] = [owner, self._server.lease_ms]
        with self._server.link.hurried(BEAT_SECONDS):
            return bool(self._server.run("beat", [self._server.names.owners], args))

    def running(self, worker: str, key: Key) -> None:
        """Note what the worker runs."""
        hash_, owner = self._server.names.running, bytes.fromhex(worker)
        if key:
            self._server.link.call("HSET", hash_, owner, key)
        else:
            self._server.link.call("HDEL", hash_, owner)

    def leave(self, worker: str, stale_for: str | int = "") -> bool:
        """Free the worker's locks, remove its owner record; perhaps only if it is stale."""
        names = self._server.names
        keys = b"".join(self._held.pop(worker, ()))
        hashes = [names.owners, names.running, names.locks, names.news, names.sizes]
        args = [bytes.fromhex(worker), keys, stale_for]
        return bool(self._server.run("leave", hashes, args))

    def infos(self) -> list[WorkerInfo]:
        """Return every worker with an owner record."""
        names = self._server.names
        now, owners, running, locks = self._server.run(
            "census", [names.owners, names.running, names.locks]
        )
        keys: dict[bytes, list[Key]] = defaultdict(list)
        for key, owner in _LOCK.iter_unpack(locks):
            keys[owner].append(key)
        runs = dict(zip(running[::2], running[1::2], strict=True))
        return [
            self._info(int(now), owner, record, keys.get(owner, []), runs.get(owner, b""))
            for owner, record in zip(owners[::2], owners[1::2], strict=True)
        ]

    def _info(
        self, now: int, owner: bytes, record: bytes, keys: list[Key], running: Key
    ) -> WorkerInfo:
        deadline = int.from_bytes(record[:8], "big")
        silent = (now - deadline + self._server.lease_ms) / 1000
        return WorkerInfo(
            owner.hex(), _identity(record[8:]), now < deadline, silent, tuple(keys), (), running
        )

    # -- locks -------------------------------------------------------------------------
    def claim(self, worker: str, keys: Sequence[Key], most: int | None = None) -> Claim:
        """Lock what can be locked, at most so many keys; the epoch is that of the moment.

        With ``most`` only the first :data:`PART` keys are asked for.

        Raises
        ------
        StoreError
            The worker has no owner record.
        """
        server, token = self._server, os.urandom(8)
        names, owner = server.names, bytes.fromhex(worker)
        hashes: list[Argument] = [
            names.owners, names.locks, names.heads, names.epoch, names.opening,
            names.news, names.sizes,
        ]  # fmt: skip
        if most is not None:  # one script knows how many another has locked only afterwards
            keys = list(dict.fromkeys(keys))[:PART]  # a key named twice takes no two places
        parts = [keys[at : at + PART] for at in range(0, len(keys), PART)] or [()]
        limit = b"" if most is None else most
        args: list[list[Argument]] = [
            [owner, token, server.lease_ms, b"".join(part), limit] for part in parts
        ]
        replies = server.run_all([("claim", hashes, arg) for arg in args])
        if b"STRANGER" in replies:
            raise StoreError(
                f"only a worker that entered can claim: call enter() again, got {worker!r}"
            )
        claim = Claim(min(int.from_bytes(reply[0], "big") for reply in replies), [])
        self.seen.clear()
        for part, (_, busy, epochs) in zip(parts, replies, strict=True):
            self._take(claim, part, busy, epochs)
        self._held[worker].update(dict.fromkeys(claim.keys, token))
        claim.names.append(token.hex())
        return claim

    def _take(self, claim: Claim, keys: Sequence[Key], busy: bytes, epochs: bytes) -> None:
        spare: list[Key] = []
        if busy:
            lists = {_LOCKED: claim.keys, _BUSY: claim.busy, _SPARE: spare}
            for key, mark in zip(keys, busy, strict=True):
                lists[mark].append(key)
        else:
            claim.keys += keys
        if epochs:
            self.seen.update(zip(keys, unpack_epochs(epochs), strict=True))
        else:
            self.seen.update(dict.fromkeys(keys, -1))
        for key in spare:  # nothing keeps others from it
            del self.seen[key]

    def release(self, worker: str, claim: Claim, keys: Sequence[Key] | None) -> None:
        """Free the claim's locks, all or those of some keys, as far as they are still held."""
        gone = claim.keys if keys is None else keys
        held = self._held.get(worker, {})
        tokens = {bytes.fromhex(name) for name in claim.names}
        free = {key: token for key in gone if (token := held.get(key)) in tokens}
        if free:
            self._free(worker, free)
            for key in free:
                held.pop(key, None)
        if keys is None:
            claim.keys.clear()
        else:
            left = set(keys)
            claim.keys[:] = [key for key in claim.keys if key not in left]

    def _free(self, worker: str, free: dict[Key, bytes]) -> None:
        names, owner, pairs = self._server.names, bytes.fromhex(worker), list(free.items())
        for at in range(0, len(pairs), PART):
            keys, tokens = zip(*pairs[at : at + PART], strict=True)
            args = [owner, b"".join(keys), b"".join(tokens)]
            self._server.run("release", [names.locks, names.news, names.sizes], args)

    def tokens(self, worker: str, keys: Sequence[Key]) -> bytes:
        """Return the acquisitions by which a worker holds these keys; b"" where it holds none."""
        held = self._held.get(worker)
        if not held:
            return b""
        none = bytes(8)
        return b"".join([held.get(key, none) for key in keys])

    def freed(self, worker: str, keys: Sequence[Key]) -> None:
        """Take note that publishing has freed these locks, and changed what was seen."""
        held, seen = self._held.get(worker), self.seen
        if held:
            for key in keys:
                held.pop(key, None)
        if seen:
            for key in keys:
                seen.pop(key, None)

    def heard(self, results: Iterable[tuple[Key, int]]) -> None:
        """Take in what the news tell of keys that a claim has just seen.

        Other workers' results, freed when they were published, are in both; a key that the
        claim saw without a result is asked for again.
        """
        seen = self.seen
        if seen:
            for key, epoch in results:
                before = seen.get(key, -1)
                if before >= 0:
                    seen[key] = max(before, epoch)
                else:
                    seen.pop(key, None)

    def reconcile(self) -> None:
        """After a restart: make the server's locks those that this handle holds."""
        names = self._server.names
        self.seen.clear()
        hashes = [names.owners, names.locks, names.news, names.sizes]
        for worker, held in self._held.items():
            args = [bytes.fromhex(worker), b"".join(held), b"".join(held.values())]
            self._server.run("reconcile", hashes, args)


def unpack_epochs(data: bytes) -> list[int]:
    """Return packed epochs as numbers; -1 stands for none."""
    numbers = array("q", bytes(data))
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers.tolist()


def _identity(data: bytes) -> Identity:
    """Return an identity from its bytes; nobody's from bytes that are not ours."""
    try:
        fields = json.loads(data)
        fields["resources"] = tuple((str(a), float(b)) for a, b in fields.get("resources", ()))
        return Identity(**{name: fields[name] for name in Identity.__slots__ if name in fields})
    except (ValueError, TypeError, AttributeError, RecursionError):
        return Identity("?", "", 0, "")
