"""Tombstones: the numbered, durable records of each invalidate.

Root keys flow in and a number flows out; a fresh look flows out as one
:class:`~taskgraph.store.Tombstones`. Ancestors and records are not known here.

``invalid/<number>`` is one invalidate, ``invalid/table-<number>`` the fold of all up to
that number. Numbers are taken by an exclusive link, so that two at once can't be one. What
is known ends at the first gap: a listing may show 2 and not yet 1, and a worker that
computed in epoch 2 from what 1 kills would bring it back. Each tombstone is synced before
its number is used: else a power loss takes it, and its number comes again for another.

Tombstones are folded, never dropped: a stopped writer may append an old frame years later.
"""

from __future__ import annotations

import errno
import json
import struct
import uuid
from collections.abc import Mapping, Sequence
from zlib import crc32

from backends.file_store.filesystem import FileSystem
from backends.file_store.layout import Layout
from taskgraph.errors import ResultCorrupt
from taskgraph.store import KEY_SIZE, KILL_FAILURES, KILL_RESULTS, Key, Tombstones

_ENTRY = struct.Struct(f"<B{KEY_SIZE}sQ")
_TABLE = "table-"
#: File systems say so when a folder is renamed over one that is not empty.
_TAKEN = frozenset({errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR})

Entries = Sequence[tuple[int, Key, int]]


