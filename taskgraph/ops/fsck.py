"""``fsck``: verify every checksum and cross reference, and say what to recompute.

A session flows in, findings with the names of their tasks flow out. The store's ``check``
does the work; what the jugfile adds is names. A graph that was not read gives none.
"""

from __future__ import annotations

from dataclasses import dataclass

from taskgraph.session import Session
from taskgraph.store import Problem


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong in the store."""

    what: str
    where: str
    hash: str  #: of the task to recompute, "" when no single one
    name: str  #: of its function, "" when the jugfile does not make it
    fixed: bool  #: put aside or removed


@dataclass(frozen=True, slots=True)
class Fsck:
    """What a look at everything found."""

    findings: tuple[Finding, ...]

    @property
    def recompute(self) -> tuple[tuple[str, str], ...]:
        """(function, hash) of the tasks to compute again, each once."""
        return tuple(dict.fromkeys((f.name, f.hash) for f in self.findings if f.hash))

    @property
    def exit_code(self) -> int:
        """0 when all is well, 1 when something was found."""
        return 1 if self.findings else 0


def fsck(session: Session, *, fix: bool = True) -> Fsck:
    """``report = fsck(session)``: check the whole store.

    Parameters
    ----------
    session : Session
        With or without a graph.
    fix : bool
        Put what is broken aside, so that it is computed again.
    """
    session.look()
    return Fsck(tuple(_finding(session, problem) for problem in session.store.check(fix=fix)))


def _finding(session: Session, problem: Problem) -> Finding:
    node = session.graph.index.get(problem.key)
    return Finding(
        what=problem.what,
        where=problem.where,
        hash=problem.key.hex(),
        name="" if node is None else session.graph.name(node),
        fixed=problem.fixed,
    )
