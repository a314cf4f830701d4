"""A session for a notebook or a plain script: active at once, until it is closed.

The URL of a store flows in; a session flows out that records the tasks of this and of
later cells. Some kernels run each cell in a context of its own, where a context variable
set in an earlier cell is unset; there the session is made active before each cell.
"""

from __future__ import annotations

import atexit
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from taskgraph import codecs, hashing
from taskgraph.digestcache import remembering
from taskgraph.session import CURRENT, Session
from taskgraph.store import Store
from taskgraph.task import RECORDER

_HOOKS: dict[int, tuple[Any, Callable[..., None]]] = {}


def activate(session: Session) -> None:
    """Make a session the active one, in this context and in later notebook cells."""
    _set(session)
    shell = _shell()
    if shell is not None and id(session) not in _HOOKS:

        def again(*_: Any) -> None:
            if CURRENT.get() is None:
                _set(session)

        shell.events.register("pre_run_cell", again)
        _HOOKS[id(session)] = (shell, again)


def deactivate(session: Session) -> None:
    """Make no session the active one, if it is this one."""
    shell, again = _HOOKS.pop(id(session), (None, None))
    if shell is not None:
        shell.events.unregister("pre_run_cell", again)
    if CURRENT.get() is session:
        CURRENT.set(None)
        RECORDER.set(None)


def _set(session: Session) -> None:
    CURRENT.set(session)
    RECORDER.set(session.graph)


def _shell() -> Any:
    """Return IPython's shell when this process is one."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


class OpenSession(Session):
    """A session that is active from the start until ``close``, or to the end of ``with``."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.writes = self.interactive = True
        self._notes = ExitStack()
        cache = self._notes.enter_context(remembering(store, self.say, saves=True))
        self.pause = cache.save
        self._notes.callback(atexit.unregister, cache.save)
        atexit.register(cache.save)  # a kernel may end without closing its sessions
        activate(self)

    def __exit__(self, *exc: object) -> None:
        super().__exit__(*exc)
        self.close()

    def close(self) -> None:
        """End the session and let go of its store."""
        deactivate(self)
        self._notes.close()
        self.store.close()


def session(store: str | Path | Store, *, name: str | None = None) -> OpenSession:
    """``taskgraph.session("results.taskgraph")``: begin a session here and now.

    Parameters
    ----------
    store : str, Path or Store
        URL or path; made when there is none.
    name : str, optional
        What the functions of this notebook or script are known under, as the name of a
        jugfile would be; default: the store's name without its suffix.

    Returns
    -------
    OpenSession
        Active from now on; ``close()`` ends it, and so does the end of a ``with``.

    Raises
    ------
    StoreError
        If the store can't be used.
    """
    if isinstance(store, str | Path):
        from taskgraph.registry import open_store

        opened = open_store(str(store), create=True)
    else:
        opened = store
    stem = name or Path(opened.url.rpartition(":")[2].rstrip("/")).stem or "notebook"
    hashing.set_main_stem(stem)
    codecs.set_main_stem(stem)
    return OpenSession(opened)
