"""Which jugfile and which store a command is about, and how its session is opened."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from taskgraph.cli.trouble import note

if TYPE_CHECKING:
    from taskgraph.session import Session
    from taskgraph.store import Store


@dataclass(frozen=True, slots=True)
class Where:
    """A jugfile, its store and its arguments, as the command line gives them."""

    jugfile: Path
    store: str | None
    argv: tuple[str, ...]
    jug_alias: bool
    verbose: int
    json: bool  #: standard output must stay clean

    def prepare(self) -> None:
        """Make ``import jug`` mean ours in this process, unless that is turned off."""
        if self.jug_alias:
            from taskgraph.compat.finder import install_alias

            install_alias(note)

    def session(self, *, create: bool = False, quiet: bool = False, lean: bool = False) -> Session:
        """Open the store and read the jugfile; the store is closed when the command ends.

        Where no store is at the default place yet, an empty one stands in, in memory.
        With ``quiet`` the command tells itself that reading stopped at a barrier. With
        ``lean`` the tasks' arguments are not kept, unless the jugfile looks at them itself.
        """
        from taskgraph.errors import ArgumentsNeeded
        from taskgraph.jugfile import check_jugfile
        from taskgraph.session import Session

        path = check_jugfile(self.jugfile)
        store = self._store(path, create)
        self.prepare()
        writes = create or store.url == "memory:"
        try:
            session = self._read(path, Session(store, lean=lean), writes)
        except ArgumentsNeeded:
            session = self._read(path, Session(store), writes)
        if session.stopped and not quiet:
            note("the jugfile was read up to a barrier that is not met; there is more to come")
        return session

    def _store(self, path: Path, create: bool) -> Store:
        """Open the store until the command ends."""
        from taskgraph.ops.context import store_url
        from taskgraph.registry import open_store

        url = store_url(path, self.store)
        if not create and self.store is None and not Path(url).exists():
            note(f"there is no store yet at {url}; `taskgraph execute` makes one")
            url, create = "memory:", True
        store = open_store(url, create=create)
        click.get_current_context().call_on_close(store.close)
        return store

    def _read(self, path: Path, session: Session, writes: bool) -> Session:
        """Read the jugfile into a session."""
        from taskgraph.jugfile import read_jugfile

        session.jugfile, session.writes = path, writes
        with redirect_stdout(sys.stderr if self.json else sys.stdout):
            session.module = read_jugfile(path, session, self.argv)
        return session

    def open_store(self) -> Store:
        """Open the store alone; the jugfile is not read."""
        from taskgraph.jugfile import check_jugfile
        from taskgraph.ops.context import store_url
        from taskgraph.registry import open_store

        url = self.store or store_url(check_jugfile(self.jugfile), None)
        store = open_store(url)
        click.get_current_context().call_on_close(store.close)
        return store

    def unread(self) -> Session:
        """Return a session over the store with an empty graph."""
        from taskgraph.session import Session

        return Session(self.open_store())


def split_words(words: Iterable[str]) -> tuple[str | None, tuple[str, ...]]:
    """Tell the jugfile from the tasks: the first word, if it is a file or ends in ``.py``."""
    first, *others = (*words, "")
    rest = tuple(others[:-1])
    if first.endswith(".py") or (first and (Path(first).is_file() or _has_py(first))):
        return first, rest
    return None, (first, *rest) if first else ()


def _has_py(word: str) -> bool:
    return Path(word + ".py").is_file()
