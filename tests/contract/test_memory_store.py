"""The memory store keeps the port's promises, one by one and in any order of calls."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.memory_store import MemoryStore, open_store
from taskgraph.errors import StoreUnreachable
from taskgraph.store import Store
from taskgraph.testing import FakeClock, LeaseMachine, StoreContract


class TestMemoryStore(StoreContract):
    between_processes = False

    def make_store(self, tmp_path: Path) -> Store:
        self.clock = FakeClock()
        return MemoryStore(clock=self.clock)

    def other_handle(self, store: Store) -> Store:
        assert isinstance(store, MemoryStore)
        return store.handle()

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)


class MemoryMachine(LeaseMachine):
    def make_store(self, clock: FakeClock) -> Store:
        return MemoryStore(clock=clock)

    def other_handle(self, store: Store) -> Store:
        assert isinstance(store, MemoryStore)
        return store.handle()


TestAnyOrder = MemoryMachine.TestCase


def test_a_memory_store_can_only_be_made() -> None:
    """Nothing in memory was there before: opening without create is refused."""
    with pytest.raises(StoreUnreachable, match="folder"):
        open_store("memory:")
    assert open_store("memory:", create=True).id != open_store("memory:", create=True).id
