"""States in bulk, the table, the snapshot, check and sleep_until."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from taskgraph.errors import StoreError, TaskError, UsageError
from taskgraph.ops import (
    check,
    open_session,
    quick_status,
    read_snapshot,
    states,
    status,
    status_of,
)
from taskgraph.ops import write_snapshot as write
from taskgraph.ops.sleep_until import Slept, judge, sleep_until, wait_for
from taskgraph.ops.states import BLOCKED, DONE, FAILED, READY, RUNNING, WAITING
from taskgraph.ops.status import SAMPLE, Status
from taskgraph.task import TaskGenerator


@TaskGenerator
def one(x):
    return x


@TaskGenerator(name="tests.two")
def two(a, b=0):
    return (a, b)


@TaskGenerator(retries=2)
def stubborn(x):
    return x


def test_every_state_has_its_tasks(bench):
    with bench.session:
        done, broken, held, free = one(1), one(2), one(3), one(4)
        blocked, waits, ready = two(broken), two(held, free), two(done)
        deep = one(blocked)
    bench.publish([done])
    bench.fail(broken)
    worker = bench.worker()
    bench.store.claim(worker, [held.key])
    bench.session.look()
    expected = {
        done: DONE,
        broken: FAILED,
        held: RUNNING,
        free: READY,
        blocked: BLOCKED,
        waits: WAITING,
        ready: READY,
        deep: BLOCKED,
    }
    found = states(bench.session)
    assert {task: found[bench.node(task)] for task in expected} == expected


def test_a_tasklet_is_an_edge(bench):
    with bench.session:
        first = one((1, 2))
        second = one(first[0][0])
    assert list(states(bench.session)) == [READY, WAITING]
    bench.fail(first)
    assert list(states(bench.session)) == [FAILED, BLOCKED]
    bench.publish([first])
    assert list(states(bench.session)) == [DONE, READY]
    assert bench.node(second) == 1


def test_a_bucket_lease_covers_the_ready_tasks_of_that_first_byte_alone(bench):
    with bench.session:
        tasks = [one(i) for i in range(600)]
        above = [one(task) for task in tasks]
    worker = bench.worker()
    bench.store.claim(worker, [tasks[0].key], coarse=True)
    found = states(bench.session)
    for task in tasks:
        expected = RUNNING if task.key[0] == tasks[0].key[0] else READY
        assert found[bench.node(task)] == expected
    assert {found[bench.node(task)] for task in above} == {WAITING}


def test_a_dead_worker_runs_nothing(bench):
    with bench.session:
        task = one(1)
    bench.store.claim(bench.worker(), [task.key])
    assert list(states(bench.session)) == [RUNNING]
    bench.now += 1000
    assert list(states(bench.session)) == [READY]


def test_a_failure_is_final_after_its_retries(bench):
    with bench.session:
        task = stubborn(1)
    for expected in (READY, READY, FAILED):
        bench.fail(task)
        assert list(states(bench.session)) == [expected]


def test_the_table_counts_means_and_guesses_the_rest(bench):
    with bench.session:
        parts = [one(i) for i in range(10)]
        two(parts[0], b=parts[1])
        two(parts[2])
    bench.publish(parts[:4], seconds=3.0)
    bench.worker()
    report = status_of(bench.session)
    assert [row.name.rpartition(".")[2] for row in report.rows] == ["one", "two"]
    first, second = report.rows
    assert (first.done, first.ready, first.total, first.mean_seconds) == (4, 6, 10, 3.0)
    assert (second.ready, second.waiting, second.done) == (2, 0, 0)
    assert second.mean_seconds is None
    assert first.bytes == 4 * bench.record(parts[0]).size
    assert report.totals.total == 12
    assert report.eta == pytest.approx((6 + 2) * 3.0)
    assert report.exit_code == 3
    assert not report.totals.estimated


def test_without_a_live_worker_there_is_no_eta(bench):
    with bench.session:
        tasks = [one(i) for i in range(2)]
    bench.publish(tasks[:1])
    assert status_of(bench.session).eta is None


def test_the_workers_are_listed_with_what_they_hold(bench):
    with bench.session:
        task = one(1)
    worker = bench.worker("node7")
    bench.store.claim(worker, [task.key])
    bench.store.running(worker, task.key)
    (row,) = status_of(bench.session).workers
    assert (row.host, row.alive, row.holds, row.running) == ("node7", True, 1, task.name)


def test_exit_codes(bench):
    with bench.session:
        tasks = [one(i) for i in range(2)]
    assert (check(bench.session).exit_code, status_of(bench.session).exit_code) == (3, 3)
    bench.publish(tasks[:1])
    bench.fail(tasks[1])
    assert (check(bench.session).exit_code, status_of(bench.session).exit_code) == (1, 1)
    bench.publish(tasks[1:])
    assert (check(bench.session).exit_code, status_of(bench.session).exit_code) == (0, 0)
    bench.session.stopped = True
    assert (check(bench.session).exit_code, status_of(bench.session).exit_code) == (3, 3)


def test_a_large_function_is_sampled_and_says_so(bench):
    with bench.session:
        tasks = [one(i) for i in range(SAMPLE + 5_000)]
    bench.publish(tasks)
    (row,) = status_of(bench.session).rows
    assert row.estimated
    assert row.done == len(tasks)
    assert row.bytes == len(tasks) * bench.record(tasks[0]).size


def test_the_snapshot_gives_the_same_status_without_the_jugfile(bench):
    with bench.session:
        parts = [one(i) for i in range(5)]
        last = two(parts, parts[0][0])
        stubborn(last)
    bench.publish(parts)
    bench.fail(last)
    bench.session.jugfile = Path("somewhere/x.py")
    bench.session.opaque.append(2)
    bench.session.jugfile = None
    before = status_of(bench.session)
    write(bench.session, clock=lambda: 77.0)
    again, written = read_snapshot(bench.session)
    assert written == 77.0
    assert status_of(again) == before
    assert again.opaque == [2]
    assert again.graph.tasks[-1].options.retries == 2
    with pytest.raises(TaskError, match="can't be run"):
        again.graph.tasks[0].call(lambda x: x)


def test_a_missing_or_damaged_snapshot_is_one_clear_error(bench):
    with pytest.raises(UsageError, match="taskgraph execute"):
        read_snapshot(bench.session)
    with bench.session:
        one(1)
    write(bench.session)
    data = bench.store.get_document("graph/session")
    for damaged in (b"", data[:-1], b"x" + data[1:], data[:30], data[:60] + b"zz" + data[62:]):
        bench.store.put_document("graph/session", damaged)
        with pytest.raises(StoreError, match="damaged"):
            read_snapshot(bench.session)


def test_waiting_ends_when_all_is_done(bench):
    with bench.session:
        tasks = [one(i) for i in range(3)]
    looks: list[Slept] = []

    def told(slept):
        looks.append(slept)
        if len(looks) <= 3:
            bench.publish([tasks[len(looks) - 1]])

    slept = wait_for(bench.session, lambda s: s, told=told)
    assert (slept.reason, slept.exit_code) == ("done", 0)
    assert [look.done for look in looks] == [0, 1, 2, 3]


def test_waiting_fails_when_the_graph_cannot_finish(bench):
    with bench.session:
        broken, other = one(1), one(2)
        two(broken)
    bench.fail(broken)
    assert judge(bench.session).reason == "failed"  # nobody lives to run the other one
    bench.worker()
    assert judge(bench.session).reason == ""  # the other one may still run
    bench.publish([other])
    assert judge(bench.session).reason == "failed"
    assert wait_for(bench.session, lambda s: s).exit_code == 1


def test_waiting_gives_up_in_time(bench):
    with bench.session:
        one(1)
    ticks = iter([0.0, 10.0])
    slept = wait_for(bench.session, lambda s: s, timeout=5.0, clock=lambda: next(ticks))
    assert (slept.reason, slept.exit_code) == ("time", 3)


def test_a_barrier_that_was_met_is_read_behind(bench):
    with bench.session:
        first = one(1)
    bench.publish([first])
    bench.session.stopped = True

    def again(before):
        with before:
            bench.publish([one(2)])
        before.stopped = False
        return before

    assert wait_for(bench.session, again) == Slept(2, 2, 0, "done")


def test_from_a_file_to_a_status(tmp_path: Path, monkeypatch, bench):
    """The verbs that begin with a path read the jugfile over the store they opened."""
    jugfile = tmp_path / "ops_little.py"
    jugfile.write_text(
        "from taskgraph import TaskGenerator, barrier\n"
        "@TaskGenerator\ndef f(x):\n    return x\n"
        "f(1)\nbarrier()\nf(2)\n"
    )
    opened = []

    def open_store(url, create=False):
        opened.append(url)
        return bench.store

    monkeypatch.setattr("taskgraph.ops.context.open_store", open_store)
    report = status(jugfile)
    assert opened == [str(tmp_path / "ops_little.taskgraph")]
    assert isinstance(report, Status)
    assert (report.stopped, report.totals.total, report.totals.ready) == (True, 1, 1)
    with pytest.raises(UsageError, match="snapshot"):
        quick_status(jugfile)

    session = open_session(jugfile)
    assert session.jugfile == jugfile
    assert session.module.f.name == "ops_little.f"
    write(session, clock=lambda: 10.0)
    quick = quick_status(jugfile, clock=lambda: 25.0)
    assert quick.age == 15.0
    assert replace(quick, age=None) == report
    bench.publish(session.graph.tasks)
    both = open_session(jugfile)
    bench.publish(both.graph.tasks)
    assert sleep_until(jugfile).exit_code == 0
    assert open_session(jugfile, read=False).module is None


def test_a_chain_of_a_hundred_thousand_has_a_status(bench):
    with bench.session:
        task = one(0)
        for _ in range(100_000):
            task = one(task)
    assert status_of(bench.session).totals.waiting == 100_000
    bench.publish(bench.session.graph.tasks)
    assert status_of(bench.session).exit_code == 0


BARRIER = """
from taskgraph import TaskGenerator, barrier

