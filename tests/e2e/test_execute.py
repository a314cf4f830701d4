"""``execute`` with real processes: failures, isolation, barriers, signals, deaths."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from taskgraph.errors import JugfileError, TaskGraphError
from taskgraph.failures import FailureReport
from taskgraph.ops import open_session
from taskgraph.ops.execute import execute, run_here

PATIENCE = 30.0


@pytest.fixture
def jugfile(tmp_path):
    """Return a function that writes a jugfile and returns its path."""

    def write(text, name="jugfile.py"):
        path = tmp_path / name
        path.write_text("from taskgraph import *\n" + textwrap.dedent(text))
        return path

    return write


def failures_of(path, name):
    """Return the failure reports of the only task of this name."""
    session = open_session(path)
    (task,) = [task for task in session.graph.tasks if task.name.endswith("." + name)]
    (records,) = session.store.failures([task.key])
    return [(record.kind, FailureReport.of(record)) for record in records]


@pytest.mark.parametrize("jobs", [1, 3])
def test_everything_runs_once_and_a_second_run_runs_nothing(jugfile, tmp_path, jobs):
    """Fan-out, fan-in and tasklets, with one worker and with several."""
    path = jugfile(f"""
        @TaskGenerator
        def double(x):
            with open({str(tmp_path / "runs")!r}, "a") as out:
                out.write(f"{{x}}\\n")
            return 2 * x, x
        @TaskGenerator
        def total(xs): return sum(xs)
        pairs = [double(i) for i in range(200)]
        result = total([pair[0] for pair in pairs])
    """)
    outcome = execute(path, jobs=jobs)
    assert (outcome.exit_code, outcome.executed, outcome.done) == (0, 201, 201)
    assert sorted(map(int, (tmp_path / "runs").read_text().split())) == list(range(200))
    session = open_session(path)
    assert session.value(session.module.result) == sum(range(0, 400, 2))
    again = execute(path, jobs=jobs)
    assert (again.exit_code, again.executed, again.done) == (0, 0, 201)
    assert session.store.check() == []


def test_a_failure_is_recorded_and_everything_else_goes_on(jugfile):
    """Traceback, what was printed, host; dependents blocked; exit code 1."""
    path = jugfile("""
        @TaskGenerator
        def bad(x):
            print("just before")
            raise ValueError("no luck")
        @TaskGenerator
        def good(x): return x
        a = good(bad(1))
        b = [good(i) for i in range(10)]
    """)
    outcome = execute(path)
    assert outcome.exit_code == 1
    assert (outcome.done, outcome.failed, outcome.blocked) == (10, 1, 1)
    ((_, report),) = failures_of(path, "bad")
    assert report.exception == "ValueError"
    assert report.log == "just before\n"
    assert 'raise ValueError("no luck")' in report.traceback
    assert "taskgraph/runner" not in report.traceback
    assert execute(path).executed == 0, "the same code waits for retry"


def test_the_log_of_a_failure_is_what_its_own_task_printed(jugfile):
    """Also among short tasks of one function that are run in a row."""
    path = jugfile("""
        @TaskGenerator
        def chatty(x):
            print("I am", x, end="")
            if x == 700: raise ValueError(x)
            return x
        numbers = [chatty(i) for i in range(1000)]
    """)
    assert execute(path).failed == 1
    session = open_session(path)
    (key,) = session.store.failed_keys()
    ((record,),) = session.store.failures([key])
    assert FailureReport.of(record).log == "I am 700"


def test_changed_code_tries_again_by_itself(jugfile):
    """A failure keeps the fingerprint of the code that failed."""
    text = """
        @TaskGenerator
        def f(x): {body}
        a = f(1)
    """
    assert execute(jugfile(text.format(body="raise ValueError(x)"))).exit_code == 1
    path = jugfile(text.format(body="return x + 1"))
    outcome = execute(path)
    assert (outcome.exit_code, outcome.executed) == (0, 1)


def test_retries_with_a_delay(jugfile, tmp_path):
    """Two failures, then a result; all attempts are in the store."""
    path = jugfile(f"""
        import pathlib
        count = pathlib.Path({str(tmp_path / "count")!r})
        @TaskGenerator(retries=2, retry_delay=0.01)
        def flaky(x):
            n = int(count.read_text()) if count.exists() else 0
            count.write_text(str(n + 1))
            if n < 2:
                raise RuntimeError(f"attempt {{n}}")
            return n
        a = flaky(1)
    """)
    outcome = execute(path)
    assert (outcome.exit_code, outcome.done) == (0, 1)
    assert [report.message for _, report in failures_of(path, "flaky")] == [
        "attempt 0",
        "attempt 1",
    ]


@pytest.mark.parametrize(
    ("options", "body", "exception"),
    [
        ("isolate=True", "os.kill(os.getpid(), 11)", "ChildDied"),
        ("isolate=True", "os._exit(7)", "ChildDied"),
        ("isolate=True", "raise KeyError(x)", "KeyError"),
        ("timeout=0.3", "print('looping', flush=True)\n    while True: pass", "ChildTimeout"),
        ("", "os.kill(os.getpid(), 11)", "ChildDied"),
        ("", "return (i for i in range(3))", "CodecError"),
        ("", "return other(x)", "TaskError"),
    ],
)
def test_a_task_that_ends_badly_harms_no_other(jugfile, options, body, exception):
    """Crash, exit, endless loop, unpicklable result, a task made inside a task."""
    path = jugfile(
        f"""
