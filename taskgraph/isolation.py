"""A task in a process of its own: asked for by a worker, forked by the template.

The worker sends a node's number over its line to the template, together with one end
of a socket pair and an empty file; the template forks a child, which loads the inputs
from the store, runs the task, and writes the encoded result into the socket; what it
prints goes to the file. The worker waits, with a deadline. However the child ends, the
worker lives: a crash or a timeout is a failure of this task only. The worker publishes.

The end of a child is told by the template, not by its socket: something that the task
started may hold that open. A child is a process group of its own, which is killed with
it. Only when the template has told the end does the next task begin, so that memory and
GPUs are free by then.

Nothing that has run a task ever forks: the template has not, and the child ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import IO, Any, NamedTuple

from taskgraph import processes
from taskgraph.failures import FailureReport
from taskgraph.store import Buffer, Payload
from taskgraph.workbench import InputGone

#: A request: node, epoch. A reply of the template: pid of an ended child, wait status.
REQUEST = struct.Struct("<qq")
_LENGTH = struct.Struct("<q")
#: Characters of a child's output that are kept.
_TAIL = 8192


class Ran(NamedTuple):
    """An encoded result and what it took."""

    payload: Payload
    digest: bytes
    inputs: bytes
    cpu: float
    peak: int


RunApart = Callable[[int, int, float | None], Ran]


class ChildTimeout(Exception):
    """The task ran out of time and was killed."""

    tail = ""


class ChildDied(Exception):
    """The task's process was ended by a signal or by itself."""

    tail = ""
    returncode = 0  #: as of a program: below zero the number of a signal


class ChildFailed(Exception):
    """The task raised; ``report`` says what."""

    def __init__(self, report: FailureReport) -> None:
        super().__init__(report.message)
        self.report = report


# -- the worker's side ----------------------------------------------------------------
class Line:
    """A worker's line to its template.

    Parameters
    ----------
    sock : socket
        Connected to the template.
    clock : callable
        Monotonic seconds.
    take_output : callable
        Given what the child printed.
    orphaned : callable
        Called when the template is gone; must not return. The template's death is no
        failure of the task, and a worker without one may not publish anything.
    """

    def __init__(
        self,
        sock: socket.socket,
        take_output: Callable[[str], Any],
        clock: Callable[[], float] = time.monotonic,
        orphaned: Callable[[], Any] = lambda: os._exit(3),
    ) -> None:
        self._sock = sock
        self._clock = clock
        self._take_output = take_output
        self._orphaned = orphaned
        self._pid = 0
        self._status: int | None = None  #: of the present child, once it has ended

    def run(self, node: int, epoch: int, timeout: float | None) -> Ran:
        """Run a node in a child and return its encoded result.

        Raises
        ------
        ChildTimeout, ChildDied, ChildFailed, InputGone
        """
        self._pid, self._status = 0, None
        ours, theirs = socket.socketpair()
        with ours, tempfile.TemporaryFile() as output:
            with theirs:
                self._ask(node, epoch, [theirs.fileno(), output.fileno()])
            try:
                ran = self._receive(ours, timeout)
            except TimeoutError:
                error: ChildTimeout | ChildDied | ChildFailed | InputGone = ChildTimeout(
                    f"A task must end within its timeout of {timeout:g} s; it was killed. Raise "
                    "timeout= or find out what it waits for (the tail of its output is kept)."
                )
                processes.kill_group(self._pid)
            except EOFError:
                error = _death(self._end())
            except (ChildFailed, InputGone) as told:
                error = told
            else:
                self._end()
                self._pass_on(output)
                return ran
            self._end()
            _explain(error, self._pass_on(output))
            raise error

    def _ask(self, node: int, epoch: int, fds: list[int]) -> None:
        try:
            socket.send_fds(self._sock, [REQUEST.pack(node, epoch)], fds)
        except ConnectionError:
            self._orphaned()
            raise

    def _pass_on(self, output: IO[bytes]) -> str:
        tail = _tail(output)
        if tail:
            self._take_output(tail)
        return tail

    def _receive(self, sock: socket.socket, timeout: float | None) -> Ran:
        (self._pid,) = _LENGTH.unpack(self._read(sock, _LENGTH.size, None))
        deadline = None if timeout is None else self._clock() + timeout
        (size,) = _LENGTH.unpack(self._read(sock, _LENGTH.size, deadline))
        head = json.loads(self._read(sock, size, deadline))
        if "gone" in head:
            raise InputGone(head["gone"])
        if "report" in head:
            raise ChildFailed(FailureReport(**head["report"]))
        parts: list[Buffer] = [self._read(sock, n, deadline) for n in head["sizes"]]
        payload: Payload = bytes(parts[0]) if len(parts) == 1 else parts
        digest, inputs = bytes.fromhex(head["digest"]), bytes.fromhex(head["inputs"])
        return Ran(payload, digest, inputs, head["cpu"], head["peak"])

    def _read(self, sock: socket.socket, size: int, deadline: float | None) -> bytearray:
        data = bytearray(size)
        view, got = memoryview(data), 0
        while got < size:
            self._wait(sock, deadline)
            count = sock.recv_into(view[got:])
            if not count:
                raise EOFError
            got += count
        return data

    def _wait(self, sock: socket.socket, deadline: float | None) -> None:
        """Wait until there is something to read; raise EOFError when nothing will ever be."""
        while True:
            left = None if deadline is None else deadline - self._clock()
            if left is not None and left <= 0:
                raise TimeoutError
            watched = select.poll()
            watched.register(sock, select.POLLIN)
            if self._status is None:
                watched.register(self._sock, select.POLLIN)
            elif not watched.poll(0):
                raise EOFError
            ready = [fd for fd, _ in watched.poll(None if left is None else 1000 * left)]
            if sock.fileno() in ready:
                return
            if ready:
                self._end()

    def _end(self) -> int:
        """Wait until the template has seen the child end; return the wait status."""
        data = b""
        while self._status is None:
            try:
                more = self._sock.recv(REQUEST.size - len(data))
            except ConnectionError:
                more = b""
            if not more:
                self._orphaned()
                raise EOFError
            data += more
            if len(data) == REQUEST.size:
                self._status = int(REQUEST.unpack(data)[1])
        return self._status


