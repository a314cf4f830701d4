"""jug.options: where results are kept, said by the jugfile or a script."""

from __future__ import annotations

import warnings
from typing import Any

from taskgraph.compat.jug.backends import select
from taskgraph.session import CURRENT
from taskgraph.store import Store

__all__ = ["set_jugdir"]


def set_jugdir(jugdir: Any = None) -> Store:
    """``store = set_jugdir("results.taskgraph")``: begin a session on a store.

    In a jugfile that a command reads, the command has chosen the store already: it stays,
    and a warning says so.

    Parameters
    ----------
    jugdir : str or Store, optional
        Path or URL, default ``jugdata.taskgraph``.
    """
    session = CURRENT.get()
    if session is None:
        from taskgraph.notebook import session as begin

        return begin(select(jugdir)).store
    wanted = getattr(jugdir, "url", jugdir)
    if wanted is not None and str(wanted) != session.store.url:
        warnings.warn(
            f"set_jugdir({str(wanted)!r}) changes nothing here: results are kept in "
            f"{session.store.url}. Give the store on the command line (--store).",
            stacklevel=2,
        )
    return session.store
