"""Failures in a worker: retries and delays, other hosts, blocking, deaths, listeners."""

from __future__ import annotations

import errno

import pytest

from taskgraph import events
from taskgraph.attempts import death_record, words_of
from taskgraph.failures import DIED, FailureReport
from taskgraph.isolation import Ran
from taskgraph.scheduler import BLOCKED, DONE, FAILED
from taskgraph.store import DEATH, FAILURE, KILL_FAILURES, Identity, Origin
from taskgraph.task import TaskGenerator

NOW: dict[str, object] = {}


@TaskGenerator
def plain(x):
    """Return what it is given."""
    return x


@TaskGenerator(retries=2, retry_delay=4.0)
def flaky(x):
    """Fail as often as it is told, and note when."""
    place = NOW["place"]
    NOW.setdefault("times", []).append(place.clock())
    if len(NOW["times"]) <= NOW["failures"]:
        raise ValueError(f"try {len(NOW['times'])}")
    return x


@TaskGenerator
def raises(x):
    """Raise what it is told."""
    raise NOW["error"]


@pytest.fixture(autouse=True)
def _fresh(place):
    NOW.clear()
    NOW["place"] = place
    yield
    events.LISTENERS.clear()


def test_retries_wait_twice_as_long_each_time(place):
    """Delays of 4 and 8 seconds; every attempt is in the store with its number."""
    NOW["failures"] = 2
    with place:
        task = flaky(1)
    assert place.work() == 0
    first, second, third = NOW["times"]
    assert 4.0 <= second - first < 4.6
    assert 8.0 <= third - second < 8.6
    assert [record.attempt for record in place.records(task)] == [1, 2]
    assert place.values(task) == 1


def test_retries_end(place):
    """One more failure than retries: failed, and not tried by the next worker either."""
    NOW["failures"] = 99
    with place:
        task = flaky(1)
    assert place.work() == 1
    assert len(place.records(task)) == 3
    assert place.work() == 1
    assert len(NOW["times"]) == 3
    place.store.invalidate([task.key], KILL_FAILURES)
    NOW["failures"] = 0
    assert place.work() == 0, "retry puts failures aside"


def test_other_work_goes_on_while_a_retry_waits(place):
    """The delay is not slept."""
    NOW["failures"] = 1
    with place:
        flaky(1)
        others = [plain(i) for i in range(5)]
    worker = place.worker()
    assert worker.run() == 0
    assert place.values(others) == list(range(5))


def test_a_failure_blocks_what_depends_on_it_and_nothing_else(place):
    """Directly or not; the counts say so."""
    NOW["error"] = ValueError("no")
    with place:
        bad = raises(1)
        below = plain(plain([bad, plain(0)]))
        free = plain(plain(3))
    worker = place.worker()
    assert worker.run() == 1
    count = worker.scheduler.count
    assert (count(DONE), count(FAILED), count(BLOCKED)) == (3, 1, 2)
    assert worker.scheduler.left == 0
    assert place.values(free) == 3
    assert place.store.present([below.key]) == b"\0"
    counts = worker.board.counts(0)
    assert (counts.done, counts.failed, counts.blocked, counts.left) == (3, 1, 2, 0)


def test_a_result_from_elsewhere_frees_what_a_failure_blocked(place):
    """It failed here; another worker has made it since."""
    NOW["error"] = ValueError("no")
    with place:
        bad = raises(1)
        below = plain(bad)
        slow = flaky(2)
    NOW["failures"] = 1
    worker = place.worker()

    def made_elsewhere():
        place.store.on_rest = lambda: None
        handle, name = place.another()
        record = place.records(bad)[0]
        from taskgraph import codecs

        payload, digest = codecs.encode(7)
        handle.publish(name, [record._replace(kind=1, payload=payload, digest=digest)])

    place.store.on_rest = made_elsewhere
    assert worker.run() == 0
    assert place.values([below, slow]) == [7, 2]


@pytest.mark.parametrize(
    "error",
    [
        ImportError("no such module"),
        MemoryError(),
        OSError(errno.ENOSPC, "disk full"),
        RuntimeError("CUDA error: out of memory"),
    ],
)
def test_trouble_of_this_machine_is_left_to_another_live_host(place, error):
    """Another host has a worker: the task is set aside here, and tried there."""
    NOW["error"] = error
    with place:
        task = raises(1)
    handle, name = place.another("elsewhere")
    worker = place.worker(host="here")
    place.store.on_rest = lambda: handle.beat(name)
    assert worker.run() == 3, "there is work left, but not for this host"
    assert worker.scheduler.count(FAILED) == 0
    handle.leave(name)
    there = place.worker(host="elsewhere")
    there.store.leave(worker.name)
    assert there.run() == 1, "both have tried: it is an ordinary failure"
    assert {report.host for report in place.reports(task)} == {"here", "elsewhere"}


def test_trouble_of_the_only_machine_is_an_ordinary_failure(place):
    """Nobody else could try."""
    NOW["error"] = ImportError("x")
    with place:
        raises(1)
        plain(1)
    assert place.work() == 1


def test_what_was_left_to_another_host_is_judged_again_when_that_host_goes(place):
    """Otherwise the worker would leave with work that nobody can ever do."""
    NOW["error"] = ImportError("x")
    with place:
        raises(1)
    handle, name = place.another("elsewhere")
    handle.claim(name, [bytes(32)])  # it works on something, so the worker here waits
    place.store.on_rest = lambda: handle.leave(name)
    worker = place.worker()
    assert worker.run() == 1
    assert worker.scheduler.count(FAILED) == 1


