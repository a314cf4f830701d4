"""Job arrays of the examples, on a real Grid Engine and a real Slurm, over each store.

Tasks leave a file whenever they run, so what ran, how often and in which element of the
array is counted beside the store. They meet at files too: nothing here depends on how fast
the machine is.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from taskgraph.provenance import cores
from taskgraph.registry import BUILT_IN

pytestmark = pytest.mark.cluster
ELEMENTS = 8

HEAD = """
import os, time
from pathlib import Path
from taskgraph import TaskGenerator

def note(what):
    element = os.environ.get("SGE_TASK_ID") or os.environ["SLURM_ARRAY_TASK_ID"]
    Path(f"runs/{what},{element},{os.getppid()},{time.monotonic_ns()}").touch()

def wait_for(condition):
    end = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
"""

MEETING = """
def elements():
    return {path.name.split(",")[1] for path in Path("runs").glob("meet*")}

@TaskGenerator
def meet(number):
    note(f"meet-{number}")
    wait_for(lambda: len(elements()) == 8)

@TaskGenerator
def square(number, met):
    note(f"square-{number}")
    return number * number

@TaskGenerator
def total(squares):
    note("total")
    return sum(squares)

met = [meet(number) for number in range(8)]
result = total([square(number, met) for number in range(40)])
"""

HOLDING = """
@TaskGenerator
def hold(number):
    note(f"hold-{number}")
    wait_for(Path("go").exists)

@TaskGenerator
def total(held):
    note("total")

