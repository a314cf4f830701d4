"""The jugfiles that the benchmarks run, as text: one function a shape.

In: sizes. Out: the text of a jugfile that runs under jug and under taskgraph alike, once
``PACKAGE`` is replaced by the package's name. Nothing here runs a task.
"""

from __future__ import annotations

HEAD = "from PACKAGE import TaskGenerator\n"


def empty() -> str:
    """Return a jugfile without tasks: what a start costs."""
    return HEAD


def flat(n: int) -> str:
    """Return ``n`` independent trivial tasks of an integer."""
    return f"""{HEAD}
@TaskGenerator
def square(i):
    return i * i

for i in range({n}):
    square(i)
"""


def busy(n: int, milliseconds: float) -> str:
    """Return ``n`` independent tasks that each use the processor for some milliseconds."""
    return f"""{HEAD}
from time import perf_counter

@TaskGenerator
def spin(i):
    end = perf_counter() + {milliseconds / 1000}
    while perf_counter() < end:
        pass
    return i

for i in range({n}):
    spin(i)
"""


def naps(n: int, milliseconds: float) -> str:
    """Return ``n`` independent tasks that each sleep for some milliseconds."""
    return f"""{HEAD}
from time import sleep

@TaskGenerator
def nap(i):
    sleep({milliseconds / 1000})
    return i

for i in range({n}):
    nap(i)
"""


def chain(n: int) -> str:
    """Return ``n`` tasks in a row, each the argument of the next."""
    return f"""{HEAD}
@TaskGenerator
def first(i):
    return i

@TaskGenerator
def step(x):
    return x + 1

x = first(0)
for i in range({n} - 1):
    x = step(x)
"""


def fan_in(n: int) -> str:
    """Return ``n`` trivial tasks and one that takes the list of all."""
    return f"""{HEAD}
@TaskGenerator
def square(i):
    return i * i

@TaskGenerator
def total(xs):
    return sum(xs)

total([square(i) for i in range({n})])
"""


def layers(n: int) -> str:
    """Return three layers of ``n`` tasks: each takes one or two of the layer above."""
    return f"""{HEAD}
@TaskGenerator
def load(i):
    return i

@TaskGenerator
def smooth(x):
    return x + 1

@TaskGenerator
def compare(x, y):
    return x - y

a = [load(i) for i in range({n})]
b = [smooth(x) for x in a]
for i in range({n}):
    compare(b[i], b[i - 1])
"""


def arrays(n: int) -> str:
    """Return ``n`` arrays of 1 MB, each made by one task and read by another."""
    return f"""{HEAD}
import numpy as np

@TaskGenerator
def make(i):
    return np.random.default_rng(i).random(131072)

@TaskGenerator
def read(x):
    return float(x.sum())

for i in range({n}):
    read(make(i))
"""


def products(n: int) -> str:
    """Return ``n`` tasks that multiply matrices of 256 x 256, ten times each."""
    return f"""{HEAD}
import numpy as np

@TaskGenerator
def power(i):
    x = np.random.default_rng(i).random((256, 256))
    for _ in range(10):
        x = x @ x
        x /= x.max()
    return float(x.sum())

for i in range({n}):
    power(i)
"""


def big_argument(n: int) -> str:
    """Return ``n`` tasks that share one array of 10 MB as a plain argument."""
    return f"""{HEAD}
import numpy as np

@TaskGenerator
def pick(x, i):
    return float(x[i])

table = np.arange(1_310_720, dtype=float)
for i in range({n}):
    pick(table, i)
"""


def rich(n: int, edges: int = 10) -> str:
    """Return ``n`` tasks of a path, a keyword and ten tasks of the layer above."""
    width = max(edges, n // 100)
    return f"""{HEAD}
from pathlib import Path

@TaskGenerator
def source(path, channel=0):
    return channel

@TaskGenerator
def merge(path, parts, channel=0):
    return channel

above = [source(Path("images") / f"field-{{i}}.tif", channel=i) for i in range({width})]
made = {width}
while made < {n}:
    here = []
    for i in range(min({width}, {n} - made)):
        parts = [above[(i * 7 + k) % {width}] for k in range({edges})]
        here.append(merge(Path("images") / f"field-{{made + i}}.tif", parts, channel=i))
    made += len(here)
    above = here
"""


def handoff(rounds: int) -> str:
    """Return rounds of one task whose end makes two ready: one for this worker, one for another.

    Each of the two appends round, process and seconds since the end of the first to
    ``handoff.txt`` in the current folder. For taskgraph only: jug has no ``batch``.
    """
    return f"""{HEAD}
import os, time

@TaskGenerator(batch=False)
def give(i, before):
    time.sleep(0.2)
    return time.time()

@TaskGenerator(batch=False)
def take(i, given, side):
    late = time.time() - given
    with open("handoff.txt", "a") as out:
        out.write(f"{{i}} {{os.getpid()}} {{late}}\\n")
    time.sleep(0.5)
    return i

before = None
for i in range({rounds}):
    given = give(i, before)
    before = [take(i, given, 0), take(i, given, 1)]
"""


def dodo(n: int) -> str:
    """Return the same flat tasks as ``flat`` for doit, run once and remembered."""
    return f"""
from doit.tools import run_once

DOIT_CONFIG = {{"verbosity": 0}}

def square(i):
    return {{"v": i * i}}

def task_square():
    for i in range({n}):
        yield {{"name": str(i), "actions": [(square, [i])], "uptodate": [run_once]}}
"""