def test_a_worker_whose_first_five_tasks_lack_something_stops_with_1(place):
    """It says why, and leaves the rest to others."""
    NOW["error"] = ImportError("no module named lens")
    with place:
        for i in range(20):
            raises(i)
    worker = place.worker()
    assert worker.run() == 1
    assert worker.runner.failed == 5
    assert "no module named lens" in worker.reason


def test_ordinary_failures_do_not_stop_a_worker(place):
    """Only trouble of the machine does."""
    NOW["error"] = KeyError("x")
    with place:
        tasks = [raises(i) for i in range(20)]
    worker = place.worker()
    assert worker.run() == 1
    assert worker.runner.failed == 20
    assert all(place.records(task) for task in tasks)


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("even this")


@pytest.mark.parametrize("error", [Mute(), SystemExit(0), GeneratorExit(), ValueError("x" * 10**6)])
def test_whatever_a_task_raises_is_a_failure_and_no_crash(place, error):
    """An exception that can't be shown, sys.exit, an exception of the language, a huge one."""
    NOW["error"] = error
    with place:
        task = raises(1)
        plain(2)
    assert place.work() == 1
    (report,) = place.reports(task)
    assert report.exception == type(error).__name__
    assert len(report.message) <= 20000
    assert words_of(error) == report.message


# -- deaths ---------------------------------------------------------------------------------
def death(place, task, worker):
    """Record that a worker died of a task."""
    report = FailureReport(exception="WorkerDied", kind=DIED)
    record = death_record(task.key, 0, Origin(worker=worker), place.clock(), report)
    place.store.publish("", [record])


def test_a_task_that_a_worker_died_of_runs_apart(place):
    """In a process of its own; three deaths make it failed."""
    with place:
        task = plain(1)
    death(place, task, "a")
    apart = []

    def run_apart(node, epoch, timeout):
        from taskgraph import codecs

        apart.append(node)
        payload, digest = codecs.encode(1)
        return Ran(payload, digest, b"", 0.0, 0)

    assert place.work(run_apart=run_apart) == 0
    assert apart == [0]


def test_three_deaths_make_a_task_failed(place):
    """Of distinct workers: a death that two observers recorded counts once."""
    with place:
        task = plain(1)
    for worker in ("a", "a", "b"):
        death(place, task, worker)
    assert not place.worker().scheduler.count(FAILED)
    death(place, task, "c")
    assert place.work() == 1


def test_a_vanished_worker_is_blamed_at_the_start(place):
    """Its supervisor went with it; else a task that kills its machine would do so for ever."""
    with place:
        task = plain(1)
        for worker in ("a", "b"):
            death(place, task, worker)
    handle = place.store.handle()
    dead = handle.enter(Identity("gone", "boot", 3, "birth"))
    handle.claim(dead, [task.key])
    handle.running(dead, task.key)
    place.clock.advance(100)
    worker = place.worker()
    assert worker.run() == 1, "the third death"
    records = place.records(task)
    assert [record.kind for record in records] == [DEATH] * 3
    assert records[-1].origin.worker == dead


def test_a_list_older_than_a_tombstone_blames_nobody(place):
    """The death that it tells of was forgiven with the tombstone."""
    with place:
        task = plain(1)
    handle = place.store.handle()
    dead = handle.enter(Identity("gone", "boot", 3, "birth"))
    handle.running(dead, task.key)
    place.clock.advance(100)
    worker = place.worker()
    assert task.key in [info.running for info in worker.vigil._listing()]
    for name in ("a", "b"):
        death(place, task, name)
    handle.running(dead, b"")
    handle.invalidate([task.key], KILL_FAILURES, "retry")
    worker.vigil.start_over()
    worker.vigil.blame_dead(worker.outbox, worker.offset)
    worker.commit()
    assert [record.origin.worker for record in place.records(task)] == []


# -- listeners ------------------------------------------------------------------------------
class Loud(events.Listener):
    def __init__(self, error):
        self.error = error

    def task_done(self, task, seconds):
        raise self.error


@pytest.mark.parametrize(("error", "code"), [(SystemExit(), 3), (KeyError("oops"), 4)])
def test_a_listener_that_raises_stops_the_worker_in_good_order(place, error, code):
    """What was run is stored; no task is blamed."""
    with place:
        tasks = [plain(i) for i in range(3)]
    events.add_listener(Loud(error))
    worker = place.worker()
    assert worker.run() == code
    assert sum(place.store.present([task.key for task in tasks])) == worker.runner.executed >= 1
    assert place.store.failed_keys() == []
    assert place.store.workers() == []


def test_failures_are_told_to_listeners(place):
    """With the error itself."""
    told = []

    class Ear(events.Listener):
        def task_failed(self, task, error):
            told.append(error)

    NOW["error"] = ValueError("heard")
    with place:
        raises(1)
    events.add_listener(Ear())
    assert place.work() == 1
    assert told == [NOW["error"]]


def test_the_harness_shows_a_planted_fault(place):
    """A store that keeps no failure: the checks above would see it."""

    class Forgetful(type(place.store)):
        def publish(self, worker, records):
            super().publish(worker, [record for record in records if record.kind != FAILURE])

    forgetful = type(place)(place.clock, Forgetful(clock=place.clock))
    NOW["error"] = ValueError("no")
    with forgetful:
        task = raises(1)
    assert forgetful.work() == 1
    assert forgetful.records(task) == []
