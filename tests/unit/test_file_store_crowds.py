"""Many workers on one file store: looks read once, lists, and what is left is merged once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from backends.file_store import open_store
from backends.file_store.filesystem import FileSystem
from backends.file_store.housekeeping import MOST_FINISHED, Housekeeping
from backends.file_store.layout import special_lock
from backends.file_store.liveness import Processes
from backends.file_store.locks import Locks
from backends.file_store.owners import Owners
from backends.file_store.pack import Packer
from backends.file_store.store import FileStore
from backends.file_store.view import View
from taskgraph.provenance import identity
from taskgraph.testing.clock import FakeClock
from taskgraph.testing.records import make_identity, make_key, make_record


def store_at(path: Path, clock: FakeClock) -> FileStore:
    return open_store(str(path / "s"), create=True, clock=clock, sleep=clock.advance)


def counted(monkeypatch: pytest.MonkeyPatch, kind: type, name: str) -> list[object]:
    """Count the calls of a method that goes on as before."""
    calls: list[object] = []
    honest: Callable[..., object] = getattr(kind, name)

    def noted(self: object, *args: object, **options: object) -> object:
        calls.append(args)
        return honest(self, *args, **options)

    monkeypatch.setattr(kind, name, noted)
    return calls


# -- looking ----------------------------------------------------------------------------------
def test_a_look_between_two_equal_listings_reads_each_segment_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock()
    writer, reader = store_at(tmp_path, clock), store_at(tmp_path, clock)
    for n in range(3):
        writer.publish(writer.enter(make_identity(n)), [make_record(make_key(n))])
    reads = counted(monkeypatch, View, "_read")
    listings = counted(monkeypatch, View, "names")
    assert len(reader.refresh().results) == 3
    assert (len(reads), len(listings)) == (1, 2)


def test_a_segment_that_came_between_two_listings_is_read_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a pack that moved results to a new segment meanwhile would hide them."""
    clock = FakeClock()
    writer, reader = store_at(tmp_path, clock), store_at(tmp_path, clock)
    first, second = (writer.enter(make_identity(n)) for n in range(2))
    writer.publish(first, [make_record(make_key(1))])
    honest = View._read
    reads: list[int] = []

    def late(view: View, names: set[str]) -> bool:
        whole = honest(view, names)
        reads.append(len(names))
        if len(reads) == 1:
            writer.publish(second, [make_record(make_key(2))])
        return whole

    monkeypatch.setattr(View, "_read", late)
    assert set(reader.refresh().results) == {make_key(1), make_key(2)}
    assert reads == [1, 2]


# -- who is there -----------------------------------------------------------------------------
def test_who_leaves_while_it_is_looked_at_is_not_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_at(tmp_path, FakeClock())
    there, gone = (store.enter(make_identity(n)) for n in range(2))
    honest = FileSystem.inodes

    def listed(disk: FileSystem, folder: str) -> dict[str, int]:
        found = honest(disk, folder)
        store.leave(gone)
        return found

    monkeypatch.setattr(FileSystem, "inodes", listed)
    assert [info.worker for info in store.workers()] == [there]


