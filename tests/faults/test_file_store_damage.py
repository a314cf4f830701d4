"""Torn writes at every byte, and a flipped bit in every byte: absent or right, never wrong.

Whatever is cut, zeroed or flipped: opening, reading and checking raise nothing but the
store's own word for it (a damaged tombstone, which is told aloud, since what it kills would
come back). What is missing can be published again, and then the store is sound.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from backends.file_store import open_store
from backends.file_store.blobs import LARGE
from backends.file_store.blocks import Block, Row
from backends.file_store.filesystem import FileSystem
from backends.file_store.store import FileStore
from taskgraph.errors import ResultCorrupt
from taskgraph.store import FAILURE, Record
from taskgraph.testing import FakeClock, make_identity, make_key, make_record, payload_bytes

FIRST = make_record(make_key(1), b"first")
PAIR = [make_record(make_key(2), b"second", inputs=[FIRST]), make_record(make_key(3), b"third")]
BIG = make_record(make_key(4), b"big " * (LARGE // 4 + 1))
FAILED = make_record(make_key(5), b"traceback", kind=FAILURE)
DEAD = make_record(make_key(6), b"dead")
RESULTS = [FIRST, *PAIR, BIG]


class Disk(FileSystem):
    """The real disk without syncs, for no power is lost here."""

    def sync(self, descriptor: int) -> None:
        pass

    datasync = sync

    def sync_folder(self, folder: str) -> None:
        pass


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Return a folder in memory where there is one: thousands of small stores are made in it."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


def open_at(path: Path) -> FileStore:
    clock = FakeClock()
    return open_store(str(path), create=True, fs=Disk(), clock=clock, sleep=clock.sleep)


def copies(path: Path) -> Iterator[Path]:
    """Yield fresh copies of a store, one after the other, in one place."""
    copy = path.with_name("copy")
    while True:
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(path, copy)
        yield copy


def values(store: FileStore, records: list[Record]) -> dict[bytes, bytes]:
    """Return what is there, and assert that it is right."""
    found = store.load([record.key for record in records])
    there = {r.key: payload_bytes(r.payload) for r in found if r is not None}
    right = {r.key: payload_bytes(r.payload) for r in records}
    assert there.items() <= right.items(), "a wrong value"
    return there


def recover(path: Path, records: list[Record]) -> int:
    """Read, check, publish what is missing; return how much that was."""
    store = open_at(path)
    there = values(store, records)
    store.check()
    worker = store.enter(make_identity(7))
    there = values(store, records)
    missing = [record for record in records if record.key not in there]
    store.publish(worker, missing)
    store.leave(worker)
    assert len(values(store, records)) == len(records), "what was published again is not there"
    store.close()
    last = open_at(path)
    assert len(values(last, records)) == len(records), "another process does not see it"
    assert last.load([DEAD.key], [1]) == [None], "the dead are alive"
    last.check()
    assert last.check() == []
    last.close()
    return len(missing)


# -- torn writes -------------------------------------------------------------------
def torn(path: Path, alive: bool, fill: bool, thorough: int) -> tuple[list[int], int]:
    """Cut a segment at each byte of its last publish; return what was missing each time.

    At every ``thorough``-th byte the store is also worked with afterwards, and checked.
    """
    store = open_at(path / "s")
    worker = store.enter(make_identity())
    store.publish(worker, [FIRST])
    segment = next((path / "s" / "segments").iterdir())
    start = segment.stat().st_size
    store.publish(worker, PAIR)
    end = segment.stat().st_size
    if not alive:
        FileSystem().unlink(store._layout.owner(worker))
    missing = []
    for cut, copy in zip(range(start, end), copies(path / "s"), strict=False):
        data = segment.read_bytes()
        torn = data[:cut] + (bytes(end - cut) if fill else b"")
        (copy / "segments" / segment.name).write_bytes(torn)
        if cut % thorough:
            reader = open_at(copy)
            missing.append(3 - len(values(reader, [FIRST, *PAIR])))
            reader.close()
        else:
            missing.append(recover(copy, [FIRST, *PAIR]))
    return missing, end - start


@pytest.mark.parametrize("fill", [False, True], ids=["cut", "zeroed"])
@pytest.mark.parametrize("alive", [True, False], ids=["living writer", "dead writer"])
def test_a_write_torn_at_any_byte(tmp_path: Path, alive: bool, fill: bool) -> None:
    """Of a dead writer a whole batch is believed without its mark; of a living one, not."""
    missing, size = torn(tmp_path, alive, fill, thorough=16)
    assert len(missing) == size
    assert set(missing) == ({2} if alive else {2, 0})
    assert missing == sorted(missing, reverse=True), "a shorter rest holds more"


def test_a_reader_without_checksums_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stored(block: Block, i: int, row: Row) -> bytes:
        offset, size = block.extent(i, row)
        return block.source.pread(size, offset)

    monkeypatch.setattr(Block, "stored", stored)
    with pytest.raises(AssertionError, match="a wrong value"):
        flips(tmp_path, "segments", 3)


# -- flipped bits ------------------------------------------------------------------
def small_store(path: Path) -> Path:
    """A packed segment with a failure and a large payload, one of a living worker, a tombstone."""
    store = open_at(path / "s")
    worker = store.enter(make_identity())
    store.publish(worker, [FIRST, BIG, FAILED, DEAD])
    store.leave(worker)
    store.invalidate([DEAD.key])
    store.pack()
    store.publish(store.enter(make_identity(2)), PAIR)
    store.close()
    return path / "s"


def flips(path: Path, folder: str, step: int, start: int = 0) -> dict[str, int]:
    """Flip one bit in each ``step``-th byte of each file; count what came of it."""
    source = small_store(path)
    fresh = copies(source)
    seen = {"flips": 0, "missing": 0, "told": 0}
    for file in sorted((source / folder).rglob("*")):
        if not file.is_file():
            continue
        data = file.read_bytes()
        for at in range(start, len(data), step):
            copy = next(fresh)
            flipped = data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]
            (copy / file.relative_to(source)).write_bytes(flipped)
            seen["flips"] += 1
            try:
                seen["missing"] += recover(copy, RESULTS)
            except ResultCorrupt:
                assert folder == "invalid", "damage must not stop a reader"
                seen["told"] += 1
    return seen


@pytest.mark.parametrize(
    ("folder", "step"),
    [
        ("segments", 7),
        ("invalid", 1),
        ("blobs", 1301),
        pytest.param("segments", 1, marks=pytest.mark.stress),
    ],
)
def test_a_flipped_bit_anywhere(tmp_path: Path, record_property, folder: str, step: int) -> None:
    seen = flips(tmp_path, folder, step)
    for name, number in seen.items():
        record_property(name, number)
    assert seen["flips"] > 45
    assert seen["missing"] + seen["told"] > seen["flips"] // 2, "hardly a flip was noticed"
