"""Two real workers on two hosts of a simulated network mount, taking turns at every call.

A seeded draw says which host makes the next call. What both believe is up to a minute old,
appends come late and with holes, replies get lost, hosts go down. At the end every result
is there and right, whoever asks, and the store is sound; how often a task ran more than
once is reported (``executions``, ``doubles``).
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from backends.file_store import open_store
from backends.file_store.filesystem import FileSystem
from backends.file_store.segments import Segment
from backends.file_store.store import FileStore
from backends.file_store.sweep import Sweep
from taskgraph import codecs
from taskgraph.board import Board
from taskgraph.capture import Capture
from taskgraph.errors import StoreError, StoreUnreachable
from taskgraph.isolation import Ran
from taskgraph.orders import Orders
from taskgraph.origins import Origins
from taskgraph.scheduler import Scheduler
from taskgraph.session import Session, as_buffer
from taskgraph.store import Record
from taskgraph.task import Task, TaskGenerator
from taskgraph.testing import Actor, FakeClock, make_identity, make_key, make_record
from taskgraph.testing.nfs import NfsClient
from taskgraph.testing.nfsserver import NfsServer
from taskgraph.worker import Worker

ROOT = "/export/store"
WIDTH = 6
#: Every run of a task, whoever ran it.
RUNS: Counter[tuple[str, Any]] = Counter()
#: Called by each task when it has its value.
RAN: list[Callable[[], None]] = []


def ran(name: str, of: Any, value: Any) -> Any:
    RUNS[name, of] += 1
    for tell in RAN:
        tell()
    return value


@TaskGenerator
def first(i: int) -> Any:
    return ran("first", i, i)


@TaskGenerator
def large(x: int) -> Any:
    return ran("large", x, bytes([x]) * (1 << 17))


@TaskGenerator
def second(x: int, y: int) -> Any:
    return ran("second", (x, y), x + y)


@TaskGenerator
def total(xs: list[int], blobs: list[bytes]) -> Any:
    return ran("total", "all", sum(xs) + sum(map(len, blobs)))


def jugfile() -> list[Task]:
    ones = [first(i) for i in range(WIDTH)]
    twos = [second(x, y) for x, y in itertools.pairwise(ones)]
    return [*ones, *twos, total(twos, [large(x) for x in ones[:2]])]


ANSWER = sum(2 * i + 1 for i in range(WIDTH - 1)) + 2 * (1 << 17)


@pytest.fixture(autouse=True)
def _scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("backends.file_store.founding.on_network", lambda _: True)
    RUNS.clear()
    yield
    RAN.clear()


class Down(BaseException):
    """The host goes down in the middle of a call."""


class Disk(NfsClient, FileSystem):
    """A mount that hands over to the other host before every call."""

    actor: Actor[None] | None = None
    calls_left = -1
    down = False

    def step(self, call: str) -> None:
        self.calls_left -= 1
        if self.calls_left == 0:
            self.crash()
            self.down = True
        if self.down:
            raise Down
        if self.actor is not None:
            self.actor.point("call")


class Host:
    """One host with one worker."""

    def __init__(self, server: NfsServer, clock: FakeClock, seed: int, **options: Any) -> None:
        self.clock = clock
        self.disk = Disk(server, clock, seed=seed, **options)
        self.disk.loss = 0.0  # a soft mount's error at the start is told to the user
        self.store: FileStore = open_store(
            ROOT, create=True, fs=self.disk, clock=clock, sleep=clock.sleep
        )
        self.session = Session(self.store)
        with self.session:
            jugfile()
        self.disk.loss = options.get("loss", 0.0)
        self.name = ""

    def start(self) -> Actor[None]:
        """Return its worker, held before its first call."""
        self.disk.actor = Actor(self.run)
        return self.disk.actor

    def run(self) -> None:
        """Be a worker until nothing is left to do here."""
        while not self.name:
            with suppress(StoreUnreachable):
                self.name = self.store.enter(make_identity())
        graph = self.session.graph
        worker = Worker(
            self.session,
            Scheduler(graph, self.session.present()),
            self.name,
            board=Board(1),
            slot=0,
            orders=Orders(),
            origins=Origins(graph, self.store, self.name, make_identity(), Path("x.py"), "x.py"),
            capture=Capture(),
            run_apart=never,
            say=lambda text: None,
            enter=self.enter,
            clock=self.clock,
            wall=self.clock,
            sleep=self.clock.sleep,
        )
        worker.run()

    def enter(self) -> str:
        self.name = self.store.enter(make_identity())
        return self.name

    def beat(self) -> None:
        """Beat as the worker's supervisor does, if there is a worker; a failing beat is missed."""
        if self.name and not self.disk.down:
            left, self.disk.calls_left = self.disk.calls_left, -1
            with suppress(StoreError):
                self.store.beat(self.name)
            self.disk.calls_left = left

    def values(self) -> list[Any]:
        """Return the live values of all tasks, after a fresh look; None where there is none."""
        self.session.look()
        records = self.session.load(list(self.session.graph.tasks))
        return [record and codecs.decode(as_buffer(record)) for record in records]