import os
@TaskGenerator
def other(x): return x
@TaskGenerator({options})
def ends_badly(x):
    {body}
a = ends_badly(other(1))
b = [other(i) for i in range(20)]
"""
    )
    outcome = execute(path, jobs=2)
    assert (outcome.exit_code, outcome.done, outcome.failed) == (1, 20, 1)
    reports = [report for _, report in failures_of(path, "ends_badly")]
    assert exception in {report.exception for report in reports}
    if "looping" in body:
        assert reports[0].log == "looping\n"


def test_isolated_tasks_with_array_libraries(jugfile):
    """A child of the template is safe where a child of a worker would hang."""
    pytest.importorskip("sklearn")
    path = jugfile("""
        import numpy as np
        from sklearn.ensemble import RandomForestClassifier
        @TaskGenerator
        def table(n):
            x = np.random.default_rng(n).normal(size=(60, 4))
            return x, (x[:, 0] > 0).astype(int)
        def fit(data):
            model = RandomForestClassifier(5, n_jobs=2, random_state=0).fit(*data)
            return model.score(*data)
        inside = TaskGenerator(fit, name="inside")
        apart = TaskGenerator(fit, name="apart", isolate=True)
        data = [table(i) for i in range(3)]
        scores = [inside(d) for d in data] + [apart(d) for d in data]
    """)
    outcome = execute(path)
    assert (outcome.exit_code, outcome.done) == (0, 9)
    session = open_session(path)
    scores = session.value(session.module.scores)
    assert scores[:3] == scores[3:]


def test_barriers_are_waited_for_and_the_jugfile_is_read_once(jugfile, tmp_path):
    """bvalue, barrier and CachedFunction, with several workers."""
    path = jugfile(f"""
        with open({str(tmp_path / "reads")!r}, "a") as out:
            out.write("x")
        @TaskGenerator
        def count(x): return x
        @TaskGenerator
        def square(x): return x * x
        def names(): return ["a", "b"]
        n = bvalue(count(4))
        squares = [square(i) for i in range(n)]
        barrier()
        total = square(sum(value(squares)))
        for name in CachedFunction(names):
            count(name)
    """)
    outcome = execute(path, jobs=2)
    assert (outcome.exit_code, outcome.done, outcome.total) == (0, 9, 9)
    assert (tmp_path / "reads").read_text() == "x"


def test_a_barrier_that_a_failure_blocks_ends_the_reading(jugfile):
    """Exit code 1, and what does not depend on it has run."""
    path = jugfile("""
        @TaskGenerator
        def f(x):
            if x == 3: raise ValueError(x)
            return x
        xs = [f(i) for i in range(6)]
        barrier()
        never = f(100)
    """)
    outcome = execute(path, jobs=2)
    assert outcome.exit_code == 1
    assert (outcome.done, outcome.failed, outcome.stopped_at_barrier) == (5, 1, True)


def test_an_idle_worker_starts_soon_on_what_another_made_ready(jugfile):
    """The other worker's result is noticed while the first is still busy."""
    path = jugfile("""
        import time
        @TaskGenerator
        def slow(x, seconds):
            time.sleep(seconds)
            return time.time()
        @TaskGenerator
        def after(x): return time.time() - x
        ends = [slow(i, 0.5 + i) for i in range(2)]
        gap = [after(e) for e in ends]
    """)
    assert execute(path, jobs=3).exit_code == 0
    session = open_session(path)
    assert max(session.value(session.module.gap)) < 0.3


