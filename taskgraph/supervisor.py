"""The process that runs nothing itself: heartbeat, deaths, signals, terminal.

It loads neither jugfile nor array library. It forks the template, beats for the
workers' owner records as long as they are not stopped, records the death of a worker
against the task that was running, asks the template for a replacement, shows progress,
and turns signals into an orderly end. What flows out is an :class:`Outcome`.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from taskgraph import processes
from taskgraph.attempts import death_record
from taskgraph.board import FINISH, GO, STOP, Board, Counts
from taskgraph.errors import StoreError
from taskgraph.failures import DIED, FailureReport
from taskgraph.outcome import Outcome
from taskgraph.provenance import identity
from taskgraph.store import Origin, Store
from taskgraph.template import Job, Template
from taskgraph.units import format_duration

#: A slot whose workers died so often gets no new one.
MOST_DEATHS = 20


class Display(Protocol):
    """Where progress is shown."""

    def update(self, done: int, running: int, failed: int) -> None:
        """Show how far it is."""
        ...

    def line(self, text: str) -> None:
        """Show a line of text that stays."""
        ...

    def set_total(self, total: int) -> None:
        """Learn how many tasks there are."""
        ...

    def close(self) -> None:
        """End with the last state shown."""
        ...


@dataclass
class Supervisor:
    """The supervisor of one run.

    Parameters
    ----------
    job : Job
        What to load and run, and the store, opened.
    display : Display
        Where progress is shown.
    grace : float
        Seconds that running tasks get to finish after a signal.
    interrupted_code : int
        Exit code after a signal.
    """

    job: Job
    display: Display
    grace: float = 10.0
    interrupted_code: int = 3
    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    signals: list[int] = field(default_factory=list)
    stop_requested: Callable[[], str] = lambda: ""

    def run(self) -> Outcome:
        """Supervise until every worker has ended."""
        self.began = self.clock()
        self.me = ""
        self.inbox = b""
        self.over = self.stopped = False
        self.error: dict[str, Any] | None = None
        self.gone = Counts()  #: summed over workers that have ended
        self.kill_at: float | None = None
        self.deaths = [0] * self.board.slots
        self.beaten = -1e9
        self.fork_template()
        try:
            while not self.over:
                self.hear(0.1)
                self.look_after()
        finally:
            self.end()
        return self.outcome()

    @property
    def board(self) -> Board:
        """The blackboard."""
        return self.job.board

    @property
    def store(self) -> Store:
        """The store."""
        return self.job.store

    def fork_template(self) -> None:
        """Fork the template while this process is still small and has no threads."""
        self.channel, theirs = socket.socketpair()
        processes.flush_streams()
        parent = os.getpid()
        self.template = os.fork()
        if not self.template:
            code = 70
            try:
                self.channel.close()
                processes.die_with_parent(parent)
                code = Template(self.job, theirs).run()
                processes.flush_streams()
            except BaseException:  # noqa: BLE001  # the last chance to say what went wrong
                processes.show_crash()
            finally:
                os._exit(code)
        theirs.close()
        processes.on_signals(
            (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2), self.signals.append
        )

    # -- the loop -------------------------------------------------------------------------
    def hear(self, seconds: float) -> None:
        """Read what the template tells."""
        ready, _, _ = select.select([self.channel], [], [], seconds)
        if not ready:
            return
        data = self.channel.recv(1 << 16)
        if not data:
            self.over = True
            return
        *lines, self.inbox = (self.inbox + data).split(b"\n")
        for line in lines:
            self.take(json.loads(line))

    def take(self, message: dict[str, Any]) -> None:
        """Act on one message of the template."""
        what = message["what"]
        if what in ("loaded", "barrier"):
            self.display.set_total(message["total"])
        elif what == "worker":
            self.worker_ended(message)
        elif what == "error":
            self.error = message
        elif what == "end":
            self.stopped = message["stopped"]

    def look_after(self) -> None:
        """Beat, show progress, act on signals and stop files."""
        now = self.clock()
        if now - self.beaten > min(5.0, self.store.lease_seconds / 6):
            self.beaten = now
            for slot in range(self.board.slots):
                worker = self.board.worker(slot)
                if worker:
                    with contextlib.suppress(StoreError):
                        self.store.beat(worker)
            reason = self.stop_requested()
            if reason and self.board.stop == GO:
                self.display.line(f"stopping: {reason}")
                self.board.stop = FINISH
        self.obey_signals(now)
        self.show()

    def obey_signals(self, now: float) -> None:
        """First signal: finish within the grace time. Second: stop at once."""
        if self.signals and self.board.stop == GO:
            name = signal.Signals(self.signals[0]).name
            self.board.stop = FINISH
            self.kill_at = now + self.grace
            self.display.line(
                f"{name}: no new tasks; running ones have {format_duration(self.grace)} to finish "
                "(a second signal stops them at once)"
            )
        late = self.kill_at is not None and (len(self.signals) > 1 or now > self.kill_at)
        if self.board.stop == FINISH and late:
            self.board.stop = STOP
            self.kill_workers()

    def kill_workers(self) -> None:
        """Kill every worker, or the template when there are none yet."""
        for pid in self.board_pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not self.board_pids():
            os.kill(self.template, signal.SIGKILL)

    def board_pids(self) -> list[int]:
        """Return the pids of all workers that have signed in."""
        pids = [self.board.pid(slot) for slot in range(self.board.slots)]
        return [pid for pid in pids if pid]

    def show(self) -> None:
        """Show how far the graph is, as the workers see it."""
        counts = [self.board.counts(slot) for slot in range(self.board.slots)]
        running = sum(bool(self.board.key(slot)) for slot in range(self.board.slots))
        done = max(count.done for count in counts)
        failed = max(count.failed for count in counts)
        if done or failed or running:
            self.display.update(done, running, failed)

    # -- workers that end -------------------------------------------------------------------
    def worker_ended(self, message: dict[str, Any]) -> None:
        """Act on the end of a worker, good or by dying."""
        slot = message["slot"]
        counts = self.board.counts(slot)
        if not message["died"]:
            self.add_up(counts)
            return
        worker, key = self.board.worker(slot), self.board.key(slot)
        self.add_up(counts)
        self.deaths[slot] += 1
        how = _how_it_ended(message["status"])
        if self.board.stop != STOP:
            self.display.line(f"worker {worker[:8]} (process {message['pid']}) ended: {how}")
        try:
            if worker and key and self.board.stop != STOP:
                self.record_death(worker, key, how)
            if worker:
                self.store.leave(worker)
        except StoreError as error:
            self.display.line(f"its end could not be recorded: {error}")
        self.board.clear(slot)
        fill = self.board.stop == GO and self.deaths[slot] <= MOST_DEATHS
        with contextlib.suppress(OSError):  # a template that ends now needs no answer
            self.channel.sendall(json.dumps({"slot": slot, "fill": fill}).encode() + b"\n")

    def add_up(self, counts: Counts) -> None:
        """Take an ended worker into the sums; the fullest view of the graph is kept."""
        best = max(self.gone, counts, key=lambda c: (c.total, c.done, c.failed))
        self.gone = best._replace(
            executed=self.gone.executed + counts.executed,
            failed_here=self.gone.failed_here + counts.failed_here,
        )

    def record_death(self, worker: str, key: bytes, how: str) -> None:
        """Store that a worker died while it ran a task."""
        if not self.me:
            self.me = self.store.enter(identity())
        self.store.refresh()
        host = identity().host
        report = FailureReport(exception="WorkerDied", message=how, host=host, kind=DIED)
        epoch = self.store.tombstones().epoch
        record = death_record(key, epoch, Origin(worker=worker, host=host), self.wall(), report)
        self.store.publish(self.me, [record])

    # -- the end ------------------------------------------------------------------------------
    def end(self) -> None:
        """Reap the template and free what is left of dead workers' locks."""
        self.channel.close()
        _, status = os.waitpid(self.template, 0)
        code = os.waitstatus_to_exitcode(status)
        if code and self.error is None and self.board.stop == GO:
            self.error = {
                "text": "The process that reads the jugfile must not end by itself; "
                f"it ended: {_how_it_ended(status)}.",
                "code": 4,
            }
        with contextlib.suppress(StoreError):
            for slot in range(self.board.slots):
                worker = self.board.worker(slot)
                if worker:
                    self.store.leave(worker)
            if self.me:
                self.store.leave(self.me)
        self.show()
        self.display.close()

    def outcome(self) -> Outcome:
        """Return what became of the run."""
        counts = self.gone
        outcome = Outcome(
            executed=counts.executed,
            failed=counts.failed,
            blocked=counts.blocked,
            remaining=counts.left,
            done=counts.done,
            total=counts.total,
            seconds=self.clock() - self.began,
            stopped_at_barrier=self.stopped,
            signal=signal.Signals(self.signals[0]).name if self.signals else "",
            error=self.error["text"] if self.error else "",
            trace=self.error.get("trace", "") if self.error else "",
        )
        return outcome.with_code(self.code(outcome))

    def code(self, outcome: Outcome) -> int:
        """Return the exit code (docs/cli.md)."""
        if self.error is not None:
            return int(self.error["code"])
        left = outcome.remaining or (outcome.stopped_at_barrier and not outcome.failed)
        if self.signals and (left or self.board.stop == STOP):
            return self.interrupted_code
        if left or self.board.stop == STOP:
            return 3
        return 1 if outcome.failed else 0


def _how_it_ended(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"
