"""Several workers in one test, each held at a named point: races by command, not by luck.

A piece of work flows in; the test moves it from point to point. Every actor is a thread,
but only one of them ever runs, so that each run of a test is the same. An actor knows
nothing of stores: whatever calls :meth:`Actor.point` can be held.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

_T = TypeVar("_T")

#: No honest step between two points takes this long: a test that hangs should say so.
PATIENCE = 30.0


class Actor(Generic[_T]):
    """``actor = Actor(work); actor.to("linked"); ...; actor.finish()``.

    Parameters
    ----------
    work : callable
        What to run; its answer is that of :meth:`finish`, and so is its exception.
    name : str
        For messages.
    """

    def __init__(self, work: Callable[[], _T], name: str = "actor") -> None:
        self._work = work
        self._until: str | None = None
        self._go = threading.Semaphore(0)
        self._back = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._answer: list[_T] = []
        self._error: list[BaseException] = []
        self.at = ""  #: the point it is held at, "" before the start and at the end
        self.done = False

    def point(self, name: str) -> None:
        """Be held here if the test said so. Called by the work, as ``fs.point``."""
        if name == self._until and threading.current_thread() is self._thread:
            self.at = name
            self._back.release()
            self._go.acquire()
            self.at = ""

    def to(self, name: str | None) -> bool:
        """Run until the point, or to the end; return whether it is held at the point."""
        if self.done:
            return False
        self._until = name
        if self._thread.ident is None:
            self._thread.start()
        else:
            self._go.release()
        assert self._back.acquire(timeout=PATIENCE), f"{self._thread.name} never reached {name}"
        return not self.done

    def finish(self) -> _T:
        """Run to the end and return the work's answer, or raise what it raised."""
        self.to(None)
        self._thread.join(PATIENCE)
        if self._error:
            raise self._error[0]
        return self._answer[0]

    def _run(self) -> None:
        try:
            self._answer.append(self._work())
        except BaseException as error:  # noqa: BLE001  -- handed to the test by finish()
            self._error.append(error)
        self.done = True
        self._back.release()
