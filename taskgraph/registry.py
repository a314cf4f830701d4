"""Finds what plug-ins offer: a store by the scheme of its URL, anything else by group.

A URL or an entry-point group flows in; an open store, or the entry points by name,
flow out. No backend is imported by name here: they are reached through metadata. Only
our own two stores have their metadata repeated below, because a scan of all installed
packages costs 0.1 s, more than most commands take otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from taskgraph.errors import UsageError
from taskgraph.store import Store

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

STORES = "taskgraph.stores"

#: What setup.cfg says too; a test compares the two.
BUILT_IN = {
    "file": "backends.file_store:open_store",
    "memory": "backends.memory_store:open_store",
    "redis": "backends.redis_store:open_store",
    "rediss": "backends.redis_store:open_store",
    "unix": "backends.redis_store:open_store",
    "redis+file": "backends.redis_store:open_store",
    "rediss+file": "backends.redis_store:open_store",
    "unix+file": "backends.redis_store:open_store",
}

#: One letter before a colon is a drive, not a scheme.
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")


def open_store(url: str, create: bool = False, **options: Any) -> Store:
    """``store = open_store("results.taskgraph", create=True)``: a store by its URL.

    Parameters
    ----------
    url : str
        A path, or ``scheme:rest`` with a scheme that a backend has registered.
    create : bool
        Make the store when there is none; otherwise opening makes nothing.
    **options
        Handed to the backend.

    Raises
    ------
    UsageError
        If no installed backend knows the scheme.
    ConfigError
        If a key file is named and can't be used, or the store needs one (``signed``).
    StoreError
        If the store can't be used; the class says why.
    """
    from taskgraph.signed import guarded

    return guarded(_opener(scheme_of(url))(url, create=create, **options), create=create)


def scheme_of(url: str) -> str:
    """Return the scheme of a store URL; a plain path is ``file``."""
    match = _SCHEME.match(url)
    return match[1].lower() if match else "file"


@cache
def find(group: str) -> dict[str, EntryPoint]:
    """Return the entry points of a group by name, scanned once per process."""
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=group)}


def _opener(scheme: str) -> Callable[..., Store]:
    """Return the function that opens stores of this scheme."""
    if scheme in BUILT_IN:
        module, _, name = BUILT_IN[scheme].partition(":")
        return cast("Callable[..., Store]", getattr(import_module(module), name))
    point = find(STORES).get(scheme)
    if point is None:
        known = ", ".join(sorted({*BUILT_IN, *find(STORES)}))
        raise UsageError(
            f"The part of a store's URL before the colon names an installed backend ({known}). "
            f"Install the one that knows {scheme!r}, or write ./ before a path with a colon; "
            f"got the scheme {scheme!r}."
        )
    return cast("Callable[..., Store]", point.load())
