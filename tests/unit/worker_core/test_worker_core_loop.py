"""The loop of a worker: limits, stopping, giving back, news, tombstones, trouble with the store."""

from __future__ import annotations

from dataclasses import replace

import pytest

from taskgraph import codecs
from taskgraph.board import FINISH, Board
from taskgraph.scheduler import DONE, LATER, READY
from taskgraph.store import RESULT, Origin, Record
from taskgraph.task import TaskGenerator
from taskgraph.testing import StoreWrapper

NOW: dict[str, object] = {}


@TaskGenerator
def plain(x):
    """Return what it is given."""
    return x


@TaskGenerator
def does(x, inputs=()):
    """Do something on the side, whatever the test wants, and tell how often it ran."""
    NOW["runs"] += 1
    NOW["do"](x)
    return NOW["value"]


@TaskGenerator
def twice(x):
    """Depend on one thing."""
    return 2 * x


@TaskGenerator(resources={"lens": 1})
def look(x):
    """Need something."""
    NOW["do"](x)
    return x


@pytest.fixture(autouse=True)
def _fresh(place):
    NOW.clear()
    NOW.update(runs=0, value=1, do=lambda x: None)


def publish(place, task, value, epoch=0):
    """Publish a result as another worker's process would."""
    handle, name = place.another()
    payload, digest = codecs.encode(value)
    record = Record(
        task.key, RESULT, epoch, digest, b"", Origin(), 0.0, 0.0, 0.0, 0, 1, payload
    )  # fmt: skip
    handle.publish(name, [record])
    handle.leave(name)


# -- limits -------------------------------------------------------------------------------
@pytest.mark.parametrize("limit", [0, 1, 7])
def test_max_tasks_is_exact_also_for_short_tasks(place, limit):
    """A stride of a thousand short tasks must not overshoot."""
    with place:
        for i in range(3000):
            plain(i)
    worker = place.worker(max_tasks=limit)
    assert worker.run() == 3
    assert worker.runner.executed == limit
    assert place.store.workers() == []


def test_max_seconds_claims_nothing_after_it(place):
    """What runs is finished."""
    NOW["do"] = lambda x: place.clock.advance(40.0)
    with place:
        for i in range(5):
            does(i)
    worker = place.worker(max_seconds=100.0)
    assert worker.run() == 3
    assert worker.runner.executed == 3


def test_the_stop_flag_ends_a_batch_between_tasks(place):
    """The rest is given back; results are stored, locks are free."""
    board = Board(1, {})

    def do(x):
        place.clock.advance(0.05)
        if NOW["runs"] == 30:
            board.stop = FINISH

    NOW["do"] = do
    with place:
        tasks = [does(i) for i in range(200)]
    worker = place.worker(board=board)
    assert worker.run() == 3
    assert worker.runner.executed == NOW["runs"] <= 32
    assert sum(place.store.present([task.key for task in tasks])) == NOW["runs"]
    assert place.store.workers() == []


def test_a_signal_during_a_rest_is_not_forgotten(place):
    """The rest returns without a reason; the handler has set one meanwhile."""
    with place:
        task = plain(1)
    handle, name = place.another()
    handle.claim(name, [task.key])
    worker = place.worker()

    def signalled():
        handle.beat(name)
        worker.reason = "got SIGTERM"

    place.store.on_rest = signalled
    assert worker.run() == 3
    assert worker.reason == "got SIGTERM"


def test_idle_exit(place):
    """Nothing to run for so long: 3."""
    with place:
        task = plain(1)
    handle, name = place.another()
    handle.claim(name, [task.key])
    place.store.on_rest = lambda: handle.beat(name)
    worker = place.worker(idle_exit=60.0)
    began = place.clock()
    assert worker.run() == 3
    assert 60 <= place.clock() - began < 62
    assert "idle" in worker.reason


def test_no_tasks_and_all_done_end_at_once(place):
    """With 0."""
    assert place.work() == 0
    with place:
        plain(1)
    assert place.work() == 0
    worker = place.worker()
    assert worker.run() == 0
    assert worker.runner.executed == 0


