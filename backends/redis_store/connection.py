"""One connection to the server, from its first byte to its last: never made anew here.

An address flows in, replies flow out; what goes wrong is raised as it is (``OSError``,
:class:`ReplyError`). After an ``OSError``, or any interruption, the connection is of no
more use; after a ``ReplyError`` all replies have been read and it is.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from hashlib import sha1
from typing import Any, NamedTuple

from backends.redis_store.address import Address
from backends.redis_store.wire import Argument, Command, ReplyError, Wire

#: Seconds to wait for a connection, and for the next byte of a reply: a server that is
#: stopped for half a minute (a snapshot of a virtual machine, a swapping host) is waited for.
CONNECT_SECONDS, READ_SECONDS = 5.0, 40.0
#: A pipeline is sent in parts of about so many bytes, each answered before the next.
PART = 8 << 20


class Run(NamedTuple):
    """A script run as one command of a pipeline: ``Run("claim", keys, args)``."""

    script: str  #: its name
    keys: Sequence[Argument]
    args: Sequence[Argument] = ()


class Connection:
    """``connection = Connection(address, scripts)``: connected, authenticated, named.

    Parameters
    ----------
    address : Address
        Where the server is.
    scripts : mapping
        Lua text by name.
    node : (str, int), optional
        Host and port to go to instead: another node of the cluster.
    timeout : float
        Seconds without a byte after which the server counts as away.

    Attributes
    ----------
    run_id : str
        Names this start of the server: another one after a restart.
    version : tuple of int
        Of the server, such as ``(7, 0, 15)``.
    info : dict
        What ``INFO server`` said.
    """

    def __init__(
        self,
        address: Address,
        scripts: Mapping[str, str],
        node: tuple[str, int] | None = None,
        timeout: float = READ_SECONDS,
    ) -> None:
        self._timeout = -1.0
        self._wire = Wire(_reach(address, node))
        self.set_timeout(timeout)
        try:
            self.info = self._introduce(address)
        except BaseException:
            self._wire.close()
            raise
        self.run_id = self.info.get("run_id", "")
        self.version = _version(self.info.get("redis_version", "0"))
        self._texts = {name: self._fit(text) for name, text in scripts.items()}
        self._shas = {
            name: sha1(text, usedforsecurity=False).hexdigest()
            for name, text in self._texts.items()
        }

    def call(self, *command: Argument) -> Any:
        """Return the reply to one command."""
        return self.pipeline([command])[0]

    def script(self, name: str, keys: Sequence[Argument], args: Sequence[Argument] = ()) -> Any:
        """Return what a script returns."""
        return self.pipeline([Run(name, keys, args)])[0]

    def pipeline(self, commands: Sequence[Command | Run]) -> list[Any]:
        """Return the replies to commands and scripts; the first error reply is raised."""
        plain = [self._plain(c) if isinstance(c, Run) else c for c in commands]
        replies = self._exchange(plain)
        errors = [reply for reply in replies if isinstance(reply, ReplyError)]
        if any(error.code == "NOSCRIPT" for error in errors):
            self._exchange([("SCRIPT", "LOAD", text) for text in self._texts.values()])
            replies = self._exchange(plain)
            errors = [reply for reply in replies if isinstance(reply, ReplyError)]
        if errors:
            raise errors[0]
        return replies

    def set_timeout(self, seconds: float) -> None:
        """Bound each wait for bytes from now on."""
        if seconds != self._timeout:
            self._wire.set_timeout(seconds)
            self._timeout = seconds

    def close(self) -> None:
        """Close it."""
        self._wire.close()

    def abandon(self) -> None:
        """Let go of a connection that belongs to the parent of this process.

        Its descriptor is closed here, and nothing is sent: not even the end of a TLS session.
        """
        os.close(self._wire.abandon())

    # -- inside ------------------------------------------------------------------------
    def _exchange(self, commands: Sequence[Command]) -> list[Any]:
        replies: list[Any] = []
        wire = self._wire
        for part in _parts(commands):
            wire.write(part)
            replies += [wire.read() for _ in part]
        return replies

    def _plain(self, run: Run) -> Command:
        """Return a script as the command that runs it."""
        return ("EVALSHA", self._shas[run.script], len(run.keys), *run.keys, *run.args)

    def _introduce(self, address: Address) -> dict[str, str]:
        """Authenticate, choose the database, say who we are; return ``INFO server``."""
        first: list[Command] = []
        if address.password:
            user = [address.username] if address.username else []
            first.append(("AUTH", *user, address.password))
        if address.db:
            first.append(("SELECT", address.db))
        name = f"taskgraph:{address.project}:{os.getpid()}"
        replies = self._greet([*first, ("CLIENT", "SETNAME", name), ("INFO", "server")])
        for command, reply in zip(first, replies, strict=False):
            if isinstance(reply, ReplyError) and not _needless(command, reply, address):
                raise reply
        if isinstance(replies[-1], ReplyError):  # the name is a courtesy, this is not
            raise replies[-1]
        return read_info(replies[-1])

    def _greet(self, commands: Sequence[Command]) -> list[Any]:
        """Return the replies to the first commands.

        A server without a connection free says so and hangs up, before or after these
        commands reach it: what it said is raised, not that the connection is lost.
        """
        replies: list[Any] = []
        try:
            with suppress(BrokenPipeError, ConnectionResetError):
                self._wire.write(commands)
            while len(replies) < len(commands):
                replies.append(self._wire.read())
        except ConnectionError:
            if replies and isinstance(replies[0], ReplyError):
                raise replies[0] from None
            raise
        return replies

    def _fit(self, text: str) -> bytes:
        """Return a script as this server takes it: flags came with 7.0."""
        if self.version < (7,) and text.startswith("#!"):
            text = "\n" + text.partition("\n")[2]
        return text.encode()


def read_info(reply: bytes) -> dict[str, str]:
    """Return what ``INFO`` said, by name."""
    lines = reply.decode(errors="replace").splitlines()
    return {name: value for name, colon, value in (x.partition(":") for x in lines) if colon}


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())


def _needless(command: Command, error: ReplyError, address: Address) -> bool:
    """Tell whether a password was sent, from the environment, to a server that has none."""
    return (
        command[0] == "AUTH"
        and address.password_from == "environment"
        and "without any password configured" in str(error)
    )


def _parts(commands: Sequence[Command]) -> Iterator[Sequence[Command]]:
    """Cut a pipeline into parts of a bounded size."""
    if len(commands) == 1:
        yield commands
        return
    begin = weight = 0
    for place, command in enumerate(commands):
        weight += sum(_weight(argument) for argument in command)
        if weight > PART:
            yield commands[begin : place + 1]
            begin, weight = place + 1, 0
    if begin < len(commands):
        yield commands[begin:]


def _weight(argument: Argument) -> int:
    if isinstance(argument, bytes | bytearray | str):
        return len(argument)
    if isinstance(argument, memoryview):
        return argument.nbytes
    if isinstance(argument, int):
        return 8
    return sum(memoryview(part).nbytes for part in argument)


def _reach(address: Address, node: tuple[str, int] | None) -> socket.socket:
    """Return a connected socket."""
    if address.path:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        _or_close(sock, lambda: _knock(sock, address.path))
        return sock
    host, port = node or (address.host, address.port)
    sock = socket.create_connection((host, port), CONNECT_SECONDS)
    _or_close(sock, lambda: _keep_alive(sock))
    if address.tls:
        sock = _or_close(sock, lambda: _encrypt(sock, address, host))
    return sock


def _or_close(sock: socket.socket, step: Callable[[], Any]) -> Any:
    try:
        return step()
    except BaseException:
        sock.close()
        raise


def _knock(sock: socket.socket, path: str) -> None:
    sock.settimeout(CONNECT_SECONDS)
    sock.connect(path)


def _keep_alive(sock: socket.socket) -> None:
    """Send at once; notice a peer that has vanished while we only wait."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, seconds in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), seconds)


def _encrypt(sock: socket.socket, address: Address, host: str) -> socket.socket:
    """Return the socket inside TLS; the server's certificate is verified unless told not to."""
    import ssl

    context = ssl.create_default_context(cafile=address.ca_certs or None)
    context.check_hostname = address.check_hostname and address.cert_reqs == "required"
    if address.cert_reqs == "none":
        context.verify_mode = ssl.CERT_NONE
    if address.certfile:
        context.load_cert_chain(address.certfile, address.keyfile or None)
    return context.wrap_socket(sock, server_hostname=host)