class Graveyard:
    """All tombstones of a store, as this process knows them."""

    def __init__(self, fs: FileSystem, layout: Layout) -> None:
        self.known = Tombstones(0, {}, {})
        self._fs = fs
        self._layout = layout

    def look(self) -> Tombstones:
        """List anew, read and sync what is new, and return all up to the first gap."""
        self._fs.point("listing_invalid")
        names = self._fs.names(self._layout.invalid)
        table = max((int(n[len(_TABLE) :]) for n in names if n.startswith(_TABLE)), default=0)
        fresh: list[tuple[int, Key, int]] = []
        number = self.known.epoch
        if table > number:
            fresh += self._read(self._layout.table(table))
            number = table
        top = max((int(n) for n in names if n.isdigit()), default=0)
        while number < top:
            try:  # by name: the listing need not show what lies in a gap
                fresh += self._read(self._layout.tombstone(number + 1))
            except FileNotFoundError:
                folded = self._folded_past(number)
                if folded is None:
                    break
                fresh += folded[1]
                number = folded[0]
                continue
            number += 1
        if number > self.known.epoch:
            self._fs.sync_folder(self._layout.invalid)
            self.known = _merged(self.known, number, fresh)
        return self.known

    def _folded_past(self, number: int) -> tuple[int, Entries] | None:
        # The part may have gone because somebody folded it after our listing.
        names = self._fs.names(self._layout.invalid)
        table = max((int(n[len(_TABLE) :]) for n in names if n.startswith(_TABLE)), default=0)
        if table <= number:
            return None
        return table, self._read(self._layout.table(table))

    def _read(self, path: str) -> Entries:
        try:
            descriptor = self._fs.open(path)
        except IsADirectoryError:
            descriptor = self._fs.open(f"{path}/t")
        try:
            size = self._fs.fstat(descriptor).st_size
        except OSError:
            self._fs.let_go(descriptor)
            raise
        try:
            data = self._fs.pread(descriptor, size, 0)
            self._fs.sync(descriptor)
        except IsADirectoryError:  # the form it has without hard links
            return self._read(f"{path}/t")
        finally:
            self._fs.let_go(descriptor)
        return _unpack(data, path)

    # -- writing ---------------------------------------------------------------
    def add(self, keys: Sequence[Key], kind: int, note: Mapping[str, str]) -> int:
        """Write one tombstone over these keys, durable, and return its number."""
        while True:
            number = self.look().epoch + 1
            self._fs.point("numbered")
            data = _pack([(kind, key, number) for key in keys], note)
            if self._put(self._layout.tombstone(number), data):
                self._fs.point("tombstone_linked")
                self._fs.sync_folder(self._layout.invalid)
                self.look()
                return number

    def _put(self, path: str, data: bytes) -> bool:
        temp = f"{self._layout.invalid}/.{uuid.uuid4().hex}"
        if not self._layout.links:
            return self._put_folder(temp, path, data)
        self._fs.write_file(temp, data, self._layout.file_mode)
        try:
            self._fs.give(temp, path)
        except FileExistsError:
            return False
        finally:
            self._fs.discard(temp)
        return True

    def _put_folder(self, temp: str, path: str, data: bytes) -> bool:
        # Without links: a folder can't be renamed over one that holds something.
        self._fs.mkdir(temp, self._layout.folder_mode)
        try:
            self._fs.write_file(f"{temp}/t", data, self._layout.file_mode)
            self._fs.sync_folder(temp)
            self._fs.move(temp, path)
        except OSError as error:
            self._fs.discard(f"{temp}/t")
            self._fs.rmdir(temp)
            if error.errno in _TAKEN:
                return False
            raise
        return True

    # -- folding ---------------------------------------------------------------
    def fold(self, least: int, patience: float) -> None:
        """Fold the tombstones known into one table, and remove the parts of an older one.

        Parameters
        ----------
        least : int
            Single tombstones from which on folding pays.
        patience : float
            Seconds that a table must be old before its parts go, by the server's clock: so
            long may another host's listing be old.
        """
        known = self.look()
        names = self._fs.names(self._layout.invalid)
        tables = sorted(int(n[len(_TABLE) :]) for n in names if n.startswith(_TABLE))
        singles = [int(n) for n in names if n.isdigit() and int(n) <= known.epoch]
        if len(singles) >= least and (not tables or tables[-1] < known.epoch):
            entries = [(KILL_RESULTS, k, n) for k, n in known.results.items()]
            entries += [(KILL_FAILURES, k, n) for k, n in known.failures.items()]
            name = self._layout.table(known.epoch).rpartition("/")[2]
            data = _pack(entries, {})
            self._fs.replace_file(self._layout.invalid, name, data, self._layout.file_mode)
            tables.append(known.epoch)
        old = [n for n in tables if self._fs.older(self._layout.table(n), patience)]
        if not old:
            return
        for number in singles:
            if number <= old[-1]:
                self._remove(self._layout.tombstone(number))
        for number in tables:
            if number < old[-1]:
                self._fs.discard(self._layout.table(number))

    def _remove(self, path: str) -> None:
        if self._layout.links:
            self._fs.discard(path)
            return
        self._fs.discard(f"{path}/t")
        self._fs.rmdir(path)


def _merged(known: Tombstones, epoch: int, fresh: Entries) -> Tombstones:
    # New dicts: a caller may hold the old ones.
    results, failures = dict(known.results), dict(known.failures)
    for kind, key, number in fresh:
        held = results if kind == KILL_RESULTS else failures
        held[key] = max(number, held.get(key, 0))
    return Tombstones(epoch, results, failures)


def _pack(entries: Entries, note: Mapping[str, str]) -> bytes:
    body = b"".join(_ENTRY.pack(*entry) for entry in entries)
    head = json.dumps({"entries": len(entries), "crc32": crc32(body), **note})
    return head.encode() + b"\n" + body


def _unpack(data: bytes, path: str) -> Entries:
    head, _, body = data.partition(b"\n")
    try:
        about = json.loads(head)
        if about["crc32"] == crc32(body) and len(body) == about["entries"] * _ENTRY.size:
            return list(_ENTRY.iter_unpack(body))
    except (ValueError, KeyError, TypeError):
        pass
    raise ResultCorrupt(
        f"a tombstone must be whole, since results that it kills would come back: "
        f"restore it from a copy, or remove it and invalidate the same tasks again; got {path}"
    )