@TaskGenerator
def f(x):
    return x

f(1)
barrier()
f(2)
"""


@pytest.mark.parametrize("quick", [False, True])
def test_waiting_reads_on_behind_a_barrier(tmp_path: Path, monkeypatch, bench, quick):
    """The jugfile, or with ``quick`` the newest snapshot, is read again once all is done."""
    monkeypatch.setattr("taskgraph.ops.context.open_store", lambda url, create=False: bench.store)
    jugfile = tmp_path / "ops_barrier.py"
    jugfile.write_text(BARRIER)
    write(open_session(jugfile))
    looks: list[Slept] = []

    def told(slept):
        looks.append(slept)
        session = open_session(jugfile)
        write(session)
        bench.publish(session.graph.tasks[: len(looks)])

    slept = sleep_until(jugfile, quick=quick, told=told, timeout=100.0)
    assert slept == Slept(2, 2, 0, "done")
    assert looks[0].total == 1


def test_a_bucket_shows_in_the_table_of_workers(bench):
    with bench.session:
        tasks = [one(i) for i in range(600)]
    bench.store.claim(bench.worker(), [tasks[0].key], coarse=True)
    (row,) = status_of(bench.session).workers
    assert row.holds == sum(task.key[0] == tasks[0].key[0] for task in tasks)
    assert status_of(bench.session).totals.running == row.holds
