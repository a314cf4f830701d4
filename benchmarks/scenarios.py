"""The named scenarios: each is one bar, or one shape of graph beside jug.

In: a :class:`bench.Bench`. Out: rows, added to it. Sizes here are the full ones; the bench
scales them. ``SCENARIOS`` at the end is the list that the command line offers.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import graphs
from bench import Bench, Figured, Row, cpu, execute, median, side_by_side, then, wall
from crowds import crowd, real_graphs
from engines import DOIT, JUG, OURS, Engine
from jug_examples import examples
from large import chain_100k, million, million_rich, private_memory
from measure import Usage
from redis_scenarios import (
    redis_10k,
    redis_arrays,
    redis_done,
    redis_layers,
    redis_million,
    redis_wake,
)
from starts import handoff, starts
from terminals import terminals


def flat_10k_disk(bench: Bench) -> None:
    """10,000 trivial tasks on disk, one worker, beside jug and doit."""
    counts: list[int] = []

    def steps(engine: Engine, folder: Path) -> dict[str, Usage]:
        used = execute(1)(engine, folder)
        if engine is OURS:
            counts.append(sum(1 for path in (folder / "store").rglob("*") if path.is_file()))
        return used

    text = graphs.flat(bench.size(10_000))
    found = side_by_side(bench, text, "disk", steps, (OURS, JUG, DOIT))
    ours = median(found["taskgraph"].get("execute", []), wall)
    jug = median(found["jug"].get("execute", []), wall)
    doit = median(found["doit"].get("execute", []), wall)
    bench.against_jug("flat-10k-disk", "wall", ours, jug, 25, 40)
    faster = ours.value < doit.value if ours.value and doit.value else None
    what = "wall beside doit (in jug's column)"
    ratio = doit.value / ours.value if ours.value and doit.value else None
    bench.row(
        Row("flat-10k-disk", what, ours.value, doit.value, "s", ratio, "faster than doit"), faster
    )
    files = counts[-1] if counts and ours.value else None
    bench.row(
        Row("flat-10k-disk", "files in the store", files, None, "files", bar="under 100"),
        files is not None and files < 100,
    )


def flat_100k_disk(bench: Bench) -> None:
    """100,000 trivial tasks on disk, one worker."""
    text = graphs.flat(bench.size(100_000))
    compare_execute(bench, "flat-100k-disk", text, "disk", wall, 40, 80)


def flat_100k_tmpfs(bench: Bench) -> None:
    """100,000 trivial tasks on tmpfs, one worker: CPU."""
    text = graphs.flat(bench.size(100_000))
    compare_execute(bench, "flat-100k-tmpfs", text, "tmpfs", cpu, 8, 15)


def compare_execute(
    bench: Bench,
    scenario: str,
    text: str,
    place: str,
    figure: Callable[[Usage], float] = wall,
    least: float = 0,
    aim: float = 0,
    workers: int = 1,
) -> None:
    """Execute once with each engine and add a row of wall and one of CPU."""
    found = side_by_side(bench, text, place, execute(workers))
    ours, jug = (found[e.name].get("execute", []) for e in (OURS, JUG))
    for shown in (wall, cpu):
        name = f"{shown.__name__}, {workers} worker{'s' * (workers > 1)}, {place}"
        bars = (least, aim) if shown is figure else (0.0, 0.0)
        bench.against_jug(scenario, name, median(ours, shown), median(jug, shown), *bars)


def workers_10k_disk(bench: Bench) -> None:
    """10,000 trivial tasks on disk with 1, 2 and 4 workers."""
    scenario, text = "workers-10k-disk", graphs.flat(bench.size(10_000))
    found = {n: side_by_side(bench, text, "disk", execute(n)) for n in (1, 2, 4)}
    idle = {n: side_by_side(bench, graphs.empty(), "disk", execute(n), (OURS,)) for n in (1, 2, 4)}

    def ours(which: dict[int, dict[str, dict[str, list[Usage]]]], n: int) -> Figured:
        return median(which[n]["taskgraph"].get("execute", []), cpu)

    jug_two = median(found[2]["jug"].get("execute", []), wall)
    for n in (2, 4):
        mine = median(found[n]["taskgraph"].get("execute", []), wall)
        bench.against_jug(scenario, f"wall, {n} workers against jug's 2", mine, jug_two, 20)
        bench.against_jug(
            scenario,
            f"CPU, {n} workers",
            ours(found, n),
            median(found[n]["jug"].get("execute", []), cpu),
        )
        many, one, starts_n, starts_1 = ours(found, n), ours(found, 1), ours(idle, n), ours(idle, 1)
        values = (many.value, one.value, starts_n.value, starts_1.value)
        if any(v is None for v in values):
            continue
        allowed = 1.5 * (one.value or 0) + (starts_n.value or 0) - (starts_1.value or 0)
        row = Row(scenario, f"CPU, {n} workers, over 1 worker's", many.value, None, "s")
        row.ratio = (many.value or 0) / (one.value or 1)
        row.bar = f"at most {allowed:.2f} s (1.5 x 1 worker + start-ups)"
        bench.row(row, (many.value or 0) <= allowed)


def busy_1ms(bench: Bench) -> None:
    """5,000 tasks of 1 ms of CPU on disk: what a second worker is worth."""
    text = graphs.busy(bench.size(5_000), 1.0)
    found = {n: side_by_side(bench, text, "disk", execute(n)) for n in (1, 2)}
    for engine in (OURS, JUG):
        one, two = (median(found[n][engine.name].get("execute", []), wall) for n in (1, 2))
        part = two.value / one.value if one.value and two.value else None
        row = Row("busy-1ms", f"wall of 2 workers / 1 worker, {engine.name}", part, None, "")
        row.note = f"{two.value or 0:.2f} s / {one.value or 0:.2f} s"
        if engine is OURS:
            row.bar = "at most 0.6"
        bench.row(row, part is not None and part <= 0.6)


def done_100k(bench: Bench) -> None:
    """100,000 tasks all done: second execute and status, CPU."""
    text = graphs.flat(bench.size(100_000))
    found = side_by_side(bench, text, "tmpfs", then("execute", "status"))
    for verb in ("execute", "status"):
        ours, jug = (median(found[e.name].get(verb, []), cpu) for e in (OURS, JUG))
        bench.against_jug("done-100k", f"CPU of {verb} when all is done", ours, jug, 3)


def arrays_disk(bench: Bench) -> None:
    """1,000 arrays of 1 MB made and read on disk: memory, and wall beside jug."""
    text = graphs.arrays(bench.size(1_000))
    found = side_by_side(bench, text, "disk", execute(1))
    ours, jug = (median(found[e.name].get("execute", []), wall) for e in (OURS, JUG))
    bench.against_jug("arrays-1000x1MB", "wall", ours, jug, 1)
    peaks = side_by_side(bench, text, "disk", execute(1, memory=True))
    megabytes = [
        median(peaks[e.name].get("execute", []), lambda u: u.memory.anonymous / 1e6)
        for e in (OURS, JUG)
    ]
    row = Row(
        "arrays-1000x1MB", "peak anonymous memory", megabytes[0].value, megabytes[1].value, "MB"
    )
    row.bar = "under 250 MB"
    bench.row(row, (megabytes[0].value or 1e9) < 250)


def shapes(bench: Bench) -> None:
    """Chain, fan-in, three layers and a big argument on tmpfs and disk, 1, 2 and 4 workers."""
    for name, text, counts in (
        ("chain-2k", graphs.chain(bench.size(2_000)), (1,)),
        ("fan-in-10k", graphs.fan_in(bench.size(10_000)), (1, 2, 4)),
        ("layers-3x10k", graphs.layers(bench.size(10_000)), (1, 2, 4)),
        ("big-argument-100", graphs.big_argument(bench.size(100)), (1, 2, 4)),
    ):
        for place in ("tmpfs", "disk"):
            for workers in counts:
                compare_execute(bench, name, text, place, workers=workers)


def flat_tmpfs(bench: Bench) -> None:
    """10,000 trivial tasks on tmpfs with 1, 2 and 4 workers."""
    text = graphs.flat(bench.size(10_000))
    for workers in (1, 2, 4):
        compare_execute(bench, "flat-10k-tmpfs", text, "tmpfs", workers=workers)


#: Name -> what runs. The first line of its docstring is what ``--list`` shows.
SCENARIOS: dict[str, Callable[[Bench], None]] = {
    "flat-10k-disk": flat_10k_disk,
    "flat-100k-disk": flat_100k_disk,
    "workers-10k-disk": workers_10k_disk,
    "busy-1ms": busy_1ms,
    "flat-100k-tmpfs": flat_100k_tmpfs,
    "done-100k": done_100k,
    "million": million,
    "million-rich": million_rich,
    "chain-100k": chain_100k,
    "private-memory-j8": private_memory,
    "arrays-1000x1MB": arrays_disk,
    "handoff": handoff,
    "starts": starts,
    "terminals-4": terminals,
    "jug-examples": examples,
    "flat-10k-tmpfs": flat_tmpfs,
    "shapes": shapes,
    "real-graphs": real_graphs,
    "crowd": crowd,
    "redis-10k": redis_10k,
    "redis-layers-30k": redis_layers,
    "redis-done-100k": redis_done,
    "redis-arrays-200x1MB": redis_arrays,
    "redis-wake": redis_wake,
    "redis-million": redis_million,
}
