"""Disks for tests: mix-ins for a store's file-system object.

:class:`FakeServer`: calls that set a file's time are answered with a fake clock's present,
as if a file server of that time had done it. :class:`FailsAt`: the n-th call fails. Neither
knows a store; what they are mixed into has the methods named in :data:`CALLS`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from typing import Any

from taskgraph.testing.clock import FakeClock


class FakeServer:
    """``class Disk(FakeServer, FileSystem): ...; Disk(clock)``.

    Parameters
    ----------
    clock : FakeClock
        The server's time, in seconds.
    """

    def __init__(self, clock: FakeClock) -> None:
        self.server_clock = clock

    def touch(self, descriptor: int, ns: int | None = None) -> None:
        """Set a file's time to the server's present, or to ``ns``."""
        now = round(self.server_clock() * 1e9) if ns is None else ns
        os.utime(descriptor, ns=(now, now))

    def create(self, path: str, mode: int) -> int:
        """Create a file that is as old as the server says."""
        above: Any = super()
        descriptor = int(above.create(path, mode))
        self.touch(descriptor)
        return descriptor

    def append(self, descriptor: int, buffers: Sequence[Any]) -> int:
        """Append, and change the file's time as a server does."""
        above: Any = super()
        written = int(above.append(descriptor, buffers))
        self.touch(descriptor)
        return written

    def pwrite(self, descriptor: int, data: bytes, offset: int) -> int:
        """Write, and change the file's time as a server does."""
        above: Any = super()
        written = int(above.pwrite(descriptor, data, offset))
        self.touch(descriptor)
        return written


class FailsAt:
    """``class Disk(FailsAt, FileSystem): ...``: the n-th call to the disk fails, once.

    Attributes
    ----------
    left : int
        Calls until the one that fails; 0: none will.
    code : int
        Its ``errno``.
    late : bool
        The failing call does its work first: only its reply is lost.
    met : str
        The call that failed, "" as long as none has.
    """

    left = 0
    code = errno.EIO
    late = False
    met = ""

    def arm(self, n: int, code: int, late: bool = False) -> None:
        """Let the n-th call from now on fail, or none where ``n`` is 0."""
        self.left, self.code, self.late, self.met = n, code, late, ""

    def _through(self, method: str, *arguments: Any) -> Any:
        above: Any = super()
        self.left -= 1
        fails = self.left == 0
        if fails:
            self.met = method
            if method == "close" or (self.late and method not in ("open", "create")):
                getattr(above, method)(*arguments)
            raise OSError(self.code, os.strerror(self.code), f"a planted fault: {method}")
        return getattr(above, method)(*arguments)


def _counted(method: str) -> Callable[..., Any]:
    def call(self: FailsAt, *arguments: Any) -> Any:
        return self._through(method, *arguments)

    call.__doc__ = f"Count, then ``{method}`` or fail."
    return call


#: The calls of a file-system object that reach a disk or a server.
CALLS = (
    "create", "open", "close", "pread", "append", "pwrite", "datasync", "sync", "map",
    "link", "unlink", "rename", "rmdir", "mkdir", "names", "inodes", "sync_folder", "stat", "fstat",
    "touch",
)  # fmt: skip
for _call in CALLS:
    setattr(FailsAt, _call, _counted(_call))
