"""Reading: news, the tail that does not count yet, damage, failures, forgetting, documents."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from backends.file_store import open_store
from backends.file_store.blobs import LARGE
from backends.file_store.filesystem import FileSystem
from backends.file_store.store import FileStore
from taskgraph.errors import UsageError
from taskgraph.store import DEATH, FAILURE, KILL_FAILURES, Head, Record
from taskgraph.testing.clock import FakeClock
from taskgraph.testing.records import make_identity, make_key, make_record, payload_bytes

A, B = make_record(make_key(1), b"a"), make_record(make_key(2), b"b")
BIG = make_record(make_key(3), b"big " * LARGE)


class Disk(FileSystem):
    """Runs an action at a named point, once."""

    def __init__(self) -> None:
        self.at: dict[str, object] = {}
        self.calls = 0

    def point(self, name: str) -> None:
        action = self.at.pop(name, None)
        if action is not None:
            assert callable(action)
            action()

    def names(self, folder: str) -> list[str]:
        self.calls += 1
        return super().names(folder)


def store_at(path: Path, fs: FileSystem | None = None, clock: FakeClock | None = None) -> FileStore:
    clock = clock or FakeClock()
    return open_store(str(path / "s"), create=True, fs=fs, clock=clock, sleep=clock.advance)


def head_of(record: Record) -> Head:
    r = record
    return Head(r.key, r.epoch, r.digest, r.size, r.seconds, r.started, r.origin)


def test_news_come_once_and_a_poll_without_any_lists_nothing(tmp_path: Path) -> None:
    disk = Disk()
    writer, reader = store_at(tmp_path), store_at(tmp_path, disk)
    worker = writer.enter(make_identity())
    writer.publish(worker, [A, B])
    assert set(reader.refresh().results) == {A.key, B.key}
    disk.calls = 0
    assert reader.refresh() == ([], [], False)
    assert disk.calls == 0
    writer.publish(worker, [A._replace(epoch=1)])
    writer.invalidate([B.key])
    assert reader.refresh() == ([A.key], [], True)


def test_a_poll_looks_again_after_a_while_though_no_bell_rang(tmp_path: Path) -> None:
    """The publisher may have died between its mark and its ring."""
    clock = FakeClock()
    writer, reader = store_at(tmp_path), store_at(tmp_path, clock=clock)
    reader.refresh()
    writer._bell.ring = lambda: None  # type: ignore[method-assign]
    writer.publish(writer.enter(make_identity()), [A])
    assert not reader.refresh().results
    clock.advance(2.0)
    assert list(reader.refresh().results) == [A.key]


def test_waiting_ends_with_a_ring_or_with_the_time(tmp_path: Path) -> None:
    clock = FakeClock()
    writer, reader = store_at(tmp_path), store_at(tmp_path, clock=clock)
    reader.refresh()
    before = clock()
    assert not reader.wait(3.0)
    assert clock() - before == pytest.approx(3.0)
    writer.publish(writer.enter(make_identity()), [A])
    assert reader.wait(3.0)


@pytest.mark.parametrize("point", ["appended", "synced", "looked_seal"])
def test_of_a_living_writer_only_marked_rows_count(tmp_path: Path, point: str) -> None:
    disk = Disk()
    writer, reader = store_at(tmp_path, disk), store_at(tmp_path)
    worker = writer.enter(make_identity())
    seen: list[int] = []

    def look() -> None:
        reader._view.look()
        seen.extend(reader.present([A.key]))

    disk.at[point] = look
    writer.publish(worker, [A])
    look()
    assert seen == [0, 1]


def test_a_dead_writers_tail_is_adopted_after_a_sync(tmp_path: Path) -> None:
    disk = Disk()
    writer = store_at(tmp_path, disk)
    worker = writer.enter(make_identity())

    def die() -> None:
        raise KeyboardInterrupt

    disk.at["appended"] = die
    with pytest.raises(KeyboardInterrupt):
        writer.publish(worker, [A, BIG])
    reader = store_at(tmp_path)
    assert list(reader.present([A.key, BIG.key])) == [0, 0]
    FileSystem().unlink(reader._layout.owner(worker))
    reader._view.look()
    assert reader.load([A.key])[0] == A
    assert reader.check() == []


def test_a_sealed_segments_tail_is_not_adopted(tmp_path: Path) -> None:
    """The packer may have read it already, and will unlink it."""
    disk = Disk()
    writer = store_at(tmp_path, disk)
    worker = writer.enter(make_identity())
    writer.publish(worker, [B])

    def die() -> None:
        raise KeyboardInterrupt

    disk.at["appended"] = die
    with pytest.raises(KeyboardInterrupt):
        writer.publish(worker, [A])
    (segment,) = (tmp_path / "s" / "segments").iterdir()
    FileSystem().link(str(segment), f"{segment}.sealed")
    FileSystem().unlink(writer._layout.owner(worker))
    assert list(store_at(tmp_path).present([A.key, B.key])) == [0, 1]


def test_a_forked_copy_writes_to_a_segment_of_its_own(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    worker = store.enter(make_identity())
    store.publish(worker, [A])
    store._writers[worker]._pid -= 1
    store.publish(worker, [B])
    assert len(list((tmp_path / "s" / "segments").iterdir())) == 2
    assert list(store_at(tmp_path).present([A.key, B.key])) == [1, 1]


@pytest.mark.parametrize("damaged", [A, BIG], ids=["row", "blob"])
def test_a_damaged_result_is_absent_for_everybody_until_recomputed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damaged: Record
) -> None:
    store = store_at(tmp_path)
    worker = store.enter(make_identity())
    store.publish(worker, [damaged, B])
    folder = "blobs" if damaged is BIG else "segments"
    (file,) = (p for p in (tmp_path / "s" / folder).rglob("*") if p.is_file())
    content = bytearray(file.read_bytes())
    # The payload "a" stands before the payload "b" and the mark's 52 bytes.
    content[0 if damaged is BIG else len(content) - 52 - 2] ^= 1
    file.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert store_at(tmp_path).load([damaged.key, B.key]) == [None, B]
    assert "counts as absent" in caplog.text
    other = store_at(tmp_path)
    assert list(other.present([damaged.key, B.key])) == [0, 1]
    store.publish(worker, [damaged])
    other.claim(other.enter(make_identity(2)), [damaged.key])
    loaded = other.load([damaged.key])[0]
    assert loaded is not None
    assert payload_bytes(loaded.payload) == damaged.payload
    assert other.check() == []


def test_check_finds_what_load_would(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    store.publish(store.enter(make_identity()), [A, BIG])
    (blob,) = (p for p in (tmp_path / "s" / "blobs").rglob("*") if p.is_file())
    blob.unlink()
    assert [(p.what, p.key, p.fixed) for p in store.check(fix=False)] == [
        ("missing blob", BIG.key, False)
    ]
    assert [p.fixed for p in store.check()] == [True]
    assert store.check() == []
    assert list(store.present([A.key, BIG.key])) == [1, 0]


def test_damage_in_the_middle_hides_only_what_it_hit(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    worker = store.enter(make_identity())
    for i in range(3):
        store.publish(worker, [make_record(make_key(i))])
    store.leave(worker)
    (segment,) = (tmp_path / "s" / "segments").iterdir()
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.write_bytes(content)
    keys = [make_key(i) for i in range(3)]
    damaged = store_at(tmp_path)
    assert list(damaged.present(keys)) == [1, 0, 1]
    assert [p.what for p in damaged.check()] == ["damaged bytes"]
    assert damaged.check() == []
    assert list(store_at(tmp_path).present(keys)) == [1, 0, 1]
    assert [p.name for p in (tmp_path / "s" / "quarantine").iterdir()] == [segment.name]


def test_a_file_without_a_row_is_litter_once_it_is_old(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    store.publish(store.enter(make_identity()), [BIG])
    (blob,) = (p for p in (tmp_path / "s" / "blobs").rglob("*") if p.is_file())
    litter = blob.with_name(f"{A.key.hex()}.0.{'ab' * 16}")
    litter.write_bytes(b"x")
    assert store.check() == []
    store._house._grace = 0.0
    assert [(p.what, p.key) for p in store.check()] == [("dangling blob", A.key)]
    assert not litter.exists()
    assert blob.exists()
    assert store.check() == []


def test_a_result_of_another_copy_of_its_input_is_named(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    worker = store.enter(make_identity())
    product = make_record(make_key(5), b"from a", inputs=[A])
    store.publish(worker, [A, product])
    assert store.check() == []
    twin = A._replace(payload=b"A", digest=b"\xff" * 8)
    store.publish(worker, [twin])
    assert [(p.what, p.key) for p in store.check()] == [("input of another copy", product.key)]
    store.invalidate([A.key])
    assert store.check() == []


def test_failures_end_with_a_retry_and_survive_packing(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    worker = store.enter(make_identity())
    failure = make_record(A.key, b"traceback", kind=FAILURE)
    death = make_record(A.key, b"killed", kind=DEATH, attempt=2)._replace(started=1.8e9)
    store.publish(worker, [death, failure])
    assert store.failures([A.key, B.key]) == [[failure, death], []]
    assert list(store.present([A.key])) == [0]
    store.leave(worker)
    store.pack()
    assert store.failures([A.key]) == [[failure, death]]
    assert store.failures([A.key], [1]) == [[]]
    assert store.invalidate([A.key], KILL_FAILURES) == 1
    assert store.failures([A.key]) == [[]]
    assert store.failed_keys() == [A.key]
    store.pack()
    assert store.failed_keys() == []


def test_forgetting_takes_exactly_what_was_named(tmp_path: Path) -> None:
    store, other = store_at(tmp_path), store_at(tmp_path)
    mine, theirs = store.enter(make_identity()), other.enter(make_identity(2))
    store.publish(mine, [A, BIG])
    other.publish(theirs, [A, B])
    old, newer = head_of(A), A._replace(epoch=1)
    store.publish(mine, [newer])
    assert store.forget([old, head_of(B), head_of(make_record(make_key(9)))]) == 2
    assert store.load([A.key, B.key]) == [newer, None]
    assert store.forget([head_of(newer)]) == 1
    other.publish(theirs, [B])
    store.publish(mine, [make_record(make_key(8))])
    fresh = store_at(tmp_path)
    assert list(fresh.present([A.key, B.key, BIG.key, make_key(8)])) == [0, 1, 1, 1]
    assert fresh.check() == []


def test_floors_hide_older_epochs(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    store.publish(store.enter(make_identity()), [A._replace(epoch=1), B])
    keys, floors = [A.key, B.key, make_key(9)], [1, 1, 1]
    assert list(store.present(keys, floors)) == [1, 0, 0]
    assert [head and head.epoch for head in store.heads(keys, floors)] == [1, None, None]
    assert [r and r.key for r in store.load(keys, [2, 0, 0])] == [None, B.key, None]


def test_a_mapped_payload_can_be_changed_without_changing_the_store(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    store.publish(store.enter(make_identity()), [BIG])
    first = store.load([BIG.key])[0]
    assert first is not None
    assert isinstance(first.payload, memoryview)
    first.payload[:3] = b"XXX"
    again = store.load([BIG.key])[0]
    assert again is not None
    assert payload_bytes(again.payload) == BIG.payload
    assert store.heads([BIG.key])[0] == head_of(BIG)


def test_many_neighbours_are_read_at_once(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    records = [make_record(make_key(i), b"%d" % i, inputs=[A] * (i % 3)) for i in range(300)]
    store.publish(store.enter(make_identity()), records)
    assert store.load([r.key for r in records]) == records


def test_documents_are_quoted_and_replaced(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    for name in ("graph/a b", "graph/..", "..", "ä"):
        store.put_document(name, name.encode())
    store.put_document("graph/a b", b"new")
    assert store.list_documents("graph/") == ["graph/..", "graph/a b"]
    assert store.get_document("graph/a b") == b"new"
    assert store.get_document("none") is None
    assert store.get_document("..") == b".."
    for wrong in ("", "x" * 300):
        with pytest.raises(UsageError, match="1 to 255"):
            store.put_document(wrong, b"")
