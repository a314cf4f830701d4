"""Up to 1,000 workers and 10,000,000 tasks on a store that is only costs, by a fake clock.

Usage: ``python benchmarks/simulate.py [--short | --full] [--change bell,census]``.
In: numbers of workers and tasks, seconds a task, the store's costs (``costs.py``). Out: a
Markdown table: how much of the workers' time went into tasks, how many claims met another's
lock, how busy the store's server was.

What is real
    The policy: ``taskgraph.scheduler.Scheduler`` decides what to lease, how much, and when
    by the bucket; ``taskgraph.leases.Leases`` holds it. The order of a worker's calls, the
    quantum, the patience of the outbox, the pauses of a worker that waits and its census of
    others follow ``worker.py`` and ``vigil.py`` step by step, with their constants.
What is simulated
    Time; tasks (half to one and a half times their mean); the store: a lock table that
    excludes both granularities, a log of results, and one server with a queue, which does so
    many operations a second. A worker waits for the queue and for its round trips.
What is left out
    CPU of the workers, syncs of disks, caches of network clients (a result is seen by the
    next look after it was published), failures, how long it takes to load the graph, and that
    a freed lock may be noticed up to three seconds late, when a list of workers is still believed.
Where it is not exact
    A scheduler knows every task: with W workers and N tasks there are W x N states. Beyond
    ``MOST_STATES`` only ``EXACT`` workers have schedulers of their own. The others share one:
    they never meet each other's locks, so each of their claims is charged as many further
    claims as those of the exact workers needed.
"""

from __future__ import annotations

import argparse
import copy
import heapq
import random
import sys
import time
from array import array
from collections.abc import Iterator
from dataclasses import replace
from typing import cast

from costs import Costs, Line, file_store, redis_store
from ground import FlatGraph, Ground

from taskgraph.leases import Leases
from taskgraph.outbox import CROWD, MOST_PATIENCE, PATIENCE
from taskgraph.scheduler import BUSY, MINE, QUANTUM, READY, Pool, Scheduler
from taskgraph.store import Store
from taskgraph.timings import Timings
from taskgraph.vigil import (
    BELIEF,
    CENSUS,
    FEW,
    LONGEST_BELIEF,
    LONGEST_PAUSE,
    LONGEST_STEP,
    LONGEST_STEP_SERVED,
    STEP,
)

#: States of tasks that fit into memory and minutes; workers with their own view beyond that.
MOST_STATES, EXACT = 100_000_000, 16
#: Bytes of a result, and of results a batch may make.
SIZE, BATCH_BYTES = 100, 32e6


class Simulation:
    """One crowd over one graph."""

    def __init__(self, costs: Costs, workers: int, tasks: int, seconds: float, fan: int) -> None:
        self.rng = random.Random(1)
        self.costs, self.workers, self.seconds = costs, workers, seconds
        self.graph = FlatGraph(tasks, fan, self.rng)
        self.ground = Ground(costs, costs.coarse_bits, runs=bytearray(tasks))
        self.exact = workers if workers * tasks <= MOST_STATES else min(EXACT, workers)
        self.now, self.spent, self.serial = 0.0, 0.0, 0
        self.events: list[tuple[float, int, Hand]] = []
        self.asleep: list[Hand] = []
        first = Scheduler(self.graph, bytearray(tasks))
        first.whole = costs.coarse_bits > 0
        first._down = self.graph.dependents()  # one copy for all
        self.views = [View(first) for _ in range(self.exact + (workers > self.exact))]
        self.hands = [
            Hand(self, number, self.views[min(number, self.exact)]) for number in range(workers)
        ]

    def at(self, when: float, hand: Hand) -> None:
        """Let a worker go on at some time."""
        self.serial += 1
        hand.turn = self.serial
        heapq.heappush(self.events, (when, self.serial, hand))

    def run(self) -> None:
        """Go from event to event until every worker has left."""
        for hand in self.hands:
            self.at(self.rng.uniform(0, 2.0), hand)
        while self.events:
            when, turn, hand = heapq.heappop(self.events)
            if turn != hand.turn:
                continue  # it was woken before
            self.now = when
            wanted = next(hand.steps, None)
            if wanted is not None:
                self.at(wanted, hand)

    def wake(self) -> None:
        """Let all who wait see that there is news."""
        sleepers, self.asleep = self.asleep, []
        for hand in sleepers:
            self.at(self.now + self.costs.round_trip, hand)

    def conflicts(self) -> float:
        """Return the part of claims that got nothing."""
        return self.ground.refused / max(1, self.ground.asked)


