"""jug's own jugfiles under the alias: the same hashes, the same values, the same names.

The real jug, in a process of its own, is the reference.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from backends.memory_store import MemoryStore
from taskgraph import codecs
from taskgraph.compat.finder import install_alias, remove_alias
from taskgraph.compat.import_jug import import_jug
from taskgraph.compat.jug_hash import JugHasher
from taskgraph.compose import record_extra
from taskgraph.jugfile import read_jugfile
from taskgraph.session import CURRENT, Session
from taskgraph.store import RESULT, Identity, Origin, Record

jug_folder = Path(sys.prefix) / f"lib/python3.{sys.version_info[1]}/site-packages/jug"
if not jug_folder.is_dir():
    pytest.skip("jug is not installed", allow_module_level=True)

#: Of jug's example jugfiles those that end without a failure, alone, on any machine.
EXAMPLES = [
    path
    for path in sorted((jug_folder / "tests/jugfiles").glob("*.py"))
    if path.stem
    not in {
        "__init__",
        "exceptions",
        "failing",
        "failing_barrier",
        "bvalue_error",
        "write_with_meta",
    }
]

#: A jugfile with all there is, what `jug demo` writes, and the examples of jug's manual.
OTHERS = ["everything.py", "primes.py", "simple_jugfile.py", "pipeline_jugfile.py"]

EVERYTHING = """
import numpy as np
from functools import partial
from jug import CachedFunction, CompoundTaskGenerator, Task, TaskGenerator, Tasklet, bvalue
from jug import return_tuple, value
from jug.io import NoLoad
from jug.mapreduce import currymap, map as jmap, mapreduce, reduce as jreduce
from jug.unsafe import NoHash
from jug.hash import hash_one
from jug.utils import CustomHash, cached_glob, identity, jug_execute, timed_path

@TaskGenerator
def keep(*args, **kwargs):
    return [repr(args) if not isinstance(args[0], (set, frozenset)) else len(args[0]), sorted(kwargs)]

@TaskGenerator
def double(x):
    return 2 * x

def plain(x):
    return x + 1

def add(a, b):
    return a + b

@TaskGenerator
def total(xs):
    return sum(xs)

@return_tuple(2)
@TaskGenerator
def pair(x):
    return x, x + 1

@CompoundTaskGenerator
def twice(x, by=2):
    return [double(x), double(by)]

@TaskGenerator
def nothing(x):
    pass

@TaskGenerator
def array(n):
    return np.arange(n).reshape(2, -1)

@TaskGenerator
def count(*args):
    return len(args)

def own_hash(x):
    return b"own" + str(x).encode()

one = double(1)
shift = 7
kept = [keep(v) for v in (
    None, 1, 2.5, "text", b"bytes", True, [1, (2, 3)], {"k": 1.5, 2: [3]}, {1, "x"},
    frozenset("ab"), np.arange(6).reshape(2, 3), np.asfortranarray(np.ones((2, 3))),
    np.arange(10)[::2], np.array([1, "a", None], object), [one, {"z": one}], range(3),
    np.float32(1.5), slice(1, 2),
)]
kept.append(keep(1, b=2, a=one))
kept.append(keep(NoHash(3), CustomHash(4, own_hash), timed_path("everything.py")))
first, second = pair(one)
parts = [double(first), double(second), double(array(6)[1]), total(array(6)[0, 1:])]
parts.append(double(Tasklet(one, lambda x: x + shift)))
parts.append(double(Tasklet(one, plain)))
parts.append(double(Tasklet(one, lambda x, y=3: (lambda z: z + y)(x))))
def shifted(n, held=open):
    return lambda x, *, k=(1, 2), s=frozenset({4}): x + n + k[0] if x in {2, 3} or held else s
parts.append(double(Tasklet(one, shifted(3))))
parts.append(count(double, [double, double], partial(add, 1), partial(plain, double), range(2)))
parts.append(count(hash_one([1]), twice, np.asfortranarray(np.eye(3))[::2], cached_glob("r*.py")))
mapped = jmap(double, list(range(10)))
parts += [total(mapped), total(mapped[2:7]), total(mapped[::3]), double(mapped[5])]
parts += [total(jmap(plain, mapped, 3)), total(jmap(double, [1, 2], 1))]
parts.append(mapreduce(add, double, list(range(40))))
parts.append(mapreduce(add, plain, list(range(5)), map_step=2, reduce_step=2))
parts += [jreduce(add, parts[:3]), mapreduce(add, plain, [])]
parts.append(total(currymap(add, [(1, 2), (3, 4), (5, 6), (7, 8), (9, 10)])))
parts.append(total(identity([1, one])))
parts.append(total(twice(one)))
parts.append(nothing(3))
parts.append(jug_execute(["true"], return_value=5))
parts.append(Task(partial(add, 3), one))
many = bvalue(total([1, one]))
behind = [double(many), CachedFunction(plain, 10)]
"""

REFERENCE = """
import pickle, sys, os
os.fsync = lambda fd: None
import jug
from jug import init, value
from jug.task import Task, Tasklet, alltasks
from jug.barrier import BarrierError
from jug.jug import execution_loop
from jug.options import default_options
from jug.tests.utils import simple_execute
import jug.task
def has_tasks(x):
    if isinstance(x, (Task, Tasklet)): return True
    return isinstance(x, (list, tuple)) and len(x) > 0 and all(has_tasks(i) for i in x)
