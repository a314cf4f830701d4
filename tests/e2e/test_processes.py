"""Processes that die, hang, misbehave or have nothing to do: exit codes, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from taskgraph.errors import TaskGraphError
from taskgraph.failures import FailureReport
from taskgraph.ops import open_session
from taskgraph.ops.execute import execute

PATIENCE = 20.0
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture
def jugfile(tmp_path):
    """Return a function that writes a jugfile and returns its path."""

    def write(text):
        path = tmp_path / "jugfile.py"
        head = f"import os, pathlib, signal, sys, time\nplace = pathlib.Path({str(tmp_path)!r})\n"
        path.write_text("from taskgraph import *\n" + head + textwrap.dedent(text))
        return path

    return write


@pytest.fixture
def start(tmp_path):
    """Return a function that starts ``execute`` as a program; what it left behind is an error."""
    started = []

    def begin(path, **options):
        request = {"jugfile": str(path), "store": None, "options": options}
        errors = (tmp_path / "stderr").open("w")
        process = subprocess.Popen(
            [sys.executable, "-m", "taskgraph.ops.execute"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, "PLACE_OF_TEST": str(tmp_path)},
        )
        errors.close()
        process.stdin.write(json.dumps(request))
        process.stdin.close()
        started.append(process)
        return process

    yield begin
    for process in started:
        process.stdout.close()
    wait_until(lambda: not marked(tmp_path), "all processes have ended")


def marked(place):
    """Return the pids of living processes that were started with this test's mark."""
    mark = f"PLACE_OF_TEST={place}\0".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            ours = mark in (folder / "environ").read_bytes()
            dead = (folder / "stat").read_text().rpartition(")")[2].split()[0] in "ZX"
        except OSError:
            continue
        if ours and not dead:
            found.append(int(folder.name))
    return found


def wait_until(condition, what):
    """Look again and again, for a while."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.02)


def children_of(pid):
    """Return the pids of a process's children."""
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def finish(process):
    """Wait for its end; return (exit code, outcome)."""
    code = process.wait(PATIENCE)
    return code, json.loads(process.stdout.read())


def pid_in(path):
    """Wait for a file with a number in it."""
    wait_until(lambda: path.exists() and path.read_text(), path.name)
    return int(path.read_text())


def reports(path):
    """Return the failure reports of the whole store."""
    store = open_session(path).store
    return [FailureReport.of(r) for rs in store.failures(store.failed_keys()) for r in rs]


HANGS = """
    @TaskGenerator
    def hang(x):
        (place / "running").write_text(str(os.getpid()))
        time.sleep(60)
    hang(1)
"""


# -- dying ----------------------------------------------------------------------------------
def test_a_killed_template_ends_the_run_with_4_and_leaves_no_orphan(jugfile, start, tmp_path):
    """Its workers go with it; no task is blamed, no lock stays."""
    path = jugfile(HANGS)
    process = start(path, jobs=2)
    pid_in(tmp_path / "running")
    (template,) = children_of(process.pid)
    os.kill(template, signal.SIGKILL)
    code, outcome = finish(process)
    assert (code, outcome["exit_code"]) == (4, 4)
    assert "SIGKILL" in outcome["error"]
    session = open_session(path)
    assert session.store.workers() == []
    assert session.store.failed_keys() == []


def test_a_supervisor_killed_while_the_jugfile_is_read_takes_the_template_along(
    jugfile, start, tmp_path
):
    """The fixture looks for what is left."""
    path = jugfile("(place / 'reading').write_text(str(os.getpid()))\ntime.sleep(60)\n")
    process = start(path)
    pid_in(tmp_path / "reading")
    process.kill()
    process.wait(PATIENCE)


@pytest.mark.parametrize("signals", [1, 2])
def test_an_interrupt_while_the_jugfile_is_read_is_no_success(jugfile, start, tmp_path, signals):
    """Exit code 3: nothing has been done. The second one, or the grace time, ends the reading."""
    path = jugfile("(place / 'reading').write_text(str(os.getpid()))\ntime.sleep(60)\n")
    process = start(path, grace=0.2 if signals == 1 else 60.0)
    pid_in(tmp_path / "reading")
    for _ in range(signals):
        process.send_signal(signal.SIGINT)
        time.sleep(0.15)
    assert finish(process)[0] == 3


def test_two_interrupts_end_a_jugfile_that_reads_on_after_a_barrier(jugfile, start, tmp_path):
    """Workers have come and gone; their pids are not waited for."""
    path = jugfile("""
        @TaskGenerator
        def f(x): return x
        bvalue(f(1))
        (place / "reading").write_text("1")
        time.sleep(60)
    """)
    process = start(path, grace=60.0)
    pid_in(tmp_path / "reading")
    time.sleep(0.3)
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.15)
    assert finish(process)[0] == 3


def test_a_signal_after_a_stop_file_still_ends_a_task_that_does_not(jugfile, start, tmp_path):
    """The stop file asks for no new tasks, and says nothing of a grace time."""
    path = jugfile(HANGS)
    process = start(path, stop_files=[str(tmp_path / "stop")], grace=0.3)
    pid_in(tmp_path / "running")
    (tmp_path / "stop").touch()
    wait_until(lambda: "is there" in (tmp_path / "stderr").read_text(), "the stop file is seen")
    process.send_signal(signal.SIGTERM)
    assert finish(process)[0] == 3


