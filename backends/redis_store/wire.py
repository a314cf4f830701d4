"""The server's protocol (RESP 2) over one socket: commands to bytes, bytes to replies.

Commands (tuples of arguments) and a connected socket flow in, replies flow out. No
reconnecting here, no meaning: an error of the server is one more kind of reply.

Written out rather than taken from redis-py because a store is opened by every command:
importing that costs 0.09 s and 21 MB, a call 43 us of CPU and a 16 MiB reply three
copies; here 15 us and one (benchmarks of the two side by side on redis-server 7.0).

Memory: a large argument is sent from where it lies. A large reply is received into a
``bytearray`` of its own, and is that ``bytearray``; small ones are ``bytes``.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from io import BufferedReader
from typing import Any

from taskgraph.store import Buffer

#: What one argument may be; several buffers in a list are sent as one string.
Argument = bytes | bytearray | memoryview | str | int | Sequence[Buffer]
Command = Sequence[Argument]

#: From so many bytes on, arguments and replies are not copied.
LARGE = 1 << 16


class ReplyError(Exception):
    """An error reply: ``code`` is its first word (``OOM``, ``MOVED``, ``ERR``...)."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.code = text.partition(" ")[0]


def pack(commands: Iterable[Command]) -> list[bytes | bytearray | memoryview]:
    """``pieces = pack([("SET", key, value)])``: what to write for these commands.

    The small things are joined; each large argument is a piece of its own, uncopied.
    """
    pieces: list[bytes | bytearray | memoryview] = []
    small = bytearray()
    for command in commands:
        small += b"*%d\r\n" % len(command)
        for argument in command:
            if isinstance(argument, bytes) and len(argument) < LARGE:
                small += b"$%d\r\n%b\r\n" % (len(argument), argument)
                continue
            parts = _parts(argument)
            small += b"$%d\r\n" % sum(len(part) for part in parts)
            for part in parts:
                if len(part) < LARGE:
                    small += part
                else:
                    pieces += (small, part)
                    small = bytearray()
            small += b"\r\n"
    if small:
        pieces.append(small)
    return pieces


def _parts(argument: Argument) -> Sequence[bytes | memoryview]:
    """Return an argument as buffers of single bytes in a row."""
    if isinstance(argument, bytes):
        return (argument,)
    if isinstance(argument, str):
        return (argument.encode(),)
    if isinstance(argument, int):
        return (b"%d" % argument,)
    if isinstance(argument, bytearray | memoryview):
        return (memoryview(argument).cast("B"),)
    return [memoryview(part).cast("B") for part in argument]


class Wire:
    """``wire = Wire(sock); wire.write(commands); reply = wire.read()``.

    Parameters
    ----------
    sock : socket.socket
        Connected; its timeout bounds each wait for bytes, in either direction.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._file = BufferedReader(sock.makefile("rb", buffering=0), LARGE)

    def write(self, commands: Iterable[Command]) -> None:
        """Send commands; each brings one reply."""
        for piece in pack(commands):
            self._sock.sendall(piece)

    def read(self) -> Any:
        """Return the next reply: int, bytes or bytearray, None, a list, or a ReplyError.

        Raises
        ------
        OSError
            The connection is lost, or nothing came for longer than the timeout.
        """
        line = self._file.readline()
        if line[-2:] != b"\r\n":
            raise ConnectionResetError("the server closed the connection")
        kind = line[:1]
        if kind == b"$":
            return self._bulk(int(line[1:]))
        if kind == b":":
            return int(line[1:])
        if kind == b"*":
            number = int(line[1:])
            return None if number < 0 else [self.read() for _ in range(number)]
        if kind == b"+":
            return line[1:-2]
        if kind == b"-":
            return ReplyError(line[1:-2].decode(errors="replace"))
        raise OSError(f"what answers does not speak this protocol: {line[:40]!r}")

    def _bulk(self, size: int) -> bytes | bytearray | None:
        """Return a string of so many bytes; -1 stands for none."""
        if size < 0:
            return None
        if size < LARGE:
            data = self._file.read(size + 2)
            if len(data) < size + 2:
                raise ConnectionResetError("the server closed the connection within a reply")
            return data[:-2]
        large = bytearray(size)
        view, got = memoryview(large), 0
        while got < size:
            more = self._file.readinto(view[got:])
            if not more:
                raise ConnectionResetError("the server closed the connection within a reply")
            got += more
        self._file.read(2)
        return large

    def set_timeout(self, seconds: float) -> None:
        """Bound each wait for bytes from now on."""
        self._sock.settimeout(seconds)

    def close(self) -> None:
        """Close the socket."""
        self._file.close()
        self._sock.close()

    def abandon(self) -> int:
        """Give the socket's descriptor away: nothing is said to the server, ever."""
        return self._sock.detach()
