"""Segments: append-only files of blocks, each read from its start as far as it may be believed.

A name flows in, blocks that count flow out of :meth:`Segment.look`; how many rows they
hold and which copy of a key wins is not known here.

What may be believed
    * Blocks are read in a row up to the first incomplete or wrong one. After a power loss
      a later block may be whole while an earlier one, which it was computed from, is not.
    * Of a writer that is not silent only what stands before a mark: the rest is perhaps
      only in a page cache, and a reader who builds on it may outlive it.
    * A silent writer's whole tail is *adopted*: synced first, then read with its payloads,
      then believed if nobody has sealed the segment (a packer that sealed it may have read
      it before the tail came, and will unlink it).
    * A wrong block with a valid mark *behind* it was durable once: that is damage of the
      medium, not a torn write. In a finished segment it is skipped, and what the later
      marks vouch for is read; a live writer's reader just comes back.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

from backends.file_store.blocks import (
    BLOB,
    HEADER_SIZE,
    MAGIC,
    MARK,
    SOURCES,
    Block,
    parse,
    read_sources,
    split_keys,
)
from backends.file_store.filesystem import FileSystem
from backends.file_store.layout import Layout
from backends.file_store.seals import is_open

#: Bytes read ahead while scanning: small blocks then cost no call each.
WINDOW = 1 << 18

Found = tuple[Block, bytes]  #: a block and its packed keys

_GONE = frozenset({errno.ENOENT, errno.ESTALE})


class Segment:
    """One segment as this process has read it so far.

    Attributes
    ----------
    worker : str
        Id of its writer, the name up to the first dot.
    offset, marked : int
        End of the last whole block, and of the last mark.
    damage : list of (int, int)
        Byte ranges that were skipped though a later mark vouched for them.
    sources : list of str
        Segments that this one holds durable copies of.
    gone : bool
        Whether the file was missing at the last look.
    """

    def __init__(self, fs: FileSystem, layout: Layout, name: str, network: bool = False) -> None:
        self.name = name
        self.worker = name.partition(".")[0]
        self.path = layout.segment(name)
        self.offset = self.marked = self.size = 0
        self.damage: list[tuple[int, int]] = []
        self.sources: list[str] = []
        self.gone = False
        self._fs = fs
        self._layout = layout
        self._network = network
        self._descriptor = -1
        self._window = (0, b"")
        self._pending: list[Found] = []
        self._before_gap = -1
        self._suspect: list[tuple[int, int]] = []
        self._adopted = -1

    # -- bytes -----------------------------------------------------------------
    def pread(self, size: int, offset: int) -> bytes:
        """Return up to ``size`` bytes at ``offset``; an unlinked segment stays readable if open."""
        start, held = self._window
        if start <= offset and offset + size <= start + len(held):
            return held[offset - start : offset - start + size]
        return self._fs.pread(self._open(), size, offset)

    def hold(self, start: int, end: int) -> None:
        """Read a range at once and answer from it until the next one; an empty one lets go."""
        self._window = (start, b"")
        if end > start:
            self._window = (start, self.pread(end - start, start))

    def _open(self) -> int:
        if self._descriptor < 0:
            self._descriptor = self._fs.open(self.path)
        return self._descriptor

    def close(self) -> None:
        """Let go of the file; it is opened again when needed."""
        if self._descriptor >= 0:
            self._fs.let_go(self._descriptor)
            self._descriptor = -1

    def sync(self) -> None:
        """Make what is in the file durable, whoever wrote it."""
        self._fs.sync(self._open())

    # -- looking ---------------------------------------------------------------
    def look(self, silent: Callable[[str], bool]) -> list[Found]:
        """Return the blocks that count since the last look.

        Parameters
        ----------
        silent : callable
            Says of a worker's id whether it is proven dead or silent.
        """
        try:
            size = self._fresh_size()
        except OSError as error:
            if error.errno not in _GONE:
                raise
            self.gone = True
            return []
        self.gone = False
        found: list[Found] = []
        if size != self.size:
            found = self.scan(size)
            self.size = size
        if (self._pending or self.offset < size) and size != self._adopted and silent(self.worker):
            found += self._adopt()
        return found

    def _fresh_size(self) -> int:
        if self._network:
            self.close()  # the size of an open file comes from the client's cache
        return self._fs.fstat(self._open()).st_size

    def advance(self, offset: int) -> None:
        """Take note that this process itself has published up to ``offset``."""
        self.offset = self.marked = self.size = offset

    def scan(self, size: int, finished: bool = False) -> list[Found]:
        """Read on and return what marks vouch for; the rest waits.

        Parameters
        ----------
        size : int
            Bytes of the file that count.
        finished : bool
            Whether nobody writes here any more, so that damage may be skipped.
        """
        found: list[Found] = []
        while self.offset < size:
            self._read_ahead(size)
            parsed = parse(self, self.offset, size)
            if parsed is None:
                if finished and self._skip_damage(size):
                    continue
                break
            found += self._take(*parsed)
        self._window = (0, b"")
        return found

    def _read_ahead(self, size: int) -> None:
        start, held = self._window
        if self.offset + HEADER_SIZE > start + len(held) or self.offset < start:
            length = min(WINDOW, size - self.offset)
            self._window = (self.offset, self._fs.pread(self._open(), length, self.offset))

    def _take(self, block: Block, packed: bytes) -> list[Found]:
        self.offset = block.end
        if block.kind == MARK:
            found, self._pending = self._pending, []
            self.marked = block.end
            self._before_gap = -1
            self.damage += self._suspect  # durable once; without a mark it is a torn tail
            self._suspect = []
            return found
        if block.kind == SOURCES:
            self.sources += read_sources(block)
        else:
            self._pending.append((block, packed))
        return []

    def _skip_damage(self, size: int) -> bool:
        rest = self._fs.pread(self._open(), size - self.offset, self.offset)
        at = rest.find(MAGIC, 1)
        while at >= 0:
            # A block names its own offset, so stale or copied bytes can't pass for one.
            if parse(self, self.offset + at, size) is not None:
                self._suspect.append((self.offset, self.offset + at))
                if self._before_gap < 0:
                    self._before_gap = len(self._pending)
                self.offset += at
                return True
            at = rest.find(MAGIC, at + 1)
        return False

    def _adopt(self) -> list[Found]:
        self.sync()
        size = self._fs.fstat(self._open()).st_size
        found = self.scan(size, finished=True)
        self.size = self._adopted = size
        whole = self.tail()
        if whole and is_open(self._fs, self._layout, self.path, self._open()):
            self._pending = self._pending[len(whole) :]
            if self._before_gap >= 0:
                self._before_gap -= len(whole)
            found += whole
        return found

    def tail(self) -> list[Found]:
        """Return the blocks after the last mark whose every payload is whole, up to the first bad one."""
        tail = self._pending if self._before_gap < 0 else self._pending[: self._before_gap]
        for i, (block, packed) in enumerate(tail):
            if not self._whole(block, packed):
                return tail[:i]
        return list(tail)

    def _whole(self, block: Block, packed: bytes) -> bool:
        for i, key in enumerate(split_keys(packed)):
            row = block.row(i)
            if block.stored(i, row) is None:
                return False
            if row.flags & BLOB:
                token = block.reference(i, row).token.hex()
                try:  # a writer that could not publish has taken its blobs back
                    self._fs.stat(self._layout.blob(key, block.contexts[row.context][0], token))
                except FileNotFoundError:
                    return False
        return True

    def unmarked(self) -> list[Block]:
        """Return the blocks that no mark vouches for yet, sound or not."""
        return [block for block, _ in self._pending]
