"""The writer: one segment of one worker in one process, appended to at each publish.

Drafts flow in, placed blocks flow out once they are published: appended, synced, looked at
for a seal, marked. It knows nothing of keys, payload files or readers.

The order is the point. A mark before the look would let others use frames of a segment
that a packer has already read and is about to unlink. After any error or short write
the segment is abandoned for good (pages of a failed sync count as clean, and a torn block
hides what follows), and a further attempt goes to a new one.
"""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Callable, Sequence

from backends.file_store.blocks import HEADER_SIZE, Block
from backends.file_store.drafts import Draft, mark, place, placed
from backends.file_store.filesystem import FileSystem
from backends.file_store.layout import Layout
from backends.file_store.seals import is_open
from backends.file_store.segments import Segment
from taskgraph.store import Buffer

#: A segment that has grown to this many bytes is left for a new one.
FULL = 1 << 30

Check = Callable[[], bool]


class Writer:
    """Appends to segments of one worker."""

    def __init__(self, fs: FileSystem, layout: Layout, worker: str, network: bool) -> None:
        self.worker = worker
        self.segment: Segment | None = None
        self.marking = False  #: whether the last ``append`` got as far as its mark
        self._fs = fs
        self._layout = layout
        self._network = network
        self._descriptor = -1
        self._offset = 0
        self._pid = os.getpid()

    def append(self, drafts: Sequence[Draft], sound: Check) -> list[Block] | None:
        """Publish drafts, in their order, all of them or none.

        Parameters
        ----------
        drafts : sequence of Draft
            At most 1 GiB in all.
        sound : callable
            Asked after the sync whether the files that the rows name are still unsealed.

        Returns
        -------
        list of Block, or None
            ``None`` where ``sound`` said no: the caller writes those files again.

        Raises
        ------
        OSError
            Nothing was published; the same call may be repeated.
        """
        if self._pid != os.getpid():  # a forked copy must not share its parent's segment
            self.abandon()
            self._pid = os.getpid()
        self.marking = False
        while True:
            old = self._descriptor >= 0 and self._offset <= FULL
            if not old:
                self._begin()
            segment = self.segment
            assert segment is not None
            try:
                blocks = self._write(drafts, segment)
                if is_open(self._fs, self._layout, segment.path, self._descriptor):
                    if not sound():
                        self.abandon()
                        return None
                    self._mark()
                    segment.advance(self._offset)
                    return blocks
            except OSError as error:
                self.abandon()
                # A stale handle: a packer of another host has taken the segment away.
                if not old or error.errno != errno.ESTALE:
                    raise
            self.abandon()

    def _begin(self) -> None:
        self.abandon()
        segment = Segment(
            self._fs, self._layout, f"{self.worker}.{uuid.uuid4().hex[:12]}", self._network
        )
        self._descriptor = self._fs.create(segment.path, self._layout.file_mode)
        self._offset = 0
        self.segment = segment
        try:
            self._fs.sync_folder(self._layout.segments)
        except OSError:
            self.abandon()
            raise

    def _write(self, drafts: Sequence[Draft], segment: Segment) -> list[Block]:
        start = at = self._offset
        buffers: list[Buffer] = []
        blocks = []
        for draft in drafts:
            buffers += place(draft, at)
            blocks.append(placed(draft, at, segment))
            at += draft.size
        self._append(buffers, at - start)
        self._fs.point("appended")
        self._fs.datasync(self._descriptor)
        self._fs.point("synced")
        return blocks

    def _mark(self) -> None:
        self._fs.point("looked_seal")
        self.marking = True
        self._append([mark(self._offset)], HEADER_SIZE)
        if self._network:
            self._fs.datasync(self._descriptor)  # else the mark stays in this client's cache
        self._fs.point("marked")

    def _append(self, buffers: list[Buffer], size: int) -> None:
        written = self._fs.append(self._descriptor, buffers)
        self._offset += written
        if written != size:
            raise OSError(errno.ENOSPC, f"only {written} of {size} bytes could be written")

    def abandon(self) -> None:
        """Never write to the present segment again."""
        descriptor, self._descriptor = self._descriptor, -1
        segment, self.segment = self.segment, None
        if descriptor >= 0 and self._pid == os.getpid():
            self._fs.let_go(descriptor)
            if self._offset < HEADER_SIZE and segment is not None:
                # Not one whole block: nobody can have used it, and it is this writer's own name.
                self._fs.discard(segment.path)
