"""The sweep: payload files that no row names any more are sealed, looked for again, removed.

Nothing flows in but the store; the paths of what went flow out. The order protects a writer
that has written a file and not yet the row: it finds the seal at its look after the sync,
and writes the payload again under another name. A seal on a file that turns out to be
named is taken off again; a writer that met it meanwhile has only worked twice.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator

from backends.file_store.blobs import Blobs, token_of
from backends.file_store.blocks import BLOB, MARK, ROW, SOURCES, Block
from backends.file_store.filesystem import FileSystem
from backends.file_store.layout import SEALED, Layout
from backends.file_store.seals import remove, seal
from backends.file_store.segments import Segment

_READ_ONLY = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_FLAGS_AT = 3  #: of the flags byte in a row


class Sweep:
    """``Sweep(fs, layout, blobs).run(grace)``."""

    def __init__(self, fs: FileSystem, layout: Layout, blobs: Blobs) -> None:
        self._fs = fs
        self._layout = layout
        self._blobs = blobs

    def litter(self, grace: float) -> list[str]:
        """Return the payload files that no row names and that are ``grace`` seconds old."""
        named = self.named()
        unnamed = [path for path in self._blobs.paths() if token_of(path) not in named]
        if not unnamed:
            return []
        try:
            now = self._fs.server_time(self._layout.blobs)
        except OSError as error:
            if error.errno not in _READ_ONLY:
                raise
            return []  # nobody can say how old they are: a writer may just have made them
        return [path for path in unnamed if self._old(path, grace, now)]

    def _old(self, path: str, grace: float, now: int) -> bool:
        try:
            return self._fs.older(path, grace, now)
        except FileNotFoundError:
            return False

    def run(self, grace: float) -> list[str]:
        """Remove the litter and return its paths."""
        candidates = [path for path in self.litter(grace) if seal(self._fs, self._layout, path)]
        self._fs.point("blobs_sealed")
        named = self.named() if candidates else set()
        gone = []
        for path in candidates:
            if token_of(path) in named:
                self._fs.discard(path + SEALED)
            else:
                remove(self._fs, path)
                gone.append(path)
        return gone

    def named(self) -> set[bytes]:
        """Return the tokens in all rows of all segments, marked or not, in equal listings."""
        previous: list[str] | None = None
        while True:
            names = sorted(n for n in self._fs.names(self._layout.segments) if n[0] != ".")
            tokens: set[bytes] = set()
            whole = True
            for name in names:
                if name.endswith(SEALED):
                    continue
                segment = Segment(self._fs, self._layout, name)
                try:
                    size = self._fs.stat(segment.path).st_size
                    blocks = [block for block, _ in segment.scan(size, finished=True)]
                    tokens.update(_tokens(blocks + segment.unmarked()))
                except FileNotFoundError:
                    whole = False
                finally:
                    segment.close()
            if whole and names == previous:
                return tokens
            previous = names


def _tokens(blocks: Iterable[Block]) -> Iterator[bytes]:
    for block in blocks:
        if block.kind in (MARK, SOURCES) or not any(block.rows[_FLAGS_AT :: ROW.size]):
            continue
        for i in range(block.n):
            row = block.row(i)
            if row.flags & BLOB:
                yield block.reference(i, row).token
