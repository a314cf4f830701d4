"""Compound tasks, lambdas, the front step and notebook sessions."""

from __future__ import annotations

import linecache
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

import taskgraph
from backends.memory_store import MemoryStore
from taskgraph import codecs
from taskgraph.compose import (
    CachedFunction,
    CompoundTask,
    CompoundTaskGenerator,
    ancestors_of,
    record_extra,
)
from taskgraph.errors import BarrierStop, GraphOutdated, HashError, NotReady, TaskError
from taskgraph.hashing.lambdas import encode_function
from taskgraph.session import ANCESTORS, CURRENT, Session, barrier
from taskgraph.store import RESULT, Identity, Origin, Record
from taskgraph.task import Task, TaskGenerator, Tasklet

CALLS: list[Any] = []


@TaskGenerator
def double(x: Any) -> Any:
    CALLS.append(x)
    return 2 * x


@TaskGenerator
def total(xs: Any) -> Any:
    return sum(xs)


def add(a: Any, b: Any) -> Any:
    return a + b


def plus_one(x: Any) -> Any:
    return x + 1


@pytest.fixture
def session() -> Iterator[Session]:
    CALLS.clear()
    with Session(MemoryStore()) as active:
        yield active


def run(session: Session) -> int:
    """Run what has no result, in order; return how many tasks that were."""
    worker = session.store.enter(Identity("host", "boot", 1, "birth"))
    session.look()
    nodes = [node for node, there in enumerate(session.present()) if not there]
    for node in nodes:
        task = session.graph.tasks[node]
        epoch = session.store.tombstones().epoch
        payload, digest = codecs.encode(task.call(session.value))
        origin = Origin(function=task.name, extra=record_extra(task, session.graph))
        record = Record(task.key, RESULT, epoch, digest, b"", origin, 0, 0, 0, 0, 1, payload)
        session.store.publish(worker, [record])
    session.store.leave(worker)
    return len(nodes)


def value_of(session: Session, obj: Any) -> Any:
    run(session)
    return session.value(obj)


# -- sub-graphs -----------------------------------------------------------------------


@CompoundTaskGenerator
def twice(x: Any, extra: Any = 1) -> Any:
    CALLS.append("twice")
    return [double(x), double(extra)]


@CompoundTaskGenerator
def outer(x: Any) -> Any:
    return total(twice(x, 5))


def reread(session: Session, build: Callable[[], Any]) -> tuple[Session, Any]:
    """Build again in a session of its own over the same store, as another process would."""
    other = Session(session.store.handle())  # type: ignore[attr-defined]
    with other:
        return other, build()


def test_without_ancestors_in_the_record_the_invalidate_would_be_missed(session: Session) -> None:
    """The planted fault: a worker that forgets the list lets a killed value live."""
    task = twice(7)
    worker = session.store.enter(Identity("host", "boot", 1, "birth"))
    payload, digest = codecs.encode([0, 0])
    record = Record(task.key, RESULT, 0, digest, b"", Origin(), 0, 0, 0, 0, 1, payload)
    session.store.publish(worker, [record])
    session.store.invalidate([double(7).key])
    other, opaque = reread(session, lambda: twice(7))
    assert other.present([other.graph.node(opaque)]) == b"\1"


def test_a_record_published_late_is_judged_by_its_own_ancestors(session: Session) -> None:
    """It began before the tombstone and comes after a reader has looked: it must stay dead."""
    task = twice(7)
    worker = session.store.enter(Identity("host", "boot", 1, "birth"))
    payload, _ = codecs.encode([0, 0])

    def publish(digest: bytes, ancestor: Task) -> None:
        origin = Origin(extra=((ANCESTORS, ancestor.key.hex()),))
        record = Record(task.key, RESULT, 0, digest, b"", origin, 0, 0, 0, 0, 1, payload)
        session.store.publish(worker, [record])

    publish(b"1" * 8, double(5))
    other, opaque = reread(session, lambda: twice(7))
    session.store.invalidate([double(7).key])
    other.look()
    assert other.present([other.graph.node(opaque)]) == b"\1"
    publish(b"2" * 8, double(7))
    other.look()
    assert other.present([other.graph.node(opaque)]) == b"\0"


def test_nested_compound_tasks_hand_their_ancestors_on(session: Session) -> None:
    value_of(session, twice(7, 5))
    other, task = reread(session, lambda: outer(7))
    named = ancestors_of(task, other.graph)
    assert named is not None
    assert {double(7).key, double(5).key, Task(twice.f, 7, 5).key} <= set(named)
    assert value_of(other, task) == 24
    session.store.invalidate([double(7).key])
    fresh, _ = reread(session, lambda: outer(7))
    assert len(fresh.graph) == 5


def test_a_result_that_went_away_is_an_error_with_a_way_out(session: Session) -> None:
    value_of(session, twice(7))
    other, opaque = reread(session, lambda: twice(7))
    with pytest.raises(TaskError, match="execute` again"):
        opaque.call(other.value)


def test_a_barrier_inside_a_compound_task_stops_and_goes_on(session: Session) -> None:
    def build(x: Any) -> Any:
        inner = double(x)
        barrier()
        return double(session.value(inner))

    build.__qualname__ = "build"
    with pytest.raises(BarrierStop):
        CompoundTask(build, 3)
    run(session)
    assert value_of(session, CompoundTask(build, 3)) == 12


def test_a_compound_task_without_a_session_is_its_sub_graph() -> None:
    token = CURRENT.set(None)
    try:
        assert [one.name.split(".")[-1] for one in twice(7).dependencies()] == ["double"] * 2
    finally:
        CURRENT.reset(token)