def _explain(error: Exception, tail: str) -> None:
    if isinstance(error, ChildFailed):
        error.report = replace(error.report, log=tail)
    elif isinstance(error, ChildTimeout | ChildDied):
        error.tail = tail


def _death(status: int) -> ChildDied:
    error = ChildDied(_how_it_ended(os.waitstatus_to_exitcode(status)))
    error.returncode = os.waitstatus_to_exitcode(status)
    return error


def _how_it_ended(code: int) -> str:
    if code < 0:
        name = signal.Signals(-code).name
        hint = " (out of memory?)" if name == "SIGKILL" else ""
        return (
            f"A task must not end its process; this one was ended by {name}{hint}. "
            "The tail of its output is kept: see `taskgraph failures --traceback`."
        )
    return f"A task must return; this one ended its process with exit code {code}."


def _tail(output: IO[bytes]) -> str:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - _TAIL))
    return output.read().decode("utf-8", "replace")


# -- the child's side --------------------------------------------------------------------
def receive_request(sock: socket.socket) -> tuple[int, int, list[int]] | None:
    """Return (node, epoch, descriptors) of a worker's request, ``None`` at its end."""
    try:
        data, fds, _, _ = socket.recv_fds(sock, REQUEST.size, 2)
    except ConnectionError:  # the worker was killed with a reply unread
        return None
    if len(data) < REQUEST.size:
        return None
    node, epoch = REQUEST.unpack(data)
    return node, epoch, list(fds)


def serve(
    fds: Sequence[int], work: Callable[[], Ran], report: Callable[[BaseException], FailureReport]
) -> None:
    """In the forked child: run ``work`` and write its outcome into the socket."""
    import faulthandler

    os.setpgid(0, 0)
    conn = socket.socket(fileno=fds[0])
    os.dup2(fds[1], 1)
    os.dup2(fds[1], 2)
    out = os.fdopen(fds[1], "w", buffering=1, encoding="utf-8", errors="replace")
    sys.stdout = sys.stderr = out
    faulthandler.enable(file=2)
    conn.sendall(_LENGTH.pack(os.getpid()))
    parts: Sequence[Buffer] = ()
    try:
        ran = work()
        payload = ran.payload
        parts = [payload] if isinstance(payload, bytes | bytearray | memoryview) else payload
        sizes = [memoryview(part).nbytes for part in parts]
        head: dict[str, Any] = {
            "sizes": sizes, "digest": ran.digest.hex(), "inputs": ran.inputs.hex(),
            "cpu": ran.cpu, "peak": ran.peak,
        }  # fmt: skip
    except InputGone as gone:
        head = {"gone": str(gone)}
    except BaseException as error:  # noqa: BLE001  # a failure is a record
        from dataclasses import asdict

        head = {"report": asdict(report(error))}
    with contextlib.suppress(OSError, ValueError):  # the task may have closed it
        out.flush()
    text = json.dumps(head).encode()
    conn.sendall(_LENGTH.pack(len(text)) + text)
    for part in parts:
        conn.sendall(memoryview(part).cast("B"))
    conn.close()


__all__ = [
    "REQUEST",
    "ChildDied",
    "ChildFailed",
    "ChildTimeout",
    "Line",
    "Ran",
    "RunApart",
    "receive_request",
    "serve",
]