class View:
    """What one worker, or all that share it, knows of the graph."""

    def __init__(self, first: Scheduler) -> None:
        self.scheduler = scheduler = copy.copy(first)
        scheduler.timings, scheduler.fresh = Timings(), []
        scheduler.state = bytearray(first.state)
        scheduler.missing = array("i", first.missing)
        scheduler.pools = [Pool() for _ in first.pools]
        for mine, theirs in zip(scheduler.pools, first.pools, strict=True):
            mine.buckets = [array("i", nodes) for nodes in theirs.buckets]
        self.read = 0

    def news(self, ground: Ground) -> int:
        """Take in what was published since the last look; return how many wrote."""
        fresh = ground.log[self.read :]
        self.read = len(ground.log)
        for _, nodes in fresh:
            self.scheduler.done(nodes)
        return len({writer for writer, _ in fresh})


class Hand:
    """One worker: the loop of ``worker.py``, where each ``yield`` is the time it goes on."""

    def __init__(self, sim: Simulation, number: int, view: View) -> None:
        self.sim, self.view, self.number = sim, view, number
        self.scheduler = view.scheduler
        self.start = sim.rng.randrange(256)
        self.alone = number < sim.exact
        self.leases = Leases(cast("Store", sim.ground), str(number), self.scheduler)
        self.counted, self.census, self.listed = 1, -1e9, -1e9
        self.quantum_ends = self.pause = 0.0
        self.turn = 0
        self.steps = self.work()

    def call(self, operations: float) -> float:
        """Ask the server; return when the answer is there."""
        return self.sim.ground.serve(self.sim.now, operations)

    def look(self) -> float:
        """Look for news and take them in; return the operations."""
        costs, others = self.sim.costs, self.sim.workers - 1
        writers = self.view.news(self.sim.ground)
        return costs.look.of(writers, others) if writers else costs.glance.of()

    def listing(self) -> float:
        """Look who is there, unless that was done a moment ago; return the operations."""
        if self.sim.now - self.listed < min(LONGEST_BELIEF, BELIEF * self.sim.workers):
            return 0.0
        self.listed = self.sim.now
        return self.sim.costs.census.of(0, self.sim.workers)

    def work(self) -> Iterator[float]:
        """Lease and run, or wait, until nothing is left."""
        sim, scheduler = self.sim, self.scheduler
        scheduler.start = self.start
        while scheduler.left > 0:
            nodes: list[int] = []
            if self.leases and sim.now < self.quantum_ends:
                nodes = scheduler.held_ready(self.leases.held)
            if not nodes:
                yield from self.lease(nodes)
            if nodes:
                self.pause = 0.0
                yield from self.run(nodes)
            elif scheduler.left > 0:
                yield from self.wait()
        yield from self.let_go()

    def let_go(self) -> Iterator[float]:
        """Free every lock."""
        if self.leases:
            locks = sum(len(claim.names) for claim in self.leases._claims)
            self.leases.release()
            yield self.call(self.sim.costs.release.of(locks))

    def lease(self, nodes: list[int]) -> Iterator[float]:
        """Claim what the scheduler gives out; put into ``nodes`` what may be run."""
        sim, costs = self.sim, self.sim.costs
        if sim.now >= self.quantum_ends or not self.leases:
            yield from self.let_go()
            self.quantum_ends = sim.now + QUANTUM
        if sim.now - self.census > CENSUS:
            self.census, self.counted = sim.now, sim.workers
            listing = self.listing()
            if listing:
                yield self.call(listing)
        asked, coarse = self.next_batch()
        if not asked:
            return
        if not coarse:
            yield from self.let_go()
        got, busy = self.leases.take(asked, coarse, sim.workers - 1 if self.alone else 0)
        self.scheduler.put(busy, BUSY)
        if len(busy) > len(got):
            self.scheduler.jump()
        locks = len({sim.graph.buckets[n] for n in asked}) if coarse else len(asked)
        if not costs.coarse_bits or not coarse:
            locks = len(got) + len(busy)
        operations = costs.claim.of(locks, sim.workers - 1)
        if not self.alone:
            operations /= max(0.05, 1 - sim.conflicts())
        yield self.call(operations)
        yield self.call(self.look())
        nodes += [node for node in got if self.scheduler.state[node] == MINE]
        if busy and not got:
            yield from self.stand_back()

    def next_batch(self) -> tuple[list[int], bool]:
        """Ask the scheduler; who shares a view begins anywhere."""
        if not self.alone:
            self.scheduler.start = self.sim.rng.randrange(256)
        return self.scheduler.next_batch(self.counted, BATCH_BYTES)

    def stand_back(self) -> Iterator[float]:
        """Set aside what others hold, if the list of workers is new; pause."""
        sim, scheduler = self.sim, self.scheduler
        listing = self.listing()
        if listing:
            yield self.call(listing)
            held = sim.ground.keys
            if scheduler.count(READY) <= FEW:
                buckets = sim.ground.buckets
                ready = scheduler.nodes_in(READY)
                held = [n for n in ready if n in held or sim.graph.buckets[n] in buckets]
            scheduler.put([n for n in held if scheduler.state[n] == READY], BUSY)
        longest = LONGEST_STEP if sim.costs.coarse_bits else LONGEST_STEP_SERVED
        yield sim.now + min(longest, STEP * (sim.workers - 1))

    def run(self, nodes: list[int]) -> Iterator[float]:
        """Run leased nodes, publishing now and then; give back what takes too long."""
        sim, ground = self.sim, self.sim.ground
        patience = min(MOST_PATIENCE, PATIENCE * max(1.0, sim.workers / CROWD))
        stride = max(1, int(patience / sim.seconds))
        deadline = sim.now + 1.5 * QUANTUM
        for place in range(0, len(nodes), stride):
            if place and sim.now > deadline:
                self.scheduler.put(nodes[place:], READY)
                self.quantum_ends = 0.0
                return
            some = nodes[place : place + stride]
            took = len(some) * sim.seconds * sim.rng.uniform(0.5, 1.5)
            sim.spent += took
            yield sim.now + took
            for node in some:
                ground.runs[node] += 1
            names = self.scheduler.names
            for kind in {sim.graph.kinds[node] for node in some}:
                count = sum(sim.graph.kinds[node] == kind for node in some)
                share = took * count / len(some)
                self.scheduler.timings.add(names[kind], share, SIZE * count, count)
            self.scheduler.done(some, mine=True)
            yield self.call(sim.costs.publish.of(len(some)))
            ground.log.append((self.number, some))
            sim.wake()

    def wait(self) -> Iterator[float]:
        """Look for news and at who is there; sleep until there may be news."""
        sim, costs = self.sim, self.sim.costs
        yield from self.let_go()
        yield self.call(self.look() + self.listing())
        ground, scheduler = sim.ground, self.scheduler
        node = scheduler.state.find(BUSY)
        while node >= 0:
            if node not in ground.keys and sim.graph.buckets[node] not in ground.buckets:
                scheduler.put([node], READY)
            node = scheduler.state.find(BUSY, node + 1)
        if scheduler.count(READY) or not scheduler.left:
            return
        self.pause = min(LONGEST_PAUSE, self.pause * 2 or 0.02)
        if costs.wakes:
            sim.asleep.append(self)
            yield sim.now + self.pause
        else:
            yield sim.now + max(self.pause, costs.poll)


