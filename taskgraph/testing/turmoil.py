"""A graph under way while its store is in trouble.

A URL flows in; programs that work on it can be started, their outcome, what they said and
how often each task was run flow out. It knows no backend, and compares no values: who makes
trouble, where, and what is right in the end is the test's business.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from taskgraph.testing.programs import PATIENCE, runs, start, wait_until

JUGFILE = """
import os, pathlib, time, uuid
from taskgraph import TaskGenerator, barrier
place = pathlib.Path({place!r})
def note(number):
    (place / f"run-{{number}}-{{os.getpid()}}-{{uuid.uuid4().hex}}").touch()
@TaskGenerator
def square(i):
    note(i)
    time.sleep({seconds})
    return i * i
@TaskGenerator
def pair(x, y):
    return x + y
@TaskGenerator
def large(x):
    import numpy as np
    return np.full(20000, x)
@TaskGenerator
def total(arrays):
    return sum(int(array[0]) for array in arrays)
squares = [square(i) for i in range({number})]
pairs = [pair(squares[i], squares[-i - 1]) for i in range({number})]
if {stops}:
    barrier()
arrays = [large(x) for x in pairs[:40]]
result = total(arrays)
"""


class Turmoil:
    """``turmoil = Turmoil(tmp_path, url); turmoil.start(); ...; turmoil.finish()``.

    Parameters
    ----------
    folder : Path
        For the jugfile and its traces.
    url : str
        The store.
    number : int
        Tasks that take time; there are as many again that do not.
    seconds : float
        How long each of them takes.
    barrier : bool
        The jugfile waits for all of them before it goes on.
    """

    def __init__(
        self,
        folder: Path,
        url: str,
        number: int = 300,
        seconds: float = 0.02,
        *,
        barrier: bool = False,
    ) -> None:
        self.url, self.number = url, number
        self.place, self.path, self.log = folder / "traces", folder / "job.py", folder / "log"
        self.place.mkdir()
        self.log.touch()
        text = JUGFILE.format(place=str(self.place), seconds=seconds, number=number, stops=barrier)
        self.path.write_text(text)
        self.programs: list[subprocess.Popen[str]] = []

    # -- under way ---------------------------------------------------------------------
    def start(self, jobs: int = 2, **options: Any) -> None:
        """Start another supervisor with some workers."""
        self.programs.append(start(self.path, store=self.url, log=self.log, jobs=jobs, **options))

    def wait_for_runs(self, number: int) -> None:
        """Wait until so many tasks have been begun."""
        wait_until(
            lambda: (
                len(runs(self.place)) >= number or all(p.poll() is not None for p in self.programs)
            ),
            f"{number} runs",
        )
        assert len(runs(self.place)) >= number, self.said()

    def said(self) -> str:
        """Return what the programs have said so far."""
        return self.log.read_text()

    def finish(self, patience: float = PATIENCE) -> list[dict[str, Any]]:
        """Wait for all programs; return their outcomes (``{}``: it was killed)."""
        outcomes = []
        for program in self.programs:
            answer, _ = program.communicate(timeout=patience)
            outcomes.append(json.loads(answer.splitlines()[-1]) if answer else {})
        self.programs = []
        return outcomes

    def stop(self) -> None:
        """Kill what still runs."""
        for program in self.programs:
            program.kill()
            program.communicate()
        self.programs = []

    def workers(self) -> list[int]:
        """Return the pids of workers that have run a task and are alive."""
        return [pid for pid in {pid for _, pid in runs(self.place)} if _is_ours(pid)]

    def kill_at_random(
        self, seconds: float, rng: random.Random, also: Callable[[], object] | None = None
    ) -> int:
        """Kill a worker (or at times a supervisor) every quarter of a second; say how many.

        Two supervisors are kept running meanwhile, and everything is let end afterwards.
        """
        kills, end = 0, time.monotonic() + seconds
        while time.monotonic() < end:
            for program in [p for p in self.programs if p.poll() is not None]:
                program.communicate()
                self.programs.remove(program)
            while len(self.programs) < 2:
                self.start()
            time.sleep(rng.uniform(0.05, 0.45))
            supervisors = [program.pid for program in self.programs]
            victims = self.workers() or supervisors
            victim = rng.choice(supervisors if rng.random() < 0.1 else victims)
            with suppress(ProcessLookupError):  # it has just ended by itself
                os.kill(victim, signal.SIGKILL)
                kills += 1
            if also is not None:
                also()
        return kills

    # -- afterwards --------------------------------------------------------------------
    def doubles(self) -> int:
        """Return how many runs of a task there were beside its first."""
        times = Counter(number for number, _ in runs(self.place))
        return sum(times.values()) - len(times)


def _is_ours(pid: int) -> bool:
    """Tell whether a process is there and is one of ours: numbers are used again."""
    try:
        return b"taskgraph" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False
