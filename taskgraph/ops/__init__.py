"""The verbs: one function each, which returns a frozen dataclass and prints nothing.

``from taskgraph.ops import status`` gives the function ``status`` of the module
``taskgraph.ops.status``. Each is loaded when it is first asked for, so that a command
pays for what it uses. The command line is a thin skin over these; notebooks call them
directly.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from taskgraph.ops.check import check
    from taskgraph.ops.cleanup import cleanup
    from taskgraph.ops.context import open_session, store_url
    from taskgraph.ops.count import count
    from taskgraph.ops.doctor import doctor
    from taskgraph.ops.execute import execute
    from taskgraph.ops.failures import failures
    from taskgraph.ops.fsck import fsck
    from taskgraph.ops.graph import graph
    from taskgraph.ops.invalidate import invalidate, plan, retry
    from taskgraph.ops.log import log
    from taskgraph.ops.migrate import migrate
    from taskgraph.ops.pack import pack
    from taskgraph.ops.rekey import rekey
    from taskgraph.ops.run import run
    from taskgraph.ops.select import Selection, find_task, select
    from taskgraph.ops.show import show
    from taskgraph.ops.sleep_until import sleep_until
    from taskgraph.ops.snapshot import read_snapshot, write_snapshot
    from taskgraph.ops.stale import stale
    from taskgraph.ops.states import states
    from taskgraph.ops.status import quick_status, status, status_of
    from taskgraph.ops.transfer import export_tasks, import_tasks

#: Where each public name lives.
_HOMES = {
    "Selection": "select",
    "check": "check",
    "cleanup": "cleanup",
    "count": "count",
    "doctor": "doctor",
    "execute": "execute",
    "export_tasks": "transfer",
    "failures": "failures",
    "find_task": "select",
    "fsck": "fsck",
    "graph": "graph",
    "import_tasks": "transfer",
    "invalidate": "invalidate",
    "log": "log",
    "migrate": "migrate",
    "open_session": "context",
    "pack": "pack",
    "plan": "invalidate",
    "quick_status": "status",
    "read_snapshot": "snapshot",
    "rekey": "rekey",
    "retry": "invalidate",
    "run": "run",
    "select": "select",
    "show": "show",
    "sleep_until": "sleep_until",
    "stale": "stale",
    "states": "states",
    "status": "status",
    "status_of": "status",
    "store_url": "context",
    "write_snapshot": "snapshot",
}

__all__ = [
    "Selection",
    "check",
    "cleanup",
    "count",
    "doctor",
    "execute",
    "export_tasks",
    "failures",
    "find_task",
    "fsck",
    "graph",
    "import_tasks",
    "invalidate",
    "log",
    "migrate",
    "open_session",
    "pack",
    "plan",
    "quick_status",
    "read_snapshot",
    "rekey",
    "retry",
    "run",
    "select",
    "show",
    "sleep_until",
    "stale",
    "states",
    "status",
    "status_of",
    "store_url",
    "write_snapshot",
]


class _Verbs(ModuleType):
    """A package in which a verb's name is its function, never the module of that name."""

    def __setattr__(self, name: str, value: Any) -> None:
        # The import system sets each submodule on its package and would hide the function.
        if isinstance(value, ModuleType) and name in _HOMES:
            value = getattr(value, name)
        super().__setattr__(name, value)


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)


sys.modules[__name__].__class__ = _Verbs
