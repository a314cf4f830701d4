"""What makes a task generator of a plain function; the only line that knows the core.

A function's task is called ``bioimage_tasks.tasks.<function>`` whichever file of this package
holds it, so that moving it between files recomputes nothing. ``version=`` is raised when a
function's results change.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bioimage_tasks.start import check_core

try:
    from taskgraph import TaskGenerator
except ImportError:
    check_core()
    raise


def task(version: int = 1, **options: Any) -> Callable[[Callable[..., Any]], TaskGenerator]:
    """Make a task generator: ``@task()`` or ``@task(version=2, timeout=600)`` above a function.

    Parameters
    ----------
    version : int
        Raised when the function's results change: all of them are computed again.
    **options
        Those of :class:`taskgraph.TaskGenerator`, ``resources=`` or ``retries=``.
    """

    def make(function: Callable[..., Any]) -> TaskGenerator:
        name = f"bioimage_tasks.tasks.{function.__name__}"
        return TaskGenerator(function, name=name, version=version, **options)

    return make
