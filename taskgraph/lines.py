"""The supervisor's lines to its templates: one forked process and one socket each.

Messages of a template flow out, one JSON object a line; commands flow in. As a rule
there is one template with all slots; with ``--no-template`` there is one for each slot,
so that every worker's jugfile is read in a process of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
from collections.abc import Iterable, Sequence
from typing import Any

from taskgraph import processes
from taskgraph.template import Job, Template


class Line:
    """``line = Line(job, slots)``: fork a template that keeps workers at these slots.

    Parameters
    ----------
    job : Job
        What to load and run.
    slots : sequence of int
        Slots of the board.
    others : iterable of Line
        Lines made before, whose ends the new template must not keep open.
    """

    def __init__(self, job: Job, slots: Sequence[int], others: Iterable[Line] = ()) -> None:
        self.slots = slots
        self.open = True
        self._inbox = b""
        self._status: int | None = None
        self._channel, theirs = socket.socketpair()
        processes.flush_streams()
        parent = os.getpid()
        self.pid = os.fork()
        if not self.pid:
            code = 70
            try:
                for line in (self, *others):
                    line.close()
                processes.die_with_parent(parent)
                code = Template(job, theirs, slots).run()
                processes.flush_streams()
            except BaseException:  # noqa: BLE001  # the last chance to say what went wrong
                processes.show_crash()
            finally:
                os._exit(code)
        theirs.close()

    def fileno(self) -> int:
        """Return what ``select`` waits for."""
        return self._channel.fileno()

    def hear(self) -> list[dict[str, Any]]:
        """Return what the template has told; ``open`` is False once it has ended."""
        try:
            data = self._channel.recv(1 << 16)
        except ConnectionError:  # it was killed with a command unread
            data = b""
        self.open = bool(data)
        *texts, self._inbox = (self._inbox + data).split(b"\n")
        return [json.loads(text) for text in texts]

    def tell(self, **command: Any) -> None:
        """Send a command; a template that ends now needs none."""
        with contextlib.suppress(OSError):
            self._channel.sendall(json.dumps(command).encode() + b"\n")

    def kill(self) -> None:
        """Kill the template, and with it all that it has forked."""
        if self._status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def ended(self) -> bool:
        """Tell whether the template has ended, whoever else may hold its socket open."""
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._status = status if pid else None
        return self._status is not None

    def close(self) -> None:
        """Hang up: a template that still serves ends."""
        self._channel.close()

    def reap(self) -> int:
        """Wait for the template's end; return its wait status."""
        if self._status is None:
            self._status = os.waitpid(self.pid, 0)[1]
        return self._status
