"""jug.hash: jug's own hash, for hash functions that jugfiles bring along.

Keys of taskgraph are not made with it: it writes containers without their ends.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from taskgraph.compat.jug_hash import JugHasher

__all__ = ["hash_one", "hash_update", "new_hash_object"]


def new_hash_object() -> Any:
    """Return an empty SHA-1."""
    return hashlib.sha1(usedforsecurity=False)


def hash_update(M: Any, elems: Iterable[tuple[Any, Any]]) -> Any:
    """Feed named objects into a hash object and return it."""
    JugHasher().update(M, elems)
    return M


def hash_one(obj: Any) -> bytes:
    """Return jug's hash of an object, 40 bytes of hex."""
    return JugHasher().one(obj)
