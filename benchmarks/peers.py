"""Measure the programs that people would pick instead, on memoized trivial tasks.

Usage: ``python benchmarks/peers.py [PEER ...] [--sizes 1000,10000] [--repeats 3] [--write]``.
In: pinned versions (``peers.txt``), installed once into an environment of their own under
the cache folder. Out: a Markdown table with medians of the first run (everything is
computed) and the second (everything is known), ``--write`` puts it into docs/benchmarks.md.
Each peer's program is in ``peer_programs``.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import graphs
from engines import JUG, OURS
from measure import Usage, run
from peer_programs import PEERS, Peer

HERE = Path(__file__).parent
#: Seconds after which a run is cut.
LIMIT = 120.0
HEAD = """| program | tasks | first run: wall | CPU | second run: wall | CPU | several processes on one work |
|---|---|---|---|---|---|---|"""


def environment(folder: Path) -> dict[str, str]:
    """Make the environment of the peers if it is not there; return what could not be installed."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pins = [line for line in (HERE / "peers.txt").read_text().splitlines() if line[0] != "#"]
    failed = {}
    for pin in pins:
        name = re.split(r"[\[=]", pin)[0]
        if found(python, name) == pin.partition("==")[2]:
            continue
        words = [str(python), "-m", "pip", "install", "--quiet", pin]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            failed[name] = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    return failed


def found(python: Path, package: str) -> str:
    """Return the version of a package in another environment, empty for none."""
    code = f"from importlib.metadata import version; print(version({package!r}))"
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def ours_and_jug() -> list[Peer]:
    """Return taskgraph and jug, in this environment, as if they were peers."""
    some = []
    for engine, distribution in ((OURS, "bioimage-taskgraph"), (JUG, "jug")):
        text = graphs.flat(0).replace("PACKAGE", engine.package).replace("range(0)", "range(TASKS)")
        together = "yes, on one or many machines"
        some.append(
            Peer(engine.name, distribution, "bench.py", text, tuple(engine.execute(1)[0]), together)
        )
    return some


def twice(peer: Peer, python: Path, tasks: int, disk: Path) -> list[Usage]:
    """Run a peer in a fresh folder, and once more when that went well."""
    folder = Path(tempfile.mkdtemp(prefix="taskgraph-peers-", dir=disk))
    try:
        (folder / peer.file).write_text(peer.text.replace("TASKS", str(tasks)))
        command = [word.replace("BIN", str(python.parent)) for word in peer.command]
        quiet = {"REDUN_CONFIG": str(folder / ".redun")}
        first = run([command], folder, limit=LIMIT, env=quiet)
        return [first, run([command], folder, limit=LIMIT, env=quiet)] if first.ok else [first]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def cells(rounds: Sequence[list[Usage]], which: int) -> list[str]:
    """Return wall and CPU of the first or second runs, or why there is none."""
    usages = [found[which] for found in rounds if len(found) > which]
    if not usages:
        return ["-", "-"]
    bad = next((u for u in usages if not u.ok), None)
    if bad is not None:
        if -9 in bad.statuses:
            return [f"cut at {LIMIT:.0f} s", f"{bad.cpu:.0f} s until then"]
        return [f"fails: {(bad.output.strip().splitlines() or ['?'])[-1][:60]}", "-"]
    wall = statistics.median(u.wall for u in usages)
    cpu = statistics.median(u.cpu for u in usages)
    return [f"{wall:.2f} s", f"{cpu:.2f} s"]


def measure(peer: Peer, python: Path, tasks: int, repeats: int, disk: Path) -> str:
    """Return the table's line of one peer: slow ones are run once."""
    rounds: list[list[Usage]] = []
    while len(rounds) < repeats:
        rounds.append(twice(peer, python, tasks, disk))
        if not rounds[-1][0].ok or rounds[-1][0].wall > LIMIT / 4:
            break
    number = version(peer.package) if peer.own else found(python, peer.package)
    second = cells(rounds, 1) if peer.remembers else ["computes all again", cells(rounds, 1)[1]]
    words = [f"{peer.name} {number}", f"{tasks:,}", *cells(rounds, 0), *second, peer.together]
    return "| " + " | ".join(words) + " |"


def write(table: str) -> None:
    """Put the table between its marks in docs/benchmarks.md."""
    page = HERE.parent / "docs" / "benchmarks.md"
    start, end = "<!-- peers: written by benchmarks/peers.py -->\n", "\n<!-- end of peers -->"
    text = page.read_text()
    before, _, rest = text.partition(start)
    page.write_text(f"{before}{start}{table}{end}{rest.partition(end)[2]}")


def parse(arguments: list[str]) -> argparse.Namespace:
    """Return the options."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("peers", nargs="*", metavar="PEER", help="names; default: all")
    parser.add_argument("--sizes", default="1000,10000", help="numbers of tasks, with commas")
    parser.add_argument("--repeats", type=int, default=3, help="rounds of two runs each (3)")
    parser.add_argument("--disk", type=Path, default=Path("/var/tmp"), help="where results lie")
    parser.add_argument("--venv", type=Path, default=cache / "taskgraph" / "peers")
    parser.add_argument("--write", action="store_true", help="put the table in docs/benchmarks.md")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Measure what was asked for and print the table."""
    options = parse(arguments)
    failed = environment(options.venv)
    everyone = [*ours_and_jug(), *PEERS]
    peers = [peer for peer in everyone if not options.peers or peer.name in options.peers]
    about = f"Python {platform.python_version()}, {os.cpu_count()} cores, medians of up to"
    lines = [f"{about} {options.repeats} rounds.\n", HEAD]
    print("\n".join(lines), flush=True)
    for tasks in map(int, options.sizes.split(",")):
        for peer in peers:
            if peer.package in failed:
                line = f"| {peer.name} | does not install: {failed[peer.package][:80]} | | | | | |"
            else:
                line = measure(
                    peer, options.venv / "bin/python", tasks, options.repeats, options.disk
                )
            lines.append(line)
            print(line, flush=True)
    if options.write:
        write("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
