"""Task graphs with remembered results: the front step.

The user's names are here, each loaded when it is first asked for, so that importing the
package costs next to nothing. ``taskgraph.session`` is the function that begins a
session in a notebook; the module of that name is reached by
``from taskgraph.session import ...``.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from taskgraph.compose import (
        CachedFunction,
        CompoundTask,
        CompoundTaskGenerator,
        NoLoad,
        currymap,
        execute_command,
        identity,
        iteratetask,
        map,
        mapreduce,
        reduce,
        return_tuple,
    )
    from taskgraph.hashing import CustomHash, File, NoHash, register_hasher, timed_path
    from taskgraph.hashing.files import files
    from taskgraph.notebook import session
    from taskgraph.session import barrier, bvalue, is_running, value
    from taskgraph.task import Task, TaskGenerator, Tasklet

__version__ = "0.1.0"

_HOMES = {
    "compose": (
        "CachedFunction CompoundTask CompoundTaskGenerator NoLoad currymap execute_command "
        "identity iteratetask map mapreduce reduce return_tuple"
    ),
    "hashing": "CustomHash File NoHash register_hasher timed_path",
    "hashing.files": "files",
    "notebook": "session",
    "session": "barrier bvalue is_running value",
    "task": "Task TaskGenerator Tasklet",
}
_HOME_OF = {name: f"taskgraph.{home}" for home, names in _HOMES.items() for name in names.split()}

__all__ = [
    "CachedFunction",
    "CompoundTask",
    "CompoundTaskGenerator",
    "CustomHash",
    "File",
    "NoHash",
    "NoLoad",
    "Task",
    "TaskGenerator",
    "Tasklet",
    "__version__",
    "barrier",
    "bvalue",
    "currymap",
    "execute_command",
    "files",
    "identity",
    "is_running",
    "iteratetask",
    "map",
    "mapreduce",
    "reduce",
    "register_hasher",
    "return_tuple",
    "session",
    "timed_path",
    "value",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'taskgraph' has no attribute {name!r}")
    found = getattr(import_module(home), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Package(ModuleType):
    """The package, whose ``session`` stays the function.

    Importing the module ``taskgraph.session`` sets the attribute of that name on the
    package, in whatever order things are imported; here that is not taken over.
    """

    @property
    def session(self) -> Any:
        return import_module("taskgraph.notebook").session

    @session.setter
    def session(self, module: object) -> None:
        return


sys.modules[__name__].__class__ = _Package
