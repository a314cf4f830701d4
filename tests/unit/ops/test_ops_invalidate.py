"""Exactly the transitive dependents go, whatever the shape of the graph."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from taskgraph.graph import Graph
from taskgraph.ops import invalidate, plan, retry, states
from taskgraph.ops.states import DONE, FAILED, READY
from taskgraph.session import Session
from taskgraph.task import TaskGenerator


@TaskGenerator
def leaf(i):
    return i


@TaskGenerator
def join(i, parts):
    return i


def build(session: Session, edges: list[list[int]]) -> list:
    """Make a graph: node i depends on edges[i], every second time through a tasklet."""
    made: list = []
    with session:
        for i, sources in enumerate(edges):
            parts = [made[s][0] if (s + i) % 2 else made[s] for s in sources]
            made.append(join(i, parts) if parts else leaf(i))
    return made


@st.composite
def graphs(draw):
    count = draw(st.integers(1, 25))
    return [
        sorted(draw(st.sets(st.integers(0, i - 1), max_size=3))) if i else [] for i in range(count)
    ]


def naive_dependents(edges: list[list[int]], chosen: set[int]) -> set[int]:
    """The slow twin: a fixed point over all edges."""
    hit = set(chosen)
    while True:
        more = {i for i, sources in enumerate(edges) if hit & set(sources)} - hit
        if not more:
            return hit
        hit |= more


@given(edges=graphs(), data=st.data())
def test_exactly_the_transitive_dependents_go(benches, edges, data):
    bench = benches()
    tasks = build(bench.session, edges)
    there = data.draw(st.sets(st.sampled_from(range(len(edges)))))
    chosen = data.draw(st.sets(st.sampled_from(range(len(edges))), min_size=1))
    bench.publish([tasks[i] for i in there])
    expected = naive_dependents(edges, chosen)
    what = plan(bench.session, chosen)
    assert set(what.nodes) == expected & there
    assert naive_dependents(edges, set(what.roots)) == expected
    assert not any(naive_dependents(edges, {a}) & (set(what.roots) - {a}) for a in what.roots)
    assert bench.session.present() == bytearray(i in there for i in range(len(edges)))
    done = invalidate(bench.session, chosen)
    assert (done.nodes, done.epoch) == (what.nodes, 1)
    assert bench.session.present() == bytearray(
        i in there and i not in expected for i in range(len(edges))
    )


def test_the_property_would_see_a_lost_edge():
    """A planted fault: a graph that forgets one edge differs from the naive twin."""
    edges = [[], [0], [1]]
    assert naive_dependents(edges, {0}) == {0, 1, 2}
    assert naive_dependents([[], [], [1]], {0}) == {0}


def test_a_diamond_goes_once_and_its_sides_stay(bench):
    tasks = build(bench.session, [[], [0], [0], [1, 2], []])
    bench.publish(tasks)
    done = invalidate(bench.session, [1])
    assert done.nodes == (1, 3)
    assert list(states(bench.session)) == [DONE, READY, DONE, 0, DONE]


def test_the_plan_counts_results_bytes_and_seconds_per_function(bench):
    tasks = build(bench.session, [[], [0], [0]])
    bench.publish(tasks, seconds=5.0)
    what = plan(bench.session, [0])
    size = bench.record(tasks[0]).size
    assert (what.results, what.bytes, what.seconds, what.epoch) == (3, 3 * size, 15.0, 0)
    assert [(row.name.rpartition(".")[2], row.results) for row in what.rows] == [
        ("leaf", 1),
        ("join", 2),
    ]


def test_nothing_chosen_writes_no_tombstone(bench):
    build(bench.session, [[]])
    assert invalidate(bench.session, []).epoch == 0
    assert bench.store.tombstones().epoch == 0


def test_a_root_without_a_result_is_named_too(bench):
    """A computation that began before the invalidate can't bring its result in after it."""
    (task,) = build(bench.session, [[]])
    began = bench.record(task)
    assert invalidate(bench.session, [0]).results == 0
    bench.store.publish("w", [began])
    assert list(bench.session.present()) == [0]
    bench.publish([task])
    assert list(bench.session.present()) == [1]


def test_another_jugfile_over_the_same_store_sees_it(bench):
    tasks = build(bench.session, [[], [0]])
    bench.publish(tasks)
    other = Session(bench.store.handle())
    build(other, [[], [0]])
    invalidate(bench.session, [0])
    other.look()
    assert list(other.present()) == [0, 0]


def test_retry_forgets_failures_and_counts_tasks(bench):
    tasks = build(bench.session, [[], [], [0]])
    bench.fail(tasks[0])
    bench.fail(tasks[1])
    assert retry(bench.session, [2]) == 0
    assert retry(bench.session, [0, 2]) == 1
    assert list(states(bench.session)) == [READY, FAILED, 0]
    assert retry(bench.session, [0]) == 0
    bench.fail(tasks[0])
    assert states(bench.session)[0] == FAILED


def test_the_dead_are_forgiven_too_and_the_living_still_watched(bench):
    """Else each new worker counts a death again that was forgiven, from the dead one's record."""
    first, below, other = build(bench.session, [[], [0], []])
    dead = {task: bench.worker("elsewhere") for task in (first, below, other)}
    for task, worker in dead.items():
        bench.store.running(worker, task.key)
    bench.now += 2 * bench.store.lease_seconds
    alive = bench.worker()
    bench.store.running(alive, first.key)

    def running():
        return {info.worker: info.running for info in bench.store.workers()}

    bench.die(first, dead[first])
    assert retry(bench.session, [bench.node(first)]) == 1
    assert running()[dead[first]] == b""
    assert running()[dead[below]] == below.key, "not what was asked for"
    invalidate(bench.session, [bench.node(first)])
    assert running()[dead[below]] == b""
    assert running()[dead[other]] == other.key
    assert running()[alive] == first.key


def test_what_lies_below_is_sought_for_the_dead_only_where_somebody_died(bench, monkeypatch):
    """In a graph of a million tasks that walk takes a second."""
    first, below = build(bench.session, [[], [0]])
    sought = []
    downstream = Graph.downstream
    monkeypatch.setattr(
        Graph, "downstream", lambda graph, nodes: sought.append(1) or downstream(graph, nodes)
    )
    living = bench.worker()
    bench.store.running(living, below.key)
    invalidate(bench.session, [bench.node(first)])
    assert len(sought) == 1, "for the plan"
    bench.now += 2 * bench.store.lease_seconds
    invalidate(bench.session, [bench.node(first)])
    assert len(sought) == 3
    assert [info.running for info in bench.store.workers()] == [b""]


def test_an_invalidate_forgets_failures_below_it(bench):
    tasks = build(bench.session, [[], [0]])
    bench.publish(tasks[:1])
    bench.fail(tasks[1])
    invalidate(bench.session, [0])
    assert list(states(bench.session)) == [READY, 0]


def test_a_chain_of_a_hundred_thousand(bench):
    with bench.session:
        task = leaf(0)
        for i in range(99_999):
            task = join(i, [task[0]])
    bench.publish(bench.session.graph.tasks)
    assert invalidate(bench.session, [50_000, 70_000]).results == 50_000
    assert bench.session.present().count(1) == 50_000
