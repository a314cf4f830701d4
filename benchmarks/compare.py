"""Measure taskgraph beside jug 2.7.0 on the same graphs and write the table.

Usage: ``python benchmarks/compare.py [SCENARIO ...] [--repeats 3] [--out FILE]``.
In: names of scenarios (default: all). Out: a Markdown table with medians, ratios and the
bar beside each figure, on the terminal and, with ``--out``, in a file with the raw rows
beside it as JSON. It needs the environment of ``make test``: jug and doit are in it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench import Bench, Row
from engines import DOIT, JUG, OURS
from scenarios import SCENARIOS

PACKAGES = ("bioimage-taskgraph", "jug", "doit", "numpy", "redis", "polars")
ENGINES = {engine.name: engine for engine in (OURS, JUG, DOIT)}


def number(value: float | None, unit: str = "") -> str:
    """Return a figure with three digits that count."""
    if value is None:
        return "-"
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 0.1 else 3
    return f"{value:,.{digits}f} {unit}".strip()


def line(row: Row) -> str:
    """Return one row of the Markdown table."""
    verdict = {True: "met", False: "**missed**", None: ""}[row.met]
    ratio = f"{number(row.ratio)}x" if row.ratio is not None else ""
    cells = [
        row.scenario,
        row.what,
        number(row.jug, row.unit) if row.jug is not None else "",
        number(row.ours, row.unit),
        ratio,
        row.bar,
        verdict,
        row.note.replace("|", "/"),
    ]
    return "| " + " | ".join(cells) + " |"


HEAD = """| scenario | what | jug | taskgraph | ratio | bar | | note |
|---|---|---|---|---|---|---|---|"""


def file_system(path: Path) -> str:
    """Return the type of the file system that holds ``path``, from the mount table."""
    best = ("", "unknown")
    for entry in Path("/proc/mounts").read_text().splitlines():
        _, mount, kind = entry.split()[:3]
        if str(path).startswith(mount) and len(mount) >= len(best[0]):
            best = (mount, kind)
    return best[1]


def machine(bench: Bench) -> str:
    """Return two lines about the machine and the versions."""
    versions = []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            versions.append(f"{name} absent")
    return (
        f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()} "
        f"{platform.release()}; disk: {file_system(bench.disk)}, tmpfs: {file_system(bench.tmpfs)}; "
        f"load at the start {os.getloadavg()[0]:.1f}; up to {bench.repeats} repeats, medians.\n"
        f"{', '.join(versions)}."
    )


def parse(arguments: list[str]) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="names; default: all")
    parser.add_argument("--list", action="store_true", help="print the scenarios and stop")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each command (3)")
    parser.add_argument("--scale", type=float, default=1.0, help="part of the full sizes; no bars")
    parser.add_argument("--engines", default="taskgraph,jug,doit", help="names, with commas")
    parser.add_argument("--disk", type=Path, default=Path("/var/tmp"), help="folder on a real disk")
    parser.add_argument("--tmpfs", type=Path, default=Path("/dev/shm"), help="folder in memory")
    parser.add_argument("--out", type=Path, help="Markdown file to write; rows go to its .json")
    options = parser.parse_args(arguments)
    for name in options.scenarios:
        if name not in SCENARIOS:
            parser.error(f"scenario must be one of {', '.join(SCENARIOS)}; got {name}")
    for name in options.engines.split(","):
        if name not in ENGINES:
            parser.error(f"engine must be one of {', '.join(ENGINES)}; got {name}")
    return options


def measure(bench: Bench, names: list[str]) -> None:
    """Run scenarios and print their rows as they come."""
    print(HEAD, flush=True)
    for name in names:
        before = len(bench.rows)
        SCENARIOS[name](bench)
        for row in bench.rows[before:]:
            print(line(row), flush=True)


def main(arguments: list[str]) -> int:
    """Run what was asked for; 1 when a bar was missed, else 0."""
    options = parse(arguments)
    if options.list:
        for name, function in SCENARIOS.items():
            print(f"{name:20} {(function.__doc__ or '').partition(chr(10))[0]}")
        return 0
    engines = tuple(ENGINES[name] for name in options.engines.split(","))
    bench = Bench(options.disk, options.tmpfs, options.repeats, options.scale, engines)
    about = machine(bench)
    print(about + "\n", flush=True)
    measure(bench, options.scenarios or list(SCENARIOS))
    if options.out:
        table = "\n".join([HEAD, *map(line, bench.rows)])
        options.out.write_text(f"# Measured beside jug\n\n{about}\n\n{table}\n")
        rows = [asdict(row) for row in bench.rows]
        options.out.with_suffix(".json").write_text(json.dumps(rows, indent=1) + "\n")
    return int(any(row.met is False for row in bench.rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
