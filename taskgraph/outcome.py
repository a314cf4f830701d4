"""What became of one run of ``execute``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace

from taskgraph.units import format_duration


@dataclass(frozen=True, slots=True)
class Outcome:
    """Counts over the whole graph, except ``executed``, which this run's workers did."""

    executed: int = 0
    done: int = 0
    failed: int = 0
    blocked: int = 0
    remaining: int = 0  #: could still be run
    total: int = 0
    seconds: float = 0.0
    stopped_at_barrier: bool = False
    signal: str = ""
    error: str = ""
    trace: str = ""
    exit_code: int = 0

    def with_code(self, code: int) -> Outcome:
        """Return it with an exit code."""
        return replace(self, exit_code=code)

    def summary(self) -> str:
        """Return one line for a person."""
        if self.error:
            return f"could not run: {self.error}"
        tasks = "task" if self.executed == 1 else "tasks"
        parts = [f"{self.executed} {tasks} run in {format_duration(self.seconds)}"]
        parts.append(f"{self.done} of {self.total} done")
        if not (self.total or self.stopped_at_barrier or self.signal):
            parts.append("the jugfile makes no tasks")
        if self.failed:
            parts.append(f"{self.failed} failed (see `taskgraph failures`)")
        if self.blocked:
            parts.append(f"{self.blocked} blocked below them")
        if self.remaining:
            parts.append(f"{self.remaining} left")
        if self.stopped_at_barrier:
            parts.append("the jugfile was read up to a barrier")
        if self.signal:
            parts.append(f"stopped by {self.signal}")
        return ", ".join(parts)

    def to_json(self) -> str:
        """Return it as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Outcome:
        """Return what ``to_json`` wrote."""
        return cls(**json.loads(text))
