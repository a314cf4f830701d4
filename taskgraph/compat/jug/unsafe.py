"""jug.unsafe: arguments that do not count."""

from taskgraph.hashing import NoHash

__all__ = ["NoHash"]
