"""Power loss at any moment: what survives is sound, and no result survives without its inputs.

A run of two workers, an invalidate and a pack is recorded: every write, sync and name. Then
each prefix of the record is replayed into a fresh folder with what was not synced lost in
several ways (all of it, none, each single piece, some at random), as a disk may.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from backends.file_store import open_store
from backends.file_store.blobs import LARGE
from backends.file_store.filesystem import FileSystem
from backends.file_store.store import FileStore
from taskgraph.store import INPUT_SIZE, Buffer, Record
from taskgraph.testing.clock import FakeClock
from taskgraph.testing.records import make_identity, make_key, make_record

A = make_record(make_key(1), b"a")
BIG = make_record(make_key(2), b"big " * LARGE, inputs=[A])
C = make_record(make_key(3), b"c", inputs=[A, BIG])
D = make_record(make_key(4), b"d", inputs=[C], epoch=1)
RECORDS = [A, BIG, C, D]


@dataclass
class File:
    """A file's pieces in order: (offset, bytes, number of the sync that made it durable)."""

    pieces: list[tuple[int, bytes]] = field(default_factory=list)
    durable: int = 0
    size: int = 0


Event = tuple[str, str, object]


class Recorder(FileSystem):
    """The real disk, and a record of everything that changes it."""

    def __init__(self, root: Path) -> None:
        self.root = str(root)
        self.events: list[Event] = []
        self.made: dict[int, int] = {}  # inode number, which is used again -> files made so far

    def _inode(self, descriptor: int) -> str:
        return self._name_of(os.fstat(descriptor).st_ino)

    def _name_of(self, inode: int) -> str:
        return f"{inode}.{self.made[inode]}"

    def create(self, path: str, mode: int) -> int:
        descriptor = super().create(path, mode)
        inode = os.fstat(descriptor).st_ino
        self.made[inode] = self.made.get(inode, 0) + 1
        self.events.append(("name", path, self._inode(descriptor)))
        return descriptor

    def append(self, descriptor: int, buffers: Sequence[Buffer]) -> int:
        self.events.append(("write", self._inode(descriptor), b"".join(buffers)))
        return super().append(descriptor, buffers)

    def datasync(self, descriptor: int) -> None:
        self.events.append(("sync", self._inode(descriptor), None))

    def sync(self, descriptor: int) -> None:
        self.events.append(("sync", self._inode(descriptor), None))

    def sync_folder(self, folder: str) -> None:
        self.events.append(("folder", folder, None))

    def link(self, source: str, target: str) -> None:
        super().link(source, target)
        self.events.append(("name", target, self._name_of(Path(source).stat().st_ino)))

    def rename(self, source: str, target: str) -> None:
        inode = self._name_of(Path(source).stat().st_ino)
        super().rename(source, target)
        self.events += [("name", target, inode), ("unname", source, None)]

    def unlink(self, path: str) -> None:
        super().unlink(path)
        self.events.append(("unname", path, None))


class Careless(Recorder):
    """The planted fault: a disk that lies about the sync of records and payloads."""

    def datasync(self, descriptor: int) -> None:
        return


def run(path: Path, disk: Recorder) -> None:
    """Two workers, each waiting for the other's results; an invalidate; a pack."""
    clock = FakeClock()

    def store() -> FileStore:
        return open_store(str(path), create=True, fs=disk, clock=clock, sleep=clock.advance)

    first, second = store(), store()
    one, two = first.enter(make_identity()), second.enter(make_identity(2))
    first.publish(one, [A])
    second.publish(two, [BIG])
    first.publish(one, [C])
    second.invalidate([make_key(9)])
    second.publish(two, [D])
    first.leave(one)
    second.leave(two)
    store()._house._packer.pack(store()._view.names(), store()._view.graveyard.known)


