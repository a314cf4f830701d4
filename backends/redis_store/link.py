"""The way of a store handle to its server: commands flow in, replies flow out, trouble is named.

A :class:`Link` connects when it is first used, and again whenever it must. Every new
connection authenticates, chooses the database, names itself to the server and then runs
the store's ``hello``, so that a restart never passes unnoticed behind a reconnect.

What a caller may rely on
    * A call returns the server's reply, or raises. After an error the outcome is unknown:
      every operation must be safe to repeat, and one whose connection was lost (a server
      restarted, a client killed) is repeated here at once.
    * :class:`StoreUnreachable` and :class:`StoreFull` may pass: try again later. A plain
      :class:`StoreError` (wrong password, no permission, a command refused) will not.
    * Threads may share a link: calls take turns. So may a forked child: it gets a
      connection of its own, and says nothing on its parent's.
    * An interruption (Ctrl-C) in the middle of a call drops the connection: the next call
      never reads the reply of this one.

The link knows neither keys nor what scripts mean.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from backends.redis_store.address import Address
from backends.redis_store.connection import READ_SECONDS, Connection, Run
from backends.redis_store.troubles import passing, story
from backends.redis_store.wire import Argument, Command, ReplyError

#: Times that a call is sent when its connection is lost each time.
MOST_TRIES = 3
#: So many moves to another node of a cluster in one call are a circle.
MOST_MOVES = 5
#: A connection that was there, if only for a moment.
_LOST = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)


def say_on_stderr(text: str) -> None:
    """Tell a person, where nobody else was named: not the one who gathers what tasks print."""
    stream = sys.__stderr__ or sys.stderr
    with suppress(OSError, ValueError):  # a terminal that went away
        clear = "\r\033[K" if stream.isatty() else ""
        stream.write(f"{clear}taskgraph: {text}\n")
        stream.flush()


class Link:
    """``link = Link(address, scripts, hello); reply = link.call("HGET", key, field)``.

    Parameters
    ----------
    address : Address
        Where the server is.
    scripts : mapping
        Lua text by name; a first line ``#!lua flags=...`` is left out for servers that
        are older than 7.0.
    hello : callable, optional
        Called with each new :class:`Connection` before anything else is sent on it. What
        it raises ends the call that wanted the connection.
    clock, sleep : callable
        Monotonic seconds, and a pause: for the store; the link itself never pauses.
    say : callable
        Told what a person should know.

    Attributes
    ----------
    time_shift : int
        Milliseconds that the store's scripts add to the server's clock, in tests.
    connections : int
        How many this process has made.
    """

    def __init__(
        self,
        address: Address,
        scripts: Mapping[str, str] | None = None,
        hello: Callable[[Connection], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        say: Callable[[str], None] = say_on_stderr,
    ) -> None:
        self.address = address
        self.scripts = dict(scripts or {})
        self.hello = hello
        self.clock, self.sleep, self.say = clock, sleep, say
        self.time_shift = 0
        self._node: tuple[str, int] | None = None
        self._connection: Connection | None = None
        self._be_here()

    # -- what is sent ------------------------------------------------------------------
    def call(self, *command: Argument, timeout: float | None = None) -> Any:
        """Return the reply to one command: int, bytes, None or a list of them.

        A reply of 64 KiB or more is a ``bytearray``. An argument may be a list of buffers:
        they are sent as one string without being joined.

        Parameters
        ----------
        timeout : float, optional
            Seconds without a byte after which the server counts as away.

        Raises
        ------
        StoreUnreachable, StoreFull
            Trouble that may pass.
        StoreError
            Trouble that will not.
        """
        return self.pipeline([command], timeout)[0]

    def script(
        self,
        name: str,
        keys: Sequence[Argument],
        args: Sequence[Argument] = (),
        timeout: float | None = None,
    ) -> Any:
        """Return what a script returns; the server is given its text when it lacks it."""
        return self.pipeline([Run(name, keys, args)], timeout)[0]

    def pipeline(
        self, commands: Sequence[Command | Run], timeout: float | None = None
    ) -> list[Any]:
        """Return the replies to many commands (and scripts, as :class:`Run`), in order.

        One write and one read for each 8 MB of them. Not a transaction. The first error
        among the replies is raised when all have come; a repeat repeats all commands.
        """
        if not commands:
            return []
        if self._pid != os.getpid():
            self._be_here()
        if timeout is None:
            timeout = getattr(self._hurry, "seconds", READ_SECONDS)
        with self._turn:
            return self._insist(commands, timeout)

    @contextmanager
    def hurried(self, seconds: float) -> Iterator[None]:
        """``with link.hurried(3.0)``: this thread's calls wait no longer than that.

        For a heartbeat: it is better given up soon, and tried again.
        """
        self._hurry.seconds = seconds
        try:
            yield
        finally:
            del self._hurry.seconds

    def close(self) -> None:
        """Close the connection; a later call makes another."""
        if self._pid != os.getpid():
            self._be_here()
        with self._turn:
            self._drop()

    # -- connections -------------------------------------------------------------------
    def connection(self, timeout: float = READ_SECONDS) -> Connection:
        """Return the connection, making and greeting one if there is none."""
        if self._connection is None:
            made = Connection(self.address, self.scripts, self._node, timeout)
            self.connections += 1
            try:
                if self.hello is not None:
                    self.hello(made)
            except BaseException:
                made.close()
                raise
            self._connection = made
        self._connection.set_timeout(timeout)
        return self._connection

    def _insist(self, commands: Sequence[Command | Run], timeout: float) -> list[Any]:
        """Send, again over a new connection when one was lost; follow a cluster."""
        moves = tries = 0
        while True:
            tries += 1
            old = self._connection is not None
            try:
                return self.connection(timeout).pipeline(commands)
            except ReplyError as error:
                node = _moved_to(error, self._node or (self.address.host, self.address.port))
                if node and moves < MOST_MOVES:
                    moves += 1
                    self._drop()
                    self._node = node
                    continue
                if passing(error):
                    self._forget()
                raise story(error, self.address) from error
            except OSError as error:
                self._forget()
                # Not after a timeout: a server that is stopped would cost twice as long.
                lost = (old or isinstance(error, _LOST)) and not isinstance(error, TimeoutError)
                if not lost or tries == MOST_TRIES:
                    raise story(error, self.address) from error
            except BaseException:
                self._drop()
                raise

    def _forget(self) -> None:
        """Drop the connection, and what the cluster said of its nodes."""
        self._drop()
        self._node = None

    def _drop(self) -> None:
        dropped, self._connection = self._connection, None
        if dropped is not None:
            with suppress(OSError):
                dropped.close()

    def _be_here(self) -> None:
        """Begin anew in this process: what the parent's threads hold is not waited for."""
        self._turn = threading.RLock()
        self._hurry = threading.local()
        self._pid = os.getpid()
        self.connections = 0
        if self._connection is not None:
            self._parents = self._connection  # kept: its buffer may be locked for ever
            self._connection = None
            self._parents.abandon()


def _moved_to(error: ReplyError, here: tuple[str, int]) -> tuple[str, int] | None:
    """Return the node that a cluster sends us to: ``MOVED 3999 host:port``."""
    words = str(error).split()
    if error.code != "MOVED" or len(words) < 3:
        return None
    host, _, port = words[2].rpartition(":")
    return (host.strip("[]") or here[0], int(port)) if port.isdigit() else None
