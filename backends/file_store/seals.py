"""Seals: how a packer tells a writer, without its consent, that a file is finished.

A path flows in, a yes or no flows out. Sealing gives the file the second name
``<path>.sealed``; its writer, who looks after each sync and before each mark, sees the link
count. On file systems without links an empty file of that name stands for it. A seal
promises nothing to readers: it only means that nothing more will be *published* there.
"""

from __future__ import annotations

import errno

from backends.file_store.filesystem import FileSystem, links_missing
from backends.file_store.layout import SEALED, Layout

_GONE = frozenset({errno.ENOENT, errno.ESTALE})


def seal(fs: FileSystem, layout: Layout, path: str) -> bool:
    """Seal a file; False when it is no longer there. Sealing twice is fine."""
    try:
        if layout.links:
            fs.again(lambda: fs.link(path, path + SEALED))
        else:
            fs.again(lambda: fs.stat(path))
            fs.close(fs.create(path + SEALED, layout.file_mode))
    except FileExistsError:
        return True
    except OSError as error:
        if error.errno in _GONE:
            return False
        if layout.links and links_missing(error):
            raise OSError(error.errno, "a store made with hard links is mounted without") from error
        raise
    return True


def is_open(fs: FileSystem, layout: Layout, path: str, descriptor: int) -> bool:
    """Look whether a name still means this open file, and nobody has sealed it."""
    if not fs.same_and_single(path, descriptor):
        return False
    return layout.links or not _exists(fs, path + SEALED)


def is_sealed(fs: FileSystem, layout: Layout, path: str) -> bool:
    """Look by name whether a file is sealed or gone (a writer's look at its own blob)."""
    try:
        descriptor = fs.open(path)
    except OSError as error:
        if error.errno in _GONE:
            return True
        raise
    try:
        return not is_open(fs, layout, path, descriptor)
    finally:
        fs.let_go(descriptor)


def remove(fs: FileSystem, path: str) -> None:
    """Unlink a sealed file, then its seal: in the other order a writer might publish into it."""
    fs.discard(path)
    fs.discard(path + SEALED)


def _exists(fs: FileSystem, path: str) -> bool:
    try:
        fs.let_go(fs.open(path))
    except FileNotFoundError:
        return False
    return True