@dataclass
class Disk:
    """What is certain and what is not after a prefix of the events."""

    files: dict[str, File] = field(default_factory=dict)
    certain: dict[str, str] = field(default_factory=dict)
    uncertain: list[Event] = field(default_factory=list)

    def play(self, event: Event) -> None:
        what, where, more = event
        if what in ("name", "unname"):
            self.uncertain.append(event)
            if what == "name":
                self.files.setdefault(str(more), File())
        elif what == "write":
            file = self.files.setdefault(where, File())
            assert isinstance(more, bytes)
            file.pieces.append((file.size, more))
            file.size += len(more)
        elif what == "sync":
            self.files[where].durable = len(self.files[where].pieces)
        else:
            mine = [e for e in self.uncertain if e[1].rpartition("/")[0] == where]
            for e in mine:
                self._name(self.certain, e)
            self.uncertain = [e for e in self.uncertain if e not in mine]

    @staticmethod
    def _name(names: dict[str, str], event: Event) -> None:
        if event[0] == "name":
            names[event[1]] = str(event[2])
        else:
            names.pop(event[1], None)

    def loose(self) -> list[object]:
        """Everything that may or may not survive: names and pieces of files."""
        found: list[object] = list(self.uncertain)
        for inode, file in self.files.items():
            found += [(inode, i) for i in range(file.durable, len(file.pieces))]
        return found

    def survive(self, root: str, target: Path, lost: Sequence[object]) -> None:
        """Write what is left to another folder."""
        names = dict(self.certain)
        for event in self.uncertain:
            if event not in lost:
                self._name(names, event)
        for path, inode in names.items():
            place = target / path.removeprefix(root + "/")
            place.parent.mkdir(parents=True, exist_ok=True)
            content = bytearray()
            for i, (offset, piece) in enumerate(self.files[inode].pieces):
                if (inode, i) not in lost:
                    content.extend(bytes(offset - len(content)))  # a hole
                    content[offset:] = piece
            place.write_bytes(content)


def losses(loose: list[object], chance: random.Random) -> Iterator[list[object]]:
    yield []
    yield loose
    for thing in loose[-3:]:
        yield [thing]
    for _ in range(2):
        yield [thing for thing in loose if chance.random() < 0.5]


def replays(events: list[Event], root: str, place: Path) -> Iterator[Path]:
    disk, chance = Disk(), random.Random(7)
    start = next(i for i, e in enumerate(events) if "/segments/" in e[1])
    for number, event in enumerate(events):
        disk.play(event)
        if number < start or event[1].startswith(f"{root}/locks"):
            continue
        for which, lost in enumerate(losses(disk.loose(), chance)):
            target = place / f"{number}-{which}"
            for folder in ("locks", "segments", "blobs", "invalid", "documents", "quarantine"):
                (target / folder).mkdir(parents=True)
            disk.survive(root, target, lost)
            for owner in (target / "locks").iterdir():
                owner.unlink()  # the host is gone: its workers' tails may be adopted
            yield target


def judge(path: Path) -> None:
    """Assert that a store is sound, and that every result in it has its inputs."""
    clock = FakeClock()
    store = open_store(str(path), clock=clock, sleep=clock.advance)
    there: list[Record] = [r for r in store.load([r.key for r in RECORDS]) if r is not None]
    known = {record.key[:8] + record.digest for record in there}
    for record in there:
        cut = [record.inputs[i : i + INPUT_SIZE] for i in range(0, len(record.inputs), INPUT_SIZE)]
        assert known.issuperset(cut), f"a result without its input in {path.name}"
        if record.epoch:
            assert store.tombstones().epoch >= record.epoch, f"an epoch came back in {path.name}"
    assert store.check() == []
    store.close()


def judge_all(paths: Iterator[Path]) -> int:
    number = 0
    for path in paths:
        judge(path)
        number += 1
    return number


def test_whatever_a_power_loss_leaves_is_sound(tmp_path: Path) -> None:
    disk = Recorder(tmp_path / "s")
    run(tmp_path / "s", disk)
    assert judge_all(replays(disk.events, disk.root, tmp_path / "r")) > 150


def test_a_disk_that_lies_about_syncs_is_caught(tmp_path: Path) -> None:
    disk = Careless(tmp_path / "s")
    run(tmp_path / "s", disk)
    with pytest.raises(AssertionError):
        judge_all(replays(disk.events, disk.root, tmp_path / "r"))
