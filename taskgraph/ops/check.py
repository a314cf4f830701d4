"""``check``: is all done? One question to the store when it is, states otherwise."""

from __future__ import annotations

from dataclasses import dataclass

from taskgraph.ops.states import DONE, FAILED, states
from taskgraph.session import Session


@dataclass(frozen=True, slots=True)
class Check:
    """Whether a jugfile is finished."""

    total: int
    done: int
    failed: int
    stopped: bool  #: reading ended at a barrier: there is more to come

    @property
    def finished(self) -> bool:
        """Whether nothing is left."""
        return self.done == self.total and not self.stopped

    @property
    def exit_code(self) -> int:
        """0 when all is done, 1 when a task failed, 3 when work is left."""
        if self.failed:
            return 1
        return 0 if self.finished else 3


def check(session: Session) -> Check:
    """``answer = check(session)``: whether all tasks are done."""
    session.look()
    state = states(session)
    return Check(len(state), state.count(DONE), state.count(FAILED), session.stopped)
