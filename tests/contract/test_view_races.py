"""Processes that do not see the same: numbers taken at once, hidden names, old listings.

A view may lag (a network mount shows listings and sizes of a while ago), two invalidates
may want one number, and a tombstone may be seen before it would survive a power loss.
Whatever was seen: no value of before an invalidate is alive, all readers agree in the end,
and work is repeated only as often as promised.

Each promise is also shown a variant that lacks the step it rests on, and must see it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from backends.file_store import open_store
from backends.file_store.filesystem import FileSystem
from backends.file_store.store import FileStore
from backends.file_store.tombstones import Graveyard, _merged
from backends.file_store.view import View
from taskgraph.store import Buffer, Key, Record, Tombstones
from taskgraph.testing import Actor, FakeClock, FakeServer, make_key, payload_bytes
from taskgraph.testing.hands import Hands

K, D, OTHER = make_key(1), make_key(2), make_key(3)
#: Each task and all that it is computed from.
ABOVE = {K: [K], D: [K, D]}
#: What K returns: the world outside, known to no key.
GHOST = [0]
POINTS = [
    "linked", "looked", "epoch_read", "loaded", "ran", "appended", "synced", "looked_seal", "marked",
]  # fmt: skip


def value_of(key: Key, inputs: Sequence[Record]) -> bytes:
    return payload_bytes(inputs[0].payload) if inputs else b"%d" % GHOST[0]


class Power:
    """What a power loss would take from the folder of tombstones."""

    def __init__(self) -> None:
        self.loose: set[str] = set()

    def fail(self) -> None:
        for path in self.loose:
            FileSystem().unlink(path)


class Disk(FakeServer, FileSystem):  # type: ignore[misc]
    """One process's view: held at points, with names hidden from it, or as it was a while ago."""

    def __init__(self, clock: FakeClock, power: Power | None = None) -> None:
        super().__init__(clock)
        self.actor: Actor[Any] | None = None
        self.power = power or Power()
        self.hidden: set[str] = set()
        self.careless = False  #: a fault: its syncs of folders do nothing
        self._frozen: dict[str, int] | None = None  #: size of each path, as it was
        self._paths: dict[int, str] = {}
        self._mine: set[str] = set()

    def point(self, name: str) -> None:
        if self.actor is not None:
            self.actor.point(name)

    # -- a view that lags --------------------------------------------------------
    def freeze(self, root: Path) -> None:
        """See everything as it is now until :meth:`thaw`, but for what this process does."""
        self._frozen = {str(p): p.stat().st_size for p in root.rglob("*") if p.is_file()}
        self._mine = set()

    def thaw(self) -> None:
        self._frozen = None

    def unseen(self, path: str) -> bool:
        if path.rpartition("/")[2] in self.hidden:
            return True
        return self._frozen is not None and path not in self._frozen and path not in self._mine

    def names(self, folder: str) -> list[str]:
        there = {f"{folder}/{name}" for name in super().names(folder)}
        old = {p for p in self._frozen or () if p.rpartition("/")[0] == folder}
        seen = [p for p in there | old if not self.unseen(p)]
        return [path.rpartition("/")[2] for path in seen]

    def open(self, path: str, flags: int = os.O_RDONLY) -> int:
        if self.unseen(path):
            raise FileNotFoundError(2, "not yet seen", path)
        descriptor = super().open(path, flags)
        self._paths[descriptor] = path
        return descriptor

    def create(self, path: str, mode: int) -> int:
        self._mine.add(path)  # where it is there already, the server's refusal has told so
        descriptor = super().create(path, mode)
        self._paths[descriptor] = path
        return descriptor

    def fstat(self, descriptor: int) -> os.stat_result:
        found = super().fstat(descriptor)
        size = self._size(descriptor)
        if size is None or size >= found.st_size:
            return found
        rest = {name: getattr(found, name) for name in ("st_mtime_ns", "st_ctime_ns")}
        return os.stat_result((*found[:6], size, *found[7:]), rest)

    def pread(self, descriptor: int, size: int, offset: int) -> bytes:
        end = self._size(descriptor)
        return super().pread(
            descriptor, size if end is None else max(0, min(size, end - offset)), offset
        )

    def _size(self, descriptor: int) -> int | None:
        path = self._paths.get(descriptor, "")
        return None if self._frozen is None or path in self._mine else self._frozen.get(path)

    def append(self, descriptor: int, buffers: Sequence[Buffer]) -> int:
        self._mine.add(self._paths.get(descriptor, ""))
        return super().append(descriptor, buffers)

    # -- power -------------------------------------------------------------------
    def link(self, source: str, target: str) -> None:
        self._mine.add(target)
        super().link(source, target)
        if "/invalid/" in target:
            self.power.loose.add(target)

    def sync_folder(self, folder: str) -> None:
        if not self.careless and folder.endswith("/invalid"):
            self.power.loose.clear()

    def datasync(self, descriptor: int) -> None:
        pass

    def sync(self, descriptor: int) -> None:
        pass


