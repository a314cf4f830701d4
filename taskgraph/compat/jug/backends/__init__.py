"""jug.backends: a store by the address that jug uses."""

from __future__ import annotations

from typing import Any

from taskgraph.errors import UsageError
from taskgraph.store import Store

__all__ = ["select"]


def select(jugdir: Any = None) -> Store:
    """``store = select("results.taskgraph")``: open a store, made when there is none.

    Parameters
    ----------
    jugdir : str or Store, optional
        A path, ``redis://HOST/``, ``dict_store`` (memory), or a store, which is returned.
        A directory that jug wrote is refused: import its results.
    """
    from taskgraph.registry import open_store

    if jugdir is not None and not isinstance(jugdir, str):
        store: Store = jugdir
        return store
    url = (jugdir or "jugdata.taskgraph").removeprefix("file_keepalive:")
    if url == "dict_store":
        url = "memory:"
    elif url.startswith("dict_store:"):
        raise UsageError(
            "A memory store is not written to a file here. Give a path to keep results, or "
            f"dict_store to lose them; got {url!r}."
        )
    return open_store(url, create=True)
