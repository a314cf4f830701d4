"""Remembers digests of input files in a store, while a jugfile is read.

Questions of ``taskgraph.hashing.digests`` flow in, digests flow out; new ones are saved
as it goes, so that an interrupted reading has not read for nothing. Who only looks at a
store uses what is there and writes nothing.

Of several workers that begin at once one reads a file and the others wait for it: a big
file is leased before it is read, and its lease is kept until its digest is saved. Waiting
is a courtesy. Who holds the file but has not read a byte for ten seconds is not waited
for, and nobody waits for a file too young to be remembered, or so small that reading it
is sooner done. While waiting nothing is held, so no two workers can wait for each other;
nor at a barrier, where workers would take the leases for work going on.

What a reading met stays in the memory that it found in place, so that the workers forked
afterwards check their files without reading them again; they themselves save nothing.

All calls may come from several threads; the store is used by one at a time.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from taskgraph.digestshelf import Entry, Shelf
from taskgraph.errors import StoreError
from taskgraph.hashing.digests import DigestCache, MemoryCache, exchange_digest_cache, is_young
from taskgraph.store import Store, WorkerInfo
from taskgraph.units import format_size

#: Files of so many bytes are leased before they are read.
LEASED = 16 << 20
#: New digests are saved after so many, or after so many seconds.
MANY, OFTEN = 200, 2.0
#: Saving takes at most one part in so many of the time.
_SHARE = 20
#: Seconds for which a holder that reads nothing is waited for.
PATIENCE = 10.0
#: Seconds between two looks of a waiting worker: at first, and at most.
_FIRST_LOOK, _LAST_LOOK = 0.05, 1.0
#: Seconds of reading until the first line about it; each next takes longer, up to the last.
_FIRST_LINE, _GROWTH, _LAST_LINE = 1.0, 1.6, 60.0
#: Seconds between two pieces of reading that count as reading, at most.
_GAP = 0.5
#: Tries to save at the end while another worker is saving.
_TRIES = 20


class StoreDigestCache:
    """A ``DigestCache`` over a store.

    Parameters
    ----------
    store : Store
        Where digests are kept.
    say : callable
        Takes a line for the user.
    saves : bool
        Save new digests and lease big files; ``False`` writes nothing at all.
    memory : DigestCache, optional
        Told of every digest that is met, and asked too.
    clock : callable
        Monotonic seconds.
    pause : callable
        Waits some seconds.
    """

    def __init__(
        self,
        store: Store,
        say: Callable[[str], object],
        *,
        saves: bool,
        memory: DigestCache | None = None,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self.saves = saves
        self.memory = memory or MemoryCache()
        self._shelf = Shelf(store)
        self._beats = min(2.0, store.lease_seconds / 6)
        self._say, self._clock = say, clock
        self._pause = pause or threading.Event().wait
        self._lock = threading.RLock()
        self._pid: int | None = os.getpid()  # None when closed
        self._loaded = False
        self._saved: dict[str, Entry] = {}
        self._new: dict[str, Entry] = {}
        self._soonest = clock()
        self._due = self._soonest + OFTEN
        self._beaten = self._ticked = clock()
        self._met = self._expected = self._bytes = 0
        self._busy, self._next_line, self._interval = 0.0, _FIRST_LINE, _FIRST_LINE

    # -- what hashing asks ------------------------------------------------------------
    def get(self, path: str, ino: int, size: int, mtime_ns: int, ctime_ns: int) -> bytes | None:
        """Return the digest put under exactly these, or ``None``; then the file is leased."""
        place = (ino, size, mtime_ns, ctime_ns)
        if not self._in_use():
            return self.memory.get(path, *place)
        with self._lock:
            self._met += 1
            if not self._loaded:
                self._look()
            known = self._known(path, place)
        if known is not None or size < LEASED or is_young(mtime_ns, ctime_ns):
            return known
        return self._take_turn(path, place)

    def put(
        self, path: str, ino: int, size: int, mtime_ns: int, ctime_ns: int, digest: bytes
    ) -> None:
        """Remember a digest, and save if it is time to."""
        with self._lock:
            self.memory.put(path, ino, size, mtime_ns, ctime_ns, digest)
            if self._in_use():
                self._new[path] = Entry(ino, size, mtime_ns, ctime_ns, digest)
                now = self._clock()
                if now >= self._due or (len(self._new) >= MANY and now >= self._soonest):
                    self.save()

    def expect(self, count: int) -> None:
        """Learn that so many files will be asked for."""
        with self._lock:
            self._expected = self._met + count

    def tick(self, size: int) -> None:
        """Learn that bytes were read: show that somebody is at work, to users and workers."""
        if not self._in_use():
            return
        with self._lock:
            now = self._clock()
            self._busy += min(now - self._ticked, _GAP)
            self._ticked = now
            self._bytes += size
            if now - self._beaten > self._beats:
                self._beaten = now
                self._careful(self._shelf.beat)
            if self._busy >= self._next_line:
                self._interval = min(_LAST_LINE, self._interval * _GROWTH)
                self._next_line = self._busy + self._interval
                of = f"{self._met} of {self._expected}, " if self._expected >= self._met else ""
                self._say(f"digesting input files: {of}{format_size(self._bytes)} read")

    # -- saving -------------------------------------------------------------------------
    def save(self, tries: int = 1) -> None:
        """Save what is new and give back all leases; called before waiting at a barrier."""
        if not self._in_use():
            return
        with self._lock:
            began = self._clock()
            if self.saves:
                self._careful(lambda: self._write(tries))
            now = self._clock()
            self._soonest = now + _SHARE * (now - began)
            self._due = max(self._soonest, now + OFTEN)

    def close(self) -> None:
        """Save what is new; from now on only the memory is used."""
        self.save(_TRIES)
        self._pid = None

    def _in_use(self) -> bool:
        """Tell whether the store may be used: not by a forked child, nor when closed."""
        return os.getpid() == self._pid

    def _write(self, tries: int) -> None:
        try:
            for left in range(tries - 1, -1, -1):
                if not self._new:
                    break
                if self._shelf.add(self._new, force=tries > 1 and not left):
                    self._new, self._saved = {}, self._shelf.load()
                elif left:
                    self._pause(_FIRST_LOOK)
        finally:
            self._shelf.let_go()

    def _careful(self, act: Callable[[], object]) -> None:
        """Do something with the store; when that fails, write no more."""
        try:
            act()
        except StoreError as error:
            self._give_up(error)

    def _give_up(self, error: StoreError) -> None:
        self.saves = False
        self._say(f"digests of input files can't be kept in the store: {error}")

    # -- looking --------------------------------------------------------------------------
    def _look(self) -> None:
        self._loaded = True
        try:
            self._saved = self._shelf.load()
        except StoreError as error:
            self._say(f"digests of input files can't be read from the store: {error}")

    def _lease(self, path: str) -> tuple[bool, WorkerInfo | None]:
        """Return whether the file is ours to read, else who holds it."""
        try:
            mine = self._shelf.lease(path)
            self._saved = self._shelf.load()
            if mine:
                return True, None
            self.save()
            return False, self._shelf.holder(path)
        except StoreError as error:
            self._give_up(error)
            return True, None

    def _known(self, path: str, place: tuple[int, int, int, int]) -> bytes | None:
        for shelf in (self._new, self._saved):
            entry = shelf.get(path)
            if entry is not None and entry[:4] == place:
                self.memory.put(path, *place, entry.digest)
                return entry.digest
        digest = self.memory.get(path, *place)
        if digest is not None:
            self._new[path] = Entry(*place, digest)
        return digest

    def _take_turn(self, path: str, place: tuple[int, int, int, int]) -> bytes | None:
        """Lease a file; while another worker reads it, wait for what that one saves."""
        began = seen = self._clock()
        look, told = _FIRST_LOOK, False
        while self.saves and self._clock() - seen <= PATIENCE:
            with self._lock:
                mine, holder = self._lease(path)
                known = self._known(path, place)
            if known is not None or mine:
                return known
            if holder is not None and holder.silent_for <= PATIENCE:
                seen = self._clock()
            if holder is not None and not told and self._clock() - began > _FIRST_LINE:
                told = True
                self._say(f"waiting for another worker ({holder.identity.host}) to digest {path}")
            self._pause(look)
            look = min(_LAST_LOOK, 1.5 * look)
        return None


@contextmanager
def remembering(
    store: Store, say: Callable[[str], object], *, saves: bool
) -> Iterator[StoreDigestCache]:
    """``with remembering(store, say, saves=True) as cache``: digests are kept in the store.

    Afterwards the cache that was in place before is in place again, and knows all digests
    that were met meanwhile.
    """
    cache = StoreDigestCache(store, say, saves=saves)
    cache.memory = exchange_digest_cache(cache)
    try:
        yield cache
    finally:
        cache.close()
        current = exchange_digest_cache(cache.memory)
        if current is not cache:  # one that began later is still in use
            exchange_digest_cache(current)
