"""The demo: several workers segment real images, then one method is invalidated.

In: nothing but an environment with the extra ``bioimage``. Out: ``demo-output/`` with a
table, overlays, the workers' logs and the store. It uses the command line only, as a user
would, and knows nothing of the store's inside.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
JUGFILE = "jugfiles/segment_nuclei.py"
OUT = ROOT / "demo-output"
STORE = "demo-output/segment_nuclei.taskgraph"
USER_ARGUMENTS = ["--", "--out", "demo-output"]
WORKERS = 3
#: The method whose results the second half throws away.
INVALIDATED = ["--name", "segment", "--where", "method=watershed"]


def command(verb: str, *options: str) -> list[str]:
    """Return the argument list of ``taskgraph VERB`` on the demo's jugfile and store."""
    program = str(Path(sys.executable).with_name("taskgraph"))
    return [program, verb, JUGFILE, "--store", STORE, *options, *USER_ARGUMENTS]


def say(text: str) -> None:
    """Print a headline."""
    print(f"\n== {text}", flush=True)


def call(arguments: list[str]) -> int:
    """Show a command, run it on this terminal and return its exit status."""
    print("$ taskgraph " + " ".join(arguments[1:]), flush=True)
    return subprocess.run(arguments, cwd=ROOT, check=False).returncode


def must(arguments: list[str]) -> None:
    """Run a command that has to exit with 0."""
    status = call(arguments)
    if status:
        sys.exit(f"demo: '{' '.join(arguments[1:3])}' ended with exit status {status}, not 0")


def run_workers() -> None:
    """Run all tasks with separate worker processes; the first one shows the live bar."""
    others = []
    for number in range(2, WORKERS + 1):
        log = (OUT / f"worker-{number}.log").open("w")
        with log:
            process = subprocess.Popen(command("execute"), cwd=ROOT, stdout=log, stderr=log)
        others.append((number, process))
    status = call(command("execute"))
    for number, process in others:
        ended = process.wait()
        if ended:
            print(
                f"worker {number} ended with exit status {ended}, see {OUT.name}/worker-{number}.log"
            )
        status = status or ended
    if status:
        sys.exit(f"demo: a worker ended with exit status {status}, not 0")


def show_results() -> None:
    """Print the table and say where the pictures lie."""
    print((OUT / "table.txt").read_text().rstrip())
    pictures = sorted(OUT.glob("**/*.png"))
    print(f"\ntable:    {(OUT / 'table.csv').relative_to(ROOT)}")
    print(f"overlays: {len(pictures)} pictures, the first is {pictures[0].relative_to(ROOT)}")


def main() -> None:
    """Run both halves and say how long they took."""
    started = time.monotonic()
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    say(f"{WORKERS} workers, each a process of its own, share one store (first worker shown)")
    run_workers()
    say("the result")
    show_results()
    say("one method is invalidated: its results and what was computed from them go")
    must(command("invalidate", *INVALIDATED, "--yes"))
    call(command("status"))
    say("the same command again runs only what is missing")
    must(command("execute"))
    call(command("status", "--short"))
    say(f"done in {time.monotonic() - started:.0f} s; `make clean` removes {OUT.name}/")


if __name__ == "__main__":
    main()
