"""Runs of ``execute`` as programs of their own, for tests that kill and signal them.

A jugfile flows in, a process flows out; what its tasks do is seen by the files that they
leave in a folder. Clocks here are real ones.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: Seconds after which something that does not come is a failure.
PATIENCE = 30.0


def wait_until(condition: Callable[[], Any], what: str) -> None:
    """Look again and again for a while; fail with ``what`` when it never comes."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.02)


def start(
    path: Path,
    *,
    store: str | None = None,
    log: Path | None = None,
    jobs: int = 1,
    **options: Any,
) -> subprocess.Popen[str]:
    """Start ``execute`` on a jugfile as a program of its own; return the process.

    What it says goes to the file ``log``, if there is one.
    """
    request = {"jugfile": str(path), "store": store, "options": {"jobs": jobs, **options}}
    errors = None if log is None else log.open("a")
    process = subprocess.Popen(
        [sys.executable, "-m", "taskgraph.ops.execute"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
    )
    if errors is not None:
        errors.close()
    assert process.stdin is not None
    process.stdin.write(json.dumps(request))
    process.stdin.close()
    process.stdin = None  # for communicate()
    return process


def finish(process: subprocess.Popen[str]) -> int:
    """Wait for a process and return its exit code."""
    code = process.wait(PATIENCE)
    assert process.stdout is not None
    process.stdout.close()
    return code


def runs(place: Path) -> list[tuple[int, int]]:
    """Return (number, pid) of each run of a task that left ``run-NUMBER-PID-...`` there."""
    found = [path.name.split("-") for path in place.glob("run-*")]
    return [(int(number), int(pid)) for _, number, pid, _ in found]
