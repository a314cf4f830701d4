"""The file store: records, locks and tombstones in a folder, safe on network mounts.

A URL or path flows in, a :class:`~backends.file_store.store.FileStore` flows out.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backends.file_store.filesystem import FileSystem
    from backends.file_store.store import FileStore


def open_store(
    url: str,
    *,
    create: bool = False,
    mode: str = "private",
    lease_seconds: float | None = None,
    fs: FileSystem | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> FileStore:
    """``store = open_store("results.taskgraph", create=True)``.

    Parameters
    ----------
    url : str
        A path, ``file:PATH`` or ``file:///PATH``.
    create : bool
        Make the store if it is not there; else opening changes nothing on the disk.
    mode : str
        Permissions of a new store: ``private`` (0700) or ``group`` (2770, files 0660).
    lease_seconds : float, optional
        Lease time of a new store: by default 30 s, on a network mount 300 s.
    fs : FileSystem, optional
        The disk, for tests.
    clock, sleep : callable
        Seconds, never going back, and a pause of some seconds.

    Raises
    ------
    StoreUnreachable
        There is no store, or it may not be read or written.
    StoreForeign, StoreTooNew
        The folder holds something else, or a newer store.
    """
    from backends.file_store.filesystem import FileSystem
    from backends.file_store.founding import charter
    from backends.file_store.store import FileStore

    disk = FileSystem() if fs is None else fs
    root = path_of(url)
    return FileStore(root, charter(disk, root, create, mode, lease_seconds), disk, clock, sleep)


def path_of(url: str) -> str:
    """Return the absolute path that a URL or path means."""
    from pathlib import Path

    path = url
    if url.startswith("file://"):
        from urllib.parse import unquote, urlsplit

        path = unquote(urlsplit(url).path)
    elif url.startswith("file:"):
        path = url.removeprefix("file:")
    return str(Path(path).expanduser().absolute())
