"""Stores under a key keep the port's promises: signatures are nobody's business but theirs."""

from __future__ import annotations

from pathlib import Path

from backends.file_store import open_store as open_files
from backends.file_store.filesystem import FileSystem
from backends.memory_store import MemoryStore
from taskgraph.codecs.signing import Keyring
from taskgraph.signed import signed
from taskgraph.store import Store
from taskgraph.testing import FakeClock, FakeServer, StoreContract

KEYS = Keyring([bytes(range(32))])


class TestSignedMemoryStore(StoreContract):
    between_processes = False

    def make_store(self, tmp_path: Path) -> Store:
        self.clock = FakeClock()
        self.inner = MemoryStore(clock=self.clock)
        return signed(self.inner, KEYS)

    def other_handle(self, store: Store) -> Store:
        return signed(self.inner.handle(), KEYS)

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)


class Disk(FakeServer, FileSystem):
    """The real disk, with a server of the fake time."""


class TestSignedFileStore(StoreContract):
    def make_store(self, tmp_path: Path) -> Store:
        self.clock = FakeClock()
        return self.open_at(str(tmp_path / "store"), create=True)

    def other_handle(self, store: Store) -> Store:
        return self.open_at(store.url)

    def open_at(self, url: str, *, create: bool = False) -> Store:
        fs = Disk(self.clock)
        made = open_files(url, create=create, fs=fs, clock=self.clock, sleep=self.clock.sleep)
        return signed(made, KEYS)

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)


del StoreContract
