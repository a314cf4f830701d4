"""Packing at every pause point of a writer and of another packer, and killed anywhere.

After each: every published result is there with its bytes, and nothing dead came back. The
last tests plant the faults that simpler packers and writers have, and must see them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from backends.file_store import open_store
from backends.file_store import seals as seals_module
from backends.file_store.blobs import LARGE
from backends.file_store.filesystem import FileSystem
from backends.file_store.layout import Layout
from backends.file_store.store import FileStore
from taskgraph.store import Record
from taskgraph.testing.clock import FakeClock
from taskgraph.testing.records import make_identity, make_key, make_record, payload_bytes

OLD = [make_record(make_key(i), b"old %d" % i) for i in range(3)]
NEW = make_record(make_key(10), b"new", inputs=[OLD[0]])
BIG = make_record(make_key(11), b"big " * LARGE)
WRITER = ["appended", "synced", "looked_seal", "marked"]
PACKER = ["sealed", "read", "copied"]


class Killed(BaseException):
    """SIGKILL, as far as one thread can have it."""


class Disk(FileSystem):
    """Runs an action at the first pass of a named point."""

    def __init__(self, point: str = "", action: Callable[[], object] | None = None) -> None:
        self.wanted, self.action = point, action

    def point(self, name: str) -> None:
        if name == self.wanted and self.action is not None:
            action, self.action = self.action, None
            action()


def kill() -> None:
    raise Killed


def store_at(path: Path, fs: FileSystem | None = None) -> FileStore:
    clock = FakeClock()
    return open_store(str(path / "s"), create=True, fs=fs, clock=clock, sleep=clock.advance)


def make_silent(store: FileStore, worker: str) -> None:
    """Remove a worker's owner record: to everybody else it is gone."""
    FileSystem().unlink(store._layout.owner(worker))


def pack_all(path: Path, fs: FileSystem | None = None) -> None:
    """Pack every segment there is, whoever may still write to it."""
    store = store_at(path, fs)
    store._house._packer.pack(store._view.names(), store._view.graveyard.known)
    store.close()


def all_there(path: Path, records: list[Record]) -> None:
    fresh = store_at(path)
    for wanted, found in zip(records, fresh.load([r.key for r in records]), strict=True):
        assert found is not None
        assert payload_bytes(found.payload) == wanted.payload
        assert found.inputs == wanted.inputs
    assert fresh.check() == []


def a_silent_writer(path: Path, disk: FileSystem) -> tuple[FileStore, str]:
    writer = store_at(path, disk)
    worker = writer.enter(make_identity())
    writer.publish(worker, OLD)
    make_silent(writer, worker)
    return writer, worker


@pytest.mark.parametrize("point", WRITER)
def test_a_pack_at_any_point_of_a_stopped_writer_loses_nothing(tmp_path: Path, point: str) -> None:
    disk = Disk()
    writer, worker = a_silent_writer(tmp_path, disk)
    disk.wanted, disk.action = point, lambda: pack_all(tmp_path)
    writer.publish(worker, [NEW, BIG])
    all_there(tmp_path, [*OLD, NEW, BIG])
    assert list(writer.present([r.key for r in [*OLD, NEW, BIG]])) == [1] * 5
    assert [r and r.key for r in writer.load([NEW.key, OLD[1].key])] == [NEW.key, OLD[1].key]


@pytest.mark.parametrize("point", PACKER)
def test_a_writer_that_resumes_at_any_point_of_a_pack_loses_nothing(
    tmp_path: Path, point: str
) -> None:
    writer, worker = a_silent_writer(tmp_path, FileSystem())
    pack_all(tmp_path, Disk(point, lambda: writer.publish(worker, [NEW, BIG])))
    all_there(tmp_path, [*OLD, NEW, BIG])


@pytest.mark.parametrize("point", PACKER)
def test_a_packer_killed_at_any_point_loses_nothing(tmp_path: Path, point: str) -> None:
    writer, worker = a_silent_writer(tmp_path, FileSystem())
    with pytest.raises(Killed):
        pack_all(tmp_path, Disk(point, kill))
    all_there(tmp_path, OLD)
    writer.publish(worker, [NEW])
    all_there(tmp_path, [*OLD, NEW])
    usage = store_at(tmp_path).pack()
    all_there(tmp_path, [*OLD, NEW])
    assert usage.results == 4
    assert usage.files == 1


@pytest.mark.parametrize("point", PACKER)
def test_two_packers_at_once_lose_nothing(tmp_path: Path, point: str) -> None:
    a_silent_writer(tmp_path, FileSystem())
    pack_all(tmp_path, Disk(point, lambda: pack_all(tmp_path)))
    all_there(tmp_path, OLD)
    store_at(tmp_path).pack()
    all_there(tmp_path, OLD)


@pytest.mark.parametrize("point", PACKER)
def test_a_reader_sees_everything_at_any_point_of_a_pack(tmp_path: Path, point: str) -> None:
    a_silent_writer(tmp_path, FileSystem())
    old = store_at(tmp_path)
    pack_all(tmp_path, Disk(point, lambda: all_there(tmp_path, OLD)))
    assert [r and r.key for r in old.load([r.key for r in OLD])] == [r.key for r in OLD]
    old._view.look()
    old.refresh()
    old._view.look()
    assert old.refresh() == ([], [], False)


