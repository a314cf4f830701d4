"""Many workers at one store: nothing is done twice, the shares are fair, company costs little.

Half of the supervisors lease their tasks one by one, the other half in batches and by the
bucket: the same tasks, so that the two granularities have to exclude each other. Each run
of a task is a line in a file of its process, and the lines are counted.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

JUGFILE = """
import os, pathlib, sys, time
from taskgraph import TaskGenerator

place = pathlib.Path({place!r})
single = sys.argv[1:] == ["single"]

def note(word):
    with open(place / str(os.getpid()), "a") as lines:
        lines.write(word + "\\n")
    time.sleep({seconds})

@TaskGenerator(batch=not single)
def first(i):
    note(f"first {{i}}")
    return i

@TaskGenerator(batch=not single)
def second(x, y):
    note(f"second {{x}} {{y}}")
    return x + y

below = [first(i) for i in range({tasks})]
for i in range({tasks}):
    second(below[i], below[i - 1])
"""


def start(path: Path, store: str | None, jobs: int, *argv: str) -> subprocess.Popen[str]:
    """Start a supervisor as a program of its own."""
    request = {"jugfile": str(path), "store": store, "options": {"jobs": jobs, "argv": argv}}
    process = subprocess.Popen(
        [sys.executable, "-m", "taskgraph.ops.execute"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(request))
    process.stdin.close()
    return process


def work(
    folder: Path,
    store: str | None,
    supervisors: list[tuple[str, ...]],
    jobs: int,
    tasks: int,
    seconds: float,
) -> tuple[dict[str, list[str]], float]:
    """Run ``2 * tasks`` tasks; return the runs of each process, and CPU seconds of all."""  # fmt: skip
    place = folder / "runs"
    place.mkdir(parents=True)
    path = folder / "job.py"
    path.write_text(JUGFILE.format(place=str(place), tasks=tasks, seconds=seconds))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    processes = [start(path, store, jobs, *argv) for argv in supervisors]
    assert [process.wait(300) for process in processes] == [0] * len(processes)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {file.name: file.read_text().splitlines() for file in place.iterdir()}, cpu


def twice(runs: dict[str, list[str]]) -> list[str]:
    """Return the tasks that ran more than once, in one process or in several."""
    count = Counter(task for lines in runs.values() for task in lines)
    return sorted(task for task, times in count.items() if times > 1)


def unfair(runs: dict[str, list[str]], workers: int, most: float) -> str:
    """Say which share is not fair: a worker without work, or with ``most`` times the mean."""
    total = sum(map(len, runs.values()))
    if len(runs) < workers:
        return f"{workers - len(runs)} of {workers} workers ran nothing"
    greatest = max(map(len, runs.values()))
    return f"one ran {greatest} of {total}" if greatest > most * total / workers else ""


def test_the_checkers_see_a_task_run_twice_and_an_unfair_share():
    assert twice({"1": ["first 1", "first 2"], "2": ["first 2"]}) == ["first 2"]
    assert unfair({"1": ["a"], "2": ["b"]}, 3, 2.0) == "1 of 3 workers ran nothing"
    assert unfair({"1": ["a"] * 9, "2": ["b"]}, 2, 1.5) == "one ran 9 of 10"
    assert unfair({"1": ["a"] * 5, "2": ["b"] * 5}, 2, 1.5) == ""


HALVES = [("single",), ()]


@pytest.fixture(params=["file", pytest.param("redis", marks=pytest.mark.redis)])
def store_of(request, tmp_path):
    """Return what makes the URL of a fresh store by name, on disk or on a server."""
    if request.param == "file":
        yield lambda name: str(tmp_path / f"{name}.taskgraph")
        return
    from taskgraph.testing.redis_server import RedisServer, need_server

    need_server()
    with RedisServer() as server:
        yield server.url


def test_sixteen_workers_run_nothing_twice(tmp_path, store_of):
    """The short form: two supervisors of eight workers, one leasing singly, one in batches."""
    runs, _ = work(tmp_path, store_of("crowd"), HALVES, 8, 400, 0.02)
    assert twice(runs) == []
    assert sum(map(len, runs.values())) == 800
    assert unfair(runs, 16, 3.0) == ""


@pytest.mark.stress
def test_sixty_four_workers_run_nothing_twice(tmp_path, store_of):
    """Eight supervisors of eight workers each, half of them leasing singly."""
    runs, _ = work(tmp_path, store_of("crowd"), HALVES * 4, 8, 8000, 0.02)
    assert twice(runs) == []
    assert sum(map(len, runs.values())) == 16000
    assert unfair(runs, 64, 3.0) == ""


#: Tasks of each kind in the smaller graph.
TASKS = 500
#: How many times the CPU 64 workers may take of what 8 take, for the same work: their number.
SAME_WORK = 8
#: And for eight times the work. Each of them takes in all results, of eight times as many
#: tasks, and on disk looks at every other's segment with each claim (docs/scale.md).
MORE_WORK = {"file": 40, "redis": 16}


@pytest.mark.stress
@pytest.mark.parametrize("argv", [(), ("single",)], ids=["batches", "singly"])
def test_cpu_grows_no_faster_than_the_number_of_workers(tmp_path, store_of, argv, record_property):
    """Eight workers, then 64 with the same work, and with eight times the work.

    All crowds are of supervisors of eight workers, so that start-up is shared alike. The
    ratios go into the report.
    """

    def used(supervisors: int, tasks: int) -> float:
        name = f"{supervisors}-{tasks}"
        store = store_of(name)
        runs, seconds = work(tmp_path / name, store, [argv] * supervisors, 8, tasks, 0.02)
        assert twice(runs) == []
        return seconds

    few, same, more = used(1, TASKS), used(8, TASKS), used(8, 8 * TASKS)
    record_property("same_work", round(same / few, 1))
    record_property("more_work", round(more / few, 1))
    assert same <= SAME_WORK * few, f"{few:.2f} s with 8 workers, {same:.2f} s with 64"
    most = MORE_WORK["redis" if "://" in store_of("kind") else "file"]
    assert more <= most * few, f"{few:.2f} s with 8 workers, {more:.2f} s with 64 and more work"
