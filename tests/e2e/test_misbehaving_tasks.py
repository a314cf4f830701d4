"""Tasks that misbehave in the process that runs them: no other task is harmed, nobody waits."""

from __future__ import annotations

import os
import signal
import textwrap
import time
from pathlib import Path

import pytest

from taskgraph.failures import FailureReport
from taskgraph.ops import open_session
from taskgraph.ops.execute import execute


@pytest.fixture
def jugfile(tmp_path):
    """Return a function that writes a jugfile and returns its path."""

    def write(text):
        path = tmp_path / "jugfile.py"
        head = f"import os, pathlib, signal, sys, time\nplace = pathlib.Path({str(tmp_path)!r})\n"
        path.write_text("from taskgraph import *\n" + head + textwrap.dedent(text))
        return path

    return write


def reports(path):
    """Return the failure reports of the whole store."""
    store = open_session(path).store
    return [FailureReport.of(r) for rs in store.failures(store.failed_keys()) for r in rs]


def test_what_a_task_changes_in_its_process_harms_no_other(jugfile):
    """Closed and replaced streams, another folder, an ignored signal, threads, huge output."""
    path = jugfile("""
        import tempfile, threading
        @TaskGenerator
        def misbehave(x):
            folder = tempfile.mkdtemp()
            os.chdir(folder)
            os.rmdir(folder)
            sys.stderr.write("e" * 3_000_000)
            sys.stdout.close()
            sys.stdout = open(os.devnull, "w")
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
            return x
        @TaskGenerator
        def after(x):
            print("seen")
            return os.path.exists("jugfile.py")
        @TaskGenerator
        def fails(x):
            print("tail")
            raise ValueError(x)
        results = [after(misbehave(i)) for i in range(5)]
        fails(results)
    """)
    here = Path.cwd()
    os.chdir(path.parent)
    try:
        outcome = execute(path)
    finally:
        os.chdir(here)
    assert (outcome.exit_code, outcome.done) == (1, 10)
    session = open_session(path)
    assert session.value(session.module.results) == [True] * 5
    (report,) = reports(path)
    assert report.log == "tail\n"


def test_a_task_that_forks_and_returns_twice_is_run_once(jugfile, tmp_path):
    """The copy of the worker ends; it publishes nothing and runs nothing more."""
    path = jugfile("""
        @TaskGenerator
        def fork(x):
            os.fork()
            return os.getpid()
        @TaskGenerator
        def note(x):
            with open(place / "runs", "a") as out: out.write("x")
        note(fork(1))
    """)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONWARNINGS", "ignore::DeprecationWarning")
        assert execute(path).exit_code == 0
    assert (tmp_path / "runs").read_text() == "x"


@pytest.mark.parametrize("isolate", [True, False])
def test_a_task_that_reads_the_keyboard_fails_at_once(jugfile, isolate):
    """No worker waits for a person."""
    path = jugfile(f"""
        @TaskGenerator(isolate={isolate})
        def ask(x): return input("well? ")
        ask(1)
    """)
    assert execute(path).exit_code == 1
    assert {report.exception for report in reports(path)} == {"EOFError"}


def test_hundreds_of_isolated_tasks_do_not_fill_the_line(jugfile):
    """Each end is told to the worker; told and not read, they would block the template."""
    path = jugfile("""
        @TaskGenerator(isolate=True)
        def f(x): return x
        for i in range(300): f(i)
    """)
    outcome = execute(path)
    assert (outcome.exit_code, outcome.done) == (0, 300)


def test_an_isolated_task_that_closes_its_output_still_returns(jugfile):
    """Python's stream and the descriptor."""
    path = jugfile("""
        @TaskGenerator(isolate=True)
        def f(x):
            sys.stdout.close()
            if x: os.close(1)
            return x
        f(0), f(1)
    """)
    assert execute(path).exit_code == 0


def test_an_orphaned_program_of_a_task_does_not_hold_up_the_caller(jugfile):
    """A background program that a task starts and forgets."""
    path = jugfile("""
        import subprocess
        @TaskGenerator
        def f(x):
            return subprocess.Popen(["sleep", "8"], start_new_session=True).pid
        a = f(1)
    """)
    began = time.monotonic()
    assert execute(path).exit_code == 0
    assert time.monotonic() - began < 6
    session = open_session(path)
    os.kill(session.value(session.module.a), signal.SIGKILL)


def test_a_name_behind_a_barrier_is_no_unknown_name(jugfile):
    """Reading stops before it, since only what is named is run: work left, exit code 3."""
    path = jugfile("""
        @TaskGenerator
        def early(x): return x
        @TaskGenerator
        def late(x): return x
        bvalue(early(1))
        late(2)
    """)
    outcome = execute(path, names=["late"])
    assert (outcome.exit_code, outcome.executed, outcome.stopped_at_barrier) == (3, 0, True)
    assert execute(path, names=["early"]).exit_code == 0
    outcome = execute(path, names=["late"])
    assert (outcome.exit_code, outcome.executed) == (0, 1)