def test_bad_input_is_one_clear_error_before_anything_runs(jugfile, tmp_path):
    """A jugfile that is missing, broken or raises; a store that can't be one."""
    with pytest.raises(JugfileError, match="no jugfile"):
        run_here(tmp_path / "missing.py")
    with pytest.raises(TaskGraphError, match="raised ZeroDivisionError"):
        execute(jugfile("1 / 0"))
    with pytest.raises(TaskGraphError, match="SyntaxError"):
        execute(jugfile("def f(:"))
    good = jugfile("@TaskGenerator\ndef f(x): return x\nf(1)\n")
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("precious")
    with pytest.raises(TaskGraphError, match="store"):
        execute(good, str(foreign))
    assert [path.name for path in foreign.iterdir()] == ["thesis.txt"]


def test_resources_are_shared_and_a_lack_is_said(jugfile, tmp_path):
    """Two tasks of half the budget never run with a third; too much is never run."""
    place = tmp_path / "now"
    place.mkdir()
    path = jugfile(f"""
        import os, pathlib, time
        place = pathlib.Path({str(place)!r})
        @TaskGenerator(resources={{"lens": 1}})
        def look(x):
            mine = place / str(x)
            mine.touch()
            together = len(os.listdir(place))
            time.sleep(0.05)
            mine.unlink()
            return together
        @TaskGenerator(resources={{"lens": 9}})
        def too_much(x): return x
        seen = [look(i) for i in range(8)]
        never = too_much(1)
    """)
    outcome = execute(path, jobs=3, resources={"lens": 2})
    assert (outcome.exit_code, outcome.done, outcome.remaining) == (3, 8, 1)
    session = open_session(path)
    assert max(session.value(session.module.seen)) <= 2


@pytest.mark.parametrize("options", [{"jobs": 1}, {"jobs": 4}, {"jobs": 3, "template": False}])
def test_a_lack_is_said_once_for_all_workers(jugfile, capfd, options):
    """And not again by those that replace them at a barrier, who do what came behind it."""
    path = jugfile("""
        import time
        @TaskGenerator(resources={"lens": 9})
        def too_much(x): return x
        @TaskGenerator
        def wait(x):
            time.sleep(0.2)
            return x
        never = [too_much(i) for i in range(3)]
        first = [wait(i) for i in range(4)]
        bvalue(first[0])
        then = [wait(i) for i in range(4, 8)]
    """)
    outcome = execute(path, **options)
    assert (outcome.exit_code, outcome.done, outcome.remaining) == (3, 8, 3)
    assert capfd.readouterr().err.count("too_much needs lens=9") == 1


IN_STEPS = """
    {hook}
    import time
    @TaskGenerator
    def f(x):
        time.sleep({seconds})
        return x
    for step in range(10):
        bvalue(f(2 * step))
        f(2 * step + 1)
"""


@pytest.mark.parametrize("options", [{}, {"template": False}])
def test_max_tasks_counts_on_in_the_worker_that_follows_at_a_barrier(jugfile, options):
    """Up to the limit and no further, over several barriers."""
    path = jugfile(IN_STEPS.format(hook="", seconds=0))
    outcome = execute(path, max_tasks=5, **options)
    assert (outcome.exit_code, outcome.executed) == (3, 5)


def test_max_seconds_goes_on_in_the_worker_that_follows_at_a_barrier(jugfile):
    """Each of the ten would stay below it."""
    outcome = execute(jugfile(IN_STEPS.format(hook="", seconds=0.3)), max_seconds=1.0)
    assert outcome.exit_code == 3
    assert 1 < outcome.executed < 8


def test_jug_s_exit_after_n_tasks_counts_on_behind_a_barrier(jugfile):
    """Its count is told to the worker that follows."""
    hook = "from taskgraph.compat.jug.hooks import exit_checks; exit_checks.exit_after_n_tasks(5)"
    outcome = execute(jugfile(IN_STEPS.format(hook=hook, seconds=0)))
    assert (outcome.exit_code, outcome.executed) == (3, 5)


def test_a_long_chain_executes(jugfile):
    """Each task waits for the one before; nothing is recursive."""
    path = jugfile("""
        @TaskGenerator
        def step(x): return x + 1
        x = 0
        for _ in range(5000):
            x = step(x)
    """)
    outcome = execute(path)
    assert (outcome.exit_code, outcome.done) == (0, 5000)
    session = open_session(path)
    assert session.value(session.module.x) == 5000


def test_selected_tasks_only(jugfile):
    """--name: what they depend on is not pulled in, and work that is left says 3."""
    path = jugfile("""
        @TaskGenerator
        def one(x): return x
        @TaskGenerator
        def two(x): return x
        a = [two(one(i)) for i in range(3)]
    """)
    assert execute(path, names=["one"]).done == 3
    assert execute(path, names=["two"]).executed == 3
    assert Path(path).exists()
