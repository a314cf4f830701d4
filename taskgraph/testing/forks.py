"""A forked child in a test: held until it is let go, heard out, never left behind.

A piece of work flows in; its answer, or what went wrong, flows out of :meth:`Forked.finish`.
The child has everything that its parent had open, as a worker has that is forked from the
process that opened the store. It ends without clean-up, as a killed worker does. It knows
no store.
"""

from __future__ import annotations

import json
import os
import select
import signal
import traceback
import warnings
from collections.abc import Callable
from typing import Any

#: No honest piece of work takes this long (seconds): a test that hangs should say so.
PATIENCE = 60.0


class Forked:
    """``child = Forked(work); child.go(); ...; answer = child.finish()``; else ``child.stop()``.

    Parameters
    ----------
    work : callable
        What the child runs once it is let go; its answer must fit into JSON.
    """

    def __init__(self, work: Callable[[], Any]) -> None:
        held, self._gate = os.pipe()
        self._answer, told = os.pipe()
        with warnings.catch_warnings():
            # Python 3.12 warns of forks beside threads; those of a test are held.
            warnings.simplefilter("ignore", DeprecationWarning)
            self.pid = os.fork()
        if not self.pid:
            os.close(self._gate)  # so that the gate ends with the parent
            os.close(self._answer)
            _be_child(work, held, told)
        os.close(held)
        os.close(told)

    def go(self) -> None:
        """Let the child begin."""
        if self._gate >= 0:
            os.write(self._gate, b"g")
            os.close(self._gate)
            self._gate = -1

    def finish(self) -> Any:
        """Let the child begin, wait for its end and return its answer.

        Raises
        ------
        AssertionError
            The work raised (its traceback is in the message), or never ended.
        """
        self.go()
        data = b""
        ready = select.poll()  # not select(): a long run of tests has many descriptors open
        ready.register(self._answer)
        try:
            while ready.poll(PATIENCE * 1000):
                more = os.read(self._answer, 1 << 16)
                if not more:
                    break
                data += more
        finally:
            self.stop()
        told = json.loads(data) if data else {"error": "it never ended, or was killed"}
        assert "error" not in told, f"the forked child failed: {told['error']}"
        return told["answer"]

    def stop(self) -> None:
        """Kill the child if it has not ended; what it holds in a store stays as it is."""
        for end in {self._gate, self._answer} - {-1}:
            os.close(end)
        self._gate = self._answer = -1
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0


def _be_child(work: Callable[[], Any], gate: int, answer: int) -> None:
    """Run the work once it is let go, tell how it went, and end at once."""
    try:
        if os.read(gate, 1):
            data = json.dumps(_told(work)).encode()
            while data:
                data = data[os.write(answer, data) :]
    finally:
        os._exit(0)


def _told(work: Callable[[], Any]) -> dict[str, Any]:
    try:
        return {"answer": work()}
    except BaseException:  # noqa: BLE001  -- told to the parent, which fails the test
        return {"error": traceback.format_exc()}
