"""An invalidate at every pause point of a worker: no value of before is alive in any jugfile.

Three processes on one store in a folder. A worker computes ``k`` and ``d(k)`` of one jugfile
and ``e(d)`` of another; ``k`` reads a *ghost*, a number that is in no key. The worker is held
at a point, the ghost changes, ``invalidate(k)`` returns, the worker goes on. From then on no
reader of either jugfile may meet the old number, and the work must still get done.

The worker here takes the steps of ``taskgraph.worker`` and ``taskgraph.runner`` in their
order, one task a time: claim, news, inputs, run, publish, release. It can leave out single
steps: each variant that seems to do as well is kept, and must fail the same check.
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
from taskgraph.compose import CompoundTask, record_extra
from taskgraph.errors import TaskError
from taskgraph.graph import Graph
from taskgraph.session import Session, as_buffer
from taskgraph.store import RESULT, Origin, Record
from taskgraph.task import Task, TaskGenerator
from taskgraph.testing import Actor, FakeClock, FakeServer, make_identity
from taskgraph.workbench import InputGone, Kept, Workbench

#: Every point that a worker passes, once a task or more often.
POINTS = [
    "linked", "looked", "listing_invalid", "epoch_read", "loaded", "ran", "appended", "synced",
    "looked_seal", "marked",
]  # fmt: skip
#: What ``k`` returns: the world outside, known to no key.
GHOST = [0]


@TaskGenerator
def k() -> int:
    return GHOST[0]


@TaskGenerator
def d(x: int) -> list[int]:
    return [x]


@TaskGenerator
def e(x: list[int]) -> list[list[int]]:
    return [x]


@TaskGenerator
def other() -> int:
    return 100


def build() -> Task:
    inner: Task = d(k())
    return inner


def jugfile_a() -> list[Task]:
    return [k(), d(k())]


def jugfile_b() -> list[Task]:
    return [e(d(k()))]


def jugfile_compound() -> list[Task]:
    return [CompoundTask(build)]


def jugfile_on_compound() -> list[Task]:
    return [e(CompoundTask(build))]


class Disk(FakeServer, FileSystem):  # type: ignore[misc]
    """Holds its actor at points, and hides names. No power is lost here, so nothing is synced."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.actor: Actor[Any] | None = None
        self.hidden: set[str] = set()

    def point(self, name: str) -> None:
        if self.actor is not None:
            self.actor.point(name)

    def names(self, folder: str) -> list[str]:
        return [name for name in super().names(folder) if name not in self.hidden]

    def datasync(self, descriptor: int) -> None:
        pass

    def sync(self, descriptor: int) -> None:
        pass

    def sync_folder(self, folder: str) -> None:
        pass


class Process:
    """One process: a store of its own handle, a jugfile read into a session, a worker."""

    late_epoch = False  #: fault: the epoch is asked for when the record is made
    forgetful = True  #: what is in memory is dropped at a tombstone; False: fault

    def __init__(
        self,
        path: Path,
        clock: FakeClock,
        jugfile: Callable[[], list[Task]] = list,
        disk: Disk | None = None,
    ) -> None:
        self.disk = disk or Disk(clock)
        self.store: FileStore = open_store(
            str(path / "s"), create=True, fs=self.disk, clock=clock, sleep=clock.sleep
        )
        self.session = Session(self.store)
        self.bench = Workbench(self.session, 1e9)
        with self.session:
            self.tasks = jugfile()
        self.worker = ""

    def run(self) -> None:
        """Run what has no result, in the order in which it was made."""
        for task in list(self.session.graph.tasks):
            self.run_task(task)

    def run_task(self, task: Task) -> None:
        """Lease a task and run it if its result is missing and its inputs are not."""
        self.worker = self.worker or self.store.enter(make_identity())
        claim = self.store.claim(self.worker, [task.key])
        if self.store.refresh().tombstones and self.forgetful:
            self.bench.clear()
        try:
            if claim.keys and not self.session.present([self.session.graph.node(task)])[0]:
                self.store.publish(self.worker, [self.result(task, claim.epoch)])
        except (InputGone, TaskError):  # an input is gone, or an opaque task can only fail
            pass
        finally:
            self.store.release(self.worker, claim)

    def result(self, task: Task, epoch: int) -> Record:
        graph = self.session.graph
        needs = [graph.tasks[node] for node in graph.dependencies(graph.node(task))]
        self.bench.fetch(needs)
        self.disk.point("loaded")
        inputs = self.bench.digests(needs)
        value = task.call(self.bench.value_of)
        self.bench.unload()
        self.disk.point("ran")
        payload, digest = codecs.encode(value)
        self.bench.keep(task.key, Kept(value, payload, digest, 1), 9)
        if self.late_epoch:
            self.store.refresh()
            epoch = self.store.tombstones().epoch
        origin = Origin(function=task.name, extra=record_extra(task, graph))
        return Record(
            task.key, RESULT, epoch, digest, inputs, origin, 1.0, 0.1, 0.1, 0, 1, payload
        )  # fmt: skip

    def values(self) -> list[Any]:
        """Return the live values of all tasks, after a fresh look; None where there is none."""
        self.session.look()
        tasks = list(self.session.graph.tasks)
        there = self.session.present()
        records = self.session.load(tasks)
        assert [record is not None for record in records] == [bool(one) for one in there]
        return [record and codecs.decode(as_buffer(record)) for record in records]


