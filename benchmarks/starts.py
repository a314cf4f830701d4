"""Scenarios of moments: how long a start takes, and how soon a ready task begins."""

from __future__ import annotations

import statistics
from pathlib import Path

import graphs
from bench import Bench, Row, cpu, median
from engines import JUG, OURS
from measure import Usage, run


def starts(bench: Bench) -> None:
    """CPU of ``--help`` and of the bare import."""
    for what, bar in (("--help", 0.15), ("import", 0.05)):
        used: dict[str, list[Usage]] = {"taskgraph": [], "jug": []}
        with bench.folder("tmpfs") as folder:
            for _ in range(2 * bench.repeats + 1):
                for engine in (OURS, JUG):
                    commands = engine.help() if what == "--help" else engine.importing()
                    used[engine.name].append(run(commands, folder))
        ours, jug = median(used["taskgraph"], cpu), median(used["jug"], cpu)
        row = Row("starts", f"CPU of {what}", ours.value, jug.value, "s", note=ours.note)
        row.ratio = jug.value / ours.value if ours.value and jug.value else None
        row.bar = f"under {bar} s"
        bench.row(row, ours.value is not None and ours.value < bar)


def read_latencies(path: Path) -> list[float]:
    """Return for each round the later start, where two processes shared the round."""
    rounds: dict[str, list[tuple[str, float]]] = {}
    for line in path.read_text().splitlines():
        number, pid, late = line.split()
        rounds.setdefault(number, []).append((pid, float(late)))
    shared = [takes for takes in rounds.values() if len({pid for pid, _ in takes}) == 2]
    return [max(late for _, late in takes) for takes in shared]


def handoff(bench: Bench, place: str = "disk", within: float = 0.3) -> None:
    """Two workers: how soon a task starts that another worker's result made ready."""
    if OURS not in bench.engines:
        return
    with bench.place(place, OURS) as (folder, ours):
        ours.write(folder, graphs.handoff(10))
        usage = run([ours.command("execute")] * 2, folder)
        log = folder / "handoff.txt"
        late = read_latencies(log) if usage.ok and log.exists() else []
    name = "handoff" if place == "disk" else f"{place}-wake"
    row = Row(name, "start of a task another worker made ready", None, None, "s")
    row.bar = f"within {within:g} s"
    if late:
        row.ours = max(late)
        row.note = f"greatest of {len(late)} rounds, median {statistics.median(late):.3f}"
    else:
        row.note = f"no round was shared; exit {usage.statuses}: {usage.output.strip()[-80:]}"
    bench.row(row, bool(late) and max(late) <= within)
