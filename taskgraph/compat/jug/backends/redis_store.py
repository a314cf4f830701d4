"""jug.backends.redis_store: a store in a Redis server."""

from taskgraph.compat.jug.backends import select
from taskgraph.store import Store

__all__ = ["redis_store"]


def redis_store(url: str) -> Store:
    """Open a store in a Redis server."""
    return select(url)
