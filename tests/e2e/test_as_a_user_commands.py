"""What a person meets at the command line, each command as a program of its own."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import textwrap

import pytest

COMMAND = [sys.executable, "-m", "taskgraph"]


@pytest.fixture
def room(tmp_path, monkeypatch):
    """Return a function that writes a jugfile into the empty folder that is current."""
    monkeypatch.chdir(tmp_path)

    def write(text, name="cells.py"):
        (tmp_path / name).write_text("from taskgraph import *\n" + textwrap.dedent(text))

    return write


GOOD = """
    @TaskGenerator
    def work(x):
        return x
    @TaskGenerator
    def total(xs):
        return sum(xs)
    total([work(i) for i in range(3)])
"""

BAD = """
    @TaskGenerator
    def work(x):
        print("looking at", x)
        raise ValueError("no")
    work(1)
"""


def run(*words, code=0):
    """Run a command; return what it wrote, standard error behind standard output."""
    done = subprocess.run(
        [*COMMAND, *words], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def shell(line):
    """Run ``$T ...`` in a shell; return (exit status, standard output, standard error)."""
    done = subprocess.run(
        ["/bin/bash", "-c", line],
        env={**os.environ, "T": " ".join(COMMAND)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_execute_names_the_line_of_a_jugfile_that_raises(room):
    """As `status` does: one line with the place, and how to see more; nothing was stored."""
    room("def f():\n    raise RuntimeError('broke')\nf()")
    for command in ("execute", "status"):
        told = run(command, "cells.py", code=4)
        assert "cells.py raised RuntimeError: broke (at cells.py:3)\n  (-v shows" in told
        assert "Traceback" not in told


def test_a_jugfile_without_tasks_is_said_to_be_one(room):
    room("")
    assert "the jugfile makes no tasks" in run("execute", "cells.py")


def test_what_a_failed_task_printed_stands_under_a_title(room):
    room(BAD)
    assert "0 tasks run" in run("execute", "cells.py", code=1)
    told = run("failures", "cells.py", "--traceback")
    assert "    ValueError: no\n    what it printed:\n    looking at 1\n" in told


def test_invalidate_of_failures_says_what_it_does(room):
    """A failed task has no result that could be listed, and is tried again all the same."""
    room(BAD)
    run("execute", "cells.py", code=1)
    told = run("invalidate", "cells.py", "--failed", "--yes")
    assert "no results to remove; failures of 1 task" in told
    assert "1 ready" in run("status", "cells.py", "--short", code=3)


def test_a_debugger_that_meets_no_failure_says_why(room):
    room(BAD)
    run("execute", "cells.py", code=1)
    assert "`taskgraph retry` first" in run("execute", "cells.py", "--pdb", code=1)


def test_the_ending_of_the_output_is_the_format_of_a_graph(room, tmp_path):
    """`-o x.mmd` holds mermaid; a format that is not drawn is refused, not filled with text."""
    room(GOOD)
    run("execute", "cells.py")
    run("graph", "cells.py", "-o", "x.mmd")
    assert (tmp_path / "x.mmd").read_text().startswith("graph LR")
    run("graph", "cells.py", "-o", "x.txt")
    assert (tmp_path / "x.txt").read_text().startswith("digraph")
    assert "svg or png; got --output x.pdf" in run("graph", "cells.py", "-o", "x.pdf", code=2)
    assert not (tmp_path / "x.pdf").exists()


def test_show_tells_when_a_result_was_made_as_a_date(room):
    room(GOOD)
    run("execute", "cells.py")
    told = run("show", "cells.py", "total")
    assert re.search(r"started +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d\n", told)


def test_a_lack_of_memory_is_told_in_units_that_can_be_typed(room):
    room("""
        @TaskGenerator(resources={"memory": "900T"})
        def work(x):
            return x
        work(1)
    """)
    told = run("execute", "cells.py", code=3)
    assert "work needs memory=900T" in told
    assert "--resources memory=900T" in told
    assert "e+" not in told


@pytest.mark.parametrize(
    "option", ["timeout='1h'", "retries='2'", "retry_delay='1s'"], ids=lambda o: o.split("=")[0]
)
def test_an_option_of_a_task_that_is_no_number_is_refused_with_its_name(room, option):
    room(f"@TaskGenerator({option})\ndef work(x):\n    return x")
    told = run("execute", "cells.py", code=4)
    assert f"TaskGenerator: {option.split('=')[0]} is a number" in told
    assert "at cells.py:2" in told


def test_a_barrier_that_is_not_met_is_told_once(room):
    room("""
        @TaskGenerator
        def work(x):
            raise ValueError("no")
        work(1)
        barrier()
    """)
    run("execute", "cells.py", code=1)
    assert run("status", "cells.py", code=1).count("barrier") == 1


def test_outputs_that_are_closed_or_full_make_no_traceback(room):
    """`>&-`, `2>&-` and /dev/full: the work is done, and what is said stays one line."""
    room(GOOD)
    assert shell("$T execute cells.py 2>&-")[0] == 0
    assert shell("$T status cells.py >&-") == (0, "", "")
    assert shell("$T status cells.py >&- 2>&-") == (0, "", "")
    code, _, told = shell("$T status cells.py > /dev/full")
    assert code == 4
    assert (
        told == "taskgraph: error: what was asked for can't be written: No space left on device\n"
    )
    code, _, told = shell("set -o pipefail; $T status cells.py --json | true")
    assert code in (0, 141)
    assert "Traceback" not in told


def test_an_interrupted_run_counts_what_all_its_workers_did(room):
    """The summary agrees with `status`, also about tasks that ended after the signal."""
    room("""
        import time
        @TaskGenerator
        def work(x):
            time.sleep(0.2 + 0.1 * (x % 3))
            return x
        [work(i) for i in range(60)]
    """)
    _, told, _ = shell("timeout -s INT 2 $T execute cells.py -j 3")
    assert "stopped by SIGINT" in told
    done = re.search(r"(\d+) of 60 done", told)
    assert done is not None
    assert f"{done[1]} done" in run("status", "cells.py", "--short", code=3)
    ran = re.match(r"(\d+) tasks? run", told)
    assert ran is not None
    assert ran[1] == done[1]


def test_a_no_removes_nothing_and_is_no_interruption(room):
    """Asked on a terminal."""
    room(GOOD)
    run("execute", "cells.py")
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "invalidate", "cells.py", "--name", "work"],
        stdin=slave,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    os.write(master, b"n\n")
    told, _ = process.communicate(timeout=60)
    os.close(master)
    os.close(slave)
    assert process.returncode == 130
    assert told.endswith("taskgraph: nothing was removed\n")
    assert "4 done" in run("status", "cells.py", "--short")


def test_json_of_execute_is_alone_on_standard_output(room):
    """Whatever the jugfile prints while it is read."""
    room(GOOD + "    print('reading')\n")
    for more in ((), ("--no-template",)):
        code, told, other = shell(f"$T execute cells.py --json {' '.join(more)}")
        assert code == 0
        assert json.loads(told)["done"] == 4
        assert "reading" in other


def test_a_jugfile_with_a_dot_in_its_name_needs_no_ending(room):
    room(GOOD, "cells.v2.py")
    run("execute", "cells.v2")
    assert "4 done" in run("status", "cells.v2", "--short")


def test_results_carried_over_to_a_new_name_can_be_kept(room):
    """A function changed in more than its name counts as changed; `rekey` says how to keep it."""
    room(GOOD)
    run("execute", "cells.py")
    room(GOOD.replace("work", "labour").replace("return x\n", "return +x\n"))
    assert "`taskgraph stale --accept` keeps" in run(
        "rekey", "cells.py", "cells.work", "cells.labour"
    )
    assert "3 stale" in run("status", "cells.py", "--short")
    run("stale", "cells.py", "--accept")
    assert run("status", "cells.py", "--short") == "4 tasks: 4 done\n"
    assert "0 tasks run" in run("execute", "cells.py")


def test_a_function_that_changed_its_name_alone_is_not_stale(room):
    room(GOOD)
    run("execute", "cells.py")
    room(GOOD.replace("work", "labour"))
    run("rekey", "cells.py", "cells.work", "cells.labour")
    assert run("status", "cells.py", "--short") == "4 tasks: 4 done\n"


def test_a_damaged_result_is_not_shown_as_done(room, tmp_path):
    """`show` reads the result that it previews, and tells the state as it is after that."""
    room("""
        import numpy as np
        @TaskGenerator
        def work(x):
            return np.random.default_rng(x).random(100_000)
        work(1)
    """)
    run("execute", "cells.py")
    (blob,) = (tmp_path / "cells.taskgraph" / "blobs").rglob("*.*")
    blob.chmod(0o600)
    with blob.open("r+b") as file:
        file.truncate(1000)
    told = run("show", "cells.py", "work")
    assert "is damaged and counts as absent" in told
    assert "state: ready" in told
    assert "1 task run" in run("execute", "cells.py")
