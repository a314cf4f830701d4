"""``execute --no-template``: each worker's jugfile is read in a process of its own."""

from __future__ import annotations

import textwrap

import pytest

from taskgraph.errors import TaskGraphError
from taskgraph.ops import open_session
from taskgraph.ops.execute import execute

TEXT = """
    import os
    from taskgraph import *
    with open({reads!r}, "a") as out:
        out.write(f"{{os.getpid()}}\\n")
    @TaskGenerator
    def f(x):
        import time
        time.sleep(0.01)
        return x
    @TaskGenerator(isolate=True)
    def apart(x): return os.getppid()
    @TaskGenerator
    def total(xs): return sum(xs)
    n = bvalue(f(20))
    xs = [f(i) for i in range(n)]
    result = total(xs)
    parents = [apart(i) for i in range(4)]
"""


@pytest.fixture
def job(tmp_path):
    """A jugfile that notes who reads it, and the function that tells who did."""
    path, reads = tmp_path / "jugfile.py", tmp_path / "reads"
    path.write_text(textwrap.dedent(TEXT.format(reads=str(reads))))
    return path, lambda: set(map(int, reads.read_text().split()))


@pytest.mark.parametrize(("template", "readers"), [(True, 1), (False, 3)])
def test_the_jugfile_is_read_by_one_template_or_by_one_for_each_worker(job, template, readers):
    path, who = job
    outcome = execute(path, jobs=3, template=template)
    assert (outcome.exit_code, outcome.done, outcome.remaining) == (0, 26, 0)
    readers_found = who()
    assert len(readers_found) == readers
    session = open_session(path)
    assert session.value(session.module.result) == sum(range(20))
    parents = set(session.value(session.module.parents))
    assert parents <= readers_found, "isolated tasks are forked from what has run nothing"
    assert session.store.workers() == []
    assert execute(path, jobs=2, template=template).executed == 0


def test_failures_and_deaths_are_counted_as_ever(tmp_path):
    path = tmp_path / "jugfile.py"
    path.write_text(
        textwrap.dedent("""
        import os
        from taskgraph import *
        @TaskGenerator
        def f(x): return x
        @TaskGenerator
        def dies(x): os.kill(os.getpid(), 9)
        @TaskGenerator
        def fails(x): raise ValueError(x)
        a, b, c = [f(i) for i in range(30)], dies(1), fails(1)
    """)
    )
    outcome = execute(path, jobs=2, template=False)
    assert (outcome.exit_code, outcome.done, outcome.failed) == (1, 30, 2)


def test_a_jugfile_that_raises_is_one_error(tmp_path):
    path = tmp_path / "jugfile.py"
    path.write_text("1 / 0\n")
    with pytest.raises(TaskGraphError, match="raised ZeroDivisionError"):
        execute(path, jobs=3, template=False)
    path.write_text("import os\nos._exit(9)\n")
    with pytest.raises(TaskGraphError, match="exit code 9"):
        execute(path, jobs=2, template=False)
