"""What needs a machine of its own: a full disk, other users, other pid namespaces, much litter.

The first three need root and are skipped without it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from backends.file_store import open_store
from backends.file_store.filesystem import FileSystem
from backends.file_store.layout import MODES
from backends.file_store.store import FileStore
from taskgraph.errors import StoreError
from taskgraph.store import Key
from taskgraph.testing import FakeClock, FakeServer, Forked, make_identity, make_key, make_record
from taskgraph.testing.programs import wait_until
from taskgraph.testing.turmoil import Turmoil

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: mounts, users, namespaces")
LEASE = 1.5
Settled = Callable[[Turmoil], int]


# -- a full disk -------------------------------------------------------------------
@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 3 MB in memory."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "none", str(place)], capture_output=True
    )
    if done.returncode:
        pytest.skip(f"mount: {done.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@ROOT
def test_a_disk_that_is_full_for_a_while(
    tmp_path: Path, small_disk: Path, settled: Settled
) -> None:
    """Workers say so, wait, and go on when there is room again."""
    turmoil = Turmoil(tmp_path, f"file:{small_disk / 'store'}", number=150)
    try:
        turmoil.start(2)
        turmoil.wait_for_runs(20)
        with suppress(OSError), (small_disk / "others").open("wb") as file:
            for _ in range(1024):
                file.write(bytes(4096))
                file.flush()
        wait_until(lambda: "no room" in turmoil.said(), "the workers say that the disk is full")
        (small_disk / "others").unlink()
        (outcome,) = turmoil.finish(60)
        assert outcome["exit_code"] == 0, turmoil.said()
        settled(turmoil)
    finally:
        turmoil.stop()


# -- two users ---------------------------------------------------------------------
GROUP, ANN, BOB = 54321, 54322, 54323


def as_user(user: int, mask: int, work: Callable[[], Any]) -> Any:
    """Do some work in a child that is this user, in the shared group, with this umask."""

    def child() -> Any:
        os.setgroups([GROUP])
        os.setgid(user)
        os.setuid(user)
        os.umask(mask)
        return work()

    return Forked(child).finish()


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """Return a folder of a group that both users belong to."""
    place = Path(tempfile.mkdtemp(prefix="group-"))
    os.chown(place, ANN, GROUP)
    place.chmod(0o2770)
    yield place
    shutil.rmtree(place)


@pytest.fixture(autouse=True)
def _imported(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Import what the users need beforehand: they may not be able to read the interpreter's home."""
    if "shared_folder" in request.fixturenames:
        publish_and_vanish(tmp_path, [1, 2, 9])
        tidy(tmp_path)


def open_shared(place: Path) -> FileStore:
    return open_store(
        str(place / "s"), create=True, mode="group", lease_seconds=0.01, sleep=lambda _: None
    )


def publish_and_vanish(place: Path, numbers: list[int]) -> None:
    """Be a worker that ends without a word, with a lock."""
    store = open_shared(place)
    worker = store.enter(make_identity())
    records = [make_record(make_key(n), b"value " * 4**n) for n in numbers]
    store.claim(worker, [record.key for record in records])
    store.publish(worker, records)


def tidy(place: Path) -> int:
    """Pack, forget, check; return how many results there are."""
    store = open_shared(place)
    for _ in range(8):
        store.workers()
        time.sleep(0.01)  # noqa: TID251  # the times of files are real ones here
    store.pack()
    store.invalidate([make_key(99)])
    store.put_document("name", b"text")
    assert store.check() == []
    assert store.load([make_key(1)])[0] is not None
    assert not list((place / "s" / "locks").iterdir()), "litter of the other user stays"
    return len(store.keys())


def both_users(place: Path) -> None:
    as_user(ANN, 0o077, lambda: publish_and_vanish(place, [1, 2, 9]))
    as_user(BOB, 0o000, lambda: publish_and_vanish(place, [3, 4, 8]))
    assert as_user(BOB, 0o022, lambda: tidy(place)) == 6
    as_user(BOB, 0o077, lambda: publish_and_vanish(place, [5]))
    assert as_user(ANN, 0o077, lambda: tidy(place)) == 7
    file_mode, folder_mode = MODES["group"]
    for path in (place / "s").rglob("*"):
        mode = path.stat().st_mode & 0o7777
        assert mode == (folder_mode if path.is_dir() else file_mode), (path, oct(mode))
        assert path.stat().st_gid == GROUP


@ROOT
def test_two_users_share_a_store_whatever_their_umasks(shared_folder: Path) -> None:
    """Packing links and unlinks the other's files, also where the kernel guards hard links."""
    both_users(shared_folder)


