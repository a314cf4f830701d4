"""Where payloads go that are too large for an entry: chunks on the server, or files.

A payload flows in and a place (where, pointer) flows out; entries that were replaced flow
in, and what they named is removed. A plain store refuses what is larger than its address
allows. Of a payload on the disk the server has a marker, in the place of a chunk: what is
told in ``chunks`` of who may remove what holds for both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from backends.redis_store.chunks import Chunks, new_token, written_ms
from backends.redis_store.disk import MARKER, Disk
from backends.redis_store.entries import CHUNKS, DISK, Entry, Place, Pointer, read
from backends.redis_store.server import Call, Server
from taskgraph.errors import ResultTooLarge, StoreForeign
from taskgraph.store import KEY_SIZE, Buffer, Key, Payload, payload_size

#: From so many bytes on a payload of a mixed store goes to its folder.
LARGE = 1 << 16


class Places:
    """``place = places.put(key, epoch, payload)``; ``places.load(key, entry)``."""

    def __init__(self, server: Server, disk: Disk | None) -> None:
        self._server = server
        self.chunks = Chunks(server)
        self.disk = disk
        #: Bytes of the largest result that is taken in; ``None``: any.
        self.largest = None if disk is not None else server.address.largest

    def put(self, key: Key, epoch: int, payload: Payload) -> Place:
        """Write a payload where it belongs.

        Raises
        ------
        ResultTooLarge
            It is more than a server's memory should be given.
        """
        size = payload_size(payload)
        if self.disk is not None and size >= LARGE:
            token = new_token(self._server.now_ms())
            self._server.link.call("SET", self._server.names.chunk(key, token, 0), MARKER)
            return DISK, Pointer(token, 1, self.disk.write(key, epoch, token, payload))
        if self.largest is not None and size > self.largest:
            raise ResultTooLarge(size, self.largest, self._server.address.shown)
        return CHUNKS, self.chunks.write(key, payload)

    def names(self, key: Key, place: Place) -> list[str]:
        """Return the keys on the server that an entry with this place needs."""
        return self.chunks.names(key, place[1])

    def load(self, key: Key, entry: Entry) -> Buffer | None:
        """Return an entry's payload; ``None`` when it is not there.

        Raises
        ------
        ResultCorrupt
            It is damaged.
        StoreForeign
            It is where this handle can't look.
        """
        if entry.pointer is None:
            return bytes(entry.payload)
        if entry.where == CHUNKS:
            return self.chunks.load(key, entry.pointer, entry.size)
        return self._disk(key).load(key, entry.epoch, entry.pointer, entry.size)

    def _disk(self, key: Key) -> Disk:
        if self.disk is None:
            raise StoreForeign(
                f"Large results of a mixed store are in its folder: open it by the URL with "
                f"files= that it was made by, not by {self._server.address.shown}; "
                f"key {key.hex()}"
            )
        return self.disk

    def discard(self, key: Key, epoch: int, place: Place) -> None:
        """Remove a payload that no entry names any more, or will."""
        self.chunks.drop(key, place[1])
        if place[0] == DISK and self.disk is not None:
            self.disk.remove(self.disk.path(key, epoch, place[1].token))

    def drop(self, gone: Sequence[bytes]) -> list[tuple[Key, bytes]]:
        """Remove the payloads of entries (each behind its key) that are no more.

        Asked of the server once more, and told to its log behind what removed the entry: a
        restart may have brought the entry back. For the same reason files stay; return key
        and token of those that may go when the log is on the disk.
        """
        names = self._server.names
        runs: list[Call] = []
        files = []
        for item in gone:
            key = bytes(item[:KEY_SIZE])
            entry = read(key, item[KEY_SIZE:])
            if entry.pointer is not None:
                token = entry.pointer.token
                keys = [names.heads, *self.chunks.names(key, entry.pointer)]
                runs.append(("sweep", keys, [key, token]))
                files.append((key, token) if entry.where == DISK else None)
        swept = self._server.run_all(runs)
        return [it for it, count in zip(files, swept, strict=True) if it and count >= 0]

    def remove_files(self, files: Sequence[tuple[Key, bytes]]) -> None:
        """Remove files whose entries are gone for good."""
        if self.disk is not None:
            for key, token in files:
                self.disk.sweep(key, token)

    # -- litter ------------------------------------------------------------------------
    def litter(self) -> Iterator[tuple[Key, bytes, int, str]]:
        """Yield key, token, chunks and name of what no entry names and nobody is about to."""
        old = self._server.now_ms() - self._server.lease_ms
        marked = set()
        for key, token, count in self.chunks.groups():
            marked.add(token)
            if written_ms(token) < old and not self._named(key, token):
                yield key, token, count, self._server.names.chunk(key, token, 0)
        for key, token, path in self.disk.files() if self.disk is not None else ():
            unmarked = token not in marked and written_ms(token) < old
            if unmarked and not self._named(key, token):
                yield key, token, 0, str(path)

    def sweep(self, key: Key, token: bytes, count: int) -> bool:
        """Remove litter but files, unless an entry names it by now; False then."""
        names = self._server.names
        keys = [names.heads, *names.chunks(key, token, max(count, 1))]
        return bool(self._server.run("sweep", keys, [key, token]) >= 0)

    def _named(self, key: Key, token: bytes) -> bool:
        data = self._server.link.call("HGET", self._server.names.heads, key)
        return data is not None and token in data
