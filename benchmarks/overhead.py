"""How much of a study's time is the framework's and not its tasks'.

    python benchmarks/overhead.py jugfiles/nets.py -j 2 -- --root FOLDER
    python benchmarks/overhead.py jugfiles/nets.py -j 2 --store RUN --wall 1234 -- --root FOLDER

The study is run in a fresh store, and the tasks' own seconds, as the store recorded them, are
compared with workers x wall: what is missing are starts, claims, inputs loaded and results
stored, and workers without work. ``--store`` with ``--wall`` tells the same of a run that was.
Then the graph of the published study (benchmarks/published.py: 1,900 tasks, 190,000 edges,
trivial work in each) is run: its CPU is the framework's alone.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import run
from published import nets

PROGRAM = (sys.executable, "-m", "taskgraph")


def recorded(jugfile: str, store: str, user: list[str]) -> tuple[int, float]:
    """Return how many tasks are done and the seconds that they took, all together."""
    command = [*PROGRAM, "status", jugfile, "--store", store, "--json", "--", *user]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    rows = json.loads(done.stdout)["rows"]
    return (
        sum(row["done"] for row in rows),
        sum(row["done"] * row["mean_seconds"] for row in rows if row["done"]),
    )


def executed(jugfile: str, store: str, workers: int, user: list[str]) -> tuple[float, float]:
    """Run a jugfile; return wall and CPU seconds."""
    command = [*PROGRAM, "execute", jugfile, "--store", store, "-j", str(workers), "--", *user]
    usage = run([command], Path.cwd(), limit=86400.0)
    if not usage.ok:
        raise SystemExit(f"overhead: the jugfile must run to its end; got {usage.output[-500:]}")
    return usage.wall, usage.cpu


def main() -> None:
    """Print both figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("jugfile")
    parser.add_argument("-j", "--workers", type=int, default=2)
    parser.add_argument("--store", help="of a run that was")
    parser.add_argument("--wall", type=float, help="seconds that it took")
    words = sys.argv[1:]
    cut = words.index("--") if "--" in words else len(words)
    args, user = parser.parse_args(words[:cut]), words[cut + 1 :]
    with tempfile.TemporaryDirectory() as folder:
        store, wall = args.store, args.wall
        if not (store and wall):
            store = f"{folder}/study"
            wall, _ = executed(args.jugfile, store, args.workers, user)
        tasks, own = recorded(args.jugfile, store, user)
        print(f"{tasks:,} tasks took {own:.1f} s of {args.workers} x {wall:.1f} s: ", end="")
        print(f"{100 * (1 - own / (args.workers * wall)):.2f} % were not theirs")
        shape = Path(folder, "nets.py")
        shape.write_text(nets().replace("PACKAGE", "taskgraph"), encoding="utf-8")
        shaped, cpu = executed(str(shape), f"{folder}/shape", args.workers, [])
        print(
            f"the published graph without work: {shaped:.2f} s wall, {cpu:.2f} s of CPU, ", end=""
        )
        print(f"{100 * cpu / own:.2f} % of those tasks' seconds")


if __name__ == "__main__":
    main()
