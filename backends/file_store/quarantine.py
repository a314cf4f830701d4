"""Notes about damaged rows, so that every process leaves them out.

Places of rows flow in and out. A segment of a living writer can't be edited, and a damaged
row must not win over a sound copy again: a note beside the store says which row to skip.
Packing leaves such rows out for good; notes about segments that are gone mean nothing.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable

from backends.file_store.filesystem import FileSystem
from backends.file_store.index import Spot
from backends.file_store.layout import Layout

_NOTE = ".note"


class Quarantine:
    """``quarantine.add([(segment, offset, row)], "checksum")``; ``quarantine.rows(...)``."""

    def __init__(self, fs: FileSystem, layout: Layout) -> None:
        self._fs = fs
        self._layout = layout
        self._read: set[str] = set()
        self._spots: dict[tuple[str, int], set[int]] = {}

    def look(self) -> bool:
        """Read new notes; True when there were any."""
        names = [n for n in self._fs.names(self._layout.quarantine) if n.endswith(_NOTE)]
        fresh = [name for name in names if name not in self._read]
        for name in fresh:
            self._read.add(name)
            found = json.loads(self._fs.read_file(f"{self._layout.quarantine}/{name}"))
            self._note((str(s), int(o), int(r)) for s, o, r in found["rows"])
        return bool(fresh)

    def _note(self, spots: Iterable[Spot]) -> None:
        for segment, offset, row in spots:
            self._spots.setdefault((segment, offset), set()).add(row)

    def add(self, spots: list[Spot], what: str) -> None:
        """Write a note; in a store that can't be written, this process alone keeps it."""
        self._note(spots)
        name = f"{uuid.uuid4().hex}{_NOTE}"
        text = json.dumps({"what": what, "rows": spots}).encode()
        folder = self._layout.quarantine
        self._read.add(name)
        self._fs.replace_file(folder, name, text, self._layout.file_mode)

    def rows(self, segment: str, offset: int) -> set[int]:
        """Return the rows of a block to skip."""
        return self._spots.get((segment, offset), set()) if self._spots else set()

    def rows_in(self, segment: str) -> bool:
        """Return whether any row of a segment is to be skipped."""
        return any(name == segment for name, _ in self._spots)

    def tidy(self, segments: Iterable[str]) -> None:
        """Remove notes that only speak of segments other than these."""
        there = set(segments)
        for name in self._fs.names(self._layout.quarantine):
            if not name.endswith(_NOTE):
                continue
            path = f"{self._layout.quarantine}/{name}"
            rows = json.loads(self._fs.read_file(path))["rows"]
            if not any(segment in there for segment, _, _ in rows):
                self._fs.discard(path)
