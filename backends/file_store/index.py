"""The index: which stored row answers for a key. In memory only, made from blocks.

Blocks with their keys flow in; a *locator* (block number and row in one int) flows out.
It reads rows only where two copies of one key meet, and opens nothing itself.

The rule where copies meet, the same for every reader and for ``pack``: the greatest
epoch, then the greatest digest. Equal copies (a packed one and its source) are one: the
later read stays, since the earlier file is the one that will go.

A process that has handed out a row keeps to it while it is alive and there, whatever twin
comes: a task that is no function of its arguments would else have two values in one
process. That takes one bit for each row of the blocks that were loaded from (their rows, 40
bytes each, are in memory then), and an entry in ``_better`` only where a second one came.

A worker hears of every result of all others, and asks about few of them: those of buckets
(first bytes of keys) that it leases, and its inputs. So a block of more than a few rows that
comes after the first look waits as a plain column of keys, and a bucket is taken in when it
is asked about. Entries of a dict cost five times the memory, in each worker anew.
"""

from __future__ import annotations

import errno
from collections.abc import Collection, Sequence

from backends.file_store.blocks import Block, split_keys
from taskgraph.store import KEY_SIZE, RESULT

#: A file that another process has packed and removed; ESTALE is a network mount's word.
GONE = frozenset({errno.ENOENT, errno.ESTALE})

ROW_BITS = 24
ROW_MASK = (1 << ROW_BITS) - 1

#: Of the 256 first bytes of keys: when more of them are asked for at once, all is taken in.
MOST_BUCKETS = 128

#: Blocks of at most so many rows do not wait as a column.
FEW = 8

#: (segment, offset of the block, row): a row that was found damaged.
Spot = tuple[str, int, int]
_NO_RANK = (-1, b"")

#: What makes two failure records one: a copy differs in nothing but its place.
_Same = tuple[int, int, bytes, int, str]


