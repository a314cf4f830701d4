"""The view: what one process knows of a store's records, and how it looks anew.

The disk's segments, tombstones and notes flow in; answers about keys flow out. It never
publishes and holds no lock. Only two things it may write: a note about a row it found
damaged, and the sync of a silent writer's tail before it is believed.

A look lists ``segments/`` until two listings in a row are equal and no file of them was
missing: one listing may have passed the place of a packed copy before it came, and show
neither copy nor source. What a vanished segment held must stand in another one by then; its
rows are dropped, and where that leaves a key bare the index is made anew.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from itertools import chain, count
from typing import TypeVar

from backends.file_store.bell import LOOK_AGAIN, Bell, Stamp
from backends.file_store.blobs import Blobs
from backends.file_store.blocks import BLOB, Block, split_keys
from backends.file_store.drafts import Draft
from backends.file_store.filesystem import FileSystem
from backends.file_store.index import GONE, ROW_BITS, ROW_MASK, Index
from backends.file_store.layout import SEALED, Layout
from backends.file_store.quarantine import Quarantine
from backends.file_store.segments import Found, Segment
from backends.file_store.tombstones import Graveyard
from taskgraph.errors import ResultCorrupt
from taskgraph.store import RESULT, Head, Key, News, Payload, Record

#: Segments kept open at once; more are opened anew at each look.
MOST_OPEN = 200
#: Listings after which a name that can't be opened counts as a network client's old memory.
STUBBORN = 5
#: Rows of one block asked for in a row from which on the block is read ahead.
MANY = 64

T = TypeVar("T")

_log = logging.getLogger(__name__)


class View:
    """``view.look()``, then ``view.present(keys, floors)`` and its siblings."""

    def __init__(
        self,
        fs: FileSystem,
        layout: Layout,
        network: bool,
        silent: Callable[[str], bool],
        bell: Bell,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.index = Index()
        self.segments: dict[str, Segment] = {}
        self.graveyard = Graveyard(fs, layout)
        self.quarantine = Quarantine(fs, layout)
        self.blobs = Blobs(fs, layout)
        #: Segments of which a durable copy was read: they may go at any time.
        self.superseded: set[str] = set()
        self._fs = fs
        self._layout = layout
        self._network = network
        self._silent = silent
        self._bell = bell
        self._clock = clock
        self.stamp: Stamp = (-1, -1)
        self._looked = 0.0
        self._told = 0
        self._condemned = False
        self._before: dict[str, int] = {}
        self._results: list[bytes | list[Key]] = []
        self._failures: list[bytes | list[Key]] = []
        self._heard = False
        self._former: list[Segment] = []  #: read anew, but rows of theirs may be in use

    # -- looking ---------------------------------------------------------------
    def glance(self) -> None:
        """Look anew only if the bell rang, or has not been heard for a while."""
        recent = self._clock() - self._looked < LOOK_AGAIN[self._network]
        if not recent or self._bell.stamp() != self.stamp:
            self.look()
        elif self._network:  # two rings in one tick of the server's clock leave one stamp
            self.graveyard.look()

    def look(self) -> None:
        """Look at everything anew: tombstones, notes, segments."""
        self.stamp = self._bell.stamp()  # before the look: a later ring means another one
        self._looked = self._clock()
        self.graveyard.look()
        self._fs.point("epoch_read")
        self.look_at_segments()

    def look_at_segments(self) -> None:
        """Read what is new in the segments."""
        if self.quarantine.look():
            self._clear()
        self._settle()

    def reload(self) -> None:
        """Make the index anew; news are only what was not read before."""
        self._clear()
        self._settle()

    def _clear(self) -> None:
        self._before = {name: segment.marked for name, segment in self.segments.items()}
        self.close()
        self.index, self.segments = Index(self.index), {}

    def _settle(self) -> None:
        previous: set[str] | None = None
        whole = False
        for tries in count():
            names = self.names()
            if not (whole and names == previous):  # else all of them were read between two listings
                whole = self._read(names)
            if names == previous and (whole or tries > STUBBORN):
                gone = set(self.segments) - (names - self.superseded)
                for name in gone:
                    self.segments.pop(name).close()
                if not gone or not self.index.forget_segments(gone):
                    break
                self._clear()  # some key is bare now: another copy of it may count
                names = set()
            previous = names
        self._before = {}
        if len(self.segments) > MOST_OPEN:
            self.close()

    def names(self) -> set[str]:
        """List the segments anew."""
        listed = self._fs.names(self._layout.segments)
        return {n for n in listed if n[0] != "." and not n.endswith(SEALED)}

    def _read(self, names: set[str]) -> bool:
        whole = True
        for name in sorted(names):
            segment = self.segments.get(name)
            if segment is None:
                if name in self.superseded:
                    continue
                segment = Segment(self._fs, self._layout, name, self._network)
                self.segments[name] = segment
            try:
                for found in segment.look(self._silent):
                    self._add(found, segment)
            except OSError as error:
                if error.errno not in GONE:
                    raise
                segment.close()  # packed while it was read: again from its start, if it is there
                self._former.append(segment)
                segment = Segment(self._fs, self._layout, name, self._network)
                self.segments[name] = segment
                segment.gone = True
            whole = whole and not segment.gone
            self.superseded.update(segment.sources)
        return whole

    def _add(self, found: Found, segment: Segment) -> None:
        block, packed = found
        bad = self.quarantine.rows(segment.name, block.offset)
        changed: bytes | list[Key] = packed
        if self._later(block) and not bad and not segment.sources:  # what is packed is not new
            self.index.add_later(block, packed)
        else:
            changed = self.index.add_packed(block, packed, bad)
        if block.offset >= self._before.get(segment.name, 0):
            self._tell(block, changed)

    def _later(self, block: Block) -> bool:
        # What the first look finds is asked about as a whole.
        return self._heard and block.kind == RESULT

    def _tell(self, block: Block, changed: bytes | list[Key]) -> None:
        if changed:
            (self._results if block.kind == RESULT else self._failures).append(changed)

    def published(self, segment: Segment, blocks: Sequence[Block], drafts: Sequence[Draft]) -> None:
        """Take in what this process has just published."""
        self.segments[segment.name] = segment
        for block, draft in zip(blocks, drafts, strict=True):
            if self._later(block):
                packed = b"".join(draft.keys)
                self.index.add_later(block, packed)
                self._tell(block, packed)
            else:
                self._tell(block, self.index.add(block, draft.keys))

    def news(self) -> News:
        """Return what came since the last call."""
        results, failures = self._results, self._failures
        self._results, self._failures, self._heard = [], [], True
        told, self._told = self._told, self.graveyard.known.epoch
        return News(_flat(results), _flat(failures), told != self._told)

    # -- answers ---------------------------------------------------------------
    def present(self, keys: Sequence[Key], floors: Sequence[int] | None) -> bytearray:
        """Return 1 for each key with a live result."""
        results = self.index.about(keys)
        if floors is None or not any(floors):
            return bytearray(map(results.__contains__, keys))
        return self._patiently(lambda: self._present(keys, floors))

    def _present(self, keys: Sequence[Key], floors: Sequence[int]) -> bytearray:
        epoch, get, after = self.index.epoch, self.index.about(keys).get, self.index.after
        return bytearray(
            (at := get(key)) is not None
            and (floor <= 0 or epoch(at) >= floor or after(key, floor) is not None)
            for key, floor in zip(keys, floors, strict=True)
        )

    def live(self, keys: Sequence[Key], floors: Sequence[int] | None) -> list[int | None]:
        """Return the locator of each key's live result."""
        found = list(map(self.index.about(keys).get, keys))
        if floors is None or not any(floors):
            return found
        epoch, after = self.index.epoch, self.index.after
        return [
            at if at is None or floor <= 0 or epoch(at) >= floor else after(key, floor)
            for key, at, floor in zip(keys, found, floors, strict=True)
        ]

    def heads(self, keys: Sequence[Key], floors: Sequence[int] | None) -> list[Head | None]:
        """Return the heads of the live results."""
        return self._patiently(lambda: self._heads(keys, floors))

    def _heads(self, keys: Sequence[Key], floors: Sequence[int] | None) -> list[Head | None]:
        blocks = self.index.blocks
        heads: list[Head | None] = []
        for key, at in zip(keys, self.live(keys, floors), strict=True):
            if at is None:
                heads.append(None)
                continue
            heads.append(blocks[at >> ROW_BITS].head(key, at & ROW_MASK))
        return heads

    def load(self, keys: Sequence[Key], floors: Sequence[int] | None) -> list[Record | None]:
        """Return the live results, verified; a damaged one is noted and is ``None``."""
        return self._patiently(lambda: self._load(keys, floors))

    def _load(self, keys: Sequence[Key], floors: Sequence[int] | None) -> list[Record | None]:
        found = self.live(keys, floors)
        records: list[Record | None] = []
        held: Block | None = None
        for i, (key, at) in enumerate(zip(keys, found, strict=True)):
            if at is None:
                records.append(None)
                continue
            block = self.index.blocks[at >> ROW_BITS]
            if block is not held and _next_is_in(found, i, at >> ROW_BITS):
                block.hold()
                held = block
            record = self._record(key, at)
            if record is not None:
                self.index.hand_out(at)
            records.append(record)
        if held is not None:
            for segment in self.segments.values():
                segment.hold(0, 0)
        return records

    def _patiently(self, answer: Callable[[], T]) -> T:
        # A packer may remove a closed segment between the look and the read: look anew.
        try:
            answered = answer()
        except OSError as error:
            if error.errno not in GONE:
                raise
            self.look_at_segments()
            answered = answer()
        while self._condemned:  # only now: locators in use mean nothing in a new index
            self._condemned = False
            self.reload()
            answered = answer()  # there may be a sound copy
        return answered

    def _record(self, key: Key, at: int) -> Record | None:
        block, i = self.index.at(at)
        row = block.row(i)
        payload: Payload | None
        if row.flags & BLOB:
            try:
                reference = block.reference(i, row)
                payload = self.blobs.load(key, block.contexts[row.context][0], reference)
            except ResultCorrupt as error:
                self._condemn(key, at, str(error))
                return None
        else:
            payload = block.stored(i, row)
            if payload is None:
                self._condemn(key, at, "a payload must match its checksum")
                return None
        return block.record(key, i, row, payload)

    def _condemn(self, key: Key, at: int, why: str) -> None:
        spot = self.index.spot(at)
        _log.warning(
            "the result of %s is damaged and counts as absent; it is computed again by the next "
            "worker that needs it, `taskgraph fsck` looks for more (%s; %s, offset %d, row %d)",
            key.hex()[:12],
            why,
            *spot,
        )
        try:
            self.quarantine.add([spot], why)
        except OSError as error:
            _log.warning("no note about it could be written: %s", error)
        self._condemned = True

    def failures(self, keys: Sequence[Key], floors: Sequence[int] | None) -> list[list[Record]]:
        """Return the live failure and death records of each key, oldest first."""
        return self._patiently(lambda: self._live_failures(keys, floors))

    def _live_failures(
        self, keys: Sequence[Key], floors: Sequence[int] | None
    ) -> list[list[Record]]:
        killed = self.graveyard.known.failures
        failed = self.index.failed
        lists: list[list[Record]] = []
        for i, key in enumerate(keys):
            least = max(killed.get(key, 0), floors[i] if floors is not None else 0)
            alive = [at for at in failed.get(key, ()) if self.index.epoch(at) >= least]
            records = [record for at in alive if (record := self._record(key, at)) is not None]
            lists.append(sorted(records, key=lambda record: record.started))
        return lists

    def close(self) -> None:
        """Close every segment; those still needed are opened again."""
        for segment in chain(self.segments.values(), self._former):
            segment.close()


def _next_is_in(found: list[int | None], i: int, number: int) -> bool:
    # Reading a whole block ahead pays when neighbours are asked for together.
    ahead = found[i + 1 : i + MANY]
    return len(ahead) == MANY - 1 and all(
        at is not None and at >> ROW_BITS == number for at in ahead
    )


def _flat(columns: list[bytes | list[Key]]) -> list[Key]:
    lists = [split_keys(keys) if isinstance(keys, bytes) else keys for keys in columns]
    return lists[0] if len(lists) == 1 else list(chain.from_iterable(lists))
