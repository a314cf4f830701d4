"""Real processes on a file store: killed, stopped, deaf, out of time, invalidated under way.

Each scene ends with every result there and right, and a sound store; how often a task ran
more than once is reported as ``doubles``. The long form of the kills is under ``stress``.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backends.file_store import open_store
from taskgraph.ops import open_session
from taskgraph.ops.cleanup import cleanup
from taskgraph.ops.invalidate import invalidate
from taskgraph.testing.programs import runs, wait_until
from taskgraph.testing.turmoil import Turmoil

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
LEASE = 1.5
Begin = Callable[..., Turmoil]
Settled = Callable[[Turmoil], int]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """Begins a graph on a new store; what still runs in the end is killed."""
    begun = []

    def begin(jobs: int = 2, lease: float = 30.0, text: str = "", **graph: Any) -> Turmoil:
        url = f"file:{tmp_path / 'store'}"
        open_store(url, create=True, lease_seconds=lease).close()
        turmoil = Turmoil(tmp_path, url, **graph)
        if text:
            head = f"import os, pathlib, time, uuid\nplace = pathlib.Path({str(turmoil.place)!r})\n"
            note = 'def note(i): (place / f"run-{i}-{os.getpid()}-{uuid.uuid4().hex}").touch()\n'
            task = "from taskgraph import TaskGenerator\n"
            turmoil.path.write_text(head + note + task + textwrap.dedent(text))
        begun.append(turmoil)
        if jobs:
            turmoil.start(jobs)
        return turmoil

    yield begin
    for turmoil in begun:
        for pid in turmoil.workers():
            os.kill(pid, signal.SIGCONT)
        turmoil.stop()


# -- killed ------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("seconds", "number"), [(6.0, 400), pytest.param(180.0, 12000, marks=pytest.mark.stress)]
)
def test_random_kills_lose_nothing(
    begin: Begin,
    record_property: Callable[[str, object], None],
    settled: Settled,
    seconds: float,
    number: int,
) -> None:
    """Workers, and now and then a supervisor, every quarter of a second."""
    turmoil = begin(2, number=number)
    turmoil.wait_for_runs(5)
    kills = turmoil.kill_at_random(seconds, random.Random(int(seconds)))
    turmoil.finish(120.0)
    record_property("kills", kills)
    assert kills > seconds
    assert settled(turmoil) <= kills * 64, "more than a batch a kill"


def test_a_killed_supervisor_takes_its_workers_along_and_another_goes_on(
    begin: Begin, record_property: Callable[[str, object], None], settled: Settled
) -> None:
    turmoil = begin(2, number=200)
    turmoil.wait_for_runs(20)
    workers = turmoil.workers()
    os.kill(turmoil.programs[0].pid, signal.SIGKILL)
    wait_until(lambda: not set(workers) & set(turmoil.workers()), "its workers end")
    turmoil.start(2)
    assert turmoil.finish()[1]["exit_code"] == 0, turmoil.said()
    record_property("kills", 1)
    assert settled(turmoil) <= 32, "more than was running or not yet committed"


# -- stopped, deaf -----------------------------------------------------------------
def test_a_worker_stopped_past_the_lease_goes_on_later(begin: Begin, settled: Settled) -> None:
    """Its tasks are taken over; afterwards it disturbs nobody."""
    turmoil = begin(1, lease=LEASE, number=120)
    turmoil.wait_for_runs(10)
    (stopped,) = turmoil.workers()
    os.kill(stopped, signal.SIGSTOP)
    turmoil.start(2)
    other = turmoil.programs[1]
    assert other.wait(60) == 0, turmoil.said()
    os.kill(stopped, signal.SIGCONT)
    assert [outcome["exit_code"] for outcome in turmoil.finish()] == [0, 0], turmoil.said()
    assert settled(turmoil) <= 64, "more than a batch"


DEAF = """
import ctypes
@TaskGenerator
def deaf(i):
    note(i)
    ctypes.PyDLL(None).usleep(900_000 * 4)  # a call that keeps the interpreter's lock
    return i
@TaskGenerator
def after(x): return x + 1
result = after(deaf(1))
"""


def test_a_task_that_holds_the_interpreter_longer_than_the_lease_keeps_it(begin: Begin) -> None:
    """Its supervisor beats for it: another worker waits, and nothing runs twice."""
    turmoil = begin(1, lease=LEASE, text=DEAF)
    turmoil.wait_for_runs(1)
    turmoil.start(1)
    assert [outcome["exit_code"] for outcome in turmoil.finish()] == [0, 0], turmoil.said()
    assert len(runs(turmoil.place)) == 1, "it was taken over from a living worker"
    session = open_session(turmoil.path, turmoil.url)
    assert session.value(session.module.result) == 2
    assert session.store.check() == []


# -- clocks ------------------------------------------------------------------------
WRONG_CLOCK = """
import os, time
real = time.time
began = time.monotonic()
def wrong():
    jump = float(os.environ["CLOCK_JUMP"]) if time.monotonic() - began > 1.0 else 0.0
    return real() + float(os.environ["CLOCK_OFF"]) + jump
