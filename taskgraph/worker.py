"""The loop of a worker: lease what is ready, run it, publish it; otherwise wait for news.

A session (graph and store) flows in, records flow out. Policy is the scheduler's, what
others do is seen by the vigil, tasks are run by the runner, what waits to be written is
in the outbox. Nothing here knows a backend, a terminal or a process other than its own;
the blackboard carries the little that the supervisor must see.

Order matters in three places. The epoch is read (by the claim) before an input is
loaded. Results are published before the locks on them are freed. And a new tombstone
makes the worker look at everything anew, after publishing what it has.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from taskgraph import events
from taskgraph.attempts import Attempts
from taskgraph.board import GO, IDLE, WORKING, Board, Counts
from taskgraph.capture import Capture
from taskgraph.isolation import RunApart
from taskgraph.leases import Leases
from taskgraph.orders import Orders
from taskgraph.origins import Origins
from taskgraph.outbox import Outbox
from taskgraph.runner import Runner
from taskgraph.scheduler import (
    BLOCKED,
    BUSY,
    DONE,
    FAILED,
    LATER,
    MINE,
    QUANTUM,
    READY,
    Scheduler,
)
from taskgraph.session import Session
from taskgraph.vigil import Vigil

#: A worker whose first tasks all fail so, for want of something on its machine, stops.
MOST_FAILURES = 5


class Worker:
    """One worker over a session.

    Parameters
    ----------
    session, scheduler
        Graph and store; what to run next.
    name : str
        Id of the owner record in the store.
    board, slot
        Where the supervisor looks.
    orders : Orders
        How long, how much memory, when to leave.
    origins, capture, run_apart
        Provenance of records; what tasks print; how isolated tasks are run.
    say : callable
        Told what a person should know.
    clock, wall, sleep
        Monotonic seconds, seconds since 1970, sleeping.
    """

    def __init__(
        self,
        session: Session,
        scheduler: Scheduler,
        name: str,
        *,
        board: Board,
        slot: int,
        orders: Orders,
        origins: Origins,
        capture: Capture,
        run_apart: RunApart,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        store = session.store
        self.session, self.store, self.scheduler = session, store, scheduler
        self.tasks, self.name = session.graph.tasks, name
        self.board, self.slot, self.orders = board, slot, orders
        self.capture, self.clock, self.say = capture, clock, say
        self.began = clock()
        self.offset = wall() - self.began
        self.outbox = Outbox(store, name, clock, sleep, say, orders.store_patience)
        self.leases = Leases(store, name, scheduler)
        self.attempts = Attempts(session, scheduler, origins)
        self.vigil = Vigil(session, scheduler, self.attempts, name, clock)
        self.runner = Runner(
            session, scheduler, name, self.leases, self.attempts, self.outbox, board, slot,
            origins, capture, run_apart, orders, clock, self.offset, self.failed,
        )  # fmt: skip
        self.quantum_ends = 0.0
        self.reason = ""  #: why it stops with work left

    # -- the loop --------------------------------------------------------------------
    def run(self) -> int:
        """Run tasks until nothing is left to do here; return the exit code."""
        if self.vigil.catch_up():
            self.vigil.take_failures(self.store.failed_keys())
        else:
            self.look_anew()
        if events.LISTENERS:
            for node in self.scheduler.nodes_in(DONE):
                self.runner.loadable(self.tasks[node])
        while self.going_on():
            nodes = self.lease()
            if nodes:
                self.run_batch(nodes)
            else:
                self.wait()
        return self.finish()

    def going_on(self) -> bool:
        """Tell whether to ask for more work."""
        if self.board.stop != GO or self.scheduler.left <= 0 or self.reason:
            return False
        spent = self.clock() - self.began
        self.reason = self.runner.reason or self.orders.enough(self.runner.executed, spent)
        return not self.reason

    def run_batch(self, nodes: Sequence[int]) -> None:
        """Run leased nodes; give back what was not started when they take too long."""
        self.vigil.busy()
        runner = self.runner
        deadline = self.clock() + 1.5 * QUANTUM
        at = 0
        while at < len(nodes):
            if at and (self.clock() > deadline or self.interrupted()):
                self.scheduler.put(nodes[at:], READY)
                self.quantum_ends = 0.0
                return
            stride = runner.stride(nodes[at])
            runner.run(nodes[at : at + stride])
            at += stride
            if self.outbox.full(self.clock()):
                self.commit()

    def interrupted(self) -> bool:
        """Tell whether to give back what has not been started."""
        return bool(self.board.stop or self.runner.input_gone or self.runner.reason or self.reason)

    def finish(self) -> int:
        """Publish, free all locks, leave; return the exit code."""
        self.let_go()
        self.write_log()
        self.write_counts()
        self.store.leave(self.name)
        for listener in events.listeners():
            listener.finished(self.runner.executed, self.runner.failed)
        if self.scheduler.left > 0:
            return 3
        return 1 if self.scheduler.count(FAILED) else 0

    # -- leasing ---------------------------------------------------------------------
    def lease(self) -> list[int]:
        """Return nodes that are held and ready, claiming more where that is needed."""
        now = self.clock()
        if self.leases and now < self.quantum_ends:
            nodes = self.scheduler.held_ready(self.leases.held)
            if nodes:
                return nodes
        else:
            self.let_go()
            self.quantum_ends = now + QUANTUM
        self.vigil.retry_due(now)
        workers = self.vigil.live_workers(now)
        nodes, coarse = self.scheduler.next_batch(workers, self.orders.batch_bytes)
        if not coarse or not nodes:
            self.let_go()
            nodes = self.fitting(nodes)
        return self.claim(nodes, coarse) if nodes else []

    def claim(self, nodes: list[int], coarse: bool) -> list[int]:
        """Lock nodes; return those that are held and still without a result."""
        got, busy = self.leases.take(nodes, coarse)
        self.scheduler.put(busy, BUSY)
        news = self.store.refresh()
        if news.tombstones:
            self.scheduler.put(got, READY)
            self.look_anew()
            return []
        self.vigil.take(news)
        present = self.session.present(got)
        if 1 in present:
            self.scheduler.done([node for node, there in zip(got, present, strict=True) if there])
        elif not news.failures:
            return got
        return [node for node in got if self.scheduler.state[node] == MINE]

    def fitting(self, nodes: list[int]) -> list[int]:
        """Return the nodes whose resources are free now; set the others aside."""
        for place, node in enumerate(nodes):
            need = self.tasks[node].options.resources
            if not need:
                continue
            if lacking := self.board.lacks(need):
                self.scheduler.put([node], LATER)
                self.say_unfit(node, lacking)
            elif place == 0 and self.board.reserve(self.slot, need):
                self.scheduler.put(nodes[1:], READY)
                return [node]
            else:
                self.vigil.set_aside(node, 0.2)
        return [node for node in nodes if self.scheduler.state[node] == MINE]

    def say_unfit(self, node: int, lacking: Sequence[str]) -> None:
        """Say, once a function, that no worker here has what it needs."""
        name = self.tasks[node].name
        if not self.attempts.say_once(("unfit", name)):
            return
        budget = ", ".join(f"{k}={v:g}" for k, v in self.board.budget.items()) or "none"
        need = self.tasks[node].options.resources or {}
        wanted = ",".join(f"{word}={need[word]:g}" for word in lacking)
        self.say(
            f"{name} needs {wanted}, more than this supervisor has ({budget}). Start a worker "
            f"that has it: taskgraph execute --resources {wanted}"
        )

    def let_go(self) -> None:
        """Publish what is done, then free every lock."""
        self.commit()
        if self.leases:
            self.leases.release()
        self.board.free(self.slot)

    # -- reporting -------------------------------------------------------------------
    def commit(self) -> None:
        """Publish all pending records and show how far the graph is."""
        if self.runner.commit():
            self.write_counts()
            self.write_log()

    def write_counts(self) -> None:
        """Show the supervisor how far the graph is."""
        count = self.scheduler.count
        self.board.write_counts(
            self.slot,
            Counts(
                self.runner.executed, self.runner.failed, len(self.tasks), count(DONE),
                count(FAILED), count(BLOCKED), max(0, self.scheduler.left),
            ),
        )  # fmt: skip

    def write_log(self) -> None:
        """Store what tasks printed."""
        if self.capture.changed:
            self.store.put_document(f"log/{self.name}", self.capture.log())

    def failed(self, node: int, error: BaseException) -> None:
        """Say that a task has failed; stop when everything fails for want of something."""
        self.vigil.judge(node)
        first = (str(error).splitlines() or [""])[0]
        self.say(f"failed: {self.tasks[node]!r}: {type(error).__name__}: {first}")
        only_failures = self.runner.failed >= MOST_FAILURES and not self.runner.executed
        if only_failures and self.attempts.all_host_trouble():
            self.reason = (
                f"the first {MOST_FAILURES} tasks all failed for want of something on this "
                f"machine: {type(error).__name__}: {first}"
            )

    # -- news ------------------------------------------------------------------------------
    def look_anew(self) -> None:
        """Publish, then judge everything anew: a tombstone came, or an input is damaged."""
        self.runner.input_gone = False
        self.let_go()
        self.runner.bench.clear()
        self.vigil.start_over()
        self.write_counts()

    def wait(self) -> None:
        """Nothing to run: look for news, else sleep until there may be some."""
        self.let_go()
        if self.runner.input_gone or not self.vigil.catch_up():
            self.look_anew()
            return
        self.write_counts()
        if self.scheduler.count(READY) or not self.scheduler.left:
            return
        self.vigil.blame_dead(self.outbox, self.leases.epoch, self.offset)
        self.commit()
        self.board.set_state(self.slot, IDLE)
        self.reason = self.vigil.rest(self.orders.idle_exit)
        self.board.set_state(self.slot, WORKING)