# -- sharing ------------------------------------------------------------------------------
def test_a_batch_of_tasks_that_turn_out_long_is_given_back(place):
    """Timed as short, then each takes a minute: others must get the rest, and results go out."""
    locked = []
    NOW["do"] = lambda x: place.clock.advance(0.0001)
    with place:
        short = [does(i) for i in range(300)]
    worker = place.worker()
    assert worker.run() == 0
    timings = worker.scheduler.timings

    def do(x):
        place.clock.advance(60.0)
        (info,) = place.store.workers()
        locked.append((info.buckets, len(place.store.keys())))

    NOW["do"] = do
    with place:
        for i in range(1000, 1500):
            does(i)
    worker = place.worker(max_seconds=200.0)
    worker.scheduler.timings = timings
    worker.run()
    assert len(locked) == 4
    assert len(locked[0][0]) > 50
    assert len(locked[-1][0]) < 50, "buckets were given back"
    assert locked[-1][1] >= len(short) + 2, "results did not wait for the end of the stride"


def test_news_from_another_worker_make_dependents_ready(place):
    """A lock held elsewhere, then a result: the dependent runs here."""
    with place:
        source = plain(1)
        total = twice(source)
    handle, name = place.another()
    claim = handle.claim(name, [source.key])

    def made():
        place.store.on_rest = lambda: None
        publish(place, source, 21)
        handle.release(name, claim)

    place.store.on_rest = made
    worker = place.worker()
    assert worker.run() == 0
    assert worker.runner.executed == 1
    assert place.values(total) == 42


def test_what_a_vanished_worker_held_is_run_here(place):
    """Busy, until its owner is silent for the lease time."""
    with place:
        task = plain(5)
    handle, name = place.another()
    handle.claim(name, [task.key])
    began = place.clock()
    assert place.work() == 0
    assert place.clock() - began >= place.store.lease_seconds
    assert place.values(task) == 5


def test_a_lock_that_is_free_by_the_books_and_can_not_be_had_is_no_endless_loop(place):
    """A listing may call an owner dead long before a claim has proven it."""
    claims = []

    class Slow(StoreWrapper):
        def claim(self, worker, keys, *, coarse=False, most=None):
            claims.append(place.clock())
            got = super().claim(worker, keys, coarse=coarse, most=most)
            if len(claims) < 20:
                self.inner.release(worker, got)
                got.busy, got.keys, got.names = list(keys), [], []
            return got

    place.port = Slow(place.store)
    with place:
        plain(1)
    assert place.work() == 0
    assert claims[-1] - claims[0] > 15, "about a second between two tries"


def test_a_worker_waits_while_another_is_between_two_leases(place):
    """One look at the wrong moment sees no lock; that must not end the worker."""
    with place:
        source = plain(1)
        total = twice(source)
    handle, name = place.another()
    handle.claim(name, [source.key])
    looks = []

    def between():
        looks.append(1)
        handle.beat(name)
        if len(looks) == 50:
            publish(place, source, 4)

    class Gap(StoreWrapper):
        def workers(self):
            infos = super().workers()
            return [replace(info, keys=()) for info in infos] if len(looks) % 5 == 0 else infos

    place.port = Gap(place.store)
    place.store.on_rest = between
    worker = place.worker(selected=bytearray([0, 1]))
    assert worker.run() == 0
    assert place.values(total) == 8


# -- resources ----------------------------------------------------------------------------
def test_a_lack_of_resources_is_said_once_and_left_undone(place):
    """Exit code 3; the rest is done."""
    with place:
        for i in range(3):
            look(i)
        plain(1)
    worker = place.worker(board=Board(1, {"gpu": 1.0}))
    assert worker.run() == 3
    assert worker.runner.executed == 1
    (said,) = place.said
    assert "lens=1" in said
    assert "gpu=1" in said


def test_tasks_with_resources_are_reserved_for_each_also_when_they_are_short(place):
    """Never leased by the bucket, where nobody would ask the board."""
    board = Board(2, {"lens": 1.0})
    held = []

    def do(x):
        held.append(not board.reserve(1, {"lens": 1.0}))
        board.free(1)

    NOW["do"] = do
    with place:
        for i in range(200):
            look(i)
    assert place.work(board=board) == 0
    assert held == [True] * 200
    assert board.reserve(1, {"lens": 1.0}), "all given back at the end"


def test_a_resource_in_use_elsewhere_is_waited_for(place):
    """Until it is free."""
    board = Board(2, {"lens": 1.0})
    assert board.reserve(1, {"lens": 1.0})
    place.store.on_rest = lambda: place.clock() > 1030 and board.free(1)
    with place:
        look(1)
    assert place.work(board=board) == 0
    assert place.clock() > 1030


def test_states_after_a_run(place):
    """Nothing is left as leased."""
    with place:
        for i in range(10):
            plain(i)
    worker = place.worker()
    worker.run()
    assert worker.scheduler.count(DONE) == 10
    assert worker.scheduler.count(READY) == worker.scheduler.count(LATER) == 0
