"""SHA-256 of files, remembered by what ``stat`` says: a file is read once.

A digest is kept under (path, inode, size, mtime, ctime), never the device, which differs
between NFS clients, and never for a file younger than two seconds, which may change
again without its times showing it. A cache that outlives the process is put in with
:func:`set_digest_cache`.

This trusts the file system's times: who changes a file and sets its times back, on a
disk without ctime, is not noticed. A clock that runs ahead of the file server makes a
file look older than it is.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from taskgraph.errors import HashError

#: Seconds for which a file is too young for its digest to be remembered.
YOUNG = 2.0
#: Bytes read at a time.
_PIECE = 1 << 20


class DigestCache(Protocol):
    """Remembers digests of files; times are in nanoseconds since 1970."""

    def get(self, path: str, ino: int, size: int, mtime_ns: int, ctime_ns: int) -> bytes | None:
        """Return the digest put under exactly these, or ``None``."""
        ...

    def put(
        self, path: str, ino: int, size: int, mtime_ns: int, ctime_ns: int, digest: bytes
    ) -> None:
        """Remember a digest."""
        ...

    def tick(self, size: int) -> None:
        """Learn, from any thread, that so many more bytes of some file were read."""
        ...

    def expect(self, count: int) -> None:
        """Learn that so many files will be asked for."""
        ...


class MemoryCache:
    """The default: a dict, gone with the process."""

    def __init__(self) -> None:
        self._digests: dict[tuple[str, int, int, int, int], bytes] = {}

    def get(self, path: str, ino: int, size: int, mtime_ns: int, ctime_ns: int) -> bytes | None:
        """Return the digest put under exactly these, or ``None``."""
        return self._digests.get((path, ino, size, mtime_ns, ctime_ns))

    def put(
        self, path: str, ino: int, size: int, mtime_ns: int, ctime_ns: int, digest: bytes
    ) -> None:
        """Remember a digest."""
        self._digests[path, ino, size, mtime_ns, ctime_ns] = digest

    def tick(self, size: int) -> None:
        """Do nothing."""

    def expect(self, count: int) -> None:
        """Do nothing."""


_cache: DigestCache = MemoryCache()
_clock_ns: Callable[[], int] = time.time_ns


def set_digest_cache(
    cache: DigestCache | None, clock_ns: Callable[[], int] = time.time_ns
) -> DigestCache:
    """``old = set_digest_cache(cache)``: remember digests of files there.

    Parameters
    ----------
    cache : DigestCache or None
        ``None``: a new one in memory.
    clock_ns : callable
        Nanoseconds since 1970, by the clock that the file times are compared with.

    Returns
    -------
    DigestCache
        The one used until now.
    """
    global _cache, _clock_ns
    old, _cache, _clock_ns = _cache, cache or MemoryCache(), clock_ns
    return old


def exchange_digest_cache(cache: DigestCache) -> DigestCache:
    """``old = exchange_digest_cache(cache)``: as :func:`set_digest_cache`; the clock stays."""
    return set_digest_cache(cache, _clock_ns)


def is_young(mtime_ns: int, ctime_ns: int) -> bool:
    """Tell whether a file with these times may still change without its times showing it."""
    return _clock_ns() - max(mtime_ns, ctime_ns) < YOUNG * 1e9


def status_of(path: str) -> os.stat_result:
    """Return the status of a regular file.

    Raises
    ------
    HashError
        There is no such file, it can't be reached, or it is not a regular file.
    """
    try:
        status = Path(path).stat()
    except OSError as error:
        raise _unreadable(path, error) from error
    if not stat.S_ISREG(status.st_mode):
        raise HashError(
            "Only a regular file can be identified by its content. List the folder's files and "
            f"pass a File for each. Got {path!r}."
        )
    return status


def _unreadable(path: str, error: OSError) -> HashError:
    return HashError(
        "A file given as File(path) must exist and be readable when the task is made. Check "
        f"the path and the current folder ({Path.cwd()}). Got {path!r}: {error.strerror}."
    )


def content_digest(path: str) -> bytes:
    """``digest = content_digest(path)``: return the SHA-256 of a file's content, 32 bytes.

    Raises
    ------
    HashError
        The file is missing, is no regular file, or changed while it was read.
    """
    status = status_of(path)
    full = str(Path(path).absolute())
    place = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    known = _cache.get(full, *place)
    if known is not None:
        return known
    digest = _read(path)
    after = status_of(path)
    if place != (after.st_ino, after.st_size, after.st_mtime_ns, after.st_ctime_ns):
        raise HashError(
            "A file must not change while it is read. Wait until its writer is done, or pass a "
            f"copy. Got {path!r}."
        )
    if not is_young(status.st_mtime_ns, status.st_ctime_ns):
        _cache.put(full, *place, digest)
    return digest


def _read(path: str) -> bytes:
    digest, room = hashlib.sha256(), memoryview(bytearray(_PIECE))
    try:
        with Path(path).open("rb", buffering=0) as file:
            while size := file.readinto(room):
                digest.update(room[:size])
                _cache.tick(size)
    except OSError as error:
        raise _unreadable(path, error) from error
    return digest.digest()


def digest_files(
    paths: Iterable[str | os.PathLike[str]],
    threads: int = 4,
    progress: Callable[[int, int], object] | None = None,
    start: int = 0,
) -> dict[str, bytes]:
    """``digests = digest_files(paths)``: digest many files at once, in threads.

    Parameters
    ----------
    paths : iterable of path
        Files; those whose digest is remembered are not read.
    threads : int
        Files read at a time.
    progress : callable, optional
        Called as ``progress(done, total)`` after each file, in the calling thread.
    start : int
        Where in the list to begin: processes that begin at different places share the work.

    Returns
    -------
    dict
        Path as text -> 32 bytes, in the order given.

    Raises
    ------
    HashError
        As :func:`content_digest`; digests made until then are remembered.
    """
    from concurrent.futures import ThreadPoolExecutor

    names = list(dict.fromkeys(os.fspath(path) for path in paths))
    turned = names[start:] + names[:start]
    digests: dict[str, bytes] = {}
    _cache.expect(len(names))
    with ThreadPoolExecutor(max(1, threads), thread_name_prefix="digest") as pool:
        for name, digest in zip(turned, pool.map(content_digest, turned), strict=True):
            digests[name] = digest
            if progress is not None:
                progress(len(digests), len(names))
    return {name: digests[name] for name in names}