@pytest.mark.parametrize("point", [*PACKER, *WRITER])
def test_the_dead_stay_dead_whenever_the_pack_comes(tmp_path: Path, point: str) -> None:
    """A writer stopped before an invalidate resumes after it, and after a pack."""
    disk = Disk()
    writer, worker = a_silent_writer(tmp_path, disk)

    def invalidate_and_pack() -> None:
        store_at(tmp_path).invalidate([NEW.key])
        pack_all(tmp_path)

    if point in WRITER:
        disk.wanted, disk.action = point, invalidate_and_pack
        writer.publish(worker, [NEW])
    else:
        store_at(tmp_path).invalidate([NEW.key])
        pack_all(tmp_path, Disk(point, lambda: writer.publish(worker, [NEW])))
    fresh = store_at(tmp_path)
    floor = fresh.tombstones().results[NEW.key]
    assert list(fresh.present([NEW.key], [floor])) == [0]


def test_a_pack_leaves_out_what_no_reader_can_want(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    worker = store.enter(make_identity())
    better = OLD[0]._replace(epoch=1, payload=b"better", digest=b"\1" * 8)
    store.publish(worker, [*OLD, better])
    store.invalidate([OLD[1].key])
    store.leave(worker)
    assert store.pack().results == 2
    assert store.load([OLD[0].key, OLD[1].key]) == [better, None]
    all_there(tmp_path, [better, OLD[2]])


def test_a_second_pack_has_nothing_to_do(tmp_path: Path) -> None:
    a_silent_writer(tmp_path, FileSystem())
    store = store_at(tmp_path)
    store.pack()
    names = store._view.names()
    store.pack()
    assert store._view.names() == names


def test_a_damaged_row_is_left_behind(tmp_path: Path) -> None:
    a_silent_writer(tmp_path, FileSystem())
    (segment,) = (tmp_path / "s" / "segments").iterdir()
    content = bytearray(segment.read_bytes())
    content[content.index(b"old 1")] ^= 1
    segment.write_bytes(content)
    store_at(tmp_path).pack()
    assert list(store_at(tmp_path).present([r.key for r in OLD])) == [1, 0, 1]
    assert store_at(tmp_path).check() == []


def test_many_short_lived_workers_leave_few_files(tmp_path: Path) -> None:
    records = [make_record(make_key(i), b"%d" % i) for i in range(80)]
    for record in records:
        store = store_at(tmp_path)
        worker = store.enter(make_identity())
        store.publish(worker, [record])
        store.leave(worker)
        store.close()
    assert len(list((tmp_path / "s" / "segments").iterdir())) <= 33
    all_there(tmp_path, records)


def test_on_a_network_mount_sources_stay_until_listings_are_fresh(tmp_path: Path) -> None:
    writer, _ = a_silent_writer(tmp_path, FileSystem())
    (source,) = writer._view.names()
    store = store_at(tmp_path)
    packer = store._house._packer
    packer._patience = 60.0
    packer.pack([source], store._view.graveyard.known)
    assert source in store._view.names()
    store._view.look()
    assert source not in store._view.segments
    all_there(tmp_path, OLD)
    packer.tidy(store._house._copies())
    assert source in store._view.names()
    packer._patience = 0.0
    packer.tidy(store._house._copies())
    assert source not in store._view.names()
    all_there(tmp_path, OLD)


def test_a_swept_payload_file_is_written_again(tmp_path: Path) -> None:
    """The sweep comes between a payload's file and its row."""
    disk = Disk()
    writer = store_at(tmp_path, disk)
    worker = writer.enter(make_identity())
    sweeper = store_at(tmp_path)
    gone: list[str] = []
    sync, here = disk.datasync, iter([1])

    def sweep_after_the_first_sync(descriptor: int) -> None:
        sync(descriptor)
        for _ in here:
            gone.extend(sweeper._house._sweep.run(0.0))

    disk.datasync = sweep_after_the_first_sync  # type: ignore[method-assign]
    writer.publish(worker, [BIG])
    assert len(gone) == 1
    all_there(tmp_path, [BIG])


@pytest.mark.parametrize("point", ["appended", "looked_seal"])
def test_a_sweep_between_row_and_mark_keeps_the_file(tmp_path: Path, point: str) -> None:
    disk = Disk()
    writer = store_at(tmp_path, disk)
    worker = writer.enter(make_identity())
    sweeper = store_at(tmp_path)
    disk.wanted, disk.action = point, lambda: sweeper._house._sweep.run(0.0)
    writer.publish(worker, [BIG])
    all_there(tmp_path, [BIG])


# -- planted faults: what simpler designs lose -------------------------------------
def test_a_writer_that_does_not_look_for_the_seal_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backends.file_store.writer.is_open", lambda *_: True)
    writer, worker = a_silent_writer(tmp_path, FileSystem())
    pack_all(tmp_path, Disk("read", lambda: writer.publish(worker, [NEW])))
    with pytest.raises(AssertionError):
        all_there(tmp_path, [*OLD, NEW])


def test_a_packer_that_seals_after_reading_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_seal(fs: FileSystem, layout: Layout, path: str) -> bool:
        return True

    monkeypatch.setattr("backends.file_store.pack.seal", no_seal)
    writer, worker = a_silent_writer(tmp_path, FileSystem())

    def seal_and_resume() -> None:
        writer.publish(worker, [NEW])
        for name in writer._view.names():
            seals_module.seal(FileSystem(), writer._layout, writer._layout.segment(name))

    pack_all(tmp_path, Disk("read", seal_and_resume))
    with pytest.raises(AssertionError):
        all_there(tmp_path, [*OLD, NEW])


def test_a_packer_that_unlinks_before_it_has_copied_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_silent_writer(tmp_path, FileSystem())
    disk = Disk("read", kill)
    names = store_at(tmp_path)._view.names()

    def unlink_first() -> None:
        for name in names:
            disk.unlink(str(tmp_path / "s" / "segments" / name))
        kill()

    disk.action = unlink_first
    with pytest.raises(Killed):
        pack_all(tmp_path, disk)
    with pytest.raises(AssertionError):
        all_there(tmp_path, OLD)