def never(node: int, epoch: int, timeout: float | None) -> Ran:
    raise AssertionError("unreachable")


def take_turns(hosts: list[Host], clock: FakeClock, draw: random.Random) -> None:
    """Let the hosts make their calls in the order drawn, with a heartbeat now and then."""
    actors = [host.start() for host in hosts]
    beaten = clock()
    for _ in range(400_000):
        going = [n for n, actor in enumerate(actors) if not actor.done]
        if not going:
            break
        clock.advance(0.002)
        actors[draw.choice(going)].to("call")
        if clock() - beaten > 20:
            beaten = clock()
            for number in going:
                hosts[number].beat()
    for host, actor in zip(hosts, actors, strict=True):
        assert actor.done, "a worker never ends"
        try:
            actor.finish()
        except Down:
            assert host.disk.down
        host.disk.actor = None


def judge(server: NfsServer, clock: FakeClock) -> None:
    """Assert that a new host finds every result, right, and a sound store."""
    last = Host(server, clock, 99)
    assert RUNS, "nothing ran"
    for _ in range(8):  # the tail of a host that went down is believed once it is silent
        clock.advance(last.store.lease_seconds / 6)
        last.store.workers()
        last.values()
    assert last.values()[-1] == ANSWER
    assert None not in last.values()
    last.store.check()  # what a lost reply left behind
    assert last.store.check() == []
    last.store.pack()
    assert last.values()[-1] == ANSWER


def report(record_property: Callable[[str, object], None]) -> int:
    doubles = sum(count - 1 for count in RUNS.values())
    record_property("executions", RUNS.total())
    record_property("doubles", doubles)
    return doubles