HEAD = """| store | workers | tasks | of | work in tasks | lasts | ideally | claims refused | operations/s | server busy | schedulers | took |
|---|---|---|---|---|---|---|---|---|---|---|---|"""


def line(costs: Costs, workers: int, tasks: int, seconds: float, fan: int) -> str:
    """Simulate one crowd and return its line of the table."""
    began = time.perf_counter()
    sim = Simulation(costs, workers, tasks, seconds, fan)
    sim.run()
    ground = sim.ground
    again = sum(runs - 1 for runs in ground.runs if runs > 1)
    assert 0 not in ground.runs, "a task never ran"
    assert not again, f"{again} runs of tasks that had a result"
    ideal = tasks * seconds / workers
    cells = [
        costs.name,
        f"{workers:,}",
        f"{tasks:,}" + (f", {fan} to 1" if fan else ""),
        f"{seconds:g} s",
        f"{100 * sim.spent / (sim.now * workers):.0f} %",
        f"{sim.now:,.0f} s",
        f"{ideal:,.0f} s",
        f"{100 * sim.conflicts():.0f} %",
        f"{ground.operations / sim.now:,.0f}",
        f"{100 * ground.operations / costs.capacity / sim.now:.0f} %",
        "each its own" if sim.exact == workers else f"{sim.exact} and a shared one",
        f"{time.perf_counter() - began:.0f} s",
    ]
    return "| " + " | ".join(cells) + " |"


