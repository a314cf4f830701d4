"""The n-th call to the disk fails, whichever it is, for n = 1, 2, 3 ... until none is met.

One thing is done to a store with some history, with the fault one call later each time,
before the call did anything or after it did everything. Only the store's own errors may
come out; the same thing is then done again, and works. Afterwards another process finds
every result, right, nothing dead alive, one holder a lock, and a sound store.
"""

from __future__ import annotations

import errno
import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backends.file_store import open_store
from backends.file_store.blobs import LARGE
from backends.file_store.filesystem import FileSystem
from backends.file_store.locks import Locks
from backends.file_store.owners import Owners
from backends.file_store.store import FileStore
from taskgraph.errors import StoreError
from taskgraph.store import FAILURE, Claim
from taskgraph.testing import FakeClock, make_identity, make_key, make_record, payload_bytes
from taskgraph.testing.disk import FailsAt

OLD = [make_record(make_key(n), b"old %d" % n) for n in range(4)]
BIG = make_record(make_key(5), b"big " * LARGE)
NEW = [
    make_record(make_key(6), b"new", inputs=[OLD[1]]),
    make_record(make_key(7), b"large" * LARGE),
]
FAILED = make_record(make_key(8), b"traceback", kind=FAILURE)
FREE, HELD = make_key(20), make_key(21)
#: (code, whether the call does its work all the same)
FAULTS = [
    (errno.EIO, False), (errno.EIO, True), (errno.ENOSPC, False), (errno.ESTALE, False),
    pytest.param(errno.ENOSPC, True, marks=pytest.mark.stress),
    pytest.param(errno.ESTALE, True, marks=pytest.mark.stress),
]  # fmt: skip


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Return a folder in memory where there is one: thousands of small stores are made in it."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


class Still(FileSystem):
    """The real disk without syncs, for no power is lost here."""

    def sync(self, descriptor: int) -> None:
        pass

    datasync = sync

    def sync_folder(self, folder: str) -> None:
        pass


class Disk(FailsAt, Still):
    """One call to it fails."""


