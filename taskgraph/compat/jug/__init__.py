"""jug's public names, meaning taskgraph's things: what ``import jug`` gives under the alias.

The modules are named as jug's are. Semantics are jug's where a jugfile can notice them;
what is better here stays better (keys, failures, barriers that wait).
"""

from taskgraph import __version__
from taskgraph.compat.jug.backends import dict_store, file_store, redis_store
from taskgraph.compat.jug.barrier import barrier, bvalue
from taskgraph.compat.jug.compound import CompoundTask, CompoundTaskGenerator
from taskgraph.compat.jug.jug import init, is_jug_running
from taskgraph.compat.jug.options import set_jugdir
from taskgraph.compat.jug.task import (
    CachedFunction,
    Task,
    TaskGenerator,
    Tasklet,
    iteratetask,
    return_tuple,
    value,
)

__all__ = [
    "CachedFunction",
    "CompoundTask",
    "CompoundTaskGenerator",
    "Task",
    "TaskGenerator",
    "Tasklet",
    "__version__",
    "barrier",
    "bvalue",
    "dict_store",
    "file_store",
    "init",
    "is_jug_running",
    "iteratetask",
    "redis_store",
    "return_tuple",
    "set_jugdir",
    "value",
]
