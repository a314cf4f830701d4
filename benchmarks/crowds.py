"""Scenarios of many workers, and of the graphs that published analyses had.

In: a :class:`bench.Bench`. Out: rows. Tasks of the crowd sleep, so that whatever CPU is
used is the price of working together.
"""

from __future__ import annotations

from pathlib import Path

import graphs
import published
from bench import Bench, Row, Steps, cpu, execute, median, side_by_side, wall
from engines import JUG, OURS, Engine
from measure import Usage, run

#: Workers of the smaller and of the larger crowd.
FEW, MANY = 8, 64
#: Tasks for each worker where there is work for all, and milliseconds of each.
SHARE, NAP = 200, 20.0


def crowd(bench: Bench) -> None:
    """8 and 64 workers, file store and Redis: CPU for the same work, and for 8 times as much."""
    for place in ("disk", "redis"):
        few = _naps(bench, place, FEW, SHARE * FEW)
        for tasks, what in ((SHARE * FEW, "the same work"), (SHARE * MANY, "8 times the work")):
            many = _naps(bench, place, MANY, tasks)
            row = Row(f"crowd-{place}", f"CPU of {MANY} workers / of {FEW}, {what}", None, None, "")
            row.bar = f"at most {MANY // FEW}"
            if few and many:
                row.ours = many / few
            bench.row(row, row.ours is not None and row.ours <= MANY / FEW)


def _naps(bench: Bench, place: str, workers: int, tasks: int) -> float | None:
    """Run tasks that only sleep; return the CPU seconds, and note them."""
    text = graphs.naps(bench.size(tasks), NAP)
    found = side_by_side(bench, text, place, execute(workers), (OURS,))["taskgraph"]
    figure = median(found.get("execute", []), cpu)
    what = f"CPU, {workers} workers, {tasks} tasks"
    bench.row(Row(f"crowd-{place}", what, figure.value, note=figure.note))
    return figure.value


def twice(workers: int) -> Steps:
    """Return the steps: execute, execute again when all is done, status."""

    def steps(engine: Engine, folder: Path) -> dict[str, Usage]:
        commands = {
            "execute": engine.execute(workers),
            "second execute": engine.execute(1),
            "status": engine.status(),
        }
        return {
            what: run(some, folder, server=engine.server, limit=600)
            for what, some in commands.items()
        }

    return steps


def real_graphs(bench: Bench) -> None:
    """Run the graphs of three published analyses: 190,000 edges, 120,000 tasks, large arrays."""
    for name, text, place in (
        ("nets-190k-edges", published.nets(bench.scale), "tmpfs"),
        ("unseen-120k-tasks", published.unseen(bench.scale), "tmpfs"),
        ("nuclei-4900-arrays", published.nuclei(bench.scale), "disk"),
    ):
        once = Bench(bench.disk, bench.tmpfs, 1, bench.scale, bench.engines)
        found = side_by_side(once, text, place, twice(2))
        for what in ("execute", "second execute", "status"):
            ours, jug = (found[e.name].get(what, []) for e in (OURS, JUG))
            for figure in (wall, cpu):
                label = f"{figure.__name__} of {what}, {place}"
                bench.against_jug(name, label, median(ours, figure), median(jug, figure))
