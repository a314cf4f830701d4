"""jug.backends.file_store: a store in a folder."""

from taskgraph.compat.jug.backends import select
from taskgraph.store import Store

__all__ = ["file_store"]


def file_store(path: str) -> Store:
    """Open a store in a folder."""
    return select(path)
