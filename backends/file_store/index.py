"""The index: which stored row answers for a key. In memory only, made from blocks.

Blocks with their keys flow in; a *locator* (block number and row in one int) flows out.
It reads rows only where two copies of one key meet, and opens nothing itself.

The rule where copies meet, the same for every reader and for ``pack``: the greatest
epoch, then the greatest digest. Equal copies (a packed one and its source) are one: the
later read stays, since the earlier file is the one that will go.
"""

from __future__ import annotations

import errno
from collections.abc import Collection

from backends.file_store.blocks import Block, split_keys
from taskgraph.store import RESULT

#: A file that another process has packed and removed; ESTALE is a network mount's word.
GONE = frozenset({errno.ENOENT, errno.ESTALE})

ROW_BITS = 24
ROW_MASK = (1 << ROW_BITS) - 1

#: (segment, offset of the block, row): a row that was found damaged.
Spot = tuple[str, int, int]
_NO_RANK = (-1, b"")

#: What makes two failure records one: a copy differs in nothing but its place.
_Same = tuple[int, int, bytes, int, str]


class Index:
    """All keys known to this process.

    Attributes
    ----------
    results : dict of bytes to int
        Locator of the winning result of each key.
    failed : dict of bytes to list of int
        Locators of the failure and death records of each key, in the order they were read.
    """

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.results: dict[bytes, int] = {}
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
        base = len(self.blocks) << ROW_BITS
        self.blocks.append(block)
        if block.kind != RESULT:
            return self._add_failures(base, block, keys, bad)
        if bad or not self.results.keys().isdisjoint(keys):
            return self._add_one_by_one(base, block, keys, bad)
        before = len(self.results)
        self.results.update(zip(keys, range(base, base + len(keys)), strict=True))
        if len(self.results) - before != len(keys):  # one key twice in the block
            for key in keys:
                self.results.pop(key, None)
            return self._add_one_by_one(base, block, keys, bad)
        return keys

    def add_packed(self, block: Block, packed: bytes, bad: Collection[int] = ()) -> list[bytes]:
        """Take in a block with its key column."""
        return self.add(block, split_keys(packed), bad)

    def _add_one_by_one(
        self, base: int, block: Block, keys: list[bytes], bad: Collection[int]
    ) -> list[bytes]:
        changed = []
        for row, key in enumerate(keys):
            if row in bad:
                continue
            old = self.results.get(key)
            if old is not None:
                mine, theirs = block.rank(row), self._rank(old)
                if mine < theirs:
                    continue
                if mine == theirs:
                    self.results[key] = base + row
                    continue
            self.results[key] = base + row
            changed.append(key)
        return changed

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
        for key in lost:
            del self.results[key]
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
