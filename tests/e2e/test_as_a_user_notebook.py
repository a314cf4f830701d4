"""A notebook's session: its tasks run in its own process, beside workers elsewhere."""

from __future__ import annotations

import signal
import sys
import time

import pytest

import taskgraph
from taskgraph import TaskGenerator, ops
from taskgraph.errors import UsageError


@TaskGenerator
def square(x):
    """Write and multiply."""
    sys.stdout.write(f"square of {x}\n")
    return x * x


@TaskGenerator(isolate=True)
def total(numbers):
    """Add up."""
    return sum(numbers)


@TaskGenerator
def bad(x):
    """Fail."""
    raise ValueError(f"no {x}")


@TaskGenerator
def slow(x):
    """Take longer than a person waits."""
    time.sleep(30)
    return x


@pytest.fixture
def session(tmp_path):
    """Return an open session over a new store."""
    with taskgraph.session(tmp_path / "store", name="notebook") as opened:
        yield opened


def test_tasks_of_a_session_are_executed_here_once(session, capsys):
    result = total([square(i) for i in range(4)])
    outcome = ops.execute(session)
    assert (outcome.executed, outcome.done, outcome.exit_code) == (5, 5, 0)
    assert session.value(result) == 14
    assert ops.execute(session).executed == 0
    later = square(9)  # of a later cell
    assert ops.execute(session).executed == 1
    assert session.value(later) == 81
    assert capsys.readouterr().out == "", "what tasks print goes to their log"
    assert "square of 9" in ops.log(session, ops.find_task(session, later.hash())).text


def test_a_failure_is_stored_and_told(session, capsys):
    square(2)
    bad(1)
    outcome = ops.execute(session)
    assert (outcome.done, outcome.failed, outcome.exit_code) == (1, 1, 1)
    assert "ValueError: no 1" in capsys.readouterr().err
    assert ops.failures(session).count == 1


def test_several_workers_are_refused_with_the_way_out(session):
    square(2)
    with pytest.raises(UsageError, match=r"write the functions to a file .* got jobs=3"):
        ops.execute(session, jobs=3)


def test_an_interrupt_leaves_no_lock_behind(session):
    task = slow(1)
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        with pytest.raises(KeyboardInterrupt):
            ops.execute(session)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert not [info for info in session.store.workers() if info.keys or info.buckets]
    assert ops.status_of(session).totals.ready == 1
    assert not session.present([session.graph.index[task.key]])[0]
