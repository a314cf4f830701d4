"""Stores with one planted fault each that shows only between processes.

An honest store that processes can share flows in and is wrapped; out flows one that founds
anew what is there, or shares across a fork what it should not. Like ``planted.py``, but
those faults show in one process, these don't: over a store in memory they can't be found.
"""

from __future__ import annotations

import os
import random
import socket
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from tempfile import TemporaryFile

from taskgraph.errors import StoreUnreachable
from taskgraph.store import KEY_SIZE, Head, Identity, Key, News, Record, Store
from taskgraph.testing.planted import Book, Planted

#: Seconds for which a fault holds its window open, so that it is met every time.
WINDOW = 0.002

#: The one generator that is not in the same state on both sides of a fork.
_system = random.SystemRandom()


class FoundsAnew(Planted):
    """Makes a new store wherever it is told to create one."""

    def __init__(self, inner: Store, book: Book | None = None) -> None:
        super().__init__(inner, book)
        if book is None:
            inner.refresh()
            heads: list[Head | None] = inner.heads(inner.keys())
            inner.forget([head for head in heads if head is not None])


class LooksThenFounds(Planted):
    """Looks whether there is a store, then makes one: two that look at once make two."""

    def __init__(self, inner: Store, book: Book | None = None) -> None:
        super().__init__(inner, book)
        found = inner.get_document("id")
        if found is None:
            time.sleep(10 * WINDOW)
            found = uuid.uuid4().hex.encode()
            inner.put_document("id", found)
        self.id = found.decode()


class SharesItsConnection(Planted):
    """Asks and is answered over one connection, on both sides of a fork."""

    def __init__(self, inner: Store, book: Book | None = None) -> None:
        super().__init__(inner, book)
        self._answers = os.pipe()

    def load(self, keys: Sequence[Key], floors: Sequence[int] | None = None) -> list[Record | None]:
        """Take the next answer for the own one."""
        if len(keys) != 1:
            return super().load(keys, floors)
        reading, writing = self._answers
        os.write(writing, keys[0])
        time.sleep(WINDOW * _system.random())  # in step they would get their own by turns
        return super().load([os.read(reading, KEY_SIZE)], floors)

    def close(self) -> None:
        """Close the own side."""
        super().close()
        for end in self._answers:
            os.close(end)


class InheritsItsNames(Planted):
    """Draws workers' names from a generator that a forked child has in the same state."""

    def __init__(self, inner: Store, book: Book | None = None) -> None:
        super().__init__(inner, book)
        self._draw = random.Random(os.urandom(8))
        self._parent = os.getpid()

    def enter(self, identity: Identity) -> str:
        """Be whoever has that name already."""
        name = f"name/{self._draw.getrandbits(64):x}"
        if os.getpid() != self._parent:
            time.sleep(20 * WINDOW)  # the second of two looks when the first is known
        taken = self.inner.get_document(name)
        if taken is not None:
            return taken.decode()
        worker = super().enter(identity)
        self.inner.put_document(name, worker.encode())
        return worker


class HearsForBoth(Planted):
    """Writes down what it has told in a file that a forked child writes to as well."""

    def __init__(self, inner: Store, book: Book | None = None) -> None:
        super().__init__(inner, book)
        self._told = TemporaryFile(buffering=0)  # noqa: SIM115  -- closed by close()

    def refresh(self) -> News:
        """Tell what neither side has told."""
        news = super().refresh()
        file, size = self._told.fileno(), os.fstat(self._told.fileno()).st_size
        told = os.pread(file, size, 0)
        fresh = [key for key in news.results if key not in told]
        os.pwrite(file, b"".join(fresh), size)
        return news._replace(results=fresh)

    def close(self) -> None:
        """Close the file."""
        super().close()
        self._told.close()


class ClosesForAll(Planted):
    """Says goodbye to the server when it is closed, in its parent's name too."""

    def __init__(self, inner: Store, book: Book | None = None) -> None:
        super().__init__(inner, book)
        self._line, self._server = socket.socketpair()

    def before(self, method: str) -> None:
        """Need the line."""
        self._line.setblocking(False)
        try:
            ended = not self._line.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            ended = False
        if ended:
            raise StoreUnreachable(f"the line must be open: open the store again, got {method}")

    def close(self) -> None:
        """Shut the line down on both sides of a fork."""
        super().close()
        with suppress(OSError):  # the other side has done it
            self._line.shutdown(socket.SHUT_RDWR)
        self._line.close()
        self._server.close()


#: Every fault in this file.
PLANTED_FORKS: tuple[type[Planted], ...] = (
    FoundsAnew,
    LooksThenFounds,
    SharesItsConnection,
    InheritsItsNames,
    HearsForBoth,
    ClosesForAll,
)
