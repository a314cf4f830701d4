"""``pack``: merge a store's small files and drop what no reader can want.

A store flows in, its size before and after flows out. Needs no jugfile, so it can't tell
which results are in use: that is ``cleanup``. Safe beside running workers.
"""

from __future__ import annotations

from dataclasses import dataclass

from taskgraph.store import Store, Usage


@dataclass(frozen=True, slots=True)
class Packed:
    """A store's size before and after."""

    before: Usage
    after: Usage


def pack(store: Store, progress: object = None) -> Packed:
    """``sizes = pack(store)``: merge small files."""
    before = store.usage()
    return Packed(before, store.pack(progress))