MANY = pytest.mark.stress
SEEDS = [*range(6), *(pytest.param(n, marks=MANY) for n in range(6, 200))]
CALLS = [*range(150, 1000, 121), *(pytest.param(n, marks=MANY) for n in range(100, 1000, 7))]
MOUNTS = {
    "close-to-open": {"early": 0.3, "loss": 0.1},
    "soft": {"early": 0.3, "loss": 0.02, "lose": "error"},
    "nocto": {"early": 0.3, "loss": 0.1, "close_to_open": False},
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", MOUNTS)
def test_two_hosts_finish_a_graph(
    record_property: Callable[[str, object], None], kind: str, seed: int
) -> None:
    """No double run where opens ask the server; within the lag of ``nocto`` some."""
    clock = FakeClock()
    server = NfsServer(clock)
    hosts = [Host(server, clock, 10 * seed + n, **MOUNTS[kind]) for n in range(2)]
    take_turns(hosts, clock, random.Random(seed))
    judge(server, clock)
    doubles = report(record_property)
    if kind == "close-to-open":
        assert doubles == 0
    assert sum(host.disk.requests for host in hosts) > 500


@pytest.mark.parametrize("calls", CALLS)
def test_a_host_that_goes_down_is_taken_over(
    record_property: Callable[[str, object], None], calls: int
) -> None:
    """At most the tasks that it held run once more, and what it had not sent is lost with it."""
    clock = FakeClock()
    server = NfsServer(clock)
    hosts = [Host(server, clock, n, early=0.5, loss=0.1) for n in range(2)]
    hosts[0].disk.calls_left = calls
    take_turns(hosts, clock, random.Random(calls))
    judge(server, clock)
    assert report(record_property) <= 2 * WIDTH + 2


@pytest.mark.parametrize("jump", [-50_000.0, 50_000.0])
@pytest.mark.parametrize("ahead", [-100_000.0, 100_000.0])
def test_a_server_whose_clock_is_wrong_and_jumps(ahead: float, jump: float) -> None:
    """Times of the mount are compared with each other alone, silence by the observer's clock."""
    clock, after = FakeClock(1e6), 1e6 + 1.0
    server = NfsServer(lambda: clock() + ahead + (jump if clock() > after else 0.0))
    hosts = [Host(server, clock, n, early=0.3, loss=0.1) for n in range(2)]
    take_turns(hosts, clock, random.Random(5))
    assert clock() > after, "it never jumped"
    assert set(RUNS.values()) == {1}
    judge(server, clock)


def test_a_store_that_trusts_sizes_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted fault: the size of a segment from the client's memory."""
    monkeypatch.setattr(
        Segment, "_fresh_size", lambda segment: segment._fs.stat(segment.path).st_size
    )
    with pytest.raises(AssertionError, match="2 runs"):
        several_runs(4)


def several_runs(number: int) -> None:
    for seed in range(number):
        RUNS.clear()
        clock = FakeClock()
        server = NfsServer(clock)
        hosts = [Host(server, clock, 10 * seed + n) for n in range(2)]
        take_turns(hosts, clock, random.Random(seed))
        judge(server, clock)
        assert max(RUNS.values()) == 1, f"{max(RUNS.values())} runs"


# -- single traces -----------------------------------------------------------------
class Sweeper(Disk):
    """Lets something happen just before it seals a file."""

    action: Callable[[], object] | None = None

    def step(self, call: str) -> None:
        if call == "link" and self.action is not None:
            action, self.action = self.action, None
            action()


class Stopped(Disk):
    """Held at each append."""

    def step(self, call: str) -> None:
        if self.actor is not None and call == "append":
            self.actor.point(call)


def sweep_beside_a_stopped_writer() -> None:
    """A writer stopped between a large payload and its row goes on while its file is swept.

    The sweeper looked at the segment a moment before: the size in its memory is without
    the row.
    """
    clock = FakeClock()
    server = NfsServer(clock)

    def store(disk: Disk) -> FileStore:
        return open_store(ROOT, create=True, fs=disk, clock=clock, sleep=clock.sleep)

    writing, sweeping = Stopped(server, clock), Sweeper(server, clock)
    writer, sweeper = store(writing), store(sweeping)
    worker = writer.enter(make_identity())
    writer.publish(worker, [make_record(make_key(1), b"small")])
    big: Record = make_record(make_key(2), b"big " * (1 << 15))
    writing.actor = Actor(lambda: writer.publish(worker, [big]))
    assert writing.actor.to("append"), "held before the payload"
    assert writing.actor.to("append"), "held before the row"
    clock.advance(3 * writer.lease_seconds)
    sweeping.action = writing.actor.finish
    sweeper._house._sweep.run(2 * writer.lease_seconds)
    assert sweeping.action is None, "nothing was about to be sealed"
    reader = store(Disk(server, clock))
    found = reader.load([big.key])[0]
    assert found is not None, "a published payload was swept"
    assert bytes(memoryview(found.payload)) == big.payload


def test_a_payload_named_since_the_last_look_is_not_swept() -> None:
    sweep_beside_a_stopped_writer()


def test_a_sweep_that_looks_once_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    named = Sweep.named
    seen: list[set[bytes]] = []

    def once(sweep: Sweep) -> set[bytes]:
        seen.append(seen[0] if seen else named(sweep))
        return seen[0]

    monkeypatch.setattr(Sweep, "named", once)
    with pytest.raises(AssertionError, match="a published payload was swept"):
        sweep_beside_a_stopped_writer()


def test_a_removed_payload_that_is_open_here_is_no_finding() -> None:
    """The client keeps it under a name of its own, which nobody can remove before it is closed."""
    clock = FakeClock()
    server = NfsServer(clock)
    disk = Disk(server, clock)
    store = open_store(ROOT, create=True, fs=disk, clock=clock, sleep=clock.sleep)
    worker = store.enter(make_identity())
    big = make_record(make_key(2), b"big " * (1 << 15))
    store.publish(worker, [big])
    (path,) = store._view.blobs.paths()
    disk.open(path)
    store.leave(worker)
    store.forget([head for head in store.heads([big.key]) if head is not None])
    clock.advance(3 * store.lease_seconds)
    store.pack()
    folder = path.rpartition("/")[0]
    assert [name[:4] for name in disk.names(folder)] == [".nfs"]
    clock.advance(3 * store.lease_seconds)
    assert store.check() == []
