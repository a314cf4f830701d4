"""Workers stopped past their lease: one live lock, one live record, no foreign name removed.

A worker is held at a point, and its heart with it; a second takes over and finishes,
somebody invalidates, a third leases; then the first goes on as if nothing had been. What
must hold is looked at from outside: locks by who lives, records by a fresh reader, removed
names by what stood in them. Once it was even tidied away as dead for two lease times.

Each promise is also shown a variant that lacks the step it rests on, and must see it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from backends.file_store import open_store
from backends.file_store.blocks import Block
from backends.file_store.filesystem import FileSystem
from backends.file_store.owners import Owners
from backends.file_store.store import FileStore
from taskgraph.errors import StoreError
from taskgraph.store import Key, Record
from taskgraph.testing import (
    Actor,
    FakeClock,
    FakeServer,
    make_key,
    payload_bytes,
)
from taskgraph.testing.hands import Hands

LEASE = 30.0
K = make_key(1)
POINTS = [
    "linked", "looked", "listing_invalid", "epoch_read", "loaded", "ran", "appended", "synced",
    "looked_seal", "marked",
]  # fmt: skip
#: What K returns: the world outside, known to no key.
GHOST = [0]


class Disk(FakeServer, FileSystem):  # type: ignore[misc]
    """Holds its actor at points, and notes every lock removed that named somebody else."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.actor: Actor[Any] | None = None
        self.worker = ""
        self.foreign: list[str] = []

    def point(self, name: str) -> None:
        if self.actor is not None:
            self.actor.point(name)

    def unlink(self, path: str) -> None:
        folder, _, name = path.rpartition("/")
        if folder.endswith("locks") and name[:2] in ("k.", "b.", "o."):
            content = Path(path).read_bytes() if Path(path).exists() else b""
            if content and self.worker.encode() not in content:
                self.foreign.append(name)
        super().unlink(path)

    def datasync(self, descriptor: int) -> None:
        pass

    def sync(self, descriptor: int) -> None:
        pass

    def sync_folder(self, folder: str) -> None:
        pass


def value_of(key: Key, inputs: Sequence[Record]) -> bytes:
    return payload_bytes(inputs[0].payload) if inputs else b"%d" % GHOST[0]


class Worker(Hands):
    """One process with a worker."""

    store: FileStore

    def __init__(self, path: Path, clock: FakeClock) -> None:
        self.disk = Disk(clock)
        store = open_store(
            str(path / "s"),
            create=True,
            lease_seconds=LEASE,
            fs=self.disk,
            clock=clock,
            sleep=clock.sleep,
        )
        super().__init__(store, {K: [K]}, value_of, self.disk.point)
        self.disk.worker = self.worker

    def start(self) -> Actor[None]:
        """Begin to run the task, held before the first step."""
        self.disk.actor = actor = Actor(lambda: self.run(K))
        return actor

    def live_frames(self) -> set[tuple[int, bytes]]:
        """Return (epoch, digest) of every record that a reader might choose."""
        self.store._view.reload()
        return {
            block.rank(row)
            for block in self.store._view.index.blocks
            for row, _ in enumerate(block.keys())
            if block.rank(row)[0] >= self.floor(K)
        }


@pytest.fixture(autouse=True)
def _ghost() -> None:
    GHOST[0] = 0


def holders(path: Path, clock: FakeClock) -> list[str]:
    """Return the living workers that hold the task, as somebody new sees it."""
    infos = Worker(path, clock).store.workers()
    return [info.worker for info in infos if info.alive and K in info.keys]


def silence(clock: FakeClock, living: list[Worker], leases: int = 1) -> None:
    """Let lease times pass in which only these beat, and look at all others."""
    for _ in range(12 * leases):
        clock.advance(LEASE / 10)
        for one in living:
            one.store.beat(one.worker)
            one.store.workers()


