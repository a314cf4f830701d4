"""The process that has loaded the jugfile, runs no task, and forks those that do.

It opens the store, reads the jugfile once, forks the workers, and then only serves:
reports ended children to the supervisor, forks isolated tasks and replacements. Since
nothing has run here, a fork is safe whatever libraries the tasks use, and all workers
share one loaded graph. At a barrier that is not met it serves in the middle of reading,
until what the barrier needs is there, and then reads on.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from taskgraph import isolation, processes
from taskgraph.board import ENDED, GO, Board
from taskgraph.errors import TaskGraphError, UnknownTask
from taskgraph.orders import Orders
from taskgraph.outbox import SHORTEST, Answer, Patience
from taskgraph.scheduler import Scheduler
from taskgraph.session import Session
from taskgraph.store import Record, Store
from taskgraph.task import Task
from taskgraph.threads import Threads

#: Tasks from which on several workers share them as flat bytes.
PACK_FROM = 200_000


@dataclass(frozen=True)
class Job:
    """What to load and run."""

    jugfile: Path
    store: Store
    board: Board
    orders: Orders
    argv: tuple[str, ...] = ()
    select: Callable[[Session], bytearray | None] = lambda session: None
    threads: Threads = field(default_factory=Threads)  #: of array libraries in each worker
    one_template: bool = True  #: False: one for each worker
    prepare: Callable[[], None] = lambda: None  #: called before the jugfile is read
    after_load: Callable[[Session], None] = lambda session: None
    jugfile_name: str = ""  #: how records name the jugfile


class Reading(Session):
    """The session of a template: a store that is away for a while does not end the reading."""

    patience: Patience | None = None  #: of the template alone; a worker has its own

    def look(self) -> None:
        """Ask the store what is new."""
        self._insist(super().look)

    def present(self, nodes: Sequence[int] | None = None) -> bytearray:
        """Return 1 for each node that has a live result."""
        return self._insist(lambda: Session.present(self, nodes))

    def load(self, tasks: Sequence[Task]) -> list[Record | None]:
        """Return the live records of tasks."""
        return self._insist(lambda: Session.load(self, tasks))

    def _insist(self, call: Callable[[], Answer]) -> Answer:
        if self.patience is None:
            return call()
        return self.patience.insist(call, "the jugfile's tasks can't be looked up")


@dataclass
class Child:
    """A forked process: a worker, or a task of the worker at ``slot``."""

    slot: int
    size: int  #: nodes that the graph had when it was forked
    is_worker: bool = True
    line: socket.socket | None = None  #: of the worker that asked for this task


@dataclass
class Template:
    """A template of one run.

    ``channel`` is the line to the supervisor; ``slots`` are those to keep workers at.
    """

    job: Job
    channel: socket.socket
    slots: Sequence[int]
    clock: Callable[[], float] = time.monotonic
    children: dict[int, Child] = field(default_factory=dict)
    lines: dict[int, socket.socket] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)  #: slots that get no new worker
    owed: set[int] = field(default_factory=set)  #: slots the supervisor decides about
    ran: Counter[int] = field(default_factory=Counter)  #: tasks run by ended workers, by slot
    since: dict[int, float] = field(default_factory=dict)  #: when a slot's first worker began
    inbox: bytes = b""
    #: Made before the first fork, from what the store held at the last look, so that all
    #: workers share its arrays; each takes in by itself what came since.
    scheduler: Scheduler | None = None

    def run(self) -> int:
        """Load, fork, serve until every worker has ended; return the exit code."""
        self.wake_read, self.wake_write = os.pipe()
        os.set_blocking(self.wake_write, False)
        os.set_blocking(self.wake_read, False)
        signal.set_wakeup_fd(self.wake_write, warn_on_full_buffer=False)
        processes.on_signals(
            (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2),
            lambda number: None,
        )
        self.session = Reading(self.job.store, wait_for=self.wait_for)
        limit = self.job.orders.store_patience
        self.session.patience = Patience(self.clock, self.nap, self.say, limit)
        self.session.jugfile, self.session.writes = self.job.jugfile, True
        self.session.say = self.say
        try:
            self.load()
            self.serve(lambda: False)
        except TaskGraphError as error:
            notes = "".join("\n  " + note for note in getattr(error, "__notes__", ()))
            cause = error.__cause__
            self.tell("error", text=f"{error}{notes}", code=error.exit_code, trace=_trace(cause))
            self.kill_children()
            return error.exit_code
        self.tell("end", stopped=self.session.stopped, total=len(self.session.graph))
        return 0

    def load(self) -> None:
        """Read the jugfile with quiet libraries and no garbage collection."""
        from taskgraph.jugfile import read_jugfile

        self.job.threads.quiet()
        self.job.prepare()
        gc.disable()
        try:
            read_jugfile(self.job.jugfile, self.session, self.job.argv)
        finally:
            gc.enable()
        if not self.children:
            self.session.look()
        if 0 in self.slots:
            self.job.after_load(self.session)
        self.tell("loaded", total=len(self.session.graph), stopped=self.session.stopped)

    def wait_for(self, nodes: Sequence[int]) -> bool:
        """Serve at a barrier until these nodes are done, or nobody can do them."""
        gc.enable()
        self.tell("barrier", total=len(self.session.graph))
        self.ended.clear()
        self.session.stopped = True  # so far: what was asked for may come later
        self.serve(lambda: self.done(nodes))
        self.session.stopped = False
        gc.disable()
        self.ended.clear()
        return self.done(nodes)

    def done(self, nodes: Sequence[int]) -> bool:
        """Tell whether all these nodes have results by now."""
        self.session.look()
        self.scheduler = None
        return 0 not in self.session.present(nodes)

    def nap(self, seconds: float) -> None:
        """Wait before another try to reach the store; end when the supervisor does."""
        heard = processes.readable([self.channel], seconds)
        if heard:  # a command can wait, but keeps the channel readable
            processes.readable([], min(seconds, SHORTEST))
            with contextlib.suppress(ConnectionError):
                if self.channel.recv(1, socket.MSG_PEEK):
                    return
            self.kill_children()
            os._exit(3)

    # -- serving ------------------------------------------------------------------------
    def select(self) -> bytearray | None:
        """Return the marks of the nodes to run; none where reading has not come to them yet."""
        try:
            return self.job.select(self.session)
        except UnknownTask:
            if not self.session.stopped:
                raise
            return bytearray(len(self.session.graph))

    def serve(self, satisfied: Callable[[], bool]) -> None:
        """Keep workers at every slot until all have ended, or ``satisfied()``."""
        self.selected = self.select()
        self.scheduler = None
        for slot in self.slots:
            self.fill(slot)
        look_at = self.clock() + 0.2
        while self.owed or any(child.is_worker for child in self.children.values()):
            readable = self.poll(0.25)
            for slot in readable:
                self.answer(slot)
            self.reap()
            if self.clock() > look_at:
                began = self.clock()
                if satisfied():
                    break
                look_at = self.clock() + max(0.2, 5 * (self.clock() - began))

    def poll(self, seconds: float) -> list[int]:
        """Wait for requests; read the supervisor's commands; return slots that ask."""
        watched: dict[Any, int] = {sock: slot for slot, sock in self.lines.items()}
        ready = processes.readable([*watched, self.channel, self.wake_read], seconds)
        if self.channel in ready:
            self.obey()
        if self.wake_read in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self.wake_read, 4096)
        return [watched[sock] for sock in ready if sock in watched]

    def obey(self) -> None:
        """Read the supervisor's commands; end when it is gone."""
        try:
            data = self.channel.recv(4096)
        except ConnectionError:
            data = b""
        if not data:
            self.kill_children()
            os._exit(3)
        *lines, self.inbox = (self.inbox + data).split(b"\n")
        for line in lines:
            command = json.loads(line)
            self.owed.discard(command["slot"])
            if command["fill"]:
                self.fill(command["slot"])

    def fill(self, slot: int) -> None:
        """Fork a worker for a slot that has none, unless it is time to stop."""
        busy = any(child.slot == slot and child.is_worker for child in self.children.values())
        if busy or slot in self.ended or self.job.board.stop != GO:
            return
        if self.scheduler is None:
            self.pack()
            present = self.session.present()
            self.scheduler = Scheduler(self.session.graph, present, self.selected)
            gc.freeze()
        ours, theirs = socket.socketpair()
        self.since.setdefault(slot, self.clock())
        self.job.board.clear(slot)
        pid = self.fork(lambda: self.be_worker(slot, theirs))
        theirs.close()
        self.close_line(slot)
        self.lines[slot] = ours
        self.children[pid] = Child(slot, len(self.session.graph))

    def pack(self) -> None:
        """Spare workers the pages of task objects, where there are many of both."""
        graph = self.session.graph
        graph.pack(values=len(self.slots) > 1 and len(graph) >= PACK_FROM)

    def answer(self, slot: int) -> None:
        """Fork the isolated task that the worker at a slot asks for."""
        request = isolation.receive_request(self.lines[slot])
        if request is None:
            self.close_line(slot)
            return
        node, _epoch, fds = request
        pid = self.fork(lambda: self.be_task(slot, node, fds))
        for fd in fds:
            os.close(fd)
        self.children[pid] = Child(slot, 0, is_worker=False, line=self.lines[slot])

    def close_line(self, slot: int) -> None:
        """Close the line to a worker that has ended."""
        sock = self.lines.pop(slot, None)
        if sock is not None:
            sock.close()

    def reap(self) -> None:
        """Take note of ended children."""
        for child_pid in list(self.children):  # others may be of the jugfile, who waits for them
            pid, status = os.waitpid(child_pid, os.WNOHANG)
            if not pid:
                continue
            child = self.children.pop(pid)
            if child.is_worker:
                self.worker_ended(pid, status, child)
                continue
            processes.kill_group(pid)  # what the task started and left behind
            # Else its worker has ended: another one at the slot would take it for its own.
            if child.line is not None and self.lines.get(child.slot) is child.line:
                with contextlib.suppress(OSError):
                    child.line.sendall(isolation.REQUEST.pack(pid, status))

    def worker_ended(self, pid: int, status: int, child: Child) -> None:
        """Tell the supervisor; a worker that saw the whole graph gets no successor."""
        self.kill_children(of_slot=child.slot)
        self.close_line(child.slot)
        board, code = self.job.board, os.waitstatus_to_exitcode(status)
        self.ran[child.slot] += board.counts(child.slot).executed
        died = board.state(child.slot) != ENDED or code not in (0, 1, 3, 4)
        self.tell(
            "worker", slot=child.slot, pid=pid, status=status, died=died,
            worker=board.worker(child.slot), counts=board.counts(child.slot),
        )  # fmt: skip
        board.free(child.slot)
        if died:
            self.owed.add(child.slot)
        elif child.size == len(self.session.graph) or code == 4:
            self.ended.add(child.slot)
        else:
            self.fill(child.slot)

    def kill_children(self, of_slot: int | None = None) -> None:
        """Kill isolated tasks of a slot, or all children."""
        for pid, child in self.children.items():
            if of_slot is None or (child.slot == of_slot and not child.is_worker):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                if not child.is_worker:
                    processes.kill_group(pid)

    def tell(self, what: str, **facts: Any) -> None:
        """Send a message to the supervisor."""
        with contextlib.suppress(OSError):
            self.channel.sendall(json.dumps({"what": what, **facts}).encode() + b"\n")

    def say(self, text: str) -> None:
        """Show the user a line; of several templates that read the same, the first does."""
        if 0 in self.slots:
            self.tell("line", text=text)

    # -- in the children ------------------------------------------------------------------
    def fork(self, be: Callable[[], int]) -> int:
        """Fork a child that ends with the exit code of ``be()``; return its pid."""
        processes.flush_streams()
        parent = os.getpid()
        pid = os.fork()
        if pid:
            return pid
        code = 70
        try:
            signal.set_wakeup_fd(-1)
            processes.die_with_parent(parent)
            self.channel.close()
            self.session.patience = None
            code = be()
            processes.flush_streams()
        except BaseException:  # noqa: BLE001  # the last chance to say what went wrong
            processes.show_crash()
        finally:
            os._exit(code)
        raise AssertionError("unreachable")

    def be_worker(self, slot: int, line: socket.socket) -> int:
        """Be the worker at a slot; its limits go on from where the one before it stopped."""
        from taskgraph.employment import employ

        for other in self.lines.values():
            other.close()
        processes.reseed()
        assert self.scheduler is not None  # fill() made it before the fork
        orders = self.job.orders.after(self.ran[slot], self.clock() - self.since[slot])
        job = replace(self.job, orders=orders)
        return employ(job, self.session, self.scheduler, slot, line)

    def be_task(self, slot: int, node: int, fds: Sequence[int]) -> int:
        """Be an isolated task."""
        from taskgraph.employment import run_isolated

        for other in self.lines.values():
            other.close()
        self.job.threads.give(self.job.board.threads(slot))
        processes.reseed()
        run_isolated(self.job, self.session, node, fds)
        return 0


def _trace(error: BaseException | None) -> str:
    if error is None:
        return ""
    import traceback

    return "".join(traceback.format_exception(error))
