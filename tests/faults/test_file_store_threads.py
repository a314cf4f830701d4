"""Large payloads written by threads: whole or not at all, whichever call fails."""

from __future__ import annotations

import errno
import itertools
import os
import threading
from pathlib import Path

import pytest

from backends.file_store import blobs, open_store
from backends.file_store.filesystem import FileSystem
from taskgraph.errors import StoreFull
from taskgraph.testing.records import make_identity, make_key, make_record, payload_bytes

RECORDS = [make_record(make_key(n), bytes([n]) * (blobs.LARGE + n)) for n in range(6)]


class FailsAt(FileSystem):
    """The n-th creation or sync of a file fails, counted over all threads."""

    def __init__(self) -> None:
        self.left, self.threads = 0, set[int]()
        self._lock = threading.Lock()

    def _count(self) -> None:
        with self._lock:
            self.threads.add(threading.get_ident())
            self.left -= 1
            if self.left == 0:
                raise OSError(errno.ENOSPC, "planted")

    def create(self, path: str, mode: int) -> int:
        if "/blobs/" in path:
            self._count()
        return super().create(path, mode)

    def datasync(self, descriptor: int) -> None:
        self._count()
        super().datasync(descriptor)


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # it is not a folder of files


def test_a_fault_in_any_thread_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blobs, "TOGETHER", 1)
    threads = set(threading.enumerate())
    for number in itertools.count(1):
        fs = FailsAt()
        place = tmp_path / str(number)
        store = open_store(str(place), create=True, fs=fs)
        worker = store.enter(make_identity())
        before = open_descriptors()
        fs.left = number
        try:
            store.publish(worker, RECORDS)
        except StoreFull:
            assert list(place.glob("blobs/*/*")) == [] or number > 12, "a payload was kept"
            assert open_descriptors() <= before + 1, "a file stayed open"
            fs.left = 0
            store.publish(worker, RECORDS)
            done = False
        else:
            done = True
        loaded = store.load([record.key for record in RECORDS])
        payloads = [payload_bytes(one.payload) for one in loaded if one is not None]
        assert payloads == [payload_bytes(one.payload) for one in RECORDS]
        assert store.check() == []
        store.close()
        if done:
            break
    assert number > 12, "six creations and six syncs were tried"
    assert len(fs.threads) > 1, "no thread was at work"
    assert set(threading.enumerate()) <= threads, "a thread stayed"
