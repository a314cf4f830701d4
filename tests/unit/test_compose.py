"""Sequences, maps, sub-graphs: what they are, what they stand for, what they depend on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from backends.memory_store import MemoryStore
from taskgraph import codecs
from taskgraph.compose import (
    CompoundTask,
    CompoundTaskGenerator,
    NoLoad,
    ancestors_of,
    currymap,
    execute_command,
    identity,
    iteratetask,
    mapreduce,
    record_extra,
    reduce,
    return_tuple,
)
from taskgraph.compose import map as map_tasks
from taskgraph.errors import TaskError, TaskFailed
from taskgraph.session import Session
from taskgraph.store import RESULT, Identity, Origin, Record
from taskgraph.task import Task, TaskGenerator

CALLS: list[Any] = []


@TaskGenerator
def double(x: Any) -> Any:
    CALLS.append(x)
    return 2 * x


@TaskGenerator
def make(n: int) -> list[int]:
    return list(range(n))


@TaskGenerator
def total(xs: Any) -> Any:
    return sum(xs)


@TaskGenerator
def bases(wrappers: Any) -> Any:
    return [type(one).__name__ for one in wrappers]


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


# -- parts ----------------------------------------------------------------------------


def test_iteratetask_has_length_index_and_slices(session: Session) -> None:
    parts = iteratetask(make(4), 4)
    first, *rest = parts
    assert len(parts) == 4
    assert value_of(session, [first, rest, parts[-1], parts[1:3]]) == [0, [1, 2, 3], 3, [1, 2]]
    with pytest.raises(IndexError):
        parts[4]
    with pytest.raises(TaskError, match="number of items"):
        iteratetask(make(4), -1)


def test_return_tuple_gives_tasklets_and_checks_the_length(session: Session) -> None:
    a, b = return_tuple(2)(make)(2)
    assert value_of(session, (a, b)) == (0, 1)
    wrong, _ = return_tuple(2)(make)(3)
    run(session)
    with pytest.raises(TaskError, match=r"must return 2 items; it returned 3"):
        session.value(wrong)


def test_noload_hands_over_the_task_and_keeps_the_edge(session: Session) -> None:
    task = bases([NoLoad(double(1)), NoLoad(make(3)[0])])
    assert [one.name.split(".")[-1] for one in task.dependencies()] == ["double", "make"]
    assert value_of(session, task) == ["NoLoad", "NoLoad"]
    assert bases([NoLoad(double(1))]).key != bases([double(1)]).key
    with pytest.raises(TaskError, match="NoLoad wraps a task"):
        NoLoad(3)  # type: ignore[arg-type]


def test_identity_is_a_task_once(session: Session) -> None:
    task = identity([1, 2])
    assert identity(task) is task
    assert task.name == "taskgraph.compose.identity"
    assert value_of(session, total(task)) == 3


def test_a_command_is_a_task_and_its_failure_a_failure(session: Session) -> None:
    after = execute_command(["true"], return_value="out", run_after=double(1))
    assert value_of(session, after) == "out"
    failing = Task(execute_command, ["false"])
    with pytest.raises(TaskFailed, match=r"\['false'\] ended with 1"):
        failing.call(session.value)
    assert Task(execute_command, ["false"], check_exit=False).call(session.value) is None


# -- map and reduce -------------------------------------------------------------------


def test_map_looks_like_its_sequence(session: Session) -> None:
    mapped = map_tasks(double, range(10))
    assert len(session.graph) == 3
    assert len(mapped) == 10
    run(session)
    assert session.value(mapped) == [2 * i for i in range(10)]
    assert session.value([mapped[3], mapped[-1]]) == [6, 18]
    assert session.value(mapped[2:9:3]) == [4, 10, 16]
    assert session.value(mapped[2:9][1:3][0]) == 6
    assert value_of(session, total(mapped[::-1])) == 90
    assert value_of(session, total(map_tasks(plus_one, mapped[4:], 2))) == 84
    with pytest.raises(IndexError):
        mapped[10]


def test_a_slice_depends_on_the_chunks_it_touches(session: Session) -> None:
    mapped = map_tasks(double, list(range(12)))
    assert total(mapped[4:7]).dependencies() == [mapped.blocks[1]]
    keys = {total(mapped[4:7]).key, total(mapped[4:8]).key, total(mapped).key, total(mapped[:]).key}
    assert len(keys) == 4


def test_map_step_one_is_a_list_of_tasks(session: Session) -> None:
    assert [one.key for one in map_tasks(double, [1, 2], 1)] == [double(1).key, double(2).key]
    with pytest.raises(TaskError, match="at least one call"):
        map_tasks(double, [1], 0)


@pytest.mark.parametrize("count", [1, 4, 5, 33, 100])
def test_mapreduce_is_a_reduction_in_order(session: Session, count: int) -> None:
    texts = [str(i) for i in range(count)]
    assert value_of(session, mapreduce(add, None, texts)) == "".join(texts)
    assert value_of(session, reduce(add, texts, reduce_step=3)) == "".join(texts)
    assert value_of(session, mapreduce(add, double, texts, 2, 2)) == "".join(t * 2 for t in texts)


def test_mapreduce_of_nothing_is_an_empty_list(session: Session) -> None:
    assert value_of(session, mapreduce(add, double, [])) == []
    with pytest.raises(TaskError, match="reduce_step; got 1"):
        mapreduce(add, None, list(range(9)), reduce_step=1)


def test_currymap_unpacks(session: Session) -> None:
    pairs = [(i, i) for i in range(6)]
    assert value_of(session, currymap(add, pairs)) == [0, 2, 4, 6, 8, 10]
    assert value_of(session, currymap(add, pairs, map_step=1)) == [0, 2, 4, 6, 8, 10]


def test_a_chunk_runs_as_its_function_asks(session: Session) -> None:
    slow = TaskGenerator(plus_one, timeout=5, resources={"gpu": 1}, version=2)
    (block,) = map_tasks(slow, [1, 2, 3]).blocks
    assert block.options.timeout == 15
    assert block.options.resources == {"gpu": 1.0}
    other = TaskGenerator(plus_one, version=3)
    assert map_tasks(other, [1, 2, 3]).blocks[0].key != block.key


# -- sub-graphs -----------------------------------------------------------------------


@CompoundTaskGenerator
def twice(x: Any, extra: Any = 1) -> Any:
    CALLS.append("twice")
    return [double(x), double(extra)]


def reread(session: Session, build: Callable[[], Any]) -> tuple[Session, Any]:
    """Build again in a session of its own over the same store, as another process would."""
    other = Session(session.store.handle())  # type: ignore[attr-defined]
    with other:
        return other, build()


def test_a_compound_task_has_the_key_of_its_call_and_stores_the_value(session: Session) -> None:
    task = twice(7)
    assert task.key == Task(twice.f, 7).key
    assert task.name.endswith("test_compose.twice")
    assert value_of(session, task) == [14, 2]
    assert twice(7) is task


def test_a_stored_compound_task_never_calls_its_function(session: Session) -> None:
    value_of(session, twice(7))
    CALLS.clear()
    other, task = reread(session, lambda: twice(7))
    assert CALLS == []
    assert len(other.graph) == 1
    assert other.value(task) == [14, 2]
    assert run(other) == 0


def test_the_record_names_inner_ancestors_but_not_those_of_the_arguments(session: Session) -> None:
    argument = double(double(3))
    outside = double(100)
    task = CompoundTask(twice.f, argument, outside)
    named = ancestors_of(task, session.graph)
    assert named == [double(argument).key, double(outside).key]
    assert ancestors_of(outside, session.graph) is None
    elsewhere = twice(1)
    assert ancestors_of(elsewhere, session.graph) == [double(1).key]


@pytest.mark.parametrize("which", ["inner", "argument", "itself"])
def test_an_invalidate_of_any_ancestor_reaches_an_opaque_node(session: Session, which: str) -> None:
    argument = double(3)
    task = twice(argument)
    victim = {"inner": double(argument), "argument": argument, "itself": task}[which]
    value_of(session, task)
    other, opaque = reread(session, lambda: twice(double(3)))
    assert other.present([other.graph.node(opaque)]) == b"\1"
    session.store.invalidate([victim.key])
    other.look()
    assert other.present([other.graph.node(opaque)]) == b"\0"
    fresh, built = reread(session, lambda: twice(double(3)))
    assert ancestors_of(built, fresh.graph) is not None
    assert value_of(fresh, built) == [12, 2]
    again, _ = reread(session, lambda: twice(double(3)))
    assert run(again) == 0
    assert len(again.graph) == 2