def test_cached_function_waits_as_a_barrier_does(session: Session) -> None:
    with pytest.raises(BarrierStop):
        CachedFunction(double, 4)
    session.wait_for = lambda nodes: run(session) == 1
    assert CachedFunction(double, 4) == 8


# -- functions of tasklets -------------------------------------------------------------

SCALE = 3


def adder(n: int) -> Callable[[int], int]:
    def local(x: int) -> int:
        """Add."""
        return x + n

    return local


def test_lambdas_are_told_apart_by_text_and_by_what_they_hold() -> None:
    one, two = (lambda x: x + 1), (lambda x: x + 2)
    true, none, first, second = (lambda x: True), (lambda x: None), (lambda x: x), (lambda y: y)
    defaults = [(lambda x, i=i: x + i) for i in range(2)]
    partials = [partial(adder(1), 1), partial(adder(1), 2)]
    functions = [one, two, true, none, first, second, *defaults, *partials, adder(1), adder(2), len]
    assert len({encode_function(f) for f in functions}) == len(functions)
    assert encode_function(adder(1)) == encode_function(adder(1))
    assert encode_function(add) != encode_function(plus_one)


def test_a_module_constant_that_a_lambda_reads_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    scaled = lambda x: x * SCALE  # noqa: E731
    before = encode_function(scaled)
    monkeypatch.setitem(globals(), "SCALE", 4)
    assert encode_function(scaled) != before


def test_a_lambda_without_source_or_with_a_nameless_value_is_an_error() -> None:
    bare = eval("lambda x: x + 1")
    with pytest.raises(HashError, match="source text"):
        encode_function(bare)
    stream = (i for i in range(3))
    with pytest.raises(HashError, match="no stable identity: stream"):
        encode_function(lambda x: (x, stream))


def test_a_lambda_of_a_file_that_no_longer_parses_is_an_error() -> None:
    name = "<cell that changed>"
    code = compile("f = lambda x: x", name, "exec")
    linecache.cache[name] = (7, None, ["f = lambda x: (\n"], name)
    space: dict[str, Any] = {}
    exec(code, space)
    with pytest.raises(HashError, match="has changed"):
        encode_function(space["f"])


def test_a_lambda_tasklet_has_a_value(session: Session) -> None:
    part = Tasklet(double(4), lambda x: x + SCALE)
    assert value_of(session, total([part, Tasklet(part, plus_one)])) == 23


# -- the front step -------------------------------------------------------------------


def test_import_taskgraph_loads_nothing_heavy() -> None:
    heavy = "numpy torch click redis inspect ast backends asyncio"
    program = f"import sys, taskgraph; print([m for m in {heavy.split()} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"


@pytest.mark.parametrize("name", taskgraph.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(taskgraph, name) is getattr(taskgraph, name)
    assert name in dir(taskgraph)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        taskgraph.nonsense  # noqa: B018


def test_session_is_the_function_in_whatever_order_things_are_imported() -> None:
    program = (
        "import taskgraph.session; from taskgraph import session; "
        "from taskgraph.session import Session; import taskgraph.notebook; "
        "assert session is taskgraph.session is taskgraph.notebook.session; "
        "import sys; assert sys.modules['taskgraph.session'].Session is Session"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


def test_a_notebook_session_is_active_until_it_is_closed() -> None:
    program = (
        "import taskgraph\n"
        "from backends.memory_store import MemoryStore\n"
        "from taskgraph.session import CURRENT\n"
        "def f(x): return x\n"
        "one = taskgraph.session(MemoryStore(), name='cells')\n"
        "assert taskgraph.is_running() and taskgraph.Task(f, 1).name == 'cells.f'\n"
        "assert len(one.graph) == 1\n"
        "one.close()\n"
        "assert not taskgraph.is_running()\n"
        "with taskgraph.session('memory:') as two:\n"
        "    assert CURRENT.get() is two\n"
        "assert not taskgraph.is_running()\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


def test_a_notebook_session_outlives_the_context_of_its_cell() -> None:
    program = (
        "import contextvars, taskgraph\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "from backends.memory_store import MemoryStore\n"
        "shell = InteractiveShell.instance()\n"
        "begin = lambda: taskgraph.session(MemoryStore(), name='cells')\n"
        "one = contextvars.copy_context().run(begin)\n"
        "assert not taskgraph.is_running()\n"
        "shell.events.trigger('pre_run_cell', None)\n"
        "assert taskgraph.is_running()\n"
        "one.close()\n"
        "shell.events.trigger('pre_run_cell', None)\n"
        "assert not taskgraph.is_running()\n"
    )
    pytest.importorskip("IPython")
    subprocess.run([sys.executable, "-c", program], check=True)


def test_in_a_notebook_a_barrier_says_what_to_do_first() -> None:
    """No jugfile is read there, so there is nothing to stop."""
    words = pytest.raises(NotReady, match="nothing waits at a barrier")
    with taskgraph.session(MemoryStore(), name="notebook"), words:
        barrier_of(double(3))


def barrier_of(task: Task) -> Any:
    """Ask for a value as a jugfile would."""
    return taskgraph.bvalue(task)


def test_an_outdated_graph_is_told_apart_from_a_failure(session: Session) -> None:
    """Nothing is recorded against the task: the jugfile only has to be read anew."""
    assert issubclass(GraphOutdated, TaskError)
    assert GraphOutdated.exit_code == 3
