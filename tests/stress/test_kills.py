"""Workers and supervisors killed at random under load: nothing lost, nothing wrong.

The seed is in the test's name; ``TASKGRAPH_STRESS_SECONDS`` lengthens it for a night.
"""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from taskgraph.ops import open_session
from taskgraph.ops.execute import execute
from taskgraph.ops.invalidate import retry
from taskgraph.testing.programs import finish, start

SECONDS = float(os.environ.get("TASKGRAPH_STRESS_SECONDS", "15"))

JUGFILE = """
import os, pathlib, time
from taskgraph import TaskGenerator
place = pathlib.Path({place!r})
@TaskGenerator
def short(i): return i
@TaskGenerator
def middle(x, y):
    (place / str(os.getpid())).touch()
    time.sleep(0.003)
    return x + y
@TaskGenerator
def large(x):
    import numpy as np
    return np.full(30000, x)
@TaskGenerator
def total(xs): return sum(int(x[0]) for x in xs)
first = [short(i) for i in range(3000)]
second = [middle(first[i], first[-i - 1]) for i in range(1200)]
third = [large(x) for x in second[:200]]
result = total(third)
"""


def alive(pid: int) -> bool:
    """Tell whether a process is there and is one of ours: numbers are used again."""
    try:
        return b"taskgraph" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return False


@pytest.mark.stress
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_kills_lose_nothing(tmp_path, seed):
    """Three supervisors of two workers; one process is killed every quarter of a second.

    A task that ran while three workers were killed counts as failed, which is the rule;
    ``retry`` forgives it here, since the kills were not its fault.
    """
    place = tmp_path / "pids"
    place.mkdir()
    path = tmp_path / "job.py"
    path.write_text(JUGFILE.format(place=str(place)))
    rng = random.Random(seed)
    processes, kills = [], 0
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        for process in [p for p in processes if p.poll() is not None]:
            finish(process)
            processes.remove(process)
        while len(processes) < 3:
            processes.append(start(path, jobs=2))
        time.sleep(rng.uniform(0.05, 0.45))
        workers = [int(file.name) for file in place.iterdir() if alive(int(file.name))]
        victim = rng.choice([*workers, *(process.pid for process in processes)])
        os.kill(victim, signal.SIGKILL)
        kills += 1
    for process in processes:
        finish(process)
    assert kills > SECONDS
    outcome = execute(path)
    if outcome.failed:
        session = open_session(path)
        session.writes = True
        retry(session, range(len(session.graph)))
        outcome = execute(path)
    assert (outcome.exit_code, outcome.done) == (0, outcome.total)
    session = open_session(path)
    module = session.module
    assert session.value(module.first) == list(range(3000))
    assert session.value(module.second) == [2999] * 1200
    assert session.value(module.result) == 2999 * 200
    assert session.store.check() == []