def test_workers_that_die_before_they_sign_end_in_3_with_a_message(jugfile, start, tmp_path):
    """Not 0, although no count was ever written, and not in an endless row."""
    path = jugfile("""
        @TaskGenerator
        def f(x): return x
        f(1)
        import taskgraph.employment
        taskgraph.employment.identity = lambda: os.kill(os.getpid(), 9)
    """)
    code, outcome = finish(start(path))
    assert code == 3
    assert (outcome["done"], outcome["remaining"], outcome["total"]) == (0, 1, 1)
    assert "21 workers died" in (tmp_path / "stderr").read_text()


def test_a_template_that_ends_itself_is_no_success(jugfile):
    """``os._exit(0)`` in the jugfile."""
    with pytest.raises(TaskGraphError, match="must not end by itself"):
        execute(jugfile("@TaskGenerator\ndef f(x): return x\nf(1)\nos._exit(0)\n"))


@pytest.mark.parametrize("code", [0, 3])
def test_a_task_that_ends_its_process_is_a_death_and_no_end_of_the_worker(jugfile, code):
    """With an exit code that a worker may have: the task fails, the rest is done."""
    path = jugfile(f"""
        @TaskGenerator
        def leaves(x): os._exit({code})
        @TaskGenerator
        def f(x): return x
        leaves(1)
        for i in range(50): f(i)
    """)
    outcome = execute(path)
    assert (outcome.exit_code, outcome.done, outcome.failed) == (1, 50, 1)
    assert {report.exception for report in reports(path)} == {"WorkerDied", "ChildDied"}


def test_a_worker_whose_owner_record_was_tidied_away_goes_on(jugfile, start, tmp_path):
    """As after a stop of two lease times."""
    path = jugfile("""
        @TaskGenerator
        def f(x):
            time.sleep(0.05)
            return x
        for i in range(30): f(i)
    """)
    process = start(path)
    store = None
    wait_until((tmp_path / "jugfile.taskgraph" / "store.json").exists, "a store")
    store = open_session(path).store
    wait_until(lambda: any(info.keys or info.running for info in store.workers()), "a worker")
    for info in store.workers():
        store.leave(info.worker)
    code, outcome = finish(process)
    assert (code, outcome["done"]) == (0, 30)
    assert "under a new id" in (tmp_path / "stderr").read_text()
    assert store.workers() == []


# -- nothing or little to do ----------------------------------------------------------------
@pytest.mark.parametrize("count", [0, 1])
def test_more_workers_than_tasks(jugfile, count):
    """Also none at all; and again when all is done."""
    path = jugfile(f"@TaskGenerator\ndef f(x): return x\nfor i in range({count}): f(i)\n")
    for executed in (count, 0):
        outcome = execute(path, jobs=4)
        assert (outcome.exit_code, outcome.executed, outcome.done) == (0, executed, count)


def test_a_jugfile_that_prints_and_exits_with_0(jugfile):
    """What it and its programs print is no part of the answer."""
    path = jugfile("""
        print("reading")
        os.system("echo from a program; printf unfinished")
        @TaskGenerator
        def f(x):
            os.system("printf more")
            return x
        f(1)
        sys.exit(0)
    """)
    outcome = execute(path)
    assert (outcome.exit_code, outcome.done) == (0, 1)


def test_executed_counts_the_workers_of_every_phase(jugfile):
    """A slot is used again after a barrier; what was done before it still counts."""
    path = jugfile("""
        @TaskGenerator
        def f(x): return x
        for i in range(5):
            bvalue([f(10 * i + k) for k in range(10)])
    """)
    outcome = execute(path, jobs=2)
    assert (outcome.exit_code, outcome.executed, outcome.done) == (0, 50, 50)


# -- what tasks leave behind ------------------------------------------------------------
@pytest.mark.parametrize("options", ["isolate=True", "timeout=0.5"])
def test_what_an_isolated_task_leaves_behind_ends_with_it(jugfile, start, tmp_path, options):
    """A child of its own holds every descriptor open; neither the worker nor anybody waits."""
    path = jugfile(f"""
        @TaskGenerator({options})
        def leaves_child(x):
            if not os.fork():
                time.sleep(60)
                os._exit(0)
            if "timeout" in {options!r}:
                time.sleep(60)
            os.kill(os.getpid(), 11)
        leaves_child(1)
    """)
    began = time.monotonic()
    code, _ = finish(start(path))
    assert code == 1
    assert time.monotonic() - began < 5


def test_a_listener_that_raises_is_the_jugfile_s_error(jugfile, start, tmp_path):
    """Exit code 4 and what it raised; no task is blamed, no worker dies in a row."""
    path = jugfile("""
        from taskgraph.events import Listener, add_listener
        class Broken(Listener):
            def task_done(self, task, seconds): raise KeyError("oops")
        add_listener(Broken())
        @TaskGenerator
        def f(x): return x
        for i in range(5): f(i)
    """)
    assert finish(start(path))[0] == 4
    assert "KeyError: 'oops'" in (tmp_path / "stderr").read_text()
    assert reports(path) == []
