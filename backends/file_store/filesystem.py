"""Every call that touches the disk, one small method each.

Paths and descriptors flow in, bytes and ``os.stat_result`` flow out; failures are plain
``OSError`` (:func:`store_error` names them in the words of ``taskgraph.errors``). Nothing
here knows what the files mean. A test subclasses :class:`FileSystem` to count calls, to
fail the n-th one, to show an old listing as a network mount does, or to stop at a named
:meth:`FileSystem.point`.
"""

# Strings and descriptors: a Path object costs more than the call it wraps.
# ruff: noqa: PTH101, PTH102, PTH104, PTH106, PTH108, PTH116, PTH208
from __future__ import annotations

import contextlib
import errno
import mmap
import os
import uuid
from collections.abc import Callable, Sequence
from typing import TypeVar

from taskgraph.errors import StoreError, StoreFull, StoreUnreachable
from taskgraph.store import Buffer

T = TypeVar("T")

#: Buffers handed to one ``writev``: the kernel refuses more than 1024.
IOV_MAX = 1024

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


def store_error(error: OSError, where: str) -> StoreError:
    """Return the store's error for an operating system's one, with a remedy.

    Parameters
    ----------
    error : OSError
        What the call raised.
    where : str
        The store's folder, for the message.
    """
    if error.errno in _FULL:
        return StoreFull(
            f"the store has no room left: free some space or raise the quota of {where} ({error})"
        )
    return StoreUnreachable(
        f"the store at {where} must be readable and writable: check mount and permissions ({error})"
    )


def links_missing(error: OSError) -> bool:
    """Return whether ``link`` failed because the file system has no hard links."""
    return error.errno in _NO_LINKS


