"""A file as an argument: its content is its identity, not its name.

``f(File("slide.tif"))`` makes the same task after the file was moved or renamed, and
another one after its content changed. The task gets the ``File``, which is a path for
``open``, ``os.fspath`` and ``str``. The copy that a task keeps is pinned to the content
its key names; :meth:`File.check` compares.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from taskgraph.errors import HashError, UsageError
from taskgraph.hashing.digests import content_digest, digest_files, status_of
from taskgraph.hashing.walk import CHECKS, Walk, frame, kind

_FILE = kind("File")


class File:
    """``File("slide.tif")``: an input file, identified by its content.

    Parameters
    ----------
    path : str or path
        Where the file is, for the task too.
    by : {"content", "stat"}
        "content": the SHA-256 of the content, read once and remembered.
        "stat": size and mtime in nanoseconds are trusted; nothing is read, and a copy
        with another mtime is another file.

    Attributes
    ----------
    path : str
        The path as given.
    by : str
        As given.
    pinned : bytes or None
        In a task's copy: the identity that the key names, else ``None``.

    Raises
    ------
    UsageError
        ``by`` is neither "content" nor "stat".
    """

    __slots__ = ("by", "path", "pinned")

    path: str
    by: str
    pinned: bytes | None

    def __init__(self, path: str | os.PathLike[str], by: str = "content") -> None:
        if by not in ("content", "stat"):
            raise UsageError(
                'A File is identified by="content" or by="stat". Use "content" unless reading '
                f"the files takes too long. Got by={by!r}."
            )
        self.__setstate__((os.fsdecode(path), by, None))

    def __setstate__(self, state: tuple[str, str, bytes | None]) -> None:
        for name, value in zip(("path", "by", "pinned"), state, strict=True):
            object.__setattr__(self, name, value)

    def __getstate__(self) -> tuple[str, str, bytes | None]:
        return self.path, self.by, self.pinned

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"A File never changes: make a new one. Got {name}={value!r}.")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"A File never changes: make a new one. Got del {name}.")

    def __fspath__(self) -> str:
        return self.path

    def __str__(self) -> str:
        return self.path

    def __repr__(self) -> str:
        by = "" if self.by == "content" else f", by={self.by!r}"
        return f"File({self.path!r}{by})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, File):
            return NotImplemented
        return (self.path, self.by) == (other.path, other.by)

    def __hash__(self) -> int:
        return hash((self.path, self.by))

    def identity(self) -> bytes:
        """Return what identifies the file as it is now.

        Raises
        ------
        HashError
            The file is missing, is no regular file, or changes while it is read.
        """
        if self.by == "content":
            return content_digest(self.path)
        status = status_of(self.path)
        return b"%d,%d" % (status.st_size, status.st_mtime_ns)

    def check(self) -> None:
        """Raise HashError when the file is not what the task's key names.

        A File that no task keeps is not pinned to anything, and is not checked.
        """
        if self.pinned is not None and self.identity() != self.pinned:
            raise HashError(
                "A file must stay as it was when its task was made: the task's key names the "
                "old content. Read the jugfile again, or give each version a name of its own. "
                f"Got {self!r}, which has changed."
            )


def files(paths: Iterable[str | os.PathLike[str]], threads: int = 4) -> list[File]:
    """``slides = files(Path("slides").glob("*.tif"))``: a File for each path, read in threads.

    The same as ``[File(path) for path in paths]``, sooner: the contents are digested here,
    several files at a time, and several workers that begin at once share the reading.

    Parameters
    ----------
    paths : iterable of path
        Input files.
    threads : int
        Files read at a time.

    Returns
    -------
    list of File
        In the order given.

    Raises
    ------
    HashError
        A file is missing, is no regular file, or changes while it is read.
    """
    import secrets

    names = [os.fspath(path) for path in paths]
    digest_files(names, threads, start=secrets.randbelow(len(names)) if names else 0)
    return [File(name) for name in names]


def pin(file: File, identity: bytes) -> File:
    """Return the file bound to an identity."""
    pinned = File.__new__(File)
    pinned.__setstate__((file.path, file.by, identity))
    return pinned


def encode_file(obj: File, walk: Walk) -> File:
    """Encode a file by its identity and return it pinned; it is noted as fragile."""
    identity = obj.identity()
    walk.out.append(_FILE + frame(obj.by) + frame(identity))
    copy = pin(obj, identity)
    walk.fragile.append((copy, identity))
    return copy


def check_files(fragile: Iterable[tuple[Any, bytes]]) -> None:
    """Check the files among the fragile things: for after the task, as before it.

    Raises
    ------
    HashError
        A file changed since the key was made.
    """
    for obj, _ in fragile:
        if type(obj) is File:
            obj.check()


CHECKS[File] = File.check