found = {}
output_name, folder, *paths = sys.argv[1:]
for path in paths:
    jugdir = os.path.join(folder, path, "jugdata")
    os.makedirs(jugdir)
    while True:
        del jug.task.alltasks[:]
        store, space = init(path, jugdir, on_error="propagate")
        tasks = list(jug.task.alltasks)
        simple_execute()
        if not space.get("__jug__hasbarrier__"): break
    values = {k: value(v) for k, v in space.items() if has_tasks(v)}
    found[path] = ({t.hash() for t in tasks}, values)
with open(output_name, "wb") as output:
    pickle.dump(found, output)
"""


def write_demos(folder: Path) -> None:
    """Write jug's demo and manual examples, which sleep less than in jug."""
    main = [sys.executable, "-c", "from jug.jug import main; main()", "demo"]
    subprocess.run(main, cwd=folder, check=True, capture_output=True)
    examples = jug_folder / "skills/jug/examples"
    for path in (folder / "jug-demo/primes.py", *examples.glob("*.py")):
        text = path.read_text().replace("sleep(1.)", "sleep(0)").replace("sleep(2)", "sleep(0)")
        (folder / path.name).write_text(text)
    (folder / "data").mkdir()
    (folder / "data/large_dataset.txt").write_text("a line\n" * 2500)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where the real jug has run all jugfiles; `found.pkl` says with what result."""
    folder = tmp_path_factory.mktemp("jug")
    (folder / "reference.py").write_text(REFERENCE)
    (folder / "everything.py").write_text(EVERYTHING)
    for path in EXAMPLES:
        (folder / path.name).write_bytes(path.read_bytes())
    write_demos(folder)
    names = [*OTHERS, *(path.name for path in EXAMPLES)]
    subprocess.run(
        [sys.executable, "reference.py", "found.pkl", "dirs", *names], cwd=folder, check=True
    )
    return folder


@pytest.fixture
def here(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder as the current one, with the alias on."""
    monkeypatch.chdir(workplace)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "argv", ["taskgraph"])
    modules = set(sys.modules)
    install_alias(lambda line: None)
    yield workplace
    remove_alias()
    for name in set(sys.modules) - modules:
        if not name.startswith("taskgraph") and (workplace / f"{name}.py").exists():
            del sys.modules[name]


def publish(session: Session, node: int, worker: str, value: object) -> None:
    task = session.graph.tasks[node]
    payload, digest = codecs.encode(value)
    origin = Origin(function=task.name, extra=record_extra(task, session.graph))
    epoch = session.store.tombstones().epoch
    record = Record(task.key, RESULT, epoch, digest, b"", origin, 0, 0, 0, 0, 1, payload)
    session.store.publish(worker, [record])


def run(session: Session) -> int:
    """Run what has no result, in order, in this process; return how many tasks that were."""
    worker = session.store.enter(Identity("host", "boot", 1, "birth"))
    token, count = CURRENT.set(session), 0
    for node, present in enumerate(session.present()):
        if not present:
            publish(session, node, worker, session.graph.tasks[node].call(session.value))
            count += 1
    CURRENT.reset(token)
    session.store.leave(worker)
    return count


def load(path: Path, store: MemoryStore, execute: bool = True) -> Session:
    session = Session(store)
    if execute:
        session.wait_for = lambda nodes: run(session) >= 0
    session.jugfile = path
    session.module = read_jugfile(path, session)
    return session


def values_of(session: Session, names: object) -> dict[str, object]:
    return {name: session.value(getattr(session.module, name)) for name in names}


@pytest.mark.parametrize("name", [*OTHERS, *(path.name for path in EXAMPLES)])
def test_jugfile_has_jugs_hashes_and_values_under_the_alias(here: Path, name: str) -> None:
    hashes, expected = pickle.loads((here / "found.pkl").read_bytes())[name]
    session = load(here / name, MemoryStore())
    run(session)
    hasher = JugHasher()
    ours = {hasher.task(task) for task in session.graph.tasks}
    if name not in {
        "compound_wbarrier.py",
        "compound.py",
        "compound_nonsimple.py",
        "everything.py",
    }:
        assert ours == hashes
    # with compound tasks done, jug's last reading of the file did not see the inner ones
    assert ours >= hashes
    if name != "no_load.py":  # random numbers
        assert repr(values_of(session, expected)) == repr(expected)


