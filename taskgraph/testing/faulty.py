"""A store whose n-th call fails: for n = 1, 2, 3 ... until a run gets through.

Calls flow in and on; one of them raises :class:`StoreUnreachable` instead, before it did
anything or after it did everything. Where a store fails *within* a call is its own
business (the file store counts system calls).
"""

from __future__ import annotations

from collections.abc import Callable

from taskgraph.errors import StoreError, StoreUnreachable
from taskgraph.store import Store
from taskgraph.testing.wrapper import StoreWrapper


class FaultyStore(StoreWrapper):
    """``store = FaultyStore(inner, fail_at=3)``: the third call of the port fails, once.

    Parameters
    ----------
    inner : Store
        Who does the work.
    fail_at : int
        Number of the call that fails, from 1; 0 for none.
    lost_reply : bool
        The failing call does its work first, as when only the reply is lost.
    error : callable
        Makes the error from a message.

    Attributes
    ----------
    calls : int
        Calls so far.
    failed : str
        The method that failed, "" as long as none has. A loop over ``fail_at`` ends with
        the first run that leaves it empty.
    """

    def __init__(
        self,
        inner: Store,
        fail_at: int = 0,
        *,
        lost_reply: bool = False,
        error: Callable[[str], StoreError] = StoreUnreachable,
    ) -> None:
        super().__init__(inner)
        self.fail_at = fail_at
        self.calls = 0
        self.failed = ""
        self._lost_reply = lost_reply
        self._error = error

    def before(self, method: str) -> None:
        """Count the call; fail it when it is its turn."""
        self.calls += 1
        if not self._lost_reply:
            self._fail(method)

    def after(self, method: str) -> None:
        """Fail a call that did its work, when it is its turn."""
        if self._lost_reply:
            self._fail(method)

    def _fail(self, method: str) -> None:
        if self.calls == self.fail_at:
            self.failed = method
            raise self._error(
                f"the store must answer: this is a planted fault, call {self.calls}, {method}"
            )
