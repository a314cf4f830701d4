"""Runs leased tasks: inputs in, records into the outbox. The worker's hands.

One task or many make no difference to what is recorded; they differ in how often the
clock is read. Tasks of a millisecond and more are run one by one, with CPU time and a
look at the outbox before each; shorter ones in strides (:meth:`Runner.sprint`), where a
few microseconds of bookkeeping are all that a task may cost.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Sequence
from typing import Any

from taskgraph import codecs, events, processes
from taskgraph.attempts import Attempts, words_of
from taskgraph.board import Board
from taskgraph.capture import Capture
from taskgraph.errors import GraphOutdated, ResultTooLarge
from taskgraph.isolation import Ran, RunApart
from taskgraph.leases import Leases
from taskgraph.orders import Orders
from taskgraph.origins import Origins
from taskgraph.outbox import Outbox
from taskgraph.scheduler import LATER, READY, Scheduler
from taskgraph.session import Session
from taskgraph.store import (
    FAILURE,
    RESULT,
    Origin,
    Payload,
    Record,
    largest_result,
    payload_size,
)
from taskgraph.task import FRAGILE, Task, verify_arguments
from taskgraph.workbench import InputGone, Kept, Workbench

#: Tasks of at least so many seconds are run one by one.
LONG = 1e-3
#: Seconds that a stride of short tasks should take, and nodes it may have.
STRIDE_SECONDS, STRIDE = 0.02, 1024
#: Seconds after which a stride ends, however many of its nodes have not been started.
STRIDE_ENDS = 0.1
#: A result of fewer bytes is copied for the outbox; a larger one is published at once.
COPIED = 16 << 20


class Runner:
    """Runs tasks of one worker.

    Parameters
    ----------
    session, scheduler
        Graph and store; where results are reported.
    name : str
        Id of the owner record.
    leases, attempts, outbox
        The epoch to stamp on records; failures met; where records go.
    board, slot
        Where the supervisor sees what runs.
    origins, capture, run_apart, orders, clock, offset
        Provenance; what tasks print; isolated tasks; orders; monotonic seconds, and what
        to add to them for seconds since 1970.
    """

    def __init__(
        self,
        session: Session,
        scheduler: Scheduler,
        name: str,
        leases: Leases,
        attempts: Attempts,
        outbox: Outbox,
        board: Board,
        slot: int,
        origins: Origins,
        capture: Capture,
        run_apart: RunApart,
        orders: Orders,
        clock: Callable[[], float],
        offset: float,
        on_failure: Callable[[int, BaseException], None],
    ) -> None:
        self.session, self.scheduler, self.name = session, scheduler, name
        self.tasks, self.edges = session.graph.tasks, session.graph.edge_count > 0
        self.leases, self.attempts, self.outbox = leases, attempts, outbox
        self.board, self.slot = board, slot
        self.origins, self.capture, self.run_apart = origins, capture, run_apart
        self.orders, self.clock, self.offset = orders, clock, offset
        self.on_failure = on_failure
        self.largest = largest_result(session.store)
        self.bench = Workbench(session, orders.memory)
        self.input_gone = False
        #: Asked between tasks whether to start no more.
        self.halted: Callable[[], bool] = lambda: False
        #: Asked whether a task failed only because its worker is being stopped.
        self.cancelled: Callable[[BaseException], bool] = lambda error: False
        self.reason = ""  #: why a listener wants the worker to stop
        self.broken = False  #: a listener raised
        self.executed = self.failed = 0
        self.noted = False  #: the owner record names the task that ran last
        self._peak, self._peak_at = 0, -1e9
        self._pid, self._folder = os.getpid(), processes.current_folder()

    # -- some nodes ---------------------------------------------------------------------
    def stride(self, node: int) -> int:
        """Return how many nodes like this one to run between looks at clock and memory."""
        name = self.scheduler.names[self.scheduler.graph.kinds[node]]
        seconds = self.scheduler.timings.seconds(name)
        if seconds is None or seconds > LONG or self.scheduler.timings.size(name) > 1 << 16:
            return 1
        return max(1, min(STRIDE, int(STRIDE_SECONDS / max(seconds, 1e-7))))

    def run(self, nodes: Sequence[int]) -> int:
        """Run a stride of nodes, report their results, return how many were started."""
        if not self.edges:
            ran, started = self.several(nodes, ())
        else:
            graph, tasks = self.session.graph, self.tasks
            needs = [[tasks[source] for source in graph.dependencies(node)] for node in nodes]
            self.bench.fetch([task for row in needs for task in row])
            ran, started = self.several(nodes, needs)
            for row in needs[:started]:
                self.bench.used(row)
            self.bench.unload()
        self.still_here()
        processes.return_to(self._folder)
        self.board.running(self.slot, b"")
        self.executed += len(ran)
        self.scheduler.done(ran, mine=True)
        return started

    def several(
        self, nodes: Sequence[int], needs: Sequence[Sequence[Task]]
    ) -> tuple[list[int], int]:
        """Run nodes in the way that suits them; return (those with a result, how many started)."""
        if len(nodes) > 1 and not (events.LISTENERS or FRAGILE or self.attempts):
            return self.sprint(nodes, needs)
        ran: list[int] = []
        ends = self.clock() + STRIDE_ENDS
        for place, node in enumerate(nodes):
            if place and (self.clock() > ends or self.halted()):
                return ran, place
            ran += self.walk(node, needs[place] if needs else ())
        return ran, len(nodes)

    def sprint(  # noqa: PLR0915  # calls in here are what a short task costs
        self, nodes: Sequence[int], needs: Sequence[Sequence[Task]]
    ) -> tuple[list[int], int]:
        """Run short tasks in a row."""
        task_of, clock, encode = self.session.graph.task, self.clock, codecs.encode
        running, slot, add = self.board.running, self.slot, self.outbox.add
        epoch, offset, value_of = self.leases.epoch, self.offset, self.bench.value_of
        peak, begin = self.peak(), self.capture.begin
        shape, name, origin, inputs = None, "", Origin(), b""
        ran: list[int] = []
        size = count = 0
        started = began = clock()
        ends, tried = started + STRIDE_ENDS, len(nodes)
        for place, node in enumerate(nodes):
            if started > ends:
                tried = place
                break
            task = task_of(node)
            if task.shape is not shape:
                self.scheduler.timings.add(name, started - began, size, count)
                shape, name, began, size, count = task.shape, task.shape.name, started, 0, 0
                if shape.options.alone:
                    ran += self.walk(node, needs[place] if needs else ())
                    shape, started = None, clock()
                    continue
                origin = self.origins.of(task)
            begin(name)
            running(slot, task.key)
            try:
                if needs:
                    inputs = self.bench.digests(needs[place])
                value = task.call(value_of)
                payload, digest = encode(value)
                bytes_ = len(payload) if type(payload) is bytes else payload_size(payload)
                self.admit(bytes_)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001  # a failure is a record
                self.trouble(node, task, error, started)
                started = clock()
                if self.halted():
                    tried = place + 1
                    break
                continue
            now = clock()
            seconds = now - started
            add(
                Record(
                    task.key, RESULT, epoch, digest, inputs, origin,
                    started + offset, seconds, seconds, peak, 1,
                    payload if type(payload) is bytes else _copied(payload),
                ),
                bytes_, now,
            )  # fmt: skip
            if needs:
                self.keep(node, task, value, payload, digest)
            ran.append(node)
            size, count, started = size + bytes_, count + 1, now
        self.scheduler.timings.add(name, started - began, size, count)
        return ran, tried

    # -- one node ---------------------------------------------------------------------------
    def walk(self, node: int, needs: Sequence[Task]) -> list[int]:
        """Run one task, with all that may be asked of it; return its node, if it succeeded."""
        task = self.tasks[node]
        alone = task.shape.options.alone or self.attempts.deaths(node) > 0
        if alone:
            self.commit()  # the process apart finds all inputs in the store
        self.before(task)
        origin = self.origins.of(task)
        started = self.clock()
        try:
            if alone:
                ran = self.run_apart(node, self.leases.epoch, task.options.timeout)
                self.admit(payload_size(ran.payload))
            else:
                ran = self.inside(node, task, needs)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001  # a failure is a record
            self.trouble(node, task, error, started)
            return []
        now = self.clock()
        seconds, size = now - started, payload_size(ran.payload)
        record = Record(
            task.key, RESULT, self.leases.epoch, ran.digest, ran.inputs, origin,
            started + self.offset, seconds, ran.cpu, ran.peak or self.peak(),
            self.attempts.number(node), ran.payload,
        )  # fmt: skip
        self.outbox.add(record, size, now)
        if size >= COPIED:  # before a dependent changes it in place
            self.commit()
        self.scheduler.timings.add(task.shape.name, seconds, size)
        self.notify(lambda listener: listener.task_done(task, seconds))
        return [node]

    def before(self, task: Task) -> None:
        """Note what runs; commit first when a long task would let results wait."""
        self.board.running(self.slot, task.key)
        self.capture.begin(task.shape.name)
        if self.outbox.records:
            expected = self.scheduler.timings.seconds(task.shape.name)
            if expected is None or self.clock() + expected > self.outbox.due + 0.02:
                self.commit()
        if not self.leases.coarse:
            self.session.store.running(self.name, task.key)
            self.noted = True
        self.notify(lambda listener: listener.task_started(task))

    def forget(self) -> None:
        """Keep no value and no note: what ran last may be run anew, here or elsewhere."""
        self.input_gone = False
        self.bench.clear()
        self.nothing_runs()

    def nothing_runs(self) -> None:
        """Take back the note of what runs: whoever dies now dies of no task.

        Not after every task: it costs a write, and the next one is noted in its place.
        """
        if self.noted:
            self.session.store.running(self.name, b"")
            self.noted = False

    def inside(self, node: int, task: Task, needs: Sequence[Task]) -> Ran:
        """Run a task in this process."""
        cpu = time.process_time()
        verify_arguments(task)
        inputs = self.bench.digests(needs) if needs else b""
        value = task.call(self.bench.value_of)
        payload, digest = codecs.encode(value)
        self.admit(payload_size(payload))
        verify_arguments(task)
        if self.edges:
            self.keep(node, task, value, payload, digest)
        cpu = time.process_time() - cpu
        if type(payload) is not bytes and payload_size(payload) < COPIED:
            payload = _copied(payload)
        return Ran(payload, digest, inputs, cpu, 0)

    def admit(self, size: int) -> None:
        """Raise ResultTooLarge for a result that the store would not take in."""
        if size > self.largest:
            raise ResultTooLarge(size, int(self.largest), self.session.store.url)

    def keep(self, node: int, task: Task, value: Any, payload: Any, digest: bytes) -> None:
        """Keep a result in memory for the dependents that have not run."""
        users = self.scheduler.users(node)
        if users:
            kept = Kept(value, payload, digest, payload_size(payload))
            self.bench.keep(task.key, kept, users)

    # -- what goes wrong ----------------------------------------------------------------------
    def trouble(self, node: int, task: Task, error: BaseException, started: float) -> None:
        """Deal with a task that has no result: an input vanished, or it failed."""
        if isinstance(error, InputGone):
            self.scheduler.put([node], READY)
            self.input_gone = True
            return
        if isinstance(error, GraphOutdated):  # not the task's fault: no failure is recorded
            self.scheduler.put([node], LATER)
            self.reason = str(error)
            return
        if self.cancelled(error):  # nor is this: whoever ends a job ends its programs too
            self.scheduler.put([node], LATER)
            return
        if self.orders.pdb:
            self.orders.post_mortem(error)
        now = self.clock()
        report = self.attempts.report(task, error, self.capture.tail())
        record = Record(
            task.key, FAILURE, self.leases.epoch, bytes(8), b"", self.origins.of(task),
            started + self.offset, now - started, 0.0, self.peak(),
            self.attempts.number(node), report.to_bytes(),
        )  # fmt: skip
        self.outbox.add(record, 0, now)
        self.attempts.add(node, record)
        self.failed += 1
        self.scheduler.timings.add(task.shape.name, now - started, 0)
        self.commit()
        self.notify(lambda listener: listener.task_failed(task, error))
        self.on_failure(node, error)

    # -- publishing ---------------------------------------------------------------------------
    def commit(self) -> bool:
        """Publish all pending records, forget what memory can't hold; False if none."""
        if not self.outbox.records:
            return False
        self.still_here()
        self.outbox.flush()
        self.bench.shrink()
        return True

    def still_here(self) -> None:
        """End a process that a task forked and that came back from the task as well."""
        if os.getpid() != self._pid:
            os._exit(0)

    def loadable(self, task: Task) -> None:
        """Tell listeners of a result that was there already."""
        self.notify(lambda listener: listener.task_loadable(task))

    def notify(self, tell: Callable[[events.Listener], None]) -> None:
        """Tell every listener; one that raises SystemExit asks the worker to stop.

        What else it raises is the jugfile's error: the worker stops in good order, with
        exit code 4.
        """
        for listener in events.listeners():
            try:
                tell(listener)
            except SystemExit:
                self.reason = f"a listener ({type(listener).__name__}) asked to stop"
            except Exception as error:  # noqa: BLE001  # a stranger's code
                self.broken = True
                self.reason = (
                    f"a listener must not raise; {type(listener).__name__} raised "
                    f"{type(error).__name__}: {words_of(error)}"
                )

    def peak(self) -> int:
        """Return the peak resident memory of this process in bytes, asked now and then."""
        now = self.clock()
        if now - self._peak_at > 0.05:
            self._peak_at = now
            self._peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return self._peak


def _copied(payload: Payload) -> bytes:
    """Return a payload that no task can change while it waits to be published."""
    if isinstance(payload, bytes | bytearray | memoryview):
        return bytes(payload)
    return b"".join(payload)
