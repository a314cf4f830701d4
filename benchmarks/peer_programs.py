"""The same trivial tasks written for each peer, with its own way to remember results.

``TASKS`` stands for the number of tasks, ``BIN`` for the folder of the peers' programs. Each
program is the shortest that its documentation suggests; the second run is the same command.
"""

from __future__ import annotations

from dataclasses import dataclass

import graphs


@dataclass(frozen=True, slots=True)
class Peer:
    """One program: its file and text, its command, and what it can't do."""

    name: str
    package: str
    file: str
    text: str
    command: tuple[str, ...]
    together: str  #: whether several processes may share one piece of work
    remembers: bool = True  #: results outlive the process

    @property
    def own(self) -> bool:
        """Whether it is in our environment, not in that of the peers."""
        return self.name in ("taskgraph", "jug")


JOBLIB = """
from joblib import Memory

memory = Memory("store", verbose=0)

@memory.cache
def square(i):
    return i * i

if __name__ == "__main__":
    print(sum(square(i) for i in range(TASKS)))
"""

DASK = """
import dask

@dask.delayed(pure=True)
def square(i):
    return i * i

if __name__ == "__main__":
    print(sum(dask.compute(*[square(i) for i in range(TASKS)], scheduler="threads")))
"""

REDUN = """
from redun import task

redun_namespace = "bench"

@task()
def square(i):
    return i * i

@task()
def main():
    return [square(i) for i in range(TASKS)]
"""

LUIGI = """
import luigi

class Square(luigi.Task):
    i = luigi.IntParameter()

    def output(self):
        return luigi.LocalTarget(f"store/{self.i}.txt")

    def run(self):
        with self.output().open("w") as out:
            out.write(str(self.i * self.i))

if __name__ == "__main__":
    tasks = [Square(i=i) for i in range(TASKS)]
    assert luigi.build(tasks, local_scheduler=True, log_level="ERROR")
"""

PARSL = """
import os
import parsl
from parsl.config import Config
from parsl.dataflow.memoization import BasicMemoizer
from parsl.executors.threads import ThreadPoolExecutor
from parsl.utils import get_all_checkpoints

@parsl.python_app(cache=True)
def square(i):
    return i * i

if __name__ == "__main__":
    known = get_all_checkpoints() if os.path.isdir("runinfo") else []
    config = Config(
        executors=[ThreadPoolExecutor(max_threads=1)],
        memoizer=BasicMemoizer(checkpoint_mode="dfk_exit", checkpoint_files=known),
        initialize_logging=False,
    )
    with parsl.load(config):
        print(sum(f.result() for f in [square(i) for i in range(TASKS)]))
"""

DOIT = graphs.dodo(0).replace("range(0)", "range(TASKS)")

PYTHON = ("BIN/python", "work.py")

PEERS = (
    Peer("joblib.Memory", "joblib", "work.py", JOBLIB, PYTHON, "share results, not work: no lock"),
    Peer("doit", "doit", "dodo.py", DOIT, ("BIN/python", "-m", "doit", "run"), "no: one process owns the database"),
    Peer("parsl (threads)", "parsl", "work.py", PARSL, PYTHON, "no: one process deals out the tasks"),
    Peer("luigi", "luigi", "work.py", LUIGI, PYTHON, "with a central scheduler process"),
    Peer(
        "redun", "redun", "work.py", REDUN, ("BIN/redun", "run", "work.py", "main"),
        "no: one scheduler process",
    ),
    Peer(
        "dask (threads)", "dask", "work.py", DASK, PYTHON,
        "no memoized tasks across processes; a scheduler process deals them out", remembers=False,
    ),
)  # fmt: skip
