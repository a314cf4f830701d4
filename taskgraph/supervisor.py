"""The process that runs nothing itself: heartbeat, deaths, signals, terminal.

It loads neither jugfile nor array library. It forks the template, beats for the
workers' owner records as long as they are not stopped, records the death of a worker
against the task that was running, asks the template for a replacement, shows progress,
and turns signals into an orderly end. What flows out is an :class:`Outcome`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from taskgraph import processes
from taskgraph.attempts import death_record
from taskgraph.board import ENDED, FINISH, GO, STOP, Board, Counts
from taskgraph.errors import StoreError, StoreUnreachable
from taskgraph.failures import DIED, FailureReport
from taskgraph.lines import Line
from taskgraph.outcome import Outcome
from taskgraph.provenance import identity
from taskgraph.store import Origin, Store
from taskgraph.template import Job
from taskgraph.units import format_duration

#: A slot whose workers died so often gets no new one.
MOST_DEATHS = 20
#: Seconds that a template gets to report its killed workers.
REAPING = 1.0
#: Seconds between two looks for a stop file.
ASKING = 0.5


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
        self.stopped = False
        self.lines: list[Line] = []
        self.error: dict[str, Any] | None = None
        self.gone = Counts()  #: summed over workers that have ended
        self.total = 0  #: tasks of the graph, as the templates told
        self.seen_through = -1  #: size of the largest graph that a worker left with nothing to do
        self.unfit = self.broken = False  #: workers ended for want of something, or of the store
        self.ends = 0
        self.kill_at: float | None = None
        self.killed_at: float | None = None
        self.deaths = [0] * self.board.slots
        self.beaten = self.asked = -1e9
        self.fork_templates()
        try:
            while any(line.open for line in self.lines):
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

    def fork_templates(self) -> None:
        """Fork them while this process is still small and has no threads."""
        processes.on_signals(
            (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2), self.signals.append
        )
        every = range(self.board.slots)
        for slots in [every] if self.job.one_template else [[slot] for slot in every]:
            self.lines.append(Line(self.job, slots, self.lines))

    # -- the loop -------------------------------------------------------------------------
    def hear(self, seconds: float) -> None:
        """Read what the templates tell."""
        ready = processes.readable([line for line in self.lines if line.open], seconds)
        for line in ready:
            for message in line.hear():
                self.take(message)
        if not ready:
            for line in self.lines:
                line.open = line.open and not line.ended()

    def take(self, message: dict[str, Any]) -> None:
        """Act on one message of a template."""
        what = message["what"]
        if what in ("loaded", "barrier"):
            self.total = max(self.total, message["total"])
            self.display.set_total(message["total"])
        elif what == "worker":
            self.worker_ended(message)
        elif what == "error":
            self.error = self.error or message
        elif what == "end":
            self.ends += 1
            self.total = max(self.total, message["total"])
            self.stopped = message["stopped"]
        elif what == "line":
            self.display.line(f"taskgraph: {message['text']}")

    def look_after(self) -> None:
        """Beat, show progress, act on signals and stop files."""
        now = self.clock()
        if now - self.beaten > min(5.0, self.store.lease_seconds / 6):
            self.beaten = now
            self.beat()
        if now - self.asked > ASKING:
            self.asked = now
            reason = self.stop_requested()
            if reason and self.board.stop == GO:
                self.display.line(f"stopping: {reason}")
                self.board.stop = FINISH
        self.obey_signals(now)
        self.show()

    def beat(self) -> None:
        """Renew the workers' owner records; a store that is away is tried again later."""
        for slot in range(self.board.slots):
            worker = self.board.worker(slot)
            try:
                if worker:
                    self.store.beat(worker)
            except StoreUnreachable:
                break  # the others would only wait as long, and everybody here with them
            except StoreError:
                continue

    def obey_signals(self, now: float) -> None:
        """First signal: finish within the grace time. Second: stop at once."""
        if self.signals and self.kill_at is None:
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
            self.killed_at = now
            for pid in self.board_pids():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if self.killed_at is not None and (now - self.killed_at > REAPING or not self.board_pids()):
            for line in self.lines:
                line.kill()  # it still reads the jugfile

    def board_pids(self) -> list[int]:
        """Return the pids of all workers that have signed in and not ended."""
        slots = [slot for slot in range(self.board.slots) if self.board.state(slot) != ENDED]
        return [pid for pid in map(self.board.pid, slots) if pid]

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
        slot, worker, counts = message["slot"], message["worker"], Counts(*message["counts"])
        self.add_up(counts)
        if not message["died"]:
            self.take_leave(os.waitstatus_to_exitcode(message["status"]), worker, counts)
            return
        key = self.board.key(slot)
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
        if self.deaths[slot] > MOST_DEATHS:
            self.display.line(f"{self.deaths[slot]} workers died one after the other; no new one")
        for line in self.lines:
            if slot in line.slots:
                line.tell(slot=slot, fill=fill)

    def take_leave(self, code: int, worker: str, counts: Counts) -> None:
        """Take note of how a worker ended by itself."""
        if code in (0, 1) and not counts.left:
            self.seen_through = max(self.seen_through, counts.total)
        self.unfit |= code == 1 and counts.left > 0
        self.broken |= code == 4
        with contextlib.suppress(StoreError):
            self.store.leave(worker)  # it did, unless the store was away

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
        """Reap the templates and free what is left of dead workers' locks."""
        for line in self.lines:
            if line.open:  # an error ended the loop: nobody waits for a jugfile to be read
                line.kill()
            line.close()
        for status in [line.reap() for line in self.lines]:
            early = status or self.ends < len(self.lines)
            if early and self.error is None and self.board.stop == GO:
                self.error = {
                    "text": "The process that reads the jugfile must not end by itself; "
                    f"it ended: {_how_it_ended(status)}.",
                    "code": 4,
                }
        for worker in [*map(self.board.worker, range(self.board.slots)), self.me]:
            with contextlib.suppress(StoreError):
                if worker:
                    self.store.leave(worker)
        self.show()
        self.display.close()

    def outcome(self) -> Outcome:
        """Return what became of the run."""
        counts = self.gone
        over = counts.done + counts.failed + counts.blocked
        unseen = 0 if self.complete else max(0, self.total - over)
        if self.broken and not self.complete and self.error is None:
            self.error = {"text": "A worker could not go on with the store.", "code": 4}
        outcome = Outcome(
            executed=counts.executed,
            failed=counts.failed,
            blocked=counts.blocked,
            remaining=counts.left or unseen,
            done=counts.done,
            total=max(self.total, counts.total),
            seconds=self.clock() - self.began,
            stopped_at_barrier=self.stopped,
            signal=signal.Signals(self.signals[0]).name if self.signals else "",
            error=self.error["text"] if self.error else "",
            trace=self.error.get("trace", "") if self.error else "",
        )
        return outcome.with_code(self.code(outcome))

    @property
    def complete(self) -> bool:
        """A worker has seen the whole graph through; counts alone may be of a worker that died."""
        return self.seen_through >= self.total

    def code(self, outcome: Outcome) -> int:
        """Return the exit code (docs/cli.md)."""
        if self.error is not None:
            return int(self.error["code"])
        stopped = outcome.stopped_at_barrier and not outcome.failed
        if outcome.remaining or stopped or not self.complete or self.board.stop == STOP:
            if self.signals:
                return self.interrupted_code
            return 1 if self.unfit else 3
        return 1 if outcome.failed else 0


def _how_it_ended(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"
