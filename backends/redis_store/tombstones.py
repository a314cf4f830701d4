"""Tombstones: numbers that only rise, over the roots that somebody invalidated.

Keys flow in, a number flows out, and all numbers known, as the port's ``Tombstones``. The
number of an invalidate is the last one plus one or the server's clock in microseconds,
whichever is greater, so that a number lost in a restart is not given again to another.

Up to :data:`FEW` keys are written by one script. More are written in parts under a number
that is *open*: claims carry the last closed number meanwhile, so what they publish is dead
once it is closed. Whoever dies in between is closed by the next claim, a lease later.

:func:`durable` says what it takes until a tombstone would survive a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from struct import Struct

from backends.redis_store.connection import read_info
from backends.redis_store.server import Server
from backends.redis_store.wire import Argument
from taskgraph.errors import StoreError, StoreUnreachable
from taskgraph.store import KILL_RESULTS, Key, Tombstones

FEW = 5000
_NUMBER = Struct(">Q")
_KEY = Struct("32s")
#: Seconds between two tries while another invalidate is open.
_TURN = 0.05
#: Seconds after which a server that syncs once a second has synced what was there before.
_SYNC = 2.1


class Graveyard:
    """``number = graveyard.add(keys, KILL_RESULTS)``; ``graveyard.known``."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.known = Tombstones(0, {}, {})
        self._results: dict[Key, int] = {}
        self._failures: dict[Key, int] = {}
        self._said = False

    # -- reading -----------------------------------------------------------------------
    def reload(self) -> None:
        """Read all tombstones."""
        epoch = int.from_bytes(
            self._server.link.call("GET", self._server.names.epoch) or b"", "big"
        )
        self._results = self._all(self._server.names.tombs, epoch)
        self._failures = self._all(self._server.names.ftombs, epoch)
        self.known = Tombstones(epoch, self._results, self._failures)

    def _all(self, hash_: str, epoch: int) -> dict[Key, int]:
        """Return a hash of tombstones, without those of an invalidate that is still open."""
        found: dict[Key, int] = {}
        for keys, values in gather(self._server, hash_, values=True):
            numbers = (number for (number,) in _NUMBER.iter_unpack(values))
            found.update(zip(keys, numbers, strict=True))
        return {key: number for key, number in found.items() if number <= epoch}

    def take(self, key: Key, kind: int, number: int) -> None:
        """Take in one tombstone from the news."""
        known = self._results if kind == KILL_RESULTS else self._failures
        known[key] = max(number, known.get(key, 0))
        if number > self.known.epoch:
            self.known = Tombstones(number, self._results, self._failures)

    # -- writing -----------------------------------------------------------------------
    def add(self, keys: Sequence[Key], kind: int) -> int:
        """Write a tombstone over these roots and return its number.

        One of results is durable then. One of failures that a restart loses is written
        again by whoever wants to retry.
        """
        while True:
            number = self._few(keys, kind) if len(keys) <= FEW else self._many(keys, kind)
            if number is None:
                self._server.sleep(_TURN)
                continue
            if kind != KILL_RESULTS or durable(self._server, self._warn):
                return number

    def _few(self, keys: Sequence[Key], kind: int) -> int | None:
        reply = self._bury("all", kind, b"", keys)
        return None if reply == b"BUSY" else int.from_bytes(reply, "big")

    def _many(self, keys: Sequence[Key], kind: int) -> int | None:
        number = self._bury("open", kind, b"", keys[:FEW])
        if number == b"BUSY":
            return None
        for at in range(FEW, len(keys), FEW):
            if self._bury("more", kind, number, keys[at : at + FEW]) == b"LOST":
                return None
        if self._bury("close", kind, number, ()) == b"LOST":
            return None
        return int.from_bytes(number, "big")

    def _bury(self, mode: str, kind: int, number: bytes, keys: Sequence[Key]) -> bytes:
        names = self._server.names
        tombs, letter = (names.tombs, 4) if kind == KILL_RESULTS else (names.ftombs, 5)
        hashes = [tombs, names.epoch, names.opening, names.news, names.sizes]
        args: list[Argument] = [
            mode,
            bytes([letter]),
            number,
            self._server.lease_ms,
            b"".join(keys),
        ]
        reply: bytes = self._server.run("bury", hashes, args)
        return reply

    def _warn(self, text: str) -> None:
        if not self._said:
            self._said = True
            self._server.say(text)


def durable(server: Server, warn: Callable[[str], None]) -> bool:
    """Wait until what was just written would survive a restart; False: it did not.

    With ``appendfsync always`` it does when the reply comes. Servers from 7.2 on are asked
    (WAITAOF). Older ones that sync every second are waited for. Without an append-only
    file nothing can be promised, which is said once.
    """
    restarts = server.restarts
    info = read_info(server.link.call("INFO", "persistence"))
    if info.get("aof_enabled") != "1":
        warn(
            f"An invalidate is safe only on a server that keeps a log: {server.address.shown} "
            f"has `appendonly no`, so a restart may bring back what was invalidated."
        )
        return True
    if _policy(server) == "always":
        return server.restarts == restarts
    if server.version >= (7, 2):
        local, _ = server.link.call("WAITAOF", 1, 0, 5000, timeout=40.0)
        if local < 1:
            raise StoreUnreachable(
                f"A server must write its log; that of {server.address.shown} has not within "
                f"5 s. See its disk and its log."
            )
        return server.restarts == restarts
    return _synced(server, info, restarts)


def _synced(server: Server, info: dict[str, str], restarts: int) -> bool:
    """Wait until a server that syncs once a second has done so after now."""
    ends = server.clock() + 10 * _SYNC
    server.sleep(_SYNC)
    while True:
        run_id = server.run_id
        server.run("look", [server.names.news, server.names.epoch, server.names.sizes], ["", ""])
        if server.restarts != restarts or server.run_id != run_id:
            return False
        info = read_info(server.link.call("INFO", "persistence"))
        written = info.get("aof_last_write_status") == "ok"
        if written and info.get("aof_pending_bio_fsync", "0") == "0":
            return True
        if server.clock() > ends:
            raise StoreUnreachable(
                f"A server must write its log; that of {server.address.shown} has not within "
                f"{10 * _SYNC:.0f} s (last write: {info.get('aof_last_write_status')}). "
                f"See its disk and its log."
            )
        server.sleep(_TURN)


def _policy(server: Server) -> str:
    """Return when the server syncs its log; "" where it does not say."""
    try:
        reply = server.link.call("CONFIG", "GET", "appendfsync")
    except StoreError:
        return ""
    return reply[1].decode() if len(reply) == 2 else ""


def gather(
    server: Server, hash_: str, *, values: bool = False
) -> Iterator[tuple[list[Key], bytes]]:
    """Yield the keys of a hash in parts, and the values if they are 8 bytes each.

    A key may come twice, and one that is written or removed meanwhile may come or not.
    """
    cursor: bytes | str = "0"
    while True:
        cursor, keys, packed = server.run("gather", [hash_], [cursor, "1" if values else "0"])
        yield [key for (key,) in _KEY.iter_unpack(keys)], packed
        if cursor == b"0":
            return