def ghost_in(value: Any) -> int:
    """Return the ghost version that a value was made from."""
    return ghost_in(value[0]) if isinstance(value, list) else int(value)


class Scene:
    """A store, a worker over two jugfiles, readers of both, and one who invalidates."""

    def __init__(
        self,
        path: Path,
        jugfiles: Sequence[Callable[[], list[Task]]] = (jugfile_a, jugfile_b),
        kind: type[Process] = Process,
    ) -> None:
        GHOST[0] = 0
        path.mkdir(exist_ok=True)
        self.path, self.clock, self.jugfiles = path, FakeClock(), jugfiles
        self.master = Process(path, self.clock)
        self.readers = [Process(path, self.clock, jugfile) for jugfile in jugfiles]
        self.sides = [kind(path, self.clock, jugfile) for jugfile in jugfiles]

    def work(self) -> None:
        for side in self.sides:
            side.run()

    def start(self) -> Actor[None]:
        actor = Actor(self.work)
        for side in self.sides:
            side.disk.actor = actor
        return actor

    def invalidate(self, *roots: Task) -> int:
        """Change the world, then invalidate what was made from it."""
        GHOST[0] += 1
        return self.master.store.invalidate([root.key for root in roots or (k(),)])

    def judge(self) -> None:
        """No reader, however long it has been there, meets a ghost of before."""
        fresh = [Process(self.path, self.clock, jugfile) for jugfile in self.jugfiles]
        for reader in [*fresh, *self.readers, *self.sides]:
            alive = [value for value in reader.values() if value is not None]
            assert all(ghost_in(value) == GHOST[0] for value in alive), f"a ghost: {alive}"

    def settle(self) -> None:
        """Whatever was lost is made again, by others: nothing is locked for ever."""
        for jugfile in self.jugfiles:
            process = Process(self.path, self.clock, jugfile)
            process.run()
            assert None not in process.values(), "some task is never done"
        self.judge()


def sweep(path: Path, point: str, make: Callable[[Path], Scene], done_before: bool = False) -> int:
    """Hold a worker at each pass of a point, invalidate there; return how often it passes."""
    for number in count(1):
        scene = make(path / f"{point}{number}")
        if done_before:
            scene.work()
            scene.invalidate(other())  # so that everything is looked at anew, for nothing
            GHOST[0] = 0
        actor = scene.start()
        if not all(actor.to(point) for _ in range(number)):
            actor.finish()
            return number - 1
        scene.invalidate()
        for reader in scene.readers:
            assert not any(value is not None for value in reader.values()), "not killed at once"
        actor.finish()
        scene.judge()
        scene.settle()
    raise AssertionError("unreachable")


@pytest.fixture(autouse=True)
def _ghost() -> Iterator[None]:
    GHOST[0] = 0
    yield
    GHOST[0] = 0


