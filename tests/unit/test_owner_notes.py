"""What is noted of a worker by another process: an invalidate clears what the dead ran."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backends.file_store.filesystem import FileSystem
from backends.file_store.layout import Layout
from backends.file_store.owners import Owners
from taskgraph.testing import FakeClock, FakeServer, make_identity, make_key

LEASE = 30.0


class Disk(FakeServer, FileSystem):
    """A disk that counts open files, and may deny what only a file's owner may do."""

    mine = True
    opened = 0

    def open(self, path: str, flags: int = os.O_RDONLY) -> int:
        self.opened += 1
        return super().open(path, flags)

    def close(self, descriptor: int) -> None:
        self.opened -= 1
        super().close(descriptor)

    def touch(self, descriptor: int, ns: int | None = None) -> None:
        if ns is not None and not self.mine:
            raise PermissionError
        super().touch(descriptor, ns)


@pytest.mark.parametrize("mine", [True, False], ids=["own file", "another user's"])
def test_a_note_of_the_dead_leaves_its_time_and_no_open_file(tmp_path: Path, mine: bool) -> None:
    """The time can't be set back in another user's file; the note is taken in any case."""
    clock = FakeClock()
    layout = Layout(str(tmp_path))
    (tmp_path / "locks").mkdir()
    worker = Owners(Disk(clock), layout, LEASE, clock).enter(make_identity())
    before = Path(layout.owner(worker)).stat().st_mtime_ns
    clock.advance(2 * LEASE)
    disk = Disk(clock)
    disk.mine = mine
    Owners(disk, layout, LEASE, clock).running(worker, make_key(1))
    (info,) = Owners(Disk(clock), layout, LEASE, clock).infos()
    assert info.running == make_key(1)
    assert (Path(layout.owner(worker)).stat().st_mtime_ns == before) is mine
    assert disk.opened == 0


def test_a_note_of_who_has_gone_is_dropped(tmp_path: Path) -> None:
    (tmp_path / "locks").mkdir()
    clock = FakeClock()
    Owners(Disk(clock), Layout(str(tmp_path)), LEASE, clock).running("0" * 32, make_key(1))
    assert list((tmp_path / "locks").iterdir()) == []
