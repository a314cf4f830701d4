"""The store that forgets, found under ``memory:``. The door; the rooms are behind it.

A URL flows in, a :class:`MemoryStore` flows out.
"""

from __future__ import annotations

from backends.memory_store.hub import Hub
from backends.memory_store.store import MemoryStore
from taskgraph.errors import StoreUnreachable

__all__ = ["Hub", "MemoryStore", "open_store"]


def open_store(url: str, *, create: bool = False, **options: object) -> MemoryStore:
    """``store = open_store("memory:", create=True)``: always a new and empty one.

    Raises
    ------
    StoreUnreachable
        Without ``create``: nothing in memory can have been there before.
    """
    if not create:
        raise StoreUnreachable(
            f"a memory store lives and ends with its process: name a folder instead, got {url!r}"
        )
    return MemoryStore()
