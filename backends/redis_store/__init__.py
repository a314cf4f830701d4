"""The store on a Redis server (or Valkey), and the mixed one that keeps large results on disk.

A URL flows in, a :class:`~backends.redis_store.store.RedisStore` flows out. The forms of
URLs are told in :mod:`backends.redis_store.address`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backends.redis_store.store import RedisStore


def open_store(
    url: str,
    *,
    create: bool = False,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    say: Callable[[str], None] | None = None,
    time_shift: int = 0,
) -> RedisStore:
    """``store = open_store("redis://localhost/0?project=cells", create=True)``.

    Parameters
    ----------
    url : str
        Where the server is, and which project.
    create : bool
        Found the project if it is not there; else opening changes nothing.
    clock, sleep : callable
        Seconds, never going back, and a pause of some seconds.
    say : callable, optional
        Told what a person should know; by default it is written to standard error.
    time_shift : int
        Milliseconds added to the server's clock, in tests.

    Raises
    ------
    UsageError
        The URL is not one that names a server and a project.
    StoreUnreachable
        There is no such server or no such project.
    StoreForeign
        The folder of a mixed store belongs to another store.
    StoreTooNew
        The project was made by a newer taskgraph.
    """
    from backends.redis_store.address import parse
    from backends.redis_store.link import say_on_stderr
    from backends.redis_store.server import Server
    from backends.redis_store.store import RedisStore

    address = parse(url, os.environ)
    server = Server(address, create=create, clock=clock, sleep=sleep, say=say or say_on_stderr)
    server.link.time_shift = time_shift
    try:
        return RedisStore(server)
    except BaseException:
        server.link.close()
        raise
