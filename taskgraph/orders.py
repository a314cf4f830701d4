"""What a worker was told: which tasks, how long, how much memory, when to leave."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

#: Seconds that a store may be full or away, unless somebody says otherwise.
STORE_PATIENCE = 120.0


@dataclass(frozen=True, slots=True)
class Orders:
    """Orders of one run of ``execute``; for all its workers the same but ``ran`` and ``spent``."""

    idle_exit: float | None = None  #: leave after so many seconds without work
    max_tasks: int | None = None  #: run at most so many tasks (each worker)
    max_seconds: float | None = None  #: claim nothing after so many seconds
    memory: float = 128e6  #: bytes of results to keep for dependents
    batch_bytes: float = 32e6  #: bytes of results to make between two looks at memory
    store_patience: float = STORE_PATIENCE  #: seconds a store may be full or away
    verbose: bool = False  #: show on the terminal what tasks print
    pdb: bool = False  #: stop in the debugger at the first failure
    ran: int = 0  #: tasks that the workers before it at its slot have run
    spent: float = 0.0  #: seconds since the first of them began

    def after(self, ran: int, spent: float) -> Orders:
        """Return the orders of a worker that goes on where others of its slot have stopped."""
        return replace(self, ran=ran, spent=spent)

    def room(self, executed: int) -> int:
        """Return how many more tasks a worker may run."""
        return sys.maxsize if self.max_tasks is None else self.max_tasks - self.ran - executed

    def enough(self, executed: int, seconds: float) -> str:
        """Return why to stop now, or an empty string."""
        executed, seconds = executed + self.ran, seconds + self.spent
        if self.max_tasks is not None and executed >= self.max_tasks:
            return f"ran {executed} task{'s' * (executed != 1)}, as many as allowed"
        if self.max_seconds is not None and seconds >= self.max_seconds:
            return f"worked for {seconds:.0f} s, as long as allowed"
        return ""

    def post_mortem(self, error: BaseException) -> None:
        """Open the debugger where a task raised."""
        import pdb  # this is the command's purpose

        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        pdb.post_mortem(error.__traceback__)
