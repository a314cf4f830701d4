"""The scheduler's policy, as a table of small graphs; no store, no clock."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from taskgraph.graph import Graph
from taskgraph.scheduler import (
    BLOCKED,
    BUSY,
    COARSE_FROM,
    DONE,
    FAILED,
    LATER,
    MINE,
    QUANTUM,
    READY,
    WAITING,
    Scheduler,
)
from taskgraph.task import RECORDER, TaskGenerator


@TaskGenerator
def work(number, inputs=()):
    """Be a node."""


@TaskGenerator
def slow(number):
    """Be a node of another function."""


@TaskGenerator(isolate=True)
def apart(number):
    """Be a node that runs alone."""


def record(make):
    """Return the graph of what ``make()`` makes."""
    graph = Graph()
    token = RECORDER.set(graph)
    try:
        make()
    finally:
        RECORDER.reset(token)
    return graph


def flat(count, generator=work):
    return record(lambda: [generator(i) for i in range(count)])


def chain(count):
    def make():
        task = work(0)
        for _ in range(count - 1):
            task = work(task)

    return record(make)


def fresh(graph, **options):
    return Scheduler(graph, bytearray(len(graph)), **options)


def test_an_untimed_function_is_leased_one_at_a_time():
    """Nothing is known of it: it may take an hour."""
    scheduler = fresh(flat(1000))
    nodes, coarse = scheduler.next_batch(1, 1e9)
    assert len(nodes) == 1
    assert not coarse


def test_short_tasks_are_leased_by_the_bucket():
    """About a second's worth, all of a bucket together."""
    scheduler = fresh(flat(5000))
    scheduler.timings.add("test_scheduler.work", 0.001, 10)
    name = scheduler.graph.name(0)
    scheduler.timings.add(name, 0.001, 10)
    nodes, coarse = scheduler.next_batch(1, 1e9)
    assert coarse
    assert 1000 <= len(nodes) < 1100
    keys = scheduler.keys
    taken = {keys[node][0] for node in nodes}
    assert all(keys[n][0] not in taken for n in range(5000) if scheduler.state[n] == READY)


def test_where_buckets_are_not_locked_no_more_is_taken_than_fits():
    """A bucket of a large graph holds many times a second's work: its rest stays for others."""
    scheduler = fresh(flat(20_000))
    scheduler.timings.add(scheduler.graph.name(0), QUANTUM / COARSE_FROM, 10)
    for whole in (True, False):
        scheduler.whole = whole
        nodes, _ = scheduler.next_batch(1, 1e9)
        scheduler.put(nodes, READY)
        assert (len(nodes) > COARSE_FROM + 1) == whole
    assert sorted(scheduler.nodes_in(READY)) == list(range(20_000))


@TaskGenerator(resources={"gpu": 1})
def hungry(number):
    """Be a node that needs something."""


def spare_of(graph, count, limit=1):
    scheduler = fresh(graph)
    if limit > 1:
        scheduler.timings.add(scheduler.names[0], QUANTUM / limit, 1)
    nodes, _ = scheduler.next_batch(1, 1e9)
    assert len(nodes) == limit
    return scheduler, nodes, scheduler.spare(nodes, count)


def test_spare_nodes_are_other_ones_and_held_until_they_are_put_back():
    scheduler, nodes, spare = spare_of(flat(9), 5)
    assert len({*nodes, *spare}) == 6
    assert {scheduler.state[node] for node in spare} == {MINE}
    assert len(scheduler.spare(nodes, 5)) == 3, "all that is left"
    scheduler.put(spare, READY)
    assert set(scheduler.spare(nodes, 9)) == set(spare)


def test_a_single_node_is_as_good_as_one_of_another_function_but_a_batch_keeps_to_its_own():
    mixed = record(lambda: [work(0), *(slow(i) for i in range(8))])
    *_, spare = spare_of(record(lambda: [slow(0), work(1), work(2)]), 5)
    assert len(spare) == 2
    scheduler = fresh(mixed)
    scheduler.timings.add(scheduler.names[1], QUANTUM / 4, 1)
    nodes, _ = scheduler.next_batch(1, 1e9)
    assert len(nodes) == 4
    assert len(scheduler.spare(nodes, 9)) == 4, "all slow ones, and not the other"


def test_what_needs_resources_is_no_spare_of_what_does_not_nor_the_other_way_round():
    both = record(lambda: [work(0), hungry(0), hungry(1)])
    for number in range(3):
        scheduler = fresh(both)
        scheduler.put({0, 1, 2} - {number}, LATER)
        nodes, _ = scheduler.next_batch(1, 1e9)
        assert nodes == [number]
        scheduler.put({0, 1, 2} - {number}, READY)
        spare = scheduler.spare(nodes, 9)
        assert spare == ([] if number == 0 else [3 - number])
        scheduler.put(spare, READY)
        assert scheduler.count(READY) == 2, "nothing is lost"


def test_jumps_visit_every_bucket_before_one_comes_again():
    scheduler = fresh(flat(1), start=17)
    seen = set()
    for _ in range(256):
        scheduler.jump()
        seen.add(scheduler.start)
    assert len(seen) == 256


def test_a_batch_is_a_fair_share_of_what_is_left():
    """Many workers, few tasks: nobody takes them all."""
    scheduler = fresh(flat(40))
    scheduler.timings.add(scheduler.graph.name(0), 0.1, 10)
    nodes, _ = scheduler.next_batch(4, 1e9)
    assert len(nodes) == 5