#: Workers, tasks, seconds of each, inputs of every further task.
SHORT = ((10, 1_000, 1.0, 0), (10, 20_000, 0.01, 0), (50, 1_000, 10.0, 0), (50, 2_200, 1.0, 10))
TABLE = (
    (16, 1_600, 10.0, 0), (16, 4_800, 1.0, 0), (16, 200_000, 0.01, 0),
    (64, 6_400, 10.0, 0), (64, 19_200, 1.0, 0), (64, 200_000, 0.01, 0), (64, 17_600, 1.0, 10),
    (256, 25_600, 10.0, 0), (1000, 20_000, 10.0, 0), (1000, 20_000, 100.0, 0),
)  # fmt: skip
FULL = ((1000, 10_000_000, 0.1, 0),)


def improved(costs: Costs, changes: list[str]) -> Costs:
    """Return what a store would cost after some changes that nobody has made yet."""
    if "bell" in changes:  # one file says which segments grew: a look asks for those alone
        claim, look = costs.claim, costs.look
        costs = replace(costs, claim=Line(claim.base, claim.each), look=Line(look.base, look.each))
    if "census" in changes:  # the number of workers is counted from names, none is opened
        costs = replace(costs, census=Line(1))
    return costs


def main(arguments: list[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="small crowds, seconds")
    parser.add_argument("--full", action="store_true", help="10,000,000 tasks, minutes")
    parser.add_argument("--crowd", help="one of your own: WORKERS,TASKS,SECONDS,INPUTS")
    parser.add_argument("--stores", default="file,redis", help="names, with commas")
    parser.add_argument("--nfs", default="0.005,20000", help="seconds a round trip, operations/s")
    parser.add_argument("--redis", default="0.0002,100000", help="the same of a Redis server")
    parser.add_argument("--change", default="", help="what if: bell, census, with commas")
    options = parser.parse_args(arguments)
    makers = {"file": (file_store, options.nfs), "redis": (redis_store, options.redis)}
    crowds = SHORT if options.short else FULL if options.full else TABLE
    if options.crowd:
        workers, tasks, seconds, fan = map(float, options.crowd.split(","))
        crowds = ((int(workers), int(tasks), seconds, int(fan)),)
    changes = options.change.split(",")
    print(HEAD, flush=True)
    for name in options.stores.split(","):
        make, figures = makers[name]
        costs = improved(make(*map(float, figures.split(","))), changes)
        for crowd in crowds:
            print(line(costs, *crowd), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
