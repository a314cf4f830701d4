"""The real worker, held at every pause point of its store while somebody invalidates.

``test_invalidate_races.py`` takes a worker's steps one by one and shows what each is for;
here the worker is the one that users run, with its leases, its scheduler, its memory of
results and its outbox. Tasks take no time, so that many share a lease and a commit, or a
good while, so that each is committed alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from backends.file_store import open_store
from backends.file_store.filesystem import FileSystem
from backends.file_store.store import FileStore
from taskgraph import codecs
from taskgraph.board import Board
from taskgraph.capture import Capture
from taskgraph.isolation import Ran
from taskgraph.orders import Orders
from taskgraph.origins import Origins
from taskgraph.scheduler import Scheduler
from taskgraph.session import Session, as_buffer
from taskgraph.store import Record, Store
from taskgraph.task import Task, TaskGenerator
from taskgraph.testing import Actor, FakeClock, FakeServer, make_identity
from taskgraph.workbench import Workbench
from taskgraph.worker import Worker

POINTS = [
    "linked", "looked", "listing_invalid", "epoch_read", "ran", "appended", "synced",
    "looked_seal", "marked",
]  # fmt: skip
#: What ``k`` returns: the world outside, known to no key.
GHOST = [0]
#: Called by each task when it has its value.
RAN: list[Callable[[], None]] = []


def ran(value: Any) -> Any:
    for tell in RAN:
        tell()
    return value


@TaskGenerator
def k() -> Any:
    return ran(GHOST[0])


@TaskGenerator
def d(x: Any) -> Any:
    return ran([x])


@TaskGenerator
def both(x: Any, y: Any) -> Any:
    return ran([x, y])


def jugfile_a() -> list[Task]:
    return [d(k()), d(d(k())), both(k(), d(k()))]


def jugfile_b() -> list[Task]:
    return [d(both(k(), d(k())))]


class Disk(FakeServer, FileSystem):  # type: ignore[misc]
    """Holds its actor at points. No power is lost here, so nothing is synced."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.actor: Actor[None] | None = None

    def point(self, name: str) -> None:
        if self.actor is not None:
            self.actor.point(name)

    def datasync(self, descriptor: int) -> None:
        pass

    def sync(self, descriptor: int) -> None:
        pass

    def sync_folder(self, folder: str) -> None:
        pass


class Process:
    """One process: a store of its own handle, and a jugfile read into a session."""

    def __init__(self, path: Path, clock: FakeClock, jugfile: Callable[[], list[Task]]) -> None:
        self.path, self.clock, self.disk = path, clock, Disk(clock)
        self.store: Store = open_store(
            str(path / "s"), create=True, fs=self.disk, clock=clock, sleep=clock.sleep
        )
        self.session = Session(self.store)
        with self.session:
            jugfile()

    def run(self) -> None:
        """Be a worker until nothing is left to do here."""
        name = self.store.enter(make_identity())
        self.store.refresh()
        graph = self.session.graph
        worker = Worker(
            self.session,
            Scheduler(graph, self.session.present()),
            name,
            board=Board(1),
            slot=0,
            orders=Orders(idle_exit=0.0),
            origins=Origins(graph, self.store, name, make_identity(), self.path / "x.py", "x.py"),
            capture=Capture(),
            run_apart=never,
            say=lambda text: None,
            clock=self.clock,
            wall=self.clock,
            sleep=self.clock.sleep,
        )
        worker.run()

    def values(self) -> list[Any]:
        """Return the live values of all tasks, after a fresh look; None where there is none."""
        self.session.look()
        records = self.session.load(list(self.session.graph.tasks))
        return [record and codecs.decode(as_buffer(record)) for record in records]


def never(node: int, epoch: int, timeout: float | None) -> Ran:
    raise AssertionError("unreachable")


def ghosts_in(value: Any) -> set[int]:
    """Return the ghost versions that a value was made from."""
    if isinstance(value, list):
        return set().union(*map(ghosts_in, value))
    return {value}


JUGFILES: Sequence[Callable[[], list[Task]]] = (jugfile_a, jugfile_b)


def held(
    path: Path, point: str, number: int, seconds: float, done: int = 0, redone: bool = False
) -> bool:
    """Hold two workers, one after the other, at a pass of a point; False: there is none such.

    ``done``: so many of the jugfiles were done before. ``redone``: somebody has made ``k``
    anew before the held worker goes on.
    """
    GHOST[0] = 0
    path.mkdir(parents=True)
    clock = FakeClock()
    for jugfile in JUGFILES[:done]:
        Process(path, clock, jugfile).run()
    sides = [Process(path, clock, jugfile) for jugfile in JUGFILES]

    def work() -> None:
        for side in sides:
            side.run()

    actor = Actor(work)
    for side in sides:
        side.disk.actor = actor
    RAN[:] = [lambda: clock.advance(seconds), lambda: actor.point("ran")]
    if not all(actor.to(point) for _ in range(number)):
        actor.finish()
        return False
    GHOST[0] = 1
    Process(path, clock, list).store.invalidate([k().key])
    if redone:
        Process(path, clock, lambda: [k()]).run()
    actor.finish()
    again = [Process(path, clock, jugfile) for jugfile in JUGFILES]
    for process in [*sides, *again]:
        alive = [value for value in process.values() if value is not None]
        assert all(ghosts_in(value) == {1} for value in alive), f"a ghost: {alive}"
    for process in again:
        process.run()
        assert [ghosts_in(value) for value in process.values() if value is not None] == [{1}] * len(
            process.session.graph
        ), "some task is never done"
    return True


@pytest.fixture(autouse=True)
def _calm() -> Iterator[None]:
    yield
    RAN.clear()


@pytest.mark.parametrize(
    ("done", "redone"),
    [(0, False), (1, False), (0, True)],
    ids=["nothing done", "one jugfile done", "root made anew"],
)
@pytest.mark.parametrize("seconds", [0.0, 0.5])
@pytest.mark.parametrize("point", POINTS)
def test_the_worker_held_anywhere_brings_no_ghost_back(
    tmp_path: Path, point: str, seconds: float, done: int, redone: bool
) -> None:
    passes = count(1)
    while held(tmp_path / str(n := next(passes)), point, n, seconds, done, redone):
        continue
    assert n > 1


def sweep(path: Path, point: str, redone: bool = False) -> None:
    """Hold a worker whose tasks take a while at each pass of a point."""
    for number in count(1):
        if not held(path / str(number), point, number, 0.5, redone=redone):
            return


def test_a_worker_that_keeps_its_memory_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Results in memory from before a tombstone are given to a task of the epoch after it."""
    monkeypatch.setattr(Workbench, "clear", lambda _: None)
    with pytest.raises(AssertionError, match="a ghost"):
        sweep(tmp_path, "linked", redone=True)


def test_a_store_that_stamps_the_epoch_of_the_publish_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = FileStore.publish

    def late(store: FileStore, worker: str, records: Sequence[Record]) -> None:
        store.refresh()
        now = store.tombstones().epoch
        publish(store, worker, [record._replace(epoch=now) for record in records])

    monkeypatch.setattr(FileStore, "publish", late)
    with pytest.raises(AssertionError, match="a ghost"):
        sweep(tmp_path, "ran")
