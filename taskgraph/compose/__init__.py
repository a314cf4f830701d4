"""Larger things made of tasks: sequences, maps and reductions, sub-graphs.

Functions and structures that may hold tasks flow in; tasks, or things that stand for
values of tasks, flow out. Knows sessions (a compound task asks whether its result is
there), never workers.
"""

from taskgraph.compose.chunks import Mapped, MappedSlice, currymap, map, mapreduce, reduce
from taskgraph.compose.commands import execute_command, identity
from taskgraph.compose.compound import (
    CachedFunction,
    Compound,
    CompoundTask,
    CompoundTaskGenerator,
    ancestors_of,
    record_extra,
)
from taskgraph.compose.parts import NoLoad, iteratetask, return_tuple

__all__ = [
    "CachedFunction",
    "Compound",
    "CompoundTask",
    "CompoundTaskGenerator",
    "Mapped",
    "MappedSlice",
    "NoLoad",
    "ancestors_of",
    "currymap",
    "execute_command",
    "identity",
    "iteratetask",
    "map",
    "mapreduce",
    "record_extra",
    "reduce",
    "return_tuple",
]
