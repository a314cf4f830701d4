"""jug.backends.dict_store: a store in memory."""

from taskgraph.compat.jug.backends import select
from taskgraph.store import Store

__all__ = ["dict_store"]


def dict_store() -> Store:
    """Open a store in memory."""
    return select("dict_store")