def test_a_process_that_ends_while_its_line_is_read_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Opened and then not readable: the line of no process, and no descriptor is left open."""
    missing: list[int] = []

    def kill(pid: int, _: int) -> None:
        missing.append(pid)
        raise ProcessLookupError

    table = Processes(kill=kill)
    here = identity()
    if not table.local(here):
        pytest.skip("this host shows no process table")
    assert not table.gone(here), "it runs this test"
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    def ended(*_: int) -> bytes:
        raise ProcessLookupError

    monkeypatch.setattr(os, "read", ended)
    assert table.gone(here)
    monkeypatch.undo()
    assert missing == [os.getpid()]
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


# -- merging ----------------------------------------------------------------------------------
def overtaken(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> list[str]:
    """Let another act once, after the first count and before the lock; say who was counting."""
    honest = Housekeeping._small_of_the_gone
    raced: list[str] = []

    def slow(house: Housekeeping, worker: str, thorough: bool) -> list[str]:
        found = honest(house, worker, thorough)
        if not raced:
            raced.append(worker)
            act()
        return found

    monkeypatch.setattr(Housekeeping, "_small_of_the_gone", slow)
    return raced


def left_behind(store: FileStore, count: int, first: int = 0) -> list[bytes]:
    """Let workers publish a result each and leave; return the keys."""
    keys = [make_key(first + n) for n in range(count)]
    workers = [store.enter(make_identity(n)) for n in range(count)]
    for worker, key in zip(workers, keys, strict=True):
        store.publish(worker, [make_record(key)])
    for worker in workers:
        store.leave(worker)
    return keys


def segments(path: Path) -> list[str]:
    return [file.name for file in (path / "s").rglob("segments/*") if file.is_file()]


def test_who_leaves_merges_many_small_segments_and_not_a_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packs = counted(monkeypatch, Packer, "pack")
    clock = FakeClock()
    store = store_at(tmp_path, clock)
    keys = left_behind(store, MOST_FINISHED)
    assert (len(packs), len(segments(tmp_path))) == (0, MOST_FINISHED)
    keys += left_behind(store, 1, first=100)
    assert (len(packs), len(segments(tmp_path))) == (1, 1)
    assert set(store_at(tmp_path, clock).keys()) == set(keys)


def test_many_that_leave_together_merge_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waited for the lock meanwhile looks again at what is still there."""
    clock = FakeClock()
    store, other = store_at(tmp_path, clock), store_at(tmp_path, clock)
    left_behind(store, MOST_FINISHED)
    mine, theirs = store.enter(make_identity(1)), other.enter(make_identity(2))
    store.publish(mine, [make_record(make_key(500))])
    other.publish(theirs, [make_record(make_key(501))])
    packs = counted(monkeypatch, Packer, "pack")
    raced = overtaken(monkeypatch, lambda: other.leave(theirs))
    store.leave(mine)
    assert raced
    assert len(packs) == 1
    assert len(store_at(tmp_path, clock).keys()) == MOST_FINISHED + 2


def test_who_leaves_after_others_have_merged_does_not_even_ask_for_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it knows is old: the folder tells."""
    clock = FakeClock()
    store, other = store_at(tmp_path, clock), store_at(tmp_path, clock)
    left_behind(other, MOST_FINISHED)
    mine, theirs = store.enter(make_identity(1)), other.enter(make_identity(2))
    other.publish(theirs, [make_record(make_key(500))])
    store.refresh()
    other.leave(theirs)
    locked = counted(monkeypatch, Locks, "take")
    store.leave(mine)
    assert locked == []


def test_who_leaves_while_another_merges_leaves_that_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock()
    store, other = store_at(tmp_path, clock), store_at(tmp_path, clock)
    left_behind(other, MOST_FINISHED)
    mine, theirs = store.enter(make_identity(1)), other.enter(make_identity(2))
    store.publish(mine, [make_record(make_key(500))])
    other._locks.take(theirs, [special_lock("pack")])
    packs = counted(monkeypatch, Packer, "pack")
    store.leave(mine)
    assert (packs, len(segments(tmp_path))) == ([], MOST_FINISHED + 1)


def dead_at(store: FileStore, count: int) -> None:
    """Let workers publish a result each and die."""
    for n in range(count):
        store.publish(store.enter(make_identity(n)), [make_record(make_key(n))])
    store.close()


def test_the_dead_are_judged_by_who_comes_and_not_by_who_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each judgement opens a file: too much for each of many that end together."""
    clock = FakeClock()
    heir = store_at(tmp_path, clock)
    early = heir.enter(make_identity(99))
    dead_at(store_at(tmp_path, clock), MOST_FINISHED + 1)
    for _ in range(10):
        clock.advance(heir.lease_seconds)
        heir.workers()
    heir.refresh()
    judged = counted(monkeypatch, Owners, "silent")
    packs = counted(monkeypatch, Packer, "pack")
    heir.leave(early)
    assert judged == packs == []
    heir.enter(make_identity(100))
    assert len(judged) >= MOST_FINISHED
    assert (len(packs), len(segments(tmp_path))) == (1, 1)


def test_two_that_come_to_the_dead_merge_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever gets the lock second sees that there is nothing left to do."""
    clock = FakeClock()
    dead_at(store_at(tmp_path, clock), MOST_FINISHED + 1)
    heirs = [store_at(tmp_path, clock) for _ in range(2)]
    for _ in range(10):
        clock.advance(heirs[0].lease_seconds)
        for heir in heirs:
            heir.workers()
    packs = counted(monkeypatch, Packer, "pack")
    raced = overtaken(monkeypatch, lambda: heirs[1].enter(make_identity(1)))
    heirs[0].refresh()
    heirs[0].enter(make_identity(0))
    assert raced
    assert len(packs) == 1
    assert len(store_at(tmp_path, clock).keys()) == MOST_FINISHED + 1
