"""The file store keeps the port's promises, one by one and in any order of calls."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings

from backends.file_store import open_store
from backends.file_store.filesystem import FileSystem
from taskgraph.store import Store
from taskgraph.testing import FakeClock, FakeServer, LeaseMachine, StoreContract


class Disk(FakeServer, FileSystem):
    """The real disk, with a server of the fake time; power is not lost here."""

    def datasync(self, descriptor: int) -> None:
        pass

    def sync(self, descriptor: int) -> None:
        pass

    def sync_folder(self, folder: str) -> None:
        pass


def open_at(path: str, clock: FakeClock, create: bool = False) -> Store:
    return open_store(path, create=create, fs=Disk(clock), clock=clock, sleep=clock.sleep)


class TestFileStore(StoreContract):
    def make_store(self, tmp_path: Path) -> Store:
        self.clock = FakeClock()
        return open_at(str(tmp_path / "store"), self.clock, create=True)

    def other_handle(self, store: Store) -> Store:
        return open_at(store.url, self.clock)

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)


class FileMachine(LeaseMachine):
    def make_store(self, clock: FakeClock) -> Store:
        self.folder = tempfile.TemporaryDirectory(prefix="machine-")
        return open_at(f"{self.folder.name}/store", clock, create=True)

    def other_handle(self, store: Store) -> Store:
        return open_at(store.url, self.clock)

    def teardown(self) -> None:
        super().teardown()
        if hasattr(self, "folder"):
            self.folder.cleanup()


TestAnyOrder = FileMachine.TestCase
# A file costs a hundred times what a dict does: a quarter of the profile's examples.
TestAnyOrder.settings = settings(max_examples=settings().max_examples // 4)
