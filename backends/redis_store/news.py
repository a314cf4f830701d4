"""What is new: the tail of one stream that tells of publishing and of invalidating.

The position of this handle flows in with every look, keys and tombstones flow out. One
stream serves looking and waking: a reader that has nothing to do blocks on it.

An entry carries many items and the mark of the handle that told it, whose own news are
left out on the server. The stream forgets after a minute. How many entries were ever told
is counted beside it: when fewer are found than were counted, or the server has restarted,
something was missed, and the caller is told to look at everything anew
(``News.tombstones``).
"""

from __future__ import annotations

from collections.abc import Sequence

from backends.redis_store.entries import ITEM
from backends.redis_store.server import Server
from backends.redis_store.tombstones import Graveyard
from taskgraph.store import KILL_FAILURES, KILL_RESULTS, RESULT, Key, News

#: Kinds of items beside those of records: tombstones, and an invalidate in parts.
TOMB, FTOMB, MANY = 4, 5, 6
#: Seconds of one blocking call: between two of them a signal is seen.
_SLICE = 0.5


class Reader:
    """``reader.look(); news = reader.news()``; ``reader.wait(10.0)``."""

    def __init__(self, server: Server, graveyard: Graveyard) -> None:
        self._server = server
        self._graveyard = graveyard
        self._last: bytes | str = ""
        self._count = 0
        self.results: list[tuple[Key, int]] = []  #: read, and not told as news yet; with epochs
        self._failures: list[Key] = []
        self._told = 0  #: epoch of the graveyard at the last news
        self._missed = False
        self._restarts = 0  #: restarts of the server that the position has survived
        #: Restarts that the caller has been told of, and those after which it has looked
        #: again: what it publishes in between may be made of what was lost.
        self._told_restarts = 0
        self.judged_restarts = 0

    def look(self) -> None:
        """Read what is new."""
        if self._last == "" or self._restarts != self._server.restarts:
            self._start()
            return
        while True:
            epoch, count, entries, last, items = self._ask(self._last)
            if self._restarts != self._server.restarts:
                self._start()
                return
            self._take(items)
            self._last, self._count = last, self._count + entries
            if entries < 200:
                break
        if self._count != count:
            self._start()
        elif int.from_bytes(epoch, "big") != self._graveyard.known.epoch:
            self._graveyard.reload()

    def _ask(self, last: bytes | str) -> tuple[bytes, int, int, bytes, bytes]:
        names, server = self._server.names, self._server
        hashes = [names.news, names.epoch, names.sizes]
        epoch, count, entries, at, items = server.run("look", hashes, [last, server.tag])
        return epoch, count, entries, at, items

    def _start(self) -> None:
        """Begin at the end of the stream; what was before is not known one by one."""
        first = self._last == ""
        _, count, _, last, _ = self._ask("")
        self._last, self._count = last, count
        self._restarts = self._server.restarts
        self._graveyard.reload()
        if first:
            self.judged_restarts = self._told_restarts = self._restarts
        else:
            self._missed = True

    def _take(self, items: bytes) -> None:
        if not items:
            return
        many = False
        for kind, key, epoch in ITEM.iter_unpack(items):
            if kind == RESULT:
                self.results.append((key, epoch))
            elif kind < TOMB:
                self._failures.append(key)
            elif kind == MANY:
                many = True
            else:
                self._graveyard.take(key, KILL_RESULTS if kind == TOMB else KILL_FAILURES, epoch)
        if many:
            self._graveyard.reload()

    def news(self) -> News:
        """Return what came since the last news."""
        results, self.results = [key for key, _ in self.results], []
        failures, self._failures = self._failures, []
        tombstones = self._missed or self._told != self._graveyard.known.epoch
        self._missed, self._told = False, self._graveyard.known.epoch
        if self._told_restarts != self._restarts:
            self._told_restarts = self._restarts
        else:
            self.judged_restarts = self._restarts
        return News(results, failures, tombstones)

    def published(self, last: bytes, count: int) -> None:
        """Take note of an entry of our own: nothing is new if it is the next one."""
        if count == self._count + 1 and self._restarts == self._server.restarts:
            self._last, self._count = last, count

    def wait(self, seconds: float) -> bool:
        """Block until the stream grows or the time is over."""
        server = self._server
        ends = server.clock() + seconds
        while True:
            if self._unread() or self._restarts != server.restarts:
                return True
            left = min(_SLICE, ends - server.clock())
            block: Sequence[str | int] = ("BLOCK", int(left * 1000)) if left >= 0.001 else ()
            found = server.link.call(
                "XREAD", "COUNT", 1, *block, "STREAMS", server.names.news, self._last
            )
            if found:
                return True
            if server.clock() >= ends:
                return False

    def _unread(self) -> bool:
        return bool(self.results or self._failures or self._missed) or (
            self._told != self._graveyard.known.epoch
        )