class Scene:
    """A store with results, a failure, a dead worker's segments, a tombstone and two workers."""

    def __init__(self, path: Path) -> None:
        self.path, self.clock = path, FakeClock()
        self.disk = Disk()
        past = self.open()
        gone = past.enter(make_identity(9))
        past.publish(gone, [*OLD[:2], BIG])
        past.leave(gone)
        past.invalidate([make_key(3)])
        past.close()
        self.store = self.open(self.disk)
        self.other = self.open()
        self.worker, self.rival = (
            self.store.enter(make_identity(1)),
            self.other.enter(make_identity(2)),
        )
        self.store.publish(self.worker, [*OLD[2:], FAILED])
        self.held = self.other.claim(self.rival, [HELD])
        self.claims: list[Claim] = []
        self.number = 0

    def open(self, disk: FileSystem | None = None) -> FileStore:
        fs = Still() if disk is None else disk
        return open_store(
            str(self.path), create=True, fs=fs, clock=self.clock, sleep=self.clock.sleep
        )

    # -- what is done ------------------------------------------------------------
    def found(self) -> None:
        for path in (str(self.path), f"{self.path}-beside/deep/new"):
            open_store(path, create=True, fs=self.disk, clock=self.clock).close()

    def publish(self) -> None:
        self.store.publish(self.worker, NEW)

    def claim(self) -> None:
        self.claims.append(self.store.claim(self.worker, [FREE, HELD]))

    def coarse(self) -> None:
        self.claims.append(self.store.claim(self.worker, [FREE, HELD], coarse=True))

    def release(self) -> None:
        if not self.claims:
            self.claim()
        self.store.release(self.worker, self.claims[0])

    def pack(self) -> None:
        self.store.pack()

    def invalidate(self) -> None:
        self.number = self.store.invalidate([OLD[0].key])

    def forget(self) -> None:
        self.store.refresh()
        self.store.forget([head for head in self.store.heads([OLD[2].key]) if head is not None])

    def enter_and_leave(self) -> None:
        self.store.leave(self.store.enter(make_identity(3)))

    def beat(self) -> None:
        assert self.store.beat(self.worker)
        self.store.running(self.worker, FREE)
        assert [info.alive for info in self.store.workers()].count(True) == 2

    def read(self) -> None:
        fresh = self.open(self.disk)
        try:
            assert [payload_bytes(r.payload) for r in fresh.load([OLD[1].key, BIG.key]) if r] == [
                OLD[1].payload,
                BIG.payload,
            ]
        finally:
            fresh.close()

    def check(self) -> None:
        self.store.check()

    def documents(self) -> None:
        self.store.put_document("name", b"text")
        assert self.store.get_document("name") == b"text"

    # -- what must be so afterwards ------------------------------------------------
    def judge(self, what: str) -> None:
        wanted = {record.key: payload_bytes(record.payload) for record in [*OLD, BIG]}
        if what == "publish":
            wanted |= {record.key: payload_bytes(record.payload) for record in NEW}
        floors = {OLD[0].key: self.number, OLD[3].key: 1}
        if self.number:
            del wanted[OLD[0].key]
        wanted.pop(OLD[3].key)
        if what == "forget":
            del wanted[OLD[2].key]
        last = self.open()
        keys = [record.key for record in [*OLD, BIG, *NEW]]
        found = last.load(keys, [floors.get(key, 0) for key in keys])
        there = {r.key: payload_bytes(r.payload) for r in found if r is not None}
        assert {k: v for k, v in there.items() if k in wanted} == wanted, (
            f"a result is lost after {self.disk.met}"
        )
        assert set(there) - set(wanted) <= {record.key for record in NEW}, (
            f"the dead are alive after {self.disk.met}"
        )
        assert last.failures([FAILED.key]) == [[FAILED]]
        assert last.claim(self.rival, [HELD]).keys == [HELD], (
            f"the holder lost its lock after {self.disk.met}"
        )
        assert all(HELD not in claim.keys for claim in self.claims), "two hold one lock"
        self.store.leave(self.worker)
        self.other.leave(self.rival)
        after = last.enter(make_identity(4))
        assert last.claim(after, [FREE, HELD]).keys == [FREE, HELD], "a lock stays for ever"
        last._house._grace = 0.0
        last.check()  # what the failed attempt left may lie about
        assert last.check() == []
        for store in (last, self.store, self.other):
            store.close()


WORKS = [
    "found", "publish", "claim", "coarse", "release", "pack", "invalidate", "forget",
    "enter_and_leave", "beat", "read", "check", "documents",
]  # fmt: skip


def attempts(scene: Scene, what: str) -> int:
    """Do it until it works; return how often it failed."""
    work: Callable[[], None] = getattr(scene, what)
    for failed in itertools.count():
        try:
            work()
        except StoreError:
            assert failed < 2, "one fault, three failures"
        else:
            return failed
    raise AssertionError("unreachable")


def sweep(place: Path, what: str, code: int, late: bool) -> Iterator[str]:
    """Yield the calls that failed, the n-th in the n-th run."""
    for n in itertools.count(1):
        scene = Scene(place / str(n))
        scene.disk.arm(n, code, late)
        attempts(scene, what)
        met = scene.disk.met
        scene.disk.left = 0
        scene.judge(what)
        if not met:
            return
        yield met


def open_files() -> list[str]:
    links = [Path(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]  # noqa: PTH208
    return [str(link.readlink()) for link in links if link.is_symlink()]


@pytest.mark.parametrize(("code", "late"), FAULTS)
@pytest.mark.parametrize("what", WORKS)
def test_any_call_may_fail(tmp_path: Path, what: str, code: int, late: bool) -> None:
    met = list(sweep(tmp_path, what, code, late))
    assert len(met) > 3
    assert [path for path in open_files() if path.startswith(str(tmp_path))] == []


def test_a_failed_claim_that_keeps_its_links_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Locks, "_step_back", lambda *_: None)
    monkeypatch.setattr(Owners, "leave", lambda *_: None)
    with pytest.raises(AssertionError, match="a lock stays for ever"):
        list(sweep(tmp_path, "claim", errno.EIO, late=False))
