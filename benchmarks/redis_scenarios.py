"""Scenarios on a Redis server that both sides talk to: one fresh server a turn.

CPU is that of the clients, as in every scenario; the server's own is noted beside it.
"""

from __future__ import annotations

import graphs
from bench import Bench, Figured, Row, cpu, execute, median, side_by_side, then, wall
from engines import JUG, OURS
from large import below
from measure import Usage
from starts import handoff


def served(figure: Figured, usages: list[Usage]) -> Figured:
    """Add the server's CPU to a figure's note."""
    if figure.value is not None:
        seconds = median(usages, lambda u: u.server).value
        figure.note = f"{figure.note}; server {seconds:.2f} s".removeprefix("; ")
    return figure


def compare(
    bench: Bench, scenario: str, text: str, workers: int, bars: dict[str, tuple[float, float]]
) -> None:
    """Execute once with each engine; rows of wall and of client CPU, each with its bar."""
    found = side_by_side(bench, text, "redis", execute(workers))
    ours, jug = (found[e.name].get("execute", []) for e in (OURS, JUG))
    for figure in (wall, cpu):
        what = f"{figure.__name__}, {workers} worker{'s' * (workers > 1)}"
        mine, other = median(ours, figure), median(jug, figure)
        if figure is cpu:
            mine = served(mine, ours)
            other = served(other, jug)
            mine.note += f"; jug's {other.note.rpartition('; ')[2]}" if other.value else ""
        bench.against_jug(scenario, what, mine, other, *bars.get(figure.__name__, (0, 0)))


def redis_10k(bench: Bench) -> None:
    """10,000 trivial tasks on Redis, 1 and 4 workers."""
    text = graphs.flat(bench.size(10_000))
    for workers, least in ((1, 12), (4, 8)):
        compare(bench, "redis-10k", text, workers, {"wall": (least, 20), "cpu": (8, 0)})


def redis_layers(bench: Bench) -> None:
    """Three layers of 10,000 tasks on Redis, 4 workers."""
    compare(bench, "redis-layers-30k", graphs.layers(bench.size(10_000)), 4, {"wall": (15, 0)})


def redis_done(bench: Bench) -> None:
    """100,000 tasks that are done on Redis: second execute."""
    text = graphs.flat(bench.size(100_000))
    once = Bench(bench.disk, bench.tmpfs, 1, bench.scale, bench.engines)
    found = side_by_side(once, text, "redis", then("execute", "status"))
    for verb, least in (("execute", 8.0), ("status", 0.0)):
        ours, jug = (found[e.name].get(verb, []) for e in (OURS, JUG))
        mine, other = served(median(ours, wall), ours), median(jug, wall)
        bench.against_jug("redis-done-100k", f"wall of {verb} when all is done", mine, other, least)


def redis_arrays(bench: Bench) -> None:
    """200 arrays of 1 MB made and read through Redis: client CPU."""
    compare(bench, "redis-arrays-200x1MB", graphs.arrays(bench.size(200)), 1, {"cpu": (10, 0)})


def redis_wake(bench: Bench) -> None:
    """Two workers on Redis: how soon one wakes for a task that the other made ready."""
    handoff(bench, "redis", 0.05)


def redis_million(bench: Bench) -> None:
    """1,000,000 flat tasks on Redis: execute, status, invalidate; taskgraph alone."""
    n = bench.size(1_000_000)
    once = Bench(bench.disk, bench.tmpfs, 1, bench.scale, bench.engines)
    steps = then("status", "invalidate:square")
    found = side_by_side(once, graphs.flat(n), "redis", steps, (OURS,))["taskgraph"]
    first = found.get("first", [])
    speed = served(median(first, lambda u: n / u.wall), first)
    row = Row("redis-million", "execute, 1 worker", speed.value, None, "tasks/s", note=speed.note)
    row.bar = "above 25000 tasks/s"
    bench.row(row, speed.value is not None and speed.value > 25_000)
    status = found.get("status", [])
    below(bench, "redis-million", "CPU of status", served(median(status, cpu), status), "s", 8)
    gone = found.get("invalidate", [])
    used = served(median(gone, wall), gone)
    bench.row(Row("redis-million", "wall of invalidate", used.value, note=used.note))
