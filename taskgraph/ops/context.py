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
from taskgraph.registry import open_store, scheme_of
from taskgraph.session import Session
from taskgraph.store import Store

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
    path = check_jugfile(Path(jugfile))
    session = Session(open_store(store_url(path, store), create=create))
    session.jugfile = path
    if read:
        session.module = read_jugfile(path, session, argv)
    return session


def jugfile_label(jugfile: Path | None, url: str) -> str:
    """Return how results name the jugfile they come from (``Origin.jugfile``).

    Relative to the store, so that a project that moves as a whole goes on being itself;
    absolute for stores that are no folder.
    """
    if jugfile is None:
        return ""
    path = jugfile.resolve()
    if scheme_of(url) != "file":
        return path.as_posix()
    folder = Path(url.removeprefix("file://").removeprefix("file:")).resolve()
    return _relative(path, folder)


def _relative(path: Path, folder: Path) -> str:
    """Return ``path`` as seen from ``folder``, with ``..`` where it must be."""
    for ups, parent in enumerate((folder, *folder.parents)):
        if path.is_relative_to(parent):
            return "../" * ups + path.relative_to(parent).as_posix()
    return path.as_posix()


@contextmanager
def visitor(store: Store, *, enter: bool = True) -> Iterator[str]:
    """``with visitor(store) as worker``: enter a store for a moment, to publish something.

    Without ``enter`` nothing is written and the worker is ``""`` (a dry run).
    """
    worker = ""
    if enter:
        from taskgraph.provenance import identity

        worker = store.enter(identity())
    try:
        yield worker
    finally:
        if worker:
            store.leave(worker)
