"""Two ready-made tasks: a value as a task of its own, and an external program.

Their names are fixed, so that moving the functions changes no key.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from taskgraph.errors import TaskFailed
from taskgraph.task import Task, TaskGenerator, Tasklet


def _identity(x: Any) -> Any:
    return x


_IDENTITY = TaskGenerator(_identity, name="taskgraph.compose.identity")


def identity(x: Any) -> Any:
    """``x = identity(x)``: a task whose result is its argument.

    A large list given to a thousand tasks is then hashed once, and the thousand name the
    task. A task, or a part of one, is returned as it is.
    """
    return x if isinstance(x, Task | Tasklet) else _IDENTITY(x)


def _execute_command(
    args: Sequence[str],
    check_exit: bool = True,
    run_after: Any = None,
    return_value: Any = None,
) -> Any:
    """``done = execute_command(["gzip", "a.tif"])``: an external program as a task.

    Parameters
    ----------
    args : list of str
        Program and arguments; may hold tasks.
    check_exit : bool
        Whether a status other than 0 is a failure.
    run_after : object
        Not used by the program: tasks in here run before.
    return_value : object
        The task's result, e.g. the name of the file that the program writes.

    Raises
    ------
    TaskFailed
        The program ended with another status than 0 (when the task runs).
    """
    import subprocess

    status = subprocess.call(args)
    if check_exit and status != 0:
        raise TaskFailed(
            "A command must end with status 0, or be called with check_exit=False; "
            f"{args!r} ended with {status}."
        )
    return return_value


execute_command = TaskGenerator(_execute_command, name="taskgraph.compose.execute_command")
