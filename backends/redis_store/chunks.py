"""Payloads in chunks: what is too large for an entry, as plain strings of 16 MiB each.

Payload buffers flow in and pointers flow out, and back. Chunks are written before the
entry that names them; their names are never used twice. Whether an entry names them is
asked on the server, in the same moment as they are removed (``sweep.lua``) or needed
(``publish``): a writer that was stopped for hours finds its chunks gone, is told so
(``SWEPT``), and writes them again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from zlib import crc32

from backends.redis_store.entries import Pointer
from backends.redis_store.server import Server
from backends.redis_store.wire import Argument
from taskgraph.errors import ResultCorrupt
from taskgraph.store import Buffer, Key, Payload, payload_size

#: Bytes of a chunk.
CHUNK = 16 << 20


class Chunks:
    """``pointer = chunks.write(key, payload)``; ``payload = chunks.load(key, pointer, size)``."""

    def __init__(self, server: Server, size: int = CHUNK) -> None:
        self._server = server
        self._size = size

    def write(self, key: Key, payload: Payload) -> Pointer:
        """Write a payload and return its pointer."""
        token = new_token(self._server.now_ms())
        commands: list[Sequence[Argument]] = []
        crc = 0
        for number, parts in enumerate(_cut(payload, self._size)):
            for part in parts:
                crc = crc32(part, crc)
            commands.append(("SET", self._server.names.chunk(key, token, number), parts))
        self._server.link.pipeline(commands)
        return Pointer(token, len(commands), crc)

    def names(self, key: Key, pointer: Pointer) -> list[str]:
        """Return the names of a payload's chunks."""
        return self._server.names.chunks(key, pointer.token, pointer.chunks)

    def load(self, key: Key, pointer: Pointer, size: int) -> Buffer | None:
        """Return a payload; ``None`` when a chunk is not there.

        Raises
        ------
        ResultCorrupt
            The bytes are not those that were written.
        """
        name_of, count = self._server.names.chunk, pointer.chunks
        names = (name_of(key, pointer.token, number) for number in range(count))
        payload: Buffer
        if count == 1:
            found = self._server.link.call("GET", next(names))
            if found is None:
                return None
            payload = found
        else:
            payload = bytearray()  # grows: what an entry says of sizes is not believed
            for name in names:
                part = self._server.link.call("GET", name)
                if part is None:
                    return None
                if len(payload) + len(part) > size:
                    raise _damaged(key)
                payload += part
        if len(payload) != size or crc32(payload) != pointer.crc:
            raise _damaged(key)
        return payload

    def drop(self, key: Key, pointer: Pointer) -> None:
        """Remove a payload that no entry names any more."""
        self._server.link.call("UNLINK", *self.names(key, pointer))

    def groups(self) -> Iterator[tuple[Key, bytes, int]]:
        """Yield key, token and number of chunks of every payload on the server."""
        counts: dict[tuple[Key, bytes], int] = {}
        cursor: bytes | str = "0"
        while True:
            pattern = f"{_escaped(self._server.names.prefix)}b:*"
            cursor, found = self._server.link.call("SCAN", cursor, "MATCH", pattern, "COUNT", 1000)
            for name in found:
                parsed = self._server.names.parse_chunk(name.decode())
                if parsed:
                    key, token, number = parsed
                    counts[key, token] = max(counts.get((key, token), 0), number + 1)
            if cursor == b"0":
                break
        for (key, token), count in counts.items():
            yield key, token, count


def new_token(now_ms: int) -> bytes:
    """Return 16 bytes that are used once: the time in ms (6 bytes), then random ones."""
    return now_ms.to_bytes(6, "big") + os.urandom(10)


def written_ms(token: bytes) -> int:
    """Return when a token was made, in ms of the server's clock."""
    return int.from_bytes(token[:6], "big")


def _cut(payload: Payload, size: int) -> Iterator[list[memoryview]]:
    """Yield the payload in chunks of so many bytes, each a list of views."""
    several = not isinstance(payload, bytes | bytearray | memoryview)
    buffers: Sequence[Buffer] = payload if several else [payload]  # type: ignore[list-item,assignment]
    chunk: list[memoryview] = []
    room = size
    for buffer in buffers:
        view = memoryview(buffer).cast("B") if payload_size(buffer) else memoryview(b"")
        while len(view) >= room:
            yield [*chunk, view[:room]]
            view, chunk, room = view[room:], [], size
        if len(view):
            chunk.append(view)
            room -= len(view)
    if chunk:
        yield chunk


def _escaped(text: str) -> str:
    """Return a text as a pattern that matches just it."""
    return "".join(f"\\{letter}" if letter in "*?[]\\^" else letter for letter in text)


def _damaged(key: Key) -> ResultCorrupt:
    return ResultCorrupt(f"a payload must match its checksum: recompute it; key {key.hex()}")
