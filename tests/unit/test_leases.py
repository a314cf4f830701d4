"""Claims in a crowd: more nodes are named than are needed, and put back."""

from __future__ import annotations

import pytest

from taskgraph.graph import Graph
from taskgraph.leases import MOST_SPARES, SPARES, Leases
from taskgraph.scheduler import BUSY, MINE, READY, Scheduler
from taskgraph.store import Claim
from taskgraph.task import RECORDER, TaskGenerator


@TaskGenerator
def work(number):
    """Be a node."""


class Crowded:
    """A store in which others hold some keys; it notes what it is asked."""

    coarse_bits = 8

    def __init__(self):
        self.held = set()
        self.asked = []

    def claim(self, worker, keys, *, coarse=False, most=None):
        self.asked.append((len(keys), coarse, most))
        got, busy = [], []
        for key in keys:
            if len(got) == most:
                break
            (busy if key in self.held else got).append(key)
        return Claim(0, got, busy)


@pytest.fixture
def crowd():
    graph = Graph()
    token = RECORDER.set(graph)
    for i in range(400):
        work(i)
    RECORDER.reset(token)
    store, scheduler = Crowded(), Scheduler(graph, bytearray(len(graph)))
    return store, scheduler, Leases(store, "me", scheduler)


def ask(scheduler, leases, others, coarse=False):
    nodes, _ = scheduler.next_batch(1, 1e9)
    return nodes, leases.take(nodes, coarse, others)


def test_alone_a_worker_names_what_it_needs(crowd):
    store, scheduler, leases = crowd
    nodes, (got, busy) = ask(scheduler, leases, 0)
    assert (got, busy) == (nodes, [])
    assert store.asked == [(1, False, None)]


def test_in_company_it_gets_another_one_with_the_same_question(crowd):
    store, scheduler, leases = crowd
    nodes, _ = scheduler.next_batch(1, 1e9)
    store.held = {scheduler.graph.key(nodes[0])}
    got, busy = leases.take(nodes, False, 63)
    assert busy == nodes
    assert len(got) == 1
    assert got != nodes
    assert store.asked == [(1 + SPARES, False, 1)]
    assert scheduler.state[got[0]] == MINE
    scheduler.put(busy, BUSY)
    assert scheduler.count(READY) == 398, "what was not needed is ready again"


def test_the_more_is_refused_the_more_is_named_and_less_when_all_is_free(crowd):
    store, scheduler, leases = crowd
    store.held = set(scheduler.keys)
    for _ in range(5):
        _, (got, busy) = ask(scheduler, leases, 63)
        assert not got
        scheduler.put(busy, READY)
    store.held = set()
    for _ in range(9):
        ask(scheduler, leases, 63)
    named = [count - 1 for count, *_ in store.asked]
    doubled = [SPARES << i for i in range(5)]
    assert named[:5] == [min(MOST_SPARES, count) for count in doubled]
    assert named[5:] == sorted(named[5:], reverse=True)
    assert named[-1] == SPARES


def test_whole_buckets_have_no_spare_ones(crowd):
    store, scheduler, leases = crowd
    ask(scheduler, leases, 63, coarse=True)
    assert store.asked == [(1, True, None)]