class Worker(Hands):
    """One process with a worker."""

    store: FileStore

    def __init__(self, path: Path, clock: FakeClock, power: Power | None = None) -> None:
        self.disk = Disk(clock, power)
        store = open_store(
            str(path / "s"), create=True, fs=self.disk, clock=clock, sleep=clock.sleep
        )
        super().__init__(store, ABOVE, value_of, self.disk.point)

    def start(self, work: Callable[[], object]) -> Actor[object]:
        """Begin to do something, held before the first step."""
        self.disk.actor = Actor(work)
        return self.disk.actor


@pytest.fixture(autouse=True)
def _ghost() -> None:
    GHOST[0] = 0


def judge(path: Path, clock: FakeClock, *others: Worker) -> None:
    """No reader meets a ghost of before, and what is missing can be made."""
    last = Worker(path, clock)
    for reader in (*others, last):
        for key in (K, D):
            assert reader.value(key) in (None, b"%d" % GHOST[0]), "a ghost"
    last.run(K, D)
    assert [last.value(key) for key in (K, D)] == [b"%d" % GHOST[0]] * 2


# -- two numbers, and what is seen of them -----------------------------------------
def two_invalidates(path: Path, first: int) -> None:
    """Both are held with the same number in hand; a worker starts between them."""
    clock = FakeClock()
    both = [Worker(path, clock), Worker(path, clock)]
    worker = Worker(path, clock)
    actors = [one.start(lambda one=one: one.store.invalidate([K])) for one in both]  # type: ignore[misc]
    assert all(actor.to("numbered") for actor in actors)
    GHOST[0] = 1
    actors[first].finish()
    run = worker.start(lambda: worker.run(K))
    assert run.to("ran")
    GHOST[0] = 2
    numbers = {actors[first].finish(), actors[1 - first].finish()}
    run.finish()
    judge(path, clock, worker, *both)
    assert numbers == {1, 2}


@pytest.mark.parametrize("first", [0, 1])
def test_a_worker_between_two_invalidates_of_one_number(tmp_path: Path, first: int) -> None:
    two_invalidates(tmp_path, first)


def test_a_number_taken_by_rename_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def put(graves: Graveyard, path: str, data: bytes) -> bool:
        folder, _, name = path.rpartition("/")
        graves._fs.replace_file(folder, name, data, 0o600)
        return True

    monkeypatch.setattr(Graveyard, "_put", put)
    with pytest.raises(AssertionError, match="a ghost"):
        two_invalidates(tmp_path, 0)


def hidden_tombstone(path: Path, hidden: str) -> None:
    """K and then something else are invalidated; a worker does not see one of the two numbers."""
    clock = FakeClock()
    worker, master = Worker(path, clock), Worker(path, clock)
    worker.run(K)
    GHOST[0] = 1
    master.store.invalidate([K])
    master.store.invalidate([OTHER])
    worker.disk.hidden = {hidden}
    worker.run(D)
    worker.disk.hidden = set()
    judge(path, clock, worker, master)


@pytest.mark.parametrize("hidden", ["0000000001", "0000000002"])
def test_a_worker_that_sees_one_of_two_tombstones(tmp_path: Path, hidden: str) -> None:
    """Neither in a listing nor by name, as a network client's memory of a missing name has it."""
    hidden_tombstone(tmp_path, hidden)


def test_an_epoch_beyond_a_gap_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def look(graves: Graveyard) -> Tombstones:
        for name in sorted(graves._fs.names(graves._layout.invalid)):
            if name.isdigit() and int(name) > graves.known.epoch:
                fresh = graves._read(graves._layout.tombstone(int(name)))
                graves.known = _merged(graves.known, int(name), fresh)
        return graves.known

    monkeypatch.setattr(Graveyard, "look", look)
    with pytest.raises(AssertionError, match="a ghost"):
        hidden_tombstone(tmp_path, "0000000001")


