"""jug.mapreduce: several calls to a task."""

from taskgraph.compose import currymap, map, mapreduce, reduce

__all__ = ["currymap", "map", "mapreduce", "reduce"]