result = total([hold(number) for number in range(COUNT)])
"""


def runs_in(folder):
    """Return (what, element, pid of the template) of every run that left a file there."""
    return [tuple(path.name.split(",")[:3]) for path in folder.iterdir()]


class Project:
    """A user's folder: jugfile, environment, the example script, logs."""

    def __init__(self, folder, scheduler, store=""):
        self.folder, self.scheduler = folder, scheduler
        self.variables = {"TASKGRAPH_STORE": store} if store else {}
        for name in ("logs", "runs", ".venv/bin"):
            (folder / name).mkdir(parents=True)
        programs = Path(sys.executable).parent
        (folder / ".venv/bin/activate").write_text(f"PATH={programs}:$PATH\n")
        text = scheduler.script.read_text()
        assert re.search(r" --grace \d+", text)
        self.script = folder / scheduler.script.name
        self.script.write_text(re.sub(r" --grace \d+", " --grace 2", text))

    def write(self, text):
        """Write the jugfile."""
        (self.folder / "jugfile.py").write_text(HEAD + text)

    def submit(self, *options, **variables):
        """Submit the example; return the job."""
        return self.scheduler.submit(self.script, *options, **self.variables, **variables)

    def codes(self, job, elements):
        """Return the exit codes of an array once all its elements have ended."""
        from_scheduler = self.scheduler.codes
        self.wait_until(
            lambda: len(from_scheduler(job)) == elements, f"{elements} elements of {job} end"
        )
        return from_scheduler(job)

    def run(self, *command):
        """Run a command of taskgraph; return what it prints."""
        program = str(Path(sys.executable).with_name("taskgraph"))
        done = subprocess.run(
            [program, *command], cwd=self.folder, env={**os.environ, **self.variables},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def runs(self):
        """Return (what, element, pid of the template) of every run of a task."""
        return runs_in(self.folder / "runs")

    def counts(self):
        """Return how often each task ran."""
        return Counter(what for what, _, _ in self.runs())

    def logs(self):
        """Return what the elements printed, by element."""
        paths = (self.folder / "logs").iterdir()
        return {int(path.suffixes[-2][1:]): path.read_text() for path in paths}

    def wait_until(self, condition, what):
        """Wait; show the logs when it never comes."""
        try:
            self.scheduler.wait_until(condition, what)
        except AssertionError as error:
            error.add_note(f"ran: {sorted(self.runs())}\nlogs: {self.logs()}")
            raise


@pytest.fixture(params=["file", pytest.param("redis", marks=pytest.mark.redis)])
def store(request):
    """The URL of a store; empty for the one beside the jugfile."""
    if request.param == "file":
        return ""
    if "redis" not in BUILT_IN:
        pytest.skip("no Redis store is built in")
    from taskgraph.testing.redis_server import need_server, shared_server

    need_server((7, 0))
    # A server can't see that an owner is dead: others wait for the lease time, 30 s otherwise.
    return shared_server().url(f"cluster-{os.urandom(6).hex()}", tcp=True, lease="15")


@pytest.fixture
def project(tmp_path, scheduler, store):
    """A folder to submit from; removed soon, a store syncs all it has."""
    yield Project(tmp_path / "project", scheduler, store)
    shutil.rmtree(tmp_path)


def test_a_task_that_runs_twice_is_seen_to(tmp_path, monkeypatch):
    """The notes that tasks of these jugfiles leave never cover each other."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SGE_TASK_ID", "7")
    (tmp_path / "runs").mkdir()
    space = {}
    exec(HEAD, space)
    for what in ("square-3", "square-4", "square-3"):
        space["note"](what)
    assert Counter(what for what, *_ in runs_in(tmp_path / "runs")) == {
        "square-3": 2,
        "square-4": 1,
    }
    assert {element for _, element, _ in runs_in(tmp_path / "runs")} == {"7"}


def parent(pid):
    """Return the parent of a process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_every_task_runs_once_and_after_an_invalidate_what_depends_on_it(project):
    """Eight elements share the graph; the same array, submitted again, runs two tasks."""
    project.write(MEETING)
    job = project.submit(*project.scheduler.array(ELEMENTS))
    assert project.codes(job, ELEMENTS) == {element: [0] for element in range(1, 9)}
    before = project.counts()
    assert len(before) == 8 + 40 + 1
    assert set(before.values()) == {1}
    assert len({element for what, element, _ in project.runs() if "meet" in what}) == ELEMENTS

    project.run("invalidate", "--name", "square", "--where", "number=17", "--yes")
    job = project.submit(*project.scheduler.array(ELEMENTS))
    assert project.codes(job, ELEMENTS) == {element: [0] for element in range(1, 9)}
    assert project.counts() - before == {"square-17": 1, "total": 1}
    project.run("fsck")


def test_others_take_over_from_an_element_removed_and_one_killed_in_mid_task(project):
    """The store is in order, nothing else ran twice, and the scheduler knows how each ended."""
    project.write(HOLDING.replace("COUNT", str(ELEMENTS)))
    job = project.submit(*project.scheduler.array(ELEMENTS))
    project.wait_until(lambda: len(project.runs()) == ELEMENTS, "all hold a task")
    (lost, removed, _), (also_lost, killed, template) = sorted(project.runs())[:2]
    project.scheduler.remove(job, int(removed))
    os.kill(parent(template), signal.SIGKILL)
    project.wait_until(lambda: len(project.scheduler.codes(job)) == 2, "both have ended")
    (project.folder / "go").touch()
    codes = project.codes(job, ELEMENTS)
    assert codes.pop(int(removed)) == [3]
    assert codes.pop(int(killed)) == [128 + signal.SIGKILL]
    assert list(codes.values()) == [[0]] * 6
    assert f"{project.scheduler.notice}: no new tasks" in project.logs()[int(removed)]
    counts = project.counts()
    assert (counts.pop(lost), counts.pop(also_lost)) == (2, 2)
    assert set(counts.values()) == {1}
    assert len(counts) == ELEMENTS - 2 + 1
    project.run("status")
    project.run("fsck")


@pytest.mark.parametrize("store", ["file"], indirect=True)
def test_exit_codes_arrive_at_the_scheduler(project):
    """1 for a task that failed, 4 for a jugfile that raises."""
    project.write("@TaskGenerator\ndef bad():\n    raise ValueError('no luck')\nbad()\n")
    job = project.submit(*project.scheduler.array(2))
    assert project.codes(job, 2) == {1: [1], 2: [1]}
    project.write("1 / 0\n")
    job = project.submit(*project.scheduler.array(2))
    assert project.codes(job, 2) == {1: [4], 2: [4]}


@pytest.mark.parametrize("store", ["file"], indirect=True)
def test_array_libraries_use_as_many_threads_as_the_job_has_cores(project):
    """The worker reads it from the scheduler; on a smaller machine it is what there is."""
    text = "@TaskGenerator\ndef look():\n    note(os.environ['OMP_NUM_THREADS'])\nlook()\n"
    available = cores({})
    for count in (1, 2):
        project.write(text.replace("look", f"look{count}"))
        options = [*project.scheduler.array(1), *project.scheduler.cores(count)]
        assert project.codes(project.submit(*options), 1) == {1: [0]}
        assert project.counts()[str(min(count, available))] >= 1
    assert sum(project.counts().values()) == 2


@pytest.mark.parametrize("scheduler", ["gridengine"], indirect=True)
@pytest.mark.parametrize("store", ["file"], indirect=True)
def test_grid_engine_starts_an_interrupted_element_again_on_99(project):
    """At the soft limit on its time; the second start finds the work done and ends with 0."""
    project.write(HOLDING.replace("COUNT", "1"))
    options = [*project.scheduler.array(1), "-l", "s_rt=0:0:3"]
    job = project.submit(*options, TASKGRAPH_INTERRUPTED_CODE="99")
    project.wait_until(lambda: project.scheduler.codes(job), "it is interrupted")
    (project.folder / "go").touch()
    project.wait_until(lambda: project.scheduler.codes(job) == {1: [99, 0]}, "it runs again")
    assert project.counts() == {"hold-0": 2, "total": 1}
    assert "SIGUSR1: no new tasks" in project.logs()[1]
