"""jug.barrier: points where reading the jugfile waits."""

from taskgraph.errors import BarrierStop as BarrierError
from taskgraph.session import barrier, bvalue

__all__ = ["BarrierError", "barrier", "bvalue"]