class Index:
    """All keys known to this process.

    Parameters
    ----------
    before : Index, optional
        The one that this one replaces: what it has handed out is kept to.

    Attributes
    ----------
    failed : dict of bytes to list of int
        Locators of the failure and death records of each key, in the order they were read.
    """

    def __init__(self, before: Index | None = None) -> None:
        self.blocks: list[Block] = []
        self._handed = {} if before is None else before.handed()
        self._results: dict[bytes, int] = {}
        self._better: dict[bytes, int] = {}  # the winner for everybody else, where we keep another
        self._columns: list[tuple[int, bytes, bytes]] = []  # locator of row 0, keys, first bytes
        self._taken = [0] * 256  # for each first byte: how many columns it was taken from
        self.failed: dict[bytes, list[int]] = {}

    def at(self, locator: int) -> tuple[Block, int]:
        """Return the block and row that a locator means."""
        return self.blocks[locator >> ROW_BITS], locator & ROW_MASK

    def epoch(self, locator: int) -> int:
        """Return a row's epoch."""
        block = self.blocks[locator >> ROW_BITS]
        contexts = block.contexts
        if len(contexts) == 1:
            return contexts[0][0]
        return contexts[block.row(locator & ROW_MASK).context][0]

    @property
    def results(self) -> dict[bytes, int]:
        """Locator of the winning result of each key, everything taken in."""
        self.settle()
        return self._results

    def about(self, keys: Sequence[bytes]) -> dict[bytes, int]:
        """Return ``results``, of which only the entries of ``keys`` need to be complete."""
        if self._columns:
            buckets = {key[0] for key in keys}
            if len(buckets) > MOST_BUCKETS:
                self.settle()
            for bucket in buckets:
                self._take_bucket(bucket)
        return self._results

    def add_later(self, block: Block, packed: bytes) -> None:
        """Take in a block of results only when something is asked about its keys.

        A block of few rows is taken in now: as a column it would be searched once for each of
        the 256 buckets, which costs more than its rows.
        """
        base = self._append(block)
        if len(packed) > FEW * KEY_SIZE:
            self._columns.append((base, packed, packed[::KEY_SIZE]))
            return
        for row, key in enumerate(split_keys(packed)):
            self._take_bucket(key[0])  # rows are compared in the order in which they were read
            self._put(key, base + row)

    def _append(self, block: Block) -> int:
        """Take a block and return the locator of its first row."""
        if self._handed:
            block.handed = self._handed.pop((block.source.name, block.offset), None)
        self.blocks.append(block)
        return (len(self.blocks) - 1) << ROW_BITS

    def settle(self) -> None:
        """Take in all that waits."""
        columns, self._columns = self._columns, []
        if columns:
            self._taken = [0] * 256
            for base, packed, _ in columns:
                self._add_results(base, split_keys(packed))

    def _take_bucket(self, bucket: int) -> None:
        columns = self._columns
        mark = bytes((bucket,))
        for place in range(self._taken[bucket], len(columns)):
            base, packed, firsts = columns[place]
            row = firsts.find(mark)
            while row >= 0:
                self._put(packed[row * KEY_SIZE : (row + 1) * KEY_SIZE], base + row)
                row = firsts.find(mark, row + 1)
        self._taken[bucket] = len(columns)

    def add(self, block: Block, keys: list[bytes], bad: Collection[int] = ()) -> list[bytes]:
        """Take in a block and return the keys for which it changed something.

        Parameters
        ----------
        block : Block
            Of results, failures or deaths.
        keys : list of bytes
            Of all its rows.
        bad : collection of int
            Rows to leave out.
        """
        self.settle()  # rows are compared in the order in which they were read
        base = self._append(block)
        if block.kind != RESULT:
            return self._add_failures(base, block, keys, bad)
        return self._add_results(base, keys, bad)

    def _add_results(self, base: int, keys: list[bytes], bad: Collection[int] = ()) -> list[bytes]:
        results = self._results
        if not bad and results.keys().isdisjoint(keys):
            before = len(results)
            results.update(zip(keys, range(base, base + len(keys)), strict=True))
            if len(results) - before == len(keys):
                return keys
            for key in keys:  # one key twice in the block
                results.pop(key, None)
        return [
            key for row, key in enumerate(keys) if row not in bad and self._put(key, base + row)
        ]

    def add_packed(self, block: Block, packed: bytes, bad: Collection[int] = ()) -> list[bytes]:
        """Take in a block with its key column."""
        return self.add(block, split_keys(packed), bad)

    def _put(self, key: bytes, at: int) -> bool:
        """Take in one row; True when it is the first of its key, or a better one."""
        old = self._results.get(key)
        if old is None:
            self._results[key] = at
            return True
        best = self._better.get(key, old)
        if best >= at:  # taken before, with all of its bucket
            return False
        mine, theirs = self._rank(at), self._rank(best)
        if mine == theirs or (best != old and mine == self._rank(old)):
            self._move(key, best if mine == theirs else old, at)
            return False
        if mine < theirs:
            if self._is_handed(at):  # an index made anew has met its twin first
                self._results[key], self._better[key] = at, best
            return False
        if self._is_handed(old) and self._rank(old) != _NO_RANK:
            self._better[key] = at
            return mine[0] > theirs[0]
        self._results[key] = at
        self._better.pop(key, None)
        return True

    def _move(self, key: bytes, source: int, copy: int) -> None:
        """Point to an equal copy of a row from now on."""
        if self._is_handed(source):
            self.hand_out(copy)
        held = self._results if self._results[key] == source else self._better
        held[key] = copy

    # -- what was handed out -----------------------------------------------------
    def hand_out(self, locator: int) -> None:
        """Note that a caller has this row: its twins come second from now on."""
        block, row = self.at(locator)
        if block.handed is None:
            block.handed = bytearray((block.n + 7) >> 3)
        block.handed[row >> 3] |= 1 << (row & 7)

    def _is_handed(self, locator: int) -> bool:
        block, row = self.at(locator)
        return block.handed is not None and bool(block.handed[row >> 3] >> (row & 7) & 1)

    def handed(self) -> dict[tuple[str, int], bytearray]:
        """Return the bits of all blocks by where they lie."""
        blocks = self.blocks
        found = {(b.source.name, b.offset): b.handed for b in blocks if b.handed is not None}
        return {**self._handed, **found}

    def after(self, key: bytes, floor: int) -> int | None:
        """Return the row to hand out now that the one kept is dead; ``None`` if all are."""
        at = self._better.get(key)
        if at is None or self.epoch(at) < floor:
            return None
        self._results[key] = self._better.pop(key)
        return at

    def for_all(self) -> dict[bytes, int]:
        """Return ``results`` as a process sees them that has handed out nothing."""
        return self.results if not self._better else {**self.results, **self._better}

    def _rank(self, locator: int) -> tuple[int, bytes]:
        block, row = self.at(locator)
        try:
            return block.rank(row)
        except OSError as error:
            if error.errno not in GONE:
                raise
            return _NO_RANK  # packed meanwhile: its copy is read in the same look, and compared

    def _add_failures(
        self, base: int, block: Block, keys: list[bytes], bad: Collection[int]
    ) -> list[bytes]:
        changed = []
        for row, key in enumerate(keys):
            if row in bad:
                continue
            held = self.failed.setdefault(key, [])
            mine = self._identity(block, row)
            for i, old in enumerate(held):
                if self._rank(old) != _NO_RANK and self._identity(*self.at(old)) == mine:
                    held[i] = base + row
                    break
            else:
                held.append(base + row)
                changed.append(key)
        return changed

    def _identity(self, block: Block, i: int) -> _Same:
        row = block.row(i)
        epoch, origin = block.contexts[row.context]
        return block.kind, epoch, row.digest, row.attempt, origin.worker

    def forget_segments(self, names: Collection[str]) -> bool:
        """Drop what still points into these segments; True when a copy elsewhere may count now."""
        dead = {i for i, block in enumerate(self.blocks) if block.source.name in names}
        lost = [key for key, at in self.results.items() if at >> ROW_BITS in dead]
        lost += [key for key, at in self._better.items() if at >> ROW_BITS in dead]
        for key in lost:
            self._results.pop(key, None)
            self._better.pop(key, None)
        for key, held in list(self.failed.items()):
            kept = [at for at in held if at >> ROW_BITS not in dead]
            if len(kept) < len(held):
                self.failed[key] = kept
                if not kept:
                    del self.failed[key]
        return bool(lost)

    def spot(self, locator: int) -> Spot:
        """Return where a row lies, in words that other processes understand."""
        block, row = self.at(locator)
        return block.source.name, block.offset, row