def lost_tombstone(path: Path, careless: bool) -> None:
    """A tombstone is seen and used; power fails before its writer made it durable."""
    clock, power = FakeClock(), Power()
    worker, master = Worker(path, clock, power), Worker(path, clock, power)
    worker.disk.careless = careless
    invalidate = master.start(lambda: master.store.invalidate([K]))
    assert invalidate.to("tombstone_linked")
    worker.run(K)
    power.fail()
    again = Worker(path, clock)
    GHOST[0] = 1
    again.store.invalidate([K])
    judge(path, clock, again)


def test_a_tombstone_is_durable_before_its_number_is_used(tmp_path: Path) -> None:
    lost_tombstone(tmp_path, careless=False)


def test_a_number_used_before_it_is_durable_is_caught(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="a ghost"):
        lost_tombstone(tmp_path, careless=True)


# -- a view that lags --------------------------------------------------------------
def lagging(
    path: Path, point: str, number: int, allowed: int, lag: bool = True, invalidated: bool = False
) -> bool:
    """X sees the store as it was when W passed a point, until both are done; False: no such pass.

    ``allowed`` is how often a task may run in all: once, and once more within the lag.
    """
    GHOST[0] = 0
    path.mkdir()
    clock = FakeClock()
    w, x = Worker(path, clock), Worker(path, clock)
    actor = w.start(lambda: w.run(K, D))
    if not all(actor.to(point) for _ in range(number)):
        actor.finish()
        return False
    if lag:
        x.disk.freeze(path)
    actor.finish()
    if invalidated:
        GHOST[0] = 1
        w.store.invalidate([K])
    x.run(K, D)
    x.disk.thaw()
    judge(path, clock, w, x)
    clock.advance(2.0)
    for _ in range(2):
        x.run(K, D)
        w.run(K, D)
    for key in (K, D):
        runs = w.runs.count(key) + x.runs.count(key)
        assert invalidated or runs <= allowed, f"{runs} runs"
    last = Worker(path, clock)
    assert {one.value(D) for one in (w, x, last)} == {b"%d" % GHOST[0]}
    assert last.store.check() == []
    return True


@pytest.mark.parametrize("invalidated", [False, True])
@pytest.mark.parametrize("point", POINTS)
def test_a_view_that_lags_costs_one_more_run_and_no_result(
    tmp_path: Path, point: str, invalidated: bool
) -> None:
    passes = count(1)
    while lagging(tmp_path / str(n := next(passes)), point, n, 2, invalidated=invalidated):
        continue
    assert n > 2


def test_a_fresh_view_costs_no_run(tmp_path: Path) -> None:
    assert lagging(tmp_path / "s", "ran", 1, 1, lag=False)


def test_the_lag_does_cost_a_run(tmp_path: Path) -> None:
    """Else the view above would not lag at all."""
    with pytest.raises(AssertionError, match="2 runs"):
        lagging(tmp_path / "s", "looked", 1, 1)


def test_a_claim_without_a_look_for_results_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Hands, "looks", False)
    with pytest.raises(AssertionError, match=r"\d runs"):
        lagging(tmp_path / "s", "ran", 1, 2, lag=False)


# -- the bell ----------------------------------------------------------------------
def two_rings_in_one_tick(path: Path) -> None:
    """A reader looks between a publish and an invalidate that ring at the same server time."""
    clock = FakeClock()
    worker, reader = Worker(path, clock), Worker(path, clock)
    worker.run(K)
    assert reader.value(K) == b"0"
    GHOST[0] = 1
    worker.store.invalidate([K])
    assert reader.value(K) is None, "a ghost"


@pytest.mark.parametrize("network", [False, True])
def test_no_answer_is_older_than_an_invalidate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, network: bool
) -> None:
    monkeypatch.setattr("backends.file_store.founding.on_network", lambda _: network)
    two_rings_in_one_tick(tmp_path)


def test_a_bell_that_is_trusted_with_tombstones_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def glance(view: View) -> None:
        if view._bell.stamp() != view.stamp:
            view.look()

    monkeypatch.setattr("backends.file_store.founding.on_network", lambda _: True)
    monkeypatch.setattr(View, "glance", glance)
    with pytest.raises(AssertionError, match="a ghost"):
        two_rings_in_one_tick(tmp_path)
