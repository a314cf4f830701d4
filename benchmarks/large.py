"""Scenarios of 100,000 and 1,000,000 tasks that only taskgraph is asked to run.

jug's own figures at these sizes are hours or recursion errors; the bars are absolute.
"""

from __future__ import annotations

import graphs
from bench import Bench, Figured, Row, cpu, execute, median, side_by_side, then, wall
from engines import OURS
from measure import Usage


def below(bench: Bench, scenario: str, what: str, figure: Figured, unit: str, bar: float) -> None:
    """Add a row of ours alone whose bar is a greatest value."""
    row = Row(
        scenario, what, figure.value, None, unit, bar=f"under {bar:g} {unit}", note=figure.note
    )
    bench.row(row, figure.value is not None and figure.value < bar)


def megabytes(usages: list[Usage]) -> Figured:
    """Return the median peak of anonymous memory in MB, with the shared-once figure as note."""
    found = median(usages, lambda u: u.memory.anonymous / 1e6)
    if found.value is not None:
        once = median(usages, lambda u: u.memory.proportional / 1e6).value
        found.note = f"{once:.0f} MB with shared pages counted once"
    return found


def million(bench: Bench) -> None:
    """1,000,000 flat tasks on tmpfs: execute, and status when done."""
    n = bench.size(1_000_000)
    found = side_by_side(bench, graphs.flat(n), "tmpfs", then("status"), (OURS,))["taskgraph"]
    speed = median(found.get("first", []), lambda u: n / u.wall)
    row = Row("million", "execute", speed.value, None, "tasks/s", bar="above 40000 tasks/s")
    bench.row(row, speed.value is not None and speed.value > 40_000)
    below(bench, "million", "CPU of status", median(found.get("status", []), cpu), "s", 5)
    status_memory(bench, "million", graphs.flat(n), 700)


def status_memory(bench: Bench, scenario: str, text: str, bar: float) -> None:
    """Add the row of the memory of ``status`` over a finished graph, in a run of its own."""
    once = Bench(bench.disk, bench.tmpfs, 1, bench.scale, bench.engines)
    found = side_by_side(once, text, "tmpfs", then("status", memory=True), (OURS,))["taskgraph"]
    below(bench, scenario, "memory of status", megabytes(found.get("status", [])), "MB", bar)


def million_rich(bench: Bench) -> None:
    """1,000,000 tasks with a path, a keyword and 10 edges each: status when done."""
    text = graphs.rich(bench.size(1_000_000))
    once = Bench(bench.disk, bench.tmpfs, 1, bench.scale, bench.engines)
    found = side_by_side(once, text, "tmpfs", then("status"), (OURS,))["taskgraph"]
    first = median(found.get("first", []), wall)
    bench.row(Row("million-rich", "wall of execute", first.value, note=first.note))
    below(bench, "million-rich", "CPU of status", median(found.get("status", []), cpu), "s", 12)
    status_memory(bench, "million-rich", text, 1300)


def chain_100k(bench: Bench) -> None:
    """Chain of 100,000 tasks on disk: execute, status, invalidate."""
    text = graphs.chain(bench.size(100_000))
    steps = then("status", "invalidate:first")
    found = side_by_side(bench, text, "disk", steps, (OURS,))["taskgraph"]
    below(bench, "chain-100k", "wall of execute", median(found.get("first", []), wall), "s", 30)
    for verb in ("status", "invalidate"):
        used = median(found.get(verb, []), cpu)
        below(bench, "chain-100k", f"CPU of {verb}", used, "s", 2)


def private_memory(bench: Bench) -> None:
    """``-j 8`` on 1,000,000 tasks: what a worker has for itself beside one load of the graph."""
    text = graphs.flat(bench.size(1_000_000))
    once = Bench(bench.disk, bench.tmpfs, 1, bench.scale, bench.engines)
    found = side_by_side(once, text, "tmpfs", execute(8, memory=True), (OURS,))["taskgraph"]
    usages = found.get("execute", [])
    private = median(usages, lambda u: u.memory.private / 1e6)
    load = median(usages, lambda u: u.memory.one_load / 1e6)
    row = Row(
        "private-memory-j8", "private memory of the largest worker", private.value, None, "MB"
    )
    row.bar = f"under half of one load ({(load.value or 0) / 2:.0f} MB)"
    row.note = private.note
    met = private.value is not None and load.value is not None and private.value < load.value / 2
    bench.row(row, met)
