"""The packer: many segments become one, without what no reader can want.

Segment names flow in; one immutable copy ``segments/packed.<uuid>`` flows out, and the
sources go. It has no graph: a row goes only if it is dead by *its own* key's tombstone,
loses to another row of its key, is damaged, or is named by the caller (``forget``).

Any number of processes may do this at any moment, and be killed or stopped anywhere. In
this order, each step for a trace in which a result was lost without it:

1. seal the source *before* reading it; a writer that looks at its segment after its sync
   sees that and publishes elsewhere;
2. sync it, read every row up to the first bad one, marked or not;
3. write the copy, sync it, name it, sync the folder;
4. only then unlink the source, and its seal after it. A packer unlinks what a durable copy
   names as its source, nothing else. On a network mount this waits until old listings of
   other hosts are gone, and a later packer may do it.

A copy needs no seal: nobody appends to it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterator
from itertools import chain
from typing import NamedTuple

from backends.file_store.blocks import BLOB, Block, Reference
from backends.file_store.drafts import drafts, mark, place, sources
from backends.file_store.filesystem import FileSystem
from backends.file_store.index import ROW_BITS, ROW_MASK, Index, Spot
from backends.file_store.layout import SEALED, Layout
from backends.file_store.quarantine import Quarantine
from backends.file_store.seals import remove, seal
from backends.file_store.segments import Found, Segment
from taskgraph.store import RESULT, Key, Record, Tombstones

#: Rows and payload bytes that a copy holds in memory at once.
CHUNK_ROWS, CHUNK_BYTES = 20_000, 1 << 26
#: Begins the name of a copy that is not finished.
UNFINISHED = ".pack-"

#: One exact result: key, epoch, digest.
Exact = tuple[Key, int, bytes]
Read = list[tuple[Segment, list[Found]]]
Progress = Callable[[int, int], object]


class Outcome(NamedTuple):
    """What one packing did."""

    copied: int  #: rows
    left_out: int  #: exact results that the caller named
    copy: str  #: name of the new segment, "" where there was nothing to do


class Packer:
    """``packer.pack(names, tombstones)``.

    Parameters
    ----------
    fs, layout
        The store.
    quarantine : Quarantine
        Rows to leave out; damaged ones met on the way are noted there.
    patience : float
        Seconds before a copied source is unlinked, by the server's clock; 0 at once.
    """

    def __init__(
        self, fs: FileSystem, layout: Layout, quarantine: Quarantine, patience: float
    ) -> None:
        self._fs = fs
        self._layout = layout
        self._quarantine = quarantine
        self._patience = patience

    def pack(
        self,
        names: Collection[str],
        tombstones: Tombstones,
        unwanted: Collection[Exact] = (),
        aside: Collection[str] = (),
        progress: Progress | None = None,
    ) -> Outcome:
        """Merge these segments into one.

        Parameters
        ----------
        names : collection of str
            The sources; those that are gone by now are passed over.
        tombstones : Tombstones
            Freshly read.
        unwanted : collection of (key, epoch, digest)
            Exact results to leave out.
        aside : collection of str
            Sources to move to the quarantine instead of unlinking them.
        progress : callable, optional
            Called with rows copied and rows in all.
        """
        read: Read = []
        try:
            read += (pair for name in sorted(names) if (pair := self._read(name)) is not None)
            if not read:
                return Outcome(0, 0, "")
            while True:
                index, left_out = self._index(read, frozenset(unwanted))
                rows = _wanted(index, tombstones)
                copy, damaged = self._copy(read, index, rows, progress)
                if not damaged:
                    break
                self._quarantine.add(damaged, "found damaged while packing")
        finally:
            for segment, _ in read:
                segment.close()
        self._fs.point("copied")
        for segment, _ in read:
            if segment.name in aside:
                self._put_aside(segment)
            elif not self._patience:
                remove(self._fs, segment.path)
        return Outcome(len(rows), left_out, copy)

    def _read(self, name: str) -> tuple[Segment, list[Found]] | None:
        segment = Segment(self._fs, self._layout, name)
        try:
            if not seal(self._fs, self._layout, segment.path):
                return None
            self._fs.point("sealed")
            segment.sync()
            size = self._fs.stat(segment.path).st_size
            found = segment.scan(size, finished=True)
        except FileNotFoundError:  # another packer was faster
            segment.close()
            return None
        except OSError:
            segment.close()
            raise
        found += segment.tail()
        self._fs.point("read")
        return segment, found

    def _index(self, read: Read, unwanted: frozenset[Exact]) -> tuple[Index, int]:
        index = Index()
        hit: set[Exact] = set()
        keys_hit = {key for key, _, _ in unwanted}
        for segment, found in read:
            for block, packed in found:
                bad = set(self._quarantine.rows(segment.name, block.offset))
                if keys_hit and block.kind == RESULT:
                    bad |= _exact_rows(block, unwanted, keys_hit, hit)
                index.add_packed(block, packed, bad)
        return index, len(hit)

    # -- the copy --------------------------------------------------------------
    def _copy(
        self, read: Read, index: Index, rows: list[tuple[Key, int]], progress: Progress | None
    ) -> tuple[str, list[Spot]]:
        name = f"packed.{uuid.uuid4().hex}"
        temp = self._layout.segment(f"{UNFINISHED}{uuid.uuid4().hex}")
        descriptor = self._fs.create(temp, self._layout.file_mode)
        damaged: list[Spot] = []
        try:
            offset = self._write_rows(descriptor, index, rows, damaged, progress)
            if damaged:
                self._fs.discard(temp)
                return "", damaged
            ending = sources(self._sources(read), offset)
            self._fs.append_all(descriptor, [ending, mark(offset + len(ending))])
            self._fs.sync(descriptor)
            self._fs.move(temp, self._layout.segment(name))
        except OSError:
            self._fs.discard(temp)
            raise
        finally:
            self._fs.let_go(descriptor)
        self._fs.sync_folder(self._layout.segments)
        return name, []

    def _write_rows(
        self,
        descriptor: int,
        index: Index,
        rows: list[tuple[Key, int]],
        damaged: list[Spot],
        progress: Progress | None,
    ) -> int:
        offset = done = 0
        for records, references in _chunks(index, rows, damaged):
            for draft in drafts(records, references):
                offset += self._fs.append_all(descriptor, place(draft, offset))
            done += len(records)
            if progress is not None:
                progress(done, len(rows))
        return offset

    def _sources(self, read: Read) -> list[str]:
        there = set(self._fs.names(self._layout.segments))
        inherited = chain.from_iterable(segment.sources for segment, _ in read)
        names = {segment.name for segment, _ in read} | {n for n in inherited if n in there}
        return sorted(names)

    def _put_aside(self, segment: Segment) -> None:
        try:
            self._fs.move(segment.path, f"{self._layout.quarantine}/{segment.name}")
        except FileNotFoundError:
            return
        self._fs.discard(segment.path + SEALED)

    # -- what earlier packers left ---------------------------------------------
    def tidy(self, copies: dict[str, str]) -> None:
        """Remove sources that a durable copy names, seals without a file, unfinished copies.

        Parameters
        ----------
        copies : dict of str to str
            Name of a source -> name of the copy that was read.
        """
        self._fs.sync_folder(self._layout.segments)
        names = set(self._fs.names(self._layout.segments))
        now = self._fs.server_time(self._layout.segments)
        for source, copy in copies.items():
            if source in names and self._old(copy, self._patience, now):
                remove(self._fs, self._layout.segment(source))
        for name in names:
            bare_seal = name.endswith(SEALED) and name.removesuffix(SEALED) not in names
            if bare_seal or (name.startswith(UNFINISHED) and self._old(name, 3600.0, now)):
                self._fs.discard(self._layout.segment(name))

    def _old(self, name: str, seconds: float, now: int) -> bool:
        try:
            return self._fs.older(self._layout.segment(name), seconds, now)
        except FileNotFoundError:
            return False


def _exact_rows(
    block: Block, unwanted: frozenset[Exact], keys: set[Key], hit: set[Exact]
) -> set[int]:
    rows = set()
    for i, key in enumerate(block.keys()):
        if key in keys and (exact := (key, *block.rank(i))) in unwanted:
            rows.add(i)
            hit.add(exact)
    return rows


def _wanted(index: Index, tombstones: Tombstones) -> list[tuple[Key, int]]:
    dead, retried = tombstones.results, tombstones.failures
    results = [
        (key, at)
        for key, at in index.results.items()
        if key not in dead or index.epoch(at) >= dead[key]
    ]
    failures = [
        (key, at)
        for key, held in index.failed.items()
        for at in held
        if key not in retried or index.epoch(at) >= retried[key]
    ]
    # In the order in which they were published: an input before what was made of it.
    return sorted(results, key=lambda pair: pair[1]) + sorted(failures, key=lambda pair: pair[1])


def _chunks(
    index: Index, rows: list[tuple[Key, int]], damaged: list[Spot]
) -> Iterator[tuple[list[Record], dict[int, Reference]]]:
    records: list[Record] = []
    references: dict[int, Reference] = {}
    held = 0
    held_block: Block | None = None
    for key, at in rows:
        block, i = index.blocks[at >> ROW_BITS], at & ROW_MASK
        if block is not held_block:
            block.hold()
            held_block = block
        row = block.row(i)
        payload = block.stored(i, row)
        if payload is None:
            damaged.append(index.spot(at))
            continue
        if row.flags & BLOB:
            references[len(records)] = block.reference(i, row)
            payload = b""
        records.append(block.record(key, i, row, payload))
        held += len(payload)
        if len(records) >= CHUNK_ROWS or held >= CHUNK_BYTES:
            yield records, references
            records, references, held = [], {}, 0
    if records:
        yield records, references
