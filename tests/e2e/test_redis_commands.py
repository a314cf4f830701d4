"""Every command that touches a store, over a server and over a mixed store."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import textwrap

import pytest

from taskgraph.testing.redis_server import need_server, shared_server

pytestmark = pytest.mark.redis
COMMAND = [sys.executable, "-m", "taskgraph"]
NUMBERS = itertools.count()

JUGFILE = """
    from pathlib import Path
    from taskgraph import TaskGenerator

    @TaskGenerator
    def work(x):
        return x

    @TaskGenerator
    def large(x):
        return bytes(100_000)

    @TaskGenerator
    def total(xs, more):
        return sum(xs) + len(more)

    @TaskGenerator
    def picky(x):
        if not Path("ready").exists():
            raise ValueError("not yet")
        return x

    total([work(i) for i in range(50)], large(1))
    picky(1)
"""


@pytest.fixture(params=["a server", "a mixed store"])
def taskgraph(request, tmp_path, monkeypatch):
    """Return what runs a command on a jugfile and a new store and returns its output."""
    need_server()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cells.py").write_text(textwrap.dedent(JUGFILE))
    url = shared_server().url(f"e2e-{os.getpid()}-{next(NUMBERS)}")
    if request.param == "a mixed store":
        url = f"{url.replace('unix:', 'unix+file:')}&files={tmp_path / 'files'}"

    def run(command, *words, code=0):
        done = subprocess.run(
            [*COMMAND, command, "--store", url, "cells.py", *words],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return done.stdout + done.stderr

    return run


def test_a_project_is_born_looked_after_and_computed_again(taskgraph, tmp_path):
    assert "no project" in taskgraph("status", code=4)
    assert "52 of 53 done, 1 failed" in taskgraph("execute", "-j", "4", code=1)
    assert "not yet" in taskgraph("failures")
    (tmp_path / "ready").touch()
    taskgraph("retry")
    assert "1 task run" in taskgraph("execute")
    assert "0 tasks run" in taskgraph("execute")
    assert "result: int" in taskgraph("show", "total")
    taskgraph("invalidate", "--name", "large", "--yes")
    assert "2 tasks run" in taskgraph("execute")
    assert "51" in taskgraph("invalidate", "--name", "work", "--yes")
    taskgraph("pack")
    text = (tmp_path / "cells.py").read_text().replace("range(50)", "range(40)")
    (tmp_path / "cells.py").write_text(text)
    assert "41 tasks run" in taskgraph("execute", "-j", "2")
    assert "1 result " in taskgraph("cleanup")
    assert "all is well" in taskgraph("fsck")
    taskgraph("check")