time.time = wrong
time.time_ns = lambda: round(wrong() * 1e9)
"""


@pytest.mark.parametrize(
    ("off", "jump"),
    [
        (86400.0, 0.0),
        (0.0, -7200.0),
        pytest.param(-86400.0, 0.0, marks=pytest.mark.stress),
        pytest.param(0.0, 7200.0, marks=pytest.mark.stress),
    ],
)
def test_a_host_with_a_wrong_clock_takes_nothing_over(
    begin: Begin,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settled: Settled,
    off: float,
    jump: float,
) -> None:
    """A day ahead, a day behind, or jumping under way: nobody's clock is compared."""
    folder = tmp_path / "clock"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(WRONG_CLOCK)
    turmoil = begin(1, lease=LEASE, number=100)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setenv("CLOCK_OFF", str(off))
    monkeypatch.setenv("CLOCK_JUMP", str(jump))
    turmoil.start(1)
    monkeypatch.delenv("PYTHONPATH")
    assert [outcome["exit_code"] for outcome in turmoil.finish()] == [0, 0], turmoil.said()
    assert settled(turmoil) == 0
    assert len({pid for _, pid in runs(turmoil.place)}) == 2, "one of them had nothing to do"


# -- invalidated, packed and cleaned under way -----------------------------------------
GHOSTS = """
ghost = place.parent / "ghost"
def made(i, *inputs):
    note(i)
    time.sleep(0.01)
    return min([int(ghost.read_text()), *inputs])
@TaskGenerator
def root(i): return made(i)
@TaskGenerator
def child(i, x): return made(1000 + i, x)
@TaskGenerator
def grandchild(i, x, y): return made(2000 + i, x, y)
roots = [root(i) for i in range(60)]
children = [child(i, roots[i]) for i in range(60)]
last = [grandchild(i, children[i], children[-i]) for i in range(60)]
"""


def test_an_invalidate_while_eight_workers_run_lets_no_old_result_back(
    begin: Begin, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Each value is the oldest version of the world that it was made from."""
    (tmp_path / "ghost").write_text("0")
    turmoil = begin(4, text=GHOSTS)
    turmoil.start(4)
    for version, number in enumerate((20, 90, 160), start=1):
        turmoil.wait_for_runs(number)
        (tmp_path / "ghost.new").write_text(str(version))
        (tmp_path / "ghost.new").rename(tmp_path / "ghost")
        session = open_session(turmoil.path, turmoil.url)
        session.writes = True
        invalidate(session, range(60))
        session.store.close()
    codes = [outcome["exit_code"] for outcome in turmoil.finish()]
    assert codes == [0, 0], turmoil.said()
    session = open_session(turmoil.path, turmoil.url)
    for name in ("roots", "children", "last"):
        assert set(session.value(getattr(session.module, name))) == {3}, "an old result came back"
    assert session.store.check() == []
    record_property("executions", len(runs(turmoil.place)))
    record_property("tasks", 180)


def test_packing_and_cleaning_while_workers_run(
    begin: Begin, record_property: Callable[[str, object], None], settled: Settled
) -> None:
    turmoil = begin(2, number=300)
    turmoil.start(2)
    packs = 0
    while any(program.poll() is None for program in turmoil.programs):
        session = open_session(turmoil.path, turmoil.url)
        session.writes = True
        session.store.pack()
        cleanup(session)
        session.store.close()
        packs += 1
        time.sleep(0.05)  # noqa: TID251  # beside real processes
    assert [outcome["exit_code"] for outcome in turmoil.finish()] == [0, 0], turmoil.said()
    record_property("packs", packs)
    assert packs > 3
    assert settled(turmoil) == 0


# -- a node that lacks what tasks need ---------------------------------------------
LACKING = """
@TaskGenerator
def work(i):
    if os.environ.get("BAD_NODE"):
        import a_library_that_this_node_lacks
    note(i)
    time.sleep(0.05)
    return i
results = [work(i) for i in range(60)]
"""


def test_a_node_where_every_import_fails_stops_and_the_others_go_on(
    begin: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "node"
    folder.mkdir()
    name = (
        "import os\nreal = tuple(os.uname())\n"
        'os.uname = lambda: os.uname_result((real[0], "bad-node", *real[2:]))\n'
    )
    (folder / "sitecustomize.py").write_text(name)
    turmoil = begin(2, text=LACKING)
    turmoil.wait_for_runs(2)
    monkeypatch.setenv("BAD_NODE", "1")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    turmoil.start(1)
    monkeypatch.delenv("BAD_NODE")
    monkeypatch.delenv("PYTHONPATH")
    good, bad = turmoil.finish()
    assert (good["exit_code"], bad["exit_code"]) == (0, 1), turmoil.said()
    session = open_session(turmoil.path, turmoil.url)
    assert session.value(session.module.results) == list(range(60))
    assert session.store.check() == []
    assert max(Counter(number for number, _ in runs(turmoil.place)).values()) == 1
