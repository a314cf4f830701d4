"""jug.jug: reading a jugfile from a script or a notebook."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Any

from taskgraph.compat.finder import install_alias
from taskgraph.compat.jug.backends import select
from taskgraph.errors import JugfileError
from taskgraph.jugfile import read_jugfile
from taskgraph.notebook import activate
from taskgraph.session import Session, is_running
from taskgraph.store import Store

__all__ = ["init", "is_jug_running"]


def is_jug_running() -> bool:
    """Return True while a jugfile is read by a command, or a session is active."""
    return is_running()


def init(
    jugfile: str | None = None,
    jugdir: Any = None,
    on_error: str = "exit",
    store: Any = None,
) -> tuple[Store, dict[str, Any]]:
    """``store, jugspace = init("primes.py", "primes.taskgraph")``: read a jugfile.

    Its session stays active, so that ``value`` works afterwards. ``import jug`` in the
    jugfile means this package.

    Parameters
    ----------
    jugfile : str, optional
        Path, default ``jugfile.py``.
    jugdir : str, optional
        Path or URL of the store, default ``<stem>.taskgraph`` beside the jugfile.
    on_error : {"exit", "propagate"}
        What happens when the jugfile raises: the traceback and ``sys.exit(1)``, or the error.
    store : Store, optional
        In place of ``jugdir``.

    Returns
    -------
    store : Store
    jugspace : dict
        The names of the jugfile; ``__jug__hasbarrier__`` is set when reading ended at a
        barrier.
    """
    if on_error not in ("exit", "propagate"):
        raise ValueError(f"on_error must be 'exit' or 'propagate'; got {on_error!r}.")
    path = Path(jugfile or "jugfile.py")
    install_alias(lambda line: None)
    if store is None:
        store = select(jugdir or str(path.with_name(path.stem + ".taskgraph")))
    session = Session(store)
    session.jugfile = path
    activate(session)
    try:
        session.module = read_jugfile(path, session, sys.argv[1:])
    except JugfileError as error:
        if on_error == "exit":
            traceback.print_exc()
            sys.exit(1)
        if isinstance(error.__cause__, Exception):
            raise error.__cause__ from None
        raise
    jugspace = session.module.__dict__
    if session.stopped:
        jugspace["__jug__hasbarrier__"] = True
    return session.store, jugspace
