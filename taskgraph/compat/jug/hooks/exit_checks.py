"""jug.hooks.exit_checks: reasons for a worker to stop with work left."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from taskgraph.compat.exit_variables import read_exit_variables
from taskgraph.compat.jug.hooks.register import BEGUN, register_hook, register_hook_once

__all__ = [
    "exit_after_n_tasks",
    "exit_after_time",
    "exit_env_vars",
    "exit_if_file_exists",
    "exit_when_true",
]

_STARTED, _DONE = "execute.task-pre-execute", "execute.task-executed1"


def exit_if_file_exists(fname: str | Path) -> None:
    """Stop before the next task when a file exists."""

    def check(task: object) -> None:
        if Path(fname).exists():
            sys.exit(0)

    register_hook_once(_STARTED, ("exit_if_file_exists", str(fname)), check)


def exit_when_true(f: Callable[..., Any], function_takes_Task: bool = False) -> None:
    """Stop after a task when ``f()``, or ``f(task)``, returns something true."""

    def check(task: object) -> None:
        if f(task) if function_takes_Task else f():
            sys.exit(0)

    if getattr(f, "__closure__", True) is None:
        register_hook_once(_DONE, ("exit_when_true", f.__code__, function_takes_Task), check)
    else:
        register_hook(_DONE, check)


def exit_after_n_tasks(n: int) -> None:
    """Stop when this worker, with those before it at its slot, has run ``n`` tasks."""
    executed = 0

    def go_on(before: int) -> None:
        nonlocal executed
        executed = before
        if before and before >= n:
            sys.exit(0)

    def count(task: object) -> None:
        nonlocal executed
        executed += 1
        if executed >= n:
            sys.exit(0)

    register_hook_once(BEGUN, ("exit_after_n_tasks", n), go_on)
    register_hook_once(_DONE, ("exit_after_n_tasks", n), count)


def exit_after_time(
    hours: float = 0,
    minutes: float = 0,
    seconds: float = 0,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Stop after the task during which this much time has passed since this call."""
    deadline = clock() + seconds + 60 * minutes + 3600 * hours

    def check(task: object) -> None:
        if clock() >= deadline:
            sys.exit(0)

    register_hook_once(_DONE, ("exit_after_time", hours, minutes, seconds), check)


def exit_env_vars(environ: Mapping[str, str] | None = None) -> None:
    """Set limits from jug's environment variables (``JUG_MAX_TASKS`` and so on)."""
    given = os.environ if environ is None else environ
    limits = read_exit_variables(given, Path())
    if limits.max_tasks is not None:
        exit_after_n_tasks(limits.max_tasks)
    if limits.max_seconds is not None:
        exit_after_time(seconds=limits.max_seconds)
    if given.get("JUG_EXIT_IF_FILE_EXISTS"):
        exit_if_file_exists(given["JUG_EXIT_IF_FILE_EXISTS"])