# -- at every point of a worker -----------------------------------------------------
@pytest.mark.parametrize("point", POINTS)
def test_an_invalidate_at_every_point_leaves_no_ghost_in_any_jugfile(
    tmp_path: Path, point: str
) -> None:
    assert sweep(tmp_path, point, Scene) >= 3, "each of k, d and e passes every point"


@pytest.mark.parametrize("point", ["linked", "listing_invalid", "epoch_read"])
def test_an_invalidate_of_what_was_done_leaves_no_ghost(tmp_path: Path, point: str) -> None:
    """All is done already; the worker is held while it finds that out."""
    assert sweep(tmp_path, point, Scene, done_before=True) >= 5


@pytest.mark.parametrize(
    ("fault", "point"),
    [("late_epoch", "ran"), ("late_epoch", "loaded"), ("forgetful", "linked")],
)
def test_faulty_workers_bring_a_ghost_back(tmp_path: Path, fault: str, point: str) -> None:
    """The epoch read when the record is made; old inputs kept in memory past a tombstone."""
    kind = type("Faulty", (Process,), {fault: not getattr(Process, fault)})
    with pytest.raises(AssertionError, match="a ghost"):
        sweep(tmp_path, point, lambda path: Scene(path, kind=kind))


def floors_of_roots_only(
    graph: Graph, tombstones: dict[bytes, int], hidden: object = None
) -> list[int]:
    """Return the floors as if a tombstone killed nothing but what it names."""
    return [tombstones.get(key, 0) for key in graph.index]


@pytest.mark.parametrize("listed_by_invalidator", [False, True])
def test_a_jugfile_that_the_invalidator_does_not_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listed_by_invalidator: bool
) -> None:
    """Jugfile A knows k and d, B also e(d), which runs from the old d while A invalidates k.

    Tombstones over all dependents that A knows, each killing only what it names, miss it.
    """
    if listed_by_invalidator:
        monkeypatch.setattr(Graph, "floors", floors_of_roots_only)
    scene = Scene(tmp_path)
    scene.sides[0].run()
    actor = scene.start()
    assert actor.to("ran")
    scene.invalidate(*([k(), d(k())] if listed_by_invalidator else [k()]))
    actor.finish()
    if listed_by_invalidator:
        with pytest.raises(AssertionError, match="a ghost"):
            scene.judge()
    else:
        scene.judge()
        scene.settle()


# -- compound tasks --------------------------------------------------------------
def compound_scene(path: Path) -> Scene:
    """The compound result is stored before the second jugfile is read, which finds it opaque."""
    path.mkdir(exist_ok=True)
    first = Process(path, FakeClock(), jugfile_compound)
    first.run()
    return Scene(path, [jugfile_on_compound])


@pytest.mark.parametrize("point", ["linked", "epoch_read", "loaded", "ran", "marked"])
def test_an_inner_task_reaches_what_was_made_of_an_opaque_result(
    tmp_path: Path, point: str
) -> None:
    scene = compound_scene(tmp_path)
    assert [len(side.session.graph) for side in scene.sides] == [2], "k and d are not in it"
    actor = scene.start()
    assert actor.to(point)
    scene.invalidate(k())
    actor.finish()
    scene.judge()
    scene.settle()


def test_without_stored_ancestors_the_opaque_result_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Session, "_hidden", lambda *_: {})
    scene = compound_scene(tmp_path)
    scene.work()
    scene.invalidate(k())
    with pytest.raises(AssertionError, match="a ghost"):
        scene.judge()


@pytest.mark.parametrize("remembered", [True, False])
def test_an_opaque_result_that_is_gone_brings_nothing_back(
    tmp_path: Path, remembered: bool
) -> None:
    """Its record, which names the inner tasks, is removed; what was made of it stays dead.

    A session that asks only the record for them, and has not kept their names, is the fault.
    """
    scene = compound_scene(tmp_path)
    scene.work()
    scene.invalidate(k())
    (side,) = scene.sides
    heads = scene.master.store.heads([side.session.graph.tasks[0].key])
    assert scene.master.store.forget([head for head in heads if head is not None]) == 1
    scene.master.store.invalidate([other().key])  # floors are computed anew
    if not remembered:
        side.session.inner.clear()
    assert (side.values() == [None, None]) is remembered