@ROOT
def test_a_store_that_leaves_modes_to_the_umask_is_caught(
    shared_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fchmod", lambda *_: None)
    monkeypatch.setattr(os, "chmod", lambda *_: None)
    with pytest.raises(AssertionError, match="Permission denied"):
        both_users(shared_folder)


# -- another pid namespace ---------------------------------------------------------
def start_apart(turmoil: Turmoil) -> subprocess.Popen[str]:
    """Start ``execute`` in a pid namespace of its own, on a host of the same name."""
    apart = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    if subprocess.run([*apart, "true"], capture_output=True).returncode:
        pytest.skip("unshare --pid is not permitted here")
    request = {"jugfile": str(turmoil.path), "store": turmoil.url, "options": {"jobs": 2}}
    with turmoil.log.open("a") as errors:
        process = subprocess.Popen(
            [*apart, sys.executable, "-m", "taskgraph.ops.execute"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert process.stdin is not None
    process.stdin.write(json.dumps(request))
    process.stdin.close()
    process.stdin = None
    turmoil.programs.append(process)
    return process


@ROOT
@pytest.mark.parametrize("killed", [False, True])
def test_workers_of_two_pid_namespaces(tmp_path: Path, settled: Settled, killed: bool) -> None:
    """A pid of the other means nothing here: it is judged by its heartbeat alone."""
    url = f"file:{tmp_path / 'store'}"
    open_store(url, create=True, lease_seconds=LEASE).close()
    turmoil = Turmoil(tmp_path, url, number=100)
    try:
        apart = start_apart(turmoil)
        turmoil.wait_for_runs(5)
        if killed:
            apart.kill()
        turmoil.start(2)
        outcomes = turmoil.finish(60)
        assert [outcome.get("exit_code") for outcome in outcomes] == [None if killed else 0, 0]
        doubles = settled(turmoil)
    finally:
        turmoil.stop()
    assert doubles <= (32 if killed else 0)


# -- litter ------------------------------------------------------------------------
class Disk(FakeServer, FileSystem):  # type: ignore[misc]
    """The real disk, with a server of the fake time; power is not lost here."""

    def sync(self, descriptor: int) -> None:
        pass

    datasync = sync

    def sync_folder(self, folder: str) -> None:
        pass


def test_thousands_of_leftovers_go_with_the_next_pack(tmp_path: Path) -> None:
    """Owner files, locks, rungs and temporary files of 1,000 workers that died; live ones stay."""
    clock = FakeClock()
    disk = Disk(clock)
    store = open_store(str(tmp_path / "s"), create=True, fs=disk, clock=clock, sleep=clock.sleep)
    for number in range(1000):
        worker = store._owners.enter(make_identity(number))
        store._locks.take(worker, [f"k.{make_key(number).hex()}", f"k.{make_key(-number).hex()}"])
        os.close(disk.create(store._layout.lock(f"t.{worker}"), 0o600))
    locks = tmp_path / "s" / "locks"
    assert len(list(locks.iterdir())) > 3500
    living = store.enter(make_identity(1))
    held: list[Key] = [make_key(5000), make_key(5001)]
    assert store.claim(living, held).keys == held
    for _ in range(14):
        clock.advance(store.lease_seconds / 6)
        store.beat(living)
        store.workers()
    store.pack()
    left = sorted(path.name for path in locks.iterdir())
    assert left == sorted([f"o.{living}", *(f"k.{key.hex()}" for key in held)])
    assert store.check() == []


@pytest.mark.parametrize("number", [60, pytest.param(1000, marks=pytest.mark.stress)])
def test_short_lived_workers_one_after_another(
    tmp_path: Path, record_property: Callable[[str, object], None], number: int
) -> None:
    """Each opens the store, runs one task and leaves: files stay few, a look stays cheap."""
    files = 0
    for i in range(number):
        store = open_store(str(tmp_path / "s"), create=True)
        worker = store.enter(make_identity(i))
        claim = store.claim(worker, [make_key(i)])
        store.publish(worker, [make_record(make_key(i), b"value %d" % i, epoch=claim.epoch)])
        store.release(worker, claim)
        store.leave(worker)
        store.close()
        files = max(files, sum(path.is_file() for path in (tmp_path / "s").rglob("*")))
    began = time.monotonic()
    store = open_store(str(tmp_path / "s"))
    assert sum(store.present([make_key(i) for i in range(number)])) == number
    seconds = time.monotonic() - began
    record_property("most files", files)
    record_property("seconds to look", round(seconds, 4))
    assert files <= 32 + 8
    assert store.check() == []
    with pytest.raises(StoreError):
        store.claim("nobody", [make_key(0)])
