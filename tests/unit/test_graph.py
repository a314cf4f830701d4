"""The graph: numbering, edges both ways, closures and floors, against naive twins."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskgraph.errors import ArgumentsNeeded
from taskgraph.graph import Graph
from taskgraph.task import RECORDER, TaskGenerator


@TaskGenerator
def node_of(number, inputs=()):
    """Be a node."""


@st.composite
def shapes(draw):
    """Return the dependencies of each node of a random graph."""
    count = draw(st.integers(1, 14))
    return [draw(st.sets(st.integers(0, n - 1), max_size=4)) if n else set() for n in range(count)]


def build(shape):
    """Return the graph of a shape."""
    graph = Graph()
    token = RECORDER.set(graph)
    try:
        tasks = []
        for number, inputs in enumerate(shape):
            tasks.append(node_of(number, [tasks[i] for i in sorted(inputs)]))
    finally:
        RECORDER.reset(token)
    return graph


def naive_downstream(shape, start):
    """Follow the edges by a search that knows nothing of node order."""
    reached = set(start)
    while True:
        more = {n for n, inputs in enumerate(shape) if inputs & reached} - reached
        if not more:
            return reached
        reached |= more


@given(shapes(), st.data())
def test_closures_are_what_a_naive_search_finds(shape, data):
    """Downstream and upstream, over the same random graph."""
    graph = build(shape)
    start = data.draw(st.sets(st.integers(0, len(shape) - 1), min_size=1))
    down = {n for n, there in enumerate(graph.downstream(start)) if there}
    assert down == naive_downstream(shape, start)
    up = {n for n, there in enumerate(graph.upstream(start)) if there}
    assert up == {n for n in range(len(shape)) if naive_downstream(shape, {n}) & start}


@given(shapes())
def test_edges_and_reverse_edges_agree(shape):
    """Each edge is there once in both directions."""
    graph = build(shape)
    ends, targets = graph.dependents()
    reverse = {
        (source, target)
        for source in range(len(graph))
        for target in targets[ends[source - 1] if source else 0 : ends[source]]
    }
    assert reverse == {(s, n) for n, inputs in enumerate(shape) for s in inputs}
    assert [set(graph.dependencies(n)) for n in range(len(graph))] == shape
    assert graph.edge_count == len(targets)


@given(shapes(), st.data())
def test_floors_are_the_greatest_number_over_all_ancestors(shape, data):
    """Against the definition, node by node."""
    graph = build(shape)
    roots = data.draw(st.dictionaries(st.integers(0, len(shape) - 1), st.integers(1, 9)))
    keys = graph.keys()
    floors = graph.floors({keys[node]: number for node, number in roots.items()})
    expected = [
        max(
            (number for root, number in roots.items() if n in naive_downstream(shape, {root})),
            default=0,
        )
        for n in range(len(shape))
    ]
    assert (list(floors) if floors is not None else [0] * len(shape)) == expected


def test_the_same_call_is_one_node():
    """Two equal calls are one task."""
    graph = Graph()
    token = RECORDER.set(graph)
    try:
        assert node_of(1).key == node_of(1).key
        node_of(2, [node_of(1), node_of(1)])
    finally:
        RECORDER.reset(token)
    assert len(graph) == 2
    assert list(graph.dependencies(1)) == [0]


def test_tasks_made_while_nobody_recorded_are_adopted_in_order():
    """A long chain made before the session is taken in without recursion."""
    task = node_of(0)
    for number in range(1, 5000):
        task = node_of(number, [task])
    graph = Graph()
    graph.record(task, task.dependencies())
    assert len(graph) == 5000
    assert list(graph.dependencies(4999)) == [4998]


@pytest.mark.parametrize("length", [100_000])
def test_a_long_chain_needs_no_recursion(length):
    """Hashing, closures and floors of 100,000 dependent tasks."""
    graph = Graph()
    token = RECORDER.set(graph)
    try:
        task = node_of(0)
        for _ in range(length):
            task = node_of(task)
    finally:
        RECORDER.reset(token)
    assert sum(graph.downstream([0])) == length + 1
    assert sum(graph.upstream([length])) == length + 1
    floors = graph.floors({graph.keys()[0]: 3})
    assert floors is not None
    assert floors[length] == 3


def test_a_packed_graph_answers_as_before():
    """Keys and tasks are the same, also of nodes that came after packing."""
    graph = build([set() for _ in range(300)] + [{0, 1}])
    found = [graph.key(n) for n in range(len(graph))]
    graph.pack(values=True)
    assert [graph.key(n) for n in range(len(graph))] == found == graph.keys()
    late = TaskGenerator(late_of)(1)
    graph.record(late, [])
    assert graph.key(301) == late.key
    assert graph.task(301) is late
    for node in range(301):
        task, copy = graph.tasks[node], graph.task(node)
        assert (copy.key, copy.shape, copy.values) == (task.key, task.shape, task.values)


def test_plain_arguments_are_copied_and_others_kept():
    """A task of numbers and text is made anew; one with a list is the one in the graph."""
    graph = Graph()
    plain, listed = TaskGenerator(late_of)("a"), TaskGenerator(late_of)([1])
    graph.record(plain, [])
    graph.record(listed, [])
    graph.pack(values=True)
    assert graph.task(0) is not plain
    assert graph.task(0).values == ("a",)
    assert graph.task(1) is listed


@pytest.mark.parametrize("packed", ["no", "keys", "table", "and then grown"])
def test_nodes_are_found_by_their_keys(packed):
    """Few keys and many, known and unknown, give the nodes that the index gives."""
    graph = build([set() for _ in range(4000)])
    if packed != "no":
        graph.pack(values=packed != "keys")
    assert len(graph._table) == (0 if packed in ("no", "keys") else 8192)
    if packed == "and then grown":  # a barrier opened: the table does not know the later ones
        graph.record(TaskGenerator(late_of)(1), [])
        assert graph.nodes_of([graph.keys()[4000]]) == [4000]
    for keys in (graph.keys(), graph.keys()[::7], graph.keys()[:3]):
        stranger = [bytes([n]) + bytes(31) for n in range(256)]
        assert sorted(graph.nodes_of([*stranger, *keys])) == [graph.index[k] for k in keys]


def test_keys_that_begin_alike_are_told_apart_in_the_table():
    """They share a place; the next ones are tried, round the end of the table too."""
    words = [bytes(8 - len(tail)) + tail for tail in (b"\x07", b"\x0f", b"\xff", b"\x07\x07")]
    keys = [word[::-1] + bytes([n]) * 24 for n in range(40) for word in words]
    graph = build([set() for _ in keys])
    graph.key_list = keys
    graph.pack(values=True)
    assert graph.nodes_of(keys) == list(range(len(keys)))
    strangers = [word[::-1] + bytes([99]) * 24 for word in words]
    assert graph.nodes_of([*strangers, keys[7]]) == [7]


def late_of(number):
    """Be a node of another function."""


def test_a_lean_graph_keeps_keys_and_edges_and_says_when_arguments_are_asked_for():
    def made(lean):
        graph = Graph(lean)
        token = RECORDER.set(graph)
        try:
            first = node_of(1, 2)
            second = node_of(first, [first, 3])
        finally:
            RECORDER.reset(token)
        return graph, first, second

    full, one, _ = made(lean=False)
    lean, first, second = made(lean=True)
    assert one.args == (1, 2)  # what is taken away is there otherwise
    assert lean.keys() == full.keys()
    assert lean.edges() == full.edges()
    assert second.name == full.tasks[1].name
    for ask in (lambda: first.values, lambda: second.args, second.dependencies):
        with pytest.raises(ArgumentsNeeded):
            ask()


def test_a_task_of_another_graph_is_found_by_its_key_not_by_its_place():
    """Its place is that of the graph that recorded it first; here another task is there."""
    graphs = Graph(), Graph()
    token = RECORDER.set(graphs[0])
    try:
        shared = node_of(1, 2)
        RECORDER.set(graphs[1])
        node_of(5, 6)
        twin = node_of(1, 2)
        node_of(shared, [twin, shared])
    finally:
        RECORDER.reset(token)
    assert shared.node != twin.node
    assert list(graphs[1].dependencies(2)) == [twin.node]
