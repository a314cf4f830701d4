"""Run commands side by side and measure them from outside.

In: argument lists. Out: :class:`Usage`: wall and CPU seconds (user and system, with all
waited-for descendants) and, when asked, the peak of anonymous memory summed over the whole
process tree, sampled from ``/proc``. Sampling disturbs the clock, so figures of time and of
memory come from different runs.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from server import cpu_of

#: Seconds between two looks at the memory of a process tree.
SAMPLE_SECONDS = 0.1


@dataclass(slots=True)
class Memory:
    """Peaks over the life of a process tree, in bytes."""

    anonymous: int = 0  #: sum of ``Anonymous`` over the processes: shared pages count twice
    proportional: int = 0  #: sum of ``Pss_Anon``: shared pages count once
    one_load: int = 0  #: anonymous memory of the process that forked most others
    private: int = 0  #: greatest private memory of one of those it forked
    processes: int = 0


@dataclass(slots=True)
class Usage:
    """What some commands, started together, took until the last one ended."""

    wall: float
    cpu: float
    statuses: list[int]
    output: str  #: the last 2,000 characters of what they printed
    memory: Memory = field(default_factory=Memory)
    server: float = 0.0  #: CPU seconds of the server meanwhile

    @property
    def ok(self) -> bool:
        """Whether every command exited with 0."""
        return not any(self.statuses)


def parents() -> dict[int, int]:
    """Return the parent of every process of the machine."""
    found = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                text = Path(entry.path, "stat").read_text()
            except OSError:
                continue  # ended between the listing and the look
            found[int(entry.name)] = int(text.rpartition(")")[2].split()[1])
    return found


def family(roots: Sequence[int]) -> dict[int, int]:
    """Return the processes ``roots`` and all their descendants, each with its parent."""
    above = parents()
    below: dict[int, list[int]] = {}
    for pid, parent in above.items():
        below.setdefault(parent, []).append(pid)
    members: dict[int, int] = {}
    todo = [pid for pid in roots if pid in above]
    while todo:
        pid = todo.pop()
        members[pid] = above[pid]
        todo.extend(below.get(pid, []))
    return members


def rollup(pid: int) -> dict[str, int]:
    """Return the sums of a process's memory map in bytes, by the kernel's names."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        return {}
    pairs = (line.split(":") for line in lines)
    return {name: int(rest.split()[0]) * 1024 for name, rest in pairs}


def sample(roots: Sequence[int], peak: Memory) -> None:
    """Look once at all descendants of ``roots`` and raise the peaks."""
    members = family(roots)
    sums = {pid: rollup(pid) for pid in members}
    peak.processes = max(peak.processes, len(members))
    peak.anonymous = max(peak.anonymous, sum(s.get("Anonymous", 0) for s in sums.values()))
    peak.proportional = max(peak.proportional, sum(s.get("Pss_Anon", 0) for s in sums.values()))
    children: dict[int, list[int]] = {}
    for pid, parent in members.items():
        children.setdefault(parent, []).append(pid)
    # A single child is no worker among several: the supervisor's one child is the loader.
    inner = {p: kids for p, kids in children.items() if p in members and len(kids) > 1}
    if not inner:
        return
    loader = max(inner, key=lambda parent: len(inner[parent]))
    peak.one_load = max(peak.one_load, sums[loader].get("Anonymous", 0))
    for pid in inner[loader]:
        private = sums[pid].get("Private_Clean", 0) + sums[pid].get("Private_Dirty", 0)
        peak.private = max(peak.private, private)


def watch(roots: Sequence[int], peak: Memory, ended: threading.Event) -> None:
    """Sample until ``ended`` is set."""
    while not ended.wait(SAMPLE_SECONDS):
        sample(roots, peak)


def reap(process: subprocess.Popen[bytes], deadline: float) -> tuple[int, float]:
    """Wait for a process; return its exit status and CPU seconds. Late ones are killed."""
    killer = threading.Timer(
        max(0.0, deadline - time.monotonic()), os.killpg, (process.pid, signal.SIGKILL)
    )
    killer.start()
    _, status, used = os.wait4(process.pid, 0)
    killer.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, used.ru_utime + used.ru_stime


def _environment() -> dict[str, str]:
    """Return the environment of a command: compiled bytecode is kept, as for any user."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def run(
    commands: Sequence[Sequence[str]],
    cwd: Path,
    *,
    memory: bool = False,
    limit: float = 1200.0,
    env: Mapping[str, str] | None = None,
    server: int = 0,
) -> Usage:
    """Start all commands at once, wait for the last one, and return what they took.

    Parameters
    ----------
    commands
        Argument lists.
    cwd
        Current folder of the commands.
    memory
        Sample the memory of their process trees.
    limit
        Seconds after which they are killed; their exit status is then -9.
    env
        Environment variables on top of the present ones.
    server
        Process whose CPU meanwhile is told apart, 0 for none.
    """
    os.sync()  # what earlier runs left to be written is not this one's to pay
    ended, peak = threading.Event(), Memory()
    with tempfile.TemporaryFile() as out:
        served = cpu_of(server)
        started = time.perf_counter()
        processes = [
            subprocess.Popen(
                command,
                cwd=cwd,
                env={**_environment(), **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            for command in commands
        ]
        watcher = threading.Thread(
            target=watch, args=([p.pid for p in processes], peak, ended), daemon=True
        )
        if memory:
            watcher.start()
        deadline = time.monotonic() + limit
        ends = [reap(process, deadline) for process in processes]
        wall = time.perf_counter() - started
        ended.set()
        if memory:
            watcher.join()
        out.seek(0)
        text = out.read().decode(errors="replace")[-2000:]
    cpu, statuses = sum(cpu for _, cpu in ends), [status for status, _ in ends]
    return Usage(wall, cpu, statuses, text, peak, cpu_of(server) - served)
