"""Workers of one machine share its cores, whoever started them, from one task to the next."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from taskgraph.ops import open_session
from taskgraph.provenance import cores
from taskgraph.threads import THREAD_VARIABLES

JUGFILE = """
    import os, pathlib, time
    import numpy
    from taskgraph import TaskGenerator
    from threadpoolctl import threadpool_info

    def threads():
        return sorted({pool["num_threads"] for pool in threadpool_info()})

    before = threads()

    @TaskGenerator
    def while_read(): return before

    @TaskGenerator
    def here(n):
        time.sleep(0.1)
        return os.getpid(), time.time(), threads()

    @TaskGenerator(isolate=True)
    def apart(): return threads()

    result = [while_read(), apart(), [here(n) for n in range(80)]]
"""


def start(folder: Path) -> subprocess.Popen[bytes]:
    """Start a worker as from a terminal in which no number of threads is set."""
    environ = {name: v for name, v in os.environ.items() if name not in THREAD_VARIABLES}
    command = [sys.executable, "-m", "taskgraph", "execute", "jugfile.py"]
    return subprocess.Popen(command, cwd=folder, env=environ, stderr=subprocess.DEVNULL)


@pytest.mark.skipif(cores() < 2, reason="one core can't be shared")
def test_a_second_terminal_halves_the_threads_of_the_first(tmp_path: Path) -> None:
    """And the isolated task has as many as the worker that asked for it."""
    (tmp_path / "jugfile.py").write_text(textwrap.dedent(JUGFILE))
    first = start(tmp_path)
    time.sleep(2)
    second = start(tmp_path)
    assert (first.wait(60), second.wait(60)) == (0, 0)
    session = open_session(tmp_path / "jugfile.py")
    while_read, apart, here = session.value(session.module.result)
    assert while_read == [1]
    assert apart in ([cores()], [cores() // 2])
    first_of, last_of = {}, {}
    for pid, _, threads in sorted(here):
        first_of.setdefault(pid, threads)
        last_of[pid] = threads
    assert len(last_of) == 2, "both worked"
    assert sorted(first_of.values()) == [[cores() // 2], [cores()]]
    assert list(last_of.values()) == [[cores() // 2]] * 2
