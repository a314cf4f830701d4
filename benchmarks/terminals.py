"""Scenario of several terminals on one machine, each with a worker that multiplies matrices.

Nothing is said of threads, as on a workstation where nobody has set ``OMP_NUM_THREADS``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import graphs
from bench import Bench, cpu, median, side_by_side, wall
from engines import Engine
from measure import Usage, run

TERMINALS = 4


def steps(engine: Engine, folder: Path) -> dict[str, Usage]:
    """Execute the graph with workers that know each other by the store only."""
    with unset("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        return {"execute": run([engine.command("execute")] * TERMINALS, folder)}


@contextmanager
def unset(*names: str) -> Iterator[None]:
    """Take variables out of the environment for a while."""
    kept = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)


def terminals(bench: Bench) -> None:
    """Four workers started apart, 100 tasks of ten products of matrices: wall and CPU."""
    found = side_by_side(bench, graphs.products(bench.size(100)), "disk", steps)
    ours, jug = (found[name].get("execute", []) for name in ("taskgraph", "jug"))
    figures: tuple[tuple[str, Callable[[Usage], float]], ...] = (("wall", wall), ("CPU", cpu))
    for what, figure in figures:
        bench.against_jug(
            f"terminals-{TERMINALS}", f"{what}, {TERMINALS} workers started apart",
            median(ours, figure), median(jug, figure),
        )  # fmt: skip
