"""Threads of array libraries: one while a jugfile is read, then a share of the cores."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from taskgraph import threads
from taskgraph.store import Identity
from taskgraph.threads import SPIN, SPIN_VARIABLE, THREAD_VARIABLES, Threads

pytestmark = pytest.mark.filterwarnings("error")


def who(pid: int, boot: str = "here", job: str = "") -> Identity:
    """Return a worker."""
    return Identity("host", boot, pid, str(pid), job)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, object]]:
    """Return what libraries that count as loaded are told."""
    calls: list[tuple[str, object]] = []
    torch = SimpleNamespace(set_num_threads=lambda n: calls.append(("torch", n)))
    pools = SimpleNamespace(threadpool_limits=lambda limits: calls.append(("pools", limits)))
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "numpy", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "threadpoolctl", pools)
    return calls


def test_while_a_jugfile_is_read_there_is_one_thread() -> None:
    """Whatever the user wishes: what has started threads can't be forked."""
    environ = {"OMP_NUM_THREADS": "8"}
    Threads(16, 2, environ).quiet()
    assert {environ[name] for name in THREAD_VARIABLES} == {"1"}
    assert environ[SPIN_VARIABLE] == SPIN
    environ = {SPIN_VARIABLE: "26"}
    Threads(16, 2, environ).quiet()
    assert environ[SPIN_VARIABLE] == "26"


@pytest.mark.parametrize(
    ("cores", "workers", "others", "share"),
    [
        (16, 1, [], 16),
        (16, 4, [], 4),
        (16, 4, [who(n) for n in range(4)], 4),  # its own four, as the store lists them
        (16, 4, [who(n) for n in range(8)], 2),  # and four of another terminal
        (16, 1, [who(n) for n in range(40)], 1),  # never none
        (16, 1, [who(n, boot="there") for n in range(8)], 16),  # another machine, or container
        (16, 1, [who(n, job="slurm:7") for n in range(8)], 16),  # jobs have their own cores
    ],
)
def test_workers_of_one_machine_share_its_cores(
    cores: int, workers: int, others: list[Identity], share: int
) -> None:
    """Whoever started them."""
    assert Threads(cores, workers, {}).share(others, who(0)) == share


def test_a_job_of_a_cluster_shares_with_its_own_workers_only() -> None:
    """The scheduler gave these cores to nobody else."""
    mates = [who(n, job="slurm:7") for n in range(8)]
    assert Threads(4, 2, {}).share(mates, who(0, job="slurm:7")) == 2


def test_libraries_are_told_when_the_share_changes(told: list[tuple[str, object]]) -> None:
    """And only then: asking them takes a millisecond."""
    environ: dict[str, str] = {}
    mine = Threads(4, 1, environ)
    mine.quiet()
    mine.give(1)
    assert not told  # they have been loaded with one
    mine.give(4)
    assert told == [("torch", 4), ("pools", {"blas": 4, "openmp": 4})]
    assert {environ[name] for name in THREAD_VARIABLES} == {"4"}
    mine.give(4)
    assert len(told) == 2
    mine.give(1)
    assert told[2:] == [("torch", 1), ("pools", {"blas": 1, "openmp": 1})]


@pytest.mark.parametrize(
    ("wishes", "blas", "openmp"),
    [
        ({"OMP_NUM_THREADS": "3"}, 3, 3),
        ({"OMP_NUM_THREADS": "3,2"}, 3, 3),
        ({"OPENBLAS_NUM_THREADS": "2"}, 2, 8),
        ({"OMP_NUM_THREADS": "3", "OPENBLAS_NUM_THREADS": "1"}, 1, 3),
        ({"OMP_NUM_THREADS": "many"}, 8, 8),
    ],
)
def test_a_wish_of_the_user_counts(
    told: list[tuple[str, object]], wishes: dict[str, str], blas: int, openmp: int
) -> None:
    """It governs what OpenMP's variable governs, where the library's own does not say other."""
    environ = dict(wishes)
    mine = Threads(8, 1, environ)
    mine.quiet()
    mine.give(8)
    assert told == [("torch", openmp), ("pools", {"blas": blas, "openmp": openmp})]
    assert {name: environ[name] for name in wishes} == wishes


def test_nothing_is_loaded_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A graph without arrays pays nothing."""
    for name in ("torch", "numpy", "threadpoolctl"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    mine = threads.Threads(4, 1, {})
    mine.quiet()
    mine.give(4)
    assert not {"torch", "numpy", "threadpoolctl"} & set(sys.modules)
