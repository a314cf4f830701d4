"""A disk whose server lives by a fake clock: a mix-in for a store's file-system object.

Calls that set a file's time flow in and are answered with the clock's present, as if a
file server of that time had done it. It knows no store; what it is mixed into needs
``create``, ``append``, ``pwrite`` and ``touch`` on descriptors.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
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

    def touch(self, descriptor: int) -> None:
        """Set a file's time to the server's present."""
        now = round(self.server_clock() * 1e9)
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
