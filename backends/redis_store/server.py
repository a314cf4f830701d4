"""The server as one handle knows it: which project, which run of the server, its clock.

Names of scripts flow in, their answers flow out. Every connection begins with the
``hello`` script, every script is told the run id that this handle believes in, and one
that finds another run answers ``RESTARTED``. So no restart passes unnoticed: it may have
lost the last second, or minutes, of everything, and may bring back what was deleted.

:attr:`Server.restarts` counts the restarts met. Those who keep something in memory that
a restart makes doubtful compare that number (:mod:`store`), or are called back
(:attr:`Server.on_restart`: leases, origins). A fork is such an event too
(:attr:`Server.on_fork`): a child holds nothing of its parent's.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from backends.redis_store.address import Address
from backends.redis_store.connection import Connection, Run
from backends.redis_store.link import Link
from backends.redis_store.lua import scripts
from backends.redis_store.names import Names
from backends.redis_store.wire import Argument
from taskgraph.errors import StoreTooNew, StoreUnreachable

FORMAT = 1
LEASE_SECONDS = 30.0
RESTARTED = b"RESTARTED"
#: A server that restarts more often than this during one call is not usable.
_MOST_RESTARTS = 10


#: A script to run: its name, its KEYS but ``meta``, its ARGV but the first two.
Call = tuple[str, Sequence[Argument], Sequence[Argument]]


class Server:
    """``server = Server(address, create=True); server.run("present", [heads], [keys])``.

    Parameters
    ----------
    address : Address
        Where the server is, and which project.
    create : bool
        Found the project if it is not there.
    clock, sleep
        Monotonic seconds, and a pause.
    say : callable
        Told what a person should know.
    """

    def __init__(
        self,
        address: Address,
        *,
        create: bool,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        say: Callable[[str], None],
    ) -> None:
        self.address, self.create = address, create
        self.names = Names(address.project)
        self.clock, self.sleep, self.say = clock, sleep, say
        self.link = Link(address, scripts(), self._hello, clock, sleep, say)
        self.id = ""
        self.lease_ms = round((address.lease or LEASE_SECONDS) * 1000)
        self.run_id = b""
        self.version: tuple[int, ...] = ()
        self.restarts = 0
        self.on_restart: list[Callable[[], None]] = []
        self.on_fork: list[Callable[[], None]] = []
        self._settled = 0
        self._settling = False
        self._greeted = False  #: this handle has been connected
        self._ahead = 0.0  #: of the server's clock before this process's, in milliseconds
        self._pid = os.getpid()
        self._tag = os.urandom(8)

    # -- asking ------------------------------------------------------------------------
    def run(self, name: str, keys: Sequence[Argument], args: Sequence[Argument] = ()) -> Any:
        """Return what a script answers, whatever restarts it meets."""
        return self.run_all([(name, keys, args)])[0]

    def run_all(self, runs: Sequence[Call]) -> list[Any]:
        """Return what some scripts answer, asked in one go; repeated if the server restarts."""
        if not runs:
            return []
        for _ in range(_MOST_RESTARTS):
            replies = self.try_all(runs)
            if RESTARTED not in replies:
                return replies
        raise StoreUnreachable(
            f"A store needs a server that stays up for a moment; {self.address.shown} has "
            f"restarted {_MOST_RESTARTS} times during one call."
        )

    def try_all(self, runs: Sequence[Call]) -> list[Any]:
        """Return what scripts answer, which is ``RESTARTED`` after a restart, once."""
        self.settle()
        meta, run_id, shift = self.names.meta, self.run_id, self.link.time_shift
        replies = self.link.pipeline(
            [Run(name, [meta, *keys], [run_id, shift, *args]) for name, keys, args in runs]
        )
        if RESTARTED in replies:
            self.link.close()  # the next connection says hello, and learns of the new run
            self._greeted = False
        return replies

    def settle(self) -> None:
        """Connect, and bring into order what a fork or a restart has made doubtful."""
        if self._pid != os.getpid():
            self._pid, self._tag = os.getpid(), os.urandom(8)
            for forked in self.on_fork:
                forked()
        if not self._greeted:
            self.link.call("PING")
            self._greeted = True
        if self._settled != self.restarts and not self._settling:
            self._settling = True  # those who are called back run scripts themselves
            try:
                while self._settled != (met := self.restarts):
                    for settle in self.on_restart:
                        settle()
                    self._settled = met
            finally:
                self._settling = False

    @property
    def tag(self) -> bytes:
        """What this handle marks its news with: 8 bytes, others on each side of a fork."""
        if self._pid != os.getpid():
            self.settle()
        return self._tag

    def now_ms(self) -> int:
        """Return about what the server's clock says."""
        return int(self.clock() * 1000 + self._ahead)

    # -- a new connection --------------------------------------------------------------
    def _hello(self, connection: Connection) -> None:
        wanted = uuid.uuid4().hex
        told = self._seen(connection) or self._greet(connection, wanted)
        if not told:
            raise StoreUnreachable(
                f"Opening a store that is to be read makes none, and there is no project "
                f"{self.address.project!r} at {self.address.shown}: check the name, or run "
                f"`taskgraph execute`, which makes it."
            )
        if int(told[1]) > FORMAT:
            raise StoreTooNew(
                f"A store can be used by a taskgraph that knows its format: install a newer one; "
                f"{self.address.shown} has format {int(told[1])}, known is {FORMAT}."
            )
        run_id, known = connection.run_id.encode(), self.id
        self.id, self.lease_ms, self.version = told[0].decode(), int(told[2]), connection.version
        if known and self.id == wanted:  # of all that meet the empty server, the first
            self.say(
                f"A server must keep what it is given, and {self.address.shown} was emptied, or "
                f"lost all when it ended (see `taskgraph doctor`): everything is computed anew."
            )
        self._ahead = int(told[3]) - self.clock() * 1000
        if self.run_id and (run_id != self.run_id or known != self.id):
            self.restarts += 1
        self.run_id = run_id

    def _seen(self, connection: Connection) -> list[Any] | None:
        """Return what ``hello`` would, if it would write nothing: a replica takes no scripts."""
        meta, clock = connection.pipeline(
            [("HMGET", self.names.meta, "id", "format", "lease", "run"), ("TIME",)]
        )
        if meta[0] is None or meta[3] != connection.run_id.encode():
            return None
        now = int(clock[0]) * 1000 + int(clock[1]) // 1000 + self.link.time_shift
        return [*meta[:3], now]

    def _greet(self, connection: Connection, wanted: str) -> list[Any]:
        """Say hello; found the project where that is wanted, or where it has been emptied."""
        names, found = self.names, "1" if self.create else "0"
        args: list[Argument] = [
            connection.run_id, self.link.time_shift, wanted, found, self.id, self.lease_ms,
        ]  # fmt: skip
        told: list[Any] = connection.script("hello", [names.meta, names.epoch], args)
        return told
