"""Blobs: large payloads, each a file of its own that is exactly the payload.

Payload buffers flow in, references flow out, and back as copy-on-write maps. Which row
names a blob, and whether that row counts, is not known here.

A blob's name is ``<key>.<epoch>.<token>`` and never used twice: with one name a key, a
writer that was stopped would replace the live payload by its dead one when it resumes. A
blob is durable before the row that names it is appended; one that no row names is litter,
sealed before it is removed (its writer may be about to append the row).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import Any
from zlib import crc32

from backends.file_store.blocks import Reference
from backends.file_store.drafts import buffers
from backends.file_store.filesystem import FileSystem
from backends.file_store.layout import SEALED, Layout
from backends.file_store.seals import is_sealed
from taskgraph.errors import ResultCorrupt
from taskgraph.store import Payload, Record

#: From this many bytes on a payload gets a file. Appending to the segment stays faster even at
#: 256 KiB (ext4: 0.6 against 1.6 ms), but costs a copy at every load, memory that can't be
#: paged out, and a second writing at every pack; a file is mapped and never moved.
LARGE = 1 << 16
#: Files written before the first of them is synced: one journal commit then serves many.
GROUP = 128
#: From this many bytes on, files are written by threads: checksum, copy and sync all let
#: other threads run. Less is not worth the start of threads.
TOGETHER = 8 << 20
THREADS = 4


class Blobs:
    """``reference = blobs.write([record])[0]``; ``blobs.load(key, epoch, reference)``."""

    def __init__(self, fs: FileSystem, layout: Layout) -> None:
        self._fs = fs
        self._layout = layout
        self._folders: set[str] = set()
        self._verified: set[bytes] = set()

    def write(self, records: Sequence[Record]) -> list[Reference]:
        """Write one durable file for each record's payload.

        Raises
        ------
        OSError
            None of them was kept.
        """
        references: list[Reference] = []
        pending = iter(records)
        try:
            while group := list(islice(pending, GROUP)):
                self._write_group(group, references)
        except OSError:
            self.discard(records, references)
            raise
        return references

    def _write_group(self, group: Sequence[Record], references: list[Reference]) -> None:
        folders = {self._layout.blob_folder(record.key) for record in group}
        for folder in folders:
            self._ensure(folder)
        open_files: list[int] = []
        many = len(group) > 1 and sum(record.size for record in group) >= TOGETHER
        with _threads(THREADS if many else 0) as each:
            try:
                new = list(each(_refer, [record.payload for record in group]))
                references += new
                list(each(partial(self._create, open_files), group, new))
                list(each(self._fs.datasync, open_files))
            finally:
                for descriptor in open_files:
                    self._fs.let_go(descriptor)
        for folder in folders:
            self._fs.sync_folder(folder)

    def _create(self, open_files: list[int], record: Record, reference: Reference) -> None:
        path = self._path(record.key, record.epoch, reference)
        descriptor = self._fs.create(path, self._layout.file_mode)
        open_files.append(descriptor)
        self._fs.append_all(descriptor, buffers(record.payload))

    def _ensure(self, folder: str) -> None:
        if folder in self._folders:
            return
        try:
            self._fs.mkdir(folder, self._layout.folder_mode)
            self._fs.sync_folder(self._layout.blobs)
        except FileExistsError:
            pass
        self._folders.add(folder)

    def _path(self, key: bytes, epoch: int, reference: Reference) -> str:
        return self._layout.blob(key, epoch, reference.token.hex())

    def discard(self, records: Sequence[Record], references: Sequence[Reference]) -> None:
        """Remove this writer's own blobs again: their rows were never appended."""
        for record, reference in zip(records, references, strict=False):
            self._fs.discard(self._path(record.key, record.epoch, reference))

    def open_ones(self, records: Sequence[Record], references: Sequence[Reference]) -> bool:
        """Look whether none of these has been sealed by a sweeper."""
        pairs = zip(records, references, strict=True)
        return not any(
            is_sealed(self._fs, self._layout, self._path(r.key, r.epoch, ref)) for r, ref in pairs
        )

    def load(self, key: bytes, epoch: int, reference: Reference) -> memoryview:
        """Map a payload; its checksum is computed the first time this process maps it.

        Raises
        ------
        ResultCorrupt
            The file is missing or damaged.
        """
        path = self._path(key, epoch, reference)
        try:
            descriptor = self._fs.open(path)
        except FileNotFoundError as error:
            raise ResultCorrupt(f"a payload's file must be there: recompute it, {path}") from error
        try:
            if self._fs.fstat(descriptor).st_size != reference.size:
                raise ResultCorrupt(f"a payload's file must have {reference.size} bytes: {path}")
            payload = self._fs.map(descriptor, reference.size)
        finally:
            self._fs.let_go(descriptor)
        if reference.token not in self._verified:
            if crc32(payload) != reference.crc:
                raise ResultCorrupt(f"a payload must match its checksum: recompute it, {path}")
            self._verified.add(reference.token)
        return payload

    def unverify(self) -> None:
        """Compute every checksum anew from now on (``check`` does)."""
        self._verified.clear()

    # -- litter ----------------------------------------------------------------
    def paths(self) -> Iterator[str]:
        """Yield the path of every blob, sealed or not."""
        for folder in self._fs.names(self._layout.blobs):
            for name in self._fs.names(f"{self._layout.blobs}/{folder}"):
                # A leading dot: a file removed while open, which a network client keeps.
                if name[0] != "." and not name.endswith(SEALED):
                    yield f"{self._layout.blobs}/{folder}/{name}"


@contextmanager
def _threads(count: int) -> Iterator[Callable[..., Iterator[Any]]]:
    """Give a ``map`` that runs in so many threads, which have ended when the block has."""
    if not count:
        yield map
        return
    from concurrent.futures import ThreadPoolExecutor, wait

    with ThreadPoolExecutor(count) as pool:

        def each(function: Callable[..., Any], *columns: Iterable[Any]) -> Iterator[Any]:
            calls = [pool.submit(function, *row) for row in zip(*columns, strict=True)]
            wait(calls)  # what a call raised is raised only after all calls have ended
            return iter([call.result() for call in calls])

        yield each


def token_of(path: str) -> bytes:
    """Return the token in a blob's name, b"" for a foreign file."""
    try:
        return bytes.fromhex(path.rpartition(".")[2])
    except ValueError:
        return b""


def _refer(payload: Payload) -> Reference:
    crc = size = 0
    for buffer in buffers(payload):
        crc = crc32(buffer, crc)
        size += memoryview(buffer).nbytes
    return Reference(os.urandom(16), size, crc)
