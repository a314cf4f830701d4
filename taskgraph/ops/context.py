"""Where every verb begins: a jugfile and a store become a session.

Paths flow in, a session whose graph is read flows out. The store is opened *before*
the jugfile's folder enters ``sys.path``, so that a ``redis.py`` beside the jugfile
can't stand in for the driver that the store needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from taskgraph.jugfile import check_jugfile, read_jugfile
from taskgraph.processes import check_platform
from taskgraph.registry import open_store
from taskgraph.session import Session
from taskgraph.signed import refuse_unsigned
from taskgraph.store import Store
from taskgraph.tenants import jugfile_label

__all__ = ["CHUNK", "jugfile_label", "now", "open_session", "store_url", "visitor"]

#: Keys asked for at a time where each answer is an object: bounds the memory of a verb.
CHUNK = 10_000


def now() -> float:
    """Return seconds since 1970: the default of every verb's ``clock``, for ages only."""
    return datetime.now(UTC).timestamp()


def store_url(jugfile: Path, store: str | None) -> str:
    """Return the store's URL: the one given, else ``<stem>.taskgraph`` beside the jugfile."""
    return store or str(jugfile.with_name(jugfile.stem + ".taskgraph"))


def open_session(
    jugfile: Path,
    store: str | None = None,
    argv: Sequence[str] = (),
    *,
    create: bool = False,
    read: bool = True,
) -> Session:
    """``session = open_session(Path("jugfile.py"))``: open the store, then read the jugfile.

    Parameters
    ----------
    jugfile : Path
        The jugfile, with or without ``.py``.
    store : str, optional
        URL of the store; default beside the jugfile.
    argv : sequence of str
        What the jugfile finds behind its own name in ``sys.argv``.
    create : bool
        Make the store when there is none.
    read : bool
        ``False`` leaves the graph empty and the jugfile unread.

    Raises
    ------
    JugfileError, StoreError
        If one of the two can't be used.
    """
    check_platform()
    path = check_jugfile(Path(jugfile))
    session = Session(open_store(store_url(path, store), create=create))
    session.jugfile, session.writes = path, create
    if read:
        session.module = read_jugfile(path, session, argv)
    return session


@contextmanager
def visitor(store: Store, *, enter: bool = True) -> Iterator[str]:
    """``with visitor(store) as worker``: enter a store for a moment, to publish something.

    Without ``enter`` nothing is written and the worker is ``""`` (a dry run).
    """
    worker = ""
    if enter:
        from taskgraph.provenance import identity

        refuse_unsigned(store)
        worker = store.enter(identity())
    try:
        yield worker
    finally:
        if worker:
            store.leave(worker)