# -- stopped past the lease, at every point ----------------------------------------
def stopped(
    path: Path, point: str, number: int, kind: type[Worker] = Worker, tidied: bool = False
) -> bool:
    """W is held; B takes over and finishes; invalidate; C leases; W goes on. False: no such pass."""
    GHOST[0] = 0
    path.mkdir()
    clock = FakeClock()
    w, b, c = kind(path, clock), Worker(path, clock), Worker(path, clock)
    actor = w.start()
    if not all(actor.to(point) for _ in range(number)):
        actor.finish()
        return False
    silence(clock, [b, c], 3 if tidied else 1)
    if tidied:
        b.store.pack()
        b.disk.foreign.clear()  # of owners proven dead for two lease times
    b.run(K)
    assert b.value(K) == b"0"
    GHOST[0] += 1
    b.store.invalidate([K])
    claim = c.store.claim(c.worker, [K])
    assert claim.keys, "nobody else may lease it"
    w.store.beat(w.worker)
    if point == "linked":  # later it has passed its look, and is not fenced
        actor.to("ran")
        assert holders(path, clock) == [c.worker], "two live locks"
    try:
        actor.finish()
    except StoreError:
        assert tidied, "only a worker that was tidied away is told so"
    assert holders(path, clock) == [c.worker], "the live lock is disturbed"
    c.compute(K, claim.epoch)
    c.store.release(c.worker, claim)
    for reader in (w, b, c, Worker(path, clock)):
        assert reader.value(K) == b"1", "a ghost"
        assert len(reader.live_frames()) == 1, "two live records"
    assert [one.disk.foreign for one in (w, b, c)] == [[], [], []], "a foreign name removed"
    assert holders(path, clock) == []
    return True


@pytest.mark.parametrize("tidied", [False, True])
@pytest.mark.parametrize("point", POINTS)
def test_stopped_past_the_lease_at_every_point(tmp_path: Path, point: str, tidied: bool) -> None:
    passes = count(1)
    while stopped(tmp_path / str(n := next(passes)), point, n, tidied=tidied):
        continue
    assert n > 1


def test_a_worker_that_asks_for_the_epoch_late_is_caught(tmp_path: Path) -> None:
    kind = type("Late", (Worker,), {"late_epoch": True})
    with pytest.raises(AssertionError, match=r"a ghost|two live records"):
        stopped(tmp_path / "s", "ran", 1, kind)


def test_a_release_that_removes_what_it_took_over_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rung's holder removes the stale name below it; its owner may have come back."""

    def greedy(owners: Owners, worker: str, files: list[str]) -> None:
        for name in files:
            for other in owners.names():
                if other.startswith(name.partition(".r")[0]):
                    owners.fs.discard(owners.layout.lock(other))

    monkeypatch.setattr(Owners, "unlink", greedy)
    with pytest.raises(AssertionError, match=r"foreign name removed|live lock is disturbed"):
        stopped(tmp_path / "s", "ran", 1)


def test_an_unlink_without_a_look_after_being_tidied_away_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Owners, "has_record", lambda *_: True)
    with pytest.raises(AssertionError, match="live lock is disturbed"):
        stopped(tmp_path / "s", "ran", 1, tidied=True)


def test_a_lock_without_a_look_at_the_rungs_is_caught(tmp_path: Path) -> None:
    class Blind(Worker):
        def start(self) -> Actor[None]:
            self.disk.names = lambda folder: []  # type: ignore[method-assign]
            return super().start()

    with pytest.raises(AssertionError, match="two live locks"):
        stopped(tmp_path / "s", "linked", 1, Blind)


# -- two runs of a task that is no function of its arguments -----------------------
def twins(path: Path, values: Sequence[int], between: bool = False) -> None:
    """W is stopped after its run, B takes over and publishes another value, W publishes too."""
    clock = FakeClock()
    w, b, early, seen, late = (Worker(path, clock) for _ in range(5))
    GHOST[0] = values[0]
    actor = w.start()
    assert actor.to("ran")
    silence(clock, [b])
    if between:
        b.store.invalidate([make_key(2)])
    GHOST[0] = values[1]
    b.run(K)
    assert early.value(K) == b"%d" % values[1]
    seen.store.refresh()
    assert list(seen.store.present([K])) == [1]
    actor.finish()
    clock.advance(2.0)
    readers = [w, b, seen, late, Worker(path, clock)]
    chosen = {reader.value(K) for reader in readers}
    assert len(chosen) == 1, "readers choose differently"
    assert early.value(K) == b"%d" % values[1], "it has handed this one out"
    if between:
        assert chosen == {b"%d" % values[1]}, "the greater epoch"
    for one in (w, b):
        one.store.leave(one.worker)
    readers[-1].store.pack()
    readers += [early, Worker(path, clock)]  # what it kept to is gone
    clock.advance(2.0)
    assert {reader.value(K) for reader in readers} == chosen, "packing changed the choice"
    assert readers[-1].store.check() == []


@pytest.mark.parametrize("between", [False, True])
@pytest.mark.parametrize("values", [(1, 2), (2, 1), (3, 4), (4, 3)])
def test_all_readers_choose_the_same_twin_and_pack_keeps_it(
    tmp_path: Path, values: tuple[int, int], between: bool
) -> None:
    twins(tmp_path, values, between)


def test_the_last_one_read_is_no_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Block, "rank", lambda *_: (0, b""))
    with pytest.raises(AssertionError, match="readers choose differently"):
        twins(tmp_path, (1, 2))
