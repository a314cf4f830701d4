"""jug.compound: functions that build sub-graphs."""

from taskgraph.compose import CompoundTask, CompoundTaskGenerator

__all__ = ["CompoundTask", "CompoundTaskGenerator"]
