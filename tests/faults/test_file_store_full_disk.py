"""The n-th write, sync, link or creation fails, for n = 1, 2, 3 ...: nothing is lost.

The whole run is repeated with the fault one call later until it meets none. What was
published before the fault is there; after it the same publish is repeated and works.
"""

from __future__ import annotations

import errno
import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest

from backends.file_store import open_store
from backends.file_store.blobs import LARGE
from backends.file_store.filesystem import FileSystem
from backends.file_store.store import FileStore
from taskgraph.errors import StoreError, StoreFull, StoreUnreachable
from taskgraph.store import FAILURE, Buffer, Record
from taskgraph.testing.clock import FakeClock
from taskgraph.testing.records import make_identity, make_key, make_record, payload_bytes

FIRST = make_record(make_key(1), b"first")
BATCHES: list[list[Record]] = [
    [FIRST, make_record(make_key(2), b"second", inputs=[FIRST])],
    [make_record(make_key(3), b"big " * LARGE), make_record(make_key(4), b"small")],
    [make_record(make_key(5), b"traceback", kind=FAILURE), make_record(make_key(6), b"last")],
]


class FailsOnce(FileSystem):
    """The n-th changing call fails; a failing append writes a part first, as a full disk does."""

    def __init__(self, code: int) -> None:
        self.code, self.left = code, 0

    def _count(self) -> bool:
        self.left -= 1
        return self.left == 0

    def _fail(self) -> None:
        if self._count():
            raise OSError(self.code, "planted")

    def append(self, descriptor: int, buffers: Sequence[Buffer]) -> int:
        if self._count():
            joined = b"".join(buffers)
            super().append(descriptor, [joined[: len(joined) // 2]])
            raise OSError(self.code, "planted")
        return super().append(descriptor, buffers)

    def create(self, path: str, mode: int) -> int:
        self._fail()
        return super().create(path, mode)

    def datasync(self, descriptor: int) -> None:
        self._fail()
        super().datasync(descriptor)

    def sync_folder(self, folder: str) -> None:
        self._fail()
        super().sync_folder(folder)

    def mkdir(self, path: str, mode: int) -> None:
        self._fail()
        super().mkdir(path, mode)


def store_at(path: Path, fs: FileSystem | None = None) -> FileStore:
    clock = FakeClock()
    return open_store(str(path), create=True, fs=fs, clock=clock, sleep=clock.advance)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (errno.ENOSPC, StoreFull),
        (errno.EDQUOT, StoreFull),
        (errno.EIO, StoreUnreachable),
        (errno.ESTALE, StoreUnreachable),
        (errno.EACCES, StoreUnreachable),
    ],
    ids=lambda value: errno.errorcode[value] if isinstance(value, int) else "",
)
def test_a_fault_at_any_call_loses_nothing(
    tmp_path: Path, code: int, error: type[StoreError]
) -> None:
    for n in itertools.count(1):
        place = tmp_path / str(n)
        disk = FailsOnce(code)
        store = store_at(place, disk)
        worker = store.enter(make_identity())
        disk.left = n
        met = 0
        for i, batch in enumerate(BATCHES):
            try:
                store.publish(worker, batch)
            except StoreError as raised:
                met += type(raised) is error
                in_sight(place, BATCHES[:i])
                store.publish(worker, batch)
        in_sight(place, BATCHES)
        store._house._grace = 0.0
        store.check()
        assert store.check() == []
        if disk.left > 0:
            assert n > 15
            return
        if code != errno.ESTALE:  # of a segment: another host's packer took it, a new one is begun
            assert met == 1, f"call {n}: another error than {error.__name__}"


def in_sight(place: Path, batches: list[list[Record]]) -> None:
    """Assert that another process sees all records of these batches."""
    other = store_at(place)
    for record in itertools.chain.from_iterable(batches):
        if record.kind == FAILURE:
            assert other.failures([record.key]) == [[record]]
            continue
        found = other.load([record.key])[0]
        assert found is not None
        assert payload_bytes(found.payload) == record.payload
    other.close()


def test_a_short_write_is_a_full_disk(tmp_path: Path) -> None:
    class Short(FileSystem):
        left = 0

        def append(self, descriptor: int, buffers: Sequence[Buffer]) -> int:
            self.left -= 1
            joined = b"".join(buffers)
            return super().append(descriptor, [joined[:10] if self.left == 0 else joined])

    disk = Short()
    store = store_at(tmp_path, disk)
    worker = store.enter(make_identity())
    disk.left = 1
    with pytest.raises(StoreFull, match="only 10 of"):
        store.publish(worker, BATCHES[0])
    store.publish(worker, BATCHES[0])
    in_sight(tmp_path, BATCHES[:1])
    assert len(list((tmp_path / "segments").iterdir())) == 1


def test_a_store_that_goes_on_in_the_same_segment_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted fault: after a torn write the next records are hidden behind it."""
    monkeypatch.setattr("backends.file_store.writer.Writer.abandon", lambda self: None)
    disk = FailsOnce(errno.ENOSPC)
    store = store_at(tmp_path, disk)
    worker = store.enter(make_identity())
    store.publish(worker, BATCHES[0])
    disk.left = 1
    with pytest.raises(StoreFull):
        store.publish(worker, BATCHES[2])
    store.publish(worker, BATCHES[2])
    with pytest.raises(AssertionError):
        in_sight(tmp_path, BATCHES[2:])
