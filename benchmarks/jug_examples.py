"""Run jug's own example jugfiles under jug and, unchanged, under taskgraph.

In: the jugfiles in jug's wheel and the one that ``jug demo`` writes. Out: one row with how
many agree, and the names of those that do not.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from bench import Bench, Row
from engines import BIN, JUG, OURS, Engine
from measure import run

#: Those that finish under jug itself; the others are made to fail or to need a terminal.
NAMES = [
    "barrier_mapreduce",
    "block_access",
    "builtin_function",
    "bvalue",
    "bvalue_nested",
    "compound",
    "compound_nonsimple",
    "compound_wbarrier",
    "custom_hash_function",
    "empty_mapreduce",
    "iteratetask",
    "mapgenerator",
    "mapreduce_generator",
    "no_load",
    "simple",
    "simple_multiple",
    "slice_task",
    "tasklet_simple",
    "tasklets",
    "wbarrier",
]

#: Prints every value that a finished jugfile leaves in its names.
PROBE = """
import sys
from {module} import init, value
store, space = init("bench.py", "store")
for name in sorted(space):
    # hash_called counts calls of a hash function: jug hashes when asked, we at the call.
    if name.startswith("_") or name == "hash_called" or isinstance(space[name], type):
        continue
    found = value(space[name])
    if isinstance(found, (int, float, str, list, tuple, dict, set, bool, type(None))):
        print(name, repr(found))
"""


def values(bench: Bench, engine: Engine, source: Path) -> str | None:
    """Execute one jugfile with an engine and return what its names hold, or ``None``."""
    module = "jug" if engine is JUG else "taskgraph.compat.jug"
    with bench.folder("tmpfs") as folder:
        text = source.read_text().replace("sleep(1.)", "sleep(.001)")
        text = text.replace("return random.gauss", "random.seed(1); return random.gauss")
        (folder / "bench.py").write_text(text)
        if not run(engine.execute(1), folder, limit=60).ok:
            return None
        probe = run([[sys.executable, "-c", PROBE.format(module=module)]], folder, limit=60)
        written = folder / "output.txt"
        return (probe.output if probe.ok else "") + (
            written.read_text() if written.exists() else ""
        )


def sources(folder: Path) -> list[Path]:
    """Return the example jugfiles; ``jug demo`` writes its own into ``folder``."""
    run([[str(BIN / "jug"), "demo"]], folder)
    packages = next(Path(p) for p in sys.path if (Path(p) / "jug" / "tests" / "jugfiles").is_dir())
    wheel = packages / "jug" / "tests" / "jugfiles"
    found = [folder / "jug-demo" / "primes.py"]
    for name in NAMES:
        found.append(Path(shutil.copy(wheel / f"{name}.py", folder / f"{name}.py")))
    return found


def examples(bench: Bench) -> None:
    """Check that jug's example jugfiles and ``jug demo`` give both the same values."""
    if not {OURS, JUG} <= set(bench.engines):
        return
    differ, total = [], 0
    with bench.folder("tmpfs") as folder:
        for source in sources(folder):
            expected = values(bench, JUG, source)
            if not expected:
                continue
            total += 1
            if values(bench, OURS, source) != expected:
                differ.append(source.stem)
    row = Row("jug-examples", "jugfiles with the same values", total - len(differ), total, "files")
    row.bar = "all"
    row.note = "differ: " + ", ".join(differ) if differ else ""
    bench.row(row, bool(total) and not differ)
