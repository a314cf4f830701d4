"""The loop of a worker: lease what is ready, run it, publish it; otherwise wait for news.

A session (graph and store) flows in, records flow out. Policy is the scheduler's, what
others do is seen by the vigil, tasks are run by the runner, what waits to be written is
in the outbox. Nothing here knows a backend, a terminal or a process other than its own;
the blackboard carries the little that the supervisor must see.

Order matters in three places. The epoch is read (by the claim) before an input is
loaded. Results are published before the locks on them are freed. And a new tombstone
makes the worker look at everything anew, after publishing what it has: no record may
carry an epoch that something in memory has not been judged by.

A store that is full or away is borne with for a while; afterwards, too, everything is
looked at anew. A worker that was taken for dead goes on under a new id.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Sequence

from taskgraph import events
from taskgraph.attempts import Attempts, words_of
from taskgraph.board import GO, IDLE, WORKING, Board, Counts
from taskgraph.capture import Capture
from taskgraph.errors import StoreError, StoreFull, StoreUnreachable
from taskgraph.isolation import RunApart
from taskgraph.leases import Leases
from taskgraph.orders import Orders
from taskgraph.origins import Origins
from taskgraph.outbox import Outbox, Patience
from taskgraph.runner import Runner
from taskgraph.scheduler import (
    BLOCKED,
    DONE,
    FAILED,
    LATER,
    MINE,
    QUANTUM,
    READY,
    Scheduler,
)
from taskgraph.session import Session
from taskgraph.units import format_resources
from taskgraph.vigil import Vigil

#: A worker whose first tasks all fail so, for want of something on its machine, stops.
MOST_FAILURES = 5
#: Seconds between two times that what tasks printed is stored.
LOG_PERIOD = 2.0
#: Seconds to wait when an input is said to be there and can't be had, again and again.
PUZZLED = 0.5
#: How a program ends that was told to stop, itself or the shell around it.
STOPPED = frozenset(
    code
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM)
    for code in (-number, 128 + number)
)


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
    enter : callable, optional
        Makes a new owner record and shows the supervisor its id, when the worker was
        taken for dead and the one it had was tidied away.
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
        enter: Callable[[], str] | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        store = session.store
        self.session, self.store, self.scheduler = session, store, scheduler
        self.tasks, self.name = session.graph.tasks, name
        self.board, self.slot, self.orders = board, slot, orders
        self.capture, self.clock, self.say = capture, clock, say
        self.enter, self.sleep, self.origins = enter, sleep, origins
        scheduler.whole = store.coarse_bits > 0
        self.began = clock()
        self.offset = wall() - self.began
        self.patience = Patience(clock, sleep, say, orders.store_patience)
        self.outbox = Outbox(store, name, self.patience)
        self.leases = Leases(store, name, scheduler)
        self.attempts = Attempts(session, scheduler, origins)
        self.vigil = Vigil(session, scheduler, self.attempts, name, clock)
        self.runner = Runner(
            session, scheduler, name, self.leases, self.attempts, self.outbox, board, slot,
            origins, capture, run_apart, orders, clock, self.offset, self.failed,
        )  # fmt: skip
        self.runner.halted = self.interrupted
        self.runner.cancelled = self.cancelled
        self.quantum_ends = 0.0
        self.reason = ""  #: why it stops with work left
        self.unfit = False  #: this machine lacks what all tasks need
        self.logged = self.began
        self.gone_at = -1

    # -- the loop --------------------------------------------------------------------
    def run(self) -> int:
        """Run tasks until nothing is left to do here; return the exit code."""
        prepare = self.begin
        while True:
            try:
                prepare()
                while self.going_on():
                    self.work()
                    self.patience.relieve()
                return self.finish()
            except (StoreFull, StoreUnreachable) as error:
                self.patience.bear(error, "the store can't be used")
                prepare = self.recover
            except StoreError:
                if not self.evicted():
                    raise
                prepare = self.enter_again

    def begin(self) -> None:
        """Take in what has happened since the graph was looked at."""
        if self.vigil.catch_up():
            self.vigil.take_failures(self.store.failed_keys())
        else:
            self.look_anew()
        self.vigil.blame_dead(self.outbox, self.offset)
        self.write_counts()
        if events.LISTENERS:
            self.runner.notify(lambda listener: listener.begun(self.orders.ran))
            for node in self.scheduler.nodes_in(DONE):
                self.runner.loadable(self.tasks[node])

    def work(self) -> None:
        """Run some tasks, or wait for news."""
        if self.runner.input_gone:
            if self.runner.executed == self.gone_at:
                self.sleep(PUZZLED)
            self.gone_at = self.runner.executed
            self.look_anew()
        nodes = self.lease()
        if nodes:
            self.run_batch(nodes)
        else:
            self.wait()

    def going_on(self) -> bool:
        """Tell whether to ask for more work."""
        if self.board.stop != GO or self.scheduler.left <= 0 or self.reason:
            return False
        spent = self.clock() - self.began
        reason = self.runner.reason or self.orders.enough(self.runner.executed, spent)
        if reason:  # a signal may set it at any moment: never overwrite it with nothing
            self.reason = reason
        return not self.reason

    def run_batch(self, nodes: Sequence[int]) -> None:
        """Run leased nodes; give back what was not started when they take too long."""
        self.vigil.busy()
        runner = self.runner
        deadline = self.clock() + 1.5 * QUANTUM
        at = 0
        while at < len(nodes):
            room = self.orders.room(runner.executed)
            if room < 1 or (at and (self.clock() > deadline or self.interrupted())):
                self.scheduler.put(nodes[at:], READY)
                self.quantum_ends = 0.0
                return
            stride = min(runner.stride(nodes[at]), room)
            at += runner.run(nodes[at : at + stride])
            if self.outbox.full(self.clock()):
                self.commit()

    def interrupted(self) -> bool:
        """Tell whether to give back what has not been started."""
        return bool(self.board.stop or self.runner.input_gone or self.runner.reason or self.reason)

    def cancelled(self, error: BaseException) -> bool:
        """Tell whether a task failed because this worker is being stopped.

        Who cancels a job signals all its processes, the programs of a running task too, and
        one of those may die before the worker's own signal is here.
        """
        if getattr(error, "returncode", None) in STOPPED:
            self.sleep(PUZZLED)
        return self.board.stop != GO or self.reason.startswith("got SIG")

    def finish(self) -> int:
        """Publish, free all locks, leave; return the exit code."""
        self.let_go()
        self.write_log(last=True)
        with contextlib.suppress(StoreError):  # only so that a person is told what others did too
            if self.scheduler.left > 0 and not self.vigil.catch_up():
                self.vigil.start_over()
        self.write_counts()
        self.store.leave(self.name)
        runner = self.runner
        runner.notify(lambda listener: listener.finished(runner.executed, runner.failed))
        if runner.broken:
            return 4
        if self.scheduler.left > 0:
            return 1 if self.unfit else 3
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
        self.outbox.among(workers)
        nodes, coarse = self.scheduler.next_batch(workers, self.orders.batch_bytes)
        if not coarse or not nodes:
            self.let_go()
            nodes = self.fitting(nodes)
        return self.claim(nodes, coarse) if nodes else []

    def claim(self, nodes: list[int], coarse: bool) -> list[int]:
        """Lock nodes; return those that are held and still without a result."""
        got, busy = self.leases.take(nodes, coarse, self.vigil.others)
        self.vigil.refused(busy)
        if len(busy) > len(got):
            self.scheduler.jump()
            if not got:
                self.sleep(self.vigil.stand_back())
        news = self.store.refresh()
        if self.vigil.outdated(news) or self.leases.epoch > self.vigil.epoch:
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
        """Say, one worker once a function, that no worker here has what it needs."""
        name = self.tasks[node].name
        if not (self.attempts.say_once(("unfit", name)) and self.board.is_first(f"unfit {name}")):
            return
        budget = format_resources(self.board.budget) or "none"
        need = self.tasks[node].options.resources or {}
        wanted = format_resources({word: need[word] for word in lacking})
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

    def write_log(self, *, last: bool = False) -> None:
        """Store what tasks printed; no result depends on whether that works."""
        now = self.clock()
        if self.capture.changed and (last or now - self.logged > LOG_PERIOD):
            self.logged = now
            with contextlib.suppress(StoreFull, StoreUnreachable):
                self.store.put_document(f"log/{self.name}", self.capture.log())

    def failed(self, node: int, error: BaseException) -> None:
        """Say that a task has failed; stop when everything fails for want of something."""
        self.vigil.judge(node)
        first = (words_of(error).splitlines() or [""])[0]
        self.say(f"failed: {self.tasks[node]!r}: {type(error).__name__}: {first}")
        only_failures = self.runner.failed >= MOST_FAILURES and not self.runner.executed
        if only_failures and self.attempts.all_host_trouble():
            self.unfit = True
            self.reason = (
                f"the first {MOST_FAILURES} tasks all failed for want of something on this "
                f"machine: {type(error).__name__}: {first}"
            )

    # -- news ------------------------------------------------------------------------------
    def look_anew(self) -> None:
        """Publish, then judge everything anew: a tombstone came, or an input is damaged."""
        self.let_go()
        self.runner.forget()
        self.vigil.start_over()
        self.write_counts()

    def recover(self) -> None:
        """Believe nothing after trouble with the store but what is read now."""
        self.scheduler.put(self.scheduler.nodes_in(MINE), READY)
        self.look_anew()

    def evicted(self) -> bool:
        """Tell whether the owner record is gone: the worker was stopped, and taken for dead."""
        if self.enter is None:
            return False
        try:
            return not self.store.beat(self.name)
        except StoreError:
            return False

    def enter_again(self) -> None:
        """Go on under a new id; what was held under the old one is not held any more."""
        assert self.enter is not None  # evicted() said so
        self.say(f"worker {self.name[:8]} was taken for dead; it goes on under a new id")
        with contextlib.suppress(StoreError):
            self.store.leave(self.name)
        self.name = name = self.enter()
        self.leases.forget(name)
        self.origins.rename(name)
        self.outbox.worker = self.runner.name = self.vigil.name = name
        self.recover()

    def wait(self) -> None:
        """Nothing to run: look for news, else sleep until there may be some."""
        self.let_go()
        if not self.vigil.catch_up():
            self.look_anew()
            return
        self.write_counts()
        if self.scheduler.count(READY) or not self.scheduler.left:
            return
        self.vigil.blame_dead(self.outbox, self.offset)
        self.commit()
        self.runner.nothing_runs()
        self.board.set_state(self.slot, IDLE)
        reason = self.vigil.rest(self.orders.idle_exit)
        self.reason = self.reason or reason
        self.board.set_state(self.slot, WORKING)