def test_a_batch_holds_no_more_bytes_than_the_bench():
    """A megabyte each: thirty-two of them."""
    scheduler = fresh(flat(1000))
    scheduler.timings.add(scheduler.graph.name(0), 0.02, 1e6)
    nodes, _ = scheduler.next_batch(1, 32e6)
    assert len(nodes) == 32


def test_tasks_that_run_alone_are_leased_alone():
    """Also when they are short."""
    scheduler = fresh(flat(1000, apart))
    scheduler.timings.add(scheduler.graph.name(0), 0.001, 10)
    assert len(scheduler.next_batch(1, 1e9)[0]) == 1


def test_what_own_results_made_ready_comes_first():
    """Depth first: the inputs are in memory."""
    graph = record(lambda: [work(i + 100, [work(i)]) for i in range(50)])
    scheduler = fresh(graph)
    nodes, _ = scheduler.next_batch(1, 1e9)
    scheduler.done(nodes, mine=True)
    (dependent,) = [n for n in range(len(graph)) if nodes[0] in graph.dependencies(n)]
    assert scheduler.next_batch(1, 1e9)[0] == [dependent]


def test_what_becomes_ready_in_a_held_bucket_needs_no_lease():
    """A chain runs on under buckets that are held."""
    scheduler = fresh(chain(3))
    scheduler.timings.add(scheduler.graph.name(0), 0.0001, 10)
    scheduler.done(scheduler.next_batch(1, 1e9)[0], mine=True)
    held = bytearray(256)
    assert scheduler.held_ready(held) == []
    held[scheduler.keys[1][0]] = 1
    assert scheduler.held_ready(held) == [1]
    assert scheduler.state[1] == MINE


def test_workers_start_at_different_places():
    """Two workers that drew other places take other tasks first."""
    graph = flat(500)
    first = [fresh(graph, start=start).next_batch(2, 1e9)[0][0] for start in range(0, 256, 32)]
    assert len(set(first)) == len(first)


def test_a_failure_blocks_what_depends_on_it_and_nothing_else():
    """Transitively; a later result opens it again."""
    scheduler = fresh(chain(4))
    other = fresh(record(lambda: (work(9, [work(1)]), work(2))))
    scheduler.failed(1)
    assert list(scheduler.state) == [READY, FAILED, BLOCKED, BLOCKED]
    assert scheduler.left == 1
    other.failed(0)
    assert list(other.state) == [FAILED, BLOCKED, READY]
    other.done([0])
    assert list(other.state) == [DONE, READY, READY]


def test_unselected_tasks_are_waited_for_not_run():
    """With --name: dependencies are not pulled in."""
    scheduler = fresh(chain(3), selected=bytearray([0, 1, 0]))
    assert scheduler.next_batch(1, 1e9) == ([], False)
    assert scheduler.left == 1
    scheduler.done([0])
    assert scheduler.next_batch(1, 1e9)[0] == [1]
    scheduler.done([1])
    assert scheduler.left == 0


def test_nodes_set_aside_come_back():
    """Busy elsewhere, or later: not given out until they are put back."""
    scheduler = fresh(flat(3))
    scheduler.put([0], BUSY)
    scheduler.put([1], LATER)
    assert scheduler.next_batch(1, 1e9)[0] == [2]
    scheduler.put([0], READY)
    assert scheduler.next_batch(1, 1e9)[0] == [0]
    assert scheduler.next_batch(1, 1e9)[0] == []


def test_a_reset_starts_from_what_has_results_now():
    """After an invalidate: done nodes may be undone."""
    scheduler = fresh(chain(3))
    scheduler.done([0, 1, 2])
    assert scheduler.left == 0
    scheduler.reset(bytearray([1, 0, 0]))
    assert list(scheduler.state) == [DONE, READY, WAITING]
    assert scheduler.left == 2


@given(st.integers(0, 2**32), st.integers(1, 60), st.integers(1, 4))
def test_any_interleaving_of_workers_runs_each_node_once_after_its_inputs(seed, count, workers):
    """Random graphs, random order of events, everything comes to an end."""
    rng = random.Random(seed)

    def make():
        tasks = []
        for number in range(count):
            inputs = rng.sample(tasks, min(len(tasks), rng.randrange(4)))
            tasks.append(work(number, inputs))

    graph = record(make)
    schedulers = [fresh(graph, start=rng.randrange(256)) for _ in range(workers)]
    ran: list[int] = []
    locked: set[int] = set()
    for scheduler in schedulers:
        scheduler.timings.add(graph.name(0), rng.choice([0.0001, 0.1, 5.0]), 10)
    while len(ran) < count:
        scheduler = rng.choice(schedulers)
        nodes, _ = scheduler.next_batch(workers, 1e9)
        free = [node for node in nodes if node not in locked]
        scheduler.put([node for node in nodes if node in locked], BUSY)
        for node in free:
            assert set(graph.dependencies(node)) <= set(ran)
            assert node not in ran
            locked.add(node)
        ran += free
        for other in schedulers:
            other.done(free, mine=other is scheduler)
    assert sorted(ran) == list(range(count))
    assert all(scheduler.left == 0 for scheduler in schedulers)
    assert COARSE_FROM > 1
