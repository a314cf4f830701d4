"""The folder of a mixed store: large payloads, each a file of its own, mapped on load.

Payload buffers flow in, pointers flow out, and back as copy-on-write maps. The entry on
the server is the only truth: a file that no entry names is litter. It is durable before
the entry that names it is published.

A file is ``<first two letters>/<key>.<epoch>.<token>``, and no name is used twice. Before
it is written a marker for its token is put on the server; publishing asks whether the
marker is still there, and ``pack`` removes marker first and file afterwards. So no file
goes whose entry is about to be published, however long its writer was stopped.

``project.json`` names the store that the folder belongs to: epochs mean something only
within one store, and a server that was emptied must not find the old files.
"""

from __future__ import annotations

import errno
import json
import mmap
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from zlib import crc32

from backends.redis_store.entries import Pointer
from backends.redis_store.wire import Argument
from taskgraph.errors import ResultCorrupt, StoreError, StoreForeign, StoreFull, StoreUnreachable
from taskgraph.store import Buffer, Key, Payload, payload_size

_CHARTER = "project.json"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Disk:
    """``disk = Disk(folder, store_id, create=True)``; ``disk.load(key, epoch, pointer, size)``.

    Parameters
    ----------
    folder : str
        Shared by all workers. One that its group may write to gets files for the group.
    store : str
        Id of the store.
    create : bool
        Make the folder, or take an empty one.

    Raises
    ------
    StoreForeign
        The folder belongs to another store, or holds something else.
    StoreUnreachable
        It is not there, or may not be used.
    """

    def __init__(self, folder: str, store: str, *, create: bool) -> None:
        self.folder = Path(folder)
        self._verified: set[bytes] = set()
        with self._told():
            if create:
                self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            shared = self.folder.stat().st_mode & stat.S_IWGRP
            self._file_mode, self._folder_mode = (0o660, 0o2770) if shared else (0o600, 0o700)
            self._belong(store, create)

    # -- whose folder it is ------------------------------------------------------------
    def _belong(self, store: str, create: bool) -> None:
        """Check whose folder it is; found it if it is nobody's."""
        charter = self.folder / _CHARTER
        if create and not charter.exists():
            taken = any(path.name[:1] != "." for path in self.folder.iterdir())
            if taken and not charter.exists():  # else another process has just founded it
                raise StoreForeign(
                    f"Large results go to a folder of their own, empty at first: name another "
                    f"with files=, got {self.folder}"
                )
            if not taken:
                self._found(charter, store)
        found = json.loads(charter.read_text("utf-8")).get("store")
        if found != store:
            raise StoreForeign(
                f"A folder of large results belongs to one store on one server: name another "
                f"with files= (or remove this one, if its store is gone). {self.folder} belongs "
                f"to {found}, the server has {store}."
            )

    def _found(self, charter: Path, store: str) -> None:
        draft = self.folder / f".{os.urandom(8).hex()}"
        self._create(draft, [json.dumps({"store": store}).encode()])
        try:
            with suppress(FileExistsError):  # another process was faster
                os.link(draft, charter)
        finally:
            draft.unlink()
        _sync(self.folder)

    # -- payloads ----------------------------------------------------------------------
    def path(self, key: Key, epoch: int, token: bytes) -> Path:
        """Return the path of a payload."""
        name = key.hex()
        return self.folder / name[:2] / f"{name}.{epoch}.{token.hex()}"

    def write(self, key: Key, epoch: int, token: bytes, payload: Payload) -> int:
        """Write a durable file and return the payload's CRC-32."""
        views = _views(payload)
        path = self.path(key, epoch, token)
        with self._told():
            if not path.parent.is_dir():
                with suppress(FileExistsError):
                    path.parent.mkdir()
                    path.parent.chmod(self._folder_mode)
                    _sync(self.folder)
            self._create(path, views)
            _sync(path.parent)
        crc = 0
        for view in views:
            crc = crc32(view, crc)
        return crc

    def _create(self, path: Path, views: list[memoryview] | list[bytes]) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, self._file_mode)
        try:
            os.fchmod(descriptor, self._file_mode)
            for view in views:
                done = 0
                while done < len(view):
                    done += os.write(descriptor, view[done:])
            os.fsync(descriptor)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)

    def load(self, key: Key, epoch: int, pointer: Pointer, size: int) -> Buffer | None:
        """Map a payload; ``None`` when its file is not there.

        Raises
        ------
        ResultCorrupt
            It is not what was written. The checksum is computed once a process.
        """
        path = self.path(key, epoch, pointer.token)
        with self._told():
            try:
                descriptor = os.open(path, os.O_RDONLY)
            except FileNotFoundError:
                return None
            try:
                if os.fstat(descriptor).st_size != size:
                    raise _damaged(path)
                view = memoryview(mmap.mmap(descriptor, size, access=mmap.ACCESS_COPY))
            finally:
                os.close(descriptor)
        if pointer.token not in self._verified:
            if crc32(view) != pointer.crc:
                raise _damaged(path)
            self._verified.add(pointer.token)
        return view

    def unverify(self) -> None:
        """Compute every checksum anew from now on."""
        self._verified.clear()

    # -- litter ------------------------------------------------------------------------
    def files(self) -> Iterator[tuple[Key, bytes, Path]]:
        """Yield key, token and path of every payload."""
        with self._told():
            for folder in self.folder.iterdir():
                if len(folder.name) == 2:
                    for path in folder.iterdir():
                        parts = path.name.split(".")
                        with suppress(ValueError, IndexError):
                            yield bytes.fromhex(parts[0]), bytes.fromhex(parts[2]), path

    def sweep(self, key: Key, token: bytes) -> None:
        """Remove the file of a token, if there is one."""
        with self._told():
            for path in (self.folder / key.hex()[:2]).glob(f"{key.hex()}.*.{token.hex()}"):
                path.unlink(missing_ok=True)

    def remove(self, path: Path) -> None:
        """Remove a file that nobody names."""
        with self._told():
            path.unlink(missing_ok=True)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._story(error) from error

    def _story(self, error: OSError) -> StoreError:
        if error.errno in _FULL:
            return StoreFull(
                f"Large results need room on the disk: free some, or raise the quota of "
                f"{self.folder} ({error})"
            )
        return StoreUnreachable(
            f"The folder of large results must be there, readable and writable: check mount "
            f"and permissions of {self.folder} ({error})"
        )


def _views(payload: Payload) -> list[memoryview]:
    """Return a payload as views of single bytes."""
    if isinstance(payload, bytes | bytearray | memoryview):
        payload = [payload]
    return [memoryview(part).cast("B") for part in payload if payload_size(part)]


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _damaged(path: Path) -> ResultCorrupt:
    return ResultCorrupt(f"A large result must match size and checksum: recompute it; {path}")


#: What a marker on the server holds.
MARKER: Argument = b"file"