class FileSystem:
    """The real disk. Methods are thin so that a simulated one can replace any of them."""

    def point(self, name: str) -> None:
        """Do nothing: tests hold a process here (``appended``, ``synced``, ``sealed``, ...)."""

    # -- files -----------------------------------------------------------------
    def create(self, path: str, mode: int) -> int:
        """Create a file that must not exist and return a descriptor that appends and reads."""
        flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(path, flags, mode)
        try:
            os.fchmod(descriptor, mode)  # whatever the umask says
        except OSError:
            self.let_go(descriptor)
            raise
        return descriptor

    def open(self, path: str, flags: int = os.O_RDONLY) -> int:
        """Open an existing file; on a network mount this also asks for fresh attributes."""
        return os.open(path, flags | os.O_CLOEXEC)

    def close(self, descriptor: int) -> None:
        """Close a descriptor."""
        os.close(descriptor)

    def let_go(self, descriptor: int) -> None:
        """Close a descriptor that was read, or whose bytes are synced: an error says nothing."""
        with contextlib.suppress(OSError):
            self.close(descriptor)

    def pread(self, descriptor: int, size: int, offset: int) -> bytes:
        """Read up to ``size`` bytes at ``offset``; less only at the end of the file."""
        data = os.pread(descriptor, size, offset)
        if not data or len(data) == size:
            return data
        parts = [data]
        done = len(data)
        while done < size:
            data = os.pread(descriptor, size - done, offset + done)
            if not data:
                break
            parts.append(data)
            done += len(data)
        return b"".join(parts)

    def append(self, descriptor: int, buffers: Sequence[Buffer]) -> int:
        """Append buffers in one call and return the bytes written, which may be fewer."""
        if len(buffers) <= IOV_MAX:
            return os.writev(descriptor, buffers)
        return os.write(descriptor, b"".join(buffers))

    def pwrite(self, descriptor: int, data: Buffer, offset: int) -> int:
        """Write at an offset of a descriptor that was opened without ``O_APPEND``."""
        return os.pwrite(descriptor, data, offset)

    def datasync(self, descriptor: int) -> None:
        """Make the file's bytes survive a power loss."""
        os.fdatasync(descriptor)

    def sync(self, descriptor: int) -> None:
        """Make the file's bytes and attributes survive a power loss."""
        os.fsync(descriptor)

    def map(self, descriptor: int, size: int) -> memoryview:
        """Map a whole file copy-on-write: writes of the caller never reach the disk."""
        return memoryview(mmap.mmap(descriptor, size, access=mmap.ACCESS_COPY))

    # -- names -----------------------------------------------------------------
    def link(self, source: str, target: str) -> None:
        """Give a file a second name that must not exist."""
        os.link(source, target)

    def unlink(self, path: str) -> None:
        """Remove a name."""
        os.unlink(path)

    def rename(self, source: str, target: str) -> None:
        """Move a name, replacing the target."""
        os.rename(source, target)

    def rmdir(self, path: str) -> None:
        """Remove an empty folder."""
        os.rmdir(path)

    def mkdir(self, path: str, mode: int) -> None:
        """Make a folder of exactly this mode, whatever the umask."""
        os.mkdir(path, mode)
        os.chmod(path, mode)

    def names(self, folder: str) -> list[str]:
        """List a folder anew: ``opendir`` makes a network client ask its server."""
        return os.listdir(folder)

    def inodes(self, folder: str) -> dict[str, int]:
        """List a folder anew, each name with its inode, which costs no call of its own."""
        with os.scandir(folder) as entries:
            return {entry.name: entry.inode() for entry in entries}

    def sync_folder(self, folder: str) -> None:
        """Make the names in a folder survive a power loss."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    # -- attributes ------------------------------------------------------------
    def stat(self, path: str) -> os.stat_result:
        """Look at a name (a network client may answer from its cache)."""
        return os.stat(path)

    def fstat(self, descriptor: int) -> os.stat_result:
        """Look at an open file."""
        return os.fstat(descriptor)

    def touch(self, descriptor: int, ns: int | None = None) -> None:
        """Set the times of an open file to the (server's) present, or as its owner to ``ns``."""
        if ns is None:
            os.utime(descriptor)
        else:
            os.utime(descriptor, ns=(ns, ns))

    # -- made of the above -----------------------------------------------------
    def read_file(self, path: str) -> bytes:
        """Return the whole content of a file."""
        descriptor = self.open(path)
        try:
            return self.pread(descriptor, self.fstat(descriptor).st_size, 0)
        finally:
            self.let_go(descriptor)

    def append_all(self, descriptor: int, buffers: Sequence[Buffer]) -> int:
        """Append all buffers, however many calls it takes, and return their bytes."""
        views = [memoryview(buffer).cast("B") for buffer in buffers if memoryview(buffer).nbytes]
        total = sum(view.nbytes for view in views)
        while views:
            written = self.append(descriptor, views[:IOV_MAX])
            if written == 0:
                raise OSError(errno.ENOSPC, "nothing could be written")
            while views and written >= views[0].nbytes:
                written -= views.pop(0).nbytes
            if written:
                views[0] = views[0][written:]
        return total

    def write_file(self, path: str, data: Buffer, mode: int) -> None:
        """Create a file that must not exist, with this content, durable (its name is not)."""
        descriptor = self.create(path, mode)
        try:
            self.append_all(descriptor, [data])
            self.sync(descriptor)
        except OSError:
            self.discard(path)
            raise
        finally:
            self.let_go(descriptor)

    def replace_file(self, folder: str, name: str, data: Buffer, mode: int) -> None:
        """Give ``folder/name`` this content, whole and durable, replacing any other."""
        temp = f"{folder}/.{uuid.uuid4().hex}.tmp"
        self.write_file(temp, data, mode)
        try:
            self.move(temp, f"{folder}/{name}")
        except OSError:
            self.discard(temp)
            raise
        self.sync_folder(folder)

    def give(self, source: str, target: str) -> None:
        """Link this caller's own file to a name that must not exist.

        A network client whose reply was lost asks again and hears of its own link, which
        is no other's.
        """
        try:
            self.link(source, target)
        except FileExistsError:
            if self._number_of(target) != self._number_of(source):
                raise

    def move(self, source: str, target: str) -> None:
        """Rename this caller's own file; a lost reply to it says that the source is missing."""
        number = self._number_of(source)
        try:
            self.rename(source, target)
        except FileNotFoundError:
            if number is None or self._number_of(target) != number:
                raise

    def _number_of(self, path: str) -> int | None:
        try:
            descriptor = self.open(path)
        except FileNotFoundError:
            return None
        try:
            return self.fstat(descriptor).st_ino
        finally:
            self.let_go(descriptor)

    def again(self, call: Callable[[], T]) -> T:
        """Call once more where a network client finds that a name it remembers is stale.

        That is no proof that the name is gone: only a missing name is.
        """
        try:
            return call()
        except OSError as error:
            if error.errno != errno.ESTALE:
                raise
        return call()

    def discard(self, path: str) -> bool:
        """Remove a name if it is there; False when it was not."""
        try:
            self.unlink(path)
        except FileNotFoundError:
            return False
        return True

    def same_and_single(self, path: str, descriptor: int) -> bool:
        """Return whether a name still means this open file and the file has no second name."""
        try:
            other = self.open(path)
        except FileNotFoundError:
            return False
        try:
            there, here = self.fstat(other), self.fstat(descriptor)
        finally:
            self.let_go(other)
        return there.st_ino == here.st_ino and there.st_dev == here.st_dev and there.st_nlink == 1

    def server_time(self, folder: str) -> int:
        """Return the server's present in ns, as the time of a file made now in ``folder``.

        Compared with other times of the same mount, so that no host's own clock is asked.
        """
        probe = f"{folder}/.{uuid.uuid4().hex}.tmp"
        descriptor = self.create(probe, 0o600)
        try:
            return self.fstat(descriptor).st_mtime_ns
        finally:
            self.let_go(descriptor)
            self.discard(probe)

    def older(self, path: str, seconds: float, now: int | None = None) -> bool:
        """Return whether a name changed at least ``seconds`` before ``now`` (of the server)."""
        if seconds <= 0:
            return True
        present = self.server_time(path.rpartition("/")[0]) if now is None else now
        return present - self.stat(path).st_mtime_ns >= seconds * 1e9
