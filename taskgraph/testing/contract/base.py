"""What every part of the store contract shares: opening, floors, passing time.

A store author's hooks flow in, stores flow out to the tests of the sibling files. Nothing
here asserts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from taskgraph.store import Identity, Key, Store
from taskgraph.testing.forks import Forked
from taskgraph.testing.records import make_identity

#: Looks in one lease time when a test lets time pass.
STEPS = 10


class ContractBase:
    """The hooks. A subclass gives :meth:`make_store` and :meth:`other_handle`, no more."""

    #: Whether another process can open the same store; False only for stores in memory.
    between_processes: ClassVar[bool] = True
    #: Of two results of one key and epoch all readers see the greater digest; with True the
    #: one that was published first, as a store can promise that has one place for all.
    first_stays: ClassVar[bool] = False

    def make_store(self, tmp_path: Path) -> Store:
        """Open the store that belongs to this folder, with ``create=True``.

        The first time ``tmp_path`` is empty, and so is the store. Called again with the same
        folder, also by two processes at once, it opens the same store.
        """
        raise NotImplementedError("a contract needs make_store(self, tmp_path)")

    def other_handle(self, store: Store) -> Store:
        """Return a second handle on the same store, as another process would open it."""
        raise NotImplementedError("a contract needs other_handle(self, store)")

    def pass_time(self, seconds: float) -> None:
        """Move the store's clock; tests of silence are skipped where there is no such thing."""
        pytest.skip("pass_time() is not given: silence can't be tested without a fake clock")

    # -- helpers -----------------------------------------------------------------
    def open(self, tmp_path: Path) -> Store:
        """Return a new store that is closed after the test."""
        return self._remember(self.make_store(tmp_path))

    def other(self, store: Store) -> Store:
        """Return a second handle that is closed after the test."""
        return self._remember(self.other_handle(store))

    def fork(self, work: Callable[[], Any]) -> Forked:
        """Return a forked child that waits to be let go, and is not left behind by the test."""
        child = Forked(work)
        self.__dict__.setdefault("children", []).append(child)
        return child

    def teardown_method(self) -> None:
        """Close what the test opened, and end what it forked."""
        for child in self.__dict__.pop("children", []):
            child.stop()
        for store in self.__dict__.pop("opened", []):
            store.close()

    def _remember(self, store: Store) -> Store:
        self.__dict__.setdefault("opened", []).append(store)
        return store

    def worker(self, store: Store, identity: Identity | None = None) -> str:
        """Enter a worker that can only be judged by its heartbeat."""
        return store.enter(make_identity() if identity is None else identity)

    def silence(
        self, leases: float, lookers: Iterable[Store], beating: Iterable[tuple[Store, str]]
    ) -> None:
        """Let lease times pass; lookers look all the while and some workers beat."""
        lookers, beating = list(lookers), list(beating)
        for _ in range(round(leases * STEPS)):
            for store, worker in beating:
                store.beat(worker)
            for store in lookers:
                store.workers()
            self.pass_time(lookers[0].lease_seconds / STEPS)
        for store, worker in beating:
            store.beat(worker)


def floors_of(store: Store, *ancestries: Sequence[Key]) -> list[int]:
    """Return the floor of each task, given as itself and its ancestors."""
    killed = store.tombstones().results
    return [max(killed.get(key, 0) for key in ancestry) for ancestry in ancestries]
