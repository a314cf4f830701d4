"""Signals, deaths and invalidates while real workers run."""

from __future__ import annotations

import os
import signal
import textwrap
import time
from pathlib import Path

import pytest

from taskgraph.ops import open_session
from taskgraph.ops.execute import execute
from taskgraph.testing.programs import finish, runs, start, wait_until

#: Seconds after which a process that does not end is a failure.
PATIENCE = 30.0


LONG = """
    import os, time, pathlib
    place = pathlib.Path({place!r})
    @TaskGenerator
    def work(x):
        (place / f"run-{{x}}-{{os.getpid()}}-{{time.monotonic_ns()}}").touch()
        time.sleep({seconds})
        return x
    results = [work(i) for i in range({count})]
"""


@pytest.fixture
def jugfile(tmp_path):
    """Return a function that writes a jugfile and returns its path."""

    def write(text, name="jugfile.py"):
        path = tmp_path / name
        path.write_text("from taskgraph import *\n" + textwrap.dedent(text))
        return path

    return write


@pytest.fixture
def long_job(jugfile, tmp_path):
    """Return (jugfile, place): a job whose tasks leave a file when they start."""

    def write(count, seconds):
        place = tmp_path / "place"
        place.mkdir()
        return jugfile(LONG.format(place=str(place), count=count, seconds=seconds)), place

    return write


def test_a_killed_worker_is_replaced_and_its_task_taken_over_within_two_seconds(long_job):
    """SIGKILL of a worker: no lease time is waited for on the same host."""
    path, place = long_job(6, 0.4)
    process = start(path, jobs=2)
    wait_until(lambda: len(runs(place)) >= 2, "two tasks run")
    number, pid = runs(place)[0]
    os.kill(pid, signal.SIGKILL)
    killed = time.monotonic()
    wait_until(lambda: len({p for n, p in runs(place) if n == number}) == 2, "taken over")
    assert time.monotonic() - killed < 2.0
    assert finish(process) == 0


def test_a_killed_supervisor_takes_its_workers_along_and_others_take_over(long_job):
    """Two supervisors; SIGKILL of one: its children die, the other finishes all."""
    path, place = long_job(8, 0.3)
    first, second = start(path), start(path)
    wait_until(lambda: len({pid for _, pid in runs(place)}) == 2, "both run")
    first.kill()
    first.wait(PATIENCE)
    first.stdout.close()
    assert finish(second) == 0
    assert {number for number, _ in runs(place)} == set(range(8))
    assert len(runs(place)) <= 9, "at most the task that was running runs again"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2])
def test_a_signal_lets_running_tasks_finish_and_leaves_a_clean_store(long_job, number):
    """Exit code 3 with work left; no lock, no owner record stays."""
    path, place = long_job(6, 0.3)
    process = start(path, jobs=2)
    wait_until(lambda: len(runs(place)) >= 2, "two tasks run")
    process.send_signal(number)
    assert finish(process) == 3
    session = open_session(path)
    assert sum(session.present()) == len(runs(place)), "what had started has a result"
    assert session.store.workers() == []
    assert execute(path).exit_code == 0


def test_a_second_interrupt_stops_at_once_and_no_failure_is_recorded(long_job):
    """The task is not to blame."""
    path, place = long_job(2, 60)
    process = start(path, grace=60.0)
    wait_until(lambda: runs(place), "a task runs")
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    assert finish(process) == 3
    assert time.monotonic() - began < 3
    session = open_session(path)
    assert session.store.workers() == []
    assert session.store.failed_keys() == []


PROGRAM = """
    import os, pathlib, subprocess, sys, time
    place = pathlib.Path({place!r})
    @TaskGenerator
    def work(x):
        (place / f"run-{{x}}-{{os.getpid()}}-{{time.monotonic_ns()}}").touch()
        if (place / "stopped").exists():
            return x
        text = f"import pathlib, time; pathlib.Path({{str(place / 'ready')!r}}).touch(); time.sleep(60)"
        subprocess.run([sys.executable, "-c", text], check=True)
        return x
    work(1)
"""


@pytest.mark.parametrize("programs_first", [True, False])
def test_a_cancelled_job_is_not_a_failed_task(jugfile, tmp_path, programs_first):
    """Schedulers signal the programs of a task too, in any order: the task failed of that."""
    place = tmp_path / "place"
    place.mkdir()
    path = jugfile(PROGRAM.format(place=str(place)))
    process = start(path)
    wait_until(lambda: (place / "ready").exists(), "the task's program runs")
    (program,) = [pid for pid in descendants(process.pid) if b"time.sleep(60)" in command_of(pid)]
    first, second = (program, process.pid) if programs_first else (process.pid, program)
    os.kill(first, signal.SIGTERM)
    time.sleep(0.1)
    os.kill(second, signal.SIGTERM)
    assert finish(process) == 3
    session = open_session(path)
    assert session.store.failed_keys() == []
    (place / "stopped").touch()
    assert execute(path).exit_code == 0


def test_a_program_that_is_killed_without_a_stop_is_a_failed_task(jugfile, tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    path = jugfile(PROGRAM.format(place=str(place)))
    process = start(path)
    wait_until(lambda: (place / "ready").exists(), "the task's program runs")
    (program,) = [pid for pid in descendants(process.pid) if b"time.sleep(60)" in command_of(pid)]
    os.kill(program, signal.SIGTERM)
    assert finish(process) == 1
    assert len(open_session(path).store.failed_keys()) == 1


def command_of(pid):
    """Return a process's command line; nothing when it has gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def descendants(pid):
    """Return the processes that a process started, with theirs."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *descendants(child)]
    return found


def test_the_grace_time_ends_tasks_that_do_not(long_job):
    """A walltime signal must not be waited out by a long task."""
    path, place = long_job(2, 60)
    process = start(path, grace=0.5)
    wait_until(lambda: runs(place), "a task runs")
    process.send_signal(signal.SIGTERM)
    assert finish(process) == 3


def test_no_result_begun_before_an_invalidate_comes_back(jugfile, tmp_path):
    """Workers run while their tasks are invalidated again and again.

    The result of each task is a counter outside the store, so that an old result is
    told from a new one; afterwards every result must be younger than the invalidate.
    """
    counter = tmp_path / "counter"
    counter.write_text("0")
    path = jugfile(f"""
        import pathlib, time
        counter = pathlib.Path({str(counter)!r})
        @TaskGenerator
        def first(x):
            now = int(counter.read_text())
            time.sleep(0.05)
            return now
        @TaskGenerator
        def second(x):
            time.sleep(0.02)
            return x
        @TaskGenerator
        def third(x, y): return min(x, y)
        a = [first(i) for i in range(6)]
        b = [second(x) for x in a]
        c = [third(x, y) for x, y in zip(b, b[1:])]
    """)
    processes = [start(path, jobs=2) for _ in range(2)]
    session = None
    for generation in range(1, 9):
        time.sleep(0.15)
        session = session or open_session(path, create=True)
        session.look()
        counter.write_text(str(generation))
        number = session.store.invalidate([task.key for task in session.module.a])
        assert number == generation
        session.look()
        assert 1 not in session.present() or generation <= min(
            value
            for node, there in enumerate(session.present())
            if there
            for value in [session.value(session.graph.tasks[node])]
        )
    assert [finish(process) for process in processes] == [0, 0]
    assert execute(path).exit_code == 0
    session.look()
    everything = session.value([session.module.a, session.module.b, session.module.c])
    assert {value for row in everything for value in row} == {8}
    assert session.store.check() == []
