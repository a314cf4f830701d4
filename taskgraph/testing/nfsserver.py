"""The server side of a simulated network mount: files and folders in memory, one truth.

Requests of :class:`~taskgraph.testing.nfs.NfsClient` flow in, attributes and bytes flow out;
each request is atomic, as a server's are. It caches nothing and knows no client. Times come
from one clock, in nanoseconds; every change of a file or folder also moves its *change
attribute*, by which clients tell whether what they remember is still so.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple


class Attributes(NamedTuple):
    """What a server tells of a file or folder in one reply."""

    number: int
    mode: int
    links: int
    size: int
    mtime: int  #: ns
    ctime: int  #: ns
    change: int

    def result(self, size: int) -> os.stat_result:
        """Return them as ``os.stat`` does, with the size that the client believes."""
        seconds = (self.mtime // 10**9, self.mtime // 10**9, self.ctime // 10**9)
        return os.stat_result(
            (self.mode, self.number, 1, self.links, 0, 0, size, *seconds),
            {"st_mtime_ns": self.mtime, "st_ctime_ns": self.ctime},
        )


@dataclass(slots=True)
class Inode:
    """A file or folder, whatever its names."""

    number: int
    mode: int
    links: int = 0
    mtime: int = 0
    ctime: int = 0
    change: int = 0
    data: bytearray = field(default_factory=bytearray)
    names: dict[str, int] = field(default_factory=dict)

    def attributes(self) -> Attributes:
        """Return what a reply says."""
        return Attributes(
            self.number,
            self.mode,
            self.links,
            len(self.data),
            self.mtime,
            self.ctime,
            self.change,
        )


def fault(code: int, what: str) -> OSError:
    """Return the error of a code, of the class that Python gives it."""
    return OSError(code, os.strerror(code), what)


class NfsServer:
    """``server = NfsServer(clock)``: an empty export, mounted as ``/`` by its clients.

    Parameters
    ----------
    clock : callable
        The server's time in seconds.

    Attributes
    ----------
    room : int or None
        Bytes that may still be written; ``None``: no limit.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._inodes: dict[int, Inode] = {1: Inode(1, stat.S_IFDIR | 0o755, links=2)}
        self._last = 1
        self._ticks = 0
        self.room: int | None = None

    # -- inodes ------------------------------------------------------------------
    def get(self, number: int) -> Inode:
        """Return a file by its handle; ESTALE when its last name is gone."""
        try:
            return self._inodes[number]
        except KeyError:
            raise fault(errno.ESTALE, f"inode {number}") from None

    def getattr(self, number: int) -> Attributes:
        """Return the attributes of a file by its handle."""
        return self.get(number).attributes()

    def lookup(self, path: str) -> Attributes:
        """Return the attributes of what a path names."""
        folder, name = self._split(path)
        number = 1 if not name else folder.names.get(name)
        if number is None:
            raise fault(errno.ENOENT, path)
        return self.getattr(number)

    def _split(self, path: str) -> tuple[Inode, str]:
        parts = [part for part in path.split("/") if part]
        folder = self._inodes[1]
        for part in parts[:-1]:
            number = folder.names.get(part)
            if number is None:
                raise fault(errno.ENOENT, path)
            folder = self._inodes[number]
            if not stat.S_ISDIR(folder.mode):
                raise fault(errno.ENOTDIR, path)
        return folder, parts[-1] if parts else ""

    def _changed(self, *inodes: Inode, content: bool = True) -> None:
        self._ticks += 1  # no two changes have one time, as on a server of fine clock
        now = round(self._clock() * 1e9) + 1000 * self._ticks
        for inode in inodes:
            inode.change += 1
            inode.ctime = now
            if content:
                inode.mtime = now

    # -- names -------------------------------------------------------------------
    def make(self, path: str, mode: int) -> Attributes:
        """Create a file or folder that must not exist."""
        folder, name = self._split(path)
        if name in folder.names or not name:
            raise fault(errno.EEXIST, path)
        if self.room is not None and self.room <= 0:
            raise fault(errno.ENOSPC, path)
        self._last += 1
        inode = self._inodes[self._last] = Inode(self._last, mode, links=1)
        folder.names[name] = inode.number
        self._changed(folder, inode)
        return inode.attributes()

    def link(self, source: str, target: str) -> None:
        """Give a file a second name that must not exist."""
        inode = self.get(self.lookup(source).number)
        folder, name = self._split(target)
        if name in folder.names:
            raise fault(errno.EEXIST, target)
        folder.names[name] = inode.number
        inode.links += 1
        self._changed(folder)
        self._changed(inode, content=False)

    def unlink(self, path: str) -> None:
        """Remove a name; with the last one the file goes, open or not."""
        folder, name = self._split(path)
        if name not in folder.names:
            raise fault(errno.ENOENT, path)
        self._drop(folder.names.pop(name))
        self._changed(folder)

    def rename(self, source: str, target: str) -> None:
        """Move a name, replacing the target."""
        number = self.lookup(source).number
        folder, name = self._split(target)
        replaced = folder.names.get(name)
        if replaced == number:
            return
        if replaced is not None and self.get(replaced).names:
            raise fault(errno.ENOTEMPTY, target)
        folder.names[name] = number
        if replaced is not None:
            self._drop(replaced)
        origin, old = self._split(source)
        del origin.names[old]
        self._changed(folder, origin)
        self._changed(self.get(number), content=False)

    def rmdir(self, path: str) -> None:
        """Remove an empty folder."""
        if self.get(self.lookup(path).number).names:
            raise fault(errno.ENOTEMPTY, path)
        self.unlink(path)

    def names(self, number: int) -> dict[str, int]:
        """Return the names in a folder, with their handles."""
        inode = self.get(number)
        if not stat.S_ISDIR(inode.mode):
            raise fault(errno.ENOTDIR, f"inode {number}")
        return dict(inode.names)

    def _drop(self, number: int) -> None:
        inode = self.get(number)
        inode.links -= 1
        self._changed(inode, content=False)
        if inode.links <= 0:
            del self._inodes[number]

    # -- content -----------------------------------------------------------------
    def write(self, number: int, offset: int, data: bytes) -> None:
        """Write; a gap before the offset reads as zeros, a hole."""
        inode = self.get(number)
        grown = max(0, offset + len(data) - len(inode.data))
        if self.room is not None:
            if grown > self.room:
                raise fault(errno.ENOSPC, f"inode {number}")
            self.room -= grown
        inode.data.extend(bytes(max(0, offset - len(inode.data))))
        inode.data[offset : offset + len(data)] = data
        self._changed(inode)

    def touch(self, number: int, ns: int | None = None) -> Attributes:
        """Set a file's times to the server's present, or to ``ns``."""
        inode = self.get(number)
        self._changed(inode)
        inode.mtime = inode.mtime if ns is None else ns
        return inode.attributes()
