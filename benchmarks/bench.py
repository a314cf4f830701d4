"""One session of measuring: where the stores lie, how often to repeat, and the rows found.

In: a graph's text, an engine, a place. Out: :class:`Row` values, each a figure beside the
same figure of jug and the bar it is judged by. It starts commands through ``measure`` and
knows no scenario.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from engines import DOIT, JUG, OURS, Engine
from measure import Usage, run
from server import Server

#: An engine that has used this many seconds in one measurement is not asked again.
PATIENCE = 60.0

Figure = Callable[[Usage], float]


def wall(usage: Usage) -> float:
    """Return seconds from the start to the end of the last process."""
    return usage.wall


def cpu(usage: Usage) -> float:
    """Return user and system seconds of all processes."""
    return usage.cpu


@dataclass(slots=True)
class Row:
    """One line of the table."""

    scenario: str
    what: str
    ours: float | None
    jug: float | None = None
    unit: str = "s"
    ratio: float | None = None
    bar: str = ""
    met: bool | None = None  #: None: no bar, or not measured at full size
    note: str = ""


@dataclass(slots=True)
class Bench:
    """The settings of a session."""

    disk: Path
    tmpfs: Path
    repeats: int = 3
    scale: float = 1.0
    engines: tuple[Engine, ...] = (OURS, JUG, DOIT)
    rows: list[Row] = field(default_factory=list)

    def size(self, n: int) -> int:
        """Return ``n`` tasks at the session's scale."""
        return max(10, round(n * self.scale))

    @contextmanager
    def folder(self, place: str) -> Iterator[Path]:
        """Give a fresh folder on ``disk`` or ``tmpfs``; it is removed afterwards."""
        root = self.disk if place == "disk" else self.tmpfs
        path = Path(tempfile.mkdtemp(prefix="taskgraph-bench-", dir=root))
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    @contextmanager
    def place(self, name: str, engine: Engine) -> Iterator[tuple[Path, Engine]]:
        """Give a fresh folder and the engine with a fresh store: ``disk``, ``tmpfs``, ``redis``."""
        if name != "redis":
            with self.folder(name) as folder:
                yield folder, engine
            return
        with self.folder("disk") as folder, Server(folder / "redis") as server:
            yield folder, engine.at(server.host, server.pid)

    def row(self, row: Row, met: bool | None = None) -> Row:
        """Judge a row and keep it: bars hold for full sizes and measured figures only."""
        row.met = met if self.scale == 1.0 and row.ours is not None and row.bar else None
        self.rows.append(row)
        return row

    def against_jug(
        self,
        scenario: str,
        what: str,
        ours: Figured,
        jug: Figured,
        least: float = 0,
        aim: float = 0,
    ) -> Row:
        """Add a row whose bar is a ratio: jug's figure over ours."""
        ratio = jug.value / ours.value if jug.value and ours.value else None
        bar = f"{least:g}x jug" + (f", aim {aim:g}x" if aim else "") if least else ""
        row = Row(
            scenario, what, ours.value, jug.value, "s", ratio, bar, note=ours.note or jug.note
        )
        return self.row(row, ratio >= least if ratio is not None else None)


@dataclass(slots=True)
class Figured:
    """A median and what is to be said about it."""

    value: float | None = None
    note: str = ""


def median(usages: Sequence[Usage], figure: Figure) -> Figured:
    """Return the median of a figure; a command that failed makes it void."""
    if not usages:
        return Figured(None)
    bad = [u for u in usages if not u.ok]
    if bad:
        last = (bad[0].output.strip().splitlines() or ["no output"])[-1]
        return Figured(None, f"exit {bad[0].statuses}: {last[:80]}")
    values = [figure(u) for u in usages]
    spread = f"{min(values):.2f}-{max(values):.2f}" if len(values) > 1 else ""
    return Figured(statistics.median(values), spread)


#: What is done in a fresh folder: returns one usage a measured step.
Steps = Callable[[Engine, Path], dict[str, Usage]]


def side_by_side(
    bench: Bench, text: str, place: str, steps: Steps, engines: Sequence[Engine] = (OURS, JUG)
) -> dict[str, dict[str, list[Usage]]]:
    """Repeat ``steps`` for each engine in turn, each time in a fresh folder.

    Returns
    -------
    dict
        Engine's name -> step -> usages. Engines take turns, so that both meet the same
        neighbours; one that has used up :data:`PATIENCE` is left out of further turns.
    """
    found: dict[str, dict[str, list[Usage]]] = {e.name: {} for e in (OURS, JUG, DOIT)}
    spent = dict.fromkeys(found, 0.0)
    for _ in range(bench.repeats):
        for engine in engines:
            if engine not in bench.engines or spent[engine.name] > PATIENCE:
                continue
            with bench.place(place, engine) as (folder, there):
                there.write(folder, text)
                for step, usage in steps(there, folder).items():
                    found[engine.name].setdefault(step, []).append(usage)
                    spent[engine.name] += usage.wall
    return found


def execute(workers: int = 1, *, memory: bool = False) -> Steps:
    """Return the steps that execute the graph once with some workers."""

    def steps(engine: Engine, folder: Path) -> dict[str, Usage]:
        used = run(engine.execute(workers), folder, memory=memory, server=engine.server)
        return {"execute": used}

    return steps


def then(*verbs: str, memory: bool = False) -> Steps:
    """Return the steps: execute, then each verb of ``execute``, ``status``, ``invalidate:NAME``."""

    def steps(engine: Engine, folder: Path) -> dict[str, Usage]:
        used = {"first": run(engine.execute(1), folder, server=engine.server)}
        for verb in verbs:
            word, _, name = verb.partition(":")
            if word == "invalidate":
                commands = engine.invalidate(name)
            else:
                commands = engine.status() if word == "status" else engine.execute(1)
            used[word] = run(commands, folder, memory=memory, server=engine.server)
        return used

    return steps