def test_a_hash_off_by_one_argument_is_noticed(here: Path) -> None:
    """The planted fault: the comparison above does tell two calls apart."""
    session = load(here / "simple.py", MemoryStore())
    first, second = session.graph.tasks[:2]
    assert JugHasher().task(first) != JugHasher().task(second)


def test_import_brings_every_result_over_and_nothing_runs_again(here: Path) -> None:
    _, expected = pickle.loads((here / "found.pkl").read_bytes())["everything.py"]
    session = load(here / "everything.py", MemoryStore(), execute=False)
    assert session.stopped
    seen: list[tuple[int, int]] = []
    report = import_jug(
        session, here / "dirs/everything.py/jugdata", lambda *done: seen.append(done)
    )
    assert not session.stopped
    assert report.refused == []
    assert report.unhashable == []
    assert report.copied == len(session.graph) > 70
    assert seen[-1][0] == seen[-1][1] == len(session.graph)
    assert repr(values_of(session, expected)) == repr(expected)
    assert run(session) == 0
    again = import_jug(session, here / "dirs/everything.py/jugdata")
    assert (again.copied, again.already) == (0, len(session.graph))


def test_import_records_inputs_and_never_revives_what_was_invalidated(here: Path) -> None:
    session = load(here / "simple.py", MemoryStore())
    jugdir = here / "dirs/simple.py/jugdata"
    assert import_jug(session, jugdir).copied == len(session.graph)
    node = len(session.graph) - 1
    (record,) = session.load([session.graph.tasks[node]])
    (source,) = session.graph.dependencies(node)
    (head,) = session.store.heads([session.graph.tasks[source].key])
    assert record is not None
    assert head is not None
    assert record.inputs == head.key[:8] + head.digest
    session.store.invalidate([session.graph.tasks[0].key])
    report = import_jug(session, jugdir)
    assert report.copied == 0
    assert len(report.refused) == 4  # the root and three that are computed from it
    assert "invalidated" in report.refused[0].reason


def jug_run(folder: Path, source: str, *commands: str) -> Path:
    """Run a jugfile under the real jug in an empty folder; return its jug directory."""
    (folder / "work.py").write_text(source)
    for command in ("execute", *commands):
        subprocess.run(
            [sys.executable, "-c", "from jug.jug import main; main()", command, "work.py",
             "--will-cite", "--jugdir", "work.jugdata"],
            cwd=folder, check=True, capture_output=True,
        )  # fmt: skip
    return folder / "work.jugdata"


COLLIDING = """
from jug import TaskGenerator
@TaskGenerator
def flat(x):
    return len(x)
@TaskGenerator
def after(x):
    return x
a = after(flat([[1], 2]))
b = after(flat([[1, 2]]))
c = after(flat([1, 2]))
d = after([a, 0])
"""


@pytest.fixture
def alone(tmp_path: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    sys.modules.pop("work", None)
    return tmp_path


def test_tasks_that_share_a_hash_in_jug_are_refused_with_what_depends_on_them(alone: Path) -> None:
    jugdir = jug_run(alone, COLLIDING)
    session = load(alone / "work.py", MemoryStore(), execute=False)
    report = import_jug(session, jugdir)
    names = [one.task.split()[0] for one in report.refused]
    assert names == ["work.flat", "work.after"] * 2 + ["work.after"]
    assert "shares its hash" in report.refused[0].reason
    assert "depends on" in report.refused[4].reason
    assert report.copied == 2  # c and what it depends on
    assert any("refused" in line for line in report.lines())


SMALL = """
from jug import TaskGenerator
@TaskGenerator
def make(n):
    return [n] * n
@TaskGenerator
def write(x):
    open('out', 'w').close()
made = [make(n) for n in range(1, 300, 50)]
done = write(made)
"""


def test_import_reads_jugs_pack(alone: Path) -> None:
    jugdir = jug_run(alone, SMALL, "pack")
    assert (jugdir / "packs/jugpack").is_file()
    session = load(alone / "work.py", MemoryStore(), execute=False)
    assert import_jug(session, jugdir).copied == len(session.graph) == 7
    assert session.value(session.module.made)[1] == [51] * 51


def test_damaged_and_empty_files_are_refused_but_a_plain_none_is_taken(alone: Path) -> None:
    jugdir = jug_run(alone, SMALL)
    session = load(alone / "work.py", MemoryStore(), execute=False)
    hasher = JugHasher()
    names = [hasher.task(task).decode() for task in session.graph.tasks]
    files = [jugdir / name[:2] / name[2:] for name in names]
    files[0].write_bytes(b"")
    files[1].write_bytes(files[1].read_bytes()[:-3])
    files[2].write_bytes(files[2].read_bytes() + b"x")
    files[3].write_bytes(b"garbage")
    report = import_jug(session, jugdir)
    assert [one.jug_hash for one in report.refused] == names[:4]
    assert "empty" in report.refused[0].reason
    assert report.copied == 3
    assert session.value(session.module.done) is None
    assert import_jug(session, jugdir, accept_empty=True).copied == 1
